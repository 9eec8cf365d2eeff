package review

import (
	"net/netip"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/stop"
)

// Settings are what the installation says, once for all reviews.
type Settings struct {
	// RunnerImage measures.
	RunnerImage string
	// APIServer is the host:port of the API server's Service, an IP address: nothing in production may reach it.
	APIServer string
	// Beyond is an address outside the cluster that nothing in production may reach unless it is declared; not tried where it is
	// not valid.
	Beyond netip.AddrPort
	// Bench holds the instruments that measure and judge.
	Bench assess.Bench
	// RunsAtMost is how many measurements of all reviews may be at work at the same time.
	RunsAtMost int
}

// Snapshot is everything that a decision rests on, read at one time. Nothing in it is written to.
type Snapshot struct {
	Settings Settings
	Review   *v1alpha1.HardeningReview

	// Record is nil where it can't be read or does not match; RecordProblem says why.
	Record        *record.Record
	RecordProblem string
	// Sealed is the outcome in the records, nil while the review is open.
	Sealed *record.Outcome

	Prototype Prototype
	// Stops are the effects of the emergency stops on the reviewed subject.
	Stops stop.Effects
	// Severed are the judges' gateways that a stop cuts off. That concerns the runs that ask them and nothing else.
	Severed []string
	// Newer is the name of a later review of another subject of the same prototype, or of the one that let in what
	// the prototype went back to; "" without one.
	Newer     string
	Decisions []v1alpha1.HardeningDecision
	Guards    assess.Guards
	Reports   []record.Report
	// Measured holds, for every gate that is measured by runs, the attempt that is made next or at work.
	Measured []Measuring
	// AtWork is how many measurements of other reviews are at work.
	AtWork  int
	Sandbox Sandbox
	// Canary is the address of the isolation canary, an IP; empty where it is not there.
	Canary string
	// Elsewhere is what a rehearsal must not reach besides.
	Elsewhere Elsewhere
	Rehearsal Place
	// Furnished is for which site the rehearsal namespace was made.
	Furnished gate.Site
	// Leftovers are this review's Jobs and openings in the gates namespace that no run needs any more; all of them
	// once the review has ended.
	Leftovers []client.Object
}

// Prototype is what the review needs to know of it.
type Prototype struct {
	// Exists is false where it is gone, or another of its name was made.
	Exists, Deleting bool
	Target           v1alpha1.Target
	// RequestedAt is when a new look was asked for; zero where it was not, or the time can't be read.
	RequestedAt time.Time
}

// Sandbox is what runs in the prototype's sandbox.
type Sandbox struct {
	// Reviewed means that the reviewed subject, and nothing else, was started there. Answering means that it does
	// answer as well. Why says what is missing.
	Reviewed, Answering bool
	Why                 string
	// NewestPod is when the newest of its pods was made. A measurement that began before is one of something else.
	NewestPod time.Time
	// Away means that nothing of the reviewed subject is to run there at present.
	Away bool
	// Replicas that it is to have, and Pods that are there and don't leave. Homeless are those for which no node has room; Refused is why no
	// more of them can be made, empty where nothing is in the way.
	Replicas, Pods, Homeless int32
	Refused                  string
}

// there tells whether the reviewed subject runs in the sandbox and answers.
func (s Sandbox) there() bool { return s.Reviewed && s.Answering }

// Place is the state of the rehearsal namespace.
type Place string

const (
	// PlaceAbsent means: there is none.
	PlaceAbsent Place = "Absent"
	// PlaceOurs means: it is this review's.
	PlaceOurs Place = "Ours"
	// PlaceOthers means: it is another review's of the same prototype, which is over.
	PlaceOthers Place = "Others"
	// PlaceLeaving means: it is being deleted.
	PlaceLeaving Place = "Leaving"
	// PlaceForeign means: somebody else made it.
	PlaceForeign Place = "Foreign"
)

// ended is true once the outcome is in the status: from then on only what was left behind is cleared away.
func (s Snapshot) ended() bool { return s.Review.Status.Outcome != "" }

// promoting tells whether the promotion controller is at work on it or has been.
func (s Snapshot) promoting() bool {
	promotion := s.Review.Status.Promotion
	return promotion != nil && promotion.IntentAt != nil
}

func (s Snapshot) step() v1alpha1.PromotionStep {
	if s.Review.Status.Promotion == nil {
		return ""
	}
	return s.Review.Status.Promotion.Step
}

// opening is a network policy of a run that was made under a run's name.
func opening(object client.Object) bool {
	_, ok := object.(*networkingv1.NetworkPolicy)
	return ok
}

// sandboxOf compares what was started in the sandbox with what is reviewed.
func sandboxOf(rec record.Record, deployment appsv1.Deployment, pods []corev1.Pod) Sandbox {
	out := Sandbox{Replicas: ptr.Deref(deployment.Spec.Replicas, 1), Refused: refused(deployment)}
	for i := range pods {
		if pods[i].CreationTimestamp.After(out.NewestPod) {
			out.NewestPod = pods[i].CreationTimestamp.Time
		}
		if ended := pods[i].Status.Phase == corev1.PodFailed || pods[i].Status.Phase == corev1.PodSucceeded; ended || !pods[i].DeletionTimestamp.IsZero() {
			continue
		}
		out.Pods++
		if run.Homeless(&pods[i]) {
			out.Homeless++
		}
	}
	status, wanted := deployment.Status, ptr.Deref(deployment.Spec.Replicas, 1)
	switch {
	case deployment.Annotations[v1alpha1.AnnotationSubject] != rec.SubjectDigest,
		deployment.Spec.Template.Annotations[v1alpha1.AnnotationSubject] != rec.SubjectDigest:
		out.Away, out.Why = true, "another revision runs there."
	case wanted == 0:
		out.Away, out.Why = true, "the workload is stopped."
	case status.ObservedGeneration != deployment.Generation || status.UpdatedReplicas < wanted || status.Replicas > status.UpdatedReplicas:
		out.Why = "this revision is starting there."
	case status.AvailableReplicas < wanted:
		out.Reviewed, out.Why = true, "the program does not answer."
	default:
		out.Reviewed, out.Answering = true, true
	}
	return out
}

// refused is why the cluster makes no more pods, such as a quota.
func refused(deployment appsv1.Deployment) string {
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return condition.Message
		}
	}
	return ""
}

// furnishedFor tells for which site a rehearsal namespace was made.
func furnishedFor(namespace *corev1.Namespace) gate.Site {
	if namespace.Labels[v1alpha1.LabelSite] == sitePlayed {
		return gate.SitePlayed
	}
	return gate.SiteRehearsal
}

// sitePlayed is the value of the label of a namespace in which systems are played.
const sitePlayed = "played"

// placeOf tells whose the rehearsal namespace is.
func placeOf(namespace *corev1.Namespace, identity names.Identity, ordinal int) Place {
	owner, managed := names.FromLabels(namespace.Labels)
	switch {
	case !managed || owner.UID != identity.UID:
		return PlaceForeign
	case !namespace.DeletionTimestamp.IsZero():
		return PlaceLeaving
	case namespace.Labels[v1alpha1.LabelReview] != strconv.Itoa(ordinal):
		return PlaceOthers
	}
	return PlaceOurs
}

// needs tells whether the run that is made next, or at work, is the one that an object belongs to.
func (s Snapshot) needs(object client.Object) bool {
	// Under an emergency stop that cuts something off nothing is measured: it would measure the stop.
	if s.ended() || s.Stops.Severs() {
		return false
	}
	for _, m := range s.Measured {
		if r := m.Current; r != nil && (r.Name == object.GetName() || r.Control != nil && r.Control.Name == object.GetName()) {
			return true
		}
	}
	return false
}
