package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Criteria say in CEL, the language of admission policies, what shows success and what shows failure. They are asked
// apart: where neither holds, or both do, or one has no answer, nothing is shown.
type Criteria struct {
	// successWhen must be true, and failureWhen false, for the gate to pass.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	SuccessWhen string `json:"successWhen"`

	// failureWhen must be true, and successWhen false, for the gate to fail.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	FailureWhen string `json:"failureWhen"`
}

// ResourceGate asks an object of the API server, such as another operator's report. The variables of its expressions are
// prototype (name, namespace, uid, team, sandboxNamespace, productionNamespace, image, imageDigest, subjectDigest) and, in
// conditions and madeAt, object.
// +kubebuilder:validation:XValidation:rule="has(self.name) != has(self.nameExpression)",message="exactly one of name and nameExpression"
// +kubebuilder:validation:XValidation:rule="!has(self.namespace) || !has(self.namespaceExpression)",message="at most one of namespace and namespaceExpression"
// +kubebuilder:validation:XValidation:rule="!(self.kind in ['Secret', 'SecretList'])",message="a Secret is never read",fieldPath=".kind"
type ResourceGate struct {
	// apiVersion of the object, such as aquasecurity.github.io/v1alpha1.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+$`
	APIVersion string `json:"apiVersion"`

	// kind of the object. The operator needs leave to read it: a ClusterRole with the label
	// affineur.dev/aggregate-to-reads.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
	Kind string `json:"kind"`

	// namespace of the object. Neither this nor namespaceExpression: the kind has none.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// namespaceExpression gives it in CEL over prototype. The prototype's own namespace is refused: its team may write there.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	NamespaceExpression string `json:"namespaceExpression,omitempty"`

	// name of the object.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$`
	Name string `json:"name,omitempty"`

	// nameExpression gives it in CEL over prototype.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	NameExpression string `json:"nameExpression,omitempty"`

	// madeAt says in CEL over object when it was made: a timestamp, or a text as RFC 3339 writes it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	MadeAt string `json:"madeAt"`

	// maxAge is how old the object may be by madeAt.
	// +optional
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('8760h')",message="maxAge must be from 1m to 8760h"
	MaxAge metav1.Duration `json:"maxAge,omitempty"`

	Criteria `json:",inline"`
}

// SeriesCount says how many series a query may give.
// +kubebuilder:validation:Enum=One;Many
type SeriesCount string

const (
	// SeriesOne needs exactly one, or a scalar: result is its number.
	SeriesOne SeriesCount = "One"
	// SeriesMany takes several: result is a list of value and labels.
	SeriesMany SeriesCount = "Many"
)

// MetricGate asks a Prometheus about a window of time in which the revision ran. The variables of its conditions are
// prototype, as for a Resource gate, and result.
type MetricGate struct {
	// source to ask.
	// +required
	Source MetricSource `json:"source"`

	// query in PromQL, evaluated for the end of the window. $window stands for its length, such as 600s; $sandbox, $uid,
	// $prototype, $namespace and $team for what they say of the prototype. It has to use $window, and $sandbox, $uid, or
	// $prototype together with $namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Query string `json:"query"`

	// window is how long the revision is watched: it begins when the review is opened, and is the same however often is asked.
	// +optional
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="window must be from 1m to 24h"
	Window metav1.Duration `json:"window,omitempty"`

	// series that may answer.
	// +optional
	// +kubebuilder:default=One
	Series SeriesCount `json:"series,omitempty"`

	Criteria `json:",inline"`
}

// MetricSource is a server that speaks Prometheus' HTTP API.
// +kubebuilder:validation:XValidation:rule="!has(self.credentials) || self.address.startsWith('https://')",message="a credential goes over TLS"
type MetricSource struct {
	// address before /api/v1.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="address must be an http or https URL"
	Address string `json:"address"`

	// ca is a ConfigMap in the operator's namespace whose key ca.crt verifies the server.
	// +optional
	CA *LocalName `json:"ca,omitempty"`

	// credentials name a Secret in the operator's namespace whose token is shown as Bearer.
	// +optional
	Credentials *CredentialSource `json:"credentials,omitempty"`
}

// JobNetwork says what a Job gate's image reaches.
// +kubebuilder:validation:Enum=Sandbox;Closed
type JobNetwork string

const (
	// JobSandbox reaches the prototype in its sandbox and nothing else.
	JobSandbox JobNetwork = "Sandbox"
	// JobClosed reaches nothing.
	JobClosed JobNetwork = "Closed"
)

// JobGate runs an image of IT's, which speaks the contract of docs/your-own-gate.md.
type JobGate struct {
	// image by digest. Nodes must be able to pull it.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[^@\s]+@sha256:[0-9a-f]{64}$`
	Image string `json:"image"`

	// network that it has.
	// +optional
	// +kubebuilder:default=Sandbox
	Network JobNetwork `json:"network,omitempty"`

	// settings that it is told.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Settings []JobSetting `json:"settings,omitempty"`

	// length is how long it may take.
	// +optional
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s') && duration(self) <= duration('1h')",message="length must be from 10s to 1h"
	Length metav1.Duration `json:"length,omitempty"`
}

// JobSetting is one word of IT to its image. It is no place for a secret.
type JobSetting struct {
	// name of the setting.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z]([-_.A-Za-z0-9]*[A-Za-z0-9])?$`
	Name string `json:"name"`

	// value of the setting.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value,omitempty"`
}
