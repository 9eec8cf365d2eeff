package drift

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// keptReports is how many measurements of a prototype in production are kept, besides the one that the verdict rests on.
const keptReports = 20

// act carries out a plan. Every action can be done again without harm: the operator may be killed between any two. queued
// tells that another measurement has to end first.
func (c *Controller) act(ctx context.Context, s Scene, p Plan, now time.Time) (queued bool, err error) {
	if err := c.clear(ctx, s, p); err != nil {
		return false, err
	}
	switch p.Step {
	case Rest:
	case Forget:
		return false, c.tell(ctx, s, State{})
	case Tell:
		return false, c.begin(ctx, s, p.State)
	case Start:
		return c.start(ctx, s, now)
	case Tend:
		return false, c.tend(ctx, s, now)
	case Conclude:
		return false, c.conclude(ctx, s, now)
	}
	return false, nil
}

// clear takes away what is left of measurements that do not go on.
func (c *Controller) clear(ctx context.Context, s Scene, p Plan) error {
	current := ""
	if p.keeps() {
		current = name(*s.Record, s.number())
	}
	var failed []error
	for _, object := range s.Left {
		if object.GetName() != current && object.GetDeletionTimestamp().IsZero() {
			failed = append(failed, c.writer.Remove(ctx, object))
		}
	}
	return errors.Join(failed...)
}

// begin tells a state. Where none was there, the numbers of the reports that were kept go on.
func (c *Controller) begin(ctx context.Context, s Scene, state State) error {
	if state.Number == 0 {
		reports, err := c.reports(ctx, s)
		if err != nil {
			return err
		}
		for _, r := range reports {
			if r.Gate == Kind {
				state.Number = max(state.Number, r.Attempt)
			}
		}
	}
	return c.tell(ctx, s, state)
}

// tell the namespace what is known; the zero State takes it away.
func (c *Controller) tell(ctx context.Context, s Scene, state State) error {
	next := s.Namespace.DeepCopy()
	if state == (State{}) {
		delete(next.Annotations, v1alpha1.AnnotationModelDrift)
	} else {
		if next.Annotations == nil {
			next.Annotations = map[string]string{}
		}
		next.Annotations[v1alpha1.AnnotationModelDrift] = state.String()
	}
	return client.IgnoreNotFound(c.client.Update(ctx, next))
}

func (c *Controller) reports(ctx context.Context, s Scene) ([]record.Report, error) {
	return run.Reports(ctx, c.live, s.Record.Prototype)
}

// approved is the evaluation that the review rested on, with the gate that asked for it.
func (s Scene) approved(reports []record.Report, now time.Time) (gate.Case, gate.Measurement, *quality.Shift) {
	g := s.gateOf()
	if g == nil {
		return gate.Case{}, gate.Measurement{}, &quality.Shift{Unsure: true, Reason: v1alpha1.ReasonNothingApproved,
			Message: "the policy asked for no gate of type Quality that asks an evaluation set itself, so no answers were approved that others could be compared with"}
	}
	asked := s.caseOf(*g, now)
	approved := assess.Newest(*s.Record, g.Name, reports).Taken().Runs[""].Measurement
	return asked, approved, quality.Incomparable(asked, approved)
}

// start opens what the run needs before it makes the Job: a pod must not meet a closed door and measure that. Where nothing
// could be compared, nothing is asked.
func (c *Controller) start(ctx context.Context, s Scene, now time.Time) (queued bool, err error) {
	reports, err := c.reports(ctx, s)
	if err != nil {
		return false, err
	}
	asked, approved, incomparable := s.approved(reports, now)
	if incomparable != nil {
		return false, c.tell(ctx, s, s.State.conclude(*incomparable, s.State.Number, s.State.Report, now))
	}
	asked.Before = gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: approved}}}
	planned, err := quality.Ask(asked, s.Namespace.Name)
	if err != nil {
		return false, err
	}
	began, err := c.turns.Take(ctx, c.live, c.atMost, func() error { return c.launch(ctx, s, planned) })
	if err != nil || began {
		return false, err
	}
	if late := s.wait("it waits for its turn among the cluster's measurements.", now); late.Step == Tell {
		return true, c.tell(ctx, s, late.State)
	}
	return true, nil
}

func (c *Controller) launch(ctx context.Context, s Scene, planned gate.Run) error {
	r := s.runOf(c.image, planned)
	if err := c.open(ctx, s, r); err != nil {
		return err
	}
	made, err := job(r, planned, s.Record.ReviewDigest, rand.Text())
	if err != nil {
		return err
	}
	if _, err := c.writer.CreateOnce(ctx, made); err != nil {
		return err
	}
	return run.HandOver(ctx, c.writer, r)
}

// open what a run has to reach, as long as it is not.
func (c *Controller) open(ctx context.Context, s Scene, r workload.Run) error {
	for _, opening := range s.openings(r) {
		if _, err := c.writer.Ensure(ctx, opening); err != nil {
			return err
		}
	}
	return nil
}

// tend puts back what a run at work needs.
func (c *Controller) tend(ctx context.Context, s Scene, now time.Time) error {
	g := s.gateOf()
	if g == nil {
		return nil
	}
	planned, err := quality.Ask(s.caseOf(*g, now), s.Namespace.Name)
	if err != nil {
		return err
	}
	r := s.runOf(c.image, planned)
	if err := c.open(ctx, s, r); err != nil {
		return err
	}
	if s.Run.Why == string(corev1.PodRunning) {
		return nil
	}
	return run.HandOver(ctx, c.writer, r)
}

// conclude keeps the report, judges what was kept and tells it, in this order. The next pass sees that it was told, and clears.
func (c *Controller) conclude(ctx context.Context, s Scene, now time.Time) error {
	mine, err := s.report(now)
	if err != nil {
		return err
	}
	object, err := mine.Object()
	if err != nil {
		return err
	}
	if _, err := c.writer.CreateOnce(ctx, object); err != nil {
		return err
	}
	reports, err := c.reports(ctx, s)
	if err != nil {
		return err
	}
	// What is judged is what was kept: after a kill it may have been kept before, as it was then.
	at := slices.IndexFunc(reports, func(r record.Report) bool { return r.Name == mine.Name })
	if at < 0 {
		return fmt.Errorf("report %s is not there after it was written", mine.Name)
	}
	asked, approved, incomparable := s.approved(reports, now)
	var shift quality.Shift
	if incomparable != nil {
		shift = *incomparable
	} else {
		shift = quality.Compare(asked, approved, assess.Open(reports[at]))
	}
	state := s.State.conclude(shift, s.number(), mine.Name, now)
	if err := c.tell(ctx, s, state); err != nil {
		return err
	}
	return c.prune(ctx, reports, state)
}

// report of the present run. What left nothing is kept as lost.
func (s Scene) report(now time.Time) (record.Report, error) {
	out := record.Report{
		Prototype: s.Record.Prototype, Gate: Kind, Ordinal: s.Record.Ordinal, Name: name(*s.Record, s.number()),
		Attempt: s.number(), Inputs: s.Record.ReviewDigest, Nonce: s.Run.Nonce, MeasuredAt: now,
	}
	if s.Run.Opened == nil {
		var err error
		out.Body, err = assess.Lost(cmp.Or(s.Run.Why, "the run is gone"))
		return out, err
	}
	out.Body = s.Run.Opened.Raw
	if finished := s.Run.Opened.Report.FinishedAt; finished.Before(now) {
		out.MeasuredAt = finished
	}
	if g := s.gateOf(); g != nil {
		taken := gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Report: s.Run.Opened.Report}}}}
		told := quality.Instrument{}.Summarize(s.caseOf(*g, now), taken).Markdown
		out.Beside = map[string]string{record.Summary: "# " + s.Record.Prototype.Name + " in production, asked again\n\n" + told}
	}
	return out, nil
}

// prune removes old reports: they come with every measurement and would grow for ever.
func (c *Controller) prune(ctx context.Context, reports []record.Report, state State) error {
	reports = slices.DeleteFunc(reports, func(r record.Report) bool { return r.Gate != Kind || r.Name == state.Report })
	slices.SortFunc(reports, func(a, b record.Report) int { return cmp.Compare(b.Attempt, a.Attempt) })
	var failed []error
	for _, old := range reports[min(len(reports), keptReports):] {
		labels := old.Prototype.Labels("report")
		labels[v1alpha1.LabelGate] = Kind
		failed = append(failed, c.writer.Remove(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: old.Name, Labels: labels},
		}))
	}
	return errors.Join(failed...)
}
