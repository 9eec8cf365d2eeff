package review

import (
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
)

const (
	// attemptsAtMost bounds how often a measurement that came to nothing is made anew without being asked.
	attemptsAtMost = 5
	// looksAtMost is the same for what the operator looks at itself: a report of somebody else's may come hours later.
	looksAtMost = 8
	// measuredAtMost bounds how often a gate is measured for one review before the oldest result is too old to count, however often it is
	// asked: every report is kept.
	measuredAtMost = 24
	// pauseAfter is the pause after the first such attempt.
	pauseAfter = 10 * time.Second
	// pauseFactor is by how much it grows with every one: five attempts outlast a cluster that is busy for some minutes,
	// and eight looks take about three hours.
	pauseFactor = 3
	// clockSkew is by how much a request for a new look may be ahead of the operator's clock. One from a later time
	// is not heard before, or it would ask for ever.
	clockSkew = time.Minute
	// resync is how often an open review is looked at although nothing happened: guards and records are not watched.
	resync = 10 * time.Minute
	// poll is how often what can't be watched is looked at while something waits for it.
	poll = 3 * time.Second
	// pollTurn is how often a measurement looks whether it is its turn, besides being woken: it may have begun to wait just
	// when room was made.
	pollTurn = 15 * time.Second
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
		Gates:    s.Settings.Bench.Gates(*s.Record, s.Reports, now),
		Decided:  assess.Decisions(*s.Record, string(s.Review.UID), s.Review.CreationTimestamp.Time, s.Decisions, s.Guards, now, s.needed()),
		Progress: map[string]Progress{},
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
	// What must not go on goes before anything that may fail begins.
	for _, object := range s.Leftovers {
		plan.Actions = append(plan.Actions, Action{Do: Discard, Name: describe(object)})
	}
	for _, m := range s.Measured {
		s.measure(&plan, m, now)
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

// rehearse takes the rehearsal namespace away as soon as nothing is measured there, and an earlier review's at once
// where it is in the way: whoever made it may be gone.
func (s Snapshot) rehearse(plan *Plan) {
	var at, waiting, problem bool
	for _, m := range s.Measured {
		progress := plan.Progress[m.Gate.Name]
		if m.Current == nil || !rehearsed(m.Current.Site) || !progress.atWork() {
			continue
		}
		// What is waited for elsewhere needs no namespace that was made for something else.
		at = at || m.Current.Site == s.Furnished || s.Rehearsal != PlaceOurs
		waiting = waiting || progress.Stage == Waiting && progress.Reason != v1alpha1.ReasonQueued
		problem = problem || progress.Reason == v1alpha1.ReasonEmergencyStop
	}
	switch {
	case s.Rehearsal == PlaceOthers && waiting,
		s.Rehearsal == PlaceOurs && !at && !s.Stops.Severs():
		plan.Actions = append(plan.Actions, Action{Do: TearDown})
		plan.wake(poll)
	case waiting && !problem:
		plan.wake(pollProblem)
	}
}

func verdictOf(gates []v1alpha1.GateStatus, name string) v1alpha1.GateStatus {
	if at := slices.IndexFunc(gates, func(g v1alpha1.GateStatus) bool { return g.Name == name }); at >= 0 {
		return gates[at]
	}
	return v1alpha1.GateStatus{}
}
