package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/workload"
)

// gatewayGrace is how long a gateway's controller may take to say something about a route.
const gatewayGrace = time.Minute

// pilots that the team names, nil without any.
func (s Snapshot) pilots() *v1alpha1.Pilots {
	if s.Prototype.Spec.Sandbox == nil {
		return nil
	}
	return s.Prototype.Spec.Sandbox.Pilots
}

// gateway through which pilots may come, nil where the policy names none.
func (s Snapshot) gateway() *v1alpha1.PilotGateway {
	if s.Policy == nil {
		return nil
	}
	return s.Policy.Spec.Sandbox.Access.Gateway
}

// inviting tells whether pilots are named, the policy says through which gateway they come, and the gateway has a
// listener that may let them in.
func (s Snapshot) inviting() bool {
	return s.pilots() != nil && s.gateway() != nil && s.RoutesServed && s.entrance().listener != nil
}

// serves tells whether in this state the workload may be running, so that a way that is open may stay so.
func (p Plan) serves() bool {
	switch p.State {
	case Running, Starting, Measuring, Unmeasured, Holding:
		return true
	case Blocked:
		return !p.Shut && !p.Withdrawn
	}
	return false
}

// admit opens the way for pilots where the workload is run, isolated; and closes it where nobody may come any more.
func (s Snapshot) admit(plan *Plan, now time.Time) {
	switch {
	case s.inviting() && slices.Contains(plan.Actions, RunWorkload):
		plan.do(OpenToPilots)
	case s.Route != nil && !(s.inviting() && plan.serves()):
		plan.do(CloseToPilots)
	}
	switch {
	case s.pilots() == nil || s.gateway() == nil:
	case !s.RoutesServed || s.Gateway == nil:
		plan.wakeBy(now.Add(referencesRetry))
	case s.Route != nil && now.Before(s.answerDue()):
		plan.wakeBy(s.answerDue())
	}
}

// answerDue is when the gateway should have said something about the route.
func (s Snapshot) answerDue() time.Time { return s.Route.CreationTimestamp.Add(gatewayGrace) }

// pilotCondition says whether pilots can come, and if not, what is in their way and who can remove it.
func (s Snapshot) pilotCondition(p Plan, now time.Time, set setter) {
	problem := s.pilotProblem(p, now)
	switch {
	case p.absent():
		set(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, p.absence(), "There is no sandbox.")
	case problem != nil:
		set(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, problem.Reason, clean(problem.Message+" "+problem.Hint))
	case s.admitted(p):
		at := s.gateway()
		set(v1alpha1.ConditionOpenToPilots, metav1.ConditionTrue, v1alpha1.ReasonPilotsAdmitted, clean(fmt.Sprintf(
			"Pilots try it at %s. That they are of %s is checked by the sign-in in front of gateway %s/%s, not by Affineur.",
			workload.PilotsURL(s.surroundings(), *at, *s.entrance().listener), strings.Join(s.pilots().Groups, ", "), at.Namespace, at.Name)))
	default:
		set(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSandbox,
			"Pilots are let in when the workload runs, isolated, and the gateway took their route.")
	}
}

// admitted tells whether the gateway took the route as it is now.
func (s Snapshot) admitted(p Plan) bool {
	return s.inviting() && p.serves() && s.Route != nil && s.leads() &&
		s.refusal() == "" && s.accepted(gatewayv1.RouteConditionAccepted) != nil
}

// leads tells whether the route, as it is, leads from the policy's listener to the prototype's host.
func (s Snapshot) leads() bool {
	from := func(parent gatewayv1.ParentReference) bool {
		return ptr.Deref(parent.SectionName, "") == s.entrance().listener.Name
	}
	return slices.Contains(s.Route.Spec.Hostnames, s.host()) && slices.ContainsFunc(s.Route.Spec.ParentRefs, from)
}

func (s Snapshot) host() gatewayv1.Hostname {
	return gatewayv1.Hostname(s.Identity.Host(s.gateway().Domain))
}

// pilotURL is where pilots find it, empty while they can't.
func (s Snapshot) pilotURL(p Plan) string {
	if !s.admitted(p) {
		return ""
	}
	return workload.PilotsURL(s.surroundings(), *s.gateway(), *s.entrance().listener)
}

// pilotProblem is what keeps pilots out and does not pass by itself. It stands in nobody else's way.
func (s Snapshot) pilotProblem(p Plan, now time.Time) *policy.Problem {
	if s.pilots() == nil || p.absent() || s.Policy == nil || s.Unread {
		return nil
	}
	problem := func(reason, message, hint string) *policy.Problem {
		return &policy.Problem{Reason: reason, Field: "spec.sandbox.pilots", Owner: v1alpha1.OwnerIT, Message: message, Hint: hint}
	}
	at := s.gateway()
	if at == nil {
		return problem(v1alpha1.ReasonNoPilotGateway, "Pilots are named, and policy "+s.Policy.Name+" names no gateway through which they come.",
			"IT names one under sandbox.access.gateway, or the team takes spec.sandbox.pilots out.")
	}
	where := "gateway " + at.Namespace + "/" + at.Name
	if !s.RoutesServed {
		return problem(v1alpha1.ReasonGatewayAPIMissing, "The cluster does not serve HTTPRoutes (gateway.networking.k8s.io/v1), through which pilots come.",
			"The platform team installs the Gateway API and a gateway; it is noticed by itself.")
	}
	if found := s.entrance(); found.listener == nil {
		return problem(found.reason, "Pilots can't come through "+where+": "+found.why, "IT mends the gateway, or what the policy says about it.")
	}
	if s.Route == nil || !p.serves() {
		return nil
	}
	if why := s.refusal(); why != "" {
		return problem(v1alpha1.ReasonRouteRefused, "Pilots can't come through "+where+": "+why, "IT mends the gateway, or what the policy says about it.")
	}
	if s.accepted(gatewayv1.RouteConditionAccepted) == nil && !now.Before(s.answerDue()) {
		return problem(v1alpha1.ReasonGatewaySilent, "Nobody has answered for the pilots' route yet.",
			"IT looks whether "+where+" is there, and whether the controller of its class runs.")
	}
	return nil
}

// said is what the gateway says about the route as it is now; nil where it says nothing.
func (s Snapshot) said(kind gatewayv1.RouteConditionType) *metav1.Condition {
	at := s.gateway()
	for _, parent := range s.Route.Status.Parents {
		ref := parent.ParentRef
		if string(ref.Name) != at.Name || ref.Namespace == nil || string(*ref.Namespace) != at.Namespace {
			continue
		}
		said := apimeta.FindStatusCondition(parent.Conditions, string(kind))
		if said != nil && said.ObservedGeneration >= s.Route.Generation {
			return said
		}
	}
	return nil
}

// accepted is what the gateway says, if that is yes.
func (s Snapshot) accepted(kind gatewayv1.RouteConditionType) *metav1.Condition {
	if said := s.said(kind); said != nil && said.Status == metav1.ConditionTrue {
		return said
	}
	return nil
}

// refusal says in plain words why the gateway does not take the route, or can't reach the prototype; "" where it does
// not say that.
func (s Snapshot) refusal() string {
	for _, kind := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
		if said := s.said(kind); said != nil && said.Status == metav1.ConditionFalse {
			return s.refused(*said)
		}
	}
	return ""
}

func (s Snapshot) refused(said metav1.Condition) string {
	at := s.gateway()
	switch gatewayv1.RouteConditionReason(said.Reason) {
	case gatewayv1.RouteReasonNotAllowedByListeners:
		return fmt.Sprintf("its listeners let no routes of namespace %s in; allowedRoutes must select namespaces with label %s=%s.",
			s.Identity.Sandbox(), v1alpha1.LabelPurpose, v1alpha1.PurposeSandbox)
	case gatewayv1.RouteReasonNoMatchingListenerHostname:
		return fmt.Sprintf("none of its listeners is for host names below %s.", at.Domain)
	case gatewayv1.RouteReasonNoMatchingParent:
		return fmt.Sprintf("it has no listener %q.", at.SectionName)
	case gatewayv1.RouteReasonBackendNotFound, gatewayv1.RouteReasonRefNotPermitted, gatewayv1.RouteReasonInvalidKind:
		return "it can't reach the prototype's Service (" + said.Reason + ")."
	}
	return clean("it says " + said.Reason + ": " + said.Message)
}
