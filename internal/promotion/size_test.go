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

// wantRequests of the pods, whose limits are always those that were measured.
func (w *world) wantRequests(cpu, memory string) {
	w.Helper()
	got := w.deployment().Spec.Template.Spec.Containers[0].Resources
	if got.Requests.Cpu().String() != cpu || got.Requests.Memory().String() != memory || got.Limits.Cpu().String() != "250m" || got.Limits.Memory().String() != "256Mi" {
		w.Errorf("requests and limits are %+v, want %s and %s of 250m and 256Mi", got, cpu, memory)
	}
}

func byMeasure(r *record.Record) { r.Requirements.Production.Requests = v1alpha1.RequestsMeasured }

// Where the policy says so, pods request what was measured, also when the reports are gone, and each revision its own.
func TestProductionRequestsWhatWasMeasured(t *testing.T) {
	w, _ := first(t, byMeasure)
	w.sizes(gate.Size{Min: 2, Max: 4, CPU: 50, Memory: 32 << 20})
	w.settle()
	w.wantRequests("50m", "32Mi")
	w.restart()
	w.sizes(gate.Size{})
	w.must(w.client.Delete(w.ctx(), w.deployment()))
	w.settle()
	w.wantRequests("50m", "32Mi")
	w.add(recordOf(t, 2, digestB, byMeasure))
	w.sizes(gate.Size{Min: 2, Max: 4, CPU: 120, Memory: 64 << 20})
	w.bad[digestB] = true
	w.settle()
	w.wantRequests("50m", "32Mi")
	w.unbroken()
}

func TestRequestsKeepTheLimits(t *testing.T) {
	for name, c := range map[string]struct {
		rule        v1alpha1.ProductionRequests
		size        gate.Size
		cpu, memory string
	}{
		"nothing said":         {"", gate.Size{Min: 2, Max: 4, CPU: 50, Memory: 32 << 20}, "250m", "256Mi"},
		"as declared":          {v1alpha1.RequestsDeclared, gate.Size{Min: 2, Max: 4, CPU: 50, Memory: 32 << 20}, "250m", "256Mi"},
		"nothing was read":     {v1alpha1.RequestsMeasured, gate.Size{Min: 2, Max: 4}, "250m", "256Mi"},
		"half was read":        {v1alpha1.RequestsMeasured, gate.Size{Min: 2, Max: 4, CPU: 50}, "250m", "256Mi"},
		"less than nothing":    {v1alpha1.RequestsMeasured, gate.Size{Min: 2, Max: 4, CPU: 50, Memory: -1}, "250m", "256Mi"},
		"more than the limits": {v1alpha1.RequestsMeasured, gate.Size{Min: 2, Max: 4, CPU: 251, Memory: 257 << 20}, "250m", "256Mi"},
		"more than one limit":  {v1alpha1.RequestsMeasured, gate.Size{Min: 2, Max: 4, CPU: 50, Memory: 1 << 40}, "50m", "256Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := first(t, func(r *record.Record) { r.Requirements.Production.Requests = c.rule })
			w.sizes(c.size)
			w.settle()
			w.wantRequests(c.cpu, c.memory)
		})
	}
}
