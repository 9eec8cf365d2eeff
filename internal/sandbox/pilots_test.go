package sandbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

func aGateway() *v1alpha1.PilotGateway {
	return &v1alpha1.PilotGateway{
		Name: "people", Namespace: "gateways", SectionName: "signed-in", Domain: "pilots.example.org",
		From: v1alpha1.PodSource{Namespace: "gateways", PodLabels: map[string]string{"app": "gateway"}},
	}
}

func withPilots(groups ...string) func(*v1alpha1.AIPrototype) {
	return func(p *v1alpha1.AIPrototype) {
		p.Spec.Sandbox = &v1alpha1.SandboxWish{Pilots: &v1alpha1.Pilots{Groups: groups}}
	}
}

// invites is a world in which a prototype with pilots runs in its sandbox.
func invites(t *testing.T) *world {
	t.Helper()
	governing := aPolicy()
	governing.Spec.Sandbox.Access.Gateway = aGateway()
	w := newWorld(t, aPrototype().with(withPilots("members-board", "volunteers")).obj(), governing,
		anEntrance(speaking(gatewayv1.HTTPProtocolType, "open", 80), speaking(gatewayv1.HTTPSProtocolType, "signed-in", 443)))
	w.gatewayAPI = true
	w.settle()
	if w.route() != nil {
		t.Fatal("the way is open before isolation was measured")
	}
	w.measures(true)
	w.serves()
	w.settle()
	return w
}

func (w *world) route() *gatewayv1.HTTPRoute {
	w.t.Helper()
	var route gatewayv1.HTTPRoute
	if !w.exists(&route, w.identity.Sandbox(), workload.PilotsName) {
		return nil
	}
	return &route
}

// answers as the gateway's controller would.
func (w *world) answers(conditions ...metav1.Condition) {
	w.t.Helper()
	route := w.route()
	for i := range conditions {
		conditions[i].ObservedGeneration, conditions[i].LastTransitionTime = route.Generation, metav1.NewTime(w.clock.Now())
	}
	route.Status.Parents = []gatewayv1.RouteParentStatus{{
		ParentRef: route.Spec.ParentRefs[0], ControllerName: "gateway.example.org/controller", Conditions: conditions,
	}}
	w.must(w.client.Status().Update(w.t.Context(), route))
	w.settle()
}

func accepted() metav1.Condition {
	return metav1.Condition{Type: string(gatewayv1.RouteConditionAccepted), Status: metav1.ConditionTrue, Reason: string(gatewayv1.RouteReasonAccepted)}
}

func resolved() metav1.Condition {
	return metav1.Condition{Type: string(gatewayv1.RouteConditionResolvedRefs), Status: metav1.ConditionTrue, Reason: string(gatewayv1.RouteReasonResolvedRefs)}
}

func (w *world) pilotURL() string {
	if status := w.prototype().Status.Sandbox; status != nil {
		return status.PilotURL
	}
	return ""
}

// pilotPolicy is the network policy that lets the gateway's pods in, nil where there is none.
func (w *world) pilotPolicy() *networkingv1.NetworkPolicy {
	w.t.Helper()
	var p networkingv1.NetworkPolicy
	if !w.exists(&p, w.identity.Sandbox(), workload.PilotsName) {
		return nil
	}
	return &p
}

func (w *world) gap(reason string) *v1alpha1.Gap {
	gaps := w.prototype().Status.Gaps
	if at := slices.IndexFunc(gaps, func(gap v1alpha1.Gap) bool { return gap.Reason == reason }); at >= 0 {
		return &gaps[at]
	}
	return nil
}

func TestPilotsComeThroughTheGateway(t *testing.T) {
	w := invites(t)
	route := w.route()
	if route == nil {
		t.Fatalf("there is no route; plans:\n%s", strings.Join(w.transcript(), "\n"))
	}
	host := "churn-advisor-" + w.identity.Hash() + ".pilots.example.org"
	parent := route.Spec.ParentRefs[0]
	if parent.Name != "people" || *parent.Namespace != "gateways" || *parent.SectionName != "signed-in" || len(route.Spec.ParentRefs) != 1 ||
		!slices.Equal(route.Spec.Hostnames, []gatewayv1.Hostname{gatewayv1.Hostname(host)}) ||
		route.Annotations[v1alpha1.AnnotationPilots] != "members-board\nvolunteers" {
		t.Errorf("route %+v %+v", route.Annotations, route.Spec)
	}
	if backend := route.Spec.Rules[0].BackendRefs[0]; backend.Name != workload.Name || *backend.Port != workload.ServicePort || backend.Namespace != nil {
		t.Errorf("leads to %+v", backend)
	}
	rule := w.pilotPolicy().Spec.Ingress[0]
	if len(rule.From) != 1 || rule.From[0].PodSelector.MatchLabels["app"] != "gateway" || rule.Ports[0].Port.IntVal != 8080 ||
		rule.From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "gateways" {
		t.Errorf("lets in %+v", rule)
	}
	w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSandbox)
	if w.pilotURL() != "" {
		t.Error("an address is named before the gateway took the route")
	}
	w.answers(accepted(), resolved())
	w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionTrue, v1alpha1.ReasonPilotsAdmitted)
	if got := w.pilotURL(); got != "https://"+host+"/" {
		t.Errorf("pilots find it at %q", got)
	}
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	before := len(w.writes)
	w.settle()
	if len(w.writes) != before {
		t.Errorf("a pass over an unchanged world writes %v", w.writes[before:])
	}
	if w.asked != 1 || w.beginning != 1 {
		t.Errorf("the API server was asked %d times, routes were watched %d times", w.asked, w.beginning)
	}
	w.edit(withPilots("volunteers"))
	w.settle()
	if got := w.route().Annotations[v1alpha1.AnnotationPilots]; got != "volunteers" {
		t.Errorf("the sign-in asks for %q", got)
	}
}

// Whatever ends the invitation takes the way away; what it does not end stays.
func TestTheWayOfPilotsIsTakenAway(t *testing.T) {
	for name, test := range map[string]struct {
		end    func(w *world)
		reason string
		closed bool
	}{
		"the team takes the pilots out": {func(w *world) {
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Sandbox = nil })
		}, "", true},
		"suspended": {func(w *world) {
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
		}, v1alpha1.ReasonWaitingForSandbox, false},
		"the policy withdraws the gateway": {func(w *world) {
			w.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Access.Gateway = nil })
		}, v1alpha1.ReasonNoPilotGateway, true},
		"an emergency stop cuts the network": {func(w *world) {
			w.must(w.client.Create(w.t.Context(), &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: "now"},
				Spec: v1alpha1.EmergencyStopSpec{Scope: v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, Action: v1alpha1.StopSever, Reason: "a leak"}}))
		}, v1alpha1.ReasonWaitingForSandbox, true},
		"the policy withdraws everything": {func(w *world) {
			w.must(w.client.Update(w.t.Context(), namespace("membership", map[string]string{v1alpha1.LabelTeam: "membership"})))
		}, v1alpha1.ReasonWaitingForSandbox, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := invites(t)
			w.answers(accepted(), resolved())
			test.end(w)
			w.settle()
			if w.route() != nil {
				t.Errorf("the route is still there; plans:\n%s", strings.Join(w.transcript(), "\n"))
			}
			if test.closed && w.pilotPolicy() != nil {
				t.Error("the network is still open to the gateway")
			}
			if w.pilotURL() != "" {
				t.Errorf("still found at %q", w.pilotURL())
			}
			found := apimeta.FindStatusCondition(w.prototype().Status.Conditions, v1alpha1.ConditionOpenToPilots)
			switch {
			case test.reason == "" && found != nil:
				t.Errorf("still speaks of pilots: %+v", found)
			case test.reason != "" && (found == nil || found.Reason != test.reason || found.Status != metav1.ConditionFalse):
				t.Errorf("says %+v, want %s", found, test.reason)
			}
		})
	}
	t.Run("expired", func(t *testing.T) {
		w := invites(t)
		w.answers(accepted(), resolved())
		w.advance(400 * time.Hour)
		w.settle()
		w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonExpired)
		if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) || w.pilotURL() != "" {
			t.Error("its sandbox is still there")
		}
	})
}

func TestPilotsWithoutAGateway(t *testing.T) {
	w := newWorld(t, aPrototype().with(withPilots("volunteers")).obj(), aPolicy())
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonNoPilotGateway)
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	gap := w.gap(v1alpha1.ReasonNoPilotGateway)
	if gap == nil || gap.Owner != v1alpha1.OwnerIT || gap.Field != "spec.sandbox.pilots" || gap.Hint == "" {
		t.Errorf("gap %+v", gap)
	}
	told := 0
	for len(w.events.Events) > 0 {
		if strings.HasPrefix(<-w.events.Events, "Warning NoPilotGateway") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// The operator does without the Gateway API, and notices when it comes and when it goes.
func TestTheGatewayAPIComesAndGoes(t *testing.T) {
	governing := aPolicy()
	governing.Spec.Sandbox.Access.Gateway = aGateway()
	w := newWorld(t, aPrototype().with(withPilots("volunteers")).obj(), governing, anEntrance(speaking(gatewayv1.HTTPSProtocolType, "signed-in", 443)))
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonGatewayAPIMissing)
	if w.beginning != 0 || w.pilotPolicy() != nil || w.gap(v1alpha1.ReasonGatewayAPIMissing) == nil {
		t.Errorf("watched %d times, network %v", w.beginning, w.pilotPolicy())
	}
	result, err := w.reconcile()
	if err != nil || result.RequeueAfter <= 0 || result.RequeueAfter > referencesRetry {
		t.Errorf("looks again in %v, %v", result.RequeueAfter, err)
	}
	w.gatewayAPI = true
	w.advance(referencesRetry)
	w.settle()
	w.measures(true)
	if w.route() == nil || w.beginning != 1 {
		t.Errorf("no route, watched %d times", w.beginning)
	}
	w.Routes.doubt()
	w.gatewayAPI = false
	w.settle()
	w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonGatewayAPIMissing)
}

// Without its Gateway, the operator asks once in a while whether the Gateway API went as well.
func TestTheGatewayAPIGoesWithTheGateway(t *testing.T) {
	w := invites(t)
	w.answers(accepted(), resolved())
	w.gatewayAPI = false
	w.must(w.client.Delete(t.Context(), anEntrance()))
	w.settle()
	w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonNoPilotListener)
	result, err := w.reconcile()
	if err != nil || result.RequeueAfter <= 0 || result.RequeueAfter > referencesRetry || w.asked != 1 {
		t.Errorf("looks again in %v, %v; asked %d times", result.RequeueAfter, err, w.asked)
	}
	w.advance(referencesRetry)
	w.settle()
	w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonGatewayAPIMissing)
}

// Without pilots, a cluster without the Gateway API is asked for it once.
func TestNobodyAsksWithoutPilots(t *testing.T) {
	w := runs(t, aPrototype())
	w.advance(time.Hour)
	w.settle()
	if w.asked != 1 {
		t.Errorf("asked %d times", w.asked)
	}
}

func TestWhatTheGatewaySays(t *testing.T) {
	says := func(kind gatewayv1.RouteConditionType, reason gatewayv1.RouteConditionReason, message string) metav1.Condition {
		return metav1.Condition{Type: string(kind), Status: metav1.ConditionFalse, Reason: string(reason), Message: message}
	}
	for name, test := range map[string]struct {
		said []metav1.Condition
		want string
	}{
		"no such namespace": {[]metav1.Condition{says(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonNotAllowedByListeners, "")}, "affineur.dev/purpose=sandbox"},
		"no such host":      {[]metav1.Condition{says(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonNoMatchingListenerHostname, "")}, "below pilots.example.org"},
		"no such listener":  {[]metav1.Condition{says(gatewayv1.RouteConditionAccepted, gatewayv1.RouteReasonNoMatchingParent, "")}, `no listener "signed-in"`},
		"no such Service":   {[]metav1.Condition{accepted(), says(gatewayv1.RouteConditionResolvedRefs, gatewayv1.RouteReasonBackendNotFound, "")}, "can't reach the prototype's Service"},
		"anything else":     {[]metav1.Condition{says(gatewayv1.RouteConditionAccepted, "Moody", "not\ntoday")}, "it says Moody: not today"},
	} {
		t.Run(name, func(t *testing.T) {
			w := invites(t)
			w.answers(test.said...)
			w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonRouteRefused)
			if gap := w.gap(v1alpha1.ReasonRouteRefused); gap == nil || !strings.Contains(gap.Message, test.want) || gap.Owner != v1alpha1.OwnerIT {
				t.Errorf("gap %+v", gap)
			}
			if w.pilotURL() != "" {
				t.Error("an address is named that does not work")
			}
		})
	}
	t.Run("nothing at all", func(t *testing.T) {
		w := invites(t)
		if w.gap(v1alpha1.ReasonGatewaySilent) != nil {
			t.Error("the gateway had no time to answer")
		}
		w.advance(gatewayGrace)
		w.settle()
		w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonGatewaySilent)
		w.answers(accepted())
		w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionTrue, v1alpha1.ReasonPilotsAdmitted)
	})
	t.Run("of an earlier route", func(t *testing.T) {
		w := invites(t)
		w.answers(accepted())
		route := w.route()
		route.Generation++
		w.must(w.client.Update(t.Context(), route))
		w.settle()
		w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSandbox)
	})
}

// What is changed or deleted comes back; what somebody else made under the name is neither used nor removed.
func TestTheRouteIsLookedAfter(t *testing.T) {
	w := invites(t)
	route := w.route()
	route.Spec.Hostnames = []gatewayv1.Hostname{"elsewhere.example.org"}
	w.must(w.client.Update(t.Context(), route))
	w.settle()
	if got := w.route().Spec.Hostnames[0]; got == "elsewhere.example.org" {
		t.Error("the host stays changed")
	}
	w.must(w.client.Delete(t.Context(), w.route()))
	w.settle()
	if w.route() == nil {
		t.Fatal("the route stays away")
	}
	w.must(w.client.Delete(t.Context(), w.route()))
	foreign := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: workload.PilotsName}}
	w.must(w.client.Create(t.Context(), foreign))
	_, err := w.reconcile()
	w.must(err)
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonObjectConflict)
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Sandbox = nil })
	_, err = w.reconcile()
	w.must(err)
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign))
}
