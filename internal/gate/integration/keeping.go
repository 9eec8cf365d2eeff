package integration

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/reach"
)

// kept is what was found out about what nobody declared.
type kept struct {
	// reached and unproven are findings. out is how many targets are shown to be out of reach, of all of tried.
	reached, unproven []gate.Finding
	out, tried        int
	// unshown are those that were not reached, where that says nothing.
	unshown []string
}

// keeping concludes about every target that must be out of reach, and about all others that were tried.
func keeping(e Evidence, r *evidence.IntegrationReport, control *evidence.IsolationReport) kept {
	var k kept
	for _, name := range e.Forbidden {
		k.tried++
		k.must(name, reach.Blocked(r.Target(name), control.Target(name)))
	}
	for i := range r.Unreachable {
		if slices.Contains(e.Forbidden, r.Unreachable[i].Name) {
			continue
		}
		k.tried++
		k.may(r.Unreachable[i].Name, reach.Blocked(&r.Unreachable[i], control.Target(r.Unreachable[i].Name)))
	}
	return k
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

func (k *kept) may(name string, c reach.Conclusion) {
	switch c.Outcome {
	case reach.Holds:
		k.out++
	case reach.Broken:
		k.reached = append(k.reached, reached(name))
	default:
		k.unshown = append(k.unshown, name)
	}
}

func reached(name string) gate.Finding {
	return gate.Finding{Reason: v1alpha1.ReasonForbiddenReached, Owner: v1alpha1.OwnerIT,
		Message: name + " can be reached from production and is not declared",
		Hint:    "Look for a policy that opens it, and whether the network plugin enforces egress."}
}

// words behind a verdict of Passed: what is out of reach, and what nobody can tell.
func (k kept) words() string {
	var out strings.Builder
	if k.tried > 0 {
		fmt.Fprintf(&out, "; %d of %d other targets are out of reach", k.out, k.tried)
	}
	if len(k.unshown) > 0 {
		out.WriteString("; not reached, but from nowhere else either: " + few(k.unshown))
	}
	return out.String()
}

// few are the first names of a list, and how many more there are.
func few(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}
