package v1alpha1

// Names that the operator, the admission policies and people share.
const (
	// SystemNamespace is where the operator runs and IT keeps credentials for it.
	SystemNamespace = "affineur-system"
	// RecordsNamespace holds snapshots, reports and outcomes, out of every team's reach.
	RecordsNamespace = "affineur-records"
	// GatesNamespace is where load is generated and the isolation canary listens.
	GatesNamespace = "affineur-gates"

	// SandboxPrefix begins the name of every sandbox namespace.
	SandboxPrefix = "affx-"
	// ProductionPrefix begins the name of every production namespace.
	ProductionPrefix = "affp-"
	// RehearsalPrefix begins the name of every rehearsal namespace.
	RehearsalPrefix = "affr-"

	// ManagedBy is the value of app.kubernetes.io/managed-by on everything that the operator owns.
	ManagedBy = "affineur"
)

// Label keys.
const (
	// LabelManagedBy marks what the operator owns.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelName and LabelInstance are the recommended labels of pods.
	LabelName = "app.kubernetes.io/name"
	// LabelInstance names the prototype.
	LabelInstance = "app.kubernetes.io/instance"
	// LabelComponent tells parts of one prototype apart: prototype, probe, load, integration.
	LabelComponent = "app.kubernetes.io/component"
	// LabelAggregateToReads on a ClusterRole adds it to what gates of type Resource may read; IT sets it.
	LabelAggregateToReads = "affineur.dev/aggregate-to-reads"
	// LabelTeam on a namespace names the team; IT sets it.
	LabelTeam = "affineur.dev/team"
	// LabelPurpose on a managed namespace: sandbox, production, rehearsal, records or gates.
	LabelPurpose = "affineur.dev/purpose"
	// LabelPrototype is the prototype's name, cut to 63 characters.
	LabelPrototype = "affineur.dev/prototype"
	// LabelPrototypeNamespace is the prototype's namespace.
	LabelPrototypeNamespace = "affineur.dev/prototype-namespace"
	// LabelPrototypeUID is the prototype's UID: the one proof of ownership.
	LabelPrototypeUID = "affineur.dev/prototype-uid"
	// LabelReview is the ordinal of the review that a record or a run belongs to.
	LabelReview = "affineur.dev/review"
	// LabelSite is "played" on a rehearsal namespace in which a run plays the prototype's systems.
	LabelSite = "affineur.dev/site"
	// LabelGate is the gate that a run or a report belongs to.
	LabelGate = "affineur.dev/gate"
	// LabelPortForward is "true" on a sandbox namespace where the policy lets the team forward a port.
	LabelPortForward = "affineur.dev/port-forward"
	// LabelInForce on an EmergencyStop is "true" until it is lifted; admission keeps it.
	LabelInForce = "affineur.dev/in-force"
	// LabelOrphaned is "true" on a production namespace whose prototype is gone; it keeps serving.
	LabelOrphaned = "affineur.dev/orphaned"
)

// Values of LabelPurpose.
const (
	PurposeSandbox    = "sandbox"
	PurposeProduction = "production"
	PurposeRehearsal  = "rehearsal"
	PurposeRecords    = "records"
	PurposeGates      = "gates"
)

// Annotation keys.
const (
	// AnnotationAuthors is the set of people who wrote the prototype's spec, one a line, kept by admission.
	AnnotationAuthors = "affineur.dev/authors"
	// AnnotationRequestedBy is who asked for production, stamped by admission.
	AnnotationRequestedBy = "affineur.dev/requested-by"
	// AnnotationRequestedAt asks for a new look, echoed in status.lastHandledRequestedAt.
	AnnotationRequestedAt = "affineur.dev/requestedAt"
	// AnnotationSubject is the subject digest that an object was rendered from.
	AnnotationSubject = "affineur.dev/subject"
	// AnnotationNonce is the nonce of a measuring run.
	AnnotationNonce = "affineur.dev/nonce"
	// AnnotationWitnessed on a control's pod says when the run ended that it bears witness for, by which it ends, too.
	AnnotationWitnessed = "affineur.dev/witnessed"
	// AnnotationRecord on a production namespace names the record that serves there: the one memory of what
	// runs in production, independent of every view.
	AnnotationRecord = "affineur.dev/record"
	// AnnotationPromotion on a production namespace is the rest of that memory: since when, what served before,
	// what was rolled back and why.
	AnnotationPromotion = "affineur.dev/promotion"
	// AnnotationRetire on an orphaned production namespace, "true", asks the operator to take it down, pods first. Whoever
	// manages installations sets it.
	AnnotationRetire = "affineur.dev/retire"
	// AnnotationPilots on a sandbox's HTTPRoute are the groups of people that the organisation's sign-in lets through,
	// one a line.
	AnnotationPilots = "affineur.dev/pilots"
	// AnnotationReach on a managed namespace is whose its pods are, what they run and where they may go: what emergency
	// stops are matched against. On a pod of a sandbox it is what that pod was rendered with, whatever its prototype says by
	// now.
	AnnotationReach = "affineur.dev/reach"
	// AnnotationCutOff on a pod tells that it started after an emergency stop cut its network, and after which.
	AnnotationCutOff = "affineur.dev/cut-off"
	// AnnotationSevered on a managed namespace is what was last measured of a cut.
	AnnotationSevered = "affineur.dev/severed"
	// AnnotationModelDrift on a production namespace is what was last found out about the model behind what serves there.
	AnnotationModelDrift = "affineur.dev/model-drift"
	// AnnotationInputs is the digest of what a measuring run was made under.
	AnnotationInputs = "affineur.dev/inputs"
)

// Finalizers.
const (
	// FinalizerSandbox on an AIPrototype holds it until its sandbox is gone, pods first.
	FinalizerSandbox = "affineur.dev/sandbox"
)

// The isolation canary: one pod outside every sandbox that answers on two ports, over TCP and UDP.
const (
	// CanaryService is its Service in the gates namespace.
	CanaryService = "affineur-canary"
	// CanaryDeniedPort is what a sandbox must not reach.
	CanaryDeniedPort = 8081
	// CanaryAllowedPort is what a probe, and only a probe, is let through to: the positive control.
	CanaryAllowedPort = 8082
	// ProbeClosedPort is where a probe listens and nobody may reach it, and ProbeOpenPort where its control may.
	ProbeClosedPort = 8083
	ProbeOpenPort   = 8084
	// KubeletPort is where a node's kubelet listens.
	KubeletPort = 10250
	// RunnerAccount is the ServiceAccount without rights of runs in the gates namespace.
	RunnerAccount = "runner"
)

// RoleResource is the virtual resource on which a reviewer needs the verb approve.
const RoleResource = "hardeningroles"
