package v1alpha1

// Reasons of the privacy gate.
const (
	// ReasonPrivacyKept means that nothing that was told in confidence came back, and that the data may go where it goes.
	ReasonPrivacyKept = "PrivacyKept"
	// ReasonPrivacyViolated means that there is at least one finding about privacy.
	ReasonPrivacyViolated = "PrivacyViolated"
	// ReasonRecordLeaked means that what one person told came back in an answer to another.
	ReasonRecordLeaked = "RecordLeaked"
	// ReasonInputInErrorText means that the text of an error repeats what somebody typed.
	ReasonInputInErrorText = "InputInErrorText"
	// ReasonInputLogged means that the prototype's log holds what somebody typed.
	ReasonInputLogged = "InputLogged"
	// ReasonPersonalDataInAnswers means that answers hold personal data that nobody had said and the policy does not allow.
	ReasonPersonalDataInAnswers = "PersonalDataInAnswers"
	// ReasonTooFewAnswers means that the prototype gave too few answers to say anything by.
	ReasonTooFewAnswers = "TooFewAnswers"
	// ReasonLogNotSearched means that the prototype's log could not be searched to its end.
	ReasonLogNotSearched = "LogNotSearched"
	// ReasonCallUnknown means that it is not said how the prototype is asked a question.
	ReasonCallUnknown = "CallUnknown"
	// ReasonAssuranceMissing means that IT was not assured of what data that goes to a place asks for.
	ReasonAssuranceMissing = "AssuranceMissing"
	// ReasonAssuranceExpired means that the day until which an assurance counts is over.
	ReasonAssuranceExpired = "AssuranceExpired"
	// ReasonTrainingNotAllowed means that data goes where models are trained on it, and may not.
	ReasonTrainingNotAllowed = "TrainingNotAllowed"
	// ReasonResidencyNotAllowed means that data goes to a region that its rule does not name.
	ReasonResidencyNotAllowed = "ResidencyNotAllowed"
	// ReasonRetentionTooLong means that data is kept for longer than its rule lets it.
	ReasonRetentionTooLong = "RetentionTooLong"
	// ReasonConfidentialInConfigMap means that text which may hold confidential data lies in a ConfigMap, or in a registry
	// without a password: many may read it.
	ReasonConfidentialInConfigMap = "ConfidentialInConfigMap"
)
