package policy

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
)

// statusOf is what a policy's status should say, given what Check found and what was measured of the guards. guards
// is nil before the first measurement.
func statusOf(p *v1alpha1.HardeningPolicy, problem *Problem, guards *guard.State) v1alpha1.HardeningPolicyStatus {
	next := v1alpha1.HardeningPolicyStatus{ObservedGeneration: p.Generation, Conditions: slices.Clone(p.Status.Conditions)}
	set := func(kind string, status metav1.ConditionStatus, reason, message string) {
		apimeta.SetStatusCondition(&next.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: p.Generation,
		})
	}
	apimeta.RemoveStatusCondition(&next.Conditions, v1alpha1.ConditionReconciling)
	if problem == nil {
		apimeta.RemoveStatusCondition(&next.Conditions, v1alpha1.ConditionStalled)
		set(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonPolicyUsable, "The policy governs the namespaces that it selects.")
	} else {
		set(v1alpha1.ConditionStalled, metav1.ConditionTrue, problem.Reason, problem.Message)
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, problem.Reason, problem.Message+" Whoever owns the policy mends it.")
	}
	switch {
	case guards == nil:
		set(v1alpha1.ConditionGuardsInPlace, metav1.ConditionUnknown, v1alpha1.ReasonGuardsUnknown, "The guards have not been measured yet.")
	case guards.InPlace:
		set(v1alpha1.ConditionGuardsInPlace, metav1.ConditionTrue, guards.Reason, guards.Message)
	case guards.Reason == v1alpha1.ReasonGuardsUnknown:
		set(v1alpha1.ConditionGuardsInPlace, metav1.ConditionUnknown, guards.Reason, guards.Message)
	default:
		set(v1alpha1.ConditionGuardsInPlace, metav1.ConditionFalse, guards.Reason, guards.Message)
	}
	return next
}

// transitions are the conditions whose status or reason is another than before: what is worth an event.
func transitions(before, after []metav1.Condition) []metav1.Condition {
	var out []metav1.Condition
	for _, now := range after {
		was := apimeta.FindStatusCondition(before, now.Type)
		if was == nil || was.Status != now.Status || was.Reason != now.Reason {
			out = append(out, now)
		}
	}
	return out
}

func sameStatus(a, b v1alpha1.HardeningPolicyStatus) bool { return equality.Semantic.DeepEqual(a, b) }
