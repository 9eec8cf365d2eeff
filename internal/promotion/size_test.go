package promotion

import (
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// sizes has the reports of every record tell the same size.
func (w *world) sizes(s gate.Size) {
	w.controller.size = func(record.Record, []record.Report, time.Time) gate.Size { return s }
}

// wantSize looks at everything in production that has to do with numbers of replicas.
func (w *world) wantSize(least, most int32) {
	w.Helper()
	at := client.ObjectKey{Namespace: identity.Production(), Name: workload.Name}
	var scaler autoscalingv2.HorizontalPodAutoscaler
	w.must(w.client.Get(w.ctx(), at, &scaler))
	var budget policyv1.PodDisruptionBudget
	w.must(w.client.Get(w.ctx(), at, &budget))
	if *scaler.Spec.MinReplicas != least || scaler.Spec.MaxReplicas != most || budget.Spec.MinAvailable.IntVal != least-1 {
		w.Errorf("scales from %d to %d, %d must stay; want %d to %d", *scaler.Spec.MinReplicas, scaler.Spec.MaxReplicas, budget.Spec.MinAvailable.IntVal, least, most)
	}
	if got := *w.deployment().Spec.Replicas; got < least || got > most {
		w.Errorf("%d replicas, want %d to %d", got, least, most)
	}
}

// What was measured sizes production within what the policy allows, and stays when the reports are gone.
func TestProductionHasTheMeasuredSize(t *testing.T) {
	w, _ := first(t)
	w.sizes(gate.Size{Min: 3, Max: 3})
	w.settle()
	w.wantSize(3, 3)
	w.restart()
	w.sizes(gate.Size{})
	w.must(w.client.Delete(w.ctx(), &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta(recordOf(t, 1, digestA))}))
	w.settle()
	w.wantSize(3, 3)
	w.unbroken()
}

// The next revision has a size of its own, and that is no drift.
func TestNextRevisionHasItsSize(t *testing.T) {
	w, _ := first(t)
	w.sizes(gate.Size{Min: 3, Max: 3})
	w.settle()
	w.add(recordOf(t, 2, digestB))
	w.sizes(gate.Size{Min: 2, Max: 4})
	w.settle()
	w.wantSize(2, 4)
	w.unbroken()
	if w.event(v1alpha1.ReasonDrift) {
		t.Error("what another revision takes was told as drift")
	}
}

// A revision that is taken back leaves the size of the one before.
func TestSizeIsRolledBack(t *testing.T) {
	w, _ := first(t)
	w.sizes(gate.Size{Min: 3, Max: 4})
	w.settle()
	w.add(recordOf(t, 2, digestB))
	w.sizes(gate.Size{Min: 2, Max: 2})
	w.bad[digestB] = true
	w.settle()
	w.wantSize(3, 4)
	w.unbroken()
	if w.event(v1alpha1.ReasonDrift) {
		t.Error("what another revision takes was told as drift")
	}
}

func TestSizeKeepsThePolicysBounds(t *testing.T) {
	for name, c := range map[string]struct {
		size        gate.Size
		least, most int32
	}{
		"nothing tells":     {gate.Size{}, 2, 4},
		"too many":          {gate.Size{Min: 50, Max: 90}, 4, 4},
		"too few":           {gate.Size{Min: 1, Max: 1}, 2, 2},
		"less than nothing": {gate.Size{Min: -7, Max: -9}, 2, 2},
		"upside down":       {gate.Size{Min: 4, Max: 3}, 4, 4},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := first(t)
			w.sizes(c.size)
			w.settle()
			w.wantSize(c.least, c.most)
		})
	}
}
