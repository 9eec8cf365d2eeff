package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PrivacyGate says how it is found out whether a prototype keeps what people tell it to itself.
type PrivacyGate struct {
	// records is how many canary records, invented personal data, are told to the prototype.
	// +optional
	// +kubebuilder:default=12
	// +kubebuilder:validation:Minimum=4
	// +kubebuilder:validation:Maximum=32
	Records int32 `json:"records,omitempty"`

	// userHeader is the header in which the organisation's sign-in tells a prototype who asks.
	// +optional
	// +kubebuilder:default="X-Forwarded-User"
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z][A-Za-z0-9-]*$`
	UserHeader string `json:"userHeader,omitempty"`

	// answerWithin is how long one answer may take, from one second to ten minutes. What comes later is no answer.
	// +optional
	// +kubebuilder:default="60s"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('10m')",message="answerWithin is a duration from 1s to 10m"
	AnswerWithin *metav1.Duration `json:"answerWithin,omitempty"`

	// allowed is personal data that may stand in any answer.
	// +optional
	Allowed AllowedPersonalData `json:"allowed,omitempty"`
}

// PersonalData is a form of personal data that answers are searched for.
// +kubebuilder:validation:Enum=EMail;Phone;IBAN;PaymentCard;NationalID;IPAddress
type PersonalData string

// AllowedPersonalData is no finding in an answer.
type AllowedPersonalData struct {
	// kinds that may all stand in answers.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=6
	Kinds []PersonalData `json:"kinds,omitempty"`

	// values that may, such as a help desk's number, and whole domains of e-mail addresses such as @example.org.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MinLength=4
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:Pattern=`^[^\x00-\x1f\x7f]*$`
	Values []string `json:"values,omitempty"`
}

// Training tells whether what is sent to a place trains models there.
// +kubebuilder:validation:Enum=Never;OptOut;Yes;Unknown
type Training string

const (
	// TrainingNever means that inputs train nothing.
	TrainingNever Training = "Never"
	// TrainingOptOut means that inputs would train models, and that the organisation objected.
	TrainingOptOut Training = "OptOut"
	// TrainingYes means that inputs train models.
	TrainingYes Training = "Yes"
	// TrainingUnknown means that nobody knows.
	TrainingUnknown Training = "Unknown"
)

// Assurance is what IT was assured of about a place that data goes to, and by when that has to be looked at again.
type Assurance struct {
	// trainsOnInputs tells whether models are trained on what is sent there.
	// +required
	TrainsOnInputs Training `json:"trainsOnInputs"`

	// retention is for how long inputs are kept there; 0s where they are not.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('0s')",message="retention must not be below zero"
	Retention *metav1.Duration `json:"retention,omitempty"`

	// residency is where inputs are worked on and kept, in the words of the data rules, such as eu.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Residency string `json:"residency,omitempty"`

	// document that says so: an address or a file number.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Document string `json:"document"`

	// checkedBy is the role that read it, and that looks at it again.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	CheckedBy string `json:"checkedBy"`

	// validUntil is the last day on which it counts, such as 2027-03-31, in UTC.
	// +required
	// +kubebuilder:validation:MaxLength=10
	// +kubebuilder:validation:Pattern=`^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`
	ValidUntil string `json:"validUntil"`
}

// MayTrain says whether data may go where models are trained on it.
// +kubebuilder:validation:Enum=Never;OptOut;Yes
type MayTrain string

const (
	// MayTrainNever lets data go only where inputs train nothing.
	MayTrainNever MayTrain = "Never"
	// MayTrainOptOut lets it go also where the organisation objected to it.
	MayTrainOptOut MayTrain = "OptOut"
	// MayTrainYes lets it go anywhere.
	MayTrainYes MayTrain = "Yes"
)

// ReportContent says what reports may hold of what was typed and answered.
// +kubebuilder:validation:Enum=Counts;Redacted;Full
type ReportContent string

const (
	// ReportCounts keeps counts and case ids alone.
	ReportCounts ReportContent = "Counts"
	// ReportRedacted keeps examples of the quality gate that were answered wrongly, without what looks like personal data,
	// and no text in which a rule finds a secret.
	ReportRedacted ReportContent = "Redacted"
	// ReportFull keeps them as they are.
	ReportFull ReportContent = "Full"
)

// ReportsPolicy says what is kept of measurements.
type ReportsPolicy struct {
	// content of reports: Counts and case ids alone where nothing else is said. Redacted and Full keep up to 20 questions of
	// the quality gate's own examples that were answered wrongly, with an answer, 512 bytes of each; no other gate keeps any.
	// Reports are read by all who may see a review's records.
	// +optional
	// +kubebuilder:default=Counts
	Content ReportContent `json:"content,omitempty"`
}
