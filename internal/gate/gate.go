// Package gate holds what all gates share: what a verdict is, and when evidence is worth judging at all.
//
// A gate is a package of its own with a function Judge(Evidence) that is pure: no client, no clock, no network. What
// it needs is in its Evidence, and what it can't see it can't pass. A gate passes a subject only on evidence that is
// there, fresh, about this subject and sufficient; everything else is Pending or Inconclusive:
//
//	no report yet ───────────────────────────────▶ Pending
//	run lost, stale, about something else ───────▶ Inconclusive
//	not enough, or contradicting itself ─────────▶ Inconclusive
//	measured, requirement not met ───────────────▶ Failed, with a finding for each hole
//	measured, requirement met, shown with confidence ▶ Passed
package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// State of a verdict.
type State = v1alpha1.GateState

// The states of a verdict. The zero State is none of them and never counts as passed.
const (
	Pending      = v1alpha1.GatePending
	Passed       = v1alpha1.GatePassed
	Failed       = v1alpha1.GateFailed
	Inconclusive = v1alpha1.GateInconclusive
)

// Bounds of the API on what a verdict says; longer texts would make a status unwritable.
const (
	maxMessage        = 1024
	maxFindings       = 32
	maxFindingMessage = 512
	maxField          = 256
)

// Finding is one hole: what, where, who can fill it and how.
type Finding struct {
	// Reason is one of the gate reasons in v1alpha1.
	Reason string
	// Field is the path in the AIPrototype to change, such as spec.workload.container.image; empty when it is not there.
	Field string
	// Message says what is wrong and why it matters. It never quotes a secret, a request or an answer.
	Message string
	// Hint says how to mend it.
	Hint string
	// Owner is who can.
	Owner v1alpha1.Owner
}

// Gap is the finding as a status shows it, with the name of the gate that objects.
func (f Finding) Gap(gate string) v1alpha1.Gap {
	return v1alpha1.Gap{Gate: gate, Reason: f.Reason, Field: f.Field, Owner: f.Owner, Message: f.Message, Hint: f.Hint}
}

// Verdict is what a gate says about a subject.
type Verdict struct {
	State State
	// Reason is one of the gate reasons in v1alpha1.
	Reason string
	// Message says in a sentence what was measured.
	Message string
	// Findings are all holes, not the first one only.
	Findings []Finding
	// MeasuredAt is when the evidence was taken; zero where there is none.
	MeasuredAt time.Time
}

// Pass is a verdict of Passed.
func Pass(reason, message string, at time.Time) Verdict {
	return bounded(Verdict{State: Passed, Reason: reason, Message: message, MeasuredAt: at})
}

// Fail is a verdict of Failed, with its findings.
func Fail(reason, message string, at time.Time, findings ...Finding) Verdict {
	return bounded(Verdict{State: Failed, Reason: reason, Message: message, Findings: findings, MeasuredAt: at})
}

// Unknown is a verdict of Inconclusive. Its findings say what stands in the way of a verdict.
func Unknown(reason, message string, at time.Time, findings ...Finding) Verdict {
	return bounded(Verdict{State: Inconclusive, Reason: reason, Message: message, Findings: findings, MeasuredAt: at})
}

// Advise adds findings that stand in nobody's way to a verdict, as far as there is room: no hole is left out for them.
func Advise(v Verdict, notes ...Finding) Verdict {
	v.Findings = slices.Concat(v.Findings, notes[:min(len(notes), max(maxFindings-len(v.Findings), 0))])
	return bounded(v)
}

// Wait is a verdict of Pending.
func Wait(message string) Verdict {
	return bounded(Verdict{State: Pending, Reason: v1alpha1.ReasonNotMeasured, Message: message})
}

// bounded makes a verdict fit into a status: clean, short, and no more findings than the API takes. Where findings are
// left out, the last one says how many.
func bounded(v Verdict) Verdict {
	v.Message = evidence.Clean(v.Message, maxMessage)
	var kept []Finding
	for i, f := range v.Findings {
		if i == maxFindings-1 && len(v.Findings) > maxFindings {
			f = Finding{Reason: f.Reason, Owner: f.Owner, Message: fmt.Sprintf("and %d more of this and other kinds", len(v.Findings)-i),
				Hint: "Mend the ones above; the next measurement shows the rest."}
		}
		f.Field = evidence.Clean(f.Field, maxField)
		f.Message = evidence.Clean(f.Message, maxFindingMessage)
		f.Hint = evidence.Clean(f.Hint, maxFindingMessage)
		if kept = append(kept, f); len(kept) == maxFindings {
			break
		}
	}
	v.Findings = kept
	return v
}

// Cell makes a text fit for a cell of a Markdown table.
func Cell(text string) string {
	return strings.NewReplacer("|", "\\|", "`", "'", "<", "&lt;", "[", "\\[").Replace(evidence.Clean(text, maxFindingMessage))
}
