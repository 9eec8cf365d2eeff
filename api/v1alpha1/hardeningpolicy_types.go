package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HardeningPolicySpec is what IT writes once for the organisation. Exactly one policy governs a namespace; a tie
// or no match blocks and says so; policies never merge.
// +kubebuilder:validation:XValidation:rule="['Security', 'Scalability', 'Integration'].all(t, self.gates.exists(g, g.type == t && g.enforcement == 'Required'))",message="the gates Security, Scalability and Integration must each be there and Required: nothing reaches production without them",fieldPath=".gates"
// +kubebuilder:validation:XValidation:rule="self.tiers.all(t, t.gates.all(n, self.gates.exists(g, g.name == n)))",message="a tier names a gate that is not in gates",fieldPath=".tiers"
// +kubebuilder:validation:XValidation:rule="self.tiers.all(t, self.gates.all(g, !(g.type in ['Security', 'Scalability', 'Integration']) || g.enforcement != 'Required' || g.name in t.gates))",message="every tier must contain the Required gates of type Security, Scalability and Integration",fieldPath=".tiers"
// +kubebuilder:validation:XValidation:rule="self.tiers.all(t, !has(t.approvals) || t.approvals.all(a, self.roles.exists(r, r.name == a.role)))",message="a tier asks for the approval of a role that is not in roles",fieldPath=".tiers"
type HardeningPolicySpec struct {
	// appliesTo selects the namespaces that the policy governs, by labels that IT owns.
	// +required
	AppliesTo AppliesTo `json:"appliesTo"`

	// teams maps the namespace label affineur.dev/team to a team's groups of people.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Teams []Team `json:"teams"`

	// dataRules say what data there is, in business words.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	DataRules []DataRule `json:"dataRules,omitempty"`

	// sandbox bounds every sandbox.
	// +required
	Sandbox SandboxPolicy `json:"sandbox"`

	// catalogue is what prototypes may reach, by name.
	// +optional
	Catalogue Catalogue `json:"catalogue,omitempty"`

	// gates are the measurements that reviews may require.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=3
	// +kubebuilder:validation:MaxItems=16
	Gates []Gate `json:"gates"`

	// reports says what is kept of measurements.
	// +optional
	// +kubebuilder:default={content: "Counts"}
	Reports ReportsPolicy `json:"reports,omitempty"`

	// roles are the groups of people who decide.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Roles []Role `json:"roles"`

	// tiers are written strictest first: the first whose expression holds applies. An expression that errs selects the
	// strictest.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Tiers []Tier `json:"tiers"`

	// production bounds what is promoted.
	// +required
	Production ProductionPolicy `json:"production"`
}

// AppliesTo selects namespaces.
type AppliesTo struct {
	// namespaceSelector matches labels of the prototype's namespace. An empty selector matches none.
	// +required
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="select namespaces by at least one label: an empty selector would govern the whole cluster"
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
}

// Team is a business team and its people.
type Team struct {
	// name as in the namespace label affineur.dev/team.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// groups of people who belong to the team; none of them decides on the team's own reviews.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups"`
}

// DataClass orders data from harmless to forbidden outside.
// +kubebuilder:validation:Enum=Public;Internal;Confidential;Restricted
type DataClass string

const (
	// DataPublic may be read by anybody.
	DataPublic DataClass = "Public"
	// DataInternal is for the organisation.
	DataInternal DataClass = "Internal"
	// DataConfidential is for those who need it.
	DataConfidential DataClass = "Confidential"
	// DataRestricted is the strictest class; undeclared data counts as it.
	DataRestricted DataClass = "Restricted"
)

// DataRule names a kind of data and what it is.
type DataRule struct {
	// name in business words, such as renewal-dates.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// class of the data.
	// +required
	Class DataClass `json:"class"`

	// categories such as PersonalData.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Categories []string `json:"categories,omitempty"`

	// residency lists where the data may be worked on and kept, in the words of the catalogue's assurances, such as eu.
	// Absent: anywhere.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Residency []string `json:"residency,omitempty"`

	// maxRetention is for how long a place that the data goes to may keep it. Absent: for as long as it likes.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="maxRetention must not be below zero"
	MaxRetention *metav1.Duration `json:"maxRetention,omitempty"`

	// mayTrain says whether models may be trained on it. Absent: Yes for Public data, OptOut for Internal data, and Never
	// for stricter data and for data of any category.
	// +optional
	MayTrain MayTrain `json:"mayTrain,omitempty"`
}

// HardeningPolicyStatus says whether the policy can be used.
type HardeningPolicyStatus struct {
	// observedGeneration is the generation that this status speaks of; -1 before the first look.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, GuardsInPlace.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// HardeningPolicy is what IT requires of every prototype in the namespaces it governs.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hpol,categories=affineur
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Guards",type=string,JSONPath=`.status.conditions[?(@.type=="GuardsInPlace")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="name must be at most 63 characters"
type HardeningPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's name and bookkeeping.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what IT requires.
	// +required
	Spec HardeningPolicySpec `json:"spec"`

	// status says whether the policy can be used.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status HardeningPolicyStatus `json:"status,omitempty"`
}

// HardeningPolicyList is a list of policies.
// +kubebuilder:object:root=true
type HardeningPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HardeningPolicy `json:"items"`
}
