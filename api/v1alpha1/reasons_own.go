package v1alpha1

// Reasons of the gates of one's own: Resource, Metric and Job.
const (
	// ReasonConditionsMet means that successWhen holds and failureWhen does not.
	ReasonConditionsMet = "ConditionsMet"
	// ReasonFailureShown means that failureWhen holds and successWhen does not.
	ReasonFailureShown = "FailureShown"
	// ReasonNeitherShown means that neither condition holds.
	ReasonNeitherShown = "NeitherShown"
	// ReasonBothShown means that both conditions hold, so that the policy contradicts itself.
	ReasonBothShown = "BothShown"
	// ReasonConditionUndecided means that a condition has no answer for what was found.
	ReasonConditionUndecided = "ConditionUndecided"
	// ReasonResourceMissing means that there is no object of that name, or no such kind.
	ReasonResourceMissing = "ResourceMissing"
	// ReasonResourceForbidden means that the operator may not read the object.
	ReasonResourceForbidden = "ResourceForbidden"
	// ReasonResourceOfTeam means that the object would be where a team may write what it likes.
	ReasonResourceOfTeam = "ResourceOfTeam"
	// ReasonResourceOld means that the object is older than the policy allows, or that its time can't be told.
	ReasonResourceOld = "ResourceOld"
	// ReasonWindowOpen means that the time in which a metric is watched has not passed.
	ReasonWindowOpen = "WindowOpen"
	// ReasonMetricUnclear means that the metrics source gave no answer that can be judged.
	ReasonMetricUnclear = "MetricUnclear"
	// ReasonJobPassed, ReasonJobFailed and ReasonJobUnsure are what an image of IT's own says.
	ReasonJobPassed = "JobPassed"
	ReasonJobFailed = "JobFailed"
	ReasonJobUnsure = "JobUnsure"
)
