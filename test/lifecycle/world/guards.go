package world

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
)

// guards are the admission policies, and what was measured of them.
type guards struct {
	inPlace bool
	// good is when they were last seen in place.
	good time.Time
	gaps []guard.Gap
}

// settling is for how long a doubt lasts after the guards are back.
const settling = 5 * time.Second

// Guards are put in place or taken away; both is measured at once, as the operator does when one of them changes.
func (w *World) Guards(inPlace bool) {
	w.Helper()
	w.clock = w.clock.Add(time.Second)
	switch {
	case w.guards.inPlace && !inPlace:
		w.guards.gaps = append(w.guards.gaps, guard.Gap{From: w.clock, Why: "a policy is not as shipped"})
	case !w.guards.inPlace && inPlace:
		w.guards.gaps[len(w.guards.gaps)-1].To = w.clock.Add(settling)
	}
	w.guards.inPlace = inPlace
	if inPlace {
		w.guards.good = w.clock
	}
	w.keepGuards()
}

// state as a measurement now would find it.
func (g guards) state(now time.Time) guard.State {
	state := guard.State{
		InPlace: g.inPlace, Reason: v1alpha1.ReasonGuardsMeasured, Message: "the guards refuse forgeries",
		Since: g.good, MeasuredAt: now, LastGood: g.good, Gaps: g.gaps, Fingerprint: "shipped",
	}
	if !g.inPlace {
		state.Reason, state.Message = v1alpha1.ReasonGuardsChanged, "A policy is not as shipped; the platform team installs it again."
	}
	return state
}

// keepGuards puts what was measured where the operator keeps it.
func (w *World) keepGuards() {
	w.Helper()
	raw, err := json.Marshal(w.guards.state(w.clock))
	w.Must(err)
	kept := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: guard.ConfigMapName},
		Data:       map[string]string{"state.json": string(raw)},
	}
	if w.Exists(&corev1.ConfigMap{}, kept.Namespace, kept.Name) {
		w.Must(w.as(platform).Update(w.context(), kept))
		return
	}
	w.Must(w.as(platform).Create(w.context(), kept))
}

// meter measures the guards for promotion.
type meter struct{ world *World }

// Measure implements promotion.Guards.
func (m meter) Measure(context.Context) (guard.State, error) {
	if m.world.chance(20) {
		return guard.State{}, errors.New("the API server does not answer")
	}
	return m.world.guards.state(m.world.clock), nil
}
