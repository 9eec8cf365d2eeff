package integration

import (
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/isolation"
)

// Instrument tries the declared integrations from the rehearsal namespace.
type Instrument struct{}

// Type implements gate.Instrument.
func (Instrument) Type() v1alpha1.GateType { return v1alpha1.GateIntegration }

// Plan implements gate.Instrument: a run that tries the systems, with its control from outside, and, where the prototype
// promises something for when they are down, one that plays them.
func (Instrument) Plan(c gate.Case, _ gate.Taken) ([]gate.Run, error) {
	order, control := orderOf(c), controlOf(c)
	runs := []gate.Run{{
		Site: gate.SiteRehearsal, Order: &order, Length: order.Deadline.Std() + 30*time.Second, CPU: "100m", Memory: "64Mi",
		Control: &gate.Control{Order: &control, Length: control.Deadline.Std()},
	}}
	down, err := downRun(c)
	if err != nil || down == nil {
		return runs, err
	}
	return append(runs, *down), nil
}

// Judge implements gate.Instrument.
func (Instrument) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	var declared []Entry
	var homeless []gate.Finding
	for _, entry := range c.Record.Requirements.Integrations {
		field := "spec.integrations[name=" + entry.Name + "]"
		if entry.Production == nil {
			homeless = append(homeless, gate.Finding{
				Reason: v1alpha1.ReasonIntegrationBroken, Field: field, Owner: v1alpha1.OwnerIT,
				Message: entry.Name + " has no production target in the catalogue, so it can't be reached from production.",
				Hint:    "IT names one under catalogue.integrations." + entry.Name + ".production, or the team does without it.",
			})
			continue
		}
		declared = append(declared, Entry{Name: entry.Name, Field: field, TLS: entry.Check.TLS != nil || entry.Check.HTTPS != nil, Expected: expected(entry)})
	}
	run := taken.Runs[""]
	verdict := Judge(Evidence{
		Frame: c.Frame(), Declared: declared, CertificateValidFor: settingsOf(c.Gate).certificateValidFor, Run: run.Measurement, Forbidden: isolation.Forbidden, Control: run.Control,
	})
	if len(homeless) > 0 {
		verdict = gate.Fail(v1alpha1.ReasonIntegrationBroken, homeless[0].Message, verdict.MeasuredAt, slices.Concat(homeless, verdict.Findings)...)
	}
	return withPromises(c, verdict, taken)
}

// witnessed is what the control of a run saw, nil without one.
func witnessed(run gate.Witnessed) *evidence.IsolationReport {
	if run.Control.Report == nil {
		return nil
	}
	return evidence.As[evidence.IsolationReport](run.Control.Report.Result)
}

// reported is what the systems answered, nil without a report of that.
func reported(taken gate.Taken) *evidence.IntegrationReport {
	run := taken.Runs[""]
	if run.Report == nil {
		return nil
	}
	return evidence.As[evidence.IntegrationReport](run.Report.Result)
}

// Summarize implements gate.Instrument.
func (Instrument) Summarize(_ gate.Case, taken gate.Taken) gate.Summary {
	run, report := taken.Runs[""], reported(taken)
	if report == nil {
		return gate.Summary{}
	}
	text := "| System | Answer | Status | Attempts |\n|---|---|---:|---:|\n"
	for _, r := range report.Checks {
		answer := "as expected"
		if !r.OK {
			answer = string(r.Class)
		}
		text += fmt.Sprintf("| %s | %s | %d | %d |\n", gate.Cell(r.Name), answer, r.Status, r.Attempts)
	}
	return gate.Summary{Markdown: text + keptOut(report, witnessed(run))}
}
