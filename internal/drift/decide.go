package drift

import (
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/run"
)

// Step is what a pass does. The set is closed.
type Step string

const (
	// Rest does nothing.
	Rest Step = "Rest"
	// Forget takes the annotation away: nobody asks.
	Forget Step = "Forget"
	// Tell writes the state.
	Tell Step = "Tell"
	// Start begins a measurement, openings first.
	Start Step = "Start"
	// Tend keeps a measurement supplied that is at work.
	Tend Step = "Tend"
	// Conclude keeps what a measurement left, judges it and tells.
	Conclude Step = "Conclude"
)

// Plan is what a pass does. Whatever the step, what is left of measurements goes that do not go on.
type Plan struct {
	Step Step
	// State to tell.
	State State
	// Wake is when to look again without being told; zero for never.
	Wake time.Time
}

// keeps tells whether the present run goes on, so that its Job and its openings stay.
func (p Plan) keeps() bool { return p.Step == Start || p.Step == Tend || p.Step == Conclude }

// Decide says what to do now. It is pure.
//
//	not asked for ─▶ Forget        nothing serves, or another is on its way ─▶ Rest, what was known stays
//	acts by itself, and the policy leaves such alone ─▶ Tell "not asked"
//	serves ─▶ Tell "not measured" ─▶ Start (when due and answering) ─▶ Tend ─▶ Conclude ─▶ Rest until due again
//
// Anything that is not Start, Tend or Conclude closes what is open in production.
func Decide(s Scene, now time.Time) Plan {
	switch {
	case s.Namespace == nil || s.Serving.Record == "":
		return Plan{Step: Rest}
	case s.Record == nil:
		return s.unreadable(now)
	case !s.asked() && s.State == (State{}):
		return Plan{Step: Rest}
	case !s.asked():
		return Plan{Step: Forget}
	case !s.State.Of(s.Serving.Record):
		return Plan{Step: Tell, State: unmeasured(s.Serving.Record, s.State.Number, now)}
	case s.acts():
		return s.leave(now)
	case s.Stops.Severs():
		return s.wait("an emergency stop cuts it off.", now)
	case s.Run.State == run.Measured || s.Run.State == run.Lost:
		return Plan{Step: Conclude}
	case s.Run.State == run.Running && !s.Answering:
		return s.wait("it does not answer.", now)
	case s.Run.State == run.Running:
		return Plan{Step: Tend, Wake: s.Run.Until}
	}
	every := s.every()
	if due := s.State.due(every, now); now.Before(due) {
		return Plan{Step: Rest, Wake: due}
	}
	if !s.Answering {
		return s.wait("it does not answer.", now)
	}
	return Plan{Step: Start}
}

// asked tells whether the policy has what serves watched, and it uses a model.
func (s Scene) asked() bool {
	return s.Record.Requirements.Production.ModelDrift != nil && s.Record.Subject.Model != nil
}

// acts tells whether a question could make what serves do something, and the policy does not say that it may. Whoever is not
// said to only answer or suggest acts; one that writes to an integration does (subject.FactsOf).
func (s Scene) acts() bool {
	switch s.Record.Subject.Facts.Autonomy {
	case v1alpha1.AutonomyAnswers, v1alpha1.AutonomySuggests:
		return false
	}
	return s.Record.Requirements.Production.ModelDrift.Acting != v1alpha1.ActingAsk
}

// leave what acts alone, and say so. A drift that was shown stays.
func (s Scene) leave(now time.Time) Plan {
	next := s.State.unasked(now)
	if next == s.State || s.State.Verdict == Drifted {
		return Plan{Step: Rest}
	}
	return Plan{Step: Tell, State: next}
}

func (s Scene) every() time.Duration {
	if every := s.Record.Requirements.Production.ModelDrift.Every.Duration; every > 0 {
		return every
	}
	return usualEvery
}

// unreadable keeps what is known until the record can be read; a good verdict on what nobody can read is none.
func (s Scene) unreadable(now time.Time) Plan {
	if s.State.Verdict != AsApproved {
		return Plan{Step: Rest, Wake: now.Add(pause)}
	}
	return Plan{Step: Tell, State: s.State.aged("record "+s.Serving.Record+" can't be read. IT restores it.", now)}
}

// wait until something changes. Meanwhile a verdict ages.
func (s Scene) wait(why string, now time.Time) Plan {
	end := s.State.outlived(s.every())
	if !end.IsZero() && !now.Before(end) {
		return Plan{Step: Tell, State: s.State.aged(why, now)}
	}
	return Plan{Step: Rest, Wake: end}
}

// gateOf is the gate of the record whose evaluation can be asked again; nil where it has none.
func (s Scene) gateOf() *v1alpha1.Gate {
	gates := s.Record.Requirements.Gates
	if at := slices.IndexFunc(gates, quality.Repeatable); at >= 0 {
		return &gates[at]
	}
	return nil
}

// caseOf the record, as the instrument of its quality gate is asked about it.
func (s Scene) caseOf(g v1alpha1.Gate, now time.Time) gate.Case {
	return gate.Case{Record: *s.Record, Gate: g, Patience: gate.PatienceOf(s.State.Lost + 1), Now: now}
}
