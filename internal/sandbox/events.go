package sandbox

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// transition is a condition that took another status or reason.
type transition struct {
	condition, kind, reason, note string
}

// announced are the conditions whose transitions are told, the summary first.
var announced = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionNetworkIsolated, v1alpha1.ConditionOpenToPilots, v1alpha1.ConditionReviewOpen,
	v1alpha1.ConditionInProduction, v1alpha1.ConditionExpiring, v1alpha1.ConditionModelDrift,
}

// transitions between two states, at most one for a reason: what Ready says in the words of another condition is said
// once, also where the other said it on an earlier pass. What is as it is at birth is no transition.
func transitions(before, after []metav1.Condition) []transition {
	stalled := apimeta.IsStatusConditionTrue(after, v1alpha1.ConditionStalled)
	var out []transition
	for _, kind := range announced {
		was, is := apimeta.FindStatusCondition(before, kind), apimeta.FindStatusCondition(after, kind)
		if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason {
			continue
		}
		if was == nil && kind != v1alpha1.ConditionReady && kind != v1alpha1.ConditionExpiring && is.Status != metav1.ConditionTrue && !obstructed(is) {
			continue
		}
		if slices.ContainsFunc(out, func(t transition) bool { return t.reason == is.Reason }) {
			continue
		}
		if was != nil && was.Status == is.Status && told(before, is) {
			continue
		}
		t := transition{condition: kind, kind: corev1.EventTypeNormal, reason: is.Reason, note: evidence.Clean(is.Message, 1000)}
		if kind == v1alpha1.ConditionReady && stalled || kind == v1alpha1.ConditionNetworkIsolated && is.Status == metav1.ConditionFalse ||
			kind == v1alpha1.ConditionExpiring || kind == v1alpha1.ConditionModelDrift && is.Status == metav1.ConditionTrue || obstructed(is) {
			t.kind = corev1.EventTypeWarning
		}
		out = append(out, t)
	}
	return out
}

// obstructed tells whether somebody has to act before pilots can come.
func obstructed(is *metav1.Condition) bool {
	switch is.Reason {
	case v1alpha1.ReasonNoPilotGateway, v1alpha1.ReasonGatewayAPIMissing, v1alpha1.ReasonNoPilotListener,
		v1alpha1.ReasonListenerNotEncrypted, v1alpha1.ReasonRouteRefused, v1alpha1.ReasonGatewaySilent:
		return is.Type == v1alpha1.ConditionOpenToPilots
	}
	return false
}

// told tells whether another announced condition said the same before.
func told(before []metav1.Condition, is *metav1.Condition) bool {
	return slices.ContainsFunc(before, func(c metav1.Condition) bool {
		return c.Type != is.Type && c.Status == is.Status && c.Reason == is.Reason && slices.Contains(announced, c.Type)
	})
}
