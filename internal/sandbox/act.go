package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// actor carries out plans.
type actor struct {
	client client.Client
	writer *apply.Writer
	routes *Routes
	tailer Tailer
}

// errWaiting ends a pass that has to wait; what for is in the outcome.
var errWaiting = errors.New("waiting")

// act carries out the actions in order. The first that has to wait, or fails, ends the pass, but for what makes the
// cluster safer: every action can be repeated, so the next pass goes on from there.
func (a *actor) act(ctx context.Context, s *Snapshot, p Plan, seen *remembered) Outcome {
	var out Outcome
	ended, open := false, false
	for _, action := range p.Actions {
		if ended && !action.safer() || open && action == ReplacePods {
			continue
		}
		err := a.carryOut(ctx, action, s, p, seen, &out)
		open = open || err != nil && s.leavesOpen(action)
		switch {
		case err == nil:
			continue
		case errors.Is(err, errWaiting):
		case errors.As(err, &out.Conflict):
		default:
			out.Err = errors.Join(out.Err, err)
		}
		ended = true
	}
	return out
}

// safer tells whether an action is carried out whatever came of those before it.
func (a Action) safer() bool {
	switch a {
	case StopWorkload, CloseNetwork, SeverNetwork, ReplacePods, EndPods, CloseToPilots, DropSecrets, TearDownSandbox:
		return true
	}
	return false
}

func (a *actor) carryOut(ctx context.Context, action Action, s *Snapshot, p Plan, seen *remembered, out *Outcome) error {
	switch action {
	case AddFinalizer, RemoveFinalizer:
		return a.finalizer(ctx, s, action, out)
	case PrepareSandbox:
		return a.prepare(ctx, s, seen, out)
	case KeepReports:
		return a.keepReports(ctx, s)
	case Prune:
		return a.prune(ctx, s)
	case KeepLogs:
		out.Logs = a.keepLogs(ctx, s, p)
	case RemoveRuns:
		return a.removeRuns(ctx, s, seen)
	case StartControl:
		return a.start(ctx, s, suffixControl, out)
	case StartInside:
		return a.start(ctx, s, suffixInside, out)
	case RunWorkload:
		return a.runWorkload(ctx, s, out)
	case StopWorkload:
		return a.stopWorkload(ctx, s)
	case DropSecrets:
		return a.dropSecrets(ctx, s)
	case SeverNetwork:
		return a.severNetwork(ctx, s, p)
	case ReplacePods:
		return a.replacePods(ctx, s)
	case EndPods:
		return a.endPods(ctx, s, "")
	case CloseNetwork:
		return a.closeNetwork(ctx, s)
	case OpenToPilots:
		return a.openToPilots(ctx, s, out)
	case CloseToPilots:
		return a.closeToPilots(ctx, s)
	case OpenReview, RestoreReview:
		return a.openReview(ctx, s, p, action, out)
	case TearDownSandbox:
		return a.tearDown(ctx, s, s.Identity.Sandbox(), out)
	case TearDownRehearsal:
		return a.tearDown(ctx, s, s.Identity.Rehearsal(), out)
	case SweepGates:
		return a.sweepGates(ctx, s)
	}
	return nil
}

// finalizer is put on and taken off by a patch that fails where somebody else wrote meanwhile. The operator may
// change nothing else of a prototype.
func (a *actor) finalizer(ctx context.Context, s *Snapshot, action Action, out *Outcome) error {
	before := s.Prototype.DeepCopy()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	after := s.Prototype.DeepCopy()
	if action == AddFinalizer {
		controllerutil.AddFinalizer(after, v1alpha1.FinalizerSandbox)
	} else {
		controllerutil.RemoveFinalizer(after, v1alpha1.FinalizerSandbox)
	}
	err := a.client.Patch(ctx, after, patch)
	if action == RemoveFinalizer {
		out.Gone = err == nil || apierrors.IsNotFound(err)
		return client.IgnoreNotFound(err)
	}
	if err == nil {
		s.Prototype.Finalizers, s.Prototype.ResourceVersion = after.Finalizers, after.ResourceVersion
	}
	return err
}

// prepare makes the namespace, then the operator's rights in it, then the rest side by side. Rights that were granted
// a moment ago may not be known to every API server yet; that is waited for, not reported.
func (a *actor) prepare(ctx context.Context, s *Snapshot, seen *remembered, out *Outcome) error {
	at := s.surroundings()
	namespace := s.withReach(workload.Namespace(at, s.portForward()))
	if _, err := a.writer.Ensure(ctx, namespace); err != nil {
		return err
	}
	out.Made = namespace.CreationTimestamp.Time
	granted, err := a.writer.Ensure(ctx, workload.OperatorBinding(at))
	if err != nil {
		return err
	}
	_, err = a.writer.EnsureAll(ctx, s.furniture()...)
	if granted == apply.Created && apierrors.IsForbidden(err) {
		out.Retry = time.Second
		return errWaiting
	}
	if err != nil {
		return err
	}
	for _, object := range s.surplus() {
		if err := a.writer.Remove(ctx, object); err != nil {
			return err
		}
	}
	if s.References.Live && s.Subject != nil {
		if err := a.dropSecrets(ctx, s); err != nil {
			return err
		}
		seen.written = true
	}
	out.Prepared = true
	return nil
}

// dropSecrets removes credentials that the prototype no longer has: of an integration that it, or the policy, gave up.
// Secrets are in no cache, so this is looked at whenever they are read anew.
func (a *actor) dropSecrets(ctx context.Context, s *Snapshot) error {
	var list corev1.SecretList
	if err := a.writer.Live.List(ctx, &list, client.InNamespace(s.Identity.Sandbox()),
		client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeUID: s.Identity.UID}); err != nil {
		return err
	}
	for i := range list.Items {
		wanted := func(made *corev1.Secret) bool { return made.Name == list.Items[i].Name }
		if slices.ContainsFunc(s.References.Made.Secrets, wanted) {
			continue
		}
		if err := a.writer.Remove(ctx, &list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *actor) keepReports(ctx context.Context, s *Snapshot) error {
	for _, report := range s.reports() {
		object, err := report.Object()
		if err != nil {
			return err
		}
		if _, err := a.writer.CreateOnce(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// removeRuns deletes both Jobs, and remembers those that it did: the cache may show them for a moment longer. The
// control goes first: a run inside without its control is cleared away, and a control without its run would be judged.
func (a *actor) removeRuns(ctx context.Context, s *Snapshot, seen *remembered) error {
	// Of earlier pairs, the last one may still be in the cache.
	seen.removed = seen.removed[max(0, len(seen.removed)-2):]
	for _, job := range slices.Concat(s.Control.Jobs, s.Inside.Jobs) {
		if err := a.writer.Remove(ctx, &job); err != nil {
			return err
		}
		seen.removed = append(seen.removed, job.Annotations[v1alpha1.AnnotationNonce])
	}
	return nil
}

// start a run. The one inside meets its control by the control's nonce; where the control was there already, that is
// known when it is in the cache.
func (a *actor) start(ctx context.Context, s *Snapshot, suffix string, out *Outcome) error {
	there, err := run.Attempts(ctx, a.writer.Live, s.Identity, s.series(suffix))
	if err != nil {
		return err
	}
	if len(there) > 0 {
		out.Retry = time.Second
		return errWaiting
	}
	nonce := rand.Text()
	job, err := s.job(suffix, nonce)
	if err != nil {
		return err
	}
	if _, err := a.writer.CreateOnce(ctx, job); err != nil {
		return err
	}
	if suffix == suffixControl {
		s.Control.Nonce = nonce
	}
	return nil
}

func (a *actor) runWorkload(ctx context.Context, s *Snapshot, out *Outcome) error {
	at := s.surroundings()
	at.Reach = stop.ReachOf(at, s.Subject.Container.Image).String()
	outcomes, err := a.writer.EnsureAll(ctx, workload.Service(*s.Subject, at), workload.Deployment(*s.Subject, at, s.replicas()))
	if err != nil {
		return err
	}
	out.Rolled = outcomes[1] != apply.Unchanged
	return nil
}

// openReview writes the record first: a crash in between leaves a record without a view, which the next pass makes.
func (a *actor) openReview(ctx context.Context, s *Snapshot, p Plan, action Action, out *Outcome) error {
	if action == OpenReview {
		object, err := p.Record.Object()
		if err != nil {
			return err
		}
		outcome, err := a.writer.CreateOnce(ctx, object)
		if err != nil {
			return err
		}
		if outcome != apply.Created {
			// Somebody took the ordinal since the records were read: look again before a view speaks of it.
			out.Retry = time.Second
			return errWaiting
		}
	}
	review := p.Record.Review(s.Prototype)
	if _, err := a.writer.CreateOnce(ctx, review); err != nil {
		return err
	}
	out.Review = review.Name
	return nil
}

func (a *actor) tearDown(ctx context.Context, s *Snapshot, namespace string, out *Outcome) error {
	waiting, err := a.writer.Teardown(ctx, namespace, s.Identity.UID)
	if apierrors.IsForbidden(err) {
		out.Waiting = "the operator has no rights in namespace " + namespace +
			"; it gives them to itself again, and where that is refused too, the platform team installs Affineur again"
	}
	if err != nil {
		return err
	}
	if waiting != "" {
		out.Waiting = waiting
		return errWaiting
	}
	return nil
}

// sweepGates removes every run of this prototype, and the openings made for them, from the gates' namespace.
func (a *actor) sweepGates(ctx context.Context, s *Snapshot) error {
	return a.sweepRuns(ctx, s.Identity.UID)
}

// sweepRuns is sweepGates by the prototype's UID.
func (a *actor) sweepRuns(ctx context.Context, uid string) error {
	for _, list := range []client.ObjectList{&batchv1.JobList{}, &networkingv1.NetworkPolicyList{}} {
		if err := a.client.List(ctx, list, client.InNamespace(v1alpha1.GatesNamespace),
			client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeUID: uid}); err != nil {
			return err
		}
		if err := apimeta.EachListItem(list, func(object runtime.Object) error {
			return a.writer.Remove(ctx, object.(client.Object))
		}); err != nil {
			return err
		}
	}
	return nil
}
