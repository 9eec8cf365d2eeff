package stop

import (
	"context"
	"crypto/rand"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/run"
)

// Meter measures, namespace by namespace, whether what a stop cuts off is cut off. What it saw stays on the namespace
// until nothing is cut any more.
type Meter struct {
	// Client reads from the cache, Live past it.
	Client    client.Client
	Live      client.Reader
	Writer    *apply.Writer
	Collector Collector
	Clock     clock.PassiveClock
	// RunnerImage measures.
	RunnerImage string
}

// Reconcile looks at one managed namespace, by its name.
func (m *Meter) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var namespace corev1.Namespace
	if err := m.Client.Get(ctx, request.NamespacedName, &namespace); err != nil || !prototypes(&namespace) {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	o := observer{cache: m.Client, live: m.Live, collector: m.Collector}
	stops, err := o.inForce(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	scene, err := o.scene(ctx, &namespace, stops)
	if err != nil {
		return ctrl.Result{}, err
	}
	inside, control, err := o.probes(ctx, scene)
	if err != nil {
		return ctrl.Result{}, err
	}
	now := m.Clock.Now()
	step, again := scene.Next(inside, control, now)
	log.FromContext(ctx).V(1).Info("decided", "step", step)
	err = m.take(ctx, o, scene, step, inside, control, now)
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: conflictRetry}, nil
	case err != nil || again.IsZero():
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return ctrl.Result{RequeueAfter: max(again.Sub(now), time.Millisecond)}, nil
}

// take one step of a measurement. What it came to is told before its runs go: killed in between, they are judged again.
func (m *Meter) take(ctx context.Context, o observer, s Scene, step Step, inside, control Probe, now time.Time) error {
	switch step {
	case Begin, Join:
		return m.start(ctx, o, s, step == Join)
	case Dismiss:
		return run.Dismiss(ctx, m.Client, v1alpha1.GatesNamespace, control.Result, now)
	case Conclude:
		return m.tell(ctx, s, s.Judge(inside, control, now).String())
	case Forget:
		return m.tell(ctx, s, "")
	case Discard:
		return m.discard(ctx, inside, control)
	}
	return nil
}

// start a run, unless one is there that the cache does not show yet.
func (m *Meter) start(ctx context.Context, o observer, s Scene, inside bool) error {
	if there, err := run.Attempts(ctx, m.Live, s.Identity, s.series(inside)); err != nil || len(there) > 0 {
		return err
	}
	at, err := o.addresses(ctx, s)
	if err != nil {
		return err
	}
	if len(at.Canary) == 0 {
		return m.tell(ctx, s, s.unmeasured("it can't be measured: the isolation canary is not there; the platform team installs it", m.Clock.Now()).String())
	}
	job, err := s.job(m.RunnerImage, rand.Text(), at, inside)
	if err != nil {
		return err
	}
	_, err = m.Writer.CreateOnce(ctx, job)
	if apierrors.IsForbidden(err) {
		return m.tell(ctx, s, s.unmeasured("it can't be measured; the platform team sees why the cluster refuses the run: "+err.Error(), m.Clock.Now()).String())
	}
	return err
}

func (m *Meter) discard(ctx context.Context, inside, control Probe) error {
	for _, job := range slices.Concat(control.Jobs, inside.Jobs) {
		if err := m.Writer.Remove(ctx, &job); err != nil {
			return err
		}
	}
	return nil
}

// tell the namespace what was measured; nothing, where it is to be forgotten.
func (m *Meter) tell(ctx context.Context, s Scene, said string) error {
	next := s.Namespace.DeepCopy()
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	if said == "" {
		delete(next.Annotations, v1alpha1.AnnotationSevered)
	} else {
		next.Annotations[v1alpha1.AnnotationSevered] = said
	}
	return m.Client.Update(ctx, next)
}
