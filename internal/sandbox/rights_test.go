package sandbox

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// refused is why the operator may not write an object.
func (w *world) refused(ctx context.Context, c client.Client, object client.Object) error {
	if !w.strict || object.GetNamespace() != w.identity.Sandbox() {
		return nil
	}
	at := client.ObjectKey{Namespace: w.identity.Sandbox(), Name: w.rights().Name}
	if err := c.Get(ctx, at, &rbacv1.RoleBinding{}); !apierrors.IsNotFound(err) {
		return err
	}
	return apierrors.NewForbidden(corev1.Resource("objects"), object.GetName(), errors.New("no rights"))
}

// rights of the operator in the sandbox.
func (w *world) rights() *rbacv1.RoleBinding {
	return workload.OperatorBinding(workload.Surroundings{Identity: w.identity, Namespace: w.identity.Sandbox(), Purpose: v1alpha1.PurposeSandbox})
}

// loses its rights in the sandbox; they are missed the first time that it writes there.
func (w *world) loses() {
	w.t.Helper()
	w.strict = true
	w.must(w.client.Delete(w.t.Context(), w.rights()))
}

// isRefused is a pass that is refused.
func (w *world) isRefused() {
	w.t.Helper()
	if _, err := w.reconcile(); !apierrors.IsForbidden(err) {
		w.t.Fatalf("refused: %v", err)
	}
}

func TestLostRightsKeepNothingRunning(t *testing.T) {
	t.Run("suspended", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.loses()
		w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
		w.isRefused()
		w.settle()
		if *w.deployment().Spec.Replicas != 0 {
			t.Error("it runs on")
		}
	})
	t.Run("in the open", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.advance(time.Hour)
		w.settle()
		w.ends(false)
		w.loses()
		w.isRefused()
		w.settle()
		if *w.deployment().Spec.Replicas != 0 {
			t.Error("it runs on")
		}
	})
}

func TestLostRightsHoldNoTeardown(t *testing.T) {
	w := runs(t, aPrototype())
	w.loses()
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetRetired })
	w.isRefused()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRetiring)
	if message := w.condition(v1alpha1.ConditionReady).Message; !strings.Contains(message, "no rights in namespace "+w.identity.Sandbox()) || !strings.Contains(message, "platform team") {
		t.Errorf("message %q", message)
	}
	w.settle()
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("the sandbox is left")
	}
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRetired)
}
