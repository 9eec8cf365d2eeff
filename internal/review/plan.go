package review

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
)

// Action is one thing to do. The set is closed: see the constants.
type Action struct {
	Do Verb
	// Gate that it is about, for those that are about one.
	Gate string
	// Name of the run or object, for people.
	Name string
	// Outcome to seal.
	Outcome v1alpha1.ReviewOutcome
}

// Verb names an action.
type Verb string

const (
	// StartRun makes a measuring Job and what it needs around it.
	StartRun Verb = "StartRun"
	// Rehearse makes the rehearsal namespace, and all that a run in it needs.
	Rehearse Verb = "Rehearse"
	// StartControl makes the control's Job of a run.
	StartControl Verb = "StartControl"
	// DismissControl tells a control that the run has ended.
	DismissControl Verb = "DismissControl"
	// Forgo keeps that a run could not be made with as many replicas as it is for.
	Forgo Verb = "Forgo"
	// HandOver gives a run its files.
	HandOver Verb = "HandOver"
	// TakeSample looks at what the operator measures itself, and keeps it.
	TakeSample Verb = "TakeSample"
	// KeepReport puts what a run left into the records.
	KeepReport Verb = "KeepReport"
	// Discard deletes a Job or an opening that nothing needs any more.
	Discard Verb = "Discard"
	// TearDown takes the rehearsal namespace away, pods first.
	TearDown Verb = "TearDown"
	// Seal puts the outcome into the records, before anybody is told.
	Seal Verb = "Seal"
)

func (a Action) String() string {
	words := []string{string(a.Do)}
	for _, word := range []string{a.Gate, a.Name, string(a.Outcome)} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// Stage is how far a measurement is.
type Stage string

const (
	// Resting means: its verdict stands until somebody asks anew.
	Resting Stage = "Resting"
	// Starting means: its run is being made.
	Starting Stage = "Starting"
	// Running means: its run is at work.
	Running Stage = "Running"
	// Keeping means: its run has ended and its report is being kept.
	Keeping Stage = "Keeping"
	// Waiting means: something has to be there first.
	Waiting Stage = "Waiting"
	// Pausing means: it came to nothing and is made again after a pause.
	Pausing Stage = "Pausing"
	// GivenUp means: it came to nothing too often.
	GivenUp Stage = "GivenUp"
)

// Progress is the stage of a measurement and what it waits for.
type Progress struct {
	Stage Stage
	Why   string
	// Reason is what it waits for, in a word for machines, where there is one.
	Reason string
	// At is when a pause ends.
	At time.Time
	// Advisory is true of a gate that nobody has to wait for.
	Advisory bool
}

// mendable tells whether it waits for somebody to mend something.
func (p Progress) mendable() bool {
	switch p.Reason {
	case v1alpha1.ReasonEmergencyStop, v1alpha1.ReasonCanaryMissing, v1alpha1.ReasonNamespaceConflict:
		return true
	}
	return false
}

// atWork tells whether a verdict is still to come without anybody doing anything.
func (p Progress) atWork() bool { return p.Stage != "" && p.Stage != Resting && p.Stage != GivenUp }

// Plan is what to do now, and what was found out on the way.
type Plan struct {
	// Gates and Decided are what records and decisions amount to; nothing else is believed.
	Gates   []v1alpha1.GateStatus
	Decided assess.Decided
	// Progress of the gates that are measured by runs, by their names.
	Progress map[string]Progress
	// Replicas that a measurement wants in the sandbox; 0 for one.
	Replicas int32
	// started counts the runs that this plan starts, inSandbox those of them that call the prototype there.
	started, inSandbox int
	// alone means that one of them has to be the only one.
	alone bool
	// Outcome that the review has come to, empty while it is open.
	Outcome v1alpha1.ReviewOutcome
	Actions []Action
	// Requeue is when to look again without an event; 0 for never.
	Requeue time.Duration
}

// measuring tells whether a verdict that somebody needs is still to come without anybody doing anything.
func (p Plan) measuring() bool {
	for _, progress := range p.Progress {
		if progress.atWork() && !progress.Advisory {
			return true
		}
	}
	return false
}

// obstacle is what somebody has to mend before a measurement goes on, while none is at work; nil without one.
func (p Plan) obstacle() *Progress {
	var found *Progress
	for _, name := range slices.Sorted(maps.Keys(p.Progress)) {
		progress := p.Progress[name]
		switch {
		case !progress.atWork(), progress.Advisory:
		case !progress.mendable():
			return nil
		case found == nil:
			found = &progress
		}
	}
	return found
}

// wake brings the next look forward.
func (p *Plan) wake(after time.Duration) {
	after = max(after, time.Second)
	if p.Requeue == 0 || after < p.Requeue {
		p.Requeue = after
	}
}
