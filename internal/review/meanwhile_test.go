package review

import (
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// What was measured while the operator itself took the prototype away says nothing about the subject, also where no pod came
// in its place: it is made again when the subject is back.
func TestSandboxTakenAwayMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		away func(w *world, d *appsv1.Deployment)
		back func(w *world, d *appsv1.Deployment)
	}{
		"stopped": {
			away: func(w *world, d *appsv1.Deployment) {
				d.Spec.Replicas = ptr.To[int32](0)
				w.must(w.client.Delete(w.ctx(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: identity.Sandbox(), Name: "prototype-1"}}))
			},
			back: func(w *world, d *appsv1.Deployment) {
				d.Spec.Replicas = ptr.To[int32](1)
				w.must(w.client.Create(w.ctx(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
					Namespace: identity.Sandbox(), Name: "prototype-2", Labels: d.Spec.Template.Labels,
				}}))
			},
		},
		"another revision begins": {
			away: func(_ *world, d *appsv1.Deployment) { d.Annotations[v1alpha1.AnnotationSubject] = "sha256:other" },
			back: func(w *world, d *appsv1.Deployment) {
				d.Annotations[v1alpha1.AnnotationSubject] = w.rec.SubjectDigest
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			change := func(edit func(*world, *appsv1.Deployment)) {
				d := w.sandboxed()
				edit(w, d)
				w.must(w.client.Update(w.ctx(), d))
				n := *d.Spec.Replicas
				d.Status = appsv1.DeploymentStatus{Replicas: n, UpdatedReplicas: n, AvailableReplicas: n, ObservedGeneration: d.Generation}
				w.must(w.client.Status().Update(w.ctx(), d))
			}
			w.must(w.pass())
			change(c.away)
			w.settle()
			w.measured(allPassed[0], "scalability Inconclusive MeasurementLost", allPassed[2])
			change(c.back)
			w.settle()
			w.measured(allPassed...)
			if n := len(w.reports(assess.ReportOf("scalability"))); n != 2 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

// What came to nothing is not made again at once: whatever was in the way gets time to go, more of it every time.
func TestPausesGrow(t *testing.T) {
	w := newWorld(t)
	w.lost = true
	for w.now.Before(opened.Add(10 * time.Minute)) {
		w.must(w.pass())
	}
	reports := w.reports(assess.ReportOf("scalability"))
	slices.SortFunc(reports, func(a, b record.Report) int { return a.Attempt - b.Attempt })
	if len(reports) != attemptsAtMost {
		t.Fatalf("%d attempts", len(reports))
	}
	for n := 1; n < len(reports); n++ {
		_, pause := patience(gate.SiteSandbox, n)
		if after := reports[n].MeasuredAt.Sub(reports[n-1].MeasuredAt); after < pause || after > pause+time.Minute {
			t.Errorf("attempt %d ended %s after the one before it, a pause of %s is due", n+1, after, pause)
		}
	}
}

// A review clears away what is its own: not what the next review of the prototype measures, nor what is asked again of what serves.
func TestLeftoversOfOthersStay(t *testing.T) {
	w := newWorld(t)
	others := map[string]*batchv1.Job{}
	for name, made := range map[string]struct{ component, review string }{
		"the-next-review": {workload.ComponentCaller, "4"}, "asked-again": {workload.ComponentAgain, "3"},
	} {
		labels := identity.Labels(made.component)
		labels[v1alpha1.LabelReview] = made.review
		others[name] = &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: name, Labels: labels}}
		w.must(w.client.Create(w.ctx(), others[name]))
	}
	w.settle()
	w.measured(allPassed...)
	w.target(v1alpha1.TargetSandbox)
	w.settle()
	if got := w.review().Status.Outcome; got != v1alpha1.OutcomeWithdrawn {
		t.Errorf("outcome %q", got)
	}
	for name, job := range others {
		if err := w.client.Get(w.ctx(), client.ObjectKeyFromObject(job), job); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nobody waits for a gate that only advises: people decide while it is still to be measured, and it is shown.
func TestNobodyWaitsForAdvice(t *testing.T) {
	late := part("", gate.SiteOperator)
	late.NotBefore = opened.Add(24 * time.Hour)
	w := gauged(t, gauge{parts: []gate.Run{late}}, func(g *v1alpha1.Gate) { g.Enforcement = v1alpha1.EnforcementAdvisory })
	w.settle()
	w.measured(append(slices.Clone(allPassed), "gauge Pending WindowOpen")...)
	w.is(v1alpha1.ConditionReady, "True AwaitingDecisions")
	w.is(v1alpha1.ConditionReconciling, "")
	w.approve()
	w.settle()
	w.is(v1alpha1.ConditionReady, "False Promoting")
}
