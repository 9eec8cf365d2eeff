package integration

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/gate/reach"
	"github.com/affineur/affineur/internal/undeclared"
)

// kept is what was found out about what nobody declared.
type kept struct {
	// reached and unproven are findings. out is how many targets are shown to be out of reach, of all of tried.
	reached, unproven []gate.Finding
	out, tried        int
	// unshown are those that were not reached, where that says nothing; untried counts those that were not tried.
	unshown []string
	untried int
}

// keeping concludes about every target that must be out of reach, and about all others that were tried.
func keeping(e Evidence, r *evidence.IntegrationReport, control *evidence.IsolationReport) kept {
	k, closed := kept{untried: len(r.Untried)}, closedBy(e, r)
	for _, name := range e.Forbidden {
		k.tried++
		k.must(name, reach.Blocked(r.Target(name), control.Target(name)))
	}
	for i := range r.Unreachable {
		if mine := &r.Unreachable[i]; !slices.Contains(e.Forbidden, mine.Name) {
			k.tried++
			k.may(mine, witnessOf(control, mine), closed)
		}
	}
	for _, name := range forgotten(r, control) {
		if !slices.Contains(e.Forbidden, name) {
			k.must(name, reach.Conclusion{Outcome: reach.Unclear, Why: "it was not tried, and is reached from elsewhere"})
		}
	}
	return k
}

// witnessOf a target is the control's result of its name, or for the run's own node that of its address.
func witnessOf(control *evidence.IsolationReport, r *evidence.TargetResult) *evidence.TargetResult {
	if control == nil || r.Name != isolation.TargetNode {
		return control.Target(r.Name)
	}
	at := slices.IndexFunc(control.Targets, func(t evidence.TargetResult) bool {
		return strings.HasPrefix(t.Name, nodes) && t.Address == r.Address
	})
	if at < 0 {
		return nil
	}
	return &control.Targets[at]
}

// forgotten are targets that the control reached and the run did not try: a run that leaves out what it is asked shows
// nothing.
func forgotten(r *evidence.IntegrationReport, control *evidence.IsolationReport) []string {
	if control == nil {
		return nil
	}
	var out []string
	for _, t := range control.Targets {
		name := t.Name
		if strings.HasPrefix(name, nodes) {
			name = isolation.TargetNode
		}
		if t.Reaches > 0 && r.Target(name) == nil && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func (k *kept) must(name string, c reach.Conclusion) {
	switch c.Outcome {
	case reach.Holds:
		k.out++
	case reach.Broken:
		k.reached = append(k.reached, reached(name))
	default:
		k.unproven = append(k.unproven, gate.Finding{Reason: v1alpha1.ReasonNotProven, Owner: v1alpha1.OwnerIT,
			Message: name + " is not shown to be out of reach from production: " + c.Why,
			Hint:    "Look whether the canary runs; it is measured again."})
	}
}

// inEffect is how much later than another a target of the same pod may be closed.
const inEffect = time.Second

// closedBy is when the network policies had taken effect on the run: when the last of the forbidden targets was closed.
func closedBy(e Evidence, r *evidence.IntegrationReport) time.Time {
	closed := e.Run.Report.StartedAt
	for _, name := range e.Forbidden {
		if t := r.Target(name); t != nil && t.LastReachedAt != nil && t.LastReachedAt.After(closed) {
			closed = *t.LastReachedAt
		}
	}
	return closed.Add(inEffect)
}

// may concludes about a target that there need not be. Silence counts only where the control reached it at the time. What
// was reached now and then counts as reached, unless the policies had not taken effect: several pods may stand behind one
// address, and the way to one of them is open.
func (k *kept) may(r, witness *evidence.TargetResult, closed time.Time) {
	switch c := reach.Blocked(r, witness); {
	case c.Outcome == reach.Broken, r.LastReachedAt != nil && r.LastReachedAt.After(closed):
		k.reached = append(k.reached, reached(r.Name))
	case c.Outcome == reach.Holds:
		k.out++
	case r.Class == evidence.ClassLocal:
		k.must(r.Name, c)
	default:
		k.unshown = append(k.unshown, r.Name)
	}
}

func reached(name string) gate.Finding {
	f := gate.Finding{Reason: v1alpha1.ReasonForbiddenReached, Owner: v1alpha1.OwnerIT,
		Message: name + " can be reached from production and is not declared",
		Hint:    "Look for a policy that opens it, and whether the network plugin enforces egress."}
	if field := undeclared.Where(name); field != "" {
		f.Field = field
		f.Hint = "Narrow the way to what is declared (catalogue, to.pods.podLabels or to.cidr.range), which leads here as well; or the team declares it. " +
			"If neither opens it, look for a policy that does, and whether the network plugin enforces egress."
	}
	return f
}

// words behind a verdict of Passed: what is out of reach, and what nobody can tell.
func (k kept) words() string {
	var out strings.Builder
	if k.tried > 0 {
		fmt.Fprintf(&out, "; %d of %d other targets are out of reach", k.out, k.tried)
	}
	if len(k.unshown) > 0 {
		out.WriteString("; not reached, which shows nothing since nobody else reached them at the time: " + few(discreetly(k.unshown)))
	}
	if k.untried > 0 {
		fmt.Fprintf(&out, "; %d not tried, the report says why", k.untried)
	}
	return out.String()
}

// discreetly counts other prototypes in place of naming them: one team need not know what another tries.
func discreetly(names []string) []string {
	var out []string
	for _, name := range names {
		if !undeclared.Neighbouring(name) {
			out = append(out, name)
		}
	}
	if others := len(names) - len(out); others > 0 {
		out = append(out, fmt.Sprintf("those of other prototypes (%d)", others))
	}
	return out
}

// few are the first names of a list, and how many more there are.
func few(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// keptOut tells people about every target that must be out of reach.
func keptOut(r *evidence.IntegrationReport, control *evidence.IsolationReport) string {
	text := "\n| Must be out of reach | Found |\n|---|---|\n"
	for i := range r.Unreachable {
		mine := &r.Unreachable[i]
		c := reach.Blocked(mine, witnessOf(control, mine))
		found := map[reach.Outcome]string{reach.Holds: c.Why, reach.Broken: "reached"}[c.Outcome]
		if found == "" {
			found = "not known: " + c.Why
		}
		text += fmt.Sprintf("| %s | %s |\n", gate.Cell(mine.Name), gate.Cell(found))
	}
	if len(r.Untried) == 0 {
		return text
	}
	text += "\nNot tried:\n\n"
	for _, why := range r.Untried {
		text += "- " + gate.Cell(why) + "\n"
	}
	return text
}
