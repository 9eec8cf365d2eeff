package sandbox

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

func (w *world) stops(name string, action v1alpha1.StopAction, scope v1alpha1.StopScope) {
	w.t.Helper()
	w.must(w.client.Create(w.t.Context(), &v1alpha1.EmergencyStop{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(w.clock.Now())},
		Spec:       v1alpha1.EmergencyStopSpec{Scope: scope, Action: action, Reason: "It leaks.", By: "rita@example.org"},
	}))
}

func (w *world) lifts(name, by string) {
	w.t.Helper()
	var stop v1alpha1.EmergencyStop
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Name: name}, &stop))
	stop.Spec.Lifted = &v1alpha1.Lift{Reason: "It is mended.", By: by}
	w.must(w.client.Update(w.t.Context(), &stop))
}

// reachesIntegration tells whether a network policy of the sandbox opens the way to the integration.
func (w *world) reachesIntegration() bool {
	w.t.Helper()
	var list networkingv1.NetworkPolicyList
	w.must(w.client.List(w.t.Context(), &list, client.InNamespace(w.identity.Sandbox())))
	var p v1alpha1.HardeningPolicy
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Name: "organisation"}, &p))
	return slices.ContainsFunc(list.Items, func(n networkingv1.NetworkPolicy) bool {
		return workload.Lets(&n, p.Spec.Catalogue.Integrations[0].Sandbox.To)
	})
}

// What must not run stops also where not everything can be read, and the trouble is told.
func TestStoppedWhateverCanNotBeRead(t *testing.T) {
	trouble := errors.New("the node does not answer")
	for name, test := range map[string]struct {
		breaks func(*world)
		then   func(*world)
	}{
		"suspended, a run's log unread": {func(w *world) { w.runs.unread = trouble }, func(w *world) {
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
		}},
		"stopped, a run's log unread": {func(w *world) { w.runs.unread = trouble }, func(w *world) {
			w.stops("leak", v1alpha1.StopStop, v1alpha1.StopScope{Team: "membership"})
		}},
		"stopped, the second clock silent": {func(w *world) { w.ends(true); w.timeless = trouble }, func(w *world) {
			w.stops("leak", v1alpha1.StopStop, v1alpha1.StopScope{Team: "membership"})
		}},
		"shown to be open, the second clock silent": {func(w *world) { w.ends(true); w.timeless = trouble }, func(w *world) {
			p := w.prototype()
			p.Status.Sandbox.Isolation.Verdict = verdictNotEnforced
			w.must(w.client.Status().Update(w.t.Context(), p))
		}},
		"not known for long, the second clock silent": {func(w *world) { w.ends(true); w.timeless = trouble }, func(w *world) { w.advance(time.Hour) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := runs(t, aPrototype())
			w.advance(time.Hour + time.Minute)
			w.settle()
			test.breaks(w)
			if _, err := w.reconcile(); !errors.Is(err, trouble) {
				t.Errorf("it is not told: %v", err)
			}
			if replicas := *w.deployment().Spec.Replicas; replicas != 1 {
				t.Fatal("stopped for a trouble that says nothing about it")
			}
			test.then(w)
			for range 3 {
				_, _ = w.reconcile()
				w.advance(lag)
			}
			if replicas := *w.deployment().Spec.Replicas; replicas != 0 {
				t.Errorf("%d replicas", replicas)
			}
		})
	}
}

// What a stop does to a sandbox that runs, and what comes back by itself when another person lifts it.
func TestEmergencyStop(t *testing.T) {
	lms := v1alpha1.StopScope{Integration: "lms"}
	team := v1alpha1.StopScope{Team: "membership"}
	for name, test := range map[string]struct {
		action  v1alpha1.StopAction
		scope   v1alpha1.StopScope
		ready   string
		opening []string
		marked  bool
		runs    int32
	}{
		"another's gateway":      {v1alpha1.StopStop, v1alpha1.StopScope{Gateway: "default"}, v1alpha1.ReasonRunningInSandbox, []string{"allow-callers", "allow-catalogue", "allow-probe"}, false, 1},
		"frozen":                 {v1alpha1.StopFreeze, team, v1alpha1.ReasonRunningInSandbox, []string{"allow-callers", "allow-catalogue", "allow-probe"}, false, 1},
		"an integration severed": {v1alpha1.StopSever, lms, v1alpha1.ReasonEmergencyStop, []string{"allow-callers", "allow-catalogue", "allow-probe"}, true, 1},
		"a team severed":         {v1alpha1.StopSever, team, v1alpha1.ReasonEmergencyStop, nil, true, 1},
		"an image severed":       {v1alpha1.StopSever, v1alpha1.StopScope{Digest: digest}, v1alpha1.ReasonEmergencyStop, nil, true, 1},
		"its users stopped":      {v1alpha1.StopStop, lms, v1alpha1.ReasonEmergencyStop, nil, false, 0},
		"all stopped":            {v1alpha1.StopStop, v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, v1alpha1.ReasonEmergencyStop, nil, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := connected(t)
			w.stops("leak", test.action, test.scope)
			w.settle()
			opening, closed := w.opened()
			if !slices.Equal(opening, test.opening) || closed != 1 {
				t.Errorf("open are %v, and %d close", opening, closed)
			}
			d := w.deployment()
			if marked := d.Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != ""; marked != test.marked || *d.Spec.Replicas != test.runs {
				t.Errorf("pods made anew: %v; %d replicas", marked, *d.Spec.Replicas)
			}
			ready := w.condition(v1alpha1.ConditionReady)
			if ready.Reason != test.ready {
				t.Fatalf("Ready is %s: %s", ready.Reason, ready.Message)
			}
			if test.ready != v1alpha1.ReasonEmergencyStop {
				return
			}
			for _, want := range []string{"EmergencyStop leak", "It leaks.", "rita@example.org", "Another responder"} {
				if !strings.Contains(ready.Message, want) {
					t.Errorf("%q lacks %q", ready.Message, want)
				}
			}
			if turns := w.prototype().Status.WaitingOn; len(turns) != 1 || turns[0].Party != v1alpha1.PartyIT || turns[0].Message != ready.Message {
				t.Errorf("waits for %v", turns)
			}
			if w.reachesIntegration() {
				t.Error("the integration can be reached")
			}
			w.measured()
			w.lifts("leak", "rita@example.org")
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonEmergencyStop)
			w.lifts("leak", "rolf@example.org")
			w.settle()
			if w.deployment() != nil && test.runs == 0 && *w.deployment().Spec.Replicas != 0 {
				t.Error("it runs before isolation was measured anew")
			}
			w.measures(true)
			w.serves()
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
			w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
			if d := w.deployment(); d.Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != "" || *d.Spec.Replicas != 1 {
				t.Error("the workload did not come back as it was")
			}
		})
	}
}
