package v1alpha1

// Reasons of gates of type Scalability.
const (
	// ReasonSustainsDemand means that the subject carried the declared demand with headroom, as fast as promised.
	ReasonSustainsDemand = "SustainsDemand"
	// ReasonTooSlow means that fewer than 95 of 100 answers came within the promised time.
	ReasonTooSlow = "TooSlow"
	// ReasonTooManyErrors means that a larger share of requests failed than is allowed.
	ReasonTooManyErrors = "TooManyErrors"
	// ReasonTooFewRequests means that too few requests were sent to tell.
	ReasonTooFewRequests = "TooFewRequests"
	// ReasonGeneratorLimited means that the load generator and not the subject was the bottleneck.
	ReasonGeneratorLimited = "GeneratorLimited"
	// ReasonCutShort means that the measurement was stopped before its end.
	ReasonCutShort = "MeasurementCutShort"
	// ReasonNoAnswerAlone means that not one good answer came while nothing else was asked, so that there is nothing that answers
	// under load can be compared with.
	ReasonNoAnswerAlone = "NoAnswerAlone"
	// ReasonMeasuredBelowDemand means that less was sent than the demand with headroom.
	ReasonMeasuredBelowDemand = "MeasuredBelowDemand"
	// ReasonMeasuredAboveDemand means that the subject failed at a rate above its demand, which was chosen to get
	// enough requests in the given time: it says nothing about the demand.
	ReasonMeasuredAboveDemand = "MeasuredAboveDemand"

	// ReasonWorseWithReplicas means that the promises are kept with fewer replicas, and not with as many as production has at least;
	// as a remark beside a gate that passed, that production is kept to fewer for it.
	ReasonWorseWithReplicas = "WorseWithReplicas"
	// ReasonReplicasShare means that several replicas carry hardly more than one of them: they wait for something that they share.
	ReasonReplicasShare = "ReplicasShare"
	// ReasonNoRoomForReplicas means that neither cluster nor team had room to measure several replicas.
	ReasonNoRoomForReplicas = "NoRoomForReplicas"
	// ReasonNearLimit means that the prototype's pods used nine tenths or more of what limits their CPU or memory: beside a gate
	// that passed.
	ReasonNearLimit = "NearLimit"
)
