package review

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// Event is something that happened to a review and is worth telling once.
type Event struct {
	Kind, Reason, Message string
	// Prototype is true where the team should read it on the prototype as well.
	Prototype bool
}

// EventsOf are the transitions between two statuses.
func EventsOf(review *v1alpha1.HardeningReview, before, after v1alpha1.HardeningReviewStatus) []Event {
	var out []Event
	normal := func(reason, message string, prototype bool) {
		out = append(out, Event{corev1.EventTypeNormal, reason, evidence.Clean(message, maxMessage), prototype})
	}
	warning := func(reason, message string, prototype bool) {
		out = append(out, Event{corev1.EventTypeWarning, reason, evidence.Clean(message, maxMessage), prototype})
	}
	// The promotion controller may have told its condition first.
	if apimeta.FindStatusCondition(before.Conditions, v1alpha1.ConditionGatesPassed) == nil {
		normal(v1alpha1.ReasonReviewOpened, fmt.Sprintf("Review %s opened in tier %s.", review.Name, review.Spec.Tier), true)
	}
	for _, gate := range after.Gates {
		gateEvent(gate, before.Gates, normal, warning)
	}
	for _, decision := range after.Decisions {
		decisionEvent(decision, before.Decisions, normal, warning)
	}
	became := func(kind string, status metav1.ConditionStatus) *metav1.Condition {
		now, was := apimeta.FindStatusCondition(after.Conditions, kind), apimeta.FindStatusCondition(before.Conditions, kind)
		if now == nil || now.Status != status || was != nil && was.Status == status && was.Reason == now.Reason {
			return nil
		}
		return now
	}
	if c := became(v1alpha1.ConditionGatesPassed, metav1.ConditionTrue); c != nil {
		normal(c.Reason, c.Message, true)
	}
	if c := became(v1alpha1.ConditionApproved, metav1.ConditionTrue); c != nil {
		normal(c.Reason, c.Message, true)
	}
	if c := became(v1alpha1.ConditionOverdue, metav1.ConditionTrue); c != nil {
		warning(c.Reason, c.Message, true)
	}
	if c := became(v1alpha1.ConditionStalled, metav1.ConditionTrue); c != nil {
		warning(c.Reason, c.Message, true)
	}
	if after.Outcome != "" && before.Outcome == "" {
		// The prototype's own events tell what it means for it.
		if c := apimeta.FindStatusCondition(after.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionTrue {
			normal(c.Reason, c.Message, false)
		}
	}
	return out
}

func gateEvent(gate v1alpha1.GateStatus, before []v1alpha1.GateStatus, normal, warning func(reason, message string, prototype bool)) {
	at := slices.IndexFunc(before, func(g v1alpha1.GateStatus) bool { return g.Name == gate.Name })
	if at >= 0 && before[at].Verdict == gate.Verdict && before[at].Reason == gate.Reason {
		return
	}
	message := gate.Name + ": " + gate.Message
	switch gate.Verdict {
	case v1alpha1.GatePassed:
		normal(v1alpha1.EventGatePassed, message, false)
	case v1alpha1.GateFailed:
		warning(v1alpha1.EventGateFailed, message, true)
	case v1alpha1.GateInconclusive:
		warning(v1alpha1.EventGateInconclusive, message, false)
	}
}

func decisionEvent(decision v1alpha1.DecisionStatus, before []v1alpha1.DecisionStatus, normal, warning func(reason, message string, prototype bool)) {
	at := slices.IndexFunc(before, func(d v1alpha1.DecisionStatus) bool { return d.Name == decision.Name })
	if at >= 0 && before[at].Counts == decision.Counts && before[at].Why == decision.Why {
		return
	}
	message := fmt.Sprintf("%s: %s as %s by %s.", decision.Name, decision.Verdict, decision.Role, decision.By)
	if decision.Counts == v1alpha1.CountedYes {
		normal(v1alpha1.EventDecisionCounts, message, false)
		return
	}
	warning(v1alpha1.EventDecisionIgnored, fmt.Sprintf("%s It does not count: %s. %s", message, decision.Why, decision.Message), false)
}
