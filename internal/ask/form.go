package ask

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-openapi/jsonpointer"

	"github.com/affineur/affineur/internal/evidence"
)

// form is how a question is written and an answer read. read is false for an answer without a text where it is declared.
type form interface {
	// texts is how many places there are for a question, and request writes it into one of them.
	texts() int
	request(at int, input string) (body, contentType string)
	read(raw []byte, into *Answer) bool
}

const (
	typeJSON = "application/json"
	typeText = "text/plain; charset=utf-8"
	// maxName bounds what a prototype says about its model.
	maxName = 128
)

// jsonForm is the prototype's own form. A nil pointer means the body itself, as text.
type jsonForm struct {
	input  []string
	answer *jsonpointer.Pointer
}

func newJSONForm(c evidence.JSONCall) (jsonForm, error) {
	var f jsonForm
	input, err := jsonpointer.New(c.Input)
	if err != nil {
		return f, errors.New("input is not a JSON pointer")
	}
	f.input = input.DecodedTokens()
	if c.Answer == "" {
		return f, nil
	}
	answer, err := jsonpointer.New(c.Answer)
	if err != nil {
		return f, errors.New("answer is not a JSON pointer")
	}
	f.answer = &answer
	return f, nil
}

func (f jsonForm) texts() int { return 1 }

func (f jsonForm) request(_ int, input string) (body, contentType string) {
	if len(f.input) == 0 {
		return input, typeText
	}
	var document any = input
	for i := len(f.input) - 1; i >= 0; i-- {
		document = map[string]any{f.input[i]: document}
	}
	return encode(document), typeJSON
}

func (f jsonForm) read(raw []byte, into *Answer) bool {
	if f.answer == nil {
		into.Text = string(raw)
		return utf8.Valid(raw)
	}
	document, ok := decode(raw)
	if !ok {
		return false
	}
	value, _, err := f.answer.Get(document)
	if err != nil || value == nil {
		return false
	}
	if text, isText := value.(string); isText {
		into.Text = text
		return true
	}
	into.Text = encode(value)
	return true
}

// chatForm is a chat completion, whole and not streamed.
type chatForm struct{ model string }

func (f chatForm) texts() int { return 1 }

func (f chatForm) request(_ int, input string) (body, contentType string) {
	document := map[string]any{"messages": []any{map[string]any{"role": "user", "content": input}}}
	if f.model != "" {
		document["model"] = f.model
	}
	return encode(document), typeJSON
}

// completion is what is read of a chat completion.
type completion struct {
	Model             string `json:"model"`
	SystemFingerprint string `json:"system_fingerprint"`
	Choices           []struct {
		FinishReason string `json:"finish_reason"`
		Message      struct {
			Content *string `json:"content"`
			Refusal *string `json:"refusal"`
		} `json:"message"`
	} `json:"choices"`
}

func (f chatForm) read(raw []byte, into *Answer) bool {
	var c completion
	if !utf8.Valid(raw) || json.Unmarshal(raw, &c) != nil || len(c.Choices) == 0 {
		return false
	}
	into.Model, into.Fingerprint = evidence.Clean(c.Model, maxName), evidence.Clean(c.SystemFingerprint, maxName)
	first := c.Choices[0]
	into.CutOff = first.FinishReason == "length"
	message := first.Message
	refused := message.Refusal != nil && strings.TrimSpace(*message.Refusal) != ""
	into.Refused = refused || first.FinishReason == "content_filter"
	if message.Content != nil {
		into.Text = *message.Content
	}
	if into.Refused {
		into.Beside = strings.TrimSpace(into.Text)
	}
	if refused {
		into.Text = strings.TrimSpace(*message.Refusal + "\n" + into.Text)
	}
	return into.Refused || message.Content != nil
}

// decode reads exactly one JSON value. Numbers stay as they are spelled.
func decode(raw []byte) (any, bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var document any
	if !utf8.Valid(raw) || decoder.Decode(&document) != nil {
		return nil, false
	}
	_, err := decoder.Token()
	return document, errors.Is(err, io.EOF)
}

// encode writes strings, maps and what decode read, none of which can fail, without escapes that JSON does not ask for.
func encode(document any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(document)
	return string(bytes.TrimSuffix(out.Bytes(), []byte("\n")))
}
