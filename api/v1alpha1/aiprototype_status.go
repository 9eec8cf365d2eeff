package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AIPrototypeStatus is what the operator found and did, and whose turn it is.
type AIPrototypeStatus struct {
	// observedGeneration is the generation that this status speaks of; -1 before the first look.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, NetworkIsolated, SandboxReady, DataAnswered, OpenToPilots,
	// Expiring, ReviewOpen, InProduction, ModelDrift.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=24
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// summary is what the columns of a listing show.
	// +optional
	Summary *Summary `json:"summary,omitempty"`

	// subjectDigest is the SHA-256 of what would be reviewed and run.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	SubjectDigest string `json:"subjectDigest,omitempty"`

	// image is what the container's image resolved to.
	// +optional
	Image *ResolvedImage `json:"image,omitempty"`

	// sandbox tells where the prototype runs.
	// +optional
	Sandbox *SandboxStatus `json:"sandbox,omitempty"`

	// gaps are what a review would object to, as far as it can be told without one.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Gaps []Gap `json:"gaps,omitempty"`

	// review is the newest review of this prototype.
	// +optional
	Review *ReviewReference `json:"review,omitempty"`

	// production tells what serves in production.
	// +optional
	Production *ProductionStatus `json:"production,omitempty"`

	// waitingOn lists everybody whose turn it is.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	WaitingOn []WaitingOn `json:"waitingOn,omitempty"`

	// lastHandledRequestedAt echoes the annotation affineur.dev/requestedAt once it was acted on.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LastHandledRequestedAt string `json:"lastHandledRequestedAt,omitempty"`
}

// Summary is one line for a listing.
type Summary struct {
	// gates that passed of those required, such as 2/3.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Gates string `json:"gates,omitempty"`

	// waitingOn names whose turn it is, such as IT/security.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	WaitingOn string `json:"waitingOn,omitempty"`

	// since when.
	// +optional
	Since *metav1.Time `json:"since,omitempty"`
}

// ResolvedImage is a tag and the digest that it stood for when the operator looked.
type ResolvedImage struct {
	// requested is the image as the spec names it.
	// +required
	// +kubebuilder:validation:MaxLength=512
	Requested string `json:"requested"`

	// resolved is repository@sha256:digest.
	// +required
	// +kubebuilder:validation:MaxLength=640
	Resolved string `json:"resolved"`

	// at is when it was resolved.
	// +required
	At metav1.Time `json:"at"`
}

// SandboxStatus tells where the prototype runs, and of the sandbox's life also while there is none.
type SandboxStatus struct {
	// namespace of the sandbox, absent while there is none.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// url of the prototype inside the cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`

	// pilotURL is where the pilots try it, through the organisation's gateway and sign-in.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	PilotURL string `json:"pilotURL,omitempty"`

	// startedAt is when the sandbox's life began: when it was made for the first time, for the first workload that
	// could be tried. It never changes.
	// +optional
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// expiresAt is the end of the sandbox's life. It is absent while the clock stands still, because the end moves on
	// with it then.
	// +optional
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// heldFor is for how long the sandbox's clock stood still in all, up to heldSince: reviews waited for IT.
	// +optional
	HeldFor *metav1.Duration `json:"heldFor,omitempty"`

	// heldSince is when the clock was stopped, absent while it runs.
	// +optional
	HeldSince *metav1.Time `json:"heldSince,omitempty"`

	// room is what the sandbox holds of the team's room, absent while it holds none.
	// +optional
	Room *RoomStatus `json:"room,omitempty"`

	// queue is the place in the team's queue, absent where the team has room.
	// +optional
	Queue *QueuePosition `json:"queue,omitempty"`

	// isolation is the newest measurement.
	// +optional
	Isolation *IsolationStatus `json:"isolation,omitempty"`
}

// RoomStatus is a place among the team's sandboxes, and what its workload may ask for there.
type RoomStatus struct {
	// since when it is held. Where a team holds more than it may, those who came last make room.
	// +required
	Since metav1.Time `json:"since"`

	// cpu that the workload asks for.
	// +required
	// +kubebuilder:validation:MaxLength=32
	CPU string `json:"cpu"`

	// memory that the workload asks for.
	// +required
	// +kubebuilder:validation:MaxLength=32
	Memory string `json:"memory"`
}

// QueuePosition is a place among the team's prototypes that wait for room.
type QueuePosition struct {
	// position is 1 for the next.
	// +required
	// +kubebuilder:validation:Minimum=1
	Position int32 `json:"position"`

	// length of the queue.
	// +required
	// +kubebuilder:validation:Minimum=1
	Length int32 `json:"length"`
}

// MeasuredNode is a node on which a sandbox was shown to be closed.
type MeasuredNode struct {
	// name of the node.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// bootID of the node at that time, which changes when it is started anew.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	BootID string `json:"bootID,omitempty"`

	// measuredAt is when.
	// +required
	MeasuredAt metav1.Time `json:"measuredAt"`
}

// IsolationPath is one way in or out of a sandbox: how it should be, and how it was found.
type IsolationPath struct {
	// name of the path, such as another-namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// direction seen from the sandbox.
	// +required
	// +kubebuilder:validation:Enum=Egress;Ingress
	Direction string `json:"direction"`

	// network is tcp or udp.
	// +required
	// +kubebuilder:validation:Enum=tcp;udp
	Network string `json:"network"`

	// want is how the path should be.
	// +required
	// +kubebuilder:validation:Enum=Blocked;Reachable
	Want string `json:"want"`

	// found is how it was: Unknown where nothing proves it either way.
	// +required
	// +kubebuilder:validation:Enum=Blocked;Reachable;Unknown
	Found string `json:"found"`

	// why says what the finding rests on.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Why string `json:"why,omitempty"`
}

// IsolationStatus is a measurement of what the sandbox can reach.
type IsolationStatus struct {
	// verdict is Enforced, NotEnforced or Inconclusive.
	// +required
	// +kubebuilder:validation:Enum=Enforced;NotEnforced;Inconclusive
	Verdict string `json:"verdict"`

	// message says what was found.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`

	// measuredAt is when.
	// +required
	MeasuredAt metav1.Time `json:"measuredAt"`

	// node on which it was measured last.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Node string `json:"node,omitempty"`

	// nodes for which a good verdict speaks: on any other, and on one that was started anew, it says nothing.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Nodes []MeasuredNode `json:"nodes,omitempty"`

	// paths are the table that the verdict sums up.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Paths []IsolationPath `json:"paths,omitempty"`

	// report names the measurement in the records namespace.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Report string `json:"report,omitempty"`

	// inputsDigest binds the measurement to the network policies and targets that it was made under.
	// +optional
	// +kubebuilder:validation:MaxLength=71
	InputsDigest string `json:"inputsDigest,omitempty"`
}

// Owner is the side that can fill a gap.
// +kubebuilder:validation:Enum=Business;IT
type Owner string

const (
	// OwnerBusiness can mend it in the AIPrototype or its program.
	OwnerBusiness Owner = "Business"
	// OwnerIT can mend it in the policy or the platform.
	OwnerIT Owner = "IT"
)

// Gap is one hole: what, where, who can fill it and how.
type Gap struct {
	// gate that objects.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Gate string `json:"gate"`

	// reason is a word for machines.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason"`

	// field of the AIPrototype to change, if it is one.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Field string `json:"field,omitempty"`

	// owner who can fill it.
	// +required
	Owner Owner `json:"owner"`

	// message says what is wrong.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`

	// hint says what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Hint string `json:"hint,omitempty"`
}

// ReviewReference names a review in the same namespace.
type ReviewReference struct {
	// name of the HardeningReview.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// outcome of the review, empty while it is open.
	// +optional
	Outcome ReviewOutcome `json:"outcome,omitempty"`
}

// ProductionStatus tells what serves in production.
type ProductionStatus struct {
	// namespace in production.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// subjectDigest that serves.
	// +required
	// +kubebuilder:validation:MaxLength=71
	SubjectDigest string `json:"subjectDigest"`

	// review that let it in.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Review string `json:"review"`

	// url inside the cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	URL string `json:"url,omitempty"`

	// since when this subject serves.
	// +required
	Since metav1.Time `json:"since"`
}

// Party is a side of the work.
// +kubebuilder:validation:Enum=Business;IT;Operator
type Party string

const (
	// PartyBusiness is the prototype's team.
	PartyBusiness Party = "Business"
	// PartyIT is a role of the policy, or the platform team.
	PartyIT Party = "IT"
	// PartyOperator is this operator, at work.
	PartyOperator Party = "Operator"
)

// WaitingOn says whose turn it is, since when and for what.
type WaitingOn struct {
	// party whose turn it is.
	// +required
	Party Party `json:"party"`

	// role of the policy, where one is meant.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Role string `json:"role,omitempty"`

	// since when.
	// +required
	Since metav1.Time `json:"since"`

	// due is when it should have happened.
	// +optional
	Due *metav1.Time `json:"due,omitempty"`

	// message says what is awaited and how to give it.
	// +required
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message"`
}
