package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DecisionVerdict is what a person decided.
// +kubebuilder:validation:Enum=Approve;Reject;Revoke
type DecisionVerdict string

const (
	// VerdictApprove lets the reviewed subject through for one role.
	VerdictApprove DecisionVerdict = "Approve"
	// VerdictReject stops the review and says when the role would approve.
	VerdictReject DecisionVerdict = "Reject"
	// VerdictRevoke takes back one's own earlier decision in the same role.
	VerdictRevoke DecisionVerdict = "Revoke"
)

// HardeningDecisionSpec is one person's decision on one review, made once and never changed.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a decision never changes; create another one"
// +kubebuilder:validation:XValidation:rule="self.verdict == 'Reject' ? has(self.reject) : !has(self.reject)",message="a Reject, and only a Reject, says under reject.approveWhen what would have to change"
type HardeningDecisionSpec struct {
	// review that is decided on.
	// +required
	Review ObjectIdentity `json:"review"`

	// reviewDigest repeats the review's, so that nothing else is decided on by mistake.
	// +required
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=71
	ReviewDigest string `json:"reviewDigest"`

	// role in which the person decides.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Role string `json:"role"`

	// verdict is Approve, Reject or Revoke.
	// +required
	Verdict DecisionVerdict `json:"verdict"`

	// reason in the person's words.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// reject says what a rejection asks for.
	// +optional
	Reject *Rejection `json:"reject,omitempty"`

	// by is the person, stamped from the request by admission and never believed from the client.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	By string `json:"by,omitempty"`

	// groups of the person at that moment, stamped likewise.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=512
	// +kubebuilder:validation:items:MaxLength=512
	Groups []string `json:"groups,omitempty"`
}

// Rejection is what a rejection asks for.
type Rejection struct {
	// gate that the person objects to, if it is one.
	// +optional
	// +kubebuilder:validation:MaxLength=40
	Gate string `json:"gate,omitempty"`

	// approveWhen says what would have to change.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	ApproveWhen string `json:"approveWhen"`
}

// HardeningDecision is what one person decided. The server's creationTimestamp is its time; whether it counts is
// said in the review.
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=hdec,categories=affineur
// +kubebuilder:printcolumn:name="Review",type=string,JSONPath=`.spec.review.name`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.spec.verdict`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.by`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type HardeningDecision struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's name and bookkeeping.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the decision.
	// +required
	Spec HardeningDecisionSpec `json:"spec"`
}

// HardeningDecisionList is a list of decisions.
// +kubebuilder:object:root=true
type HardeningDecisionList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HardeningDecision `json:"items"`
}
