package quality

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/subject"
)

const golden = "registry.example.org/it/golden@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// importing is a gate that takes over what an image says about a prototype without examples of its own.
func importing(t *testing.T, format v1alpha1.ImportFormat) gate.Case {
	t.Helper()
	c := caseOfSet(t, text(50))
	c.Record.Subject.Evaluation, c.Record.Examples = nil, nil
	c.Gate.Quality.Import = &v1alpha1.QualityImport{Format: format, Image: golden, Args: []string{"eval"}, Length: metav1.Duration{Duration: time.Minute}}
	return c
}

// brought is a result with examples of its own.
func brought(t *testing.T, parts ...times) *evidence.ImportResult {
	t.Helper()
	n := 0
	for _, p := range parts {
		n += p.n
	}
	r := evidence.ImportResult{Format: evidence.ImportPromptfoo, Tool: "0.118.3", Evaluation: answered(table(t, n, nil), parts...)}
	r.Evaluation.Digest = evidence.Digest([]byte("results"))
	return &r
}

func tookOver(c gate.Case, result evidence.Result) gate.Taken {
	return gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Report: &evidence.Report{
		Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: c.Record.ReviewDigest, StartedAt: at.Add(-time.Minute), FinishedAt: at, Result: result,
	}}}}}
}

func TestPlanOfImages(t *testing.T) {
	for format, env := range map[v1alpha1.ImportFormat]string{v1alpha1.ImportPromptfoo: "PROMPTFOO_CACHE_ENABLED", v1alpha1.ImportInspectAI: "INSPECT_LOG_FORMAT"} {
		c := importing(t, format)
		runs, err := Instrument{}.Plan(c, gate.Taken{})
		if err != nil || len(runs) != 1 {
			t.Fatalf("%v, %v", runs, err)
		}
		r := runs[0]
		order, err := evidence.Read[evidence.ImportOrder](r.Order)
		if err != nil || string(order.Format) != string(format) || r.Site != gate.SiteSandbox || r.Image != "" || r.Tool.Image != golden || r.Tool.Args[0] != "eval" ||
			r.Tool.Env[env] == "" || r.Tool.Env[evidence.URLEnv] != "http://prototype."+c.Record.Prototype.Sandbox()+".svc" || r.Length != time.Minute+ending {
			t.Errorf("got %+v, %+v, %v", r, order, err)
		}
		c.Patience = 2
		if longer, err := (Instrument{}).Plan(c, gate.Taken{}); err != nil || longer[0].Length != 2*time.Minute+ending {
			t.Errorf("a second attempt takes %v: %v", longer[0].Length, err)
		}
	}
}

func TestImagesAreJudged(t *testing.T) {
	for name, c := range map[string]struct {
		result evidence.Result
		edit   func(*gate.Case)
		state  gate.State
		reason string
		says   string
		owner  v1alpha1.Owner
	}{
		"right": {brought(t, of(50, right)), nil, gate.Passed, v1alpha1.ReasonAnswersRight, "50 of 50", ""},
		"of a tool that names a model": {func() evidence.Result {
			r := brought(t, of(50, right))
			r.Evaluation.Models = []evidence.ModelSeen{{Name: "openai/prototype", Answers: 50}}
			return r
		}(), func(c *gate.Case) { c.Record.Subject.Model = &subject.Model{Name: "example-large"} }, gate.Passed, v1alpha1.ReasonAnswersRight, "50 of 50", ""},
		"wrong":              {brought(t, of(20, wrong), of(30, right)), nil, gate.Failed, v1alpha1.ReasonTooManyWrong, "30 of 50", v1alpha1.OwnerBusiness},
		"too few":            {brought(t, of(10, right)), nil, gate.Inconclusive, v1alpha1.ReasonTooFewExamples, "40 more needed", v1alpha1.OwnerIT},
		"errors of the tool": {brought(t, of(20, reported), of(30, right)), nil, gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "20 could not be asked or judged", v1alpha1.OwnerIT},
		"nothing but errors": {brought(t, of(50, reported)), nil, gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "", v1alpha1.OwnerIT},
		"of another tool": {brought(t, of(50, right)), func(c *gate.Case) { c.Gate.Quality.Import.Format = v1alpha1.ImportInspectAI },
			gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "another format", ""},
		"not of a tool": {func() evidence.Result { r := all50(t, right, right); return &r }(), nil, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "something else", v1alpha1.OwnerIT},
		"old":           {brought(t, of(50, right)), func(c *gate.Case) { c.Now = at.Add(1000 * time.Hour) }, gate.Inconclusive, v1alpha1.ReasonEvidenceStale, "", v1alpha1.OwnerIT},
		"worse": {brought(t, of(6, wrong), of(194, right)), func(c *gate.Case) {
			before := importing(t, v1alpha1.ImportPromptfoo)
			c.Record.Baselines = promoted(before, tookOver(before, brought(t, of(200, right))), c.Gate)
		}, gate.Failed, v1alpha1.ReasonRegressed, "6 became wrong", v1alpha1.OwnerBusiness},
		"a policy that nothing meets": {brought(t, of(50, right)), func(c *gate.Case) { c.Gate.Quality.PassRateLowerBound = "1.5" }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid, "", v1alpha1.OwnerIT},
	} {
		t.Run(name, func(t *testing.T) {
			asked := importing(t, v1alpha1.ImportPromptfoo)
			if c.edit != nil {
				c.edit(&asked)
			}
			v := Instrument{}.Judge(asked, tookOver(asked, c.result))
			want(t, v, c.state, c.reason, c.says)
			if c.owner != "" && (len(v.Findings) == 0 || v.Findings[0].Owner != c.owner || strings.HasPrefix(v.Findings[0].Field, "spec.evaluation")) {
				t.Errorf("findings %+v", v.Findings)
			}
		})
	}
	c := importing(t, v1alpha1.ImportPromptfoo)
	if v := (Instrument{}).Judge(c, gate.Taken{}); v.State != gate.Pending {
		t.Errorf("before anything was measured: %+v", v)
	}
	text := Instrument{}.Summarize(c, tookOver(c, brought(t, of(5, wrong), of(45, right)))).Markdown
	if !strings.Contains(text, "Asked by `"+golden+"`, Promptfoo 0.118.3.") || !strings.Contains(text, "| all | 50 | 45 |") {
		t.Errorf("it says\n%s", text)
	}
}

// reported is an answer of which a tool says that it is an error.
var reported = evidence.CaseAnswer{Outcome: evidence.CaseLost, Failure: evidence.AskReported}
