// Package isolation judges whether a sandbox reaches only what it may, and is reached only by whom it should be.
//
// The network is never believed on its word: a cluster without an engine takes NetworkPolicy objects and ignores them.
// So a canary is tried from inside, where it must be out of reach, and from outside, where it must not be, at the same
// time; and something allowed is tried from inside, since a sandbox without any network is no enforced policy. Best is
// one canary with two ports of which the policy opens one: then route, node and canary are the same for both, and
// nothing but the policy is left to make the difference.
//
// The way in is measured likewise: the probe inside is itself a canary with two ports, of which the policy opens one.
// That the closed one is up all the while is shown by the probe, which reaches it at the pod's own address, where no
// policy is in between; that the way there is open, by its open twin.
//
// Some paths lead to what many clusters do not have: a metadata service, a second family of addresses. Where the control
// does not get an answer there either, the row says Unknown and does not count: nothing is claimed about it, and nothing
// is held against it. Any answer, to anybody, makes it a path like all others. All other paths have to be shown.
package isolation

import (
	"fmt"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/reach"
)

// Vantage is where a run tried the targets from.
type Vantage string

const (
	// Inside is the sandbox, under its policies.
	Inside Vantage = "Inside"
	// Outside is a pod that no policy of the sandbox restrains.
	Outside Vantage = "Outside"
)

// Direction of traffic, seen from the sandbox.
type Direction string

const (
	// Egress leaves the sandbox.
	Egress Direction = "Egress"
	// Ingress enters it.
	Ingress Direction = "Ingress"
)

// Want is how a path should be.
type Want string

const (
	// Blocked means that the network must not let it through.
	Blocked Want = "Blocked"
	// Reachable means that it must.
	Reachable Want = "Reachable"
)

// Expectation is one path and how it should be.
type Expectation struct {
	// Target is the name of a target of the runs.
	Target    string
	Direction Direction
	Want      Want
	// From is whose attempts count.
	From Vantage
	// Witness is who must have reached a blocked target meanwhile; not used for a reachable one.
	Witness Vantage
	// IfAny is true of a blocked target that there need not be. Silent says that nobody misses its row where nobody
	// tried it.
	IfAny, Silent bool
	// Twin is an open target at the same host, by which a blocked one is shown to lie on a way that works; "" where
	// the witness's way is the same.
	Twin string
}

// Egresses are the expectations of a sandbox that reaches the allowed targets and not the canaries, which are reached
// from outside.
func Egresses(canaries, allowed []string) []Expectation {
	var out []Expectation
	for _, name := range canaries {
		out = append(out, Expectation{Target: name, Direction: Egress, Want: Blocked, From: Inside, Witness: Outside})
	}
	for _, name := range allowed {
		out = append(out, Expectation{Target: name, Direction: Egress, Want: Reachable, From: Inside})
	}
	return out
}

// Evidence is what the verdict rests on.
type Evidence struct {
	gate.Frame
	// Runs by where they ran.
	Runs   map[Vantage]gate.Measurement
	Expect []Expectation

	// found is what the runs found, once they are opened.
	found map[Vantage]*evidence.IsolationReport
}

// Path is one row of the table: an expectation and what became of it.
type Path struct {
	Expectation
	reach.Conclusion
}

// Result is the verdict and the table that it sums up. Passed means Enforced.
type Result struct {
	Verdict gate.Verdict
	Paths   []Path
}

// Judge says Passed (Enforced) when every path is as it should be and shown to be; Failed (NotEnforced) when a target
// was reached that should be blocked; Inconclusive otherwise. It asks for at least one blocked and one reachable path
// from inside, or nothing is shown.
func Judge(e Evidence) Result {
	if !complete(e.Expect) {
		return Result{Verdict: unknown("no expectation names both a target that the sandbox must not reach and one that it must", time.Time{})}
	}
	var measuredAt time.Time
	e.found = map[Vantage]*evidence.IsolationReport{}
	for _, x := range e.Expect {
		for _, v := range vantages(x) {
			m := e.Runs[v]
			what := "the isolation measurement from " + strings.ToLower(string(v))
			found, refused := gate.Open[evidence.IsolationReport](e.Frame, m, what)
			if refused != nil {
				return Result{Verdict: *refused}
			}
			e.found[v] = found
			// A verdict is as old as its oldest evidence.
			if measuredAt.IsZero() || m.Report.FinishedAt.Before(measuredAt) {
				measuredAt = m.Report.FinishedAt
			}
		}
	}
	paths := make([]Path, 0, len(e.Expect))
	for _, x := range e.Expect {
		if x.Silent && e.target(x.From, x) == nil && e.target(x.Witness, x) == nil {
			continue
		}
		paths = append(paths, Path{Expectation: x, Conclusion: conclude(e, x)})
	}
	return Result{Verdict: sumUp(paths, measuredAt), Paths: paths}
}

func complete(expect []Expectation) bool {
	wants := map[Want]bool{}
	for _, x := range expect {
		if x.From == Inside {
			wants[x.Want] = true
		}
	}
	return wants[Blocked] && wants[Reachable]
}

func vantages(x Expectation) []Vantage {
	if x.Want == Blocked {
		return []Vantage{x.From, x.Witness}
	}
	return []Vantage{x.From}
}

// target is what a run says about the target of an expectation, nil where it did not try it.
func (e Evidence) target(v Vantage, x Expectation) *evidence.TargetResult {
	return e.found[v].Target(x.Target)
}

func conclude(e Evidence, x Expectation) reach.Conclusion {
	from := e.target(x.From, x)
	switch {
	case x.Want == Reachable:
		c := reach.Reachable(from)
		if c.Outcome == reach.Broken {
			// Too little is let through. That is no hole; it only means that the rest of the table shows nothing.
			c.Outcome = reach.Unclear
		}
		return c
	case x.Want != Blocked || x.Witness == x.From:
		return reach.Conclusion{Outcome: reach.Unclear, Why: "the expectation makes no sense"}
	}
	judge := reach.Blocked
	if x.IfAny {
		judge = reach.BlockedIfAny
	}
	c := judge(from, e.target(x.Witness, x))
	if c.Outcome == reach.Holds && x.Twin != "" && !reach.Meanwhile(from, e.found[x.From].Target(x.Twin)) {
		return reach.Conclusion{Outcome: reach.Unclear, Why: "nothing shows that the way there was open: " + x.Twin + " was not reached meanwhile"}
	}
	return c
}

// Found says what became of a path, as the API has it.
func (p Path) Found() string {
	switch {
	case p.Outcome == reach.Holds && p.Want == Blocked:
		return "Blocked"
	case p.Outcome == reach.Holds || p.Outcome == reach.Broken:
		return "Reachable"
	}
	return "Unknown"
}

func sumUp(paths []Path, at time.Time) gate.Verdict {
	var broken, unclear []gate.Finding
	late := ""
	for _, p := range paths {
		switch p.Outcome {
		case reach.Broken:
			broken = append(broken, finding(p))
		case reach.Unclear:
			unclear = append(unclear, finding(p))
		case reach.Holds:
			if p.OpenFor > 0 {
				late = fmt.Sprintf("; the policy took effect late: %s was reached for the first %s", p.Target, p.OpenFor)
			}
		}
	}
	switch {
	case len(broken) > 0:
		return gate.Fail(v1alpha1.ReasonNotEnforced, reached(paths)+" and should be blocked. The cluster does not enforce NetworkPolicy as the "+
			"sandbox needs it; the platform team can install a network plugin that does.", at, append(broken, unclear...)...)
	case len(unclear) > 0:
		v := unknown(unclear[0].Message, at)
		v.Findings = gate.Unknown("", "", at, unclear...).Findings
		return v
	}
	return gate.Pass(v1alpha1.ReasonEnforced, "measured: "+words(paths)+late, at)
}

// reached names every path that is open and should not be.
func reached(paths []Path) string {
	var out []string
	for _, p := range paths {
		if p.Outcome == reach.Broken {
			out = append(out, fmt.Sprintf("%s (%s)", p.Target, p.Direction))
		}
	}
	return strings.Join(out, ", ") + was(len(out)) + "reached"
}

func was(n int) string {
	if n == 1 {
		return " was "
	}
	return " were "
}

// words sum up a table in which everything holds that there is.
func words(paths []Path) string {
	var closed, open, nowhere []string
	for _, p := range paths {
		switch {
		case p.Outcome == reach.Nowhere:
			nowhere = append(nowhere, p.Target)
		case p.Want == Blocked:
			closed = append(closed, p.Target)
		default:
			open = append(open, p.Target)
		}
	}
	out := "blocked are " + strings.Join(closed, ", ") + "; allowed and reached are " + strings.Join(open, ", ")
	if len(nowhere) > 0 {
		out += "; not known, since nothing was found there from outside either: " + strings.Join(nowhere, ", ")
	}
	return out
}

func unknown(message string, at time.Time) gate.Verdict {
	return gate.Unknown(v1alpha1.ReasonIsolationInconclusive, "isolation could not be measured: "+message, at)
}

func finding(p Path) gate.Finding {
	f := gate.Finding{Owner: v1alpha1.OwnerIT}
	switch {
	case p.Outcome == reach.Broken:
		f.Reason = v1alpha1.ReasonForbiddenReached
		f.Message = fmt.Sprintf("%s (%s, from %s) was reached and should be blocked", p.Target, p.Direction, strings.ToLower(string(p.From)))
		f.Hint = "Install a network plugin that enforces NetworkPolicy, or look for another policy that opens this path."
	case p.Want == Reachable:
		f.Reason = v1alpha1.ReasonAllowedNotReached
		f.Message = fmt.Sprintf("%s (%s, from %s) should be reached: %s", p.Target, p.Direction, strings.ToLower(string(p.From)), p.Why)
		f.Hint = "Look whether the canary runs and whether the network plugin lets allowed traffic through; it is measured again."
	default:
		f.Reason = v1alpha1.ReasonNotProven
		f.Message = fmt.Sprintf("%s (%s, from %s) is not shown to be blocked: %s", p.Target, p.Direction, strings.ToLower(string(p.From)), p.Why)
		f.Hint = "Look whether the canary runs and is reached from the control pod; it is measured again."
	}
	return f
}
