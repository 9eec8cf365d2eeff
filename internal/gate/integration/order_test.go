package integration_test

import (
	"slices"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
)

// asked is what the run does to the systems of a case.
func asked(t *testing.T, c gate.Case) *evidence.IntegrationSpec {
	t.Helper()
	runs, err := integration.Instrument{}.Plan(c, gate.Taken{})
	if err != nil || len(runs) == 0 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	order := runs[0].Order.(*evidence.IntegrationSpec)
	if err := order.Validate(); err != nil {
		t.Fatal(err)
	}
	return order
}

// Every system is held to the policy's oldest version of TLS.
func TestChecksWantTheTLSOfThePolicy(t *testing.T) {
	for name, c := range map[string]struct {
		settings *v1alpha1.IntegrationGate
		want     string
	}{
		"nothing is said": {nil, "1.2"}, "no version is said": {&v1alpha1.IntegrationGate{}, "1.2"},
		"1.3": {&v1alpha1.IntegrationGate{MinTLSVersion: "1.3"}, "1.3"},
	} {
		of := promising(nil, nil)
		of.Gate.Integration = c.settings
		if checks := asked(t, of).Checks; len(checks) != 1 || checks[0].MinTLS != c.want {
			t.Errorf("%s: asked %+v, want %s", name, checks, c.want)
		}
	}
}

// A credential of which the check shows nothing is told, and stands in nobody's way.
func TestJudgeTellsOfCredentialsThatAreNotShown(t *testing.T) {
	http, tcp, tls := v1alpha1.IntegrationCheck{HTTP: &v1alpha1.HTTPCheck{Path: "/health"}}, v1alpha1.IntegrationCheck{TCP: &v1alpha1.TCPCheck{}}, v1alpha1.IntegrationCheck{TLS: &v1alpha1.TLSCheck{}}
	for name, c := range map[string]struct {
		check          v1alpha1.IntegrationCheck
		open, credless bool
		told           bool
	}{
		"it needs the credential": {check: http}, "it answers anybody": {check: http, open: true, told: true},
		"a connection": {check: tcp, told: true}, "a handshake": {check: tls, told: true},
		"a connection, and no credential": {check: tcp, credless: true}, "anybody, and no credential": {check: http, open: true, credless: true},
	} {
		of, seen := promising(nil, nil), taken(nil)
		lms := &of.Record.Requirements.Integrations[0]
		if lms.Check = c.check; c.credless {
			lms.Production.Credentials = nil
		}
		seen.Runs[""].Report.Result.(*evidence.IntegrationReport).Checks[0].WithoutCredential = c.open
		v := integration.Instrument{}.Judge(of, seen)
		at := slices.IndexFunc(v.Findings, func(f gate.Finding) bool { return f.Reason == v1alpha1.ReasonCredentialNotShown })
		if v.State != gate.Passed || (at >= 0) != c.told {
			t.Errorf("%s: %+v", name, v)
		}
		if at >= 0 && (v.Findings[at].Owner != v1alpha1.OwnerIT || v.Findings[at].Field != "catalogue.integrations[name=lms].check" || v.Findings[at].Hint == "") {
			t.Errorf("%s: a remark that helps nobody: %+v", name, v.Findings[at])
		}
	}
}
