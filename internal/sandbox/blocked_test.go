package sandbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// connected is a world in which a prototype that uses an integration runs in its sandbox.
func connected(t *testing.T) *world {
	t.Helper()
	governing := aPolicy()
	governing.Spec.Catalogue.Integrations = []v1alpha1.Integration{{
		Name: "lms", MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataInternal}},
		Sandbox: &v1alpha1.Endpoint{Address: "http://lms.lms-test:8080", To: v1alpha1.Destination{Pods: &v1alpha1.PodDestination{
			Namespace: "lms-test", PodLabels: map[string]string{"app": "lms"}, Port: 8080,
		}}},
	}}
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Integrations = []v1alpha1.IntegrationUse{{Name: "lms", Access: v1alpha1.AccessRead}}
	}).obj(), governing)
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	return w
}

// opened are the network policies in the sandbox that open something, and the number of those that open nothing.
func (w *world) opened() (opening []string, closed int) {
	w.t.Helper()
	var list networkingv1.NetworkPolicyList
	w.must(w.client.List(w.t.Context(), &list, client.InNamespace(w.identity.Sandbox())))
	for i := range list.Items {
		if workload.Opens(&list.Items[i]) {
			opening = append(opening, list.Items[i].Name)
		} else {
			closed++
		}
	}
	return opening, closed
}

func (w *world) govern(change func(*v1alpha1.HardeningPolicy)) {
	w.t.Helper()
	var policy v1alpha1.HardeningPolicy
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Name: "organisation"}, &policy))
	change(&policy)
	w.must(w.client.Update(w.t.Context(), &policy))
}

// A prototype in its sandbox reaches only what the policy names: where it no longer does, nothing runs and nothing is
// open, until that is mended.
func TestReachThatThePolicyTakesBack(t *testing.T) {
	label := func(w *world, labels map[string]string) {
		w.must(w.client.Update(w.t.Context(), namespace("membership", labels)))
	}
	for name, test := range map[string]struct {
		take, give    func(w *world)
		reason, party string
	}{
		"an entry of the catalogue": {
			func(w *world) {
				w.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Catalogue.Integrations[0].Name = "crm" })
			},
			func(w *world) {
				w.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Catalogue.Integrations[0].Name = "lms" })
			},
			v1alpha1.ReasonUnknownName, "IT",
		},
		"what data may go there": {
			func(w *world) {
				w.govern(func(p *v1alpha1.HardeningPolicy) {
					p.Spec.Catalogue.Integrations[0].MayCarry.Classes[0] = v1alpha1.DataPublic
				})
			},
			func(w *world) {
				w.govern(func(p *v1alpha1.HardeningPolicy) {
					p.Spec.Catalogue.Integrations[0].MayCarry.Classes[0] = v1alpha1.DataInternal
				})
			},
			v1alpha1.ReasonDataNotAllowed, "IT",
		},
		"a name that the team invents": {
			func(w *world) {
				w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Integrations[0].Name = "anything" })
			},
			func(w *world) { w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Integrations[0].Name = "lms" }) },
			v1alpha1.ReasonUnknownName, "Business",
		},
		"the policy": {
			func(w *world) { label(w, map[string]string{v1alpha1.LabelTeam: "membership"}) },
			func(w *world) {
				label(w, map[string]string{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: "membership"})
			},
			v1alpha1.ReasonNoPolicy, "IT",
		},
		"the team": {
			func(w *world) { label(w, map[string]string{"affineur.dev/ai-sandbox": "true"}) },
			func(w *world) {
				label(w, map[string]string{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: "membership"})
			},
			v1alpha1.ReasonNoTeam, "IT",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := connected(t)
			test.take(w)
			for range 2 {
				w.settle()
				w.advance(time.Minute)
			}
			if *w.deployment().Spec.Replicas != 0 {
				t.Error("it runs")
			}
			if opening, closed := w.opened(); len(opening) > 0 || closed != 1 {
				t.Errorf("open: %v, closed: %d", opening, closed)
			}
			w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, test.reason)
			w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonPreparingSandbox)
			status := w.prototype().Status
			if got := status.Summary.WaitingOn; got != test.party {
				t.Errorf("waits on %s", got)
			}
			if ready := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); !strings.Contains(ready.Message, "stopped") {
				t.Errorf("says %q", ready.Message)
			}
			test.give(w)
			w.settle()
			if *w.deployment().Spec.Replicas != 0 {
				t.Error("it runs again, and isolation was not measured")
			}
			w.measures(true)
			w.serves()
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
		})
	}
}

// Under a problem that widens nothing, what ran goes on, and so does everything that keeps it in.
func TestSandboxIsLookedAfterUnderAProblem(t *testing.T) {
	blocked := func(t *testing.T) *world {
		w := connected(t)
		w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.CPU = "64" })
		w.settle()
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonLimitExceeded)
		return w
	}
	t.Run("drift is put back", func(t *testing.T) {
		w := blocked(t)
		before, _ := w.opened()
		w.must(w.client.Delete(t.Context(), &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "deny-all"}}))
		w.must(w.client.Create(t.Context(), &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "allow-all", Labels: w.identity.Labels("sandbox")},
			Spec:       networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{}}},
		}))
		w.settle()
		if after, closed := w.opened(); !slices.Equal(after, before) || closed != 1 {
			t.Errorf("open: %v, closed: %d", after, closed)
		}
	})
	t.Run("isolation is measured", func(t *testing.T) {
		w := blocked(t)
		w.advance(2 * time.Hour)
		w.settle()
		w.measures(true)
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonLimitExceeded)
		if *w.deployment().Spec.Replicas != 1 {
			t.Error("it was stopped")
		}
		w.advance(2 * time.Hour)
		w.settle()
		w.measures(false)
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
		if *w.deployment().Spec.Replicas != 0 {
			t.Error("it runs in the open")
		}
	})
}
