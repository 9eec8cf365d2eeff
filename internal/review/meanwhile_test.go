package review

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
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
