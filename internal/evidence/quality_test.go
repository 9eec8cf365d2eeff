package evidence_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

func qualityResult() evidence.QualityResult {
	return evidence.QualityResult{Digest: subject, Cases: []evidence.CaseResult{
		{ID: "line-2", Answers: []evidence.CaseAnswer{{Outcome: evidence.CaseRight, Took: 5}, {Outcome: evidence.CaseWrong, Kind: "equals"}}, Differ: true},
		{ID: "line-3", Answers: []evidence.CaseAnswer{{Outcome: evidence.CaseUnanswered, Failure: evidence.AskTimeout}, {Outcome: evidence.CaseLost, Failure: evidence.AskStopped}}},
	}, Models: []evidence.ModelSeen{{Name: "m", Fingerprint: "f", Answers: 1}}}
}

func TestQualityResultsThatContradictThemselves(t *testing.T) {
	if err := qualityResult().Validate(); err != nil {
		t.Fatal(err)
	}
	answer := func(a evidence.CaseAnswer) func(*evidence.QualityResult) {
		return func(r *evidence.QualityResult) { r.Cases[0].Answers[0] = a }
	}
	for name, change := range map[string]func(*evidence.QualityResult){
		"no digest":             func(r *evidence.QualityResult) { r.Digest = "" },
		"no cases":              func(r *evidence.QualityResult) { r.Cases = nil },
		"an id twice":           func(r *evidence.QualityResult) { r.Cases[1].ID = r.Cases[0].ID },
		"an id of two lines":    func(r *evidence.QualityResult) { r.Cases[0].ID = "a\nb" },
		"no answers":            func(r *evidence.QualityResult) { r.Cases[0].Answers = nil },
		"differs from itself":   func(r *evidence.QualityResult) { r.Cases[0].Answers = r.Cases[0].Answers[:1] },
		"nothing said":          answer(evidence.CaseAnswer{}),
		"another outcome":       answer(evidence.CaseAnswer{Outcome: "Fine"}),
		"right, but failed":     answer(evidence.CaseAnswer{Outcome: evidence.CaseRight, Failure: evidence.AskTimeout}),
		"right, but wrong":      answer(evidence.CaseAnswer{Outcome: evidence.CaseRight, Kind: "equals"}),
		"wrong by nothing":      answer(evidence.CaseAnswer{Outcome: evidence.CaseWrong}),
		"wrong by words":        answer(evidence.CaseAnswer{Outcome: evidence.CaseWrong, Kind: "the answer was 42"}),
		"unanswered by nothing": answer(evidence.CaseAnswer{Outcome: evidence.CaseUnanswered}),
		"unanswered locally":    answer(evidence.CaseAnswer{Outcome: evidence.CaseUnanswered, Failure: evidence.AskAddress}),
		"lost by the prototype": answer(evidence.CaseAnswer{Outcome: evidence.CaseLost, Failure: evidence.AskServerError}),
		"an unknown failure":    answer(evidence.CaseAnswer{Outcome: evidence.CaseUnanswered, Failure: "Oops"}),
		"before it began":       answer(evidence.CaseAnswer{Outcome: evidence.CaseRight, Took: -1}),
		"a nameless model":      func(r *evidence.QualityResult) { r.Models[0] = evidence.ModelSeen{Answers: 1} },
		"a model in colours":    func(r *evidence.QualityResult) { r.Models[0].Name = "\x1b[31mm" },
		"a model of no answer":  func(r *evidence.QualityResult) { r.Models[0].Answers = 0 },
		"a model of too many":   func(r *evidence.QualityResult) { r.Models[0].Answers = 5 },
		"shows no case":         func(r *evidence.QualityResult) { r.Shown = []evidence.ShownCase{{ID: "line-9"}} },
		"shows a case twice":    func(r *evidence.QualityResult) { r.Shown = []evidence.ShownCase{{ID: "line-2"}, {ID: "line-2"}} },
		"shows a whole book": func(r *evidence.QualityResult) {
			r.Shown = []evidence.ShownCase{{ID: "line-2", Answer: strings.Repeat("x", evidence.MaxShownText+1)}}
		},
		"shows colours": func(r *evidence.QualityResult) { r.Shown = []evidence.ShownCase{{ID: "line-2", Input: "\x1b[31m"}} },
		"a model twice": func(r *evidence.QualityResult) { r.Models = append(r.Models, r.Models[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			r := qualityResult()
			change(&r)
			if r.Validate() == nil {
				t.Errorf("accepted: %+v", r)
			}
		})
	}
}

// The largest set with the longest ids, asked as often as it may be, must fit into a report.
func TestTheLargestEvaluationFits(t *testing.T) {
	r := evidence.QualityResult{Digest: subject}
	for i := range evidence.MaxExamples {
		c := evidence.CaseResult{ID: fmt.Sprintf("%s%05d", strings.Repeat("x", 58), i), Differ: true}
		for range evidence.MaxAsked / evidence.MaxExamples {
			c.Answers = append(c.Answers, evidence.CaseAnswer{Outcome: evidence.CaseUnanswered, Failure: evidence.AskNotAsDeclared, Took: evidence.MicrosOf(evidence.MaxTimeout)})
		}
		r.Cases = append(r.Cases, c)
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if room := evidence.MaxReportBytes - len(raw); room < 2<<10 {
		t.Errorf("%d bytes, that leaves %d for the rest of the report", len(raw), room)
	}
}
