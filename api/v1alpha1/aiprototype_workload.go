package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Workload is a union: exactly one member is set.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type Workload struct {
	// container runs one image that serves HTTP.
	// +optional
	Container *Container `json:"container,omitempty"`
}

// Container is one image that serves HTTP on one port.
type Container struct {
	// image by tag or digest. A tag is resolved once; production runs the digest.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:/@-]*$`
	Image string `json:"image"`

	// port on which the program serves HTTP. Ports below 1024 need rights that a sandbox does not give.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= 1024",message="a port below 1024 needs rights that neither sandbox nor production gives: serve on 1024 or above"
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// health says how to ask whether the program is ready. Without it, an open port counts as ready.
	// +optional
	Health *Health `json:"health,omitempty"`

	// env holds plain, non-secret settings. Secrets belong under secrets. Names that start with AFFINEUR_ are
	// the operator's.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Env []EnvVar `json:"env,omitempty"`

	// secrets of the team's namespace to mount as files, each granted by the team to the operator.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	Secrets []SecretMount `json:"secrets,omitempty"`

	// resources that one replica needs.
	// +optional
	// +kubebuilder:default={cpu: "250m", memory: "256Mi"}
	Resources Resources `json:"resources,omitempty"`

	// scratch is a writable directory at /tmp; the rest of the file system is read-only.
	// +optional
	Scratch *Scratch `json:"scratch,omitempty"`
}

// Health is an HTTP path that answers 2xx or 3xx when the program is ready.
type Health struct {
	// path to ask on the container's port.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/%?=&-]*$`
	Path string `json:"path"`
}

// EnvVar is one plain setting.
type EnvVar struct {
	// name of the variable.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z_][A-Za-z0-9_]*$`
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('AFFINEUR_')",message="names that start with AFFINEUR_ are set by the operator"
	Name string `json:"name"`

	// value of the variable.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Value string `json:"value,omitempty"`
}

// SecretMount mounts a Secret of the team's namespace as files.
type SecretMount struct {
	// name of the Secret in the prototype's namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// mountPath is an absolute directory that is the Secret's alone.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._/-]+$`
	// +kubebuilder:validation:XValidation:rule="!self.contains('..') && !self.startsWith('/var/run/affineur') && !self.startsWith('/proc') && !self.startsWith('/sys') && !self.startsWith('/dev')",message="mountPath must not contain '..' and must lie outside /var/run/affineur, /proc, /sys and /dev"
	MountPath string `json:"mountPath"`
}

// Resources are requested and limited alike, so that a measured sandbox behaves like production.
type Resources struct {
	// cpu as a quantity, such as 500m.
	// +optional
	// +kubebuilder:default="250m"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",message="cpu must be a quantity above zero, such as 500m"
	CPU string `json:"cpu,omitempty"`

	// memory as a quantity, such as 512Mi.
	// +optional
	// +kubebuilder:default="256Mi"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",message="memory must be a quantity above zero, such as 512Mi"
	Memory string `json:"memory,omitempty"`
}

// Scratch is writable space that is lost with the pod.
type Scratch struct {
	// size as a quantity, such as 1Gi.
	// +required
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",message="size must be a quantity above zero, such as 1Gi"
	Size string `json:"size"`
}

// Demand is what production must carry. Either people, busiestHour and answerWithin, or requestsPerSecond and
// latencyP95, or both; what is given in requests wins.
// +kubebuilder:validation:XValidation:rule="has(self.requestsPerSecond) || (has(self.people) && has(self.busiestHour))",message="say how many requests to expect: people and busiestHour, or requestsPerSecond"
// +kubebuilder:validation:XValidation:rule="!has(self.firstByteWithin) || (has(self.latencyP95) ? duration(self.firstByteWithin) <= duration(self.latencyP95) : !has(self.answerWithin) || duration(self.firstByteWithin) <= duration(self.answerWithin))",message="an answer can't begin after it is complete",fieldPath=".firstByteWithin"
// +kubebuilder:validation:XValidation:rule="has(self.latencyP95) || has(self.answerWithin)",message="say how fast an answer must come: answerWithin, or latencyP95"
type Demand struct {
	// people who will use it.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	People *int32 `json:"people,omitempty"`

	// busiestHour is how many requests all of them make together in the busiest hour.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000000
	BusiestHour *int32 `json:"busiestHour,omitempty"`

	// answerWithin is how long a person waits at most, for 95 of 100 answers.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be a duration above zero, such as 2s"
	AnswerWithin *metav1.Duration `json:"answerWithin,omitempty"`

	// requestsPerSecond as a decimal, for those who know.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^[0-9]{1,6}(\.[0-9]{1,3})?$`
	// +kubebuilder:validation:XValidation:rule="double(self) > 0.0",message="requestsPerSecond must be above zero"
	RequestsPerSecond *string `json:"requestsPerSecond,omitempty"`

	// latencyP95 is the 95th percentile of the time to the complete answer.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be a duration above zero, such as 800ms"
	LatencyP95 *metav1.Duration `json:"latencyP95,omitempty"`

	// firstByteWithin is how long a person waits at most for the beginning of an answer, for 95 of 100 answers: for
	// prototypes that stream what they say.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be a duration above zero, such as 500ms"
	FirstByteWithin *metav1.Duration `json:"firstByteWithin,omitempty"`

	// errorRatio is the share of requests that may fail, as a decimal between 0 and 1.
	// +optional
	// +kubebuilder:default="0.01"
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:Pattern=`^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$`
	ErrorRatio string `json:"errorRatio,omitempty"`

	// request is what one request looks like.
	// +optional
	// +kubebuilder:default={method: "GET", path: "/"}
	Request SampleRequest `json:"request,omitempty"`
}

// SampleRequest is the request that the load measurement sends.
type SampleRequest struct {
	// method of the request.
	// +optional
	// +kubebuilder:default=GET
	// +kubebuilder:validation:Enum=GET;POST;PUT
	Method string `json:"method,omitempty"`

	// path on the prototype's own Service; never an address.
	// +optional
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/%?=&-]*$`
	Path string `json:"path,omitempty"`

	// body of the request, from a ConfigMap of the prototype's namespace.
	// +optional
	Body *RequestBody `json:"body,omitempty"`
}

// RequestBody says where a request body comes from.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type RequestBody struct {
	// configMap holds the body; it is copied into the reviewed snapshot.
	// +optional
	ConfigMap *ConfigMapKey `json:"configMap,omitempty"`

	// secret holds a body that not everybody who sees the namespace may read, granted by the team to the operator. It is
	// copied into the reviewed snapshot, which is out of the namespace.
	// +optional
	Secret *SecretKey `json:"secret,omitempty"`
}

// SecretKey names one key of a Secret in the prototype's namespace, granted by the team to the operator.
type SecretKey struct {
	// name of the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// key in the Secret.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key"`
}

// ConfigMapKey names one key of a ConfigMap in the prototype's namespace.
type ConfigMapKey struct {
	// name of the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// key in the ConfigMap.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	Key string `json:"key"`
}
