package openai_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/affineur/affineur/test/prototypes/internal/openai"
)

func TestContent(t *testing.T) {
	for body, want := range map[string]string{
		`"hello"`: "hello",
		`[{"type":"text","text":"one"},{"type":"text","text":"two"}]`: "one\ntwo",
		`[]`: "",
	} {
		var got openai.Content
		if err := json.Unmarshal([]byte(body), &got); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", body, got, err, want)
		}
	}
	for _, body := range []string{`null`, `5`, `{"text":"a"}`, `[{"type":"image_url"}]`, `["a"]`} {
		var got openai.Content
		if err := json.Unmarshal([]byte(body), &got); err == nil {
			t.Errorf("%s = %q, want an error", body, got)
		}
	}
}

func TestValidate(t *testing.T) {
	zero := 0
	user := openai.Message{Role: "user", Content: "hello"}
	for name, tc := range map[string]struct {
		request openai.Request
		says    string
	}{
		"good":        {openai.Request{Messages: []openai.Message{{Role: "system", Content: "be short"}, user}}, ""},
		"no messages": {openai.Request{}, "messages is empty"},
		"only system": {openai.Request{Messages: []openai.Message{{Role: "system", Content: "be short"}}}, "no message of the user"},
		"blank":       {openai.Request{Messages: []openai.Message{{Role: "user", Content: " \n"}}}, "no message of the user"},
		"tool role":   {openai.Request{Messages: []openai.Message{user, {Role: "tool", Content: "x"}}}, "messages[1].role"},
		"no tokens":   {openai.Request{Messages: []openai.Message{user}, MaxTokens: &zero}, "max_tokens"},
		"too many":    {openai.Request{Messages: make([]openai.Message, 101)}, "more than 100"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.request.Validate()
			if (err == nil) != (tc.says == "") || (err != nil && !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("Validate = %v, want %q", err, tc.says)
			}
		})
	}
}

func TestLastUser(t *testing.T) {
	request := openai.Request{Messages: []openai.Message{
		{Role: "user", Content: "first"}, {Role: "assistant", Content: "answer"}, {Role: "user", Content: " second "},
	}}
	if got := request.LastUser(); got != "second" {
		t.Errorf("LastUser = %q", got)
	}
	if got := request.PromptTokens(); got != 3 {
		t.Errorf("PromptTokens = %d, want 3", got)
	}
}

// The pieces of a stream put together are the answer, and the stream ends as clients expect.
func TestStream(t *testing.T) {
	const text = "One small  step.\nAnother one."
	for _, includeUsage := range []bool{false, true} {
		recorder := httptest.NewRecorder()
		usage := openai.Usage{PromptTokens: 2, CompletionTokens: 5, TotalTokens: 7}
		answer := openai.Answer("id-1", 42, "m", "fp", text, openai.FinishLength, usage)
		if err := openai.Stream(recorder, answer, includeUsage); err != nil {
			t.Fatal(err)
		}
		if got := recorder.Header().Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("Content-Type = %q", got)
		}
		events := strings.Split(strings.TrimSuffix(recorder.Body.String(), "\n\n"), "\n\n")
		if last := events[len(events)-1]; last != "data: [DONE]" {
			t.Errorf("the stream ends with %q", last)
		}
		var joined, finish string
		var counted *openai.Usage
		for _, event := range events[:len(events)-1] {
			var chunk openai.Chunk
			if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &chunk); err != nil {
				t.Fatalf("%q: %v", event, err)
			}
			if chunk.ID != "id-1" || chunk.SystemFingerprint != "fp" {
				t.Errorf("chunk = %+v", chunk)
			}
			counted = chunk.Usage
			for _, choice := range chunk.Choices {
				joined += choice.Delta.Content
				if choice.FinishReason != nil {
					finish = *choice.FinishReason
				}
			}
		}
		if joined != text || finish != openai.FinishLength {
			t.Errorf("joined = %q, finish = %q", joined, finish)
		}
		if (counted != nil) != includeUsage || (includeUsage && *counted != usage) {
			t.Errorf("includeUsage %v: usage = %+v", includeUsage, counted)
		}
	}
}
