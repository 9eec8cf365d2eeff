package promotion

import (
	"fmt"
	"strings"
	"time"
)

// Kind names an action. The set is closed: the executor knows no other.
type Kind string

const (
	// Prepare makes everything in production but what runs pods: namespace, rights, quota, policies, Secrets,
	// Service, disruption budget.
	Prepare Kind = "Prepare"
	// Remember writes the namespace's memory. It is always the last action of a plan: what follows from it is
	// decided anew, from what was really written.
	Remember Kind = "Remember"
	// Release makes the Deployment and its autoscaler those of the record.
	Release Kind = "Release"
	// Stop takes the Deployment and its autoscaler away: nothing that failed keeps running.
	Stop Kind = "Stop"
	// Sever takes what emergency stops cut out of the network policies, as they stand.
	Sever Kind = "Sever"
	// Replace has what runs, as it is, made anew, and deletes the pods that started before the present cut: connections
	// from before end with them. It follows Sever: a pod that started before its rules were closed would be no better.
	Replace Kind = "Replace"
	// Halt scales what runs, as it is, to zero, and deletes its pods.
	Halt Kind = "Halt"
	// Prune removes what was opened for a record that is to run no more, and its Secrets. Pods of it that are still
	// ending lose what they reached; what closes the namespace stays.
	Prune Kind = "Prune"
	// Teardown takes production away, pods first.
	Teardown Kind = "Teardown"
)

// Action is one step of a plan.
type Action struct {
	Kind Kind
	// Record that Prepare, Release and Prune are about.
	Record string
	// Beside is the record whose pods still run next to it while Prepare makes room for both.
	Beside string
	// Memory is what Remember writes.
	Memory Memory
}

// String is one line for tests and logs.
func (a Action) String() string {
	switch {
	case a.Kind == Remember:
		return fmt.Sprintf("Remember(%s)", a.Memory)
	case a.Beside != "":
		return fmt.Sprintf("%s(%s beside %s)", a.Kind, a.Record, a.Beside)
	case a.Record != "":
		return fmt.Sprintf("%s(%s)", a.Kind, a.Record)
	}
	return string(a.Kind)
}

// cuts tells whether an action carries out an emergency stop. Such actions need to know of nothing but the stops and the
// namespace, and come before all others.
func (a Action) cuts() bool { return a.Kind == Sever || a.Kind == Replace || a.Kind == Halt }

// safer tells whether an action is carried out whatever came of those before it. Pods are made anew as soon as rules are closed,
// for which alone they wait.
func (a Action) safer(o Outcome) bool { return a.Kind == Halt || a.Kind == Replace && o.Closed }

// Plan is what a pass does and what it waits for.
type Plan struct {
	Actions []Action
	// Current is what is wrong with the record that is to serve; nil if nothing is.
	Current *Blocker
	// Candidate is why the newest review is not promoted now; nil if it is, or if there is none.
	Candidate *Blocker
	// Wake is when to look again without being told; the zero time for never.
	Wake time.Time
}

// String is the plan on one line.
func (p Plan) String() string {
	var parts []string
	for _, a := range p.Actions {
		parts = append(parts, a.String())
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing")
	}
	line := strings.Join(parts, " → ")
	if p.Current != nil {
		line += " · current: " + p.Current.Reason
	}
	if p.Candidate != nil {
		line += " · candidate: " + p.Candidate.Reason
	}
	return line
}
