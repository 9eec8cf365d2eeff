package sandbox

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// What somebody changes or deletes in a sandbox is put back, and told once.
func TestDriftIsPutBackAndToldOnce(t *testing.T) {
	w := runs(t, aPrototype())
	w.settle()
	if told := w.told(v1alpha1.ReasonDriftRepaired); len(told) > 0 {
		t.Fatalf("its own changes are told as drift: %q", told)
	}
	sandbox := w.identity.Sandbox()
	for name, meddle := range map[string]func(){
		"Service prototype was changed": func() {
			var service corev1.Service
			w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: sandbox, Name: workload.Name}, &service))
			service.Spec.Selector = map[string]string{"somebody": "else"}
			w.must(w.client.Update(t.Context(), &service, client.FieldOwner("kubectl-edit")))
		},
		"ServiceAccount prototype was deleted": func() {
			var account corev1.ServiceAccount
			w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: sandbox, Name: workload.Name}, &account))
			w.must(w.client.Delete(t.Context(), &account))
		},
		"NetworkPolicy " + probePolicy + " was changed": func() {
			var policy networkingv1.NetworkPolicy
			w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: sandbox, Name: probePolicy}, &policy))
			policy.Spec.Egress = append(policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{})
			w.must(w.client.Update(t.Context(), &policy))
		},
	} {
		meddle()
		w.settle()
		w.settle()
		told := w.told(v1alpha1.ReasonDriftRepaired)
		if len(told) != 1 || !strings.Contains(told[0], name) || !strings.Contains(told[0], sandbox) {
			t.Errorf("told %q, want once: %s", told, name)
		}
	}
}

// Suspending, resuming and retiring are the operator's own changes.
func TestOwnWorkIsNoDrift(t *testing.T) {
	w := runs(t, aPrototype())
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
	w.settle()
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = false })
	w.settle()
	if told := w.told(v1alpha1.ReasonDriftRepaired); len(told) > 0 {
		t.Errorf("told as drift: %q", told)
	}
}

// A finalizer that was taken off, or lost in a restore, is put on again while there is something to hold.
func TestLostFinalizerComesBack(t *testing.T) {
	for name, suspended := range map[string]bool{"running": false, "suspended": true} {
		t.Run(name, func(t *testing.T) {
			w := runs(t, aPrototype())
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = suspended })
			w.settle()
			p := w.prototype()
			p.Finalizers = nil
			w.must(w.client.Update(t.Context(), p))
			w.settle()
			if !controllerutil.ContainsFinalizer(w.prototype(), v1alpha1.FinalizerSandbox) {
				t.Error("the finalizer is not there again")
			}
		})
	}
}

// Somebody else's finalizer holds the prototype for ever, and nothing of its sandbox.
func TestForeignFinalizerHoldsNoSandbox(t *testing.T) {
	for name, lost := range map[string]bool{"ours is there": false, "ours was lost": true} {
		t.Run(name, func(t *testing.T) {
			w := runs(t, aPrototype())
			p := w.prototype()
			p.Finalizers = append(p.Finalizers, "example.org/hold")
			if lost {
				p.Finalizers = []string{"example.org/hold"}
			}
			w.must(w.client.Update(t.Context(), p))
			w.must(w.client.Delete(t.Context(), w.prototype()))
			w.settle()
			if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
				t.Error("the sandbox is left")
			}
			if left := w.prototype().Finalizers; len(left) != 1 || left[0] != "example.org/hold" {
				t.Errorf("finalizers %v", left)
			}
			if result, err := w.reconcile(); err != nil || result.RequeueAfter != 0 {
				t.Errorf("a prototype that only others hold is looked at every %s: %v", result.RequeueAfter, err)
			}
		})
	}
}
