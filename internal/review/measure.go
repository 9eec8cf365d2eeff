package review

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/run"
)

// measure plans one gate's measurement.
func (s Snapshot) measure(plan *Plan, m Measuring, now time.Time) {
	if s.Stops.Severs() {
		plan.Progress[m.Gate.Name] = Progress{Stage: Waiting, Reason: v1alpha1.ReasonEmergencyStop, Why: s.Stops.Message()}
		return
	}
	progress := Progress{Stage: GivenUp, Why: m.Problem}
	if m.Current != nil {
		progress = s.advance(plan, m, now)
	}
	progress.Advisory = m.Gate.Enforcement == v1alpha1.EnforcementAdvisory
	plan.Progress[m.Gate.Name] = progress
	if progress.Stage == Pausing {
		plan.wake(progress.At.Sub(now))
	}
}

// advance plans what becomes of the current run.
func (s Snapshot) advance(plan *Plan, m Measuring, now time.Time) Progress {
	r := m.Current
	act := func(verb Verb) {
		plan.Actions = append(plan.Actions, Action{Do: verb, Gate: m.Gate.Name, Name: r.Name})
	}
	switch r.state() {
	case run.Measured, run.Lost:
		plan.want(r.Replicas)
		act(KeepReport)
		return Progress{Stage: Keeping, Why: r.Why}
	case run.Running:
		plan.want(r.Replicas)
		if r.Use != "" {
			plan.wake(readEvery)
		}
		for _, until := range r.untils() {
			plan.wake(until.Sub(now))
		}
		if r.State == run.Absent {
			return s.join(plan, m)
		}
		if len(r.Files) > 0 && r.Why != atWorkNow {
			act(HandOver)
		}
		if r.dismissible() {
			act(DismissControl)
		}
		if r.Homeless {
			return Progress{Stage: Waiting, Reason: v1alpha1.ReasonQueued, Why: "It waits for a node with room for its pod."}
		}
		return Progress{Stage: Running, Why: r.Why}
	}
	progress := s.wanted(plan, m, verdictOf(plan.Gates, m.Gate.Name), now)
	if progress.Stage == Keeping {
		act(Forgo)
	}
	if progress.Stage != Starting {
		return progress
	}
	if r.Site == gate.SiteSandbox {
		plan.inSandbox++
		plan.alone = plan.alone || r.Alone
	}
	if r.Site != gate.SiteOperator {
		plan.started++
	}
	if rehearsed(r.Site) {
		act(Rehearse)
	}
	switch {
	case r.Site == gate.SiteOperator:
		act(TakeSample)
	case r.Control != nil:
		act(StartControl)
	default:
		act(StartRun)
	}
	return progress
}

// join begins the run once its control is at work, so that the control sees the forbidden targets alive all the while.
func (s Snapshot) join(plan *Plan, m Measuring) Progress {
	if m.Current.Control.Why != atWorkNow {
		return Progress{Stage: Running, Why: "The control is starting."}
	}
	plan.Actions = append(plan.Actions, Action{Do: StartRun, Gate: m.Gate.Name, Name: m.Current.Name})
	return Progress{Stage: Starting}
}

// atWorkNow is what a run whose pod has started waits for: its phase.
const atWorkNow = "Running"

// wanted says whether a measurement that has no run should have one.
func (s Snapshot) wanted(plan *Plan, m Measuring, verdict v1alpha1.GateStatus, now time.Time) Progress {
	asked := s.Prototype.RequestedAt
	if asked.After(now.Add(clockSkew)) {
		asked = time.Time{}
	}
	newest := m.newest()
	again := newest.IsZero() || asked.After(newest)
	// What has become too old was no attempt at what is asked now.
	round, lately, fresh := 0, 0, now.Add(-s.caseOf(m.Gate, m.Number, now).Frame().MaxAge)
	for _, at := range m.Before {
		if !at.After(fresh) {
			continue
		}
		lately++
		if !at.Before(asked) {
			round++
		}
	}
	atMost, pause := patience(m.Current.Site, round)
	pauseEnd := newest.Add(pause)
	switch {
	case s.promoting():
		return Progress{Stage: Resting}
	case m.began():
	case !again && (verdict.Verdict == v1alpha1.GatePassed || verdict.Verdict == v1alpha1.GateFailed):
		return Progress{Stage: Resting}
	case !again && s.spent(m.Gate, verdict):
		return Progress{Stage: GivenUp, Why: "Measured again, the same would say no more."}
	case lately >= measuredAtMost:
		return Progress{Stage: GivenUp, Why: fmt.Sprintf("It was measured %d times, as often as one review may be. A new revision opens another.", lately)}
	case !again && round >= atMost:
		return Progress{Stage: GivenUp, Why: fmt.Sprintf("%d attempts came to nothing", round)}
	case !again && round > 0 && now.Before(pauseEnd):
		return Progress{Stage: Pausing, Why: "It came to nothing and is measured again.", At: pauseEnd}
	}
	return s.possible(plan, *m.Current, now)
}

// spent tells whether a verdict is no fault of the measurement, which another look would hardly change.
func (s Snapshot) spent(g v1alpha1.Gate, verdict v1alpha1.GateStatus) bool {
	statistical, ok := s.Settings.Bench.Of(g.Type).(gate.Statistical)
	return ok && statistical.Spent(verdict.Verdict, verdict.Reason)
}

// patience is how many attempts are made at a site without being asked, and the pause after so many that came to nothing.
func patience(site gate.Site, round int) (atMost int, pause time.Duration) {
	atMost, pause = attemptsAtMost, pauseAfter
	if site == gate.SiteOperator {
		atMost = looksAtMost
	}
	for range min(round, atMost) - 1 {
		pause *= pauseFactor
	}
	return atMost, pause
}

// rehearsed tells whether runs of a site take place in the rehearsal namespace.
func rehearsed(site gate.Site) bool { return site == gate.SiteRehearsal || site == gate.SitePlayed }

// possible says whether a run can be made now, and what it waits for otherwise.
func (s Snapshot) possible(plan *Plan, r Run, now time.Time) Progress {
	witnessed := r.Site == gate.SiteRehearsal || r.Control != nil
	crowded := r.Site == gate.SiteSandbox && s.crowded(*plan, r)
	if !crowded && !s.Sandbox.Away {
		plan.want(r.Replicas)
	}
	switch {
	case now.Before(r.NotBefore):
		plan.wake(r.NotBefore.Sub(now))
		return Progress{Stage: Waiting, Reason: v1alpha1.ReasonWindowOpen, Why: "It is measured when its time has passed, at " + r.NotBefore.UTC().Format(time.RFC3339) + "."}
	case crowded:
		return Progress{Stage: Waiting, Why: "It waits for another measurement in the sandbox, which would disturb it, or be disturbed."}
	case r.Replicas > 1 && !(s.Sandbox.there() && s.spread(r.Replicas)):
		return s.spreading(plan, r, now)
	case r.Site == gate.SiteSandbox && (s.Sandbox.Away || r.Replicas <= 1 && !s.Sandbox.there()):
		return Progress{Stage: Waiting, Reason: v1alpha1.ReasonWaitingForSandbox, Why: fmt.Sprintf("It waits for the sandbox: %s What the sandbox waits for: kubectl affineur status %s -n %s.",
			s.Sandbox.Why, s.Record.Prototype.Name, s.Record.Prototype.Namespace)}
	case witnessed && (s.Canary == "" || s.Settings.APIServer == ""):
		return Progress{Stage: Waiting, Reason: v1alpha1.ReasonCanaryMissing, Why: "Service " + v1alpha1.GatesNamespace + "/" + v1alpha1.CanaryService +
			" is not there, and without it nothing shows what is out of reach. The platform team installs it."}
	case rehearsed(r.Site) && s.Rehearsal == PlaceForeign:
		return Progress{Stage: Waiting, Reason: v1alpha1.ReasonNamespaceConflict, Why: "Namespace " + s.Record.Prototype.Rehearsal() + " exists and is not the operator's. The platform team has to take it away."}
	case rehearsed(r.Site) && (s.Rehearsal == PlaceOthers || s.Rehearsal == PlaceLeaving || s.Rehearsal == PlaceOurs && s.Furnished != r.Site):
		return Progress{Stage: Waiting, Why: "It waits until the rehearsal namespace of an earlier run is gone."}
	case r.Site != gate.SiteOperator && s.AtWork+plan.atWork(s) >= s.Settings.RunsAtMost:
		plan.wake(pollTurn)
		return Progress{Stage: Waiting, Reason: v1alpha1.ReasonQueued, Why: fmt.Sprintf(
			"It waits for its turn: %d measurements are at work in the cluster, as many as the installation lets run at the same time.", s.Settings.RunsAtMost)}
	}
	return Progress{Stage: Starting}
}

// atWork is how many runs of this review are at work, those that the plan starts included.
func (p Plan) atWork(s Snapshot) int {
	n := p.started
	for _, m := range s.Measured {
		if m.Current != nil && m.Current.state() == run.Running {
			n++
		}
	}
	return n
}
