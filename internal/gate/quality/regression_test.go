package quality

import (
	"fmt"
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// baseline is how an earlier revision answered.
func baseline(s examples.Set, parts ...times) *record.Baseline {
	return &record.Baseline{Review: "advisor-1", Answers: answers(s, answered(s, parts...))}
}

// against is an evaluation of 200 examples, all but the given right, with another in production.
func against(t *testing.T, now []times, production *record.Baseline) Evidence {
	e := evaluation(t, 200, now...)
	e.Settings.NonRegression, e.Production = true, production
	return e
}

func TestAgainstProduction(t *testing.T) {
	set := table(t, 200, nil)
	before := func(parts ...times) *record.Baseline { return baseline(set, parts...) }
	perfect := before(of(200, right))
	for name, c := range map[string]struct {
		now        []times
		production *record.Baseline
		state      gate.State
		reason     string
		says       string
	}{
		"nothing serves": {[]times{of(200, right)}, nil, gate.Passed, v1alpha1.ReasonAnswersRight, "200 of 200"},
		"as good":        {[]times{of(200, right)}, perfect, gate.Passed, v1alpha1.ReasonAnswersRight, "of 200 examples that advisor-1 was asked too, 0 became wrong and 0 became right"},
		"four worse":     {[]times{of(4, wrong), of(196, right)}, perfect, gate.Passed, v1alpha1.ReasonAnswersRight, "4 became wrong"},
		"five worse":     {[]times{of(5, wrong), of(195, right)}, perfect, gate.Failed, v1alpha1.ReasonRegressed, "5 became wrong and 0 became right: by chance that happens 3.13 times in 100"},
		"five worse, five better": {[]times{of(5, wrong), of(195, right)}, before(of(195, right), of(5, wrong)), gate.Passed,
			v1alpha1.ReasonAnswersRight, "5 became wrong and 5 became right"},
		"better":               {[]times{of(200, right)}, before(of(180, right), of(20, wrong)), gate.Passed, v1alpha1.ReasonAnswersRight, "20 became right"},
		"no answer is worse":   {[]times{of(5, broken), of(195, right)}, perfect, gate.Failed, v1alpha1.ReasonRegressed, "5 became wrong"},
		"a few lost":           {[]times{of(4, lost), of(196, right)}, perfect, gate.Passed, v1alpha1.ReasonAnswersRight, "of 196 examples that advisor-1 was asked too, 0 became wrong and 0 became right (4 more could not be asked or judged then or now)"},
		"lost":                 {[]times{of(5, lost), of(195, right)}, perfect, gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "(5 more could not be asked or judged then or now); if all of these became wrong, the answers are worse: line-2, line-3, line-4, line-5, line-6"},
		"turned away":          {[]times{of(10, throttle), of(190, right)}, perfect, gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "of 190 examples"},
		"lost beside wrong":    {[]times{of(3, wrong), of(2, lost), of(195, right)}, perfect, gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "3 became wrong"},
		"lost, others better":  {[]times{of(5, lost), of(195, right)}, before(of(195, right), of(5, wrong)), gate.Passed, v1alpha1.ReasonAnswersRight, "5 became right"},
		"lost, and was wrong":  {[]times{of(9, lost), of(191, right)}, before(of(9, wrong), of(191, right)), gate.Passed, v1alpha1.ReasonAnswersRight, "of 191 examples"},
		"lost in production":   {[]times{of(5, wrong), of(195, right)}, before(of(5, lost), of(195, right)), gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "of 195 examples"},
		"lost then, right now": {[]times{of(200, right)}, before(of(9, lost), of(191, right)), gate.Passed, v1alpha1.ReasonAnswersRight, "of 191 examples"},
		"lost both times":      {[]times{of(9, lost), of(191, right)}, before(of(9, lost), of(191, right)), gate.Passed, v1alpha1.ReasonAnswersRight, "(9 more could not be asked"},
		"worse anyhow":         {[]times{of(5, wrong), of(9, lost), of(186, right)}, perfect, gate.Failed, v1alpha1.ReasonRegressed, "5 became wrong"},
		"production's is lost": {[]times{of(200, right)}, &record.Baseline{Review: "advisor-1", Lost: "its report can't be verified"}, gate.Inconclusive, v1alpha1.ReasonNothingToCompare, "advisor-1, which was promoted last, can't be used"},
		"an older one's is":    {[]times{of(200, right)}, &record.Baseline{Review: "advisor-1", Lost: "its record can't be read", Older: true}, gate.Inconclusive, v1alpha1.ReasonNothingToCompare, "advisor-1, which was the last to be promoted under this gate, can't be used"},
		"wrong anyhow":         {[]times{of(100, wrong), of(100, right)}, before(of(100, wrong), of(100, right)), gate.Failed, v1alpha1.ReasonTooManyWrong, "0 became wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, Judge(against(t, c.now, c.production)), c.state, c.reason, c.says)
		})
	}
}

// Nothing passes that would fail if what was lost were wrong, and nothing is undecided that could not fail by it.
func TestLostAnswersHideNoRegression(t *testing.T) {
	set := table(t, 200, nil)
	for worse := range 6 {
		for better := range 4 {
			for unknown := range 10 {
				for _, open := range []evidence.CaseAnswer{lost, throttle} {
					production := baseline(set, of(better, wrong), of(200-better, right))
					judge := func(what evidence.CaseAnswer) gate.Verdict {
						e := against(t, []times{of(better, right), of(worse, wrong), of(unknown, what), of(200-better-worse-unknown, right)}, production)
						e.Settings.Ratio = 0.5
						return Judge(e)
					}
					want := judge(wrong).State
					if want == gate.Failed && judge(right).State != gate.Failed {
						want = gate.Inconclusive
					}
					if v := judge(open); v.State != want {
						t.Errorf("%d worse, %d better, %d %s: %s, want %s", worse, better, unknown, open.Failure, v.State, want)
					}
				}
			}
		}
	}
}

// Who can have them answered is told: whoever runs the platform, who turned questions away, or who answers them wrongly.
func TestWhoDecidesTheComparison(t *testing.T) {
	set := table(t, 200, nil)
	for name, c := range map[string]struct {
		now, was []times
		owner    v1alpha1.Owner
		hint     string
	}{
		"lost":               {[]times{of(5, lost), of(195, right)}, []times{of(200, right)}, v1alpha1.OwnerIT, "the run's pod"},
		"turned away":        {[]times{of(5, throttle), of(195, right)}, []times{of(200, right)}, v1alpha1.OwnerBusiness, "asked too often"},
		"lost in production": {[]times{of(5, wrong), of(195, right)}, []times{of(5, lost), of(195, right)}, v1alpha1.OwnerBusiness, "they are wrong now"},
		"and others now":     {[]times{of(5, wrong), of(3, lost), of(192, right)}, []times{of(5, lost), of(3, wrong), of(192, right)}, v1alpha1.OwnerBusiness, "they are wrong now"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(against(t, c.now, baseline(set, c.was...)))
			if len(v.Findings) != 1 || v.Findings[0].Owner != c.owner || !strings.Contains(v.Findings[0].Hint, c.hint) {
				t.Errorf("findings %+v", v.Findings)
			}
		})
	}
}

func TestNonRegressionIsAsked(t *testing.T) {
	set := table(t, 200, nil)
	e := against(t, []times{of(9, wrong), of(191, right)}, baseline(set, of(200, right)))
	want(t, Judge(e), gate.Failed, v1alpha1.ReasonRegressed)
	e.Settings.NonRegression = false
	want(t, Judge(e), gate.Passed, v1alpha1.ReasonAnswersRight)
}

// The pairs are the same questions with the same expectations, wherever they stand in the set.
func TestPairsAreTheSameQuestions(t *testing.T) {
	set := func(text string) examples.Set {
		s, err := examples.Read([]byte("question,expected\n" + text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var lines []string
	for i := range 60 {
		lines = append(lines, "q"+strings.Repeat("x", i)+",yes")
	}
	old := set(strings.Join(lines, "\n"))
	moved := set("new,yes\n" + strings.Join(lines, "\n"))
	expectation := set(strings.ReplaceAll(strings.Join(lines, "\n"), "yes", "no"))
	easier := set(strings.Join(lines[:20], "\n") + "\na,yes\nb,yes\n" + strings.ReplaceAll(strings.Join(lines[20:], "\n"), "q", "r"))
	judge := func(s examples.Set, parts ...times) gate.Verdict {
		e := Evidence{Settings: settings(50, 0.9), Set: s, Result: answered(s, parts...), At: at,
			Production: baseline(old, of(60, right))}
		e.Settings.NonRegression, e.Settings.Ratio = true, 0.5
		return Judge(e)
	}
	want(t, judge(moved, of(1, right), of(6, wrong), of(54, right)), gate.Failed, v1alpha1.ReasonRegressed, "of 60 examples", "6 became wrong")
	// What is new in the set is nothing that is not known.
	want(t, judge(moved, of(61, right)), gate.Passed, v1alpha1.ReasonAnswersRight, "of 60 examples that advisor-1 was asked too, 0 became wrong and 0 became right")
	if v := judge(moved, of(61, right)); strings.Contains(v.Message, "could not be asked") {
		t.Error(v.Message)
	}
	want(t, judge(expectation, of(60, right)), gate.Inconclusive, v1alpha1.ReasonNothingToCompare, "of the 60 examples of advisor-1, which was promoted last, 60 are in the set no more, and 0 can be compared")
	// A set that was made easier is not the set that production passed.
	want(t, judge(easier, of(62, right)), gate.Inconclusive, v1alpha1.ReasonNothingToCompare, "40 are in the set no more, and 20 can be compared")
}

// Replacing just those examples that became worse is seen by whoever approves, and compares nothing where they are many.
func TestReplacedExamples(t *testing.T) {
	old := baseline(table(t, 100, nil), of(100, right))
	judge := func(gone int) gate.Verdict {
		set := table(t, 100+gone, nil)
		set.Examples = set.Examples[gone:]
		e := Evidence{Settings: settings(100, 0.9), Set: set, Result: answered(set, of(100, right)), At: at, Production: old}
		e.Settings.NonRegression = true
		return Judge(e)
	}
	for gone, state := range map[int]gate.State{1: gate.Passed, 20: gate.Passed, 21: gate.Inconclusive, 45: gate.Inconclusive, 50: gate.Inconclusive, 100: gate.Inconclusive} {
		v := judge(gone)
		if state == gate.Inconclusive {
			want(t, v, state, v1alpha1.ReasonNothingToCompare, fmt.Sprintf("%d are in the set no more, and %d can be compared; at most one in 5", gone, 100-gone))
			continue
		}
		says := fmt.Sprintf("%d of the 100 examples of advisor-1 are gone from the set or expect something else now", gone)
		want(t, v, state, v1alpha1.ReasonAnswersRight, says)
		if len(v.Findings) != 1 || v.Findings[0].Reason != v1alpha1.ReasonExamplesReplaced || v.Findings[0].Owner != v1alpha1.OwnerIT || !strings.HasPrefix(v.Findings[0].Message, says) {
			t.Errorf("findings %+v", v.Findings)
		}
	}
	if v := judge(0); len(v.Findings) != 0 {
		t.Errorf("findings %+v", v.Findings)
	}
}

// Who is asked more often has more chances to be wrong: both are compared by as many answers.
func TestPairsOfUnequalRepeats(t *testing.T) {
	set := table(t, 200, nil)
	e := Evidence{Settings: settings(100, 0.9), Set: set, Result: answered(set, of(10, right, wrong), of(190, right, right)), At: at,
		Production: baseline(set, of(200, right))}
	e.Settings.Repeats, e.Settings.NonRegression = 2, true
	want(t, Judge(e), gate.Passed, v1alpha1.ReasonAnswersRight, "0 became wrong")
}

// Evaluations that bring their own examples are paired by id.
func TestPairsByID(t *testing.T) {
	own := func(parts ...times) evidence.QualityResult {
		r := answered(table(t, 200, nil), parts...)
		r.Digest = evidence.Digest([]byte("results"))
		return r
	}
	e := Evidence{Settings: settings(100, 0.9), Result: own(of(6, wrong), of(194, right)), At: at,
		Production: &record.Baseline{Review: "advisor-1", Answers: answers(examples.Set{}, own(of(200, right)))}}
	e.Settings.NonRegression = true
	want(t, Judge(e), gate.Failed, v1alpha1.ReasonRegressed, "6 became wrong")
	e.Production = baseline(table(t, 200, nil), of(200, right))
	want(t, Judge(e), gate.Inconclusive, v1alpha1.ReasonNothingToCompare)
}

func TestMarkdown(t *testing.T) {
	set := table(t, 200, map[string]int{"fees": 20})
	e := Evidence{Settings: settings(100, 0.9), Set: set, Result: answered(set, of(2, wrong), of(1, broken), of(197, right)), At: at,
		Production: baseline(set, of(200, right))}
	e.Settings.Floors = []Floor{{Slice: "fees", Bound: Bound{Ratio: 0.6, Minimum: 10}}}
	e.Settings.NonRegression = true
	e.Result.Models = []evidence.ModelSeen{{Name: "a`b", Fingerprint: "fp", Answers: 3}}
	got := Markdown(e)
	for _, line := range []string{
		"| all | 200 | 197 | 96.3 | 90 | 187 of 200 |", "| slice fees | 20 | 17 | 67.8 | 60 | 16 of 20 |",
		"3 became wrong and 0 became right", "`a'b`", "**2 not what is expected:** line-2, line-3", "**1 a server error (5xx):** line-4",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	if strings.Contains(got, "question") || strings.Contains(got, "answer 1") {
		t.Errorf("a question or an answer is quoted:\n%s", got)
	}
}
