// Package stop is about emergency stops: what they do to a prototype (Of, pure), which the controllers of sandboxes,
// reviews and production ask on every pass; and whether they did it, which this package's own controllers see and
// measure.
//
// Nothing here cuts anything off. Whoever renders a network or a workload leaves out what a stop takes away, so that no
// stop can be undone by drift repair and none is forgotten by a controller that comes later.
package stop

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
)

// FieldOwner of an EmergencyStop's status.
const FieldOwner = "affineur-stop"

// conflictRetry is after which time a write is tried again that met another one.
const conflictRetry = 200 * time.Millisecond

// lookAgain is after which time it is looked again for what no watch tells of.
const lookAgain = 30 * time.Second

// Reconciler of EmergencyStops: it says how far each of them has come.
type Reconciler struct {
	// Client reads from the cache, Live past it.
	Client   client.Client
	Live     client.Reader
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
}

// Reconcile looks at one stop and at every namespace in its scope.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var stop v1alpha1.EmergencyStop
	if err := r.Client.Get(ctx, request.NamespacedName, &stop); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	scenes, known, err := r.observe(ctx, stop)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := r.Clock.Now()
	status := StatusOf(stop, scenes, known, now)
	var result ctrl.Result
	if turn := turned(stop.Status, status); turn != nil && turn.Status == metav1.ConditionTrue {
		// Before it is told that all is done, it is looked whether anything is there that no watch tells of.
		if err := (observer{live: r.Live}).strangers(ctx, scenes); err != nil {
			return ctrl.Result{}, err
		}
		status = StatusOf(stop, scenes, known, now)
		if apimeta.IsStatusConditionFalse(status.Conditions, v1alpha1.ConditionEffective) {
			result.RequeueAfter = lookAgain
		}
	}
	if at := again(stop.Spec.Action, scenes, now); !at.IsZero() && result.RequeueAfter == 0 {
		result.RequeueAfter = at.Sub(now)
	}
	if equality.Semantic.DeepEqual(status, stop.Status) {
		return result, nil
	}
	return r.report(ctx, stop, status, result)
}

// observe the namespaces in scope; without any, the names that are known of what the scope names.
func (r *Reconciler) observe(ctx context.Context, stop v1alpha1.EmergencyStop) ([]Scene, []string, error) {
	o := observer{cache: r.Client}
	stops, err := o.inForce(ctx)
	if err != nil || !InForce(stop) {
		return nil, nil, err
	}
	namespaces, err := o.managed(ctx)
	if err != nil {
		return nil, nil, err
	}
	var scenes []Scene
	for i := range namespaces {
		_, facts, err := o.facts(ctx, &namespaces[i])
		if err != nil {
			return nil, nil, err
		}
		if !Concerns(stop.Spec.Scope, facts) {
			continue
		}
		scene, err := o.scene(ctx, &namespaces[i], stops)
		if err != nil {
			return nil, nil, err
		}
		scenes = append(scenes, scene)
	}
	if len(scenes) > 0 {
		return scenes, nil, nil
	}
	known, err := o.known(ctx, stop.Spec.Scope)
	return nil, known, err
}

func (r *Reconciler) report(ctx context.Context, stop v1alpha1.EmergencyStop, status v1alpha1.EmergencyStopStatus, told ctrl.Result) (ctrl.Result, error) {
	before, next := stop.Status, stop.DeepCopy()
	next.Status = status
	err := apply.Status(ctx, r.Client, next, FieldOwner)
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	case err != nil:
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if t := turned(before, status); t != nil {
		log.FromContext(ctx).Info("transition", "condition", t.Type, "reason", t.Reason, "message", t.Message)
		r.Recorder.Eventf(next, nil, kindOf(*t), t.Reason, t.Type, "%s", t.Message)
	}
	return told, nil
}
