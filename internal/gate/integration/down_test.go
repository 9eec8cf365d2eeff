package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	sub "github.com/affineur/affineur/internal/subject"
)

// promising is a prototype that uses lms and a model, and says what people see without each.
func promising(lms, model *sub.WhenDown) gate.Case {
	rec := record.Record{
		Prototype: names.Identity{Namespace: "education", Name: "outliner", UID: "u-1"}, ReviewDigest: subject,
		Subject: sub.Subject{
			Container:    sub.Container{Image: "registry.example.org/x@sha256:00", Port: 8080, Health: "/healthz"},
			Model:        &sub.Model{Gateway: "default", Name: "m", Version: "1", WhenDown: model},
			Integrations: []sub.Integration{{Name: "lms", Access: v1alpha1.AccessRead, WhenDown: lms}},
			Demand:       &sub.Demand{Method: "POST", Path: "/v1/outline", Body: "{}"},
		},
		Requirements: policy.Requirements{
			DNS:          "Cluster",
			ModelGateway: &v1alpha1.ModelGateway{Name: "default", Address: "http://gateway.models.svc:8080/v1"},
			Integrations: []v1alpha1.Integration{{Name: "lms", Check: v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Path: "/health", ExpectStatus: 200}},
				Production: &v1alpha1.Endpoint{Address: "https://lms.lms.svc:443/api", CA: &v1alpha1.LocalName{Name: "lms-ca"},
					Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "lms-prod"}}}}},
		},
	}
	return gate.Case{Record: rec, Gate: v1alpha1.Gate{Name: "integration", Type: v1alpha1.GateIntegration}, Now: now, Patience: 1,
		Ground: gate.Ground{Canary: "198.51.100.7", APIServer: "203.0.113.1:443"}}
}

func says(then v1alpha1.Promise) *sub.WhenDown { return &sub.WhenDown{Then: then, Within: "2s"} }

func TestPlanWhenDown(t *testing.T) {
	runs, err := integration.Instrument{}.Plan(promising(nil, nil), gate.Taken{})
	if err != nil || len(runs) != 1 || runs[0].Site != gate.SiteRehearsal {
		t.Fatalf("nothing is promised, and this is planned: %+v, %v", runs, err)
	}
	runs, err = integration.Instrument{}.Plan(promising(says(v1alpha1.PromiseDegrades), nil), gate.Taken{})
	if err != nil || len(runs) != 2 || runs[1].Site != gate.SitePlayed || runs[1].Part == "" {
		t.Fatalf("planned %+v, %v", runs, err)
	}
	order, err := evidence.Read[evidence.FaultsOrder](runs[1].Order)
	if err != nil {
		t.Fatal(err)
	}
	lms := order.Systems[slices.IndexFunc(order.Systems, func(p evidence.Played) bool { return p.Name == "lms" })]
	if lms.Blind || lms.Speaks != evidence.CheckHTTPS || lms.Within.Std() != 2*time.Second || len(order.Systems) != 2 {
		t.Errorf("ordered %+v", order)
	}
	if !strings.HasPrefix(order.URL, "http://prototype.affr-") || !strings.HasSuffix(order.Health, "/healthz") || order.Body != "{}" {
		t.Errorf("ordered %+v", order)
	}
	closed := promising(says(v1alpha1.PromiseDegrades), nil)
	closed.Record.Requirements.DNS = "None"
	if runs, err = (integration.Instrument{}).Plan(closed, gate.Taken{}); err != nil || len(runs) != 1 {
		t.Errorf("without DNS this is planned: %+v, %v", runs, err)
	}
}

// As many systems as a prototype can have, each with the time that people wait if nothing is said, are not too many.
func TestPlanWhenAllAreDown(t *testing.T) {
	c := promising(nil, says(v1alpha1.PromiseDegrades))
	c.Record.Subject.Model.WhenDown.Within = "5s"
	offered := c.Record.Requirements.Integrations[0]
	c.Record.Subject.Integrations, c.Record.Requirements.Integrations = nil, nil
	for i := range 16 {
		offered.Name = fmt.Sprintf("system-%d", i)
		c.Record.Requirements.Integrations = append(c.Record.Requirements.Integrations, offered)
		c.Record.Subject.Integrations = append(c.Record.Subject.Integrations, sub.Integration{Name: offered.Name, Access: v1alpha1.AccessRead,
			WhenDown: &sub.WhenDown{Then: v1alpha1.PromiseDegrades, Within: "5s"}})
	}
	runs, err := integration.Instrument{}.Plan(c, gate.Taken{})
	if err != nil || len(runs) != 2 {
		t.Fatalf("planned %d runs: %v", len(runs), err)
	}
	if least := 17 * 5 * (5*time.Second + integration.AroundPhase); runs[1].Length < least {
		t.Errorf("%s are planned, and it may take %s", runs[1].Length, least)
	}
}

// taken is a good measurement of lms, and one of the prototype without it.
func taken(down *evidence.FaultsResult) gate.Taken {
	end := start.AddDate(1, 0, 0)
	report := &evidence.IntegrationReport{Checks: []evidence.CheckResult{{Name: "lms", OK: true, Attempts: 1, CertificateExpires: &end}}}
	control := &evidence.IsolationReport{}
	for _, name := range isolation.Forbidden {
		mine, theirs := target(evidence.ClassTimeout), target(evidence.ClassNone)
		mine.Name, theirs.Name = name, name
		report.Unreachable, control.Targets = append(report.Unreachable, mine), append(control.Targets, theirs)
	}
	runs := map[string]gate.Witnessed{"": {Measurement: envelope(evidence.Report{Result: report}), Control: envelope(evidence.Report{Result: control})}}
	if down != nil {
		runs["down"] = gate.Witnessed{Measurement: envelope(evidence.Report{Result: down})}
	}
	return gate.Taken{Runs: runs}
}

func TestJudgeWhenDown(t *testing.T) {
	degrades, fails := says(v1alpha1.PromiseDegrades), says(v1alpha1.PromiseFails)
	good, errs := kept(200, time.Millisecond), kept(503, time.Millisecond)
	late := kept(200, 3*time.Second)
	required := func(c *gate.Case) {
		c.Gate.Integration = &v1alpha1.IntegrationGate{WhenDown: v1alpha1.WhenDownRequired}
	}
	for name, c := range map[string]struct {
		lms, model *sub.WhenDown
		down       *evidence.FaultsResult
		edit       func(*gate.Case)
		state      gate.State
		reason     string
		findings   []string
	}{
		"nothing is said": {nil, nil, nil, nil, gate.Passed, v1alpha1.ReasonIntegrationsWork,
			[]string{v1alpha1.ReasonWhenDownUndeclared, v1alpha1.ReasonWhenDownUndeclared}},
		"something has to be said": {nil, nil, nil, required, gate.Failed, v1alpha1.ReasonWhenDownUndeclared,
			[]string{v1alpha1.ReasonWhenDownUndeclared, v1alpha1.ReasonWhenDownUndeclared}},
		"not measured yet": {degrades, nil, nil, nil, gate.Pending, v1alpha1.ReasonNotMeasured, nil},
		"degrades":         {degrades, nil, &good, nil, gate.Passed, v1alpha1.ReasonIntegrationsWork, []string{v1alpha1.ReasonWhenDownUndeclared}},
		"hangs": {degrades, nil, &late, nil, gate.Failed, v1alpha1.ReasonHangsWhenDown,
			slices.Repeat([]string{v1alpha1.ReasonHangsWhenDown}, 5)},
		// The model only stands in, so that an error may be its doing.
		"errs": {degrades, nil, &errs, nil, gate.Inconclusive, v1alpha1.ReasonWhenDownNotShown,
			slices.Repeat([]string{v1alpha1.ReasonWhenDownNotShown}, 5)},
		"errs where it may": {fails, nil, &errs, nil, gate.Passed, v1alpha1.ReasonIntegrationsWork, []string{v1alpha1.ReasonWhenDownUndeclared}},
		"another is not tried": {degrades, fails, &good, nil, gate.Inconclusive, v1alpha1.ReasonWhenDownNotShown,
			append(slices.Repeat([]string{v1alpha1.ReasonWhenDownNotShown}, 5), v1alpha1.ReasonNotExercised)},
		"never started": {degrades, nil, &evidence.FaultsResult{}, nil, gate.Inconclusive, v1alpha1.ReasonNotExercised, []string{v1alpha1.ReasonNotExercised}},
		"without DNS": {degrades, nil, nil, func(c *gate.Case) { c.Record.Requirements.DNS = "None" }, gate.Inconclusive, v1alpha1.ReasonWhenDownNotShown,
			[]string{v1alpha1.ReasonWhenDownNotShown}},
		"an hour ago": {degrades, nil, &good, func(c *gate.Case) { c.Now = now.AddDate(0, 2, 0) }, gate.Inconclusive, v1alpha1.ReasonEvidenceStale,
			[]string{v1alpha1.ReasonEvidenceStale}},
	} {
		asked := promising(c.lms, c.model)
		if c.edit != nil {
			c.edit(&asked)
		}
		v := integration.Instrument{}.Judge(asked, taken(c.down))
		var reasons []string
		for _, f := range v.Findings {
			reasons = append(reasons, f.Reason)
		}
		if v.State != c.state || v.Reason != c.reason || !slices.Equal(reasons, c.findings) {
			t.Errorf("%s: %s %s %q %v", name, v.State, v.Reason, v.Message, reasons)
		}
	}
}
