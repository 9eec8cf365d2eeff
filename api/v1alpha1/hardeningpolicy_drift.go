package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ModelDriftPolicy says how often what serves is asked the questions of its approved evaluation set again, and what happens
// when another model answers, or the same one worse.
type ModelDriftPolicy struct {
	// every is how long after one evaluation in production the next one begins. Each asks as many questions as the one
	// before approval did, and is paid for like those.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('720h')",message="what serves is asked every minute at most, and every 720h at least"
	Every metav1.Duration `json:"every,omitempty"`

	// onDrift says what happens to what serves.
	// +optional
	// +kubebuilder:default=Alert
	OnDrift DriftAnswer `json:"onDrift,omitempty"`

	// acting says whether prototypes that act by themselves are asked too. Whatever a question makes such a one do, it does in
	// production, each time.
	// +optional
	// +kubebuilder:default=Leave
	Acting ActingAnswer `json:"acting,omitempty"`
}

// ActingAnswer is whether a prototype that acts is asked questions in production.
// +kubebuilder:validation:Enum=Leave;Ask
type ActingAnswer string

const (
	// ActingLeave asks it nothing: whether its model drifted is not known, and the condition says so.
	ActingLeave ActingAnswer = "Leave"
	// ActingAsk asks it like any other. The questions of its evaluation set must be such that acting on them does no harm.
	ActingAsk ActingAnswer = "Ask"
)

// DriftAnswer is what happens to what serves when its model drifted.
// +kubebuilder:validation:Enum=Alert;RollBack
type DriftAnswer string

const (
	// DriftAlert tells: the condition ModelDrift of the prototype, and an event. It goes on serving.
	DriftAlert DriftAnswer = "Alert"
	// DriftRollBack also takes it back: the revision before it serves again, and is asked at once too; where there was none,
	// nothing serves.
	DriftRollBack DriftAnswer = "RollBack"
)
