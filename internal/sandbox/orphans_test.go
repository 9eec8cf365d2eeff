package sandbox

import (
	"context"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// outrun deletes the prototype past its finalizer, as the API server does when a deletion meets the finalizer's patch.
func (w *world) outrun() {
	w.t.Helper()
	p := w.prototype()
	p.Finalizers = nil
	w.must(w.client.Update(w.t.Context(), p))
	w.must(w.client.Delete(w.t.Context(), p))
}

func (w *world) productionNamespace() *corev1.Namespace {
	labels := w.identity.Labels(v1alpha1.PurposeProduction)
	labels[v1alpha1.LabelPurpose] = v1alpha1.PurposeProduction
	return namespace(w.identity.Production(), labels)
}

func TestSandboxOfAPrototypeThatIsGone(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.settle()
	w.must(w.client.Create(t.Context(), w.productionNamespace()))
	w.outrun()
	w.settle()
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("the sandbox is left")
	}
	if w.exists(&batchv1.Job{}, v1alpha1.GatesNamespace, w.identity.Run("isolation", suffixControl)) {
		t.Error("the control is left")
	}
	if !w.exists(&corev1.Namespace{}, "", w.identity.Production()) {
		t.Error("production was taken down, though it serves on when its prototype is gone")
	}
}

func TestSandboxOfAnEarlierPrototypeOfTheName(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.settle()
	earlier := w.identity
	w.outrun()
	made := aPrototype().obj()
	made.UID = types.UID("22222222-0000-4000-8000-000000000000")
	w.must(w.client.Create(t.Context(), made))
	w.settle()
	if w.exists(&corev1.Namespace{}, "", earlier.Sandbox()) {
		t.Error("the earlier sandbox is left")
	}
	w.identity.UID = string(w.prototype().UID)
	if !w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("the present sandbox is not there")
	}
}

// Where only a run is left in the gates' namespace, it goes as well.
func TestRunOfAPrototypeThatIsGone(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.settle()
	w.outrun()
	var sandbox corev1.Namespace
	w.must(w.client.Get(t.Context(), client.ObjectKey{Name: w.identity.Sandbox()}, &sandbox))
	w.must(w.client.Delete(t.Context(), &sandbox))
	if !w.exists(&batchv1.Job{}, v1alpha1.GatesNamespace, w.identity.Run("isolation", suffixControl)) {
		t.Fatal("there is no control to be left")
	}
	w.settle()
	if w.exists(&batchv1.Job{}, v1alpha1.GatesNamespace, w.identity.Run("isolation", suffixControl)) {
		t.Error("the control is left")
	}
}

// A cache that does not show the prototype yet is no reason to take its sandbox down.
func TestSandboxOfAPrototypeThatOnlyTheCacheMisses(t *testing.T) {
	w := runs(t, aPrototype())
	w.Reconciler.Client = blind{w.client}
	result, err := w.reconcile()
	if err != nil || result.RequeueAfter == 0 {
		t.Errorf("looks again after %s, %v", result.RequeueAfter, err)
	}
	if !w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) || !w.exists(&corev1.Service{}, w.identity.Sandbox(), workload.Name) {
		t.Error("the sandbox of a living prototype was taken down")
	}
}

// blind sees no prototype.
type blind struct{ client.Client }

func (b blind) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if _, is := object.(*v1alpha1.AIPrototype); is {
		key.Name = "nobody"
	}
	return b.Client.Get(ctx, key, object, options...)
}
