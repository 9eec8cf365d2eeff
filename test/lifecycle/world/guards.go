package world

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
)

// guards are the admission policies, and what was measured of them. What really was is the world's to know: a
// measurement sees only what is the case when it looks, and doubts all the time since it last saw them in place.
type guards struct {
	inPlace bool
	// lost are the times in which they were not.
	lost []guard.Gap
	// changes that were made to them, and how many of those the last good look had seen.
	changes, seen int
	// good is when that was, kept when it was last kept, and due when the next look is.
	good, kept, due time.Time
	gaps            []guard.Gap
}

// How the guards are looked at: now and then, a moment after a change, and soon again while they are not in place.
const (
	looksEvery = 5 * time.Minute
	looksAfter = 2 * time.Second
	looksAgain = 10 * time.Second
	// keepsEvery is how often the time of a good look is kept.
	keepsEvery = time.Hour
	// settling is for how long a doubt lasts after the guards are back.
	settling = 5 * time.Second
)

// Guards are put in place or taken away.
func (w *World) Guards(inPlace bool) {
	w.Helper()
	w.clock = w.clock.Add(time.Second)
	switch {
	case w.guards.inPlace && !inPlace:
		w.guards.lost = append(w.guards.lost, guard.Gap{From: w.clock})
	case !w.guards.inPlace && inPlace:
		w.guards.lost[len(w.guards.lost)-1].To = w.clock
	}
	w.guards.inPlace = inPlace
	w.guards.changes++
	w.guards.due = w.clock.Add(looksAfter)
}

// wereLost tells whether the guards were not in place at any moment of a time. The server's time has whole seconds.
func (g guards) wereLost(from, to time.Time) bool {
	return slices.ContainsFunc(g.lost, func(l guard.Gap) bool {
		return !to.Before(l.From.Truncate(time.Second)) && (l.To.IsZero() || from.Before(l.To))
	})
}

// doubtedAt tells whether nobody can tell if they were in place at a time.
func (g guards) doubtedAt(at time.Time) bool {
	return slices.ContainsFunc(g.gaps, func(gap guard.Gap) bool { return !at.Before(gap.From) && (gap.To.IsZero() || at.Before(gap.To)) })
}

func (g guards) doubted() bool { return len(g.gaps) > 0 && g.gaps[len(g.gaps)-1].To.IsZero() }

// looked is what is known after a look at a time.
func (g guards) looked(now time.Time) guards {
	g.gaps = slices.Clone(g.gaps)
	last := g.good.Truncate(time.Second)
	switch {
	case !g.inPlace && !g.doubted():
		g.gaps = append(g.gaps, guard.Gap{From: last, Why: "a policy is not as shipped"})
	case g.inPlace && g.doubted():
		g.gaps[len(g.gaps)-1].To = now.Add(settling)
	case g.inPlace && g.changes != g.seen:
		g.gaps = append(g.gaps, guard.Gap{From: last, To: now.Add(settling), Why: "changed between two measurements"})
	}
	if g.inPlace {
		g.good, g.seen = now, g.changes
	}
	return g
}

// watchGuards looks at the guards and keeps what is worth it.
func (w *World) watchGuards() []chore {
	return []chore{{at: w.guards.due, do: func() {
		now := w.guards.looked(w.clock)
		now.due = w.clock.Add(looksEvery)
		if !now.inPlace {
			now.due = w.clock.Add(looksAgain)
		}
		worth := !slices.Equal(now.gaps, w.guards.gaps) || now.good.Sub(now.kept) >= keepsEvery
		w.guards = now
		if worth {
			w.keepGuards()
		}
	}}}
}

// state is what is known, as the operator keeps it.
func (g guards) state(now time.Time) guard.State {
	state := guard.State{
		InPlace: !g.doubted(), Reason: v1alpha1.ReasonGuardsMeasured, Message: "the guards refuse forgeries",
		Since: g.good, MeasuredAt: now, LastGood: g.good, Gaps: g.gaps, Fingerprint: "shipped",
	}
	if !state.InPlace {
		state.Reason, state.Message = v1alpha1.ReasonGuardsChanged, "A policy is not as shipped; the platform team installs it again."
	}
	return state
}

// keepGuards puts what is known where the operator keeps it.
func (w *World) keepGuards() {
	w.Helper()
	w.guards.kept = w.guards.good
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

// meter measures the guards for promotion, on top of what was kept.
type meter struct{ world *World }

// Measure implements promotion.Guards. It takes about ten requests, between which others do their part; what it found is
// as old as the one that found it.
func (m meter) Measure(context.Context) (guard.State, error) {
	w := m.world
	found, requests := 0, 10
	if w.faults {
		found = w.rng.IntN(requests)
	}
	var state guard.State
	for request := range requests {
		if w.faults && w.rng.IntN(3) == 0 {
			w.clock = w.clock.Add(w.jitter(time.Second))
			w.interleave()
		}
		if request == found {
			known := w.guards
			known.good = known.kept
			state = known.looked(w.clock).state(w.clock)
			w.truth.look.measured(w)
		}
	}
	switch {
	case w.operator.dead:
		return guard.State{}, errKilled
	case w.chance(20):
		return guard.State{}, errors.New("the API server does not answer")
	}
	return state, nil
}
