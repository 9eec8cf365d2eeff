package sandbox

import (
	"net/netip"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// Settings are what the installation says, once for all prototypes.
type Settings struct {
	// RunnerImage measures isolation.
	RunnerImage string
	// APIServer is the host:port of the API server's Service, an IP address: a sandbox must not reach it.
	APIServer string
	// Beyond is an address outside the cluster that a sandbox must not reach; not tried where it is not valid.
	Beyond netip.AddrPort
	// MeasureEvery is how old a measurement of isolation may become.
	MeasureEvery time.Duration
	// Bench holds the instruments, which judge early what needs no measurement.
	Bench assess.Bench
}

// Snapshot is everything that a decision rests on, read at one time. Nothing in it is written to.
type Snapshot struct {
	Settings  Settings
	Prototype *v1alpha1.AIPrototype
	Identity  names.Identity
	// Failed is why not everything could be read: then only what must not run is stopped. Late is what could not be read
	// and is looked at again, while all else goes on.
	Failed, Late error

	// Policy that governs, nil where none does. Unread is true while the operator has not read its newest
	// generation.
	Policy *v1alpha1.HardeningPolicy
	Unread bool
	// Problems keep this spec from running. Requirements are complete only without problems.
	Problems     []policy.Problem
	Requirements policy.Requirements
	// Answers of the policy about data.
	Answers []string

	Image      Image
	References References
	// Subject is nil where a problem, or an image that is not resolved yet, leaves it unknown.
	Subject       *subject.Subject
	SubjectDigest string
	// ReviewDigest of the subject and the requirements, without any doubt about the authors.
	ReviewDigest string

	// Made is when the sandbox's namespace was made, if that was on this pass.
	Made time.Time
	// Namespace of the sandbox's name, and of production's, whoever made them; nil where absent.
	Namespace, Production *corev1.Namespace
	// TeamLeaving is true where the team's own namespace is going, or gone.
	TeamLeaving bool
	// TeamLabel is the team that the prototype's namespace names.
	TeamLabel string
	// Stops are all emergency stops.
	Stops      []v1alpha1.EmergencyStop
	Deployment *appsv1.Deployment
	Pods       []corev1.Pod
	// Boots are the present starts of the nodes on which something of the prototype runs.
	Boots map[string]string
	// Present are the RoleBindings and NetworkPolicies in the sandbox.
	Present []client.Object
	// RoutesServed is true where the cluster has HTTPRoutes; Route is the pilots', nil where absent. Gateway is the one
	// that the policy names, nil where absent and where nobody invites.
	RoutesServed bool
	Route        *gatewayv1.HTTPRoute
	Gateway      *gatewayv1.Gateway

	// Inputs is the digest of what a measurement would be made under; empty where it can't be made.
	Inputs          string
	Inside, Control Probe

	// Team is what the other prototypes of the team have, and wait for, of its room.
	Team []stake

	// Witness is the time of a second clock; zero where nothing rests on it.
	Witness time.Time

	// Reviews of this prototype, oldest first.
	Reviews []v1alpha1.HardeningReview
	// Records are nil where the decision does not need them.
	Records *Records
}

// Image is what the spec's image resolved to.
type Image struct {
	Requested, Resolved string
	At                  time.Time
	// Pending is true while an answer of the registry is wanted and was not given. Resolved may then still hold
	// what the same tag stood for before.
	Pending bool
	// Problem is why, and RetryAt when the registry is asked again.
	Problem *policy.Problem
	RetryAt time.Time
}

// References are what the spec and the policy name outside the prototype, read live and not on every pass.
type References struct {
	// Body of the sample request.
	Body string
	// Examples of the evaluation.
	Examples evaluationSet
	// Keys of the team's Secrets by name.
	Keys map[string][]string
	// Made are the sandbox's Secrets. Between two readings only their digest is known.
	Made credentials.Made
	// Live is true where they were read for this snapshot.
	Live bool
	// Problems of what is named and not there. Foreseen are those that only production will have.
	Problems, Foreseen []policy.Problem
	// Canary is the address of the isolation canary, an IP; empty where it is not there. CanarySecond is its address
	// of the other family; empty where the cluster has one.
	Canary, CanarySecond string
	// Until they are to be read again.
	Until time.Time
}

// Probe is one of the two runs that measure isolation.
type Probe struct {
	run.Result
	// Inputs and Request are what the run was made for; "" where there are several attempts, of which none counts.
	Inputs, Request string
	// Jobs are its attempts.
	Jobs []batchv1.Job
}

// Records are what the records namespace holds about reviews of this prototype.
type Records struct {
	// Newest record that can be read, nil where there is none.
	Newest *record.Record
	// Last is the highest ordinal that was ever used.
	Last int
	// Outcome of the newest record, empty while its review is open.
	Outcome record.Outcome
	// Created is when the newest record was made.
	Created time.Time
	// Doubt about the authors of the present subject, and the review digest with it.
	Doubt, ReviewDigest string
	// Promoted are the records of what serves or served last, and of what was promoted before it, newest first, by their outcomes.
	// Baselines are how they answered, by the gates of the next review that compare.
	Promoted  []*appsv1.ControllerRevision
	Baselines map[string]record.Baseline
}

// container is the workload's container, nil for a stated need.
func (s Snapshot) container() *v1alpha1.Container {
	if s.Prototype.Spec.Workload == nil {
		return nil
	}
	return s.Prototype.Spec.Workload.Container
}

// request is the annotation that asks for a new look, cut to what its echo holds.
func (s Snapshot) request() string {
	return evidence.Clean(s.Prototype.Annotations[v1alpha1.AnnotationRequestedAt], 64)
}

// asked is true while a request for a new look is not handled.
func (s Snapshot) asked() bool {
	return s.request() != "" && s.request() != s.Prototype.Status.LastHandledRequestedAt
}

func (s Snapshot) deleting() bool { return !s.Prototype.DeletionTimestamp.IsZero() }

func (s Snapshot) wantsProduction() bool {
	return s.Prototype.Spec.Target == v1alpha1.TargetProduction
}

// ours tells whether a namespace is this prototype's.
func (s Snapshot) ours(namespace *corev1.Namespace) bool {
	identity, managed := names.FromLabels(namespace.Labels)
	return managed && identity.UID == s.Identity.UID
}

// exists is true while the sandbox's own namespace is there, also while it is being deleted.
func (s Snapshot) exists() bool { return s.Namespace != nil && s.ours(s.Namespace) }

// promoted is true while the prototype's production namespace is there.
func (s Snapshot) promoted() bool { return s.inProduction() != nil }

// inProduction is the prototype's production namespace; nil where there is none.
func (s Snapshot) inProduction() *corev1.Namespace {
	if s.Production == nil || !s.ours(s.Production) {
		return nil
	}
	return s.Production
}

// outliving is true while a deleted prototype has to wait for production: its team retired it, and without the
// prototype nobody would take it down. Where the whole namespace goes, production is left to serve as an orphan.
func (s Snapshot) outliving() bool {
	return s.deleting() && s.Prototype.Spec.Target == v1alpha1.TargetRetired && s.promoted() && !s.TeamLeaving
}

// running is true where the workload was started and not stopped.
func (s Snapshot) running() bool {
	return s.Deployment != nil && (s.Deployment.Spec.Replicas == nil || *s.Deployment.Spec.Replicas > 0)
}

// measured is the newest verdict on isolation, nil without one.
func (s Snapshot) measured() *v1alpha1.IsolationStatus {
	if s.Prototype.Status.Sandbox == nil {
		return nil
	}
	return s.Prototype.Status.Sandbox.Isolation
}

// authors of the spec, as admission keeps them.
func (s Snapshot) authors() []string {
	kept := s.Prototype.Annotations[v1alpha1.AnnotationAuthors]
	if kept == "" {
		return nil
	}
	return strings.Split(kept, "\n")
}

// newest review, nil without one.
func (s Snapshot) newest() *v1alpha1.HardeningReview {
	if len(s.Reviews) == 0 {
		return nil
	}
	return &s.Reviews[len(s.Reviews)-1]
}

// surroundings of the workload in its sandbox.
func (s Snapshot) surroundings() workload.Surroundings {
	return workload.Surroundings{
		Identity: s.Identity, Namespace: s.Identity.Sandbox(), Purpose: v1alpha1.PurposeSandbox,
		Requirements: s.Requirements, SubjectDigest: s.SubjectDigest, SecretsDigest: s.References.Made.Digest,
		Severed: s.severance(),
	}
}

// portForward tells whether the team's people may open a port to the prototype.
func (s Snapshot) portForward() bool { return s.Policy.Spec.Sandbox.Access.PortForward }
