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
}

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

// AIPrototypeStatus is what the operator found and did, and whose turn it is.
type AIPrototypeStatus struct {
	// observedGeneration is the generation that this status speaks of; -1 before the first look.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, NetworkIsolated, SandboxReady, DataAnswered, OpenToPilots,
	// Expiring, ReviewOpen, InProduction.
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
