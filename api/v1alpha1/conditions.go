package v1alpha1

// Condition types. Polarity is positive except for Reconciling and Stalled, which kstatus defines, Overdue and
// ModelDrift.
const (
	// ConditionReady is the one summary. True means that the operator did everything it can do at present; it
	// never waits for a human.
	ConditionReady = "Ready"
	// ConditionReconciling is present and True while the operator is at work (kstatus).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is present and True when nothing will change until somebody acts (kstatus).
	ConditionStalled = "Stalled"
)

// Conditions of an AIPrototype.
const (
	// ConditionNetworkIsolated True means that the sandbox was measured and reaches only what it may.
	ConditionNetworkIsolated = "NetworkIsolated"
	// ConditionSandboxReady True means that the workload runs in its sandbox and answers.
	ConditionSandboxReady = "SandboxReady"
	// ConditionDataAnswered True means that the policy was asked which data may go where; the message is its answer.
	ConditionDataAnswered = "DataAnswered"
	// ConditionOpenToPilots True means that the pilots whom the team named can reach the prototype through the
	// organisation's gateway; it is absent where none are named.
	ConditionOpenToPilots = "OpenToPilots"
	// ConditionExpiring True means that the sandbox's end is near; it is absent before.
	ConditionExpiring = "Expiring"
	// ConditionReviewOpen True means that a review of the current revision is open.
	ConditionReviewOpen = "ReviewOpen"
	// ConditionInProduction True means that a reviewed revision serves in production and soaked.
	ConditionInProduction = "InProduction"
)

// Conditions of a HardeningReview.
const (
	// ConditionGatesPassed True means that every required gate passed for exactly this subject.
	ConditionGatesPassed = "GatesPassed"
	// ConditionAuthorsVerified True means that the authors are known to be all people who wrote the revision.
	ConditionAuthorsVerified = "AuthorsVerified"
	// ConditionApproved True means that every required role approved, by people whose decisions count.
	ConditionApproved = "Approved"
	// ConditionPromoted True means that the subject serves in production and soaked. It is written by the
	// promotion controller.
	ConditionPromoted = "Promoted"
	// ConditionOverdue True means that a role did not decide in time.
	ConditionOverdue = "Overdue"
)

// Conditions of a HardeningPolicy.
const (
	// ConditionGuardsInPlace True means that the admission policies were seen to refuse forgeries and are as
	// shipped. Nothing is promoted while it is not True.
	ConditionGuardsInPlace = "GuardsInPlace"
)

// Reasons of an AIPrototype's conditions.
const (
	// ReasonAnswered means that the policy gave its answer.
	ReasonAnswered = "Answered"
	// ReasonNeedStated means that there is no workload yet: a need with a baseline, open to advice.
	ReasonNeedStated = "NeedStated"
	// ReasonRunningInSandbox means that the workload runs in its sandbox.
	ReasonRunningInSandbox = "RunningInSandbox"
	// ReasonInReview means that the workload runs in its sandbox and its review is open.
	ReasonInReview = "InReview"
	// ReasonInProduction means that the current revision serves in production.
	ReasonInProduction = "InProduction"
	// ReasonSuspended means that spec.suspend stopped the workload.
	ReasonSuspended = "Suspended"
	// ReasonExpired means that the sandbox's life is over.
	ReasonExpired = "Expired"
	// ReasonRetired means that nothing of the prototype runs any more.
	ReasonRetired = "Retired"
	// ReasonRetiring means that production and the sandbox are being taken down.
	ReasonRetiring = "Retiring"
	// ReasonDeleting means that the sandbox is being taken down, pods first.
	ReasonDeleting = "Deleting"
	// ReasonPreparingSandbox means that the sandbox's namespace and policies are being made.
	ReasonPreparingSandbox = "PreparingSandbox"
	// ReasonMeasuringIsolation means that the isolation probe is under way.
	ReasonMeasuringIsolation = "MeasuringIsolation"
	// ReasonStartingWorkload means that the workload's pods are starting.
	ReasonStartingWorkload = "StartingWorkload"
	// ReasonEnforced means that isolation was measured and holds.
	ReasonEnforced = "Enforced"
	// ReasonNotEnforced means that the sandbox reached what it may not: the cluster does not enforce NetworkPolicy.
	ReasonNotEnforced = "NetworkPolicyNotEnforced"
	// ReasonIsolationInconclusive means that isolation could not be measured.
	ReasonIsolationInconclusive = "IsolationInconclusive"
	// ReasonIsolationLost, of an event, means that a workload is stopped because its isolation was lost, or was not shown
	// for too long.
	ReasonIsolationLost = "IsolationLost"
	// ReasonNoPolicy means that no HardeningPolicy governs the namespace.
	ReasonNoPolicy = "NoGoverningPolicy"
	// ReasonPolicyTie means that more than one HardeningPolicy governs the namespace.
	ReasonPolicyTie = "PolicyTie"
	// ReasonPolicyNotReady means that the governing policy can't be used.
	ReasonPolicyNotReady = "PolicyNotReady"
	// ReasonNoTeam means that the namespace carries no known team.
	ReasonNoTeam = "NamespaceWithoutTeam"
	// ReasonUnknownName means that the prototype names something that the policy does not have.
	ReasonUnknownName = "UnknownName"
	// ReasonDataNotAllowed means that declared data may not go where the prototype would send it.
	ReasonDataNotAllowed = "DataNotAllowed"
	// ReasonLimitExceeded means that the prototype asks for more than the policy gives.
	ReasonLimitExceeded = "LimitExceeded"
	// ReasonRegistryNotAllowed means that the image comes from a registry that the policy does not name.
	ReasonRegistryNotAllowed = "RegistryNotAllowed"
	// ReasonImageNotFound means that the registry does not have the image.
	ReasonImageNotFound = "ImageNotFound"
	// ReasonImageInvalid means that the image reference can't be read.
	ReasonImageInvalid = "ImageInvalid"
	// ReasonRegistryUnreachable means that the registry did not answer; it is asked again.
	ReasonRegistryUnreachable = "RegistryUnreachable"
	// ReasonRegistryRefused means that the registry refused the credentials.
	ReasonRegistryRefused = "RegistryRefused"
	// ReasonReferenceMissing means that a ConfigMap, Secret or key that the prototype names is not there.
	ReasonReferenceMissing = "ReferenceMissing"
	// ReasonSecretNotGranted means that the team did not grant the operator a Secret that the prototype names.
	ReasonSecretNotGranted = "SecretNotGranted"
	// ReasonNoSandboxTarget means that an integration has no test instance, so that it can't be tried in a sandbox.
	ReasonNoSandboxTarget = "NoSandboxTarget"
	// ReasonDemandMissing means that the prototype does not say what production must carry.
	ReasonDemandMissing = "DemandMissing"
	// ReasonSampleMissing means that the demand does not show what one request looks like.
	ReasonSampleMissing = "SampleMissing"
	// ReasonDataUndeclared means that the prototype names no data, which then counts as the strictest there is.
	ReasonDataUndeclared = "DataUndeclared"
	// ReasonCredentialMissing means that IT's Secret for a catalogue entry is not there.
	ReasonCredentialMissing = "CredentialMissing"
	// ReasonNamespaceConflict means that a namespace of the sandbox's name exists and is not ours.
	ReasonNamespaceConflict = "NamespaceConflict"
	// ReasonObjectConflict means that an object of a name that the operator needs exists and is not ours.
	ReasonObjectConflict = "ObjectConflict"
	// ReasonCrashLooping means that the workload's program keeps ending.
	ReasonCrashLooping = "CrashLooping"
	// ReasonImagePullFailing means that the node can't pull the image.
	ReasonImagePullFailing = "ImagePullFailing"
	// ReasonNotAnswering means that the program runs and does not answer on its port.
	ReasonNotAnswering = "NotAnswering"
	// ReasonPodsRefused means that the cluster refuses to create the pods.
	ReasonPodsRefused = "PodsRefused"
	// ReasonCanaryMissing means that the canary which isolation is measured against can't be found.
	ReasonCanaryMissing = "CanaryMissing"
	// ReasonTooManyAuthors means that the bounded set of authors is full: a new prototype is needed.
	ReasonTooManyAuthors = "TooManyAuthors"
	// ReasonNotRequested means that the team did not ask for it.
	ReasonNotRequested = "NotRequested"
	// ReasonWaitingForSandbox means that a review waits until the workload runs in its sandbox.
	ReasonWaitingForSandbox = "WaitingForSandbox"
)

// Reasons of an AIPrototype's conditions about room, life, access and stops.
const (
	// ReasonTeamAtCapacity means that the team has as many sandboxes, or as much in them, as the policy gives; the
	// prototype waits in a queue.
	ReasonTeamAtCapacity = "TeamAtCapacity"
	// ReasonRuntimeClassMissing means that the cluster lacks the runtime class that the policy wants for the data.
	ReasonRuntimeClassMissing = "RuntimeClassMissing"
	// ReasonEndsSoon means that the sandbox's end is near.
	ReasonEndsSoon = "EndsSoon"
	// ReasonClockDoubted means that the operator's clock and the API server's differ about the sandbox's end, so that
	// nothing is taken down.
	ReasonClockDoubted = "ClockDoubted"
	// ReasonNoPilotGateway means that pilots are named and the policy names no gateway for them.
	ReasonNoPilotGateway = "NoPilotGateway"
	// ReasonGatewayAPIMissing means that the cluster does not have the Gateway API.
	ReasonGatewayAPIMissing = "GatewayAPIMissing"
	// ReasonNoPilotListener means that the gateway that the policy names, or its listener, is not there, or that several
	// could be meant.
	ReasonNoPilotListener = "NoPilotListener"
	// ReasonListenerNotEncrypted means that the listener that the policy names does not speak HTTPS.
	ReasonListenerNotEncrypted = "ListenerNotEncrypted"
	// ReasonPilotsAdmitted means that the gateway took the pilots' route.
	ReasonPilotsAdmitted = "PilotsAdmitted"
	// ReasonRouteRefused means that the gateway does not take the pilots' route, or can't reach what is behind it.
	ReasonRouteRefused = "RouteRefused"
	// ReasonGatewaySilent means that no gateway has said anything about the pilots' route.
	ReasonGatewaySilent = "GatewaySilent"
	// ReasonEmergencyStop means that an EmergencyStop keeps it from running, or cuts off something that it uses.
	ReasonEmergencyStop = "EmergencyStop"
	// ReasonDriftRepaired means that something in the sandbox was not as the operator made it, and was put back.
	ReasonDriftRepaired = "DriftRepaired"
)

// Conditions of an EmergencyStop.
const (
	// ConditionEffective True means that everything in scope was seen to be stopped, or cut off. Unknown means that nobody
	// knows what the scope names.
	ConditionEffective = "Effective"
)

// Reasons of an EmergencyStop's conditions.
const (
	// ReasonStopping means that not everything in scope is stopped or cut off yet.
	ReasonStopping = "Stopping"
	// ReasonStopped means that everything in scope was seen to be stopped, cut off or frozen.
	ReasonStopped = "Stopped"
	// ReasonScopeUnknown means that nobody knows what the scope names: it may be mistyped. The stop holds all the same.
	ReasonScopeUnknown = "ScopeUnknown"
	// ReasonLifted means that a second person lifted the stop.
	ReasonLifted = "Lifted"
)

// Reasons of a HardeningReview's conditions.
const (
	// ReasonMeasuring means that gates are being measured.
	ReasonMeasuring = "Measuring"
	// ReasonQueued means that a measurement waits until fewer others are at work.
	ReasonQueued = "Queued"
	// ReasonAwaitingDecisions means that gates passed and roles have not decided.
	ReasonAwaitingDecisions = "AwaitingDecisions"
	// ReasonGatesFailed means that at least one required gate failed.
	ReasonGatesFailed = "GatesFailed"
	// ReasonGatesInconclusive means that at least one required gate could say nothing.
	ReasonGatesInconclusive = "GatesInconclusive"
	// ReasonAllGatesPassed means that every required gate passed.
	ReasonAllGatesPassed = "AllGatesPassed"
	// ReasonAllRolesApproved means that every required role approved.
	ReasonAllRolesApproved = "AllRolesApproved"
	// ReasonNoApprovalNeeded means that the tier asks for no approval.
	ReasonNoApprovalNeeded = "NoApprovalNeeded"
	// ReasonRejected means that a role rejected the subject.
	ReasonRejected = "Rejected"
	// ReasonSuperseded means that the prototype has another subject now.
	ReasonSuperseded = "Superseded"
	// ReasonWithdrawn means that the team no longer asks for production.
	ReasonWithdrawn = "Withdrawn"
	// ReasonPromoting means that the approved subject is being promoted.
	ReasonPromoting = "Promoting"
	// ReasonPromoted means that the subject serves in production and soaked.
	ReasonPromoted = "Promoted"
	// ReasonRecordMissing means that the record of the review can't be read or does not match.
	ReasonRecordMissing = "RecordMissing"
	// ReasonWithinDue means that nobody is late.
	ReasonWithinDue = "WithinDue"
	// ReasonPastDue means that somebody is late.
	ReasonPastDue = "PastDue"
	// ReasonRolledBack means that the promoted revision misbehaved before it had soaked and was taken back.
	ReasonRolledBack = "RolledBack"
	// ReasonAuthorsKnown means that admission kept the authors all the while, and all of them are people.
	ReasonAuthorsKnown = "AuthorsKnown"
	// ReasonAuthorsUnverified means that somebody else may have written the revision: one more person is needed.
	ReasonAuthorsUnverified = "AuthorsUnverified"
	// ReasonReviewOpened means that the operator began with a review.
	ReasonReviewOpened = "ReviewOpened"
)

// Reasons of a gate that has no verdict on the subject.
const (
	// ReasonNotMeasured means that there is no measurement yet.
	ReasonNotMeasured = "NotMeasured"
	// ReasonMeasurementLost means that the measuring run ended and left nothing that can be used.
	ReasonMeasurementLost = "MeasurementLost"
	// ReasonEvidenceUnverifiable means that the newest measurement can't be verified, or answers another question.
	ReasonEvidenceUnverifiable = "EvidenceUnverifiable"
	// ReasonEvidenceStale means that the newest measurement is too old to say anything.
	ReasonEvidenceStale = "EvidenceStale"
	// ReasonGateUnknown means that this operator can't judge a gate of that type.
	ReasonGateUnknown = "GateUnknown"
)

// Reasons of events on a review that are no reasons of its conditions.
const (
	// EventGatePassed means that a gate passed.
	EventGatePassed = "GatePassed"
	// EventGateFailed means that a gate failed.
	EventGateFailed = "GateFailed"
	// EventGateInconclusive means that a gate could say nothing.
	EventGateInconclusive = "GateInconclusive"
	// EventDecisionCounts means that a person's decision counts.
	EventDecisionCounts = "DecisionCounts"
	// EventDecisionIgnored means that a person's decision does not count.
	EventDecisionIgnored = "DecisionDoesNotCount"
)

// Reasons why a decision does not count.
const (
	// WhyAuthor means that the person is an author of the revision or asked for its review.
	WhyAuthor = "AuthorOfTheRevision"
	// WhyOwningTeam means that the person belongs to the team that owns the prototype.
	WhyOwningTeam = "MemberOfTheOwningTeam"
	// WhyWrongDigest means that the decision speaks of another subject.
	WhyWrongDigest = "AnotherSubject"
	// WhyWrongReview means that the decision speaks of another review of the same name.
	WhyWrongReview = "AnotherReview"
	// WhyNotAPerson means that a service account or a system identity decided.
	WhyNotAPerson = "NotAPerson"
	// WhyNotInRole means that the person is in none of the role's groups.
	WhyNotInRole = "NotInTheRole"
	// WhyRoleNotAsked means that the tier does not ask for this role.
	WhyRoleNotAsked = "RoleNotAsked"
	// WhySecondRole means that the person decided in another role of this review before.
	WhySecondRole = "SecondRoleOfOnePerson"
	// WhyRevoked means that the person took it back.
	WhyRevoked = "Revoked"
	// WhySuspended means that a Revoke or Reject in the same name came while the admission policies were not in place: it
	// may be forged, and it may be true, so the approval does not count until the person decides again.
	WhySuspended = "Suspended"
	// WhyExpired means that the approval is older than approvals count in its tier.
	WhyExpired = "Expired"
	// WhyReplaced means that the person decided again later in the same role.
	WhyReplaced = "Replaced"
	// WhyBeforeReview means that the decision is older than the review.
	WhyBeforeReview = "OlderThanTheReview"
	// WhyUnguarded means that the admission policies were not in place when it was made.
	WhyUnguarded = "GuardsNotInPlace"
	// WhyDeleted means that the decision is gone; it was seen before, and no longer counts.
	WhyDeleted = "Deleted"
	// WhyReviewEnded means that a rejection had ended the review before.
	WhyReviewEnded = "ReviewHadEnded"
	// WhyNothingToRevoke means that the person had no counting decision in that role to take back.
	WhyNothingToRevoke = "NothingToRevoke"
)

// Reasons of a HardeningPolicy's conditions.
const (
	// ReasonPolicyUsable means that the policy was read and can be used.
	ReasonPolicyUsable = "Usable"
	// ReasonExpressionInvalid means that a tier's expression does not compile.
	ReasonExpressionInvalid = "ExpressionInvalid"
	// ReasonSelectorInvalid means that the namespace selector can't be read.
	ReasonSelectorInvalid = "SelectorInvalid"
	// ReasonPolicyInvalid means that the policy contradicts itself; the message says where.
	ReasonPolicyInvalid = "Invalid"
	// ReasonRangeOfCluster means that the catalogue opens addresses of the cluster itself.
	ReasonRangeOfCluster = "RangeOfCluster"
	// ReasonGuardsMeasured means that the guards were seen to work.
	ReasonGuardsMeasured = "Measured"
	// ReasonGuardsChanged means that the admission policies differ from those shipped, or let a forgery through.
	ReasonGuardsChanged = "Changed"
	// ReasonGuardsUnknown means that the guards could not be measured.
	ReasonGuardsUnknown = "Unknown"
)

// Reasons of a promotion.
const (
	// ReasonPreparingProduction means that the production namespace and its policies are being made.
	ReasonPreparingProduction = "PreparingProduction"
	// ReasonRollingOut means that the new revision's pods are starting.
	ReasonRollingOut = "RollingOut"
	// ReasonSoaking means that the new revision is being watched for the soak time.
	ReasonSoaking = "Soaking"
	// ReasonRolloutFailed means that the new revision's pods did not become available in time.
	ReasonRolloutFailed = "RolloutFailed"
	// ReasonSoakFailed means that the new revision misbehaved while it was watched.
	ReasonSoakFailed = "SoakFailed"
	// ReasonApprovalRevoked means that an approval was taken back, or no longer counted, before the revision had soaked.
	ReasonApprovalRevoked = "ApprovalRevoked"
	// ReasonGuardsNotInPlace means that nothing is promoted until the admission policies are in place.
	ReasonGuardsNotInPlace = "GuardsNotInPlace"
	// ReasonNotReadable means that something that a promotion rests on can't be read: what serves is left as it is.
	ReasonNotReadable = "NotReadable"
	// ReasonNotApproved means that gates or decisions, computed anew, do not allow it.
	ReasonNotApproved = "NotApproved"
	// ReasonAnotherUnderWay means that the revision before has to serve, or to be rolled back, first.
	ReasonAnotherUnderWay = "AnotherUnderWay"
	// ReasonDrift means that something in production was not as reviewed, and was put back.
	ReasonDrift = "Drift"
	// ReasonOrphaned means that the prototype is gone while its revision serves in production.
	ReasonOrphaned = "Orphaned"
)

// Gate reasons that no gate has to itself: why a verdict is what it is, and what its findings are.
const (
	// ReasonRequirementInvalid means that what is to be judged against can't be read, so nothing can be judged.
	ReasonRequirementInvalid = "RequirementInvalid"

	// ReasonForbiddenReached means that a target was reached that the network should not let through.
	ReasonForbiddenReached = "ForbiddenTargetReached"
	// ReasonAllowedNotReached means that a target was not reached that the network should let through, so that the
	// silence of the others says nothing.
	ReasonAllowedNotReached = "AllowedTargetNotReached"
	// ReasonNotProven means that a target was not reached, but was not shown to be up meanwhile either.
	ReasonNotProven = "TargetNotProvenUp"
)
