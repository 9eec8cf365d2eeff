package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StopAction is what an emergency stop does to everything in its scope. Each includes the ones before it.
// +kubebuilder:validation:Enum=Freeze;Sever;Stop
type StopAction string

const (
	// StopFreeze lets nothing new into production, and what soaks there soak on; what runs goes on.
	StopFreeze StopAction = "Freeze"
	// StopSever cuts the network: to the named gateway or integration, or, for any other scope, all of it. Live
	// connections are ended.
	StopSever StopAction = "Sever"
	// StopStop stops the workloads, in sandboxes and in production.
	StopStop StopAction = "Stop"
)

// StopScope is a union: what a stop is about. Exactly one member is set.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type StopScope struct {
	// all prototypes of the cluster.
	// +optional
	All *StopAll `json:"all,omitempty"`

	// team whose prototypes are meant, as in the namespace label affineur.dev/team.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Team string `json:"team,omitempty"`

	// gateway of the catalogue: every prototype that uses it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Gateway string `json:"gateway,omitempty"`

	// integration of the catalogue: every prototype that uses it.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Integration string `json:"integration,omitempty"`

	// digest of an image: every prototype that runs it.
	// +optional
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	// +kubebuilder:validation:MaxLength=71
	Digest string `json:"digest,omitempty"`
}

// StopAll has no settings.
type StopAll struct{}

// Lift is how a second person ends a stop.
type Lift struct {
	// reason why it is over.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`

	// by is who lifted it, stamped by admission and never believed from the client.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	By string `json:"by,omitempty"`
}

// EmergencyStopSpec is what must be off now. It never changes but for being lifted.
// +kubebuilder:validation:XValidation:rule="self.scope == oldSelf.scope && self.action == oldSelf.action && self.reason == oldSelf.reason && has(self.by) == has(oldSelf.by) && (!has(self.by) || self.by == oldSelf.by)",message="a stop does not change; lift it, and make another"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.lifted) || (has(self.lifted) && self.lifted == oldSelf.lifted)",message="a lifted stop stays as it is; make another"
type EmergencyStopSpec struct {
	// scope is what is meant.
	// +required
	Scope StopScope `json:"scope"`

	// action is what to do about it.
	// +required
	Action StopAction `json:"action"`

	// reason why, for everybody who reads it later.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`

	// by is who made it, stamped by admission and never believed from the client.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	By string `json:"by,omitempty"`

	// lifted ends the stop. Another person than the one who made it writes this.
	// +optional
	Lifted *Lift `json:"lifted,omitempty"`
}

// EmergencyStopStatus is what the operator saw of it.
type EmergencyStopStatus struct {
	// observedGeneration is the generation that this status speaks of; -1 before the first look.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, Effective.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// inScope is how many sandboxes and production namespaces are meant.
	// +optional
	InScope int32 `json:"inScope,omitempty"`

	// done is in how many of them it was seen to be so.
	// +optional
	Done int32 `json:"done,omitempty"`

	// summary for a listing, such as severed 37/37.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Summary string `json:"summary,omitempty"`

	// remaining are the first namespaces in which it is not so yet, each with what is missing.
	// +optional
	// +listType=map
	// +listMapKey=namespace
	// +kubebuilder:validation:MaxItems=16
	Remaining []StopRemaining `json:"remaining,omitempty"`
}

// StopRemaining is one namespace that a stop has not taken effect in.
type StopRemaining struct {
	// namespace of a sandbox or of production.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// message says what is missing.
	// +required
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message"`
}

// EmergencyStop cuts off at once what it names, whatever policies, snapshots and approvals say. Another person lifts it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=estop,categories=affineur
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`
// +kubebuilder:printcolumn:name="Effective",type=string,JSONPath=`.status.conditions[?(@.type=="Effective")].status`
// +kubebuilder:printcolumn:name="Summary",type=string,JSONPath=`.status.summary`
// +kubebuilder:printcolumn:name="By",type=string,JSONPath=`.spec.by`
// +kubebuilder:printcolumn:name="Lifted-By",type=string,JSONPath=`.spec.lifted.by`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="name must be at most 63 characters"
type EmergencyStop struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's name and bookkeeping.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what must be off.
	// +required
	Spec EmergencyStopSpec `json:"spec"`

	// status is what was seen of it.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status EmergencyStopStatus `json:"status,omitempty"`
}

// EmergencyStopList is a list of stops.
// +kubebuilder:object:root=true
type EmergencyStopList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []EmergencyStop `json:"items"`
}
