package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
)

// What stops a prototype before a review is told under these names in place of a gate's.
const (
	// policyGate is the policy, as in the gaps of a prototype.
	policyGate = "policy"
	// schemaGate is the API server: the schema, and the admission policies.
	schemaGate = "admission"
)

// judge says what is wrong with what was said about a case; "" is nothing. A hole counts as found only by its gate, for
// its reason, in the words that people need, and while no other gate objects to anything.
func judge(c sample, seen observed) string {
	switch {
	case !c.bad():
		return judgeGood(c, seen)
	case c.gate == schemaGate:
		if !strings.Contains(seen.refused, c.says) || seen.refused == "" {
			return "it was not refused as it should: " + seen.tell()
		}
		return ""
	case c.gate == policyGate:
		return judgeStopped(c, seen)
	case len(seen.gates) == 0:
		return "its gates said nothing: " + seen.tell()
	case seen.passed:
		return "GatesPassed is True: " + seen.tell()
	}
	for _, gate := range seen.gates {
		if gate.Name != c.gate && gate.Verdict != v1alpha1.GatePassed {
			return "another gate objects: " + seen.tell()
		}
	}
	at := slices.IndexFunc(seen.gates, func(gate v1alpha1.GateStatus) bool { return gate.Name == c.gate })
	switch {
	case at < 0:
		return "there is no such gate: " + seen.tell()
	case seen.gates[at].Verdict != v1alpha1.GateFailed && seen.gates[at].Verdict != v1alpha1.GateInconclusive:
		return "the hole was not found: " + seen.tell()
	case !says(seen.gates[at], c.reason):
		return "it was found for another reason: " + seen.tell()
	case !strings.Contains(words(seen.gates[at]), c.says):
		return fmt.Sprintf("nobody is told %q: %s", c.says, seen.tell())
	}
	return ""
}

func judgeGood(c sample, seen observed) string {
	for _, gate := range seen.gates {
		if gate.Verdict != v1alpha1.GatePassed {
			return "a gate objects to nothing: " + seen.tell()
		}
	}
	if len(seen.gates) == 0 || !seen.passed {
		return "it did not come through: " + seen.tell()
	}
	if !slices.ContainsFunc(seen.gates, func(gate v1alpha1.GateStatus) bool { return strings.Contains(words(gate), c.says) }) {
		return fmt.Sprintf("nobody is told %q", c.says)
	}
	return ""
}

// judgeStopped wants a prototype stopped before any review, by the policy alone.
func judgeStopped(c sample, seen observed) string {
	if len(seen.gates) > 0 || seen.refused != "" {
		return "it was not the policy that stopped it: " + seen.tell()
	}
	found := slices.ContainsFunc(seen.gaps, func(gap v1alpha1.Gap) bool {
		return gap.Gate == policyGate && gap.Reason == c.reason && strings.Contains(gap.Message, c.says)
	})
	if !strings.HasPrefix(seen.stands, c.reason+": ") {
		return "something else stops it: " + seen.tell()
	}
	if !found {
		return "the policy does not say so: " + seen.tell()
	}
	return ""
}

// says tells whether a gate gives this reason and no other: itself, or in every finding.
func says(gate v1alpha1.GateStatus, reason string) bool {
	if len(gate.Findings) == 0 {
		return gate.Reason == reason
	}
	return !slices.ContainsFunc(gate.Findings, func(f v1alpha1.Gap) bool { return f.Reason != reason })
}

// words are what people read about a gate.
func words(gate v1alpha1.GateStatus) string {
	text := gate.Message
	for _, f := range gate.Findings {
		text += " | " + f.Message
	}
	return text
}

// tell says everything that was seen, as its readers saw it.
func (o observed) tell() string {
	if o.refused != "" {
		return "refused: " + o.refused
	}
	var parts []string
	for _, gate := range o.gates {
		if gate.Verdict != v1alpha1.GatePassed {
			parts = append(parts, fmt.Sprintf("%s %s %s: %s", gate.Name, gate.Verdict, gate.Reason, words(gate)))
		}
	}
	switch {
	case len(o.gates) > 0 && len(parts) == 0:
		parts = append(parts, "all gates passed")
	case len(o.gates) == 0:
		parts = append(parts, "no review; "+o.stands)
		for _, gap := range o.gaps {
			parts = append(parts, fmt.Sprintf("%s %s: %s", gap.Gate, gap.Reason, gap.Message))
		}
	}
	return strings.Join(parts, "; ")
}
