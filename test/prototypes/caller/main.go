// Command caller stands for the people and programs that use a prototype: it sends the requests that it is asked to
// send, and writes one JSON line for every answer.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	// timeout of one request.
	timeout = 5 * time.Second
	// patience with a connection that does not come about: some networks let a new pod through only after a moment.
	patience = 10 * time.Second
	maxBody  = 16 << 10
)

// dial is the method of a call that only connects, for whatever does not speak HTTP.
const dial = "DIAL"

// call is one request.
type call struct {
	// Method of HTTP, or dial.
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"`
}

// answer is what came of it: a status and a body, that it connected, or why nothing came.
type answer struct {
	URL       string `json:"url"`
	Connected bool   `json:"connected,omitempty"`
	Status    int    `json:"status,omitempty"`
	Body      string `json:"body,omitempty"`
	Error     string `json:"error,omitempty"`
	Millis    int64  `json:"millis"`
}

func main() {
	if err := run(context.Background(), os.Getenv("CALLS"), os.Stdout, patience); err != nil {
		serve.Fail("caller", err)
	}
}

func run(ctx context.Context, order string, out io.Writer, patience time.Duration) error {
	var calls []call
	if err := json.Unmarshal([]byte(order), &calls); err != nil {
		return fmt.Errorf("CALLS is no list of requests: %w", err)
	}
	encoder := json.NewEncoder(out)
	for _, c := range calls {
		if err := encoder.Encode(c.send(ctx, patience)); err != nil {
			return err
		}
	}
	return nil
}

// send tries again while nobody answers; an answer, whatever it says, is one.
func (c call) send(ctx context.Context, patience time.Duration) answer {
	deadline := time.Now().Add(patience)
	for {
		got := c.once(ctx)
		if got.Error == "" || time.Now().After(deadline) {
			return got
		}
		time.Sleep(500 * time.Millisecond)
	}
}

func (c call) once(ctx context.Context) answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	got := answer{URL: c.URL}
	start := time.Now()
	err := c.ask(ctx, &got)
	got.Millis = time.Since(start).Milliseconds()
	if err != nil {
		got.Error = err.Error()
	}
	return got
}

func (c call) ask(ctx context.Context, got *answer) error {
	if c.Method != dial {
		status, body, err := c.exchange(ctx)
		got.Status, got.Body = status, string(body)
		return err
	}
	address, err := url.Parse(c.URL)
	if err != nil {
		return err
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address.Host)
	if err != nil {
		return err
	}
	got.Connected = true
	return connection.Close()
}

func (c call) exchange(ctx context.Context) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, c.Method, c.URL, bytes.NewBufferString(c.Body))
	if err != nil {
		return 0, nil, err
	}
	if c.Body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return response.StatusCode, body, err
}
