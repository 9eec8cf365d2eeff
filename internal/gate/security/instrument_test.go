package security

import (
	"bytes"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

func caseOf(asked *v1alpha1.SecurityGate, env ...subject.Env) gate.Case {
	return gate.Case{Now: now, Gate: v1alpha1.Gate{Name: "security", Type: v1alpha1.GateSecurity, Security: asked}, Record: record.Record{
		ReviewDigest: reviewed,
		Subject:      subject.Subject{Container: subject.Container{Image: "registry.example.org/membership/churn-advisor" + digest, Env: env}},
	}}
}

func TestPlan(t *testing.T) {
	all := asking()
	tone := subject.Env{Name: "TONE", Value: "friendly"}
	parts := func(c gate.Case, taken gate.Taken) string {
		runs, err := Instrument{}.Plan(c, taken)
		if err != nil {
			return "error"
		}
		out := ""
		for _, r := range runs {
			if err := r.Order.Validate(); err != nil {
				t.Errorf("an order that no runner takes: %v", err)
			}
			out += r.Part + "@" + string(r.Site) + " "
		}
		return out
	}
	for name, c := range map[string]struct {
		c    gate.Case
		want string
	}{
		"no settings":               {caseOf(nil, tone), ""},
		"nothing asked, no text":    {caseOf(&v1alpha1.SecurityGate{}), ""},
		"nothing asked, a text":     {caseOf(&v1alpha1.SecurityGate{}, tone), "secrets@Closed "},
		"built in alone":            {caseOf(&v1alpha1.SecurityGate{Secrets: v1alpha1.SearchBuiltIn}, tone), ""},
		"an excuse alone":           {caseOf(&v1alpha1.SecurityGate{VEX: []v1alpha1.LocalName{{Name: "vex"}}}), ""},
		"all asked":                 {caseOf(&all, tone), "secrets@Closed material@Operator supply@Closed "},
		"an empty text":             {caseOf(&v1alpha1.SecurityGate{}, subject.Env{Name: "TONE"}), ""},
		"a bill of materials alone": {caseOf(&v1alpha1.SecurityGate{SBOM: v1alpha1.PresenceRequired}), "material@Operator supply@Closed "},
	} {
		if got := parts(c.c, gate.Taken{}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	byTag := caseOf(&all)
	byTag.Record.Subject.Container.Image = "registry.example.org/membership/churn-advisor:1"
	if got := parts(byTag, gate.Taken{}); got != "error" {
		t.Errorf("an image by tag: %q", got)
	}
}

// What is asked and never measured must not pass; what was gathered is what is verified.
func TestWhatIsAskedIsMeasured(t *testing.T) {
	all := asking()
	c := caseOf(&all)
	if searchOf(c, gate.Taken{}) != nil || supplyOf(c, gate.Taken{}) == nil {
		t.Error("what is asked and what is judged are two things")
	}
	packed := []byte("packed")
	taken := gate.Taken{Runs: map[string]gate.Witnessed{partMaterial: {Measurement: measured(&evidence.MaterialResult{Image: imageDigest, Packed: packed})}}}
	runs, err := Instrument{}.Plan(c, taken)
	if err != nil || len(runs) != 2 || !bytes.Equal(runs[1].Files[fileMaterial], packed) {
		t.Fatalf("got %+v, %v", runs, err)
	}
	order := evidence.As[evidence.SupplyOrder](runs[1].Order)
	if order == nil || order.Image != imageDigest || len(order.Signers) != 2 || order.Signers[1].VouchesFor[0] != evidence.ClaimVulnerabilities {
		t.Errorf("got %+v", order)
	}
	text := Instrument{}.Summarize(c, gate.Taken{Runs: map[string]gate.Witnessed{partSupply: {Measurement: measured(answered())}}}).Markdown
	if !bytes.Contains([]byte(text), []byte("| signature | release | released |")) || !bytes.Contains([]byte(text), []byte("CVE-2026-0002")) {
		t.Errorf("the summary says %q", text)
	}
}
