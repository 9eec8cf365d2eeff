package stop

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/reach"
	"github.com/affineur/affineur/internal/run"
)

// Who moves what is missing.
const (
	operatorActs    = "; the operator sees to it by itself, and the platform team to the operator's log if that takes minutes"
	operatorLooks   = "; the operator tells by itself within a minute or two"
	nodesEndThem    = "; their nodes end them, and the platform team sees to a node that does not"
	platformSees    = "; the platform team sees to the network engine, and a responder can stop what runs there (action Stop)"
	platformLooks   = "it could not be measured, and is tried again; the platform team can see in namespace "
	responderEnds   = ", and the operator does not know it; a responder deletes it by hand, and the platform team finds out who made it"
	notMeasured     = "it is measured when a pod of the workload starts; the platform team can see what keeps them from starting"
	measuredLong    = ", which is too long ago; the operator measures it again by itself, and the platform team sees in its log what keeps it"
	engineUnseen    = "the network is not seen to be enforced, which is the platform team's to mend: "
	policyOwnerActs = "; the owner of the policy sees to its entry in the catalogue, and a responder can stop what uses it (action Stop)"
)

// missing says what an action has not brought about in the namespace yet, and who moves it; "" where it was seen to be so.
// What could not be seen is missing.
//
//	Freeze ─▶ nothing: whoever promotes sees the stop
//	Stop   ─▶ rules closed ─▶ no pod left
//	Sever  ─▶ rules closed ─▶ no pod from before ─▶ measured of late: not reached    (nothing to see where nothing is to run)
func (s Scene) missing(action v1alpha1.StopAction, now time.Time) string {
	switch {
	case action == v1alpha1.StopFreeze:
		return ""
	case s.purpose() == v1alpha1.PurposeRehearsal:
		return "the rehearsal is being taken down" + operatorActs
	case s.Stranger != "":
		return s.Stranger
	case s.leaving() && len(s.alive()) == 0:
		return ""
	}
	left := len(s.alive())
	idle := left == 0 && s.wanted() == 0
	if idle && !s.Effects.Cut {
		// Whoever starts something here again makes the rules first.
		return ""
	}
	if open := s.open(); open != "" {
		return open + operatorActs
	}
	switch {
	case s.Effects.Stopped && left > 0:
		return fmt.Sprintf("%d pods are stopping", left) + nodesEndThem
	case idle:
		return ""
	case action == v1alpha1.StopStop:
		return "the workload is being stopped" + operatorActs
	case s.before() > 0:
		return fmt.Sprintf("%d pods from before the cut are ending", s.before()) + nodesEndThem
	case s.leaving():
		return fmt.Sprintf("%d pods are ending with their namespace", left) + nodesEndThem
	case left == 0:
		return notMeasured
	case s.Measured == nil || s.Measured.Inputs != s.inputs():
		return "it is being measured" + operatorLooks
	case !s.Measured.Severed:
		return s.Measured.Message
	case !now.Before(s.Measured.expires()):
		return "it was last measured at " + s.Measured.At.UTC().Format(time.RFC3339) + measuredLong
	}
	return ""
}

// Step is what the measurement of a cut needs next.
type Step string

const (
	// Rest means nothing before a known time, or before something changes.
	Rest Step = "Rest"
	// Forget what was measured, for nothing is cut.
	Forget Step = "Forget"
	// Begin the control, outside.
	Begin Step = "Begin"
	// Join the run inside, once the control is at work.
	Join Step = "Join"
	// Follow both.
	Follow Step = "Follow"
	// Dismiss the control: the run inside has ended.
	Dismiss Step = "Dismiss"
	// Conclude from both, which have ended.
	Conclude Step = "Conclude"
	// Discard runs that were made for something else, or are done with.
	Discard Step = "Discard"
)

const (
	// runPoll is the pace at which runs under way are looked at, should an event get lost.
	runPoll = 30 * time.Second
	// retryLeast and retryMost bound the pause after a measurement that did not show the cut.
	retryLeast = 10 * time.Second
	retryMost  = 5 * time.Minute
	// atWork is what a run whose pod has started waits for: its phase.
	atWork = "Running"
)

// Next says what the measurement of the scene's cut needs, and when to look again; the zero time for when something
// changes. Nothing is measured before the rules are closed and the pods replaced: it would only show that they are not.
//
//	nothing cut, or nothing runs ─Forget▶
//	due ─Begin▶ control at work ─Join▶ both at work ─Follow▶ inside ended ─Dismiss▶ both ended ─Conclude▶ rest until due
//	       any run made under other inputs ─Discard▶ due
func (s Scene) Next(inside, control Probe, now time.Time) (Step, time.Time) {
	any := inside.present() || control.present()
	inputs := s.inputs()
	stale := func(p Probe) bool { return p.present() && p.Inputs != inputs }
	switch {
	case !s.measurable() && any:
		return Discard, time.Time{}
	case !s.measurable() && s.Measured != nil && !s.Effects.Severs():
		return Forget, time.Time{}
	case !s.measurable():
		return Rest, time.Time{}
	case stale(inside) || stale(control):
		return Discard, time.Time{}
	case any && now.Before(s.due(inputs)):
		// Their verdict is told.
		return Discard, time.Time{}
	case !any && now.Before(s.due(inputs)):
		return Rest, s.due(inputs)
	case !any:
		return Begin, now.Add(runPoll)
	case !control.present():
		return Discard, time.Time{}
	case !inside.present() && control.State == run.Running && control.Why == atWork:
		return Join, now.Add(runPoll)
	case inside.present() && inside.State != run.Running && control.State == run.Running && control.Pod != "" && !control.Told:
		return Dismiss, now.Add(runPoll)
	case control.State == run.Running || inside.State == run.Running:
		return Follow, now.Add(runPoll)
	}
	return Conclude, time.Time{}
}

// measurable tells whether there is a cut that can be measured.
func (s Scene) measurable() bool {
	return s.Effects.Severs() && !s.Effects.Stopped && !s.leaving() && s.purpose() != v1alpha1.PurposeRehearsal &&
		s.open() == "" && s.wanted() > 0 && len(s.alive()) > 0 && s.before() == 0
}

// measureEvery is how old a measurement that showed the cut may become.
const measureEvery = time.Hour

// expires is when a measurement says nothing any more: nobody has looked since.
func (m Measured) expires() time.Time { return m.At.Add(2 * measureEvery) }

// due is when the cut is to be measured; the zero time for at once.
func (s Scene) due(inputs string) time.Time {
	m := s.Measured
	switch {
	case m == nil || m.Inputs != inputs:
		return time.Time{}
	case m.Severed:
		return m.At.Add(measureEvery)
	}
	return m.At.Add(min(max(m.At.Sub(m.Since), retryLeast), retryMost))
}

// Judge says what two runs that have ended show of the cut. That nothing was reached shows it only where the network is
// seen to be enforced: the canary, which the control reaches meanwhile, is out of reach.
func (s Scene) Judge(inside, control Probe, now time.Time) Measured {
	severed, message := s.judge(inside, control)
	return s.verdict(severed, message, now)
}

// unmeasured is the answer where a measurement could not even begin; it is tried again like any other.
func (s Scene) unmeasured(why string, now time.Time) Measured { return s.verdict(false, why, now) }

func (s Scene) verdict(severed bool, message string, now time.Time) Measured {
	m := Measured{Inputs: s.inputs(), Severed: severed, Message: evidence.Clean(message, 250), At: now.UTC().Truncate(time.Second)}
	m.Since = m.At
	if last := s.Measured; last != nil && last.Severed == m.Severed && last.Inputs == m.Inputs {
		m.Since = last.Since
	}
	return m
}

func (s Scene) judge(inside, control Probe) (bool, string) {
	switch {
	case control.State != run.Measured:
		return false, platformLooks + v1alpha1.GatesNamespace + " why the control was lost: " + control.Why
	case inside.State != run.Measured:
		return false, platformLooks + s.Namespace.Name + " why the probe was lost: " + inside.Why
	}
	in, err := evidence.Read[evidence.IsolationReport](inside.Opened.Report.Result)
	if err != nil {
		return false, platformLooks + s.Namespace.Name + " why the probe's report can't be used: " + err.Error()
	}
	out := evidence.As[evidence.IsolationReport](control.Opened.Report.Result)
	if c := reach.Blocked(in.Target(canaryTarget), out.Target(canaryTarget)); c.Outcome != reach.Holds {
		return false, engineUnseen + "the canary was " + c.Why
	}
	tried := map[string]bool{}
	for i := range in.Targets {
		target := &in.Targets[i]
		name := placeOf(target.Name)
		tried[name] = true
		switch {
		case target.Reached:
			return false, fmt.Sprintf("%s was still reached at %s", name, target.Address) + platformSees
		case !target.Class.SaysBlocked() || !target.Settled:
			return false, fmt.Sprintf("it is not clear whether %s can still be reached at %s", name, target.Address) + platformSees
		}
	}
	for _, place := range s.Reach.Severed(s.Effects) {
		if !tried[place.Name] {
			return false, place.Name + " has no address that could be tried" + policyOwnerActs
		}
	}
	return true, "nothing that is cut was reached"
}
