// Package promotion brings what was reviewed and approved into production, watches it there, takes it back when it
// misbehaves and keeps it as it was reviewed.
//
// A pass is about one production namespace, whatever is left of the prototype and its reviews: the namespace
// remembers what is to serve in it.
package promotion

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// owner of the fields that this controller writes in the status of a review.
	owner = "affineur-promotion"
	// retryConflict is after which time a write is tried again that met another one.
	retryConflict = 200 * time.Millisecond
	// parallel passes, each about another namespace.
	parallel = 4
)

// maker makes the Secrets for a namespace.
type maker interface {
	Make(ctx context.Context, s subject.Subject, at workload.Surroundings) (credentials.Made, error)
}

// Config is what the controller works with.
type Config struct {
	// Client reads from the manager's cache, Live past it.
	Client client.Client
	Live   client.Reader
	// Destination is production.
	Destination Destination
	Credentials credentials.Maker
	Guards      Guards
	Recorder    events.EventRecorder
	// Bench holds the instruments, which judge every gate anew.
	Bench assess.Bench
	// Now is the clock; time.Now where it is nil.
	Now func() time.Time
}

// Controller promotes.
type Controller struct {
	*observer
	client      client.Client
	destination Destination
	recorder    events.EventRecorder
}

// New makes a controller.
func New(config Config) *Controller {
	now := config.Now
	if now == nil {
		now = time.Now
	}
	return &Controller{
		observer: &observer{
			client: config.Client, live: config.Live, destination: config.Destination, maker: config.Credentials,
			guards: config.Guards, gates: gates(config.Bench), size: config.Bench.Size, now: now,
		},
		client: config.Client, destination: config.Destination, recorder: config.Recorder,
	}
}

// Reconcile looks at one production namespace, by its name.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	// One time for the whole pass: what is read must not be from before an end that the decision takes for over.
	now := c.now()
	s, err := c.observe(ctx, request.Name, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	plan := Decide(s, now)
	outcome, acted := c.act(ctx, s, plan)
	if apierrors.IsConflict(acted) {
		// What was seen is past, and so is whatever would be told of it.
		return result(plan, outcome, now, acted)
	}
	reported := c.report(ctx, s, plan, outcome, now)
	return result(plan, outcome, now, errors.Join(acted, reported, s.Failed))
}

// result tells a retry from a wait. Two writers that met are no error, just a moment too early.
func result(p Plan, o Outcome, now time.Time, err error) (reconcile.Result, error) {
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: retryConflict}, nil
	case err != nil:
		return reconcile.Result{}, err
	case o.Again > 0:
		return reconcile.Result{RequeueAfter: o.Again}, nil
	case p.Wake.IsZero():
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(p.Wake.Sub(now), time.Millisecond)}, nil
}

// report writes what changed in the views, and tells people what turned.
func (c *Controller) report(ctx context.Context, s Snapshot, p Plan, o Outcome, now time.Time) error {
	var failed []error
	for _, v := range Views(s, p, o, now) {
		if !v.Changed {
			continue
		}
		if err := c.write(ctx, v); err != nil {
			failed = append(failed, fmt.Errorf("status of review %s/%s: %w", v.Review.Namespace, v.Review.Name, err))
			continue
		}
		if v.Turned {
			c.announce(ctx, v)
		}
	}
	c.tell(ctx, s, o)
	return errors.Join(failed...)
}

// write applies the one block and the one condition that are this controller's, to the review as it was seen: what a
// lagging cache makes of it must not take back what was told since.
func (c *Controller) write(ctx context.Context, v View) error {
	err := apply.Status(ctx, c.client, &v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v.Review.Namespace, Name: v.Review.Name, UID: v.Review.UID, ResourceVersion: v.Review.ResourceVersion,
		},
		Status: v1alpha1.HardeningReviewStatus{Promotion: v.Promotion, Conditions: []metav1.Condition{v.Promoted}},
	}, owner)
	return client.IgnoreNotFound(err)
}

// alarming are reasons of which people are warned, whatever the step.
var alarming = []string{v1alpha1.ReasonGuardsNotInPlace, v1alpha1.ReasonEmergencyStop, v1alpha1.ReasonNotReadable}

func (c *Controller) announce(ctx context.Context, v View) {
	kind := corev1.EventTypeNormal
	if v.Promotion.Step == v1alpha1.StepRolledBack || slices.Contains(alarming, v.Promotion.Reason) {
		kind = corev1.EventTypeWarning
	}
	// That it serves ends an open review, and the end of a review is told by whoever ends it: one event for one thing.
	if v.Promotion.Reason != v1alpha1.ReasonPromoted || v.Review.Status.Outcome != "" {
		c.recorder.Eventf(v.Review, nil, kind, v.Promotion.Reason, string(v.Promotion.Step), "%s", v.Promotion.Message)
	}
	// The name of the production namespace is in the logger already.
	log.FromContext(ctx).Info("promotion turned", "review", client.ObjectKeyFromObject(v.Review).String(),
		"step", v.Promotion.Step, "reason", v.Promotion.Reason, "message", v.Promotion.Message)
}

// tell reports drift that was put back, and a prototype that is gone, where somebody can see it.
func (c *Controller) tell(ctx context.Context, s Snapshot, o Outcome) {
	var about client.Object = &corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: s.Name},
	}
	logger := log.FromContext(ctx)
	if o.Orphaned {
		c.recorder.Eventf(about, nil, corev1.EventTypeWarning, v1alpha1.ReasonOrphaned, "Keep",
			"The prototype is gone; record %s keeps serving. To retire it, pods first, whoever may manage installations.affineur.dev "+
				"(ClusterRole affineur-installer) runs: kubectl annotate namespace %s %s=true", o.Memory.Record, s.Name, v1alpha1.AnnotationRetire)
		logger.Info("production is orphaned", "record", o.Memory.Record)
	}
	if len(o.Drifted) == 0 {
		return
	}
	if review := s.reviewOf(o.Memory.Record); review != nil {
		about = review
	}
	what := strings.Join(o.Drifted, ", ")
	c.recorder.Eventf(about, nil, corev1.EventTypeWarning, v1alpha1.ReasonDrift, "PutBack", "Put back as reviewed: %s.", what)
	logger.Info("drift put back", "drifted", what)
}
