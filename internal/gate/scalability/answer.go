package scalability

import (
	"encoding/json"
	"net/http"

	"github.com/go-openapi/jsonpointer"

	"github.com/affineur/affineur/internal/subject"
)

// inCompletion is where a chat completion may have its answer.
var inCompletion = []string{"/choices/0/message/content", "/choices/0/message/refusal", "/choices/0/message/tool_calls"}

// answerOf says where the prototype declares the answer to its sample request to be; nil where that is not a question of the form
// that its evaluation has, for then nothing is declared about its answer.
func answerOf(s subject.Subject) []string {
	if s.Evaluation == nil || s.Demand == nil {
		return nil
	}
	sample, call := s.Demand, s.Evaluation.Call
	switch {
	case call.JSON != nil && call.JSON.Method == sample.Method && call.JSON.Path == sample.Path && asks(sample.Body, call.JSON.Input):
		return []string{call.JSON.Answer}
	case call.OpenAIChat != nil && sample.Method == http.MethodPost && call.OpenAIChat.Path == sample.Path && asks(sample.Body, "/messages") && !streams(sample.Body):
		return inCompletion
	}
	return nil
}

// asks tells whether there is something in a body's place for the question.
func asks(body, place string) bool {
	if place == "" {
		return body != ""
	}
	at, err := jsonpointer.New(place)
	var document any
	if err != nil || json.Unmarshal([]byte(body), &document) != nil {
		return false
	}
	value, _, err := at.Get(document)
	return err == nil && value != nil
}

// streams tells whether a chat completion is asked for in pieces, each of which is no answer.
func streams(body string) bool {
	var asked struct {
		Stream bool `json:"stream"`
	}
	return json.Unmarshal([]byte(body), &asked) == nil && asked.Stream
}
