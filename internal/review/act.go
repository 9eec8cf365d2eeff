package review

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// Outcome is what became of carrying out a plan, as far as people are told.
type Outcome struct {
	// Problems keep the integration run from being made until IT mends them.
	Problems []policy.Problem
	// Conflict names a stranger's object that is in the way.
	Conflict string
	// Sealed is the outcome in the records, which may have been sealed before with another one.
	Sealed *record.Outcome
	// Again is when the next look is worth while because of what was done; 0 for no reason.
	Again time.Duration
}

// actor carries out plans. Every action can be done again without harm, because the operator may be killed between
// any two.
type actor struct {
	Writer      *apply.Writer
	Credentials credentials.Maker
}

// act carries out the plan's actions in their order and stops at the first error, which is tried again.
func (a actor) act(ctx context.Context, s Snapshot, plan Plan, now time.Time) (Outcome, error) {
	var o Outcome
	for _, action := range plan.Actions {
		err := a.do(ctx, s, plan, action, now, &o)
		if conflict := new(apply.ConflictError); errors.As(err, &conflict) {
			o.Conflict, o.Again = conflict.Error(), pollProblem
			continue
		}
		if err != nil {
			return o, fmt.Errorf("%s: %w", action, err)
		}
	}
	return o, nil
}

func (a actor) do(ctx context.Context, s Snapshot, plan Plan, action Action, now time.Time, o *Outcome) error {
	switch action.Do {
	case StartControl:
		return a.startControl(ctx, s, o)
	case StartRun:
		return a.startRun(ctx, s, action.Kind)
	case KeepReport:
		return a.keep(ctx, s, action.Kind, now, o)
	case Discard:
		return a.discard(ctx, s, action.Name)
	case TearDown:
		_, err := a.Writer.Teardown(ctx, identityOf(s.Review).Rehearsal(), s.Review.Spec.Prototype.UID)
		return err
	case Seal:
		return a.seal(ctx, s, plan, now, o)
	}
	return errors.New("unknown action")
}

// startRun opens what the run needs before it makes the Job: a pod must not meet a closed door and measure that.
func (a actor) startRun(ctx context.Context, s Snapshot, kind evidence.Kind) error {
	if kind == evidence.KindLoad {
		if _, err := a.Writer.Ensure(ctx, s.loadOpening()); err != nil {
			return err
		}
	}
	job, err := s.job(kind, rand.Text())
	if err != nil {
		return err
	}
	_, err = a.Writer.CreateOnce(ctx, job)
	return err
}

// startControl makes the rehearsal namespace whole before the control begins, so that the run can join it at once.
func (a actor) startControl(ctx context.Context, s Snapshot, o *Outcome) error {
	at := s.rehearsal()
	made, err := a.Credentials.Make(ctx, bare(s.Record.Subject), at)
	if err != nil {
		return err
	}
	if len(made.Problems) > 0 {
		o.Problems, o.Again = made.Problems, pollProblem
		return nil
	}
	created, err := a.Writer.Ensure(ctx, s.rehearsalNamespace())
	if err != nil {
		return err
	}
	bound, err := a.Writer.Ensure(ctx, workload.OperatorBinding(at))
	if err != nil {
		return err
	}
	if err := a.furnish(ctx, s, made.Secrets); err != nil {
		// The API server learns of a new binding a moment after it took it.
		if apierrors.IsForbidden(err) && (created == apply.Created || bound == apply.Created) {
			o.Again = time.Second
			return nil
		}
		return err
	}
	job, err := s.controlJob(rand.Text())
	if err != nil {
		return err
	}
	_, err = a.Writer.CreateOnce(ctx, job)
	return err
}

func (a actor) furnish(ctx context.Context, s Snapshot, secrets []*corev1.Secret) error {
	objects := s.furniture()
	for _, secret := range secrets {
		objects = append(objects, secret)
	}
	_, err := a.Writer.EnsureAll(ctx, objects...)
	return err
}

// keep puts the reports into the records before their Jobs go. The next pass sees them there.
func (a actor) keep(ctx context.Context, s Snapshot, kind evidence.Kind, now time.Time, o *Outcome) error {
	reports, err := s.kept(kind, now)
	if err != nil {
		return err
	}
	for _, report := range reports {
		object, err := report.Object()
		if err != nil {
			return err
		}
		if _, err := a.Writer.CreateOnce(ctx, object); err != nil {
			return err
		}
	}
	o.Again = time.Millisecond
	return nil
}

func (a actor) discard(ctx context.Context, s Snapshot, name string) error {
	for _, object := range s.Leftovers {
		if describe(object) == name {
			return a.Writer.Remove(ctx, object)
		}
	}
	return nil
}

// seal writes the outcome into the records once. What is there already is the outcome.
func (a actor) seal(ctx context.Context, s Snapshot, plan Plan, now time.Time, o *Outcome) error {
	sealed := record.Outcome{
		Outcome: plan.Outcome, At: stamp(now), Gates: plan.Gates, Decisions: mirrored(s, plan),
	}
	if s.Sealed != nil {
		o.Sealed = s.Sealed
		return nil
	}
	object, err := s.Record.Outcome(sealed)
	if err != nil {
		return err
	}
	outcome, err := a.Writer.CreateOnce(ctx, object)
	if err != nil {
		return err
	}
	if outcome == apply.Created {
		o.Sealed = &sealed
		return nil
	}
	// Another pass was first; the next one reads what it sealed.
	o.Again = time.Second
	return nil
}

// orphans takes away what a review that is gone left in the gates namespace, and its rehearsal namespace.
func (a actor) orphans(ctx context.Context, left []client.Object, rehearsal *corev1.Namespace) (waiting bool, err error) {
	for _, object := range left {
		if err := a.Writer.Remove(ctx, object); err != nil {
			return false, err
		}
	}
	if rehearsal == nil {
		return false, nil
	}
	why, err := a.Writer.Teardown(ctx, rehearsal.Name, rehearsal.Labels[v1alpha1.LabelPrototypeUID])
	return why != "", err
}
