package sandbox

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestDeletionWaitsForProductionThatIsRetired(t *testing.T) {
	retired := func(t *testing.T) *world {
		w := runs(t, aPrototype().inProduction())
		w.must(w.client.Create(t.Context(), namespace(w.identity.Production(), w.identity.Labels("production"))))
		w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetRetired })
		w.settle()
		w.must(w.client.Delete(t.Context(), w.prototype()))
		return w
	}
	gone := func(w *world) bool {
		for range 4 {
			_, err := w.reconcile()
			w.must(err)
		}
		return !w.exists(&v1alpha1.AIPrototype{}, w.key.Namespace, w.key.Name)
	}
	t.Run("until it is gone", func(t *testing.T) {
		w := retired(t)
		if gone(w) {
			t.Fatal("the prototype is gone, and production is there")
		}
		ready := apimeta.FindStatusCondition(w.prototype().Status.Conditions, v1alpha1.ConditionReady)
		if ready.Reason != v1alpha1.ReasonDeleting || !strings.Contains(ready.Message, w.identity.Production()) {
			t.Errorf("says %s %q", ready.Reason, ready.Message)
		}
		w.must(w.client.Delete(t.Context(), namespace(w.identity.Production(), nil)))
		if !gone(w) {
			t.Error("the prototype is still held")
		}
	})
	t.Run("not where the team's namespace goes", func(t *testing.T) {
		w := retired(t)
		w.must(w.client.Delete(t.Context(), namespace("membership", nil)))
		if !gone(w) {
			t.Error("the prototype holds up its namespace")
		}
	})
	t.Run("not where nobody retired it", func(t *testing.T) {
		w := runs(t, aPrototype().inProduction())
		w.must(w.client.Create(t.Context(), namespace(w.identity.Production(), w.identity.Labels("production"))))
		w.must(w.client.Delete(t.Context(), w.prototype()))
		if !gone(w) || !w.exists(&corev1.Namespace{}, "", w.identity.Production()) {
			t.Error("production does not outlive its prototype")
		}
	})
}
