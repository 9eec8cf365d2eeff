package quality

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// table is a set of n examples; the first of each slice's share carry its name.
func table(t testing.TB, n int, of map[string]int) examples.Set {
	t.Helper()
	var b strings.Builder
	b.WriteString("question,expected,slice\n")
	line := 0
	for _, slice := range []string{"dates", "fees"} {
		for range of[slice] {
			fmt.Fprintf(&b, "question %d,answer %d,%s\n", line, line, slice)
			line++
		}
	}
	for ; line < n; line++ {
		fmt.Fprintf(&b, "question %d,answer %d,\n", line, line)
	}
	s, err := examples.Read([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	right    = evidence.CaseAnswer{Outcome: evidence.CaseRight, Took: 100}
	wrong    = evidence.CaseAnswer{Outcome: evidence.CaseWrong, Kind: "equals", Took: 100}
	broken   = evidence.CaseAnswer{Outcome: evidence.CaseUnanswered, Failure: evidence.AskServerError}
	unheard  = evidence.CaseAnswer{Outcome: evidence.CaseUnanswered, Failure: evidence.AskConnect}
	throttle = evidence.CaseAnswer{Outcome: evidence.CaseUnanswered, Failure: evidence.AskThrottled}
	lost     = evidence.CaseAnswer{Outcome: evidence.CaseLost, Failure: evidence.AskStopped}
	gaveUp   = evidence.CaseAnswer{Outcome: evidence.CaseLost, Failure: evidence.AskGivenUp}
)

// times is so many examples with the same answers.
type times struct {
	n       int
	answers []evidence.CaseAnswer
}

func of(n int, answers ...evidence.CaseAnswer) times { return times{n, answers} }

// answered is the result of asking a set: its first examples got the first answers, and so on.
func answered(s examples.Set, parts ...times) evidence.QualityResult {
	r := evidence.QualityResult{Digest: s.Digest}
	for _, p := range parts {
		for range p.n {
			r.Cases = append(r.Cases, evidence.CaseResult{ID: s.Examples[len(r.Cases)].ID, Answers: p.answers})
		}
	}
	return r
}

func settings(minimum int64, ratio float64) Settings {
	return Settings{Bound: Bound{Ratio: ratio, Minimum: minimum}, Repeats: 1}
}

func evaluation(t testing.TB, n int, parts ...times) Evidence {
	set := table(t, n, nil)
	return Evidence{Settings: settings(100, 0.9), Set: set, Result: answered(set, parts...), At: at}
}

func want(t *testing.T, v gate.Verdict, state gate.State, reason string, says ...string) {
	t.Helper()
	if v.State != state || v.Reason != reason {
		t.Errorf("got %s %s: %s\nwant %s %s", v.State, v.Reason, v.Message, state, reason)
	}
	for _, text := range says {
		if !strings.Contains(v.Message, text) {
			t.Errorf("%q does not say %q", v.Message, text)
		}
	}
	if v.State != gate.Passed && v.Reason != v1alpha1.ReasonEvidenceUnverifiable && len(v.Findings) == 0 {
		t.Error("nobody is told what to do")
	}
	for _, f := range v.Findings {
		if f.Owner == "" || f.Hint == "" || f.Message == "" || f.Reason == "" {
			t.Errorf("half a finding: %+v", f)
		}
	}
}

func TestWhatMustNotPass(t *testing.T) {
	for name, c := range map[string]struct {
		evidence Evidence
		state    gate.State
		reason   string
		says     string
	}{
		"24 examples, all right": {evaluation(t, 24, of(24, right)), gate.Inconclusive, v1alpha1.ReasonTooFewExamples,
			"24 examples; 76 more needed; then at least 95 of 100 must be right (24 of 24 are)"},
		"24 examples, 18 right": {evaluation(t, 24, of(18, right), of(6, wrong)), gate.Failed, v1alpha1.ReasonTooManyWrong, "18 of 24 examples are right; 90 of 100 answers must be"},
		"60 examples, which would show it": {evaluation(t, 60, of(60, right)), gate.Inconclusive, v1alpha1.ReasonTooFewExamples,
			"60 examples; 40 more needed; then at least 95 of 100 must be right (60 of 60 are)"},
		"one example":          {evaluation(t, 1, of(1, right)), gate.Inconclusive, v1alpha1.ReasonTooFewExamples, "1 example; 99 more needed"},
		"wrong":                {evaluation(t, 100, of(60, right), of(40, wrong)), gate.Failed, v1alpha1.ReasonTooManyWrong, "60 of 100"},
		"just below":           {evaluation(t, 100, of(89, right), of(11, wrong)), gate.Failed, v1alpha1.ReasonTooManyWrong, "89 of 100"},
		"just at it":           {evaluation(t, 100, of(90, right), of(10, wrong)), gate.Inconclusive, v1alpha1.ReasonTooCloseToTell, "90 of 100 examples are right; to be sure of 90 in 100 answers, at least 95 of 100 must be"},
		"just not shown":       {evaluation(t, 100, of(94, right), of(6, wrong)), gate.Inconclusive, v1alpha1.ReasonTooCloseToTell, "or as large a share of about 176"},
		"half without answers": {evaluation(t, 100, of(50, right), of(50, broken)), gate.Failed, v1alpha1.ReasonTooManyWrong, "50 of 100"},
		"only errors":          {evaluation(t, 100, of(100, broken)), gate.Failed, v1alpha1.ReasonTooManyWrong, "0 of 100"},
		"never heard":          {evaluation(t, 100, of(100, unheard)), gate.Inconclusive, v1alpha1.ReasonNotAnswered, "not one of 100 questions was answered: 100 no connection"},
		"given up": {evaluation(t, 100, of(8, unheard), of(92, gaveUp)), gate.Inconclusive, v1alpha1.ReasonNotAnswered,
			"not one of 100 questions was answered: 92 not asked any more, 8 no connection"},
		"given up after errors": {evaluation(t, 100, of(8, broken), of(92, gaveUp)), gate.Inconclusive, v1alpha1.ReasonNotAnswered, "8 a server error"},
		"given up, it says":     {evaluation(t, 100, of(97, right), of(3, gaveUp)), gate.Passed, v1alpha1.ReasonAnswersRight, "97 of 100"},
		"given up too early":    {evaluation(t, 100, of(94, right), of(6, gaveUp)), gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "6 could not be asked"},
		"lost would decide":     {evaluation(t, 100, of(94, right), of(6, lost)), gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "94 of 100 examples are right, and 6 could not be asked"},
		"all lost":              {evaluation(t, 100, of(100, lost)), gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "100 could not be asked"},
		"lost can't save it":    {evaluation(t, 100, of(50, right), of(40, wrong), of(10, lost)), gate.Failed, v1alpha1.ReasonTooManyWrong, "even with the 10 that could not be asked 60"},
		"asked too often":       {evaluation(t, 100, of(50, right), of(50, throttle)), gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "50 could not be asked"},
	} {
		t.Run(name, func(t *testing.T) { want(t, Judge(c.evidence), c.state, c.reason, c.says) })
	}
}

// What was not shown has to be shown more surely the next time; the set itself is the same, and as large as it was.
func TestAskingAgain(t *testing.T) {
	again := func(n int, parts ...times) Evidence {
		e := evaluation(t, n, parts...)
		e.Settings = e.Settings.after(1)
		return e
	}
	want(t, Judge(again(100, of(95, right), of(5, wrong))), gate.Inconclusive, v1alpha1.ReasonTooCloseToTell,
		"95 of 100 examples are right; to be sure of 90 in 100 answers, at least 97 of 100 must be: more than at first")
	want(t, Judge(again(100, of(97, right), of(3, wrong))), gate.Passed, v1alpha1.ReasonAnswersRight, "with 98.7 % confidence at least 90.3 of 100 answers are")
	want(t, Judge(again(100, of(89, right), of(11, wrong))), gate.Failed, v1alpha1.ReasonTooManyWrong, "89 of 100")
}

func TestWhatPasses(t *testing.T) {
	for name, c := range map[string]struct {
		evidence Evidence
		says     string
	}{
		"all right":           {evaluation(t, 100, of(100, right)), "100 of 100 examples are right: with 95 % confidence at least 97.3 of 100 answers are, 90 are asked for"},
		"just enough":         {evaluation(t, 100, of(95, right), of(5, wrong)), "95 of 100"},
		"lost is not decided": {evaluation(t, 100, of(95, right), of(5, lost)), "95 of 100"},
		"more than needed":    {evaluation(t, 1000, of(920, right), of(80, wrong)), "at least 90.4 of 100"},
	} {
		t.Run(name, func(t *testing.T) {
			v := Judge(c.evidence)
			want(t, v, gate.Passed, v1alpha1.ReasonAnswersRight, c.says)
			if !v.MeasuredAt.Equal(at) {
				t.Errorf("measured at %v", v.MeasuredAt)
			}
		})
	}
}

func TestResultsOfSomethingElse(t *testing.T) {
	for name, change := range map[string]func(*Evidence){
		"nothing":            func(e *Evidence) { e.Result = evidence.QualityResult{} },
		"another set":        func(e *Evidence) { e.Result.Digest = evidence.Digest([]byte("x")) },
		"hard ones left out": func(e *Evidence) { e.Result.Cases = e.Result.Cases[:99] },
		"one more": func(e *Evidence) {
			e.Result.Cases = append(e.Result.Cases, evidence.CaseResult{ID: "x", Answers: []evidence.CaseAnswer{right}})
		},
		"another id":            func(e *Evidence) { e.Result.Cases[5].ID = "x" },
		"another order":         func(e *Evidence) { c := e.Result.Cases; c[0], c[1] = c[1], c[0] },
		"a slice of its own":    func(e *Evidence) { e.Result.Cases[5].Slice = "fees" },
		"asked twice":           func(e *Evidence) { e.Result.Cases[5].Answers = []evidence.CaseAnswer{right, right} },
		"repeats that were not": func(e *Evidence) { e.Settings.Repeats = 3 },
		"silence as right":      func(e *Evidence) { e.Result.Cases[5].Answers = []evidence.CaseAnswer{{}} },
	} {
		t.Run(name, func(t *testing.T) {
			e := evaluation(t, 100, of(100, right))
			change(&e)
			want(t, Judge(e), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable)
			if Markdown(e) != "" {
				t.Error("it is summed up")
			}
		})
	}
}

func TestPoliciesThatNothingCanShow(t *testing.T) {
	for name, change := range map[string]func(*Settings){
		"all must be right":     func(s *Settings) { s.Ratio = 1 },
		"none must be":          func(s *Settings) { s.Ratio = 0 },
		"no number":             func(s *Settings) { s.Ratio = math.NaN() },
		"more than a set holds": func(s *Settings) { s.Minimum = 2001 },
		"shown by too many":     func(s *Settings) { s.Ratio = 0.999 },
		"no minimum":            func(s *Settings) { s.Minimum = 0 },
		"never asked":           func(s *Settings) { s.Repeats = 0 },
		"a floor of all":        func(s *Settings) { s.Floors = []Floor{{Slice: "fees", Bound: Bound{Ratio: 1, Minimum: 1}}} },
	} {
		t.Run(name, func(t *testing.T) {
			e := evaluation(t, 100, of(100, right))
			change(&e.Settings)
			want(t, Judge(e), gate.Inconclusive, v1alpha1.ReasonRequirementInvalid)
		})
	}
}

func TestRepeats(t *testing.T) {
	judge := func(parts ...times) gate.Verdict {
		e := evaluation(t, 100, parts...)
		e.Settings.Repeats = 3
		return Judge(e)
	}
	want(t, judge(of(100, right, right, right)), gate.Passed, v1alpha1.ReasonAnswersRight)
	want(t, judge(of(95, right, right, right), of(5, right, right, wrong)), gate.Passed, v1alpha1.ReasonAnswersRight, "5 were right one time and wrong another")
	// A coin is right half of the time.
	v := judge(of(80, right, right, right), of(20, wrong, right, right))
	want(t, v, gate.Failed, v1alpha1.ReasonAnswersVary, "80 of 100 examples are right")
	if !strings.Contains(v.Findings[0].Message, "20 of 100 examples are right one time and wrong another") {
		t.Errorf("got %q", v.Findings[0].Message)
	}
	want(t, judge(of(50, right, right, right), of(10, wrong, right, right), of(40, wrong, wrong, wrong)), gate.Failed, v1alpha1.ReasonTooManyWrong)
	want(t, judge(of(94, right, right, right), of(6, right, right, lost)), gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked)
	want(t, judge(of(80, right, right, right), of(20, lost, wrong, lost)), gate.Failed, v1alpha1.ReasonTooManyWrong)
	for _, c := range [][3]int{{0, 3, 1}, {100, 3, 3}, {2000, 3, 2}, {1500, 10, 2}, {2000, 1, 1}} {
		if got := Repeats(c[0], c[1]); got != c[2] {
			t.Errorf("%d examples are asked %d times, want %d", c[0], got, c[2])
		}
	}
}

func TestSlices(t *testing.T) {
	floors := func(f ...Floor) Settings {
		s := settings(100, 0.9)
		s.Floors = f
		return s
	}
	fees := Floor{Slice: "fees", Bound: Bound{Ratio: 0.8, Minimum: 20}}
	every := Floor{Slice: EverySlice, Bound: Bound{Ratio: 0.5, Minimum: 5}}
	set := table(t, 200, map[string]int{"dates": 10, "fees": 20})
	// Dates come first, then fees, then what has no slice.
	for name, c := range map[string]struct {
		settings Settings
		result   evidence.QualityResult
		state    gate.State
		reason   string
		says     string
	}{
		"no floor":         {floors(), answered(set, of(10, wrong), of(190, right)), gate.Passed, v1alpha1.ReasonAnswersRight, "190 of 200"},
		"a floor held":     {floors(fees), answered(set, of(10, wrong), of(190, right)), gate.Passed, v1alpha1.ReasonAnswersRight, "slice fees: 20 of 20"},
		"a floor missed":   {floors(fees), answered(set, of(20, right), of(10, wrong), of(170, right)), gate.Failed, v1alpha1.ReasonSliceTooWeak, "slice fees: 10 of 20 examples are right; 80 of 100"},
		"a floor for each": {floors(fees, every), answered(set, of(10, wrong), of(190, right)), gate.Failed, v1alpha1.ReasonSliceTooWeak, "slice dates: 0 of 10"},
		"a slice that is not there": {floors(Floor{Slice: "refusals", Bound: Bound{Ratio: 0.8, Minimum: 20}}), answered(set, of(200, right)),
			gate.Inconclusive, v1alpha1.ReasonTooFewExamples, "slice refusals: no examples; 20 more needed; then at least 19 of 20 must be right"},
		"a slice too small":              {floors(Floor{Slice: "dates", Bound: Bound{Ratio: 0.8, Minimum: 5}}), answered(set, of(200, right)), gate.Inconclusive, v1alpha1.ReasonTooFewExamples, "slice dates: 10 examples; 1 more needed; then all 11 must be right"},
		"a slice smaller than asked for": {floors(Floor{Slice: "fees", Bound: Bound{Ratio: 0.8, Minimum: 30}}), answered(set, of(200, right)), gate.Inconclusive, v1alpha1.ReasonTooFewExamples, "slice fees: 20 examples; 10 more needed"},
		"a slice lost":                   {floors(fees), answered(set, of(10, right), of(5, lost), of(185, right)), gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked, "slice fees"},
		"failed before lost":             {floors(fees), answered(set, of(10, right), of(5, lost), of(85, right), of(100, wrong)), gate.Failed, v1alpha1.ReasonTooManyWrong, "even with the 5 that could not be asked 100"},
		"each slice, all good":           {floors(every), answered(set, of(200, right)), gate.Passed, v1alpha1.ReasonAnswersRight, "slice dates: 10 of 10"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, Judge(Evidence{Settings: c.settings, Set: set, Result: c.result, At: at}), c.state, c.reason, c.says)
		})
	}
}

// Who leaves the slice of what is weak empty does not get out of a floor for each.
func TestExamplesOfNoSlice(t *testing.T) {
	some, none := table(t, 200, map[string]int{"dates": 100, "fees": 85}), table(t, 200, nil)
	for name, c := range map[string]struct {
		set    examples.Set
		ratio  float64
		state  gate.State
		reason string
		says   string
	}{
		"weak":             {some, 0.5, gate.Failed, v1alpha1.ReasonSliceTooWeak, "examples of no slice: 5 of 15 examples are right; 50 of 100"},
		"good enough":      {some, 0.1, gate.Passed, v1alpha1.ReasonAnswersRight, "examples of no slice: 5 of 15"},
		"all of them":      {none, 0.5, gate.Passed, v1alpha1.ReasonAnswersRight, "190 of 200"},
		"all, and too few": {none, 0.97, gate.Failed, v1alpha1.ReasonSliceTooWeak, "examples of no slice: 190 of 200"},
	} {
		t.Run(name, func(t *testing.T) {
			s := settings(100, 0.9)
			s.Floors = []Floor{{Slice: EverySlice, Bound: Bound{Ratio: c.ratio, Minimum: 5}}}
			v := Judge(Evidence{Settings: s, Set: c.set, Result: answered(c.set, of(190, right), of(10, wrong)), At: at})
			want(t, v, c.state, c.reason, c.says)
			if name == "all of them" && strings.Contains(v.Message, "no slice") {
				t.Errorf("the same is said twice: %s", v.Message)
			}
		})
	}
}

func TestFindingsSayWhatIsWrongAndWhere(t *testing.T) {
	v := Judge(evaluation(t, 100, of(70, right), of(20, wrong), of(10, broken)))
	if len(v.Findings) != 2 || v.Findings[0].Field != "spec.evaluation.examples" || v.Findings[1].Field != "spec.evaluation.call" {
		t.Fatalf("got %+v", v.Findings)
	}
	if got := v.Findings[0].Message; got != "20 of 100 examples are answered wrongly: 20 not what is expected (line-72, line-73, line-74, line-75, line-76, line-77, line-78, line-79 …)" {
		t.Errorf("got %q", got)
	}
	if got := v.Findings[1].Message; !strings.HasPrefix(got, "10 of 100 questions got no answer: 10 a server error (5xx) (line-92") {
		t.Errorf("got %q", got)
	}
}

// Every count of right, wrong and lost ones of a small set is judged against its meaning.
func TestEveryCount(t *testing.T) {
	for n := 1; n <= 40; n += 3 {
		for r := 0; r <= n; r++ {
			for l := 0; l <= n-r; l++ {
				e := evaluation(t, n, of(r, right), of(l, lost), of(n-r-l, wrong))
				e.Settings = settings(10, 0.8)
				worst, best := e, e
				worst.Result = answered(e.Set, of(r, right), of(n-r, wrong))
				best.Result = answered(e.Set, of(r+l, right), of(n-r-l, wrong))
				got := Judge(e)
				if got.State == gate.Passed && Judge(worst).State != gate.Passed {
					t.Fatalf("%d right, %d lost of %d passes because of what was lost", r, l, n)
				}
				if got.State == gate.Failed && Judge(best).State != gate.Failed {
					t.Fatalf("%d right, %d lost of %d fails because of what was lost", r, l, n)
				}
				if got.State == gate.Passed && (n < 10 || float64(r) < 0.8*float64(n)) {
					t.Fatalf("%d of %d passes", r, n)
				}
			}
		}
	}
}

// A runner that quotes what the policy does not allow is not believed.
func TestQuotesThatNobodyAllowed(t *testing.T) {
	e := evaluation(t, 200, of(200, right))
	e.Result.Shown = []evidence.ShownCase{{ID: e.Result.Cases[0].ID, Input: "a question", Answer: "an answer"}}
	want(t, Judge(e), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "quotes")
	if text := Markdown(e); strings.Contains(text, "a question") {
		t.Errorf("it says\n%s", text)
	}
	e.Content = evidence.ContentFull
	want(t, Judge(e), gate.Passed, v1alpha1.ReasonAnswersRight)
}
