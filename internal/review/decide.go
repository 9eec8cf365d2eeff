package review

import (
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/run"
)

const (
	// attemptsAtMost bounds how often a measurement that came to nothing is made anew without being asked.
	attemptsAtMost = 3
	// pauseAfter is the pause after the first such attempt; it grows with every one.
	pauseAfter = 10 * time.Second
	// clockSkew is by how much a request for a new look may be ahead of the operator's clock. One from a later time
	// is not heard before, or it would ask for ever.
	clockSkew = time.Minute
	// resync is how often an open review is looked at although nothing happened: guards and records are not watched.
	resync = 10 * time.Minute
	// poll is how often what can't be watched is looked at while something waits for it.
	poll = 3 * time.Second
	// pollProblem is how often a Secret of IT's that is missing is looked for again.
	pollProblem = 30 * time.Second
)

// Decide says what to do about a review.
//
//	                 ┌── no record, or another ──▶ stalled, nothing goes on
//	                 ├── an emergency stop cuts something off ──▶ nothing is measured until it is lifted
//	open ── measuring ⇄ gates passed ── approved ──▶ (promotion controller) ──▶ Promoted | RolledBack
//	          │             │    ▲ decisions may come at any time
//	          │             └────┴── a rejection that counts ──▶ Rejected
//	          ├── gates failed: waits for another subject, or to be asked for another look
//	          ├── a later review of another subject, or back to what serves ──▶ Superseded   (not once promotion began)
//	          └── production no longer wanted, prototype gone ──▶ Withdrawn
//
//	Once promotion began, the review ends with it: Promoted when it serves; when it was taken back Rejected or Withdrawn
//	where that was why, else RolledBack. Both see the same rejection, but only one of them may decide whether it came
//	in time.
//
//	outcome reached ── sealed in the records ── told in the status ── cleared away
//
// A measurement: starting ▶ running ▶ its report kept ▶ its Job discarded. One that came to nothing is made anew, at
// most attemptsAtMost times; one that failed is not, because the subject failed and not the measurement.
func Decide(s Snapshot, now time.Time) Plan {
	switch {
	case s.ended():
		return s.clear()
	case s.Record == nil:
		return Plan{Requeue: resync}
	}
	plan := Plan{
		Gates:    assess.Gates(*s.Record, s.Reports, now),
		Decided:  assess.Decisions(*s.Record, string(s.Review.UID), s.Review.CreationTimestamp.Time, s.Decisions, s.Guards, now, s.needed()),
		Progress: map[evidence.Kind]Progress{},
		Requeue:  resync,
	}
	if s.Rehearsal == PlaceOurs && s.Stops.Severs() {
		// What a stop wants waits for nothing that may fail.
		plan.Actions = []Action{{Do: TearDown}}
		plan.wake(poll)
	}
	plan.Outcome = s.outcome(plan.Decided)
	if plan.Outcome != "" {
		plan.Actions = append(plan.Actions, Action{Do: Seal, Outcome: plan.Outcome})
		return plan
	}
	for _, m := range measurements {
		s.measure(&plan, m, now)
	}
	for _, object := range s.Leftovers {
		plan.Actions = append(plan.Actions, Action{Do: Discard, Name: describe(object)})
	}
	s.rehearse(&plan)
	if until := plan.Decided.Until; !until.IsZero() {
		plan.wake(until.Sub(now))
	}
	if due := s.Review.Status.Due; due != nil && now.Before(due.Time) {
		plan.wake(due.Sub(now) + time.Second)
	}
	return plan
}

// needed is for how long approvals must hold from now on: until the revision can have soaked, or, once its promotion began,
// no longer, for then whoever promotes looks.
func (s Snapshot) needed() time.Duration {
	if s.promoting() {
		return 0
	}
	return s.Record.Requirements.Soak()
}

// outcome of the review, empty while it is open. What was sealed stays. What people do ends it until promotion began,
// which then comes to its own end.
func (s Snapshot) outcome(decided assess.Decided) v1alpha1.ReviewOutcome {
	switch {
	case s.Sealed != nil:
		return s.Sealed.Outcome
	case s.step() == v1alpha1.StepServing:
		return v1alpha1.OutcomePromoted
	case s.step() == v1alpha1.StepRolledBack:
		return s.takenBack()
	case s.step() == v1alpha1.StepRetiring || s.step() == v1alpha1.StepRetired:
		return v1alpha1.OutcomeWithdrawn
	case s.promoting():
		return ""
	case decided.Rejected != nil:
		return v1alpha1.OutcomeRejected
	case !s.Prototype.Exists || s.Prototype.Deleting:
		return v1alpha1.OutcomeWithdrawn
	case s.Newer != "":
		return v1alpha1.OutcomeSuperseded
	case s.Prototype.Target != v1alpha1.TargetProduction:
		return v1alpha1.OutcomeWithdrawn
	}
	return ""
}

// takenBack is the outcome of what was taken out of production before it had soaked, by why that was done.
func (s Snapshot) takenBack() v1alpha1.ReviewOutcome {
	switch s.Review.Status.Promotion.Reason {
	case v1alpha1.ReasonRejected:
		return v1alpha1.OutcomeRejected
	case v1alpha1.ReasonWithdrawn:
		return v1alpha1.OutcomeWithdrawn
	}
	return v1alpha1.OutcomeRolledBack
}

// clear takes away what a review that has ended left behind.
func (s Snapshot) clear() Plan {
	var plan Plan
	for _, object := range s.Leftovers {
		plan.Actions = append(plan.Actions, Action{Do: Discard, Name: describe(object)})
	}
	if s.Rehearsal == PlaceOurs {
		plan.Actions = append(plan.Actions, Action{Do: TearDown})
		plan.Requeue = poll
	}
	return plan
}

// measure plans one measurement.
func (s Snapshot) measure(plan *Plan, m measurement, now time.Time) {
	if s.Record.Requirements.Gate(m.gate) == nil {
		return
	}
	if s.Stops.Severs() {
		plan.Progress[m.kind] = Progress{Stage: Waiting, Reason: v1alpha1.ReasonEmergencyStop, Why: s.Stops.Message()}
		return
	}
	attempt := s.Runs[m.kind]
	progress := Progress{Stage: Running, Why: attempt.Why}
	switch s.stateOf(m) {
	case run.Measured, run.Lost:
		progress.Stage = Keeping
		plan.Actions = append(plan.Actions, Action{Do: KeepReport, Kind: m.kind, Name: attempt.Name})
	case run.Running:
		if join := m.kind == evidence.KindIntegration && attempt.State == run.Absent; join {
			progress = s.join(plan, attempt)
		}
	default:
		progress = s.wanted(m, verdictOf(plan.Gates, s.nameOf(m)), now)
		switch {
		case progress.Stage == Starting && m.kind == evidence.KindIntegration:
			plan.Actions = append(plan.Actions, Action{Do: StartControl, Kind: m.kind, Name: s.Control.Name})
		case progress.Stage == Starting:
			plan.Actions = append(plan.Actions, Action{Do: StartRun, Kind: m.kind, Name: attempt.Name})
		}
	}
	plan.Progress[m.kind] = progress
	if progress.Stage == Pausing {
		plan.wake(progress.At.Sub(now))
	}
}

// stateOf a measurement. An integration run and its control are one: they have ended when both have, and begun with
// the control. A run whose control has ended before it began will not be begun any more: it is lost.
func (s Snapshot) stateOf(m measurement) run.State {
	attempt, control := s.Runs[m.kind].State, s.Control.State
	switch {
	case m.kind != evidence.KindIntegration:
		return attempt
	case attempt == run.Absent && control == run.Absent:
		return run.Absent
	case attempt == run.Running || control == run.Running:
		return run.Running
	}
	return run.Lost
}

// join begins the integration run once the control is at work, so that the control sees the forbidden targets alive
// all the while.
func (s Snapshot) join(plan *Plan, attempt Run) Progress {
	if s.Control.Why != controlAtWork {
		return Progress{Stage: Running, Why: "The control is starting."}
	}
	plan.Actions = append(plan.Actions, Action{Do: StartRun, Kind: evidence.KindIntegration, Name: attempt.Name})
	return Progress{Stage: Starting}
}

// controlAtWork is what a run whose pod has started waits for: its phase.
const controlAtWork = "Running"

// wanted says whether a measurement that has no run should have one.
func (s Snapshot) wanted(m measurement, gate v1alpha1.GateStatus, now time.Time) Progress {
	asked := s.Prototype.RequestedAt
	if asked.After(now.Add(clockSkew)) {
		asked = time.Time{}
	}
	newest := assess.Newest(*s.Record, s.Reports, m.gate)
	again := newest.IsZero() || asked.After(newest)
	var round int
	for _, at := range s.made(m.kind) {
		if !at.Before(asked) {
			round++
		}
	}
	pauseEnd := newest.Add(time.Duration(round) * pauseAfter)
	switch {
	case s.promoting():
		return Progress{Stage: Resting}
	case !again && (gate.Verdict == v1alpha1.GatePassed || gate.Verdict == v1alpha1.GateFailed):
		return Progress{Stage: Resting}
	case !again && round >= attemptsAtMost:
		return Progress{Stage: GivenUp, Why: fmt.Sprintf("%d attempts came to nothing", round)}
	case !again && round > 0 && now.Before(pauseEnd):
		return Progress{Stage: Pausing, Why: "It came to nothing and is measured again.", At: pauseEnd}
	}
	return s.possible(m)
}

// possible says whether a run can be made now, and what it waits for otherwise.
func (s Snapshot) possible(m measurement) Progress {
	_, _, err := s.order(m.kind)
	switch {
	case err != nil:
		return Progress{Stage: GivenUp, Why: "It can't be measured: " + err.Error() + "."}
	case m.kind == evidence.KindLoad && !(s.Sandbox.Reviewed && s.Sandbox.Answering):
		return Progress{Stage: Waiting, Why: fmt.Sprintf("It waits for the sandbox: %s What the sandbox waits for: kubectl affineur status %s -n %s.",
			s.Sandbox.Why, s.Record.Prototype.Name, s.Record.Prototype.Namespace)}
	case m.kind == evidence.KindLoad:
		return Progress{Stage: Starting}
	case s.Canary == "" || s.Settings.APIServer == "":
		return Progress{Stage: Waiting, Reason: v1alpha1.ReasonCanaryMissing, Why: "Service " + v1alpha1.GatesNamespace + "/" + v1alpha1.CanaryService +
			" is not there, and without it nothing shows what is out of reach. The platform team installs it."}
	case s.Rehearsal == PlaceForeign:
		return Progress{Stage: Waiting, Reason: v1alpha1.ReasonNamespaceConflict, Why: "Namespace " + s.Record.Prototype.Rehearsal() + " exists and is not the operator's. The platform team has to take it away."}
	case s.Rehearsal == PlaceOthers, s.Rehearsal == PlaceLeaving:
		return Progress{Stage: Waiting, Why: "It waits until the rehearsal namespace of an earlier run is gone."}
	}
	return Progress{Stage: Starting}
}

// rehearse takes the rehearsal namespace away as soon as nothing is measured there, and an earlier review's at once
// where it is in the way: whoever made it may be gone.
func (s Snapshot) rehearse(plan *Plan) {
	progress := plan.Progress[evidence.KindIntegration]
	switch {
	case s.Rehearsal == PlaceOthers && progress.Stage == Waiting,
		s.Rehearsal == PlaceOurs && !progress.atWork() && !s.Stops.Severs():
		plan.Actions = append(plan.Actions, Action{Do: TearDown})
		plan.wake(poll)
	case progress.Stage == Waiting && progress.Reason != v1alpha1.ReasonEmergencyStop:
		plan.wake(pollProblem)
	}
}

// nameOf is the name of the gate that a measurement is for.
func (s Snapshot) nameOf(m measurement) string { return s.Record.Requirements.Gate(m.gate).Name }

func verdictOf(gates []v1alpha1.GateStatus, name string) v1alpha1.GateStatus {
	if at := slices.IndexFunc(gates, func(g v1alpha1.GateStatus) bool { return g.Name == name }); at >= 0 {
		return gates[at]
	}
	return v1alpha1.GateStatus{}
}
