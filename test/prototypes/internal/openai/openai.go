// Package openai holds the part of the OpenAI-compatible chat interface that the sample prototypes
// speak, as servers and as clients.
package openai

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// maxMessages bounds a conversation.
const maxMessages = 100

// Roles of a message.
const (
	RoleSystem    = "system"
	RoleUser      = "user"
	RoleAssistant = "assistant"
)

// Reasons why an answer ended.
const (
	FinishStop   = "stop"
	FinishLength = "length"
)

// Request is a request for a chat completion.
type Request struct {
	Model     string    `json:"model"`
	Messages  []Message `json:"messages"`
	MaxTokens *int      `json:"max_tokens,omitempty"`
	Stream    bool      `json:"stream,omitempty"`
	// StreamOptions asks for the usage at the end of a stream.
	StreamOptions *StreamOptions `json:"stream_options,omitempty"`
}

// StreamOptions belong to a streamed request.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage,omitempty"`
}

// Message is one turn of a conversation.
type Message struct {
	Role    string  `json:"role"`
	Content Content `json:"content"`
}

// Content is the text of a message. On the wire it is a string or a list of parts.
type Content string

// UnmarshalJSON joins the parts of a list; parts that are no text are refused, since dropping them
// would answer a question that nobody asked.
func (c *Content) UnmarshalJSON(data []byte) error {
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || trimmed[0] != '[' {
		var text *string
		if err := json.Unmarshal(data, &text); err != nil || text == nil {
			return serve.BadRequest("a message's content must be a string or a list of parts")
		}
		*c = Content(*text)
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return serve.BadRequest("a message's content must be a string or a list of parts")
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		if part.Type != "text" {
			return serve.BadRequest("only parts of type \"text\" are understood")
		}
		texts[i] = part.Text
	}
	*c = Content(strings.Join(texts, "\n"))
	return nil
}

// Validate says what is wrong with a request, as a refusal for the caller.
func (r Request) Validate() error {
	switch {
	case len(r.Messages) == 0:
		return serve.BadRequest("messages is empty")
	case len(r.Messages) > maxMessages:
		return serve.BadRequest("more than %d messages", maxMessages)
	case r.MaxTokens != nil && *r.MaxTokens < 1:
		return serve.BadRequest("max_tokens must be at least 1")
	}
	for i, message := range r.Messages {
		switch message.Role {
		case RoleSystem, RoleUser, RoleAssistant:
		default:
			return serve.BadRequest("messages[%d].role must be system, user or assistant", i)
		}
	}
	if r.LastUser() == "" {
		return serve.BadRequest("no message of the user has any text")
	}
	return nil
}

// LastUser is what the user said last, or "".
func (r Request) LastUser() string {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if r.Messages[i].Role == RoleUser {
			return strings.TrimSpace(string(r.Messages[i].Content))
		}
	}
	return ""
}

// Response is a whole chat completion.
type Response struct {
	ID                string   `json:"id"`
	Object            string   `json:"object"`
	Created           int64    `json:"created"`
	Model             string   `json:"model"`
	SystemFingerprint string   `json:"system_fingerprint"`
	Choices           []Choice `json:"choices"`
	Usage             Usage    `json:"usage"`
}

// Choice is one answer.
type Choice struct {
	Index        int     `json:"index"`
	Message      Message `json:"message"`
	FinishReason string  `json:"finish_reason"`
}

// Usage counts tokens.
type Usage struct {
	PromptTokens     int64 `json:"prompt_tokens"`
	CompletionTokens int64 `json:"completion_tokens"`
	TotalTokens      int64 `json:"total_tokens"`
}

// Answer builds a response with one choice.
func Answer(id string, created int64, model, fingerprint, text, finish string, usage Usage) Response {
	return Response{
		ID: id, Object: "chat.completion", Created: created, Model: model, SystemFingerprint: fingerprint,
		Choices: []Choice{{Message: Message{Role: RoleAssistant, Content: Content(text)}, FinishReason: finish}},
		Usage:   usage,
	}
}

// CountTokens counts words. The sample models have no subword vocabulary; what matters is that
// everybody counts alike.
func CountTokens(text string) int64 { return int64(len(strings.Fields(text))) }

// PromptTokens counts the words of all messages.
func (r Request) PromptTokens() int64 {
	var total int64
	for _, message := range r.Messages {
		total += CountTokens(string(message.Content))
	}
	return total
}
