package sandbox

import (
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/run"
)

// pod of the workload on a node, as the scheduler has it.
func (w *world) pod(name, node string) {
	w.t.Helper()
	w.must(w.client.Create(w.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.identity.Sandbox(), Name: name, Labels: w.deployment().Spec.Template.Labels, CreationTimestamp: metav1.NewTime(w.clock.Now()),
		},
		Spec: corev1.PodSpec{NodeName: node},
	}))
}

// boots plays a node that was started.
func (w *world) boots(name, boot string) {
	w.t.Helper()
	w.must(client.IgnoreNotFound(w.client.Delete(w.t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})))
	w.must(w.client.Create(w.t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{BootID: boot}},
	}))
}

// measuresOn plays the runners on the node on which the run inside has to be.
func (w *world) measuresOn(want string) {
	w.t.Helper()
	w.settle()
	var job batchv1.Job
	if !w.exists(&job, w.identity.Sandbox(), w.identity.Run(assess.ReportIsolation, suffixInside)) {
		w.t.Fatalf("it is not measured on %s", want)
	}
	node := ""
	if affinity := job.Spec.Template.Spec.Affinity; affinity != nil {
		node = affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values[0]
	}
	if node != want {
		w.t.Fatalf("it is measured on %q, want %q", node, want)
	}
	w.advance(20 * time.Second)
	inside, control := reports(w.clock.Now(), true)
	inside.Node = node
	w.runs.set(map[string]run.Result{w.identity.Run("isolation", suffixInside): inside, w.identity.Run("isolation", suffixControl): control})
	w.settle()
	w.runs.set(map[string]run.Result{})
}

func TestMeasuredAgainAfterTheNodeWasStartedAnew(t *testing.T) {
	w := runs(t, aPrototype())
	w.boots("node-1", "boot-1")
	w.pod("p", "node-1")
	w.measuresOn("node-1")
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	w.boots("node-1", "boot-2")
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation)
	w.measuresOn("node-1")
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	if got := w.isolation().Nodes; len(got) != 1 || got[0].BootID != "boot-2" {
		t.Errorf("speaks for %+v", got)
	}
}

// While a new pod does not get up, the old one goes on: a verdict has to speak for both of their nodes.
func TestMeasuredOnEveryNodeOfTheWorkload(t *testing.T) {
	w := runs(t, aPrototype())
	w.pod("old", "node-1")
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	w.advance(time.Minute)
	w.pod("new", "node-2")
	w.measuresOn("node-2")
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	if got := len(w.isolation().Nodes); got != 2 {
		t.Fatalf("speaks for %d nodes", got)
	}
	w.settle()
	if w.exists(&batchv1.Job{}, w.identity.Sandbox(), w.identity.Run(assess.ReportIsolation, suffixInside)) {
		t.Fatal("it is measured again and again")
	}
	// The older measurement is due first, and the other pod is not forgotten for it.
	w.advance(time.Hour - 80*time.Second)
	w.measuresOn("node-1")
	w.boots("node-2", "boot-2")
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation)
	w.measuresOn("node-2")
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
}

// Asking again and again puts off no verdict: who asks during a run is served after it.
func TestRequestsDuringAMeasurementWaitForIt(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	ask := func(n int) {
		w.edit(func(p *v1alpha1.AIPrototype) {
			p.Annotations[v1alpha1.AnnotationRequestedAt] = fmt.Sprintf("request %d", n)
		})
		w.settle()
	}
	w.settle()
	for n := range 4 {
		ask(2 * n)
		ask(2*n + 1)
		before := w.isolationReports()
		w.advance(20 * time.Second)
		w.ends(true)
		w.edit(func(p *v1alpha1.AIPrototype) {
			p.Annotations[v1alpha1.AnnotationRequestedAt] = fmt.Sprintf("request %d", 2*n+2)
		})
		for range 2 {
			_, err := w.reconcile()
			w.must(err)
		}
		w.runs.set(map[string]run.Result{})
		w.settle()
		if w.isolationReports() != before+1 {
			t.Fatalf("what was measured while %d requests came was thrown away; plans %v", n, w.plans)
		}
		w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
		if got := w.prototype().Status.LastHandledRequestedAt; got == fmt.Sprintf("request %d", 2*n+2) {
			t.Fatalf("%s is handled by a run that was made before it", got)
		}
	}
	w.measures(true)
	if got := w.prototype().Status.LastHandledRequestedAt; got != "request 8" {
		t.Errorf("handled %q", got)
	}
}

// Records that take nothing must not keep isolation from being looked at.
func TestMeasuredByScheduleWhileTheRecordsAreFull(t *testing.T) {
	w := runs(t, aPrototype())
	w.full = true
	pass := func() { _, _ = w.reconcile() }
	for range 3 {
		w.advance(time.Hour)
		pass()
		w.runs.set(map[string]run.Result{})
		for range 3 {
			pass()
		}
		if !w.exists(&batchv1.Job{}, w.identity.Sandbox(), w.identity.Run(assess.ReportIsolation, suffixInside)) {
			t.Fatalf("it is not measured again: %v", w.plans[len(w.plans)-8:])
		}
		before := w.isolation().MeasuredAt
		w.advance(20 * time.Second)
		w.ends(true)
		pass()
		if !before.Before(&w.isolation().MeasuredAt) {
			t.Fatal("an old verdict stands")
		}
		pass()
		w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	}
	// The last pair stays as it is, and what it said gets old.
	w.runs.set(map[string]run.Result{})
	for range 3 {
		w.advance(time.Hour)
		for range 4 {
			pass()
		}
	}
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation)
	if replicas := w.deployment().Spec.Replicas; *replicas != 0 {
		t.Errorf("%d replicas, and nothing is known", *replicas)
	}
}
