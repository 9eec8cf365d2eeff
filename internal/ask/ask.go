// Package ask asks a prototype a question over HTTP, the way that the prototype declares, and gives its answer as text.
//
// What comes back is never trusted: it is bounded, redirects are not followed, and why there is no answer is one of a few
// words of our own. A failure of the prototype is told from one of the runner, which says nothing about the prototype.
// Nothing in a request says that it is a measurement: a prototype should not be able to tell it from a person's.
package ask

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

// Dial opens a connection. It is where a caller forbids addresses.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Answer is what a prototype said.
type Answer struct {
	// Text of the answer, where the prototype declares it. Empty is an answer too.
	Text string
	// Refused means that the answer's own field says so: a refusal in a chat completion, or one that a filter ended.
	Refused bool
	// Beside is what such an answer says beside its refusal, which Text holds too: it may give away what was refused.
	Beside string
	// CutOff means that the answer says that it was cut off at its longest.
	CutOff bool
	// Model and Fingerprint are what a chat completion says about who answered; cleaned, and empty where it says nothing.
	Model, Fingerprint string
	// Status is the HTTP status, 0 where there was none.
	Status int
	// Head is the status line and all headers and trailers, a line each.
	Head string
	// Raw is the body, unpacked, also of an answer that is none; at most MaxAnswerBytes.
	Raw []byte
	// Unread means that Raw is not all of the body, or none that can be read: packed in a way that nobody asked for, or no text.
	Unread bool
	// Took is the time from the request to the last byte.
	Took time.Duration
}

// Client asks one prototype. It may be used by many goroutines at once.
type Client struct {
	form      form
	method    string
	url       string
	timeout   time.Duration
	transport *http.Transport
	dial      Dial
	headers   http.Header
}

// New makes a client for a call that is valid.
func New(c evidence.Call, dial Dial) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	client := &Client{timeout: c.Timeout.Std(), transport: newTransport(dial, c.Timeout.Std()), dial: dial}
	if chat := c.OpenAIChat; chat != nil {
		client.method, client.url, client.form = http.MethodPost, c.URL+chat.Path, chatForm{model: chat.Model}
		return client, nil
	}
	if sample := c.Sample; sample != nil {
		client.method, client.url, client.form = sample.Method, c.URL+sample.Path, newSampleForm(sample.Body)
		return client, nil
	}
	form, err := newJSONForm(*c.JSON)
	if err != nil {
		return nil, err
	}
	client.method, client.url, client.form = c.JSON.Method, c.URL+c.JSON.Path, form
	return client, nil
}

// newTransport uses no proxy and no HTTP/2, whose one connection would put answers in a row. It asks for no compression.
func newTransport(dial Dial, timeout time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    timeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Close gives the connections back.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Ask asks one question. Where the failure is not AskAnswered, of the answer only Status, Head, Raw, Unread
// and Took mean something.
func (c *Client) Ask(ctx context.Context, input string) (Answer, evidence.AskFailure) {
	body, contentType := c.form.request(0, input)
	return c.Send(ctx, body, contentType)
}

// Send asks with a body as it is, be it one that no form would write.
func (c *Client) Send(ctx context.Context, body, contentType string) (Answer, evidence.AskFailure) {
	asked, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	began := time.Now()
	answer, failure := c.exchange(asked, body, contentType)
	answer.Took = time.Since(began)
	if failure != evidence.AskAnswered && ctx.Err() != nil {
		return answer, evidence.AskStopped
	}
	return answer, failure
}

func (c *Client) exchange(ctx context.Context, body, contentType string) (Answer, evidence.AskFailure) {
	request, err := http.NewRequestWithContext(ctx, c.method, c.url, strings.NewReader(body))
	if err != nil {
		return Answer{}, evidence.AskAddress
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json, text/plain, */*")
	// Set but empty: the library would name itself.
	request.Header.Set("User-Agent", "")
	for name, values := range c.headers {
		request.Header[name] = values
	}
	// Not sent, but it lets the transport ask once more where a kept connection turns out to be closed already.
	request.Header["Idempotency-Key"] = nil
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return Answer{}, broken(err, evidence.AskConnect)
	}
	defer func() { _ = response.Body.Close() }()
	raw, readable, err := read(response)
	answer := Answer{Status: response.StatusCode, Raw: raw[:min(len(raw), evidence.MaxAnswerBytes)], Head: head(response),
		Unread: !readable || err != nil || len(raw) > evidence.MaxAnswerBytes}
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		return answer, evidence.AskThrottled
	case response.StatusCode >= 500:
		return answer, evidence.AskServerError
	case response.StatusCode < 200 || response.StatusCode > 299:
		return answer, evidence.AskOtherStatus
	case len(raw) > evidence.MaxAnswerBytes:
		return answer, evidence.AskTooLong
	case err != nil:
		return answer, broken(err, evidence.AskShortRead)
	case !readable || !c.form.read(raw, &answer):
		return answer, evidence.AskNotAsDeclared
	}
	return answer, evidence.AskAnswered
}

// broken tells an error of the prototype from one on the runner's side. otherwise is what an error of the prototype other
// than a timeout means at this point of the exchange.
func broken(err error, otherwise evidence.AskFailure) evidence.AskFailure {
	if errors.Is(err, context.DeadlineExceeded) {
		return evidence.AskTimeout
	}
	switch probe.Classify(err) {
	case evidence.ClassTimeout:
		return evidence.AskTimeout
	case evidence.ClassDNS, evidence.ClassForbiddenAddress:
		return evidence.AskAddress
	case evidence.ClassLocal:
		return evidence.AskResources
	}
	return otherwise
}
