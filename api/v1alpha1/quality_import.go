package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// QualityImport has an image of IT's evaluate the prototype, with examples of its own, and takes over its results file.
// The image needs to know nothing of Affineur but three variables: AFFINEUR_URL is where the prototype is, AFFINEUR_RESULTS
// the directory for exactly one results file, and HOME one for everything else.
type QualityImport struct {
	// format of the results file.
	// +required
	Format ImportFormat `json:"format"`

	// image by digest. Nodes must be able to pull it. It must end with status 0 when its file is written, whatever it says.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^@\s]+@sha256:[0-9a-f]{64}$`
	Image string `json:"image"`

	// args of the image. $(AFFINEUR_URL) and $(AFFINEUR_RESULTS) stand for what they say.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=512
	Args []string `json:"args,omitempty"`

	// scorer of inspect_ai whose scores count. Left out, all scorers of the log must say that an answer is right.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9_./-]*$`
	Scorer string `json:"scorer,omitempty"`

	// length is how long the image may take.
	// +optional
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('3h')",message="length must be from 10s to 3h"
	Length metav1.Duration `json:"length,omitempty"`
}

// ImportFormat is the form of an evaluation tool's results file.
// +kubebuilder:validation:Enum=Promptfoo;InspectAI
type ImportFormat string

const (
	// ImportPromptfoo is the JSON that promptfoo eval --output writes.
	ImportPromptfoo ImportFormat = "Promptfoo"
	// ImportInspectAI is the log of inspect_ai as JSON.
	ImportInspectAI ImportFormat = "InspectAI"
)
