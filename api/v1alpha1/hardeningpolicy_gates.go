package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GateType is the kind of measurement.
// +kubebuilder:validation:Enum=Security;Scalability;Integration;Quality;Privacy;Resource;Metric;Job
type GateType string

const (
	// GateSecurity judges the rendered pod, its image and its isolation.
	GateSecurity GateType = "Security"
	// GateScalability measures the declared demand.
	GateScalability GateType = "Scalability"
	// GateIntegration reaches every declared integration under the production network policy.
	GateIntegration GateType = "Integration"
	// GateQuality asks the examples of the evaluation set and judges the answers.
	GateQuality GateType = "Quality"
	// GatePrivacy tells the prototype invented personal data and looks for it where it must not be.
	GatePrivacy GateType = "Privacy"
	// GateResource asks an object of the API server, such as another operator's report.
	GateResource GateType = "Resource"
	// GateMetric asks a Prometheus.
	GateMetric GateType = "Metric"
	// GateJob runs an image that IT chose.
	GateJob GateType = "Job"
)

// Enforcement says whether a gate blocks.
// +kubebuilder:validation:Enum=Required;Advisory
type Enforcement string

const (
	// EnforcementRequired blocks until the gate passed.
	EnforcementRequired Enforcement = "Required"
	// EnforcementAdvisory only informs.
	EnforcementAdvisory Enforcement = "Advisory"
)

// Gate is a discriminated union by type.
// +kubebuilder:validation:XValidation:rule="!has(self.security) || self.type == 'Security'",message="security is for a gate of type Security"
// +kubebuilder:validation:XValidation:rule="!has(self.scalability) || self.type == 'Scalability'",message="scalability is for a gate of type Scalability"
// +kubebuilder:validation:XValidation:rule="!has(self.integration) || self.type == 'Integration'",message="integration is for a gate of type Integration"
// +kubebuilder:validation:XValidation:rule="!has(self.quality) || self.type == 'Quality'",message="quality is for a gate of type Quality"
// +kubebuilder:validation:XValidation:rule="!has(self.privacy) || self.type == 'Privacy'",message="privacy is for a gate of type Privacy"
// +kubebuilder:validation:XValidation:rule="has(self.resource) == (self.type == 'Resource')",message="resource is for a gate of type Resource, which needs it"
// +kubebuilder:validation:XValidation:rule="has(self.metric) == (self.type == 'Metric')",message="metric is for a gate of type Metric, which needs it"
// +kubebuilder:validation:XValidation:rule="has(self.job) == (self.type == 'Job')",message="job is for a gate of type Job, which needs it"
type Gate struct {
	// name of the gate.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// type selects which member is read.
	// +required
	Type GateType `json:"type"`

	// enforcement decides: Required blocks, Advisory informs.
	// +optional
	// +kubebuilder:default=Required
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// maxAge is how old a measurement may be and still count, from one minute; 720h (30 days) where nothing is said.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="a measurement counts for a minute at least and for a year (8760h) at most"
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`

	// timeout of one measurement, from when its pod is made. One that takes longer came to nothing and is made again, at
	// most five times. Without it a measurement takes as long as it needs, and three minutes to start.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('6h')",message="a measurement may take ten seconds at least and six hours at most"
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// security settings.
	// +optional
	Security *SecurityGate `json:"security,omitempty"`

	// scalability settings.
	// +optional
	Scalability *ScalabilityGate `json:"scalability,omitempty"`

	// integration settings.
	// +optional
	Integration *IntegrationGate `json:"integration,omitempty"`

	// quality settings.
	// +optional
	Quality *QualityGate `json:"quality,omitempty"`

	// resource says which object a gate of type Resource asks, and what about it.
	// +optional
	Resource *ResourceGate `json:"resource,omitempty"`

	// metric says what a gate of type Metric asks a Prometheus.
	// +optional
	Metric *MetricGate `json:"metric,omitempty"`

	// job says which image a gate of type Job runs.
	// +optional
	Job *JobGate `json:"job,omitempty"`

	// privacy settings.
	// +optional
	Privacy *PrivacyGate `json:"privacy,omitempty"`
}

// ScalabilityGate says how the load is measured.
type ScalabilityGate struct {
	// headroom is the factor on the declared demand, as a decimal.
	// +optional
	// +kubebuilder:default="1.5"
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:Pattern=`^[0-9]{1,2}(\.[0-9]{1,2})?$`
	// +kubebuilder:validation:XValidation:rule="double(self) >= 1.0",message="headroom below 1 would measure less than the demand"
	Headroom string `json:"headroom,omitempty"`

	// duration of the measurement after warm-up.
	// +optional
	// +kubebuilder:default="60s"
	Duration metav1.Duration `json:"duration,omitempty"`

	// climbTo is the factor of the demand with headroom, as a decimal from 1 to 64, up to which load is raised step by step
	// when the demand was measured, until the prototype is overloaded: to know how much more it carries, and to size
	// production by it. It decides nothing. "1" leaves it out, such as where every request costs money.
	// +optional
	// +kubebuilder:default="4"
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:Pattern=`^[0-9]{1,2}(\.[0-9]{1,2})?$`
	// +kubebuilder:validation:XValidation:rule="double(self) >= 1.0 && double(self) <= 64.0",message="climbTo is a factor from 1 to 64"
	ClimbTo string `json:"climbTo,omitempty"`

	// upToReplicas has the prototype measured with several replicas as well: with 2, then with twice as many each time, and with
	// this number, or production's largest where that is smaller. Its sandbox runs that many for the while, as far as team and
	// cluster have room. 1 measures one replica, and leaves open what several of them carry.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	UpToReplicas int32 `json:"upToReplicas,omitempty"`
}

// IntegrationGate says what is asked of integrations beyond the catalogue.
type IntegrationGate struct {
	// certificateValidFor is for how long the certificates of integrations must be valid yet, so that none ends shortly
	// after a promotion. 0s takes any that is valid now.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s') && duration(self) <= duration('8760h')",message="certificateValidFor is a duration from 0s to 8760h"
	CertificateValidFor *metav1.Duration `json:"certificateValidFor,omitempty"`

	// minTLSVersion that integrations over TLS must speak.
	// +optional
	// +kubebuilder:default="1.2"
	// +kubebuilder:validation:Enum="1.2";"1.3"
	MinTLSVersion string `json:"minTLSVersion,omitempty"`

	// whenDown tells whether prototypes must declare for each of their systems what people see while it is down. What is
	// declared is measured either way.
	// +optional
	// +kubebuilder:default=Optional
	WhenDown WhenDownRule `json:"whenDown,omitempty"`
}

// WhenDownRule says whether whenDown must be declared.
// +kubebuilder:validation:Enum=Optional;Required
type WhenDownRule string

// WhenDownRequired fails prototypes that do not say what people see while a system is down.
const WhenDownRequired WhenDownRule = "Required"

// Role is a group of people who decide.
type Role struct {
	// name of the role, as in hardeningroles/NAME.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// groups whose members may decide in this role.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('system:')",message="groups that start with system: name no people"
	Groups []string `json:"groups"`
}

// Tier says what a review of a certain risk needs.
type Tier struct {
	// name of the tier.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$`
	Name string `json:"name"`

	// when is a CEL expression over facts: exposure, autonomy, users, class, categories.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	When string `json:"when"`

	// gates that must be measured, by name.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=3
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=40
	Gates []string `json:"gates"`

	// approvals that are needed, none for the lowest risks.
	// +optional
	// +listType=map
	// +listMapKey=role
	// +kubebuilder:validation:MaxItems=16
	Approvals []Approval `json:"approvals,omitempty"`

	// soak is how long a new revision must serve without a fault before it counts as promoted.
	// +optional
	// +kubebuilder:default="1h"
	Soak metav1.Duration `json:"soak,omitempty"`

	// due is how long the roles have to decide.
	// +optional
	// +kubebuilder:default="24h"
	Due metav1.Duration `json:"due,omitempty"`

	// approvalsValidFor is for how long an approval counts in a review that is open: from one hour to a year, and longer
	// than soak; 2160h (90 days) where nothing is said. What serves already is not undone when it ends.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="approvals count for an hour at least and for a year (8760h) at most"
	ApprovalsValidFor *metav1.Duration `json:"approvalsValidFor,omitempty"`
}

// Approval is a role and how many of its people.
type Approval struct {
	// role that must approve.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Role string `json:"role"`

	// quorum of distinct people.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=8
	Quorum int32 `json:"quorum,omitempty"`
}

// ProductionPolicy bounds what is promoted.
type ProductionPolicy struct {
	// replicas in production.
	// +optional
	// +kubebuilder:default={min: 2, max: 10}
	Replicas ReplicaRange `json:"replicas,omitempty"`

	// requests says which CPU and memory production's pods request: Declared, as much as their limits, under which they were
	// measured; or Measured, what one used while it was measured and a quarter more, where the cluster's metrics API told. Limits
	// are those that are declared either way. Declared where nothing is said.
	// +optional
	Requests ProductionRequests `json:"requests,omitempty"`

	// ingress says who may call a promoted prototype. Absent: nobody.
	// +optional
	Ingress IngressPolicy `json:"ingress,omitempty"`

	// modelDrift has the model behind what serves watched: whether it is still the one that was approved. Absent: nobody looks.
	// +optional
	ModelDrift *ModelDriftPolicy `json:"modelDrift,omitempty"`
}

// ProductionRequests says what production's pods request.
// +kubebuilder:validation:Enum=Declared;Measured
type ProductionRequests string

const (
	// RequestsDeclared are as large as the limits.
	RequestsDeclared ProductionRequests = "Declared"
	// RequestsMeasured go by what was used under the demand.
	RequestsMeasured ProductionRequests = "Measured"
)

// ReplicaRange bounds the horizontal autoscaler.
// +kubebuilder:validation:XValidation:rule="self.max >= self.min",message="max must not be below min",fieldPath=".max"
type ReplicaRange struct {
	// min number of replicas.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Min int32 `json:"min,omitempty"`

	// max number of replicas.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Max int32 `json:"max,omitempty"`
}

// IngressPolicy says who may call.
type IngressPolicy struct {
	// from lists the callers.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	From []IngressSource `json:"from,omitempty"`
}

// IngressSource is a union of callers.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type IngressSource struct {
	// pods selected by namespace and labels.
	// +optional
	Pods *PodSource `json:"pods,omitempty"`
}

// PodSource selects calling pods.
type PodSource struct {
	// namespace of the pods.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// podLabels that the pods carry.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=8
	PodLabels map[string]string `json:"podLabels"`
}
