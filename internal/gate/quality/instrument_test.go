package quality

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

const reviewed = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// text is a set of n examples.
func text(n int) string {
	var b strings.Builder
	b.WriteString("question,expected\n")
	for i := range n {
		b.WriteString(strings.Repeat("q", i+1) + ",yes\n")
	}
	return b.String()
}

// caseOfSet is a gate that is asked about a record with the given set.
func caseOfSet(t *testing.T, set string) gate.Case {
	t.Helper()
	packed, err := record.Pack([]byte(set))
	if err != nil {
		t.Fatal(err)
	}
	c := gate.Case{
		Record: record.Record{
			Prototype: names.Identity{Namespace: "membership", Name: "advisor", UID: "u"}, Ordinal: 2, ReviewDigest: reviewed, Examples: packed,
			Subject: subject.Subject{Evaluation: &subject.Evaluation{
				Examples: subject.Examples{Digest: evidence.Digest([]byte(set))},
				Call: v1alpha1.EvaluationCall{Timeout: metav1.Duration{Duration: time.Second},
					JSON: &v1alpha1.JSONCall{Method: "POST", Path: "/v1/classify", Input: "/text", Answer: "/label"}},
			}},
		},
		Gate: v1alpha1.Gate{Name: "quality", Type: v1alpha1.GateQuality, Quality: &v1alpha1.QualityGate{
			MinimumExamples: 50, PassRateLowerBound: "0.80", Repeats: 2, NonRegression: v1alpha1.NonRegressionRequired,
		}},
		Patience: 1, Now: at.Add(time.Minute),
	}
	c.Record.Requirements.Gates = []v1alpha1.Gate{c.Gate}
	return c
}

// took is what a run of the case left.
func took(t *testing.T, c gate.Case, result evidence.QualityResult) gate.Taken {
	t.Helper()
	return gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Report: &evidence.Report{
		Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: c.Record.ReviewDigest, StartedAt: at.Add(-time.Minute), FinishedAt: at, Result: &result,
	}}}}}
}

func all50(t *testing.T, answers ...evidence.CaseAnswer) evidence.QualityResult {
	t.Helper()
	set, err := examples.Read([]byte(text(50)))
	if err != nil {
		t.Fatal(err)
	}
	return answered(set, of(50, answers...))
}

func TestPlan(t *testing.T) {
	c := caseOfSet(t, text(50))
	runs, err := Instrument{}.Plan(c, gate.Taken{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	order, err := evidence.Read[evidence.QualityOrder](runs[0].Order)
	if err != nil {
		t.Fatal(err)
	}
	if order.Examples != 50 || order.Repeats != 2 || string(runs[0].Files[order.File]) != text(50) || order.Digest != evidence.Digest([]byte(text(50))) ||
		order.Call.URL != "http://prototype."+c.Record.Prototype.Sandbox()+".svc" || order.Call.JSON.Answer != "/label" ||
		runs[0].Site != gate.SiteSandbox || runs[0].Length <= order.Within.Std() {
		t.Errorf("got %+v at %s for %v", order, runs[0].Site, runs[0].Length)
	}
	c.Patience = 3
	longer, err := Instrument{}.Plan(c, gate.Taken{})
	if err != nil || longer[0].Length <= runs[0].Length {
		t.Errorf("a third attempt takes %v, the first %v: %v", longer[0].Length, runs[0].Length, err)
	}
	c.Gate.Timeout = &metav1.Duration{Duration: time.Minute}
	if limited, err := (Instrument{}).Plan(c, gate.Taken{}); err != nil || limited[0].Length > time.Minute {
		t.Errorf("it takes %v, a minute is allowed: %v", limited[0].Length, err)
	}
}

func TestInstrumentJudges(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*gate.Case)
		result func(*testing.T) evidence.QualityResult
		state  gate.State
		reason string
		says   string
	}{
		"right":           {nil, func(t *testing.T) evidence.QualityResult { return all50(t, right, right) }, gate.Passed, v1alpha1.ReasonAnswersRight, "50 of 50"},
		"wrong":           {nil, func(t *testing.T) evidence.QualityResult { return all50(t, wrong, wrong) }, gate.Failed, v1alpha1.ReasonTooManyWrong, "0 of 50"},
		"asked only once": {nil, func(t *testing.T) evidence.QualityResult { return all50(t, right) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, ""},
		"of another set":  {func(c *gate.Case) { *c = caseOfSet(&testing.T{}, text(51)) }, func(t *testing.T) evidence.QualityResult { return all50(t, right, right) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "another set"},
		"old":             {func(c *gate.Case) { c.Now = at.Add(1000 * time.Hour) }, func(t *testing.T) evidence.QualityResult { return all50(t, right, right) }, gate.Inconclusive, v1alpha1.ReasonEvidenceStale, ""},
		"worse than before": {func(c *gate.Case) {
			set, _ := examples.Read([]byte(text(50)))
			c.Record.Baselines = map[string]record.Baseline{c.Gate.Name: *baseline(set, of(50, right, right))}
		}, func(t *testing.T) evidence.QualityResult {
			r := all50(t, right, right)
			for i := range 5 {
				r.Cases[i].Answers = []evidence.CaseAnswer{wrong, wrong}
			}
			return r
		}, gate.Failed, v1alpha1.ReasonRegressed, "5 became wrong"},
		"no evaluation": {func(c *gate.Case) { c.Record.Subject.Evaluation = nil }, nil, gate.Inconclusive, v1alpha1.ReasonExamplesMissing, "no examples; 50 more needed; then at least 45 of 50 must be right"},
		"a broken set": {func(c *gate.Case) {
			c.Record.Subject.Evaluation.Examples = subject.Examples{Problem: "line 3: the question is empty"}
		}, nil, gate.Inconclusive, v1alpha1.ReasonExamplesInvalid, "line 3"},
		"a set swapped":   {func(c *gate.Case) { c.Record.Examples, _ = record.Pack([]byte(text(49))) }, nil, gate.Inconclusive, v1alpha1.ReasonExamplesInvalid, "can't be read"},
		"a set lost":      {func(c *gate.Case) { c.Record.Examples = nil }, nil, gate.Inconclusive, v1alpha1.ReasonExamplesInvalid, "can't be read"},
		"an absurd share": {func(c *gate.Case) { c.Gate.Quality.PassRateLowerBound = "1" }, nil, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked := caseOfSet(t, text(50))
			if c.change != nil {
				c.change(&asked)
			}
			taken := gate.Taken{}
			if c.result != nil {
				taken = took(t, asked, c.result(t))
			}
			want(t, Instrument{}.Judge(asked, taken), c.state, c.reason, c.says)
			if c.result != nil {
				return
			}
			if runs, err := (Instrument{}).Plan(asked, taken); err == nil {
				t.Errorf("planned: %+v", runs)
			}
		})
	}
}

// What lacks shows from the first day, long before anything is measured.
func TestForeseen(t *testing.T) {
	c := caseOfSet(t, text(24))
	c.Gate.Quality.Slices = []v1alpha1.SliceFloor{{Name: "fees", PassRateLowerBound: "0.50", MinimumExamples: 10}}
	v := Instrument{}.Judge(c, gate.Taken{})
	if v.State != gate.Pending || len(v.Findings) != 2 || v.Findings[0].Message != "24 examples; 26 more needed; then at least 45 of 50 must be right" ||
		!strings.HasPrefix(v.Findings[1].Message, "slice fees: no examples; 10 more needed") {
		t.Errorf("got %+v", v)
	}
}

func TestBaselineOfARecord(t *testing.T) {
	c := caseOfSet(t, text(50))
	b := Baseline(c.Gate, c.Record, took(t, c, all50(t, right, wrong)))
	if b.Review != "advisor-2" || b.Lost != "" || len(b.Answers) != 50 {
		t.Fatalf("got %+v", b)
	}
	for _, letters := range b.Answers {
		if letters != "RW" {
			t.Errorf("got %q", letters)
		}
	}
	swapped := c
	swapped.Record.Examples = nil
	for name, b := range map[string]record.Baseline{
		"nothing":          Baseline(c.Gate, c.Record, gate.Taken{}),
		"lost":             Baseline(c.Gate, c.Record, gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Lost: "gone"}}}}),
		"of another set":   Baseline(c.Gate, c.Record, took(t, c, answered(table(t, 50, nil), of(50, right, right)))),
		"a set that lacks": Baseline(c.Gate, swapped.Record, took(t, c, all50(t, right, right))),
	} {
		if b.Lost == "" || b.Answers != nil {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

func TestSummary(t *testing.T) {
	c := caseOfSet(t, text(50))
	got := Instrument{}.Summarize(c, took(t, c, all50(t, right, wrong))).Markdown
	if !strings.Contains(got, "| all | 50 | 0 |") || strings.Contains(got, "qqq") {
		t.Errorf("got %s", got)
	}
	if (Instrument{}).Summarize(c, gate.Taken{}).Markdown != "" {
		t.Error("nothing is summed up")
	}
}
