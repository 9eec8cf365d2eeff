package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Evaluation is how it is told that the prototype's answers are right.
type Evaluation struct {
	// examples are questions with what is right about their answers: a table, CSV with the columns question and expected,
	// or JSON Lines of {"input": …, "assert": […]}. At most 2,000 and 512 KiB. They are frozen with a review.
	// +required
	Examples ExamplesSource `json:"examples"`

	// call says how the prototype is asked a question, and where the answer is.
	// +required
	Call EvaluationCall `json:"call"`
}

// ExamplesSource is a union: exactly one member is set.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type ExamplesSource struct {
	// configMap of the prototype's namespace, and the key that holds the set.
	// +optional
	ConfigMap *ConfigMapKey `json:"configMap,omitempty"`

	// secret that holds a set which not everybody who sees the namespace may read, granted by the team to the operator.
	// +optional
	Secret *SecretKey `json:"secret,omitempty"`

	// artifact is a reference, by tag or digest, to a set that was pushed as one file to a registry which the policy names,
	// as oras push does. The operator fetches it; a tag is resolved once for every change of the spec.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$`
	Artifact string `json:"artifact,omitempty"`
}

// EvaluationCall is one question over HTTP on the container's port.
// +kubebuilder:validation:XValidation:rule="has(self.json) != has(self.openAIChat)",message="say how the prototype is asked: json or openAIChat"
type EvaluationCall struct {
	// json is a request of the prototype's own form.
	// +optional
	JSON *JSONCall `json:"json,omitempty"`

	// openAIChat is a chat completion as the OpenAI API has it; the answer is the first choice's message.
	// +optional
	OpenAIChat *ChatCall `json:"openAIChat,omitempty"`

	// timeout of one answer.
	// +optional
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('100ms') && duration(self) <= duration('10m')",message="an answer may take 100ms at least and 10m at most"
	Timeout metav1.Duration `json:"timeout,omitempty"`
}

// JSONCall is a request with the question in one field and an answer with its text in another.
type JSONCall struct {
	// method is POST or PUT: a question is never put into an address, which proxies log.
	// +optional
	// +kubebuilder:default=POST
	// +kubebuilder:validation:Enum=POST;PUT
	Method string `json:"method,omitempty"`

	// path that is asked.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/%?=&+,:@-]*$`
	Path string `json:"path"`

	// input is where in the request the question goes, a JSON pointer such as /text. Left out, the request is the question
	// itself, as text.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^(/([^/~]|~[01])*)*$`
	Input string `json:"input,omitempty"`

	// answer is where in the answer its text is, a JSON pointer such as /label. Left out, the answer is the text itself.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^(/([^/~]|~[01])*)*$`
	Answer string `json:"answer,omitempty"`
}

// ChatCall is a chat completion.
type ChatCall struct {
	// path that is asked.
	// +optional
	// +kubebuilder:default="/v1/chat/completions"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/%?=&+,:@-]*$`
	Path string `json:"path,omitempty"`

	// model to ask for; left out where the prototype decides.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._:/-]*$`
	Model string `json:"model,omitempty"`
}

// QualityGate says how many answers must be right, and how surely.
// +kubebuilder:validation:XValidation:rule="!has(self.judge) || !has(self.import)",message="a judge looks at answers to the prototype's own examples, not at an image's results",fieldPath=".judge"
type QualityGate struct {
	// minimumExamples that a set must hold, whatever fewer would show.
	// +optional
	// +kubebuilder:default=100
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2000
	MinimumExamples int32 `json:"minimumExamples,omitempty"`

	// passRateLowerBound is the share of right answers that must be shown with 95 % confidence, as a decimal below 1.
	// +optional
	// +kubebuilder:default="0.90"
	// +kubebuilder:validation:MaxLength=6
	// +kubebuilder:validation:Pattern=`^0\.[0-9]{1,4}$`
	// +kubebuilder:validation:XValidation:rule="double(self) > 0.0 && double(self) <= 0.998",message="a share above 0 and at most 0.998: more takes more examples than a set can hold"
	PassRateLowerBound string `json:"passRateLowerBound,omitempty"`

	// slices of the set that must be good by themselves.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Slices []SliceFloor `json:"slices,omitempty"`

	// repeats is how often each question is asked. An example is right when every answer to it is. Of a large set each is
	// asked less often: 4,000 questions are asked at most.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Repeats int32 `json:"repeats,omitempty"`

	// nonRegression demands that the answers are not shown to be worse than those of the revision that was promoted last.
	// +optional
	// +kubebuilder:default=Required
	NonRegression NonRegressionRule `json:"nonRegression,omitempty"`

	// import has an image of IT's ask the prototype in place of the examples of the prototype's evaluation, and takes over
	// its results. Bounds, slices and the comparison are the same; how often it repeats a question is for the image to say.
	// +optional
	Import *QualityImport `json:"import,omitempty"`

	// judge is a model that looks at answers too, and only adds findings.
	// +optional
	Judge *QualityJudge `json:"judge,omitempty"`
}

// NonRegressionRule says whether a new revision is compared with the last that was promoted.
// +kubebuilder:validation:Enum=Required;None
type NonRegressionRule string

const (
	// NonRegressionRequired compares.
	NonRegressionRequired NonRegressionRule = "Required"
	// NonRegressionNone does not.
	NonRegressionNone NonRegressionRule = "None"
)

// SliceFloor is what one slice of the set must show.
type SliceFloor struct {
	// name of the slice; * for each slice that has no floor of its own, and for the examples that are in none, as if they were one.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^([A-Za-z0-9][A-Za-z0-9._-]*|\*)$`
	Name string `json:"name"`

	// passRateLowerBound is the share of right answers that must be shown with 95 % confidence, as a decimal below 1.
	// +required
	// +kubebuilder:validation:MaxLength=6
	// +kubebuilder:validation:Pattern=`^0\.[0-9]{1,4}$`
	// +kubebuilder:validation:XValidation:rule="double(self) > 0.0 && double(self) <= 0.998",message="a share above 0 and at most 0.998: more takes more examples than a set can hold"
	PassRateLowerBound string `json:"passRateLowerBound"`

	// minimumExamples that the slice must hold.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=2000
	MinimumExamples int32 `json:"minimumExamples,omitempty"`
}
