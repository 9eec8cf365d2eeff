package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/quality"
)

// Put together at run time, so that scanners do not take this file for a leak.
var token = "ghp_" + "x7Kq2mZ9vLp4Rt8Wc1Yd" + "5Nf6Hj3Gb0QsTeUa"

// TestWhatReportsHold follows questions and answers on their whole way, under each of the policy's words.
func TestWhatReportsHold(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		answer := "no"
		switch {
		case strings.Contains(string(question), "token"):
			answer = "It is " + token + "."
		case strings.Contains(string(question), "whom"):
			answer = "Ask anna.muster\ufeff@firma-muster.ch | <b>now</b>\nplease"
		case strings.Contains(string(question), "right"):
			answer = "yes"
		}
		_, _ = io.WriteString(w, answer+" "+strings.Repeat("and so on ", 100))
	}))
	defer server.Close()
	set := "question,expected,check\nMay I ask whom?,yes,contains\nWhat is the token?,yes,contains\nIs it right?,yes,contains\nWrite to bert@firma-muster.ch,yes,contains\n"
	for content, c := range map[v1alpha1.ReportContent]struct{ holds, lacks []string }{
		"":                      {nil, []string{"whom", "anna", "bert", "token", token}},
		v1alpha1.ReportRedacted: {[]string{"May I ask whom?", "Ask [EMail]", "Write to [EMail]", "What is the token?", withheld}, []string{"anna", "bert", token, "ghp_", "Is it right?"}},
		v1alpha1.ReportFull:     {[]string{"May I ask whom?", "Ask anna.muster@firma-muster.ch", "Write to bert@firma-muster.ch", token}, []string{"Is it right?"}},
	} {
		t.Run(string(content), func(t *testing.T) {
			asked := evaluationOf(t, set, "/")
			asked.Record.Subject.Evaluation.Call.JSON.Input, asked.Record.Subject.Evaluation.Call.JSON.Answer = "", ""
			asked.Record.Requirements.ReportContent = content
			taken := taken(t, asked, server.URL, "")
			if v := (quality.Instrument{}).Judge(asked, taken); v.Reason == v1alpha1.ReasonEvidenceUnverifiable || strings.Contains(fmt.Sprint(v), "whom") {
				t.Errorf("got %+v", v)
			}
			raw, err := json.Marshal(evidence.As[evidence.QualityResult](taken.Runs[""].Report.Result))
			if err != nil {
				t.Fatal(err)
			}
			summary := quality.Instrument{}.Summarize(asked, taken).Markdown
			for _, text := range c.holds {
				if !strings.Contains(string(raw), text) || !strings.Contains(summary, strings.ReplaceAll(text, "[", `\[`)) {
					t.Errorf("%q is not in\n%s\n%s", text, raw, summary)
				}
			}
			for _, text := range append(c.lacks, "<b>", "\n\n\n") {
				if text != "<b>" && strings.Contains(string(raw), text) || strings.Contains(summary, text) {
					t.Errorf("%q is in\n%s\n%s", text, raw, summary)
				}
			}
		})
	}
}

// What can't be made fit to be shown is not shown.
func TestWhatIsNotShown(t *testing.T) {
	key := "AKIA" + "Q3EGRZ7KXW2LTNVB"
	cases := func(n int, answer string) []evidence.ShownCase {
		var out []evidence.ShownCase
		for i := range n {
			out = append(out, evidence.ShownCase{ID: fmt.Sprint(i), Input: "What is it?", Answer: answer})
		}
		return out
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	all := strings.Join([]string{token, key, "xoxb-" + "123456789012-1234567890123-" + "abcdefghijklmnopqrstuvwx", "glpat-" + "x7Kq2mZ9vLp4Rt8Wc1Yd", "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
		"hf_" + "xKqmZvLpRtWcYdNfHjGbQsTeUaoIplMnBv", "npm_" + "x7Kq2mZ9vLp4Rt8Wc1Yd5Nf6Hj3Gb0QsTeUa"}, " or ")
	for name, c := range map[string]struct {
		ctx     context.Context
		content evidence.Content
		shown   []evidence.ShownCase
		// left is how many cases are, and lacks what none of them holds.
		left  int
		lacks string
	}{
		"nobody allows it":            {t.Context(), "", cases(1, "no"), 0, ""},
		"a word that nobody knows":    {t.Context(), "Some", cases(1, "no"), 0, ""},
		"no time to search":           {stopped, evidence.ContentRedacted, cases(1, "no"), 0, ""},
		"a secret":                    {t.Context(), evidence.ContentRedacted, cases(1, "It is "+key), 1, key},
		"a secret and what hides it":  {t.Context(), evidence.ContentRedacted, cases(1, "It is "+key+"\ufeffand more"), 1, key},
		"a secret that is torn apart": {t.Context(), evidence.ContentRedacted, cases(1, "It is "+key[:9]+"\ufeff"+key[9:]), 1, key},
		"more than can be listed":     {t.Context(), evidence.ContentRedacted, cases(evidence.MaxShown, all), evidence.MaxShown, key},
	} {
		result := &evidence.QualityResult{Digest: subject, Shown: c.shown}
		presentable(c.ctx, c.content, result)
		if len(result.Shown) != c.left {
			t.Errorf("%s: %+v", name, result.Shown)
		}
		for _, one := range result.Shown {
			if strings.Contains(one.Answer, c.lacks) {
				t.Errorf("%s: %+v", name, one)
			}
		}
	}
}

// What a judge says never keeps what the assertions found from being told.
func TestAJudgeMakesRoom(t *testing.T) {
	result := &evidence.QualityResult{Digest: subject, Judge: &evidence.JudgeResult{}}
	for i := range evidence.MaxExamples {
		c := evidence.CaseResult{ID: fmt.Sprintf("%s-%d", strings.Repeat("x", 58), i), Answers: []evidence.CaseAnswer{
			{Outcome: evidence.CaseRight, Took: 999_999_999}, {Outcome: evidence.CaseUnanswered, Failure: evidence.AskNotAsDeclared, Took: 999_999_999},
		}}
		if len(result.Judge.Objections) < evidence.MaxJudged {
			result.Judge.Shown++
			result.Judge.Objections = append(result.Judge.Objections, evidence.JudgeObjection{ID: c.ID, Why: evidence.JudgeIncomplete})
		}
		result.Cases = append(result.Cases, c)
	}
	small := *result
	small.Cases = small.Cases[:evidence.MaxJudged]
	presentable(t.Context(), "", &small)
	if small.Judge == nil {
		t.Error("there is room, and what the judge said is not told")
	}
	for fits(result) {
		result.Judge.Models = append(result.Judge.Models, evidence.ModelSeen{Name: strings.Repeat("m", 128)})
	}
	presentable(t.Context(), "", result)
	if result.Judge != nil || len(result.Cases) != evidence.MaxExamples || !fits(result) {
		t.Errorf("%d cases, judge %v", len(result.Cases), result.Judge != nil)
	}
}
