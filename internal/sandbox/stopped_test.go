package sandbox

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/stop"
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

// podOfTemplate plays the deployment controller: one pod of the template as it is.
func (w *world) podOfTemplate(name string) *corev1.Pod {
	w.t.Helper()
	template := w.deployment().Spec.Template
	pod := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: *template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = w.identity.Sandbox(), name
	w.must(w.client.Create(w.t.Context(), pod))
	return pod
}

// reach that the sandbox's namespace tells of.
func (w *world) reach() stop.Facts {
	w.t.Helper()
	var sandbox corev1.Namespace
	w.must(w.client.Get(w.t.Context(), clientKey(w.identity.Sandbox()), &sandbox))
	_, facts := stop.Read(&sandbox)
	return facts
}

// No edit takes pods out of a stop's scope: as long as one of the form before runs, the stop is about it.
func TestStopMeansWhatRunsFromBeforeAnEdit(t *testing.T) {
	lms := v1alpha1.StopScope{Integration: "lms"}
	leaves := func(p *v1alpha1.AIPrototype) { p.Spec.Integrations = nil }
	means := func(w *world) bool {
		return len(w.stopped(w.t.Context(), &v1alpha1.EmergencyStop{Spec: v1alpha1.EmergencyStopSpec{Scope: lms}})) == 1
	}
	for name, test := range map[string]struct {
		edit func(*v1alpha1.AIPrototype)
		// old has a pod from before the edit outlive the Deployment of before.
		old bool
	}{
		"measured under its new rules": {leaves, false},
		"kept running under a problem": {func(p *v1alpha1.AIPrototype) { leaves(p); p.Spec.Workload.Container.Resources.CPU = "64" }, false},
		"its pod is still ending":      {leaves, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := connected(t)
			pod := w.endsLate("before")
			w.edit(test.edit)
			w.settle()
			if test.old {
				w.measures(true)
				w.settle()
			}
			if !means(w) || !slices.Contains(w.reach().Integrations, "lms") {
				t.Errorf("the namespace tells of %v", w.reach())
			}
			w.stops("leak", v1alpha1.StopSever, lms)
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonEmergencyStop)
			if w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] == "" {
				t.Error("its pods are not made anew")
			}
			w.gone(pod)
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.CPU = "250m" })
			w.settle()
			w.measured()
			w.settle()
			w.serves()
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
			if means(w) || slices.Contains(w.reach().Integrations, "lms") {
				t.Error("nothing of it is left, and the stop is still about it")
			}
		})
	}
}

// What a stop cuts off is cut off in every state of a sandbox, rules first, then pods; and a stop of those who use it
// stops them.
func TestSeveredInEveryState(t *testing.T) {
	lms := v1alpha1.StopScope{Integration: "lms"}
	for name, test := range map[string]struct {
		into  func(*world)
		state State
		// ends is true where the workload does not run in that state.
		ends bool
		// fails is true where a pass can't be brought to its end.
		fails bool
	}{
		"the policy is not read": {func(w *world) { w.govern(func(p *v1alpha1.HardeningPolicy) { p.Generation++ }) }, Holding, false, false},
		"suspended":              {func(w *world) { w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true }) }, Suspended, true, false},
		"suspended, the policy is not read": {func(w *world) {
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
			w.govern(func(p *v1alpha1.HardeningPolicy) { p.Generation++ })
		}, Suspended, true, false},
		"queued": {(*world).crowdedOut, Queued, true, false},
		"cramped": {func(w *world) {
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.CPU = "64" })
		}, Blocked, false, false},
		"mishandled": {func(w *world) {
			w.govern(func(p *v1alpha1.HardeningPolicy) {
				p.Spec.Sandbox.RuntimeClasses = confidential("gvisor").Spec.Sandbox.RuntimeClasses
			})
		}, Blocked, true, false},
		"not everything can be read":      {func(w *world) { w.advance(time.Hour + time.Minute); w.ends(true); w.timeless = errors.New("silent") }, Holding, false, true},
		"somebody's object is in the way": {(*world).squatted, Measuring, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := connected(t)
			test.into(w)
			w.stops("leak", v1alpha1.StopSever, lms)
			for range 4 {
				_, err := w.reconcile()
				if err != nil && !test.fails {
					t.Fatal(err)
				}
				w.advance(lag)
			}
			if got := w.plans[len(w.plans)-1]; !strings.HasPrefix(got, string(test.state)+":") && got != string(test.state) {
				t.Fatalf("the plan is %s", got)
			}
			if w.reachesIntegration() {
				t.Error("the integration can be reached")
			}
			d := w.deployment()
			if ends := *d.Spec.Replicas == 0; ends != test.ends {
				t.Errorf("stopped: %v", ends)
			}
			if !test.ends && d.Spec.Template.Annotations[v1alpha1.AnnotationCutOff] == "" {
				t.Error("its pods are not made anew")
			}
			before := len(w.writes)
			if _, err := w.reconcile(); len(w.writes) != before && !test.fails {
				t.Errorf("goes on writing %v: %v", w.writes[before:], err)
			}
		})
	}
}

// crowdedOut takes the team's room away.
func (w *world) crowdedOut() {
	w.must(w.client.Create(w.t.Context(), aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Name, p.UID = "older", "5c9f3f1e-0000-4000-8000-000000000002"
		p.Status.ObservedGeneration = p.Generation
		p.Status.Sandbox = &v1alpha1.SandboxStatus{StartedAt: &metav1.Time{Time: birth}, Room: written(birth.Add(-time.Hour), amountOf("250m", "256Mi"))}
	}).obj()))
	w.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Limits.PrototypesPerTeam = 1 })
}

// squatted has the sandbox's preparation fail from now on.
func (w *world) squatted() {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: workload.Name}}
	w.must(w.client.Delete(w.t.Context(), account.DeepCopy()))
	w.must(w.client.Create(w.t.Context(), account))
}

// Pods are made anew only once the rules went: new ones would come by the same ways, and count as from after the cut.
func TestPodsWaitForTheRules(t *testing.T) {
	w := connected(t)
	w.stops("leak", v1alpha1.StopSever, v1alpha1.StopScope{Integration: "lms"})
	w.refuses = "NetworkPolicy"
	_, _ = w.reconcile()
	if w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != "" {
		t.Error("pods were made anew while the rule was there")
	}
	w.refuses = ""
	w.settle()
	if w.reachesIntegration() || w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] == "" {
		t.Error("it is not cut off")
	}
}

// What keeps a sandbox closed is put back also while nothing runs in it.
func TestDriftWhileSuspended(t *testing.T) {
	for name, rest := range map[string]func(*world){
		"suspended": func(w *world) { w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true }) },
		"queued":    (*world).crowdedOut,
		"mishandled": func(w *world) {
			w.govern(func(p *v1alpha1.HardeningPolicy) {
				p.Spec.Sandbox.RuntimeClasses = confidential("gvisor").Spec.Sandbox.RuntimeClasses
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := connected(t)
			rest(w)
			w.settle()
			if *w.deployment().Spec.Replicas != 0 {
				t.Fatal("it runs")
			}
			here := metav1.ObjectMeta{Namespace: w.identity.Sandbox()}
			gone := []client.Object{
				&networkingv1.NetworkPolicy{ObjectMeta: here}, &corev1.ResourceQuota{ObjectMeta: here}, &rbacv1.RoleBinding{ObjectMeta: here},
			}
			for i, name := range []string{"deny-all", "room", "affineur-team"} {
				gone[i].SetName(name)
				w.must(w.client.Delete(t.Context(), gone[i]))
			}
			w.must(w.client.Create(t.Context(), &networkingv1.NetworkPolicy{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "allow-all", Labels: w.identity.Labels("sandbox")},
				Spec:       networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{}}},
			}))
			w.settle()
			for _, object := range gone {
				if name == "mishandled" && object.GetName() == "room" {
					continue
				}
				if !w.exists(object, w.identity.Sandbox(), object.GetName()) {
					t.Errorf("%T is gone", object)
				}
			}
			if w.exists(&networkingv1.NetworkPolicy{}, w.identity.Sandbox(), "allow-all") {
				t.Error("an opening stays")
			}
		})
	}
}
