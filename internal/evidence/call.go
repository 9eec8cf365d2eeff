package evidence

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// MaxAnswerBytes bounds one answer of a prototype. What is longer is no answer that a person reads.
const MaxAnswerBytes = 256 << 10

// Call says how a prototype is asked a question and where in its answer the text is. Exactly one member is set.
type Call struct {
	// URL of the prototype's Service, http or https, with neither path nor query.
	URL string `json:"url"`
	// JSON is a request of the prototype's own form.
	JSON *JSONCall `json:"json,omitempty"`
	// OpenAIChat is a chat completion as the OpenAI API has it.
	OpenAIChat *ChatCall `json:"openAIChat,omitempty"`
	// Sample is a request that the prototype shows, with the question in place of one of its texts.
	Sample *SampleCall `json:"sample,omitempty"`
	// Timeout of one question, from the connection to the last byte of the answer; 100 ms to 10 minutes.
	Timeout Duration `json:"timeout"`
}

// JSONCall is a request with the question in one field, and an answer with the text in one field.
type JSONCall struct {
	// Method is POST or PUT. A question is never put into an address, which proxies log.
	Method string `json:"method"`
	// Path begins with a slash.
	Path string `json:"path"`
	// Input is where the question goes: a JSON pointer (RFC 6901) such as /text, whose objects are made; empty for a
	// request that is the question itself, as text.
	Input string `json:"input,omitempty"`
	// Answer is where the text is: a JSON pointer such as /label or /choices/0/text; empty for an answer that is the text
	// itself.
	Answer string `json:"answer,omitempty"`
}

// ChatCall is a chat completion with the question as the only message.
type ChatCall struct {
	// Path begins with a slash, such as /v1/chat/completions.
	Path string `json:"path"`
	// Model to ask for; empty where the prototype decides.
	Model string `json:"model,omitempty"`
}

var (
	pathForm    = regexp.MustCompile(`^/[A-Za-z0-9._~/%?=&+,:@-]{0,511}$`)
	pointerForm = regexp.MustCompile(`^(/([^/~]|~[01])*)*$`)
)

// Validate says what is wrong with the call, or nil.
func (c Call) Validate() error {
	if err := validateURL(c.URL, "http", "https"); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if _, path, _ := strings.Cut(c.URL, "://"); strings.ContainsAny(path, "/?") {
		return errors.New("url: it has a path of its own")
	}
	if err := within(c.Timeout.Std(), 100*time.Millisecond, MaxTimeout); err != nil {
		return fmt.Errorf("timeout: %w", err)
	}
	switch {
	case c.JSON != nil && c.OpenAIChat == nil && c.Sample == nil:
		return prefixed("json", c.JSON.validate())
	case c.OpenAIChat != nil && c.JSON == nil && c.Sample == nil:
		return prefixed("openAIChat", c.OpenAIChat.validate())
	case c.Sample != nil && c.JSON == nil && c.OpenAIChat == nil:
		return prefixed("sample", c.Sample.validate())
	}
	return errors.New("not exactly one of json, openAIChat and sample is set")
}

// MaxSampleBytes bounds a request that a prototype shows.
const MaxSampleBytes = 32 << 10

// SampleCall is a request as the prototype shows one. The answer is its whole body.
type SampleCall struct {
	// Method is POST or PUT.
	Method string `json:"method"`
	// Path begins with a slash.
	Path string `json:"path"`
	// Body is JSON with a text in it, or text.
	Body string `json:"body"`
}

func (c SampleCall) validate() error {
	switch {
	case c.Method != http.MethodPost && c.Method != http.MethodPut:
		return errors.New("method is not POST or PUT")
	case !pathForm.MatchString(c.Path):
		return errors.New("path is not one")
	case c.Body == "" || len(c.Body) > MaxSampleBytes:
		return errors.New("body is empty or too long")
	}
	return nil
}

func (c JSONCall) validate() error {
	switch {
	case c.Method != http.MethodPost && c.Method != http.MethodPut:
		return errors.New("method is not POST or PUT")
	case !pathForm.MatchString(c.Path):
		return errors.New("path is not one")
	case !isPointer(c.Input):
		return errors.New("input is not a JSON pointer such as /text")
	case !isPointer(c.Answer):
		return errors.New("answer is not a JSON pointer such as /label")
	}
	return nil
}

func (c ChatCall) validate() error {
	switch {
	case !pathForm.MatchString(c.Path):
		return errors.New("path is not one")
	case c.Model != Clean(c.Model, 128):
		return errors.New("model is not a name")
	}
	return nil
}

func isPointer(s string) bool { return len(s) <= 256 && !hasControl(s) && pointerForm.MatchString(s) }

// AskFailure is why a question got no answer.
type AskFailure string

// What the prototype is answerable for, and what the runner is.
const (
	// AskAnswered means that there is an answer.
	AskAnswered AskFailure = ""
	// AskTimeout means that no complete answer came in time.
	AskTimeout AskFailure = "Timeout"
	// AskConnect means that there was no connection, or that it broke before an answer began.
	AskConnect AskFailure = "Connect"
	// AskThrottled means status 429: it was asked more often than it, or what it asks in turn, takes.
	AskThrottled AskFailure = "Throttled"
	// AskServerError means status 500 to 599.
	AskServerError AskFailure = "ServerError"
	// AskOtherStatus means any other status outside 200 to 299; redirects are not followed.
	AskOtherStatus AskFailure = "OtherStatus"
	// AskShortRead means that the answer broke off.
	AskShortRead AskFailure = "ShortRead"
	// AskTooLong means an answer of more than MaxAnswerBytes.
	AskTooLong AskFailure = "TooLong"
	// AskNotAsDeclared means an answer in which there is no text where the prototype declares it.
	AskNotAsDeclared AskFailure = "NotAsDeclared"
	// AskAddress means that the prototype's name could not be resolved, or to an address that a runner must not touch.
	AskAddress AskFailure = "Address"
	// AskResources means that the runner ran out of sockets, ports, files or memory.
	AskResources AskFailure = "Resources"
	// AskStopped means that the runner was stopped.
	AskStopped AskFailure = "Stopped"
	// AskReported means that another tool asked, and reports an error of which it does not say whose it was.
	AskReported AskFailure = "Reported"
	// AskGivenUp means that it was not asked any more, because nothing was ever answered.
	AskGivenUp AskFailure = "GivenUp"
)

var askFailures = map[AskFailure]bool{
	AskAnswered: true, AskTimeout: true, AskConnect: true, AskThrottled: true, AskServerError: true, AskOtherStatus: true,
	AskShortRead: true, AskTooLong: true, AskNotAsDeclared: true, AskAddress: true, AskResources: true, AskStopped: true,
	AskReported: true, AskGivenUp: true,
}

// Known tells whether it is one of the failures above.
func (f AskFailure) Known() bool { return askFailures[f] }

// Local tells whether it says nothing about the prototype: the runner was at fault, or nobody knows who was.
func (f AskFailure) Local() bool {
	return f == AskAddress || f == AskResources || f == AskStopped || f == AskReported || f == AskGivenUp
}
