package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fixedParameters are those that stay as shipped. platformWriters and pilotGateways belong to the platform team.
var fixedParameters = []string{"cleaners", "operator", "systemWriters"}

// differences says where the live guards are not what is shipped, in words; none means as shipped. Only what the
// policies do counts: labels and annotations are free.
func differences(shipped, live guards) []string {
	var found []string
	found = append(found, compared("MutatingAdmissionPolicy", shipped.mutating, live.mutating, sameMutating)...)
	found = append(found, compared("MutatingAdmissionPolicyBinding", shipped.mutatingBindings, live.mutatingBindings, sameMutatingBinding)...)
	found = append(found, compared("ValidatingAdmissionPolicy", shipped.validating, live.validating, sameValidating)...)
	found = append(found, compared("ValidatingAdmissionPolicyBinding", shipped.validatingBindings, live.validatingBindings, sameValidatingBinding)...)
	return append(found, parameterDifferences(shipped, live)...)
}

// compared lists what of one kind is missing or not the same.
func compared[T any](kind string, shipped, live map[string]T, same func(shipped, live T) bool) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(shipped)) {
		object, there := live[name]
		switch {
		case !there:
			found = append(found, kind+" "+name+" is missing")
		case !same(shipped[name], object):
			found = append(found, kind+" "+name+" is not as shipped")
		}
	}
	return found
}

func parameterDifferences(shipped, live guards) []string {
	want := shipped.parameters
	if live.parameters == nil {
		return []string{fmt.Sprintf("ConfigMap %s/%s is missing", want.Namespace, want.Name)}
	}
	var found []string
	for _, key := range fixedParameters {
		if !slices.Equal(lines(want.Data[key]), lines(live.parameters.Data[key])) {
			found = append(found, fmt.Sprintf("%s in ConfigMap %s/%s is not as shipped", key, want.Namespace, want.Name))
		}
	}
	return found
}

func lines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

func sameMutating(shipped, live admissionv1.MutatingAdmissionPolicy) bool {
	want, have := shipped.Spec.DeepCopy(), live.Spec.DeepCopy()
	for _, spec := range []*admissionv1.MutatingAdmissionPolicySpec{want, have} {
		spec.FailurePolicy = or(spec.FailurePolicy, admissionv1.Fail)
		defaultMatch(spec.MatchConstraints)
	}
	return equality.Semantic.DeepEqual(want, have)
}

func sameMutatingBinding(shipped, live admissionv1.MutatingAdmissionPolicyBinding) bool {
	return equality.Semantic.DeepEqual(shipped.Spec, live.Spec)
}

func sameValidating(shipped, live admissionv1.ValidatingAdmissionPolicy) bool {
	want, have := shipped.Spec.DeepCopy(), live.Spec.DeepCopy()
	for _, spec := range []*admissionv1.ValidatingAdmissionPolicySpec{want, have} {
		spec.FailurePolicy = or(spec.FailurePolicy, admissionv1.Fail)
		defaultMatch(spec.MatchConstraints)
	}
	return equality.Semantic.DeepEqual(want, have)
}

func sameValidatingBinding(shipped, live admissionv1.ValidatingAdmissionPolicyBinding) bool {
	return equality.Semantic.DeepEqual(shipped.Spec, live.Spec)
}

// defaultMatch fills in what the server fills in.
func defaultMatch(match *admissionv1.MatchResources) {
	if match == nil {
		return
	}
	match.MatchPolicy = or(match.MatchPolicy, admissionv1.Equivalent)
	match.NamespaceSelector = or(match.NamespaceSelector, metav1.LabelSelector{})
	match.ObjectSelector = or(match.ObjectSelector, metav1.LabelSelector{})
	for i := range match.ResourceRules {
		match.ResourceRules[i].Scope = or(match.ResourceRules[i].Scope, admissionv1.AllScopes)
	}
	for i := range match.ExcludeResourceRules {
		match.ExcludeResourceRules[i].Scope = or(match.ExcludeResourceRules[i].Scope, admissionv1.AllScopes)
	}
}

func or[T any](value *T, fallback T) *T {
	if value == nil {
		return &fallback
	}
	return value
}

// fingerprint names exactly these objects in exactly this state. A policy that was deleted and restored has another
// uid, one that was changed and changed back another generation, parameters another resourceVersion.
func fingerprint(shipped, live guards) string {
	var parts []string
	note := func(kind string, o metav1.Object) {
		parts = append(parts, fmt.Sprintf("%s %s %s %d", kind, o.GetName(), o.GetUID(), o.GetGeneration()))
	}
	for name, o := range live.mutating {
		if _, ours := shipped.mutating[name]; ours {
			note("mutating", &o)
		}
	}
	for name, o := range live.mutatingBindings {
		if _, ours := shipped.mutatingBindings[name]; ours {
			note("mutating-binding", &o)
		}
	}
	for name, o := range live.validating {
		if _, ours := shipped.validating[name]; ours {
			note("validating", &o)
		}
	}
	for name, o := range live.validatingBindings {
		if _, ours := shipped.validatingBindings[name]; ours {
			note("validating-binding", &o)
		}
	}
	if p := live.parameters; p != nil {
		parts = append(parts, fmt.Sprintf("parameters %s %s", p.UID, p.ResourceVersion))
	}
	slices.Sort(parts)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}
