package scalability_test

import (
	"slices"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/scalability"
	isubject "github.com/affineur/affineur/internal/subject"
)

// What an evaluation declares about answers holds for the sample request only where that is such a question.
func TestInstrumentPlansWhatAnAnswerHas(t *testing.T) {
	own := func(input, answer string) v1alpha1.EvaluationCall {
		return v1alpha1.EvaluationCall{JSON: &v1alpha1.JSONCall{Method: "POST", Path: "/v1/ask", Input: input, Answer: answer}}
	}
	chat := v1alpha1.EvaluationCall{OpenAIChat: &v1alpha1.ChatCall{Path: "/v1/ask"}}
	completion := []string{"/choices/0/message/content", "/choices/0/message/refusal", "/choices/0/message/tool_calls"}
	for name, c := range map[string]struct {
		call               v1alpha1.EvaluationCall
		method, path, body string
		want               []string
	}{
		"a question":          {own("/question", "/answer"), "POST", "/v1/ask", `{"question": "When?"}`, []string{"/answer"}},
		"a question, as text": {own("", ""), "POST", "/v1/ask", "When?", []string{""}},
		"an order":            {own("/question", "/answer"), "POST", "/v1/ask", `{"forget": "everything"}`, nil},
		"no question":         {own("/question", "/answer"), "POST", "/v1/ask", `{"question": null}`, nil},
		"no JSON":             {own("/question", "/answer"), "POST", "/v1/ask", "When?", nil},
		"another place":       {own("/question", "/answer"), "POST", "/v1/tell", `{"question": "When?"}`, nil},
		"another method":      {own("/question", "/answer"), "PUT", "/v1/ask", `{"question": "When?"}`, nil},
		"a page":              {own("", ""), "GET", "/v1/ask", "", nil},
		"a chat":              {chat, "POST", "/v1/ask", `{"messages": [{"role": "user", "content": "When?"}]}`, completion},
		"a chat, in pieces":   {chat, "POST", "/v1/ask", `{"stream": true, "messages": [{"role": "user", "content": "When?"}]}`, nil},
		"a chat of nothing":   {chat, "POST", "/v1/ask", `{}`, nil},
		"a chat elsewhere":    {chat, "POST", "/", `{"messages": []}`, nil},
		"nothing declared":    {v1alpha1.EvaluationCall{}, "POST", "/v1/ask", `{"question": "When?"}`, nil},
	} {
		asked := caseOf(func(g *gate.Case) {
			g.Record.Subject.Evaluation = &isubject.Evaluation{Call: c.call}
			d := g.Record.Subject.Demand
			d.Method, d.Path, d.Body = c.method, c.path, c.body
		})
		runs, err := scalability.Instrument{}.Plan(asked, gate.Taken{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		order := evidence.As[evidence.LoadSpec](runs[0].Order)
		if !slices.Equal(order.Answer, c.want) {
			t.Errorf("%s: got %q, want %q", name, order.Answer, c.want)
		}
		if order.Alone == nil || order.Alone.Most != 10 || order.Alone.Duration.Std() != 6*time.Second {
			t.Errorf("%s: without load %+v", name, order.Alone)
		}
	}
}
