package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode"

	answers "github.com/affineur/affineur/internal/answer"
	"github.com/affineur/affineur/internal/evidence"
)

// question is a check over HTTP.
type question struct {
	evidence.Check
	// host as the request names it, and address to dial.
	host, address string
}

func (q question) method() string {
	if q.Method == "" {
		return http.MethodGet
	}
	return q.Method
}

func (q question) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, q.method(), string(q.Kind)+"://"+q.host+q.Path, strings.NewReader(q.Body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	if q.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// askHTTP sends one request. Redirects are not followed and no proxy is used: both would take the probe, and its
// credential, somewhere that the catalogue does not name.
func askHTTP(ctx context.Context, q question, guard Guard, config *tls.Config, r *evidence.CheckResult) (evidence.Class, string) {
	expected, err := expect(ctx, q, r)
	if err != nil {
		return evidence.ClassLocal, err.Error()
	}
	req, err := q.request(ctx)
	if err != nil {
		return evidence.ClassLocal, "the path is not one"
	}
	if q.Credential != nil {
		if err := attach(req.Header, *q.Credential); err != nil {
			return evidence.ClassLocal, "the credential can't be used"
		}
	}
	// A transport with a way of its own to dial speaks HTTP/2 only when it is told to, and some servers speak nothing else. It
	// writes the protocols that it offers into the settings that it is given.
	transport := &http.Transport{DialContext: guard.DialContext, TLSClientConfig: config.Clone(), ForceAttemptHTTP2: true,
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeaders}
	resp, err := transport.RoundTrip(req)
	switch {
	case err != nil && q.Kind == evidence.CheckHTTPS:
		return explainTLS(ctx, guard, q.address, config, err, r)
	case err != nil:
		class, detail := explain(err)
		if class == evidence.ClassOther {
			class = evidence.ClassProtocol
		}
		return class, detail
	}
	defer func() { _ = resp.Body.Close() }()
	r.Status = resp.StatusCode
	if resp.TLS != nil {
		note(r, *resp.TLS)
	}
	if !statusFits(resp.StatusCode, q.ExpectStatus) {
		return evidence.ClassStatus, ""
	}
	return expected.judge(ctx, req, resp)
}

// expectation is what an answer must be besides its status.
type expectation struct {
	contentType string
	schema      *answers.Schema
	operation   *answers.Operation
}

// expect reads what is expected before anything is asked. The error is in fixed words.
func expect(ctx context.Context, q question, r *evidence.CheckResult) (expectation, error) {
	var e expectation
	if q.Answer == nil {
		return e, nil
	}
	e.contentType = q.Answer.ContentType
	var err error
	if q.Answer.Schema != "" {
		if e.schema, err = answers.Compile(q.Answer.Schema); err != nil {
			return e, errors.New("the schema can't be used: " + err.Error())
		}
	}
	if q.Answer.Document == "" {
		return e, nil
	}
	document, err := readSmall(q.Answer.Document)
	if err != nil {
		return e, errors.New("the file with the OpenAPI document can't be read")
	}
	r.Document = evidence.Digest(document)
	if e.operation, err = answers.Find(ctx, document, q.Answer.Operation, q.method(), q.Path); err != nil {
		return e, errors.New("the OpenAPI document can't be used: " + err.Error())
	}
	return e, nil
}

// judge compares an answer with what is expected of it, and says what is wrong in the words of the schema.
func (e expectation) judge(ctx context.Context, req *http.Request, resp *http.Response) (evidence.Class, string) {
	if e.contentType != "" {
		if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || !strings.EqualFold(kind, e.contentType) {
			return evidence.ClassAnswer, "the content type is another"
		}
	}
	if e.schema == nil && e.operation == nil {
		return begins(resp)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, answers.MaxBody+1))
	switch {
	case err != nil:
		return brokenOff(err)
	case len(body) > answers.MaxBody:
		return evidence.ClassAnswer, "the answer is longer than 1 MiB"
	}
	if e.schema != nil {
		if violation := e.schema.Judge(body); violation != nil {
			return evidence.ClassAnswer, violation.String()
		}
	}
	if e.operation != nil {
		switch violation, err := e.operation.Judge(ctx, req, resp.StatusCode, resp.Header, body); {
		case err != nil:
			return evidence.ClassLocal, "the OpenAPI document can't be used: " + err.Error()
		case violation != nil:
			return evidence.ClassAnswer, violation.String()
		}
	}
	return evidence.ClassNone, ""
}

// maxBeginning is how much of an answer is read of which only the status counts.
const maxBeginning = 64 << 10

// begins reads an answer whose words don't count, to its end or as far as that: one that breaks off, or never comes, is
// none, whatever its status. A stream of events has no end to wait for.
func begins(resp *http.Response) (evidence.Class, string) {
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && kind == "text/event-stream" {
		return evidence.ClassNone, ""
	}
	if _, err := io.CopyN(io.Discard, resp.Body, maxBeginning); err != nil && !errors.Is(err, io.EOF) {
		return brokenOff(err)
	}
	return evidence.ClassNone, ""
}

func brokenOff(err error) (evidence.Class, string) {
	class, detail := explain(err)
	if class == evidence.ClassOther {
		class = evidence.ClassUnanswered
	}
	return class, detail
}

func statusFits(got, want int) bool {
	if want == 0 {
		return got >= 200 && got <= 299
	}
	return got == want
}

func attach(h http.Header, c evidence.Credential) error {
	raw, err := readSmall(c.File)
	if err != nil {
		return err
	}
	secret := string(bytes.TrimSpace(raw))
	if secret == "" || strings.ContainsFunc(secret, unicode.IsControl) {
		return errors.New("the credential is empty or more than one line")
	}
	if c.Header == "" {
		h.Set("Authorization", "Bearer "+secret)
		return nil
	}
	h.Set(c.Header, secret)
	return nil
}
