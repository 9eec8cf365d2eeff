package security

import (
	"bytes"
	"slices"
	"strings"
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

// withSet freezes an evaluation set with the case.
func withSet(t *testing.T, c gate.Case, set string) gate.Case {
	t.Helper()
	packed, err := record.Pack([]byte(set))
	if err != nil {
		t.Fatal(err)
	}
	c.Record.Subject.Container.CPU, c.Record.Subject.Container.Memory = "50m", "64Mi"
	c.Record.Requirements.Registry.Prefix = "registry.example.org/"
	c.Record.Examples, c.Record.Subject.Evaluation = packed, &subject.Evaluation{Examples: subject.Examples{Digest: evidence.Digest([]byte(set))}}
	return c
}

// An evaluation set is searched whole, with the other texts or alone, and what is found is told by its line.
func TestSetsAreSearched(t *testing.T) {
	long := "question,expected\n" + strings.Repeat(`"<&>""",b`+"\n", 45000)
	tone := subject.Env{Name: "TONE", Value: "friendly"}
	for name, c := range map[string]struct {
		c      gate.Case
		count  int
		packed bool
	}{
		"alone":          {withSet(t, caseOf(&v1alpha1.SecurityGate{}), "question,expected\na,b\n"), 1, false},
		"with a setting": {withSet(t, caseOf(&v1alpha1.SecurityGate{}, tone), long), 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			runs, err := Instrument{}.Plan(c.c, gate.Taken{})
			if err != nil || len(runs) != 1 {
				t.Fatalf("%v, %v", runs, err)
			}
			order, err := evidence.Read[evidence.SecretsOrder](runs[0].Order)
			if err != nil {
				t.Fatal(err)
			}
			set, _ := c.c.Record.EvaluationSet()
			if order.Count != c.count || (order.Texts != "") != c.packed || string(runs[0].Files[order.Set]) != string(set) || order.SetField != setField {
				t.Errorf("got %+v", order)
			}
			judge := func(r evidence.SecretsResult) gate.Verdict {
				taken := gate.Taken{Runs: map[string]gate.Witnessed{partSecrets: {Measurement: measured(&r)}}}
				taken.Isolation = gate.Isolation{Verdict: gate.Pass(v1alpha1.ReasonEnforced, "closed", now)}
				return Instrument{}.Judge(c.c, taken)
			}
			hit := judge(evidence.SecretsResult{Searched: c.count, Rules: 200, Found: []evidence.FoundSecret{{Field: setField, Line: 7, Rule: "github-pat", What: "a token"}}})
			if hit.State != gate.Failed || !slices.ContainsFunc(hit.Findings, func(f gate.Finding) bool {
				return f.Reason == v1alpha1.ReasonSecretInConfiguration && f.Field == setField && f.Owner == v1alpha1.OwnerBusiness && strings.HasPrefix(f.Message, "line 7: ")
			}) {
				t.Errorf("got %+v", hit)
			}
			if whole := judge(evidence.SecretsResult{Searched: c.count, Rules: 200}); whole.State != gate.Passed {
				t.Errorf("nothing was found: %+v", whole)
			}
			if short := judge(evidence.SecretsResult{Searched: c.count - 1 + 2*(c.count%2), Rules: 200}); short.State == gate.Passed || !strings.Contains(short.Message, "left something out") {
				t.Errorf("something was left out: %+v", short)
			}
		})
	}
	if runs, err := (Instrument{}).Plan(withSet(t, caseOf(&v1alpha1.SecurityGate{Secrets: v1alpha1.SearchBuiltIn}), "question,expected\na,b\n"), gate.Taken{}); err != nil || len(runs) != 0 {
		t.Errorf("nobody asked: %v, %v", runs, err)
	}
	broken := withSet(t, caseOf(&v1alpha1.SecurityGate{}), "question,expected\na,b\n")
	broken.Record.Examples = nil
	if _, err := (Instrument{}).Plan(broken, gate.Taken{}); err == nil || searchOf(broken, gate.Taken{}) == nil {
		t.Error("a set that can't be read is not searched, and nobody minds")
	}
}

// What is asked and never measured must not pass; what was gathered is what is verified.
func TestWhatIsAskedIsMeasured(t *testing.T) {
	all := asking()
	all.Signatures.Identities = []v1alpha1.SignerIdentity{{Name: "ci", Issuer: "https://issuer.example.org", Subject: "ci"}}
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
	if order == nil || order.Image != imageDigest || !order.At.Equal(taken.Runs[partMaterial].Report.FinishedAt) || len(order.Signers) != 3 || order.Signers[1].VouchesFor[0] != evidence.ClaimVulnerabilities {
		t.Errorf("got %+v", order)
	} else if got := order.Signers[2].VouchesFor; !slices.Equal(got, []evidence.Claim{evidence.ClaimImage, evidence.ClaimProvenance, evidence.ClaimSBOM}) {
		t.Errorf("whoever nobody limits vouches for %q", got)
	}
	text := Instrument{}.Summarize(c, gate.Taken{Runs: map[string]gate.Witnessed{partSupply: {Measurement: measured(answered())}}}).Markdown
	if !bytes.Contains([]byte(text), []byte("| signature | release | released |")) || !bytes.Contains([]byte(text), []byte("CVE-2026-0002")) {
		t.Errorf("the summary says %q", text)
	}
}

// A variable is named by its name: the subject's are sorted, so a place among them is none in the manifest.
func TestVariablesAreNamed(t *testing.T) {
	c := caseOf(nil, subject.Env{Name: "AREA", Value: "north"}, subject.Env{Name: "CRM_PASSWORD", Value: "hunter2"})
	c.Record.Subject.Container.CPU, c.Record.Subject.Container.Memory = "50m", "64Mi"
	for _, f := range (Instrument{}).Judge(c, gate.Taken{}).Findings {
		if f.Reason == v1alpha1.ReasonPlainSecret && f.Field == "spec.workload.container.env[name=CRM_PASSWORD]" {
			return
		}
	}
	t.Error("nobody can tell which variable it is")
}
