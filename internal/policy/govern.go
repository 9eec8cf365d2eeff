// Package policy finds the policy that governs a prototype and freezes what it requires. Everything but the
// controller is pure.
package policy

import (
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Problem is why a prototype can't go on, and who can change that.
type Problem struct {
	// Reason is one of the reasons in api/v1alpha1.
	Reason string
	// Field of the AIPrototype that it speaks of, if one.
	Field   string
	Message string
	Hint    string
	Owner   v1alpha1.Owner
}

// Governing is the one policy whose selector matches the labels of the prototype's namespace. None, or more than
// one, is a problem: policies never merge, and a choice between two would be a guess.
func Governing(policies []v1alpha1.HardeningPolicy, namespace labels.Set) (*v1alpha1.HardeningPolicy, *Problem) {
	var matching []*v1alpha1.HardeningPolicy
	var unreadable []string
	for i := range policies {
		selector, err := metav1.LabelSelectorAsSelector(&policies[i].Spec.AppliesTo.NamespaceSelector)
		switch {
		case err != nil:
			unreadable = append(unreadable, policies[i].Name)
		case !selector.Empty() && selector.Matches(namespace):
			matching = append(matching, &policies[i])
		}
	}
	switch {
	case len(unreadable) > 0:
		return nil, doubtful(unreadable)
	case len(matching) == 0:
		return nil, &Problem{
			Reason: v1alpha1.ReasonNoPolicy, Owner: v1alpha1.OwnerIT,
			Message: "No HardeningPolicy governs this namespace.",
			Hint:    "IT labels the namespace so that exactly one policy's appliesTo selects it.",
		}
	case len(matching) == 1:
		return matching[0], usable(matching[0])
	}
	return nil, tie(matching)
}

// doubtful: a selector that can't be read may be meant for the namespace, so whichever other policy matches may be the
// wrong one.
func doubtful(unreadable []string) *Problem {
	slices.Sort(unreadable)
	return &Problem{
		Reason: v1alpha1.ReasonPolicyNotReady, Owner: v1alpha1.OwnerIT,
		Message: fmt.Sprintf("The selectors of these policies can't be read, so they may govern this namespace: %s.", strings.Join(unreadable, ", ")),
		Hint:    "IT mends their appliesTo; the condition Ready of each says what is wrong with it.",
	}
}

func tie(matching []*v1alpha1.HardeningPolicy) *Problem {
	names := make([]string, 0, len(matching))
	for _, p := range matching {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return &Problem{
		Reason: v1alpha1.ReasonPolicyTie, Owner: v1alpha1.OwnerIT,
		Message: fmt.Sprintf("%d policies govern this namespace: %s.", len(names), strings.Join(names, ", ")),
		Hint:    "IT narrows appliesTo until exactly one policy selects the namespace.",
	}
}

// usable is nil only for a policy whose present generation was read and found good.
func usable(policy *v1alpha1.HardeningPolicy) *Problem {
	ready := apimeta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.ObservedGeneration != policy.Generation:
		return &Problem{
			Reason: v1alpha1.ReasonPolicyNotReady, Owner: v1alpha1.OwnerIT,
			Message: fmt.Sprintf("Policy %s has not been read yet.", policy.Name),
			Hint:    "Wait a moment; the operator reads it.",
		}
	case ready.Status != metav1.ConditionTrue:
		return &Problem{
			Reason: v1alpha1.ReasonPolicyNotReady, Owner: v1alpha1.OwnerIT,
			Message: fmt.Sprintf("Policy %s can't be used: %s", policy.Name, ready.Message),
			Hint:    "IT mends the policy.",
		}
	}
	return nil
}
