package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HardeningReviewSpec is one review of one immutable subject. Only the operator writes it, once.
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a review never changes: a new subject gets a review of its own"
type HardeningReviewSpec struct {
	// prototype under review.
	// +required
	Prototype ObjectIdentity `json:"prototype"`

	// title in the prototype's own words.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Title string `json:"title,omitempty"`

	// subjectDigest is the SHA-256 of what would run.
	// +required
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=71
	SubjectDigest string `json:"subjectDigest"`

	// reviewDigest is the SHA-256 of the subject, the frozen requirements and authorsDoubt: what decisions bind.
	// +required
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=71
	ReviewDigest string `json:"reviewDigest"`

	// tier of the policy that applies.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Tier string `json:"tier"`

	// requestedBy is the person or pipeline that asked for production.
	// +required
	// +kubebuilder:validation:MaxLength=512
	RequestedBy string `json:"requestedBy"`

	// authors of the revision; none of them decides on it.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	Authors []string `json:"authors"`

	// authorsDoubt says why the authors can't be trusted to be all people who wrote the revision: it takes one more
	// person then. Empty where they can.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	AuthorsDoubt string `json:"authorsDoubt,omitempty"`

	// record names the snapshot in the records namespace.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Record string `json:"record"`
}

// ObjectIdentity names an object of the same namespace and which one it is.
type ObjectIdentity struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid of the object, so that one of the same name made later is not meant.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	UID string `json:"uid"`
}

// ReviewOutcome is how a review ended.
// +kubebuilder:validation:Enum=Promoted;Rejected;RolledBack;Superseded;Withdrawn
type ReviewOutcome string

const (
	// OutcomePromoted means that the reviewed subject serves in production and soaked.
	OutcomePromoted ReviewOutcome = "Promoted"
	// OutcomeRejected means that a role rejected it.
	OutcomeRejected ReviewOutcome = "Rejected"
	// OutcomeRolledBack means that the promoted revision misbehaved before it had soaked and was taken back.
	OutcomeRolledBack ReviewOutcome = "RolledBack"
	// OutcomeSuperseded means that the prototype changed, and another review speaks of it.
	OutcomeSuperseded ReviewOutcome = "Superseded"
	// OutcomeWithdrawn means that the team no longer asks for production, or deleted the prototype.
	OutcomeWithdrawn ReviewOutcome = "Withdrawn"
)

// GateState is the state of a gate's verdict.
// +kubebuilder:validation:Enum=Pending;Passed;Failed;Inconclusive
type GateState string

const (
	// GatePending means that the measurement is under way or waits.
	GatePending GateState = "Pending"
	// GatePassed means that the measured subject meets the requirement.
	GatePassed GateState = "Passed"
	// GateFailed means that the measured subject does not meet it.
	GateFailed GateState = "Failed"
	// GateInconclusive means that nothing can be said; it never counts as passed.
	GateInconclusive GateState = "Inconclusive"
)

// GateStatus is the verdict of one gate.
type GateStatus struct {
	// name of the gate in the frozen policy.
	// +required
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`

	// enforcement of the gate in this review.
	// +required
	Enforcement Enforcement `json:"enforcement"`

	// verdict is Pending, Passed, Failed or Inconclusive.
	// +required
	Verdict GateState `json:"verdict"`

	// reason is a word for machines.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason"`

	// message is what was measured, in a sentence.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// findings are the holes that the gate found.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Findings []Gap `json:"findings,omitempty"`

	// measuredAt is when the evidence was taken.
	// +optional
	MeasuredAt *metav1.Time `json:"measuredAt,omitempty"`

	// reportDigest of the evidence in the record.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	ReportDigest string `json:"reportDigest,omitempty"`

	// attempts that were made to measure.
	// +optional
	Attempts int32 `json:"attempts,omitempty"`
}

// Counted says whether a decision counts.
// +kubebuilder:validation:Enum=Yes;No
type Counted string

const (
	// CountedYes means that the decision counts.
	CountedYes Counted = "Yes"
	// CountedNo means that it does not, for the reason given.
	CountedNo Counted = "No"
)

// DecisionStatus mirrors a decision and says whether it counts.
type DecisionStatus struct {
	// name of the HardeningDecision.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// role in which it was made.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Role string `json:"role"`

	// verdict of the decision.
	// +required
	Verdict DecisionVerdict `json:"verdict"`

	// by whom, as the API server knows them.
	// +required
	// +kubebuilder:validation:MaxLength=512
	By string `json:"by"`

	// at is the server's time.
	// +required
	At metav1.Time `json:"at"`

	// counts is Yes or No.
	// +required
	Counts Counted `json:"counts"`

	// why it does not count.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Why string `json:"why,omitempty"`

	// message explains why it does not count, or carries what a rejection asks for.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// PromotionStep is how far a promotion is.
// +kubebuilder:validation:Enum=Preparing;RollingOut;Soaking;Serving;RolledBack;Retiring;Retired
type PromotionStep string

const (
	// StepPreparing builds the production namespace and its policies.
	StepPreparing PromotionStep = "Preparing"
	// StepRollingOut waits for the new revision's pods.
	StepRollingOut PromotionStep = "RollingOut"
	// StepSoaking watches the new revision for the tier's soak time.
	StepSoaking PromotionStep = "Soaking"
	// StepServing means that the revision soaked and serves.
	StepServing PromotionStep = "Serving"
	// StepRolledBack means that the revision misbehaved and the one before serves again, or nothing.
	StepRolledBack PromotionStep = "RolledBack"
	// StepRetiring takes production down, pods first.
	StepRetiring PromotionStep = "Retiring"
	// StepRetired means that nothing of it runs in production.
	StepRetired PromotionStep = "Retired"
)

// PromotionStatus is the promotion controller's own block: nobody else writes it.
type PromotionStatus struct {
	// step of the promotion.
	// +required
	Step PromotionStep `json:"step"`

	// namespace in production.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// url inside the cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`

	// intentAt is when the promotion decided to change production, written before it did.
	// +optional
	IntentAt *metav1.Time `json:"intentAt,omitempty"`

	// previousRecord is the record that served before, to return to.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PreviousRecord string `json:"previousRecord,omitempty"`

	// soakingSince is when every replica of the revision was available.
	// +optional
	SoakingSince *metav1.Time `json:"soakingSince,omitempty"`

	// servingSince is when the revision had soaked.
	// +optional
	ServingSince *metav1.Time `json:"servingSince,omitempty"`

	// reason is a word for machines.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`

	// message says what it does or why it stopped.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// SandboxReplicas are replicas that a measurement wants.
type SandboxReplicas struct {
	// count of them.
	// +required
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=16
	Count int32 `json:"count"`

	// since when they are wanted.
	// +required
	Since metav1.Time `json:"since"`
}

// HardeningReviewStatus is what was measured and decided, and whose turn it is.
type HardeningReviewStatus struct {
	// observedGeneration is the generation that this status speaks of; -1 before the first look.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, GatesPassed, Approved, Promoted, Overdue.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=24
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// summary is what the columns of a listing show.
	// +optional
	Summary *Summary `json:"summary,omitempty"`

	// gates and their verdicts; every one is measured, so that every hole shows at once.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Gates []GateStatus `json:"gates,omitempty"`

	// decisions are mirrored, each with whether it counts.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Decisions []DecisionStatus `json:"decisions,omitempty"`

	// waitingOn lists everybody whose turn it is.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	WaitingOn []WaitingOn `json:"waitingOn,omitempty"`

	// due is when every role should have decided.
	// +optional
	Due *metav1.Time `json:"due,omitempty"`

	// sandboxReplicas are how many replicas a measurement wants in the sandbox for the while; absent for one.
	// +optional
	SandboxReplicas *SandboxReplicas `json:"sandboxReplicas,omitempty"`

	// outcome of the review, empty while it is open.
	// +optional
	Outcome ReviewOutcome `json:"outcome,omitempty"`

	// outcomeAt is when it ended.
	// +optional
	OutcomeAt *metav1.Time `json:"outcomeAt,omitempty"`

	// promotion is written by the promotion controller alone.
	// +optional
	Promotion *PromotionStatus `json:"promotion,omitempty"`
}

// HardeningReview is a view for people: one review of one immutable subject.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=hrv,categories=affineur
// +kubebuilder:printcolumn:name="Prototype",type=string,JSONPath=`.spec.prototype.name`
// +kubebuilder:printcolumn:name="Tier",type=string,JSONPath=`.spec.tier`
// +kubebuilder:printcolumn:name="Gates",type=string,JSONPath=`.status.summary.gates`
// +kubebuilder:printcolumn:name="Approved",type=string,JSONPath=`.status.conditions[?(@.type=="Approved")].status`
// +kubebuilder:printcolumn:name="Waiting-On",type=string,JSONPath=`.status.summary.waitingOn`
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.summary.since`
// +kubebuilder:printcolumn:name="Due",type=string,JSONPath=`.status.due`
// +kubebuilder:printcolumn:name="Outcome",type=string,JSONPath=`.status.outcome`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
type HardeningReview struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's name and bookkeeping.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the subject under review.
	// +required
	Spec HardeningReviewSpec `json:"spec"`

	// status is what was measured and decided.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status HardeningReviewStatus `json:"status,omitempty"`
}

// HardeningReviewList is a list of reviews.
// +kubebuilder:object:root=true
type HardeningReviewList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HardeningReview `json:"items"`
}
