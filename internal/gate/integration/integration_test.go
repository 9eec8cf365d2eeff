package integration_test

import (
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
)

var (
	subject = evidence.Digest([]byte("subject"))
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now     = start.Add(time.Minute)
)

const canary = "canary"

func envelope(r evidence.Report) gate.Measurement {
	r.Schema, r.Nonce, r.Subject = evidence.ReportSchema, "0123456789abcdef", subject
	r.StartedAt, r.FinishedAt = start, start.Add(5*time.Second)
	return gate.Measurement{Report: &r}
}

func target(class evidence.Class) evidence.TargetResult {
	until := start.Add(4 * time.Second)
	r := evidence.TargetResult{Name: canary, Network: "tcp", Address: "198.51.100.7:8081", Class: class, Settled: true, Attempts: 3, Since: start, Until: until}
	if class == evidence.ClassNone {
		r.Reached, r.Reaches, r.FirstReachedAt, r.LastReachedAt, r.UpSince = true, 3, &until, &until, &start
	}
	return r
}

func run(unreachable evidence.Class, checks ...evidence.CheckResult) gate.Measurement {
	return envelope(evidence.Report{Result: &evidence.IntegrationReport{Checks: checks, Unreachable: []evidence.TargetResult{target(unreachable)}}})
}

func control(class evidence.Class) gate.Measurement {
	return envelope(evidence.Report{Result: &evidence.IsolationReport{Targets: []evidence.TargetResult{target(class)}}})
}

func ok(name string) evidence.CheckResult {
	return evidence.CheckResult{Name: name, OK: true, Attempts: 1}
}

func bad(class evidence.Class) evidence.CheckResult {
	return evidence.CheckResult{Name: "lms", Class: class, Attempts: 4}
}

// other is a target that need not be shown, as the run and its control found it.
func other(name string, found, witnessed evidence.Class) func(*integration.Evidence) {
	return func(e *integration.Evidence) {
		mine, theirs := target(found), target(witnessed)
		mine.Name, theirs.Name = name, name
		run, control := e.Run.Report.Result.(*evidence.IntegrationReport), e.Control.Report.Result.(*evidence.IsolationReport)
		run.Unreachable, control.Targets = append(run.Unreachable, mine), append(control.Targets, theirs)
	}
}

// certificate is that of lms, which ends after start in a time, while another is wanted.
func certificate(ends, wanted time.Duration) func(*integration.Evidence) {
	return func(e *integration.Evidence) {
		end, r := start.Add(ends), ok("lms")
		r.CertificateExpires, r.TLSVersion = &end, "1.3"
		e.Declared[1].TLS, e.CertificateValidFor, e.Run = true, wanted, run(evidence.ClassTimeout, ok("crm"), r)
	}
}

func good() integration.Evidence {
	return integration.Evidence{
		Frame: gate.Frame{Subject: subject, Now: now, MaxAge: time.Hour},
		Declared: []integration.Entry{{Name: "crm", Field: "spec.integrations[0]"},
			{Name: "lms", Field: "spec.integrations[1]", Expected: "200 from https://lms.lms.svc:443/health"}},
		Run: run(evidence.ClassTimeout, ok("crm"), ok("lms")), Forbidden: []string{canary}, Control: control(evidence.ClassNone),
	}
}

func TestJudge(t *testing.T) {
	type change = func(*integration.Evidence)
	lms := func(r evidence.CheckResult) change {
		return func(e *integration.Evidence) { e.Run = run(evidence.ClassTimeout, ok("crm"), r) }
	}
	ends := start.Add(-24 * time.Hour)
	for name, c := range map[string]struct {
		change  change
		state   gate.State
		reason  string
		message string
	}{
		"all work": {func(*integration.Evidence) {}, gate.Passed, v1alpha1.ReasonIntegrationsWork,
			"2 of 2 integrations work under the production policy; 1 of 1 other targets are out of reach"},
		"no negative check": {func(e *integration.Evidence) { e.Forbidden, e.Control = nil, gate.Measurement{} }, gate.Passed,
			v1alpha1.ReasonIntegrationsWork, "2 of 2"},
		"none declared": {func(e *integration.Evidence) {
			*e = integration.Evidence{Frame: e.Frame}
		}, gate.Passed, v1alpha1.ReasonNoIntegrations, "declares no integration"},
		"none declared, closed": {func(e *integration.Evidence) { e.Declared = nil }, gate.Passed, v1alpha1.ReasonNoIntegrations, "out of reach"},
		"none declared, open": {func(e *integration.Evidence) {
			e.Declared, e.Run = nil, run(evidence.ClassNone)
		}, gate.Failed, v1alpha1.ReasonForbiddenReached, "is not declared"},

		"timeout":  {lms(bad(evidence.ClassTimeout)), gate.Failed, v1alpha1.ReasonIntegrationBroken, "lms does not work from production: no answer in time; expected is 200 from"},
		"refused":  {lms(bad(evidence.ClassRefused)), gate.Failed, v1alpha1.ReasonIntegrationBroken, "refused"},
		"no route": {lms(bad(evidence.ClassNoRoute)), gate.Failed, v1alpha1.ReasonIntegrationBroken, "no way"},
		"no name":  {lms(bad(evidence.ClassDNS)), gate.Failed, v1alpha1.ReasonIntegrationBroken, "does not resolve"},
		"protocol": {lms(bad(evidence.ClassProtocol)), gate.Failed, v1alpha1.ReasonIntegrationBroken, "protocol"},
		"hung up":  {lms(bad(evidence.ClassUnanswered)), gate.Failed, v1alpha1.ReasonIntegrationBroken, "broke it off"},
		"other":    {lms(bad(evidence.ClassOther)), gate.Failed, v1alpha1.ReasonIntegrationBroken, "unexpected"},
		"status": {lms(evidence.CheckResult{Name: "lms", Class: evidence.ClassStatus, Status: 401, Attempts: 1}), gate.Failed,
			v1alpha1.ReasonIntegrationBroken, "status 401"},
		"certificate": {lms(evidence.CheckResult{Name: "lms", Class: evidence.ClassCertificate, Detail: "the certificate has expired", Attempts: 1,
			CertificateExpires: &ends}), gate.Failed, v1alpha1.ReasonIntegrationBroken, "expired (it ends 2026-02-28)"},
		"not as declared": {lms(evidence.CheckResult{Name: "lms", Class: evidence.ClassAnswer, Detail: "courses[].title violates required", Status: 200, Attempts: 1}),
			gate.Failed, v1alpha1.ReasonIntegrationBroken, "not what the catalogue says: courses[].title violates required"},
		"old TLS": {lms(evidence.CheckResult{Name: "lms", Class: evidence.ClassTLSVersion, TLSVersion: "1.1", Attempts: 1}), gate.Failed,
			v1alpha1.ReasonIntegrationBroken, "at most 1.1"},
		"ends soon": {certificate(29*24*time.Hour, 30*24*time.Hour), gate.Failed, v1alpha1.ReasonCertificateEnds,
			"the certificate of lms ends 2026-03-30; the policy wants it valid for 30 days yet"},
		"ends later":   {certificate(31*24*time.Hour, 30*24*time.Hour), gate.Passed, v1alpha1.ReasonIntegrationsWork, "2 of 2"},
		"ends at once": {certificate(time.Second, 0), gate.Failed, v1alpha1.ReasonCertificateEnds, "ends"},
		"no end": {func(e *integration.Evidence) { e.Declared[1].TLS = true }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable,
			"does not say until when"},
		"metadata": {lms(evidence.CheckResult{Name: "lms", Class: evidence.ClassForbiddenAddress, Detail: "the name resolves to loopback", Attempts: 1}),
			gate.Failed, v1alpha1.ReasonIntegrationBroken, "loopback"},
		"runner": {lms(evidence.CheckResult{Name: "lms", Class: evidence.ClassLocal, Detail: "the credential can't be used", Attempts: 1}),
			gate.Inconclusive, v1alpha1.ReasonMeasurementLost, "credential"},
		"not asked": {func(e *integration.Evidence) { e.Run = run(evidence.ClassTimeout, ok("crm")) }, gate.Inconclusive,
			v1alpha1.ReasonEvidenceUnverifiable, "lms was not measured"},
		"asked for another": {lms(ok("lmsx")), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "lms was not measured"},

		"undeclared reached": {func(e *integration.Evidence) { e.Run = run(evidence.ClassNone, ok("crm"), ok("lms")) }, gate.Failed,
			v1alpha1.ReasonForbiddenReached, "is not declared"},
		"another entry blocked": {other("integration crm", evidence.ClassTimeout, evidence.ClassNone), gate.Passed, v1alpha1.ReasonIntegrationsWork,
			"2 of 2 other targets are out of reach"},
		"another entry reached": {other("integration crm", evidence.ClassNone, evidence.ClassTimeout), gate.Failed, v1alpha1.ReasonForbiddenReached,
			"integration crm can be reached from production and is not declared"},
		"another entry that is down": {other("integration crm", evidence.ClassTimeout, evidence.ClassTimeout), gate.Passed, v1alpha1.ReasonIntegrationsWork,
			"1 of 2 other targets are out of reach; not reached, but from nowhere else either: integration crm"},
		"another entry without a witness": {func(e *integration.Evidence) {
			other("integration crm", evidence.ClassRefused, evidence.ClassNone)(e)
			control := e.Control.Report.Result.(*evidence.IsolationReport)
			control.Targets = control.Targets[:1]
		}, gate.Passed, v1alpha1.ReasonIntegrationsWork, "1 of 2 other targets"},
		"undeclared untried": {func(e *integration.Evidence) { e.Forbidden = append(e.Forbidden, "another") }, gate.Inconclusive,
			v1alpha1.ReasonNotProven, "another"},
		"canary was down": {func(e *integration.Evidence) { e.Control = control(evidence.ClassRefused) }, gate.Inconclusive,
			v1alpha1.ReasonNotProven, "may have been down"},
		"control runs":   {func(e *integration.Evidence) { e.Control = gate.Measurement{} }, gate.Pending, v1alpha1.ReasonNotMeasured, ""},
		"running":        {func(e *integration.Evidence) { e.Run = gate.Measurement{} }, gate.Pending, v1alpha1.ReasonNotMeasured, ""},
		"lost":           {func(e *integration.Evidence) { e.Run = gate.Measurement{Lost: "x"} }, gate.Inconclusive, v1alpha1.ReasonMeasurementLost, ""},
		"other subject":  {func(e *integration.Evidence) { e.Subject = evidence.Digest(nil) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, ""},
		"stale":          {func(e *integration.Evidence) { e.Now = now.Add(2 * time.Hour) }, gate.Inconclusive, v1alpha1.ReasonEvidenceStale, ""},
		"another report": {func(e *integration.Evidence) { e.Run = e.Control }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			c.change(&e)
			v := integration.Judge(e)
			if v.State != c.state || v.Reason != c.reason || !strings.Contains(v.Message, c.message) {
				t.Fatalf("got %+v, want %s %s %q", v, c.state, c.reason, c.message)
			}
			for _, f := range v.Findings {
				if f.Message == "" || f.Hint == "" || f.Owner != v1alpha1.OwnerIT {
					t.Errorf("a finding that helps nobody: %+v", f)
				}
			}
		})
	}
}

func TestJudgeShowsEveryHole(t *testing.T) {
	e := good()
	e.Run = run(evidence.ClassNone, evidence.CheckResult{Name: "crm", Class: evidence.ClassRefused, Attempts: 1}, bad(evidence.ClassDNS))
	v := integration.Judge(e)
	if v.State != gate.Failed || len(v.Findings) != 3 || !strings.Contains(v.Message, "and 2 more") {
		t.Fatalf("got %+v", v)
	}
	if v.Findings[1].Field != "spec.integrations[1]" {
		t.Errorf("got %+v", v.Findings[1])
	}
}
