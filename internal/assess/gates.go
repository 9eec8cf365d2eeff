package assess

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// IsolationMaxAge is how old the measurement of a sandbox's isolation may be. It is made anew all the time, so an
	// old one means that it can't be made any more.
	IsolationMaxAge = 24 * time.Hour
	// MeasurementMaxAge is how old a measurement of the subject itself may be. The subject does not change; what it
	// leans on does.
	MeasurementMaxAge = 30 * 24 * time.Hour
)

// Gates says what every gate of the record finds, in the order of the requirements, from the reports of the prototype.
// All of them are judged, so that every hole shows at once.
func Gates(rec record.Record, reports []record.Report, now time.Time) []v1alpha1.GateStatus {
	var out []v1alpha1.GateStatus
	for _, g := range rec.Requirements.Gates {
		var found finding
		switch g.Type {
		case v1alpha1.GateSecurity:
			found = judgeSecurity(rec, reports, now)
		case v1alpha1.GateScalability:
			found = judgeScalability(rec, g, reports, now)
		case v1alpha1.GateIntegration:
			found = judgeIntegration(rec, reports, now)
		default:
			found.verdict = gate.Unknown(v1alpha1.ReasonGateUnknown, fmt.Sprintf("This operator can't judge a gate of type %s.", g.Type), time.Time{})
		}
		out = append(out, statusOf(g, found))
	}
	return out
}

// Passed tells whether every required gate passed, and whether security, scalability and integration are all among
// them: a list that leaves one out proves nothing.
func Passed(rec record.Record, gates []v1alpha1.GateStatus) bool {
	passed := map[v1alpha1.GateType]bool{}
	for _, g := range rec.Requirements.Gates {
		at := slices.IndexFunc(gates, func(status v1alpha1.GateStatus) bool { return status.Name == g.Name })
		ok := at >= 0 && gates[at].Verdict == v1alpha1.GatePassed
		if g.Enforcement != v1alpha1.EnforcementAdvisory && !ok {
			return false
		}
		if ok && g.Enforcement != v1alpha1.EnforcementAdvisory {
			passed[g.Type] = true
		}
	}
	return passed[v1alpha1.GateSecurity] && passed[v1alpha1.GateScalability] && passed[v1alpha1.GateIntegration]
}

// finding is a verdict and the report that it rests on.
type finding struct {
	verdict gate.Verdict
	digest  string
	at      time.Time
}

// statusOf is a verdict as a status shows it. It must not change while nothing changes: a message that counts seconds
// would make every look at it a write.
func statusOf(g v1alpha1.Gate, found finding) v1alpha1.GateStatus {
	v := found.verdict
	status := v1alpha1.GateStatus{
		Name: g.Name, Enforcement: g.Enforcement, Verdict: v.State, Reason: v.Reason, Message: v.Message, ReportDigest: found.digest,
	}
	if status.Enforcement == "" {
		status.Enforcement = v1alpha1.EnforcementRequired
	}
	if !found.at.IsZero() {
		status.MeasuredAt = ptr.To(metav1.NewTime(found.at.UTC().Truncate(time.Second)))
	}
	for _, f := range v.Findings {
		status.Findings = append(status.Findings, f.Gap(g.Name))
	}
	if v.Reason == v1alpha1.ReasonEvidenceStale {
		status.Message = "The newest measurement is too old, or its time can't be trusted. It has to be made anew."
		status.Findings = nil
	}
	return status
}

// judgeIsolation judges the newest pair of runs under the network policies that the record renders: the one inside the
// sandbox, and the control that was nearest to it in time and was made under the same policies.
func judgeIsolation(rec record.Record, reports []record.Report, now time.Time) (gate.Verdict, measured) {
	reports = underPolicies(rec, reports)
	inside := newest(rec, reports, ReportIsolation, evidence.KindIsolation, "")
	outside := nearest(rec, reports, ReportIsolationControl, inside)
	result := isolation.Judge(isolation.Evidence{
		Frame:  gate.Frame{Subject: inside.inputs, Now: now, MaxAge: IsolationMaxAge},
		Runs:   map[isolation.Vantage]gate.Measurement{isolation.Inside: inside.Measurement, isolation.Outside: outside.Measurement},
		Expect: Paths(),
	})
	return result.Verdict, inside
}

// judgeSecurity judges the pod as production would run it.
func judgeSecurity(rec record.Record, reports []record.Report, now time.Time) finding {
	pod := workload.PodTemplate(rec.Subject, workload.Surroundings{
		Identity: rec.Prototype, Namespace: rec.Prototype.Production(), Purpose: v1alpha1.PurposeProduction,
		Requirements: rec.Requirements, SubjectDigest: rec.SubjectDigest,
	})
	var env []string
	for _, e := range rec.Subject.Container.Env {
		env = append(env, e.Name)
	}
	isolated, inside := judgeIsolation(rec, reports, now)
	verdict := security.Judge(security.Evidence{
		Pod: &pod, Env: env, Registries: []string{rec.Requirements.Registry.Prefix},
		Isolation: isolated, Now: now, IsolationMaxAge: IsolationMaxAge,
	})
	for i := range verdict.Findings {
		verdict.Findings[i].Field = byName(verdict.Findings[i].Field, env)
	}
	// What is judged from the record alone was not measured at any time; what was measured is isolation.
	return finding{verdict: verdict, digest: inside.digest, at: inside.at}
}

var envField = regexp.MustCompile(`\.env\[([0-9]+)\]$`)

// byName names a variable in a field by its name: the subject's are sorted, so a position in them is none in the
// manifest.
func byName(field string, env []string) string {
	match := envField.FindStringSubmatch(field)
	if match == nil {
		return field
	}
	var at int
	if _, err := fmt.Sscan(match[1], &at); err != nil || at >= len(env) {
		return field
	}
	return strings.TrimSuffix(field, match[0]) + ".env[name=" + env[at] + "]"
}

func judgeScalability(rec record.Record, g v1alpha1.Gate, reports []record.Report, now time.Time) finding {
	m := newest(rec, reports, ReportLoad, evidence.KindLoad, rec.ReviewDigest)
	found := finding{digest: m.digest, at: m.at}
	demand, err := demandOf(rec.Subject)
	settings, wrong := settingsOf(g, 1)
	_, unmeasurable := LoadSpec(rec, 1)
	for _, err := range []error{err, wrong, unmeasurable} {
		if err != nil {
			found.verdict = invalid(err)
			return found
		}
	}
	if m.Report != nil && m.Report.Load != nil {
		step := demanded(rec, g, *m.Report.Load)
		if step == nil {
			found.verdict = gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "The load that was measured is not what the requirements demand.", m.at)
			return found
		}
		only := *m.Report
		load := *m.Report.Load
		load.Steps, load.GeneratorLimited = []evidence.StepResult{*step}, step.GeneratorLimited
		only.Load = &load
		m.Report = &only
	}
	found.verdict = scalability.Judge(scalability.Evidence{
		Frame: frame(rec, now), Run: m.Measurement, Demand: demand, Headroom: settings.Headroom,
	})
	return found
}

func invalid(err error) gate.Verdict {
	return gate.Unknown(v1alpha1.ReasonRequirementInvalid, "The demand can't be measured: "+err.Error()+".", time.Time{}, gate.Finding{
		Reason: v1alpha1.ReasonRequirementInvalid, Field: "spec.demand", Owner: v1alpha1.OwnerBusiness, Message: err.Error(),
		Hint: "Say under demand how many requests to expect, how fast they are answered, and what one looks like.",
	})
}

// demanded is the step of a report that was made with the rate and for the time that the gate demands, with any
// patience; nil where there is none.
func demanded(rec record.Record, g v1alpha1.Gate, report evidence.LoadReport) *evidence.StepResult {
	demand, err := demandOf(rec.Subject)
	if err != nil {
		return nil
	}
	for patience := Patience(1); patience <= MostPatient; patience++ {
		plan, err := planned(demand, g, patience, evidence.LoadSpec{})
		if err != nil || report.Within != plan.Within {
			return nil
		}
		for i, step := range report.Steps {
			if step.RatePerSecond == plan.Steps[0].RatePerSecond && step.Duration == plan.Steps[0].Duration {
				return &report.Steps[i]
			}
		}
	}
	return nil
}

func frame(rec record.Record, now time.Time) gate.Frame {
	return gate.Frame{Subject: rec.ReviewDigest, Now: now, MaxAge: MeasurementMaxAge}
}

func judgeIntegration(rec record.Record, reports []record.Report, now time.Time) finding {
	m := newest(rec, reports, ReportIntegration, evidence.KindIntegration, rec.ReviewDigest)
	control := nearest(rec, reports, ReportIntegrationControl, m)
	var declared []integration.Entry
	var homeless []gate.Finding
	for _, entry := range rec.Requirements.Integrations {
		field := "spec.integrations[name=" + entry.Name + "]"
		if entry.Production == nil {
			homeless = append(homeless, gate.Finding{
				Reason: v1alpha1.ReasonIntegrationBroken, Field: field, Owner: v1alpha1.OwnerIT,
				Message: entry.Name + " has no production target in the catalogue, so it can't be reached from production.",
				Hint:    "IT names one under catalogue.integrations." + entry.Name + ".production, or the team does without it.",
			})
			continue
		}
		declared = append(declared, integration.Entry{Name: entry.Name, Field: field, Expected: expected(entry)})
	}
	verdict := integration.Judge(integration.Evidence{
		Frame: frame(rec, now), Declared: declared, Run: m.Measurement, Forbidden: forbidden, Control: control.Measurement,
	})
	if len(homeless) > 0 {
		verdict = gate.Fail(v1alpha1.ReasonIntegrationBroken, homeless[0].Message, m.at, slices.Concat(homeless, verdict.Findings)...)
	}
	return finding{verdict: verdict, digest: m.digest, at: m.at}
}
