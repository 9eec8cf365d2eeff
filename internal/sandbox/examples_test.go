package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/record"
)

// strict is a policy that asks for right answers.
func strict() *v1alpha1.HardeningPolicy {
	policy := aPolicy()
	policy.Spec.Gates = append(policy.Spec.Gates, v1alpha1.Gate{Name: "answers", Type: v1alpha1.GateQuality, Quality: &v1alpha1.QualityGate{
		MinimumExamples: 100, PassRateLowerBound: "0.90", Repeats: 1, NonRegression: v1alpha1.NonRegressionRequired,
	}})
	policy.Spec.Tiers[0].Gates = append(policy.Spec.Tiers[0].Gates, "answers")
	return policy
}

// stricter has an image of IT's ask as well, whose gate comes first, and takes another's answers as they are.
func stricter() *v1alpha1.HardeningPolicy {
	policy := strict()
	policy.Spec.Gates = append([]v1alpha1.Gate{
		{Name: "golden", Type: v1alpha1.GateQuality, Quality: &v1alpha1.QualityGate{
			MinimumExamples: 100, PassRateLowerBound: "0.90", Repeats: 1, NonRegression: v1alpha1.NonRegressionRequired,
			Import: &v1alpha1.QualityImport{Format: v1alpha1.ImportPromptfoo, Image: "registry.example.org/it/golden@sha256:" + strings.Repeat("a", 64)},
		}},
		{Name: "free", Type: v1alpha1.GateQuality, Quality: &v1alpha1.QualityGate{
			MinimumExamples: 100, PassRateLowerBound: "0.90", Repeats: 1, NonRegression: v1alpha1.NonRegressionNone,
		}},
	}, policy.Spec.Gates...)
	policy.Spec.Tiers[0].Gates = append([]string{"golden", "free"}, policy.Spec.Tiers[0].Gates...)
	return policy
}

// evaluated is a prototype that names an evaluation set.
func evaluated(p *v1alpha1.AIPrototype) {
	p.Spec.Evaluation = &v1alpha1.Evaluation{
		Examples: v1alpha1.ExamplesSource{ConfigMap: &v1alpha1.ConfigMapKey{Name: "golden", Key: "examples.csv"}},
		Call:     v1alpha1.EvaluationCall{Timeout: metav1.Duration{Duration: time.Second}, OpenAIChat: &v1alpha1.ChatCall{Path: "/v1/chat/completions"}},
	}
}

// golden is a ConfigMap with n examples.
func golden(n int) *corev1.ConfigMap {
	var b strings.Builder
	b.WriteString("question,expected\n")
	for i := range n {
		fmt.Fprintf(&b, "question %d,leaving\n", i)
	}
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "membership", Name: "golden"}, Data: map[string]string{"examples.csv": b.String()}}
}

// TestExamplesThatCannotBeUsed stand in nobody's way in a sandbox, and show from the first day.
func TestExamplesThatCannotBeUsed(t *testing.T) {
	broken := golden(3)
	broken.Data["examples.csv"] += "question 1,staying\n"
	for name, c := range map[string]struct {
		set          *corev1.ConfigMap
		reason, says string
	}{
		"absent": {nil, v1alpha1.ReasonExamplesInvalid, "it is not there"},
		"twice":  {broken, v1alpha1.ReasonExamplesInvalid, "line 5: the same question as in line 3"},
		"few":    {golden(24), v1alpha1.ReasonTooFewExamples, "24 examples; 76 more needed; then at least 95 of 100 must be right"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, aPrototype().with(evaluated).obj(), strict())
			if c.set != nil {
				w.must(w.client.Create(t.Context(), c.set))
			}
			w.settle()
			w.measures(true)
			w.serves()
			w.settle()
			w.expect(v1alpha1.ConditionSandboxReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
			gap := w.gap(c.reason)
			if gap == nil || gap.Gate != "answers" || gap.Owner != v1alpha1.OwnerBusiness || !strings.Contains(gap.Message, c.says) {
				t.Errorf("gaps %+v", w.prototype().Status.Gaps)
			}
		})
	}
	t.Run("mended", func(t *testing.T) {
		w := newWorld(t, aPrototype().with(evaluated).obj(), strict())
		w.settle()
		if w.gap(v1alpha1.ReasonExamplesInvalid) == nil {
			t.Fatalf("gaps %+v", w.prototype().Status.Gaps)
		}
		w.must(w.client.Create(t.Context(), golden(100)))
		w.advance(referencesRetry + time.Second)
		w.settle()
		if gap := w.gap(v1alpha1.ReasonExamplesInvalid); gap != nil {
			t.Errorf("still %+v", gap)
		}
	})
	t.Run("not said", func(t *testing.T) {
		w := newWorld(t, aPrototype().obj(), strict())
		w.settle()
		if gap := w.gap(v1alpha1.ReasonExamplesMissing); gap == nil || gap.Field != "spec.evaluation" {
			t.Errorf("gaps %+v", w.prototype().Status.Gaps)
		}
	})
}

// TestExamplesAreFrozenWithTheReview also where the team changes them the next moment.
func TestExamplesAreFrozenWithTheReview(t *testing.T) {
	set := golden(100)
	w := newWorld(t, aPrototype().inProduction().with(evaluated).obj(), strict(), set)
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	first := w.records().Newest
	kept, err := first.EvaluationSet()
	if err != nil || string(kept) != set.Data["examples.csv"] || first.Subject.Evaluation.Digest != evidence.Digest(kept) {
		t.Fatalf("kept %q: %v", kept, err)
	}
	if first.Baselines != nil {
		t.Errorf("nothing was promoted, and it is compared with %+v", first.Baselines)
	}
	object, err := first.Object()
	w.must(err)
	if read, err := record.Read(object); err != nil || len(read.Examples) == 0 {
		t.Errorf("read %v", err)
	}
	forged := *first
	forged.Examples, err = record.Pack([]byte("question,expected\na,b\n"))
	w.must(err)
	object, err = forged.Object()
	w.must(err)
	if _, err := record.Read(object); err == nil {
		t.Error("a record with another set can be read")
	}
	// The next set is another subject.
	easier := golden(100)
	easier.ObjectMeta = set.ObjectMeta
	easier.Data["examples.csv"] = strings.ReplaceAll(easier.Data["examples.csv"], "leaving", "staying")
	w.must(w.client.Update(t.Context(), easier))
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Contact = "somebody@example.org" })
	w.settle()
	w.serves()
	w.settle()
	if second := w.records().Newest; second.Ordinal != 2 || second.SubjectDigest == first.SubjectDigest {
		t.Errorf("review %d of the same subject", second.Ordinal)
	}
}

// TestBaseline is what the records say of the last review that was promoted, and nothing else.
func TestBaseline(t *testing.T) {
	// promoted is a world in which the first review ended so, after its quality gate had left the report.
	concluded := func(t *testing.T, outcome v1alpha1.ReviewOutcome, report func(*world, record.Record) *record.Report) *world {
		w := newWorld(t, aPrototype().inProduction().with(evaluated).obj(), stricter(), golden(100))
		w.settle()
		w.measures(true)
		w.serves()
		w.settle()
		if r := report(w, *w.records().Newest); r != nil {
			object, err := r.Object()
			w.must(err)
			w.must(w.client.Create(t.Context(), object))
		}
		w.concludes("churn-advisor-1", outcome)
		w.edit(func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "TONE", Value: "friendly"}}
		})
		w.settle()
		w.serves()
		w.settle()
		if newest := w.records().Newest; newest.Ordinal != 2 {
			t.Fatalf("the newest review is %d", newest.Ordinal)
		}
		return w
	}
	none := func(*world, record.Record) *record.Report { return nil }
	right := func(w *world, rec record.Record) *record.Report {
		return qualityReport(w, rec, rec.Subject.Evaluation.Digest)
	}
	for name, c := range map[string]struct {
		outcome v1alpha1.ReviewOutcome
		report  func(*world, record.Record) *record.Report
		says    string
		answers int
		nothing bool
	}{
		"promoted":            {v1alpha1.OutcomePromoted, right, "", 100, false},
		"rolled back":         {v1alpha1.OutcomeRolledBack, right, "", 0, true},
		"without a report":    {v1alpha1.OutcomePromoted, none, "its report is not there", 0, false},
		"with another report": {v1alpha1.OutcomePromoted, func(w *world, rec record.Record) *record.Report { return qualityReport(w, rec, evidence.Digest(nil)) }, "it asked another set", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			frozen := concluded(t, c.outcome, c.report).records().Newest.Baselines
			got, asked := frozen["answers"]
			switch {
			case c.nothing == asked:
				t.Errorf("got %+v", got)
			case asked && (got.Review != "churn-advisor-1" || got.Lost != c.says || len(got.Answers) != c.answers):
				t.Errorf("got %+v", got)
			}
			// The other gate's is its own, and the one that compares with nothing has none.
			if other, asked := frozen["golden"]; c.nothing == asked || asked && (other.Lost == "" || other.Answers != nil) || len(frozen) > 2 {
				t.Errorf("got %+v", frozen)
			}
		})
	}
}

// TestBaselineIsWhatServes also where a later revision was promoted and then taken back.
func TestBaselineIsWhatServes(t *testing.T) {
	for name, c := range map[string]struct {
		// serves is the ordinal of the record that the production namespace names, 0 for none.
		serves   int
		baseline string
	}{
		"the newest":                      {2, "churn-advisor-2"},
		"the one before":                  {1, "churn-advisor-1"},
		"one that is still under way":     {3, "churn-advisor-2"},
		"nothing, for all was taken back": {0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, aPrototype().inProduction().with(evaluated).obj(), strict(), golden(100))
			w.settle()
			w.measures(true)
			for n := 1; ; n++ {
				w.serves()
				w.settle()
				newest := w.records().Newest
				if newest == nil || newest.Ordinal != n {
					t.Fatalf("review %d is not there: %+v", n, newest)
				}
				if n == 3 {
					if got := newest.Baselines["answers"].Review; got != c.baseline {
						t.Errorf("it is compared with %q, want %q", got, c.baseline)
					}
					return
				}
				w.concludes(fmt.Sprintf("churn-advisor-%d", n), v1alpha1.OutcomePromoted)
				if n == 2 {
					production := namespace(w.identity.Production(), w.identity.Labels("production"))
					production.Annotations = map[string]string{v1alpha1.AnnotationRecord: ""}
					if c.serves > 0 {
						production.Annotations[v1alpha1.AnnotationRecord] = w.identity.Record(c.serves)
					}
					w.must(w.client.Create(t.Context(), production))
				}
				w.edit(func(p *v1alpha1.AIPrototype) {
					p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "TONE", Value: fmt.Sprint(n)}}
				})
				w.settle()
			}
		})
	}
}

// TestBaselineAfterATierWithoutTheGate is how the newest revision answered that met the gate: what a team says of its prototype
// decides which gates it meets, and must not lead around the comparison.
func TestBaselineAfterATierWithoutTheGate(t *testing.T) {
	policy := strict()
	light := policy.Spec.Tiers[0]
	light.Name, light.When = "Light", "facts.autonomy == 'Acts'"
	light.Gates = slices.DeleteFunc(slices.Clone(light.Gates), func(name string) bool { return name == "answers" })
	policy.Spec.Tiers = append([]v1alpha1.Tier{light}, policy.Spec.Tiers...)
	const acts, answers = v1alpha1.AutonomyActs, v1alpha1.AutonomyAnswers
	for name, c := range map[string]struct {
		facts []v1alpha1.Autonomy
		// lost is the ordinal of a record that can't be read any more, 0 for none.
		lost int
		want record.Baseline
		// answers are how many the baseline holds.
		answers int
	}{
		"one without it":  {[]v1alpha1.Autonomy{answers, acts, answers}, 0, record.Baseline{Review: "churn-advisor-1", Older: true}, 100},
		"several":         {[]v1alpha1.Autonomy{answers, answers, acts, acts, answers}, 0, record.Baseline{Review: "churn-advisor-2", Older: true}, 100},
		"it never was":    {[]v1alpha1.Autonomy{acts, acts, answers}, 0, record.Baseline{Review: "churn-advisor-2", Unasked: "its review had no such gate"}, 0},
		"nobody can tell": {[]v1alpha1.Autonomy{answers, acts, answers}, 1, record.Baseline{Older: true, Lost: "its record can't be read"}, 0},
		"nor is it now":   {[]v1alpha1.Autonomy{answers, acts}, 0, record.Baseline{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, aPrototype().inProduction().with(evaluated).obj(), policy.DeepCopy(), golden(100))
			for i, fact := range c.facts {
				w.edit(func(p *v1alpha1.AIPrototype) {
					p.Spec.Facts.Autonomy = fact
					p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "TONE", Value: fmt.Sprint(i)}}
				})
				w.settle()
				if i == 0 {
					w.measures(true)
				}
				w.serves()
				w.settle()
				newest := *w.records().Newest
				if newest.Ordinal != i+1 || (newest.Requirements.Tier == "Light") != (fact == acts) {
					t.Fatalf("review %d in tier %s", newest.Ordinal, newest.Requirements.Tier)
				}
				if i == len(c.facts)-1 {
					break
				}
				if fact == answers {
					report := qualityReport(w, newest, newest.Subject.Evaluation.Digest)
					report.Name = fmt.Sprintf("quality-report-%d", i)
					object, err := report.Object()
					w.must(err)
					w.must(w.client.Create(t.Context(), object))
				}
				w.concludes(newest.Prototype.Review(newest.Ordinal), v1alpha1.OutcomePromoted)
				if newest.Ordinal == c.lost {
					var written appsv1.ControllerRevision
					w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: newest.Name()}, &written))
					written.Data.Raw = []byte("{}")
					w.must(w.client.Update(t.Context(), &written))
					c.want.Review = newest.Name()
				}
			}
			got := w.records().Newest.Baselines["answers"]
			if len(got.Answers) != c.answers {
				t.Errorf("%d answers", len(got.Answers))
			}
			got.Answers = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// qualityReport is what a runner left that was asked about a record, and found everything right.
func qualityReport(w *world, rec record.Record, digest string) *record.Report {
	raw, err := rec.EvaluationSet()
	w.must(err)
	set, err := examples.Read(raw)
	w.must(err)
	result := &evidence.QualityResult{Digest: digest}
	for _, e := range set.Examples {
		result.Cases = append(result.Cases, evidence.CaseResult{ID: e.ID, Answers: []evidence.CaseAnswer{{Outcome: evidence.CaseRight}}})
	}
	const nonce = "0123456789abcdef"
	line, _, err := evidence.Seal(evidence.Report{Nonce: nonce, Subject: rec.ReviewDigest, StartedAt: w.clock.Now(), FinishedAt: w.clock.Now(), Result: result})
	w.must(err)
	return &record.Report{
		Prototype: rec.Prototype, Gate: assess.ReportOf("answers"), Ordinal: rec.Ordinal, Attempt: 1, Name: "quality-report",
		Inputs: rec.ReviewDigest, Nonce: nonce, MeasuredAt: w.clock.Now(),
		Body: slices.Clone(line[len(evidence.ReportPrefix) : len(line)-1]),
	}
}
