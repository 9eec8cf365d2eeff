package integration_test

import (
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
