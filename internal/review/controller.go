// Package review runs a review: it has the gates measured, counts decisions, says whose turn it is, and ends.
//
// It is the one author of a HardeningReview's status, but for the block promotion and the condition Promoted, which
// are the promotion controller's. What binds is the record in the records namespace; the review is a view of it.
package review

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/run"
)

// FieldOwner of everything in a review's status but the promotion.
const FieldOwner = "affineur-review"

// Collector reads what a run left; it is a run.Collector.
type Collector interface {
	Collect(ctx context.Context, namespace, name string, want evidence.Kind) (run.Result, error)
}

// Reconciler moves reviews.
type Reconciler struct {
	// Client reads from the cache and writes; Live reads past the cache.
	Client client.Client
	Live   client.Reader
	// Writer is shared by all controllers.
	Writer *apply.Writer
	// Credentials makes what the integration run is given.
	Credentials credentials.Maker
	Collector   Collector
	Events      events.EventRecorder
	Settings    Settings
	// Now is the clock; time.Now where it is nil.
	Now func() time.Time

	// Turns are shared with all others who begin measurements.
	Turns *run.Turns
	// Lookup says where a host name leads; the cluster's resolver where it is nil.
	Lookup Lookup

	// Meter reads what the prototype's pods use while they are measured; nil for not at all.
	Meter Meter

	readings readings
	hosts    hosts
}

// Reconcile looks, decides, acts and tells.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var review v1alpha1.HardeningReview
	if err := r.Client.Get(ctx, request.NamespacedName, &review); err != nil {
		if apierrors.IsNotFound(err) {
			return r.gone(ctx, request)
		}
		return ctrl.Result{}, err
	}
	snapshot, err := r.observer().observe(ctx, &review)
	if err != nil || snapshot.Record == nil && !snapshot.ended() {
		err = errors.Join(err, r.cut(ctx, &review))
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.now()
	plan := Decide(snapshot, now)
	outcome, err := r.actor().act(ctx, snapshot, plan, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	err = r.tell(ctx, snapshot, StatusOf(snapshot, plan, outcome, now))
	switch {
	case apierrors.IsConflict(err):
		// The promotion controller wrote at the same moment: look again, at what it wrote.
		return ctrl.Result{RequeueAfter: time.Second}, nil
	case err != nil:
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{RequeueAfter: sooner(plan.Requeue, outcome.Again)}, nil
}

func (r *Reconciler) observer() observer {
	return observer{Reader: r.Client, Live: r.Live, Collector: r.Collector, Settings: r.Settings, Now: r.now, Hosts: &r.hosts, Lookup: r.Lookup, Meter: r.Meter, Readings: &r.readings}
}

func (r *Reconciler) actor() actor {
	return actor{Writer: r.Writer, Credentials: r.Credentials, Now: r.now, Turns: r.Turns}
}

func (r *Reconciler) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// cut takes the rehearsal of a review away that an emergency stop cuts off, where there is no record to tell what is to be done.
func (r *Reconciler) cut(ctx context.Context, review *v1alpha1.HardeningReview) error {
	severed, err := r.observer().severed(ctx, review)
	if err != nil || !severed {
		return err
	}
	_, err = r.Writer.Teardown(ctx, identityOf(review).Rehearsal(), review.Spec.Prototype.UID)
	return err
}

// gone clears away what a review left behind that was deleted before it ended.
func (r *Reconciler) gone(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	left, rehearsal, err := r.observer().orphans(ctx, request.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	waiting, err := r.actor().orphans(ctx, left, rehearsal)
	if err != nil || !waiting {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: poll}, nil
}

// tell writes the status if it says anything new, and the events of what changed.
func (r *Reconciler) tell(ctx context.Context, s Snapshot, status v1alpha1.HardeningReviewStatus) error {
	before := s.Review.Status
	if same(before, status) {
		return nil
	}
	next := &v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Review.Namespace, Name: s.Review.Name, UID: s.Review.UID, ResourceVersion: s.Review.ResourceVersion,
		},
		Status: status,
	}
	if err := apply.Status(ctx, r.Client, next, FieldOwner); err != nil {
		return err
	}
	for _, event := range EventsOf(s.Review, before, status) {
		log.FromContext(ctx).Info("transition", "reason", event.Reason, "message", event.Message)
		r.Events.Eventf(s.Review, nil, event.Kind, event.Reason, "Review", "%s", event.Message)
		if event.Prototype && s.Prototype.Exists {
			r.Events.Eventf(prototypeOf(s.Review), s.Review, event.Kind, event.Reason, "Review", "%s", event.Message)
		}
	}
	return nil
}

// prototypeOf is enough of the prototype to tell events about it.
func prototypeOf(review *v1alpha1.HardeningReview) *v1alpha1.AIPrototype {
	identity := identityOf(review)
	return &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{
		Namespace: identity.Namespace, Name: identity.Name, UID: types.UID(identity.UID),
	}}
}

// same compares what this controller writes. The order of maps of a status is the API server's.
func same(a, b v1alpha1.HardeningReviewStatus) bool {
	return equality.Semantic.DeepEqual(written(a), written(b))
}

func written(in v1alpha1.HardeningReviewStatus) v1alpha1.HardeningReviewStatus {
	out := *in.DeepCopy()
	out.Promotion = nil
	out.Conditions = slices.DeleteFunc(out.Conditions, func(c metav1.Condition) bool { return c.Type == v1alpha1.ConditionPromoted })
	slices.SortFunc(out.Conditions, func(a, b metav1.Condition) int { return cmp.Compare(a.Type, b.Type) })
	slices.SortFunc(out.Gates, func(a, b v1alpha1.GateStatus) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(out.Decisions, func(a, b v1alpha1.DecisionStatus) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// sooner of two waits, where 0 means none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
