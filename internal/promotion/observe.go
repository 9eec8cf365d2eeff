package promotion

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
)

// indexProduction finds reviews and prototypes by the production namespace that would be theirs.
const indexProduction = "promotion.production"

// Guards measures the admission policies now.
type Guards interface {
	Measure(ctx context.Context) (guard.State, error)
}

// observer does every read of a pass and decides nothing.
type observer struct {
	client      client.Client
	live        client.Reader
	destination Destination
	maker       maker
	guards      Guards
	// gates judges every gate of a record anew from its reports.
	gates func(r record.Record, reports []record.Report, now time.Time) Check
	// size is how many replicas a record should have by its reports.
	size func(r record.Record, reports []record.Report, now time.Time) gate.Size
	// now is the clock.
	now func() time.Time

	mutex sync.Mutex
	known map[string]*known
}

// observe fills the snapshot of one production namespace. Without the namespace and the stops nothing can be done; what
// else can't be read must not keep a stop waiting.
func (o *observer) observe(ctx context.Context, name string, now time.Time) (Snapshot, error) {
	s := Snapshot{Name: name}
	var unread error
	if s.Place, unread = o.destination.Observe(ctx, name); unread != nil && !s.Place.Blind {
		return s, fmt.Errorf("production %s: %w", name, unread)
	}
	if err := o.stops(ctx, &s); err != nil {
		return s, err
	}
	s.Failed = errors.Join(unread, o.whose(ctx, &s))
	if s.Failed == nil {
		s.Failed = o.rest(ctx, &s, now)
	}
	s.FailedSince = o.failing(s, now)
	return s, nil
}

// whose it is and what is to run there: what stops are matched against. Each is read whatever becomes of the others.
func (o *observer) whose(ctx context.Context, s *Snapshot) error {
	s.Identity = s.Place.Whose
	m := s.memory()
	var reviews, current, beside error
	s.Reviews, reviews = o.reviews(ctx, s.Name)
	s.Current, current = o.remembered(ctx, *s, m.Record, m.Digest)
	s.Beside, beside = o.remembered(ctx, *s, m.beside(), "")
	prototype := o.prototype(ctx, s)
	team := o.team(ctx, s)
	s.TeamUnread = team != nil
	s.Place.Foreign = s.Place.Foreign || (s.Place.Exists && s.Identity != nil && s.Place.UID != s.Identity.UID)
	s.Candidate = newest(*s)
	return errors.Join(reviews, current, beside, prototype, team)
}

// rest is what is needed to promote, and to keep what serves.
func (o *observer) rest(ctx context.Context, s *Snapshot, now time.Time) error {
	if err := o.judge(ctx, s, now); err != nil {
		return err
	}
	if err := o.standing(ctx, s, now); err != nil {
		return err
	}
	o.forget(*s)
	return o.credentials(ctx, s, now)
}

// reviews of the prototype, oldest first.
func (o *observer) reviews(ctx context.Context, production string) ([]*v1alpha1.HardeningReview, error) {
	var list v1alpha1.HardeningReviewList
	if err := o.client.List(ctx, &list, client.MatchingFields{indexProduction: production}); err != nil {
		return nil, fmt.Errorf("reviews: %w", err)
	}
	var out []*v1alpha1.HardeningReview
	for i := range list.Items {
		out = append(out, &list.Items[i])
	}
	slices.SortFunc(out, func(a, b *v1alpha1.HardeningReview) int { return ordinal(a) - ordinal(b) })
	return out, nil
}

// ordinal is the number in a review's name, 0 where there is none.
func ordinal(review *v1alpha1.HardeningReview) int {
	n, err := strconv.Atoi(strings.TrimPrefix(review.Name, review.Spec.Prototype.Name+"-"))
	if err != nil {
		return 0
	}
	return n
}

// prototype finds out whose the namespace is, and whether that prototype is still there.
func (o *observer) prototype(ctx context.Context, s *Snapshot) error {
	var list v1alpha1.AIPrototypeList
	if err := o.client.List(ctx, &list, client.MatchingFields{indexProduction: s.Name}); err != nil {
		return fmt.Errorf("prototype: %w", err)
	}
	switch {
	case len(list.Items) > 0:
		s.Prototype = &list.Items[0]
		identity := names.Of(s.Prototype)
		s.Identity = &identity
	case s.Current != nil:
		s.Identity = &s.Current.Prototype
	case len(s.Reviews) > 0:
		identity := identityOf(s.Reviews[0])
		s.Identity = &identity
	}
	return nil
}

// stops are all emergency stops.
func (o *observer) stops(ctx context.Context, s *Snapshot) error {
	var list v1alpha1.EmergencyStopList
	if err := o.client.List(ctx, &list); err != nil {
		return fmt.Errorf("emergency stops: %w", err)
	}
	s.Stops = list.Items
	return nil
}

// team that the prototype's namespace names.
func (o *observer) team(ctx context.Context, s *Snapshot) error {
	if s.Identity == nil {
		return nil
	}
	var team corev1.Namespace
	if err := o.client.Get(ctx, client.ObjectKey{Name: s.Identity.Namespace}, &team); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("namespace of the prototype: %w", err)
	}
	s.TeamLabel = team.Labels[v1alpha1.LabelTeam]
	return nil
}

func identityOf(review *v1alpha1.HardeningReview) names.Identity {
	return names.Identity{Namespace: review.Namespace, Name: review.Spec.Prototype.Name, UID: review.Spec.Prototype.UID}
}

// remembered opens a record that the namespace names; nil if it can't be used.
func (o *observer) remembered(ctx context.Context, s Snapshot, name, digest string) (*record.Record, error) {
	if name == "" {
		return nil, nil
	}
	r, err := o.open(ctx, name, s.Name, false)
	if errors.Is(err, record.ErrMismatch) || (err == nil && r != nil && digest != "" && r.ReviewDigest != digest) {
		return nil, nil
	}
	return r, err
}

// open reads and verifies a record; nil where there is none. Past the cache it is read before it is promoted.
func (o *observer) open(ctx context.Context, name, production string, fresh bool) (*record.Record, error) {
	o.mutex.Lock()
	r, ok := o.of(production).records[name]
	o.mutex.Unlock()
	if ok && !fresh {
		return &r, nil
	}
	var object appsv1.ControllerRevision
	if err := o.live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: name}, &object); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	r, err := record.Read(&object)
	if err != nil {
		return nil, err
	}
	if r.Prototype.Production() != production || r.Subject.Destination.Namespace != production {
		return nil, fmt.Errorf("%w: record %s is for another destination than %s", record.ErrMismatch, name, production)
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.of(production).records[name] = r
	return &r, nil
}

// newest is the newest review, if it may still be promoted. Whatever a status says only ever stops it here.
func newest(s Snapshot) *Candidate {
	if len(s.Reviews) == 0 {
		return nil
	}
	review := s.Reviews[len(s.Reviews)-1]
	if review.Status.Outcome != "" && review.Status.Outcome != v1alpha1.OutcomePromoted {
		return nil
	}
	if review.Spec.Record == s.memory().Fault.Record && review.Spec.Record != s.memory().Record {
		return nil
	}
	if p := review.Status.Promotion; p != nil && slices.Contains(over, p.Step) {
		return nil
	}
	return &Candidate{
		Review: review,
		Hinted: apimeta.IsStatusConditionTrue(review.Status.Conditions, v1alpha1.ConditionGatesPassed) &&
			apimeta.IsStatusConditionTrue(review.Status.Conditions, v1alpha1.ConditionApproved),
	}
}

// over are steps from which a review never comes back: going on takes another review.
var over = []v1alpha1.PromotionStep{v1alpha1.StepRolledBack, v1alpha1.StepRetiring, v1alpha1.StepRetired}

// judge computes anew, for a candidate that is not running yet, what its status claims.
func (o *observer) judge(ctx context.Context, s *Snapshot, now time.Time) error {
	c := s.Candidate
	if c == nil || (c.Review.Spec.Record == s.memory().Record && (s.released() || s.memory().serving())) {
		return nil
	}
	r, err := o.open(ctx, c.Review.Spec.Record, s.Name, c.Hinted)
	switch {
	case errors.Is(err, record.ErrMismatch):
		c.Problem = unusable(err.Error())
		return nil
	case err != nil:
		return fmt.Errorf("record: %w", err)
	case r == nil:
		c.Problem = unusable("record " + c.Review.Spec.Record + " is not there")
		return nil
	}
	if err := r.Matches(c.Review); err != nil {
		c.Problem = unusable(err.Error())
		return nil
	}
	c.Record = r
	if !c.Hinted {
		return nil
	}
	return o.assess(ctx, c, now)
}

func unusable(why string) string {
	return evidence.Clean("Nothing is promoted from what can't be verified: "+why+". A new review has a record of its own.", maxMessage)
}

// assess reads reports and decisions, and measures the guards last: what the measurement vouches for was read before.
func (o *observer) assess(ctx context.Context, c *Candidate, now time.Time) error {
	reports, err := run.Reports(ctx, o.live, c.Record.Prototype)
	if err != nil {
		return err
	}
	decisions, err := decisionsOn(ctx, o.live, c.Review.Namespace)
	if err != nil {
		return err
	}
	state, err := o.guards.Measure(ctx)
	if err != nil {
		c.Guards = unmeasured(err)
		return nil
	}
	c.Guards = measured(state)
	c.Gates = o.gates(*c.Record, reports, now)
	c.Size = o.size(*c.Record, reports, now)
	// Nothing is released on an approval that ends before its soak does.
	c.Approvals = approvals(*c.Record, c.Review, decisions, state, now, c.Record.Requirements.Soak())
	return o.runtime(ctx, c)
}

// runtime looks whether the cluster has what the record's pods must run under.
func (o *observer) runtime(ctx context.Context, c *Candidate) error {
	name := c.Record.Requirements.RuntimeClass
	if name == "" {
		return nil
	}
	err := o.client.Get(ctx, client.ObjectKey{Name: name}, &nodev1.RuntimeClass{})
	if apierrors.IsNotFound(err) {
		c.RuntimeMissing = name
		return nil
	}
	return err
}

// credentials are read before something is released, and now and then while it serves.
func (o *observer) credentials(ctx context.Context, s *Snapshot, now time.Time) error {
	r := s.Current
	if next := s.next(); next != nil && s.memory().Leftover == "" && !s.memory().underWay() && next.Guards.OK && next.Gates.OK && next.Approvals.OK {
		r = next.Record
	}
	if r == nil || s.memory().Retiring {
		return nil
	}
	o.mutex.Lock()
	k := o.of(s.Name)
	due := k.lookedIn != s.Place.Made || now.Sub(k.looked) >= credentialsFresh
	o.mutex.Unlock()
	if r == s.Current && s.released() && !due {
		return nil
	}
	made, err := o.maker.Make(ctx, r.Subject, surroundings(*r, ""))
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	s.Credentials, s.CredentialsOf = &made, r.Name()
	return nil
}
