package quality

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
	"github.com/affineur/affineur/internal/record"
)

// looked is an evaluation of 200 examples after others of the same review. Only the comparison counts: half of the answers do.
func looked(t testing.TB, production *record.Baseline, all ...evidence.QualityResult) Evidence {
	set := table(t, 200, nil)
	last := len(all) - 1
	e := Evidence{Settings: settings(100, 0.5).after(stats.Look(last)), Set: set, Result: all[last], At: at, Earlier: all[:last], Production: production}
	e.Settings.NonRegression = true
	return e
}

// Asked as often as one likes, what is no worse does not become so, and what is worse does not get through.
func TestAskingOften(t *testing.T) {
	set := table(t, 200, nil)
	perfect := baseline(set, of(200, right))
	const most = 24
	for name, c := range map[string]struct {
		production *record.Baseline
		each       []times
		state      gate.State
	}{
		"nothing changed":          {perfect, []times{of(200, right)}, gate.Passed},
		"nothing changed, nor was": {baseline(set, of(20, wrong), of(180, right)), []times{of(20, wrong), of(180, right)}, gate.Passed},
		"one is worse each time":   {perfect, []times{of(1, wrong), of(199, right)}, gate.Passed},
		"four are":                 {perfect, []times{of(4, wrong), of(196, right)}, gate.Passed},
		"five are":                 {perfect, []times{of(5, wrong), of(195, right)}, gate.Failed},
		"six are, and one better":  {baseline(set, of(1, wrong), of(199, right)), []times{of(1, right), of(6, wrong), of(193, right)}, gate.Passed},
		"some are always lost":     {perfect, []times{of(9, lost), of(191, right)}, gate.Inconclusive},
		"a few are always lost":    {perfect, []times{of(4, lost), of(196, right)}, gate.Passed},
	} {
		t.Run(name, func(t *testing.T) {
			var all []evidence.QualityResult
			for range most {
				all = append(all, answered(set, c.each...))
				v := Judge(looked(t, c.production, all...))
				if v.State != c.state {
					t.Fatalf("asked %d times: %s %s: %s", len(all), v.State, v.Reason, v.Message)
				}
			}
		})
	}
}

func TestEveryLookCounts(t *testing.T) {
	set := table(t, 200, nil)
	perfect := baseline(set, of(200, right))
	clean, five, ten := answered(set, of(200, right)), answered(set, of(5, wrong), of(195, right)), answered(set, of(10, wrong), of(190, right))
	others := answered(set, of(5, right), of(5, wrong), of(190, right))
	one := answered(set, of(1, wrong), of(199, right))
	for name, c := range map[string]struct {
		all   []evidence.QualityResult
		state gate.State
		says  string
	}{
		"once by chance, then not":     {[]evidence.QualityResult{five, clean}, gate.Passed, "0 became wrong"},
		"plainly, then luckier":        {[]evidence.QualityResult{ten, five}, gate.Failed, "asked 2 times in this review, 10 were wrong more often than then and 0 less often"},
		"plainly, then not":            {[]evidence.QualityResult{ten, clean}, gate.Failed, "asked 2 times in this review, 10 were wrong more often"},
		"others each time":             {[]evidence.QualityResult{five, others, five, others}, gate.Failed, "10 were wrong more often"},
		"not at first, then plainly":   {[]evidence.QualityResult{clean, clean, clean, clean, ten}, gate.Failed, "of 200 examples that advisor-1 was asked too, 10 became wrong and 0 became right: by chance that happens 0.1 times in 100"},
		"few, each time the same ones": {[]evidence.QualityResult{one, one, one, five}, gate.Passed, "5 became wrong"},
		"wrong, then others lost":      {[]evidence.QualityResult{five, answered(set, of(5, right), of(5, lost), of(190, right))}, gate.Inconclusive, "(5 more could not be asked or judged then or now)"},
		"lost, then heard":             {[]evidence.QualityResult{answered(set, of(10, lost), of(190, right)), clean}, gate.Passed, "of 200 examples that advisor-1 was asked too, 0 became wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(looked(t, perfect, c.all...))
			switch c.state {
			case gate.Inconclusive:
				want(t, v, c.state, v1alpha1.ReasonExamplesNotAsked, c.says)
			case gate.Failed:
				want(t, v, c.state, v1alpha1.ReasonRegressed, c.says)
				if !strings.Contains(v.Findings[0].Message, "times in 100: line-2, line-3,") {
					t.Errorf("the finding does not name them: %s", v.Findings[0].Message)
				}
			default:
				want(t, v, c.state, v1alpha1.ReasonAnswersRight, c.says)
			}
		})
	}
}

// What the frame hands over of earlier attempts is what is counted.
func TestEarlierAttemptsAreCounted(t *testing.T) {
	c := caseOfSet(t, text(50))
	c.Gate.Quality.PassRateLowerBound = "0.50"
	c.Record.Baselines = promoted(c, took(t, c, all50(t, right, right)), c.Gate)
	eight, four := all50(t, right, right), all50(t, right, right)
	for i := range 8 {
		eight.Cases[i].Answers = []evidence.CaseAnswer{wrong, wrong}
		four.Cases[i].Answers = eight.Cases[i].Answers
		if i >= 4 {
			four.Cases[i].Answers = []evidence.CaseAnswer{right, right}
		}
	}
	want(t, Instrument{}.Judge(c, took(t, c, four)), gate.Passed, v1alpha1.ReasonAnswersRight, "4 became wrong")
	c.Earlier = []gate.Taken{took(t, c, eight), {}}
	want(t, Instrument{}.Judge(c, took(t, c, four)), gate.Failed, v1alpha1.ReasonRegressed, "asked 2 times in this review, 8 were wrong more often")
	its := importing(t, v1alpha1.ImportPromptfoo)
	its.Gate.Quality.PassRateLowerBound = "0.50"
	its.Record.Baselines = promoted(its, tookOver(its, brought(t, of(50, right))), its.Gate)
	its.Earlier = []gate.Taken{tookOver(its, brought(t, of(8, wrong), of(42, right)))}
	want(t, Instrument{}.Judge(its, tookOver(its, brought(t, of(4, wrong), of(46, right)))), gate.Failed, v1alpha1.ReasonRegressed, "asked 2 times in this review")
}

// How often chance decides, over many reviews that are asked anew until they pass: of a revision that is as production, and
// of one that is not.
func TestChanceOfAskingAgain(t *testing.T) {
	const reviews, most = 200, 6
	r := rand.New(rand.NewPCG(1, 2))
	set := table(t, 200, nil)
	// draw answers 40 questions rightly with the given probability, and all others always.
	draw := func(p float64) evidence.QualityResult {
		parts := make([]times, 0, 41)
		for range 40 {
			answer := right
			if r.Float64() >= p {
				answer = wrong
			}
			parts = append(parts, of(1, answer))
		}
		return answered(set, append(parts, of(160, right))...)
	}
	for _, c := range []struct {
		was, is     float64
		first, ever [2]int
	}{
		// As good: at the first look at most 5 of 100 fail, and whoever asks again is through.
		{0.9, 0.9, [2]int{190, 200}, [2]int{196, 200}},
		{0.7, 0.7, [2]int{190, 200}, [2]int{196, 200}},
		// Worse: asking six times gets hardly more through than asking once.
		{0.9, 0.6, [2]int{0, 40}, [2]int{0, 50}},
		{1, 0.75, [2]int{0, 10}, [2]int{0, 10}},
	} {
		first, ever := 0, 0
		for range reviews {
			production := &record.Baseline{Review: "advisor-1", Answers: answers(set, draw(c.was))}
			var all []evidence.QualityResult
			for len(all) < most {
				all = append(all, draw(c.is))
				if Judge(looked(t, production, all...)).State == gate.Passed {
					ever++
					if len(all) == 1 {
						first++
					}
					break
				}
			}
		}
		t.Logf("right with %v, now with %v: %d of %d pass at the first look, %d ever", c.was, c.is, first, reviews, ever)
		if first < c.first[0] || first > c.first[1] || ever < c.ever[0] || ever > c.ever[1] {
			t.Errorf("right with %v, now with %v: %d of %d pass at the first look, %d ever", c.was, c.is, first, reviews, ever)
		}
	}
}
