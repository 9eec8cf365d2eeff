package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// noise is no protocol's beginning.
	noise = "\x00\xff\x15\x03 \r\n\r\nneither this nor that\r\n"
	// broken is called JSON and is none.
	broken = `{"data": [{"id": 1, "value": <html><body>` + "\x00\xff\xfe"
	// maxSent bounds what is read of a request.
	maxSent = 1 << 20
	// outline is what the stand-in for a model always says: short text, and a numbered list.
	outline = "1. Beginning\n2. Middle\n3. End\n"
)

// converse reads one request and answers it by the conduct, then ends the connection.
func converse(conn net.Conn, now conduct) {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, err := io.ReadAll(io.LimitReader(request.Body, maxSent))
	if err != nil {
		return
	}
	switch now {
	case slow:
		drip(conn)
	case failing:
		say(conn, http.StatusInternalServerError, "text/plain", "internal error\n")
	case garbage:
		say(conn, http.StatusOK, "application/json", broken)
	case standsIn:
		status, kind, text := complete(body)
		say(conn, status, kind, text)
	}
}

// dripEvery is the pace of an answer that comes a byte at a time: whoever only limits how long it waits for the next byte
// waits for ever.
const dripEvery = 100 * time.Millisecond

// drip begins an answer that is right as far as it comes, until the other side is gone.
func drip(conn net.Conn) {
	begun := "HTTP/1.1 200 OK\r\nX-Request: "
	for i := 0; ; i++ {
		next := "0"
		if i < len(begun) {
			next = begun[i : i+1]
		}
		if _, err := io.WriteString(conn, next); err != nil {
			return
		}
		time.Sleep(dripEvery)
	}
}

// say writes one answer. That it can't be written is the other side's business.
func say(w io.Writer, status int, kind, text string) {
	_, _ = fmt.Fprintf(w, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), kind, len(text), text)
}

// complete answers a chat completion as the OpenAI API has it, whole or streamed, and every other request with 404.
func complete(body []byte) (status int, kind, text string) {
	var asked struct {
		Model    string `json:"model"`
		Stream   bool   `json:"stream"`
		Messages []any  `json:"messages"`
	}
	if json.Unmarshal(body, &asked) != nil || len(asked.Messages) == 0 {
		return http.StatusNotFound, "text/plain", "no chat completion\n"
	}
	answer := func(object, part string, finish any) string {
		raw, err := json.Marshal(map[string]any{
			"id": "stand-in", "object": object, "created": 0, "model": asked.Model,
			"choices": []any{map[string]any{"index": 0, "finish_reason": finish, part: map[string]any{"role": "assistant", "content": outline}}},
			"usage":   map[string]any{"prompt_tokens": 1, "completion_tokens": 12, "total_tokens": 13},
		})
		if err != nil {
			return "{}"
		}
		return string(raw)
	}
	if !asked.Stream {
		return http.StatusOK, "application/json", answer("chat.completion", "message", "stop")
	}
	return http.StatusOK, "text/event-stream", "data: " + answer("chat.completion.chunk", "delta", "stop") + "\n\ndata: [DONE]\n\n"
}
