package review

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
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
	// Newer is the name of a later review of another subject of the same prototype, or of the one that let in what
	// the prototype went back to; "" without one.
	Newer     string
	Decisions []v1alpha1.HardeningDecision
	Guards    assess.Guards
	Reports   []record.Report
	// Runs by kind: the run that is or would be made next, and what is known of it.
	Runs map[evidence.Kind]Run
	// Control is the run that reaches, meanwhile, what the integration run must not reach.
	Control Run
	Sandbox Sandbox
	// Canary is the address of the isolation canary, an IP; empty where it is not there.
	Canary    string
	Rehearsal Place
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

// Run is one attempt to measure.
type Run struct {
	run.Result
	// Name of the Job and of its report, and which attempt it is, from 1.
	Name    string
	Attempt int
}

// Sandbox is what runs in the prototype's sandbox.
type Sandbox struct {
	// Reviewed means that the reviewed subject, and nothing else, was started there. Answering means that it does
	// answer as well. Why says what is missing.
	Reviewed, Answering bool
	Why                 string
	// NewestPod is when the newest of its pods was made. A measurement that began before is one of something else.
	NewestPod time.Time
}

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

// measurement is a gate that is measured by a run.
type measurement struct {
	kind   evidence.Kind
	gate   v1alpha1.GateType
	report string
}

// measurements in the order in which they are shown.
var measurements = []measurement{
	{evidence.KindLoad, v1alpha1.GateScalability, assess.ReportLoad},
	{evidence.KindIntegration, v1alpha1.GateIntegration, assess.ReportIntegration},
}

// key tells the runs of one review from those of every other, also of one of the same name made later.
func key(review *v1alpha1.HardeningReview) string {
	sum := sha256.Sum256([]byte(string(review.UID) + " " + review.Spec.ReviewDigest))
	return hex.EncodeToString(sum[:4])
}

// runName is the name of the given attempt's Job and of its report.
func runName(rec record.Record, review *v1alpha1.HardeningReview, kind evidence.Kind, attempt int) string {
	return rec.Prototype.Run(string(kind), fmt.Sprintf("%s-%d", key(review), attempt))
}

// controlName is the name of the control's Job of an attempt and of its report.
func controlName(rec record.Record, review *v1alpha1.HardeningReview, attempt int) string {
	return rec.Prototype.Run("control", fmt.Sprintf("%s-%d", key(review), attempt))
}

// next is the first attempt of a kind that has no report.
func next(rec record.Record, review *v1alpha1.HardeningReview, reports []record.Report, kind evidence.Kind) Run {
	for attempt := 1; ; attempt++ {
		name := runName(rec, review, kind, attempt)
		if !slices.ContainsFunc(reports, func(r record.Report) bool { return r.Name == name }) {
			return Run{Name: name, Attempt: attempt}
		}
	}
}

// made are the times of this review's reports of a kind, in the order of the attempts.
func (s Snapshot) made(kind evidence.Kind) []time.Time {
	var times []time.Time
	for attempt := 1; attempt < s.Runs[kind].Attempt; attempt++ {
		name := runName(*s.Record, s.Review, kind, attempt)
		for _, report := range s.Reports {
			if report.Name == name {
				times = append(times, report.MeasuredAt)
			}
		}
	}
	return times
}

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
	var out Sandbox
	for _, pod := range pods {
		if pod.CreationTimestamp.After(out.NewestPod) {
			out.NewestPod = pod.CreationTimestamp.Time
		}
	}
	status, wanted := deployment.Status, ptr.Deref(deployment.Spec.Replicas, 1)
	switch {
	case deployment.Annotations[v1alpha1.AnnotationSubject] != rec.SubjectDigest,
		deployment.Spec.Template.Annotations[v1alpha1.AnnotationSubject] != rec.SubjectDigest:
		out.Why = "another revision runs there."
	case wanted == 0:
		out.Why = "the workload is stopped."
	case status.ObservedGeneration != deployment.Generation || status.UpdatedReplicas < wanted || status.Replicas > status.UpdatedReplicas:
		out.Why = "this revision is starting there."
	case status.AvailableReplicas < wanted:
		out.Reviewed, out.Why = true, "the program does not answer."
	default:
		out.Reviewed, out.Answering = true, true
	}
	return out
}

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
	for _, attempt := range append(slices.Collect(maps.Values(s.Runs)), s.Control) {
		if attempt.Name == object.GetName() {
			return true
		}
	}
	return false
}
