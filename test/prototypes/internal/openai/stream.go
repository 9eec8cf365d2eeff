package openai

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Chunk is one event of a streamed completion.
type Chunk struct {
	ID                string        `json:"id"`
	Object            string        `json:"object"`
	Created           int64         `json:"created"`
	Model             string        `json:"model"`
	SystemFingerprint string        `json:"system_fingerprint"`
	Choices           []ChunkChoice `json:"choices"`
	Usage             *Usage        `json:"usage,omitempty"`
}

// ChunkChoice is a piece of an answer.
type ChunkChoice struct {
	Index        int     `json:"index"`
	Delta        Delta   `json:"delta"`
	FinishReason *string `json:"finish_reason"`
}

// Delta is what a chunk adds.
type Delta struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content,omitempty"`
}

// Stream writes a complete answer as server-sent events, one word at a time, as a client of a real
// model receives it.
func Stream(w http.ResponseWriter, response Response, includeUsage bool) error {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	events := eventWriter{w: w, flush: http.NewResponseController(w).Flush}

	choice := response.Choices[0]
	events.send(response.chunk(Delta{Role: RoleAssistant}, nil))
	for word := range strings.SplitAfterSeq(string(choice.Message.Content), " ") {
		events.send(response.chunk(Delta{Content: word}, nil))
	}
	events.send(response.chunk(Delta{}, &choice.FinishReason))
	if includeUsage {
		last := response.chunk(Delta{}, nil)
		last.Choices, last.Usage = []ChunkChoice{}, &response.Usage
		events.send(last)
	}
	events.write([]byte("data: [DONE]\n\n"))
	return events.err
}

func (r Response) chunk(delta Delta, finish *string) Chunk {
	return Chunk{
		ID: r.ID, Object: "chat.completion.chunk", Created: r.Created, Model: r.Model, SystemFingerprint: r.SystemFingerprint,
		Choices: []ChunkChoice{{Delta: delta, FinishReason: finish}},
	}
}

// eventWriter remembers the first error, so that a client that left ends the stream.
type eventWriter struct {
	w     http.ResponseWriter
	flush func() error
	err   error
}

func (e *eventWriter) send(chunk Chunk) {
	data, err := json.Marshal(chunk)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.write([]byte("data: " + string(data) + "\n\n"))
}

func (e *eventWriter) write(event []byte) {
	if e.err != nil {
		return
	}
	if _, e.err = e.w.Write(event); e.err == nil {
		e.err = e.flush()
	}
}
