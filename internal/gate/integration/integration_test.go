package integration_test

import (
	"errors"
	"fmt"
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

// nowAndThen has the run reach another entry in between, and a forbidden target as well, unless never: until these times.
func nowAndThen(forbidden, entry time.Duration) func(*integration.Evidence) {
	return func(e *integration.Evidence) {
		other("integration crm", evidence.ClassTimeout, evidence.ClassNone)(e)
		for i, until := range []time.Duration{forbidden, entry} {
			if until > 0 {
				first, last := start, start.Add(until)
				r := &e.Run.Report.Result.(*evidence.IntegrationReport).Unreachable[i]
				r.Reaches, r.Attempts, r.FirstReachedAt, r.LastReachedAt = 1, 6, &first, &last
			}
		}
	}
}

// kubelet is that of the run's node, as the run found it; the control reached one at an address.
func kubelet(found evidence.Class, witnessed string) func(*integration.Evidence) {
	return func(e *integration.Evidence) {
		other("node-kubelet", found, evidence.ClassNone)(e)
		theirs := &e.Control.Report.Result.(*evidence.IsolationReport).Targets[1]
		theirs.Name, theirs.Address = "node-kubelet 198.51.100.7", witnessed
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
		"a chain that lacks one": {lms(evidence.CheckResult{Name: "lms", Class: evidence.ClassIncompleteChain, Detail: "neither trusted nor sent along", Attempts: 1}),
			gate.Failed, v1alpha1.ReasonIntegrationBroken, "neither trusted nor sent along"},
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
			"1 of 2 other targets are out of reach; not reached, which shows nothing since nobody else reached them at the time: integration crm"},
		"other prototypes are not named": {other("sandbox affx-education-secret-idea-0a1b2c3d", evidence.ClassTimeout, evidence.ClassTimeout), gate.Passed, v1alpha1.ReasonIntegrationsWork,
			"nobody else reached them at the time: those of other prototypes (1)"},
		"another entry without a witness": {func(e *integration.Evidence) {
			other("integration crm", evidence.ClassRefused, evidence.ClassNone)(e)
			control := e.Control.Report.Result.(*evidence.IsolationReport)
			control.Targets = control.Targets[:1]
		}, gate.Passed, v1alpha1.ReasonIntegrationsWork, "1 of 2 other targets"},
		"another entry, and the runner could not try": {other("integration crm", evidence.ClassLocal, evidence.ClassNone), gate.Inconclusive,
			v1alpha1.ReasonNotProven, "integration crm is not shown to be out of reach"},
		"another entry that only the control tried": {func(e *integration.Evidence) {
			other("integration crm", evidence.ClassTimeout, evidence.ClassNone)(e)
			run := e.Run.Report.Result.(*evidence.IntegrationReport)
			run.Unreachable = run.Unreachable[:1]
		}, gate.Inconclusive, v1alpha1.ReasonNotProven, "integration crm is not shown to be out of reach from production: it was not tried, and is reached from elsewhere"},
		"another entry that nobody reached and nobody tried inside": {func(e *integration.Evidence) {
			other("integration crm", evidence.ClassTimeout, evidence.ClassTimeout)(e)
			run := e.Run.Report.Result.(*evidence.IntegrationReport)
			run.Unreachable = run.Unreachable[:1]
		}, gate.Passed, v1alpha1.ReasonIntegrationsWork, "1 of 1 other targets"},
		"another entry that came up too late": {func(e *integration.Evidence) {
			other("integration crm", evidence.ClassRefused, evidence.ClassNone)(e)
			late := start.Add(4 * time.Second)
			up := &e.Control.Report.Result.(*evidence.IsolationReport).Targets[1]
			up.UpSince, up.FirstReachedAt = nil, &late
		}, gate.Passed, v1alpha1.ReasonIntegrationsWork, "shows nothing since nobody else reached them at the time: integration crm"},
		"another entry at another address": {func(e *integration.Evidence) {
			other("integration crm", evidence.ClassTimeout, evidence.ClassNone)(e)
			e.Control.Report.Result.(*evidence.IsolationReport).Targets[1].Address = "198.51.100.8:8081"
		}, gate.Passed, v1alpha1.ReasonIntegrationsWork, "1 of 2 other targets"},
		"another entry that is reached now and then": {nowAndThen(0, 2*time.Second), gate.Failed, v1alpha1.ReasonForbiddenReached, "integration crm can be reached"},
		"another entry that was reached at first":    {nowAndThen(0, 500*time.Millisecond), gate.Passed, v1alpha1.ReasonIntegrationsWork, "2 of 2 other targets"},
		"another entry that was reached until all were closed": {nowAndThen(2*time.Second, 2*time.Second), gate.Passed, v1alpha1.ReasonIntegrationsWork,
			"2 of 2 other targets"},
		"what is not tried is counted": {func(e *integration.Evidence) {
			e.Run.Report.Result.(*evidence.IntegrationReport).Untried = []string{"integration erp (its name does not resolve)"}
		}, gate.Passed, v1alpha1.ReasonIntegrationsWork, "; 1 not tried"},
		"the node's kubelet": {kubelet(evidence.ClassTimeout, "198.51.100.7:8081"), gate.Passed, v1alpha1.ReasonIntegrationsWork, "2 of 2 other targets"},
		"the node's kubelet, reached": {kubelet(evidence.ClassNone, "198.51.100.7:8081"), gate.Failed, v1alpha1.ReasonForbiddenReached,
			"node-kubelet can be reached"},
		"another node's kubelet bears no witness": {kubelet(evidence.ClassTimeout, "198.51.100.9:10250"), gate.Passed, v1alpha1.ReasonIntegrationsWork,
			"1 of 2 other targets"},
		"a kubelet that the run did not try": {func(e *integration.Evidence) {
			kubelet(evidence.ClassTimeout, "198.51.100.7:8081")(e)
			run := e.Run.Report.Result.(*evidence.IntegrationReport)
			run.Unreachable = run.Unreachable[:1]
		}, gate.Inconclusive, v1alpha1.ReasonNotProven, "node-kubelet is not shown to be out of reach"},
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

// What is reached is found in the policy.
func TestJudgeNamesTheEntry(t *testing.T) {
	e := good()
	other("integration erp", evidence.ClassNone, evidence.ClassNone)(&e)
	v := integration.Judge(e)
	if len(v.Findings) != 1 || v.Findings[0].Field != "catalogue.integrations[name=erp].production" || !strings.Contains(v.Findings[0].Hint, "Narrow") {
		t.Fatalf("got %+v", v)
	}
}

// A run and its control try the same, named by address, in one order that can be sent.
func TestPlanTriesWhatIsUndeclared(t *testing.T) {
	c := gate.Case{Patience: 1, Ground: gate.Ground{
		Canary: "203.0.113.20", APIServer: "203.0.113.1:443", Nodes: []string{"192.0.2.1", "2001:db8::1"}, Untried: []string{"integration hr (its name does not resolve)"},
	}}
	for i := range 45 {
		c.Ground.Others = append(c.Ground.Others, gate.Other{Name: fmt.Sprintf("integration i%d", i), Address: fmt.Sprintf("198.51.100.%d:443", i)})
	}
	for i := range 10 {
		c.Ground.Nodes = append(c.Ground.Nodes, fmt.Sprintf("192.0.2.%d", 10+i))
	}
	runs, err := integration.Instrument{}.Plan(c, gate.Taken{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	inside, outside := runs[0].Order.(*evidence.IntegrationSpec), runs[0].Control.Order
	if err := errors.Join(inside.Validate(), outside.Validate()); err != nil {
		t.Fatal(err)
	}
	witnessed := map[string]string{}
	for _, target := range outside.Targets {
		witnessed[target.Name] = target.Address
	}
	for _, target := range inside.Unreachable {
		if target.Place == "" && witnessed[target.Name] != target.Address {
			t.Errorf("%s is tried at %s, and by the control at %q", target.Name, target.Address, witnessed[target.Name])
		}
	}
	if got := inside.Unreachable[len(inside.Unreachable)-1]; !inside.AtNode() || got.Address != ":10250" || witnessed["node-kubelet 2001:db8::1"] != "[2001:db8::1]:10250" {
		t.Errorf("the node's kubelet: %+v", got)
	}
	if witnessed["link-local-metadata"] != evidence.MetadataService || len(inside.Untried) != 1 {
		t.Errorf("got %+v", inside)
	}
	// What there need not be is waited for by nobody: the measurement takes no longer for it.
	for _, target := range outside.Targets[3:] {
		if target.Settle != evidence.SettleAny {
			t.Errorf("the control waits for %s", target.Name)
		}
	}
}

// People read what became of every target, and what nobody could try.
func TestSummaryTellsEveryTarget(t *testing.T) {
	e := good()
	other("integration a", evidence.ClassTimeout, evidence.ClassNone)(&e)
	other("integration b", evidence.ClassTimeout, evidence.ClassTimeout)(&e)
	other("integration c", evidence.ClassNone, evidence.ClassNone)(&e)
	e.Run.Report.Result.(*evidence.IntegrationReport).Untried = []string{"integration d (its name does not resolve)"}
	summary := integration.Instrument{}.Summarize(gate.Case{}, gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: e.Run, Control: e.Control}}})
	for _, line := range []string{"| integration a | blocked: no answer |", "| integration b | not known: nobody else reached it", "| integration c | reached |",
		"- integration d (its name does not resolve)"} {
		if !strings.Contains(summary.Markdown, line) {
			t.Errorf("%q is not in\n%s", line, summary.Markdown)
		}
	}
}
