// Package v1alpha1 holds the resources of affineur.dev: what a business team states (AIPrototype), what IT
// requires (HardeningPolicy), what the operator shows (HardeningReview) and what a person decides
// (HardeningDecision).
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=affineur.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every resource in this package.
	GroupVersion = schema.GroupVersion{Group: "affineur.dev", Version: "v1alpha1"}

	// SchemeGroupVersion is the name under which the generated apply configurations look GroupVersion up.
	SchemeGroupVersion = GroupVersion

	// SchemeBuilder collects the types of this package for a scheme.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)

	// AddToScheme registers the types of this package.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&AIPrototype{}, &AIPrototypeList{},
		&HardeningReview{}, &HardeningReviewList{},
		&HardeningDecision{}, &HardeningDecisionList{},
		&HardeningPolicy{}, &HardeningPolicyList{},
		&EmergencyStop{}, &EmergencyStopList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
