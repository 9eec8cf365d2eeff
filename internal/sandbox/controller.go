// Package sandbox is the controller of AIPrototype: it makes the sandbox, measures that it is one, runs the workload
// in it, opens the review when the team asks for production, and is the one author of the prototype's status.
package sandbox

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
)

// FieldOwner of an AIPrototype's status.
const FieldOwner = "affineur-sandbox"

// Reconciler of AIPrototypes. All fields are needed.
type Reconciler struct {
	// Client reads from the cache.
	Client client.Client
	// Live reads past it.
	Live      client.Reader
	Writer    *apply.Writer
	Resolver  Resolver
	Maker     credentials.Maker
	Collector Collector
	Routes    *Routes
	Tailer    Tailer
	Recorder  events.EventRecorder
	Clock     clock.PassiveClock
	// Witness is asked before the clock decides about a sandbox's life.
	Witness  Witness
	Settings Settings

	memory memory
}

// lag is how long our own write may take to come back through the cache.
const lag = 5 * time.Second

// Reconcile observes, decides, acts and reports.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	now := r.Clock.Now()
	snapshot, err := r.observer().observe(ctx, request.NamespacedName, now)
	if err != nil {
		return ctrl.Result{}, err
	}
	var present ctrl.Result
	if snapshot != nil {
		present, err = r.present(ctx, request, snapshot, now)
	}
	// Last: what another prototype left keeps nothing from being stopped here.
	again, left := r.orphans(ctx, request.NamespacedName, snapshot)
	if err := errors.Join(err, left); err != nil {
		return ctrl.Result{}, err
	}
	if again > 0 && (present.RequeueAfter == 0 || again < present.RequeueAfter) {
		present.RequeueAfter = again
	}
	return present, nil
}

// present is the prototype that is there.
func (r *Reconciler) present(ctx context.Context, request ctrl.Request, snapshot *Snapshot, now time.Time) (ctrl.Result, error) {
	if snapshot.Failed != nil {
		return ctrl.Result{}, r.stopUnsafe(ctx, snapshot, now)
	}
	seen := r.memory.of(request.NamespacedName, snapshot.Prototype.UID)
	if seen.lags(snapshot.Prototype, now) {
		return ctrl.Result{RequeueAfter: 100 * time.Millisecond}, nil
	}
	version := snapshot.Prototype.ResourceVersion
	plan := Decide(*snapshot, now)
	log.FromContext(ctx).V(1).Info("decided", "plan", plan.String())
	outcome := r.actor().act(ctx, snapshot, plan, seen)
	seen.learn(plan, outcome)
	r.tellDrift(snapshot)
	wrote, err := r.report(ctx, *snapshot, plan, outcome, now)
	seen.wrote(version, snapshot.Prototype.ResourceVersion, wrote, now)
	return result(plan, outcome, errors.Join(err, snapshot.Late), now)
}

// stopUnsafe stops what must not run although not everything could be read, and tells what could not. The status waits
// until it can be.
func (r *Reconciler) stopUnsafe(ctx context.Context, s *Snapshot, now time.Time) error {
	plan := s.safest(now)
	log.FromContext(ctx).V(1).Info("decided", "plan", plan.String(), "unread", s.Failed.Error())
	outcome := r.actor().act(ctx, s, plan, r.memory.of(client.ObjectKeyFromObject(s.Prototype), s.Prototype.UID))
	return errors.Join(s.Failed, outcome.Err)
}

func (r *Reconciler) actor() *actor {
	return &actor{client: r.Client, writer: r.Writer, routes: r.Routes, tailer: r.Tailer}
}

func (r *Reconciler) observer() *observer {
	return &observer{
		cache: r.Client, live: r.Live, resolver: r.Resolver, maker: r.Maker, collector: r.Collector, routes: r.Routes,
		clock: r.Witness, settings: r.Settings, memory: &r.memory,
	}
}

// report writes the status if it differs, and tells of transitions.
func (r *Reconciler) report(ctx context.Context, s Snapshot, p Plan, o Outcome, now time.Time) (bool, error) {
	if o.Logs != "" {
		r.Recorder.Eventf(s.Prototype, nil, corev1.EventTypeWarning, v1alpha1.ReasonIsolationLost, "StopWorkload", "The workload is stopped. %s", o.Logs)
	}
	if o.Gone || p.State == Holding && s.Prototype.Status.ObservedGeneration == s.Prototype.Generation {
		return false, nil
	}
	status := Status(s, p, o, now)
	if equality.Semantic.DeepEqual(status, s.Prototype.Status) {
		return false, nil
	}
	before := s.Prototype.Status
	next := s.Prototype.DeepCopy()
	next.Status = status
	if err := apply.Status(ctx, r.Client, next, FieldOwner); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	for _, t := range transitions(before.Conditions, status.Conditions) {
		log.FromContext(ctx).Info("transition", "condition", t.condition, "reason", t.reason, "message", t.note)
		r.Recorder.Eventf(next, nil, t.kind, t.reason, t.condition, "%s", t.note)
	}
	return true, nil
}

// tellDrift tells what was not as the operator had left it, and was put back on this pass. The recorder takes events that
// differ in nothing but their words for one, so each names its object.
func (r *Reconciler) tellDrift(s *Snapshot) {
	sandbox := s.Identity.Sandbox()
	for _, drift := range slices.Concat(r.Writer.Drifts(sandbox), r.Routes.Writer.Drifts(sandbox)) {
		action := "PutBack"
		if drift.Deleted {
			action = "MakeAgain"
		}
		note := drift.String()
		if drift.Namespace != "" {
			note += ", in namespace " + drift.Namespace
		}
		what := &corev1.ObjectReference{APIVersion: drift.APIVersion, Kind: drift.Kind, Namespace: drift.Namespace, Name: drift.Name}
		r.Recorder.Eventf(s.Prototype, what, corev1.EventTypeWarning, v1alpha1.ReasonDriftRepaired, action, "%s", evidence.Clean(note, 1000))
	}
}

// result tells retrying from waiting: an error comes again with a growing pause, a wait at a known time.
func result(p Plan, o Outcome, reported error, now time.Time) (ctrl.Result, error) {
	for _, err := range []error{o.Err, reported} {
		if apierrors.IsConflict(err) {
			// Somebody wrote meanwhile; what they wrote arrives in a moment.
			return ctrl.Result{RequeueAfter: 200 * time.Millisecond}, nil
		}
		if err != nil {
			return ctrl.Result{}, err
		}
	}
	switch {
	case o.Conflict != nil:
		return ctrl.Result{RequeueAfter: time.Minute}, nil
	case o.Retry > 0:
		return ctrl.Result{RequeueAfter: o.Retry}, nil
	case p.Wake.IsZero() || o.Gone:
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(p.Wake.Sub(now), time.Millisecond)}, nil
}

// lags tells whether the cache shows a version from before our own last write. Deciding on it would do things twice.
func (m *remembered) lags(prototype *v1alpha1.AIPrototype, now time.Time) bool {
	return now.Before(m.fresh) && slices.Contains(m.stale, prototype.ResourceVersion)
}

// wrote remembers which versions our writes made old: the one observed if a patch followed it, and both if the status
// was written after that.
func (m *remembered) wrote(observed, patched string, status bool, now time.Time) {
	var stale []string
	if observed != patched || status {
		stale = append(stale, observed)
	}
	if status {
		stale = append(stale, patched)
	}
	if len(stale) > 0 {
		m.stale, m.fresh = stale, now.Add(lag)
	}
}

// learn forgets what may have changed: after an error nothing is known of what was written, and after a measurement
// that said nothing the canary may have another address.
func (m *remembered) learn(p Plan, o Outcome) {
	inconclusive := p.Isolation != nil && p.Isolation.Verdict == verdictInconclusive && p.Isolation.InputsDigest != ""
	if o.Err != nil || o.Conflict != nil || inconclusive {
		m.referencesKey = ""
	}
}
