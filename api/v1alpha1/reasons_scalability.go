package v1alpha1

// Reasons of gates of type Scalability about several replicas.
const (
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
