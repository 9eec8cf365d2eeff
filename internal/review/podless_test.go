package review

import (
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	kubernetes "k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
)

// rest lets exactly as much time pass as the controller asked for: nothing happens in this world but what it does itself,
// which it hears of a second later, and no other event wakes it.
func (w *world) rest() {
	w.Helper()
	before := len(w.writes)
	result, err := w.controller.Reconcile(w.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Namespace: identity.Namespace, Name: identity.Review(3)}})
	w.must(err)
	if result.RequeueAfter == 0 {
		w.Fatal("it waits for an event that never comes")
	}
	if len(w.writes) > before {
		result.RequeueAfter = time.Second
	}
	w.now = w.now.Add(result.RequeueAfter)
}

// madeOf are the names of the Jobs of a kind that were ever made, without it.
func (w *world) madeOf(kind string) []string {
	var out []string
	for _, write := range w.writes {
		if name, ok := strings.CutPrefix(write, "create *v1.Job "+kind+"-"); ok {
			out = append(out, name)
		}
	}
	return out
}

// A Job for which nobody makes a pod is not waited for for ever: it is lost, told, taken away and tried again under
// another name, until that is given up; the gate is not passed. Nobody has to wake the controller.
func TestNoPodIsMade(t *testing.T) {
	w := newWorld(t, func(r *record.Record) { r.Requirements.Gates = r.Requirements.Gates[2:] })
	w.controller.Collector = run.Collector{Reader: w.client, Logs: kubernetes.NewClientset(), Now: func() time.Time { return w.now }}
	until := func(what string, holds func() bool) time.Time {
		for range 200 {
			if holds() {
				return w.now
			}
			w.rest()
		}
		t.Fatalf("never: %s", what)
		return time.Time{}
	}
	began := until("it begins", func() bool { return len(w.madeOf("control")) == 1 })
	lost := until("it is lost", func() bool {
		return slices.ContainsFunc(w.writes, func(write string) bool { return strings.HasPrefix(write, "delete *v1.Job control-") })
	})
	if waited := lost.Sub(began); waited > 4*time.Minute {
		t.Errorf("it was waited for for %s", waited)
	}
	until("it begins again", func() bool { return len(w.madeOf("control")) == 2 })
	jobs := w.madeOf("control")
	if jobs[0] == jobs[1] {
		t.Errorf("the name %s is used again", jobs[0])
	}
	var list batchv1.JobList
	w.must(w.client.List(w.ctx(), &list, client.InNamespace(v1alpha1.GatesNamespace), client.HasLabels{v1alpha1.LabelReview}))
	for _, job := range list.Items {
		if strings.HasSuffix(job.Name, jobs[0]) {
			t.Errorf("%s is left", job.Name)
		}
	}
	status := w.review().Status.Gates
	for _, g := range status {
		if g.Name == "integration" && (g.Verdict == v1alpha1.GatePassed || !strings.Contains(g.Message, "no pod was made for it within")) {
			t.Errorf("%+v", g)
		}
	}
}
