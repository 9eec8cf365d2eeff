package review

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
)

// Outcome is what became of carrying out a plan, as far as people are told.
type Outcome struct {
	// Problems keep a gate's run from being made until IT mends them, by the gate.
	Problems map[string][]policy.Problem
	// Conflict names a stranger's object that is in the way.
	Conflict string
	// Sealed is the outcome in the records, which may have been sealed before with another one.
	Sealed *record.Outcome
	// Again is when the next look is worth while because of what was done; 0 for no reason.
	Again time.Duration

	// holding are the gates whose run can't be made in this pass, although it was planned.
	holding map[string]bool
}

// problems of all gates, in the order of their names.
func (o Outcome) problems() []policy.Problem {
	var out []policy.Problem
	for _, gate := range slices.Sorted(maps.Keys(o.Problems)) {
		out = append(out, o.Problems[gate]...)
	}
	return out
}

// hold a gate's run back until the next look.
func (o *Outcome) hold(gate string, again time.Duration) {
	o.holding[gate] = true
	o.Again = sooner(o.Again, again)
}

func (o *Outcome) held(gate string) bool { return o.holding[gate] }

// actor carries out plans. Every action can be done again without harm, because the operator may be killed between
// any two.
type actor struct {
	Writer      *apply.Writer
	Credentials credentials.Maker
	Now         func() time.Time
	// Turns are taken by whoever begins a measurement: reviews are looked at side by side.
	Turns *run.Turns
}

// act carries out the plan's actions in their order and stops at the first error, which is tried again.
func (a actor) act(ctx context.Context, s Snapshot, plan Plan, now time.Time) (Outcome, error) {
	o := Outcome{Problems: map[string][]policy.Problem{}, holding: map[string]bool{}}
	for _, action := range plan.Actions {
		err := a.do(ctx, s, plan, action, now, &o)
		if conflict := new(apply.ConflictError); errors.As(err, &conflict) {
			o.Conflict, o.Again = conflict.Error(), pollProblem
			if action.Gate != "" {
				o.holding[action.Gate] = true
			}
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
	case Discard:
		return a.discard(ctx, s, action.Name)
	case TearDown:
		_, err := a.Writer.Teardown(ctx, identityOf(s.Review).Rehearsal(), s.Review.Spec.Prototype.UID)
		return err
	case Seal:
		return a.seal(ctx, s, plan, now, o)
	}
	m := s.measuringOf(action.Gate)
	if m == nil || m.Current == nil || m.Current.Name != action.Name {
		return errors.New("nothing of that name is measured")
	}
	switch action.Do {
	case Rehearse:
		return a.rehearse(ctx, s, m, o)
	case StartControl:
		return a.startControl(ctx, s, *m, o)
	case DismissControl:
		return run.Dismiss(ctx, a.Writer.Client, v1alpha1.GatesNamespace, m.Current.Control.Result, now)
	case StartRun:
		return a.startRun(ctx, s, *m, o)
	case Forgo:
		return a.forgo(ctx, s, *m, now, o)
	case HandOver:
		return a.handOver(ctx, s, *m)
	case TakeSample:
		return a.sample(ctx, s, *m, o)
	case KeepReport:
		return a.keep(ctx, s, *m, now, o)
	}
	return errors.New("unknown action")
}

// startRun opens what the run needs before it makes the Job: a pod must not meet a closed door and measure that.
func (a actor) startRun(ctx context.Context, s Snapshot, m Measuring, o *Outcome) error {
	if o.held(m.Gate.Name) {
		return nil
	}
	// A run that joins its control took its turn with it.
	if m.Current.Control != nil {
		return a.begin(ctx, s, m)
	}
	return a.inTurn(ctx, s, m, o, func() error { return a.begin(ctx, s, m) })
}

// begin makes the run.
func (a actor) begin(ctx context.Context, s Snapshot, m Measuring) error {
	if opening := s.opening(m); opening != nil {
		if _, err := a.Writer.Ensure(ctx, opening); err != nil {
			return err
		}
	}
	job, err := s.job(m, rand.Text())
	if err != nil {
		return err
	}
	if _, err = a.Writer.CreateOnce(ctx, job); err != nil {
		return err
	}
	return a.handOver(ctx, s, m)
}

// keyBeyond is for how long a run's key is good beyond the run's time: its pod may wait for room, and clocks differ.
const keyBeyond = time.Hour

// handOver gives a run its files, and the key for its judge's gateway. Where IT keeps no signing key there is none: the run is
// made without it, and says so, because a judge holds nobody up.
func (a actor) handOver(ctx context.Context, s Snapshot, m Measuring) error {
	r := s.runOf(m)
	until := a.Now().Add(time.Duration(deadline(m.Gate, m.Current.Length))*time.Second + keyBeyond)
	order := evidence.As[evidence.QualityOrder](m.Current.Order)
	if judge := s.judgeOf(m); judge != nil && order != nil && order.Judge != nil {
		key, err := a.Credentials.Judge(ctx, *judge, s.Record.Prototype, order.Judge.Call.OpenAIChat.Model, until)
		if err != nil {
			return err
		}
		if key != "" {
			r.Unbound = map[string][]byte{evidence.JudgeKeyFile: []byte(key)}
		}
	}
	return run.HandOver(ctx, a.Writer, r)
}

// startControl makes the control's Job; the run joins it once it is at work.
func (a actor) startControl(ctx context.Context, s Snapshot, m Measuring, o *Outcome) error {
	if o.held(m.Gate.Name) {
		return nil
	}
	return a.inTurn(ctx, s, m, o, func() error {
		job, err := s.controlJob(m, rand.Text())
		if err != nil {
			return err
		}
		_, err = a.Writer.CreateOnce(ctx, job)
		return err
	})
}

// inTurn begins a measurement if there is room for it, and holds it back otherwise.
func (a actor) inTurn(ctx context.Context, s Snapshot, m Measuring, o *Outcome, begin func() error) error {
	free, err := a.Turns.Take(ctx, a.Writer.Live, s.Settings.RunsAtMost, begin)
	if err == nil && !free {
		o.hold(m.Gate.Name, time.Second)
	}
	return err
}

// sampleWithin bounds how long the operator looks for a gate.
const sampleWithin = 30 * time.Second

// sample looks at what the operator measures itself. What could not be looked at is kept as lost, so that attempts are
// counted by the record.
func (a actor) sample(ctx context.Context, s Snapshot, m Measuring, o *Outcome) error {
	sampler, ok := s.Settings.Bench.Of(m.Gate.Type).(run.Sampler)
	if !ok {
		return errors.New("the operator can't measure that itself")
	}
	started := a.Now()
	looking, stop := context.WithTimeout(ctx, sampleWithin)
	defer stop()
	result, err := sampler.Sample(looking, s.caseOf(m.Gate, m.Number, started), m.Current.Run)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.Current.Result = taken(s.Record.ReviewDigest, result, err, started, a.Now())
	return a.keep(ctx, s, m, a.Now(), o)
}

// taken is what the operator saw, as a run would have left it.
func taken(subject string, result evidence.Result, err error, started, finished time.Time) run.Result {
	out := run.Result{State: run.Lost, StartedAt: started, Nonce: rand.Text()}
	if err == nil {
		var raw []byte
		report := evidence.Report{Schema: evidence.ReportSchema, Nonce: out.Nonce, Subject: subject, StartedAt: started, FinishedAt: finished, Result: result}
		if raw, err = evidence.Encode(report); err == nil {
			out.State, out.Opened = run.Measured, &evidence.Opened{Report: &report, Raw: raw, Digest: evidence.Digest(raw)}
			return out
		}
	}
	out.Why = evidence.Clean(err.Error(), maxText)
	return out
}

// keep puts the reports into the records before their Jobs go. The next pass sees them there.
func (a actor) keep(ctx context.Context, s Snapshot, m Measuring, now time.Time, o *Outcome) error {
	reports, err := s.kept(m, now)
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
