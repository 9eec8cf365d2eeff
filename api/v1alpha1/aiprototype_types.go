package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Target is what a team wants for its prototype; the operator moves towards it as far as it may.
// +kubebuilder:validation:Enum=Sandbox;Production;Retired
type Target string

const (
	// TargetSandbox runs the prototype in its sandbox only.
	TargetSandbox Target = "Sandbox"
	// TargetProduction asks for a review of the current revision and its promotion.
	TargetProduction Target = "Production"
	// TargetRetired takes the prototype out of production and out of its sandbox; the record stays.
	TargetRetired Target = "Retired"
)

// AIPrototypeSpec is what a business team states about its prototype.
// +kubebuilder:validation:XValidation:rule="self.target != 'Production' || has(self.workload)",message="target Production needs a workload: there is nothing to review yet",fieldPath=".target"
// +kubebuilder:validation:XValidation:rule="self.target != 'Production' || has(self.demand)",message="target Production needs a demand: say how many people will use it (demand.people, busiestHour, answerWithin) so that the scalability gate can measure it",fieldPath=".target"
type AIPrototypeSpec struct {
	// target is what the team wants: Sandbox, Production or Retired. It is a wish, never a command: what it
	// waits for is in status.waitingOn.
	// +optional
	// +kubebuilder:default=Sandbox
	Target Target `json:"target,omitempty"`

	// suspend stops the sandboxed workload and keeps everything else.
	// +optional
	Suspend bool `json:"suspend,omitempty"`

	// contact is where people reach the owner, an e-mail address or a channel.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Contact string `json:"contact,omitempty"`

	// need states the problem and the outcome that would prove the idea.
	// +required
	Need Need `json:"need"`

	// facts about the prototype that decide how strict its review is. What is left out counts as the worst.
	// +optional
	Facts *Facts `json:"facts,omitempty"`

	// data names what the prototype works with, in the words of the policy's data rules.
	// +optional
	Data *DataUse `json:"data,omitempty"`

	// model names the model that the prototype calls, through a gateway of the policy's catalogue.
	// +optional
	Model *ModelUse `json:"model,omitempty"`

	// integrations names the systems that the prototype uses, from the policy's catalogue.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Integrations []IntegrationUse `json:"integrations,omitempty"`

	// workload is what runs. Without one, the prototype is a stated need, open to advice.
	// +optional
	Workload *Workload `json:"workload,omitempty"`

	// demand is the load that production must carry, in a business owner's words or in requests per second.
	// +optional
	Demand *Demand `json:"demand,omitempty"`

	// evaluation says how it is told that answers are right: examples, and how the prototype is asked. The quality gate
	// measures it.
	// +optional
	Evaluation *Evaluation `json:"evaluation,omitempty"`

	// sandbox says how long the team wants to try.
	// +optional
	Sandbox *SandboxWish `json:"sandbox,omitempty"`
}

// Need is the problem and the measurable outcome.
type Need struct {
	// problem in a sentence or two.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Problem string `json:"problem"`

	// outcomes that would show that the idea is worth hardening, each with a baseline and a target.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Outcomes []Outcome `json:"outcomes"`
}

// Direction is the way in which an outcome should move.
// +kubebuilder:validation:Enum=Increase;Decrease
type Direction string

const (
	// DirectionIncrease means that more is better.
	DirectionIncrease Direction = "Increase"
	// DirectionDecrease means that less is better.
	DirectionDecrease Direction = "Decrease"
)

// Outcome is one number that the prototype should move.
// +kubebuilder:validation:XValidation:rule="self.direction == 'Increase' ? double(self.target) > double(self.baseline) : double(self.target) < double(self.baseline)",message="target must lie beyond the baseline in the stated direction",fieldPath=".target"
type Outcome struct {
	// name of the outcome, such as renewal-rate.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// unit of the numbers, such as percent, days or eur.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	Unit string `json:"unit"`

	// direction in which the outcome should move.
	// +required
	Direction Direction `json:"direction"`

	// baseline is the number before the prototype, as a decimal.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^-?[0-9]{1,15}(\.[0-9]{1,9})?$`
	Baseline string `json:"baseline"`

	// target is the number that would prove the idea, as a decimal.
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^-?[0-9]{1,15}(\.[0-9]{1,9})?$`
	Target string `json:"target"`
}

// Exposure is who can reach the prototype once it is in production.
// +kubebuilder:validation:Enum=Internal;Partners;Public
type Exposure string

// Autonomy is what the prototype may do by itself.
// +kubebuilder:validation:Enum=Answers;Suggests;Acts
type Autonomy string

const (
	// ExposureInternal is the organisation's own people.
	ExposureInternal Exposure = "Internal"
	// ExposurePublic is anybody; it is assumed where nothing is said.
	ExposurePublic Exposure = "Public"
	// AutonomyAnswers means that it answers questions only.
	AutonomyAnswers Autonomy = "Answers"
	// AutonomySuggests means that it proposes what people then do.
	AutonomySuggests Autonomy = "Suggests"
	// AutonomyActs means that it changes things by itself; it is assumed where nothing is said.
	AutonomyActs Autonomy = "Acts"
)

// Facts decide, by the policy's tiers, how strict a review is.
type Facts struct {
	// exposure is Internal, Partners or Public. Left out, it counts as Public.
	// +optional
	Exposure Exposure `json:"exposure,omitempty"`

	// autonomy is Answers, Suggests or Acts. Left out, it counts as Acts; any ReadWrite integration counts as Acts.
	// +optional
	Autonomy Autonomy `json:"autonomy,omitempty"`

	// users is how many people it is for.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000000
	Users int32 `json:"users,omitempty"`
}

// DataUse names the data that a prototype works with.
type DataUse struct {
	// uses are names from the policy's data rules.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Uses []string `json:"uses"`
}

// ModelUse names a model behind a gateway of the policy's catalogue.
type ModelUse struct {
	// gateway is a name from the policy's catalogue; never an address.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Gateway string `json:"gateway"`

	// name of the model at the gateway.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:/-]*$`
	Name string `json:"name"`

	// version of the model. It is part of the reviewed subject: another version is another review.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:-]*$`
	Version string `json:"version"`

	// budget bounds what the prototype may spend.
	// +optional
	Budget *ModelBudget `json:"budget,omitempty"`

	// whenDown says what people see while the model does not answer. It is measured before production.
	// +optional
	WhenDown *WhenDown `json:"whenDown,omitempty"`
}

// ModelBudget bounds the use of a model.
type ModelBudget struct {
	// tokensPerDay is the number of tokens, prompt and answer together, per day (UTC).
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000000
	TokensPerDay int64 `json:"tokensPerDay"`
}

// Access is what a prototype does with an integration.
// +kubebuilder:validation:Enum=Read;ReadWrite
type Access string

const (
	// AccessRead only reads.
	AccessRead Access = "Read"
	// AccessReadWrite also changes the system, and needs the consent of the integration's owner role.
	AccessReadWrite Access = "ReadWrite"
)

// IntegrationUse names an integration of the policy's catalogue.
type IntegrationUse struct {
	// name from the policy's catalogue.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// access is Read or ReadWrite.
	// +optional
	// +kubebuilder:default=Read
	Access Access `json:"access,omitempty"`

	// whenDown says what people see while the system is slow or down. It is measured before production.
	// +optional
	WhenDown *WhenDown `json:"whenDown,omitempty"`
}

// WhenDown is what a prototype promises for the time when a system that it uses is slow or down.
type WhenDown struct {
	// then is Degrades, where people still get an answer (HTTP 200 to 299), if a lesser one; or Fails, where they are told
	// that there is none (HTTP 400 to 599). What an answer says is not looked at.
	// +required
	Then Promise `json:"then"`

	// within is how long they wait for either, from 100ms to 30s.
	// +optional
	// +kubebuilder:default="5s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('30s')",message="within is a duration from 100ms to 30s"
	Within *metav1.Duration `json:"within,omitempty"`
}

// Promise is what a prototype does without a system.
// +kubebuilder:validation:Enum=Degrades;Fails
type Promise string

const (
	// PromiseDegrades means that people still get an answer (HTTP 200 to 299).
	PromiseDegrades Promise = "Degrades"
	// PromiseFails means that people are told in time that there is no answer, by a whole HTTP answer with the status of an
	// error (400 to 599).
	PromiseFails Promise = "Fails"
)

// SandboxWish is what the team asks of its sandbox, within the policy's bounds.
type SandboxWish struct {
	// lifetime from the sandbox's start (status.sandbox.startedAt), within the policy's maximum; the policy's default
	// where nothing is said. Raising it extends the sandbox, also after its end.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be a duration above zero, such as 336h"
	Lifetime *metav1.Duration `json:"lifetime,omitempty"`

	// pilots may try the prototype in its sandbox through the organisation's gateway, where the policy names one.
	// +optional
	Pilots *Pilots `json:"pilots,omitempty"`
}

// Pilots are the people who try a prototype before it is hardened. They come through the organisation's gateway, whose
// sign-in checks that they are in one of the groups.
type Pilots struct {
	// groups of people, as the organisation's sign-in in front of the gateway knows them.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:@/-]*$`
	Groups []string `json:"groups"`
}

// AIPrototype is an idea of a business team, and what runs to prove it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=aip,categories=affineur
// +kubebuilder:printcolumn:name="Target",type=string,JSONPath=`.spec.target`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Gates",type=string,JSONPath=`.status.summary.gates`
// +kubebuilder:printcolumn:name="Waiting-On",type=string,JSONPath=`.status.summary.waitingOn`
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.summary.since`
// +kubebuilder:printcolumn:name="Ends",type=string,JSONPath=`.status.sandbox.expiresAt`
// +kubebuilder:printcolumn:name="URL",type=string,JSONPath=`.status.sandbox.url`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="name must be at most 63 characters, without dots"
type AIPrototype struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's name and bookkeeping.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what the team states.
	// +required
	Spec AIPrototypeSpec `json:"spec"`

	// status is what the operator found and did.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status AIPrototypeStatus `json:"status,omitempty"`
}

// AIPrototypeList is a list of prototypes.
// +kubebuilder:object:root=true
type AIPrototypeList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AIPrototype `json:"items"`
}
