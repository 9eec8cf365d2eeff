package v1alpha1

// ConditionModelDrift of an AIPrototype is True when another model answers in production than the one that was approved, or
// the same one worse; False when what serves was measured and is as it was approved; Unknown when nobody can tell. It is
// absent where nothing serves, where the policy does not ask for it, and where the prototype uses no model.
const ConditionModelDrift = "ModelDrift"

// Reasons of the condition ModelDrift.
const (
	// ReasonModelChanged means that answers name a model that was not approved.
	ReasonModelChanged = "ModelChanged"
	// ReasonFingerprintChanged means that answers name the approved model under another system fingerprint.
	ReasonFingerprintChanged = "FingerprintChanged"
	// ReasonResultsChanged means that the answers to the approved evaluation set are shown to be worse than they were.
	ReasonResultsChanged = "ResultsChanged"
	// ReasonAsApproved means that the approved model answers, as well as it did.
	ReasonAsApproved = "AsApproved"
	// ReasonAnswersAsApproved means that the answers are as good as they were, and do not say which model gave them.
	ReasonAnswersAsApproved = "AnswersAsApproved"
	// ReasonDriftNotMeasured means that what serves was not measured yet, or not for too long.
	ReasonDriftNotMeasured = "DriftNotMeasured"
	// ReasonDriftNotAsked means that what serves acts by itself, and that the policy does not have such a prototype asked
	// questions in production.
	ReasonDriftNotAsked = "DriftNotAsked"
	// ReasonDriftDoubtful means that the answers look worse than they were, and are asked for again before anybody is told so.
	ReasonDriftDoubtful = "DriftDoubtful"
	// ReasonDriftUncertain means that too little is known to tell: too few answers, or answers that say less
	// about their model than they did.
	ReasonDriftUncertain = "DriftUncertain"
	// ReasonNothingApproved means that nothing was approved that answers could be compared with: there is no evaluation set,
	// the policy has no gate of type Quality, or what was measured then can't be read.
	ReasonNothingApproved = "NothingApproved"
)

// Reasons of the quality gate about who answered.
const (
	// ReasonOtherModel means that answers name another model, or version, than the prototype declares.
	ReasonOtherModel = "OtherModel"
	// ReasonModelUnclear means that so many models answered that not all of them are known.
	ReasonModelUnclear = "ModelUnclear"
)
