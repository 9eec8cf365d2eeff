package review

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// indexReview is the field by which decisions are found.
const indexReview = "spec.review.name"

// indexAtWork finds the Jobs of reviews that have not ended, under the one value atWork.
const (
	indexAtWork = "review.at-work"
	atWork      = "yes"
)

// observer makes all reads of a review, and nothing else.
type observer struct {
	// Reader reads from the cache, Live past it: Secrets, records and what others make are in no cache.
	Reader, Live client.Reader
	Collector    Collector
	Meter        Meter
	Readings     *readings
	Settings     Settings
	Now          func() time.Time
	Lookup       Lookup
	Hosts        *hosts
}

// observe reads everything that the decision rests on. An error means that the API server could not be read; what is
// not there is a value.
func (o observer) observe(ctx context.Context, review *v1alpha1.HardeningReview) (Snapshot, error) {
	s := Snapshot{Settings: o.Settings, Review: review, Guards: guard.State{}}
	if s.ended() {
		return s, o.remains(ctx, &s, identityOf(review))
	}
	for _, look := range []func(context.Context, *Snapshot) error{o.record, o.prototype, o.siblings, o.decisions} {
		if err := look(ctx, &s); err != nil {
			return s, err
		}
	}
	if s.Record == nil {
		return s, nil
	}
	for _, look := range []func(context.Context, *Snapshot) error{o.stops, o.outcome, o.reports, o.canary, o.runs, o.sandbox, o.atWork} {
		if err := look(ctx, &s); err != nil {
			return s, err
		}
	}
	return s, o.remains(ctx, &s, s.Record.Prototype)
}

// identityOf the prototype of a review. It is used only to find what belongs to it, never to decide.
func identityOf(review *v1alpha1.HardeningReview) names.Identity {
	return names.Identity{Namespace: review.Namespace, Name: review.Spec.Prototype.Name, UID: review.Spec.Prototype.UID}
}

// record reads the record past the cache and verifies it. A review is a view: what binds is the record.
func (o observer) record(ctx context.Context, s *Snapshot) error {
	var object appsv1.ControllerRevision
	err := o.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: s.Review.Spec.Record}, &object)
	if apierrors.IsNotFound(err) {
		s.RecordProblem = "it is not there"
		return nil
	}
	if err != nil {
		return err
	}
	rec, err := record.Read(&object)
	if err == nil {
		err = rec.Matches(s.Review)
	}
	if errors.Is(err, record.ErrMismatch) {
		s.RecordProblem = "it does not say what the review says"
		return nil
	}
	if err != nil {
		return err
	}
	s.Record = &rec
	return nil
}

// stops that concern the subject, in its sandbox or in production.
func (o observer) stops(ctx context.Context, s *Snapshot) error {
	var list v1alpha1.EmergencyStopList
	if err := o.Reader.List(ctx, &list); err != nil || len(list.Items) == 0 {
		return err
	}
	var team corev1.Namespace
	if err := o.Reader.Get(ctx, client.ObjectKey{Name: s.Record.Prototype.Namespace}, &team); client.IgnoreNotFound(err) != nil {
		return err
	}
	facts := stop.ReachOf(s.rehearsal(), s.Record.Subject.Container.Image).Facts().OfTeam(team.Labels[v1alpha1.LabelTeam])
	for _, integration := range s.Record.Requirements.Integrations {
		facts.Integrations = append(facts.Integrations, integration.Name)
	}
	s.Stops = stop.Of(list.Items, facts)
	for _, judge := range s.Record.Requirements.Judges {
		if stop.Of(list.Items, stop.Facts{Gateways: []string{judge.Name}}).Severs() {
			s.Severed = append(s.Severed, judge.Name)
		}
	}
	return nil
}

// severed tells whether an emergency stop cuts off what the review's rehearsal namespace says it reaches, without its record.
func (o observer) severed(ctx context.Context, review *v1alpha1.HardeningReview) (bool, error) {
	var list v1alpha1.EmergencyStopList
	if err := o.Reader.List(ctx, &list); err != nil || len(list.Items) == 0 {
		return false, err
	}
	identity := identityOf(review)
	var namespace, team corev1.Namespace
	err := o.Reader.Get(ctx, client.ObjectKey{Name: identity.Rehearsal()}, &namespace)
	if err != nil || placeOf(&namespace, identity, ordinal(review)) != PlaceOurs {
		return false, client.IgnoreNotFound(err)
	}
	_, facts := stop.Read(&namespace)
	err = client.IgnoreNotFound(o.Reader.Get(ctx, client.ObjectKey{Name: identity.Namespace}, &team))
	facts.Unknown = facts.Unknown || err != nil
	return stop.Of(list.Items, facts.OfTeam(team.Labels[v1alpha1.LabelTeam])).Severs(), nil
}

func (o observer) outcome(ctx context.Context, s *Snapshot) error {
	var object appsv1.ControllerRevision
	err := o.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: record.OutcomeName(s.Record.Name())}, &object)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	sealed, err := record.ReadOutcome(&object)
	if err != nil {
		return err
	}
	s.Sealed = &sealed
	return nil
}

func (o observer) prototype(ctx context.Context, s *Snapshot) error {
	var prototype v1alpha1.AIPrototype
	err := o.Reader.Get(ctx, client.ObjectKey{Namespace: s.Review.Namespace, Name: s.Review.Spec.Prototype.Name}, &prototype)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if string(prototype.UID) != s.Review.Spec.Prototype.UID {
		return nil
	}
	if s.Newer, err = o.wentBack(ctx, s, &prototype); err != nil {
		return err
	}
	s.Prototype = Prototype{Exists: true, Deleting: !prototype.DeletionTimestamp.IsZero(), Target: prototype.Spec.Target}
	// What is no time asks for nothing.
	if at, err := time.Parse(time.RFC3339, prototype.Annotations[v1alpha1.AnnotationRequestedAt]); err == nil {
		s.Prototype.RequestedAt = at
	}
	return nil
}

// wentBack is the review that let in what serves in production, where the prototype has gone back to that subject: no
// later review will be opened. The cache may show the prototype as it was before this review, so it is asked anew.
func (o observer) wentBack(ctx context.Context, s *Snapshot, prototype *v1alpha1.AIPrototype) (string, error) {
	if servedBy(s.Review, prototype) == "" {
		return "", nil
	}
	var now v1alpha1.AIPrototype
	if err := o.Live.Get(ctx, client.ObjectKeyFromObject(prototype), &now); err != nil {
		return "", client.IgnoreNotFound(err)
	}
	return servedBy(s.Review, &now), nil
}

// servedBy is the other review whose subject serves and is the prototype's present one; "" without one.
func servedBy(review *v1alpha1.HardeningReview, prototype *v1alpha1.AIPrototype) string {
	status := prototype.Status
	if status.Production == nil || status.ObservedGeneration != prototype.Generation ||
		status.Production.SubjectDigest != status.SubjectDigest || status.SubjectDigest == review.Spec.SubjectDigest ||
		status.Production.Review == review.Name {
		return ""
	}
	return status.Production.Review
}

// siblings looks for a later review of another subject of the same prototype.
func (o observer) siblings(ctx context.Context, s *Snapshot) error {
	var reviews v1alpha1.HardeningReviewList
	uid := s.Review.Spec.Prototype.UID
	err := o.Reader.List(ctx, &reviews, client.InNamespace(s.Review.Namespace), client.MatchingLabels{v1alpha1.LabelPrototypeUID: uid})
	if err != nil {
		return err
	}
	newest := ordinal(s.Review)
	for i := range reviews.Items {
		other := &reviews.Items[i]
		if other.Spec.Prototype.UID == uid && other.Spec.ReviewDigest != s.Review.Spec.ReviewDigest && ordinal(other) > newest {
			s.Newer, newest = other.Name, ordinal(other)
		}
	}
	return nil
}

// ordinal of a review, from its name; 0 where it has none.
func ordinal(review *v1alpha1.HardeningReview) int {
	n, err := strconv.Atoi(strings.TrimPrefix(review.Name, review.Spec.Prototype.Name+"-"))
	if err != nil {
		return 0
	}
	return n
}

// decisions on the review, and the guards under which they were made. One that was seen and is missing in the cache
// is looked for past it before it counts as deleted: another replica's cache may have been ahead of this one's.
func (o observer) decisions(ctx context.Context, s *Snapshot) error {
	var list v1alpha1.HardeningDecisionList
	err := o.Reader.List(ctx, &list, client.InNamespace(s.Review.Namespace), client.MatchingFields{indexReview: s.Review.Name})
	if err != nil {
		return err
	}
	s.Decisions = list.Items
	for _, seen := range s.Review.Status.Decisions {
		if seen.Why == v1alpha1.WhyDeleted || slices.ContainsFunc(s.Decisions, func(d v1alpha1.HardeningDecision) bool { return d.Name == seen.Name }) {
			continue
		}
		var decision v1alpha1.HardeningDecision
		err := o.Live.Get(ctx, client.ObjectKey{Namespace: s.Review.Namespace, Name: seen.Name}, &decision)
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			s.Decisions = append(s.Decisions, decision)
		}
	}
	// Without any decision too: the guards also tell whether the authors are known.
	s.Guards, err = guard.Load(ctx, o.Live)
	return err
}

// reports of the prototype.
func (o observer) reports(ctx context.Context, s *Snapshot) (err error) {
	s.Reports, err = run.Reports(ctx, o.Live, s.Record.Prototype)
	return err
}

// runs are looked at where they are at work: the current one of every gate, and its control.
func (o observer) runs(ctx context.Context, s *Snapshot) error {
	s.Measured = s.measurings(o.Now())
	if s.rehearses() {
		if err := o.elsewhere(ctx, s); err != nil {
			return err
		}
		s.replan(o.Now())
	}
	for _, m := range s.Measured {
		r := m.Current
		if r == nil || r.Site == gate.SiteOperator {
			continue
		}
		var err error
		if r.Result, err = o.Collector.Collect(ctx, s.place(*r), r.Name, r.Order.Kind()); err != nil {
			return err
		}
		if r.Use != "" {
			r.Used = o.Readings.read(ctx, o.Meter, *s, r.Name, r.State == run.Running && r.Why == atWorkNow, o.Now())
		}
		if r.Control == nil {
			continue
		}
		if r.Control.Result, err = o.Collector.Collect(ctx, v1alpha1.GatesNamespace, r.Control.Name, evidence.KindIsolation); err != nil {
			return err
		}
	}
	return nil
}

// atWork counts the measurements of other reviews that have not ended.
func (o observer) atWork(ctx context.Context, s *Snapshot) error {
	var jobs batchv1.JobList
	if err := o.Reader.List(ctx, &jobs, client.MatchingFields{indexAtWork: atWork}); err != nil {
		return err
	}
	for i := range jobs.Items {
		if name, ok := reviewNamed(&jobs.Items[i]); ok && name != client.ObjectKeyFromObject(s.Review) {
			s.AtWork++
		}
	}
	return nil
}

func (o observer) sandbox(ctx context.Context, s *Snapshot) error {
	namespace := s.Record.Prototype.Sandbox()
	var deployment appsv1.Deployment
	err := o.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: workload.Name}, &deployment)
	if apierrors.IsNotFound(err) {
		s.Sandbox = Sandbox{Away: true, Why: "nothing runs there."}
		return nil
	}
	if err != nil {
		return err
	}
	var pods corev1.PodList
	if err := o.Reader.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(workload.Selector(s.Record.Prototype))); err != nil {
		return err
	}
	s.Sandbox = sandboxOf(*s.Record, deployment, pods.Items)
	return nil
}

// canary is the cluster address of the canary's Service.
func (o observer) canary(ctx context.Context, s *Snapshot) error {
	found, err := run.ServiceAddresses(ctx, o.Live, v1alpha1.GatesNamespace, v1alpha1.CanaryService)
	if len(found) > 0 {
		s.Canary = found[0]
	}
	return err
}
