package sample

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

const (
	// metricTimeout bounds one query, with everything around it.
	metricTimeout = 30 * time.Second
	// maxMetricAnswer bounds an answer: a thousand series with long labels are far below.
	maxMetricAnswer = 4 << 20
)

// Source is where metrics are asked for.
type Source struct {
	// Address is the URL before /api/v1.
	Address string
	// CA is a PEM bundle that verifies the server; the system's roots where empty.
	CA []byte
	// Token is shown as Bearer; empty where none is needed.
	Token string
}

// Metric asks the source once, for the moment at which the window ends, and asks what the conditions say about the answer.
// That no usable answer came is a result; the error is the context's or the order's. Neither redirects nor proxies are
// followed, and the guard is asked about every address: both would take the credential to where the policy does not name.
func Metric(ctx context.Context, source Source, guard probe.Guard, order evidence.MetricOrder, prototype condition.Prototype) (*evidence.MetricResult, error) {
	if err := order.Validate(); err != nil {
		return nil, err
	}
	out := &evidence.MetricResult{Start: order.Start.UTC(), End: order.End.UTC()}
	client, err := clientOf(source, guard)
	if err != nil {
		out.Outcome, out.Detail = evidence.MetricUnusable, err.Error()
		return out, nil
	}
	asking, cancel := context.WithTimeout(ctx, metricTimeout)
	defer cancel()
	// Two more than may answer: the source cuts the rest, and warns.
	value, warnings, err := promv1.NewAPI(client).Query(asking, order.Query, order.End, promv1.WithTimeout(metricTimeout), promv1.WithLimit(evidence.MaxSeries+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		out.Outcome, out.Detail = unanswered(err)
		return out, nil
	case len(warnings) > 0:
		out.Outcome = evidence.MetricWarned
		return out, nil
	}
	return judged(ctx, order, value, out, prototype)
}

// judged fills in what the conditions say about an answer, if it is one that they can be asked about.
func judged(ctx context.Context, order evidence.MetricOrder, value model.Value, out *evidence.MetricResult, prototype condition.Prototype) (*evidence.MetricResult, error) {
	series, form := seriesOf(value, model.TimeFromUnix(order.End.Unix()))
	out.Series = len(series)
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, s := range series {
		if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			out.Outcome = evidence.MetricNotANumber
			return out, nil
		}
		lowest, highest = min(lowest, s.Value), max(highest, s.Value)
	}
	switch {
	case !form:
		out.Outcome = evidence.MetricOtherForm
		return out, nil
	case len(series) == 0:
		out.Outcome = evidence.MetricNoData
		return out, nil
	case len(series) > 1 && !order.Many, len(series) > evidence.MaxSeries:
		out.Outcome = evidence.MetricManySeries
		return out, nil
	}
	scope := condition.OfNumber
	if order.Many {
		scope = condition.OfSeries
	}
	var err error
	if out.Lowest, err = evidence.FormatNumber(lowest); err != nil {
		return nil, err
	}
	if out.Highest, err = evidence.FormatNumber(highest); err != nil {
		return nil, err
	}
	out.Outcome = evidence.MetricAnswered
	out.Answers, err = answers(ctx, order.Conditions, scope, condition.About{Prototype: prototype, Series: series})
	return out, err
}

// seriesOf is the answer as a list; false for one that is no scalar and no vector of plain numbers of that moment.
func seriesOf(value model.Value, at model.Time) ([]condition.Series, bool) {
	switch v := value.(type) {
	case *model.Scalar:
		return []condition.Series{{Value: float64(v.Value)}}, v.Timestamp == at
	case model.Vector:
		out := make([]condition.Series, 0, len(v))
		for _, sample := range v {
			if sample == nil || sample.Histogram != nil || sample.Timestamp != at {
				return nil, false
			}
			labels := make(map[string]string, len(sample.Metric))
			for name, value := range sample.Metric {
				labels[string(name)] = string(value)
			}
			out = append(out, condition.Series{Value: float64(sample.Value), Labels: labels})
		}
		return out, true
	}
	return nil, false
}

// unanswered says in fixed words why there is no answer; a server's own words are not repeated.
func unanswered(err error) (evidence.MetricOutcome, string) {
	var of *promv1.Error
	if errors.Is(err, errTooLong) {
		return evidence.MetricUnreachable, "the answer is too long"
	}
	if !errors.As(err, &of) {
		if class := probe.Classify(err); class != evidence.ClassOther {
			return evidence.MetricUnreachable, "the connection ended with " + string(class)
		}
		return evidence.MetricUnreachable, "the answer can't be read"
	}
	switch of.Type {
	case promv1.ErrBadData, promv1.ErrExec:
		return evidence.MetricRejected, "it can't be evaluated there"
	case promv1.ErrClient:
		return evidence.MetricUnreachable, "the source refused: its credential, or its address, is not what it expects"
	case promv1.ErrTimeout, promv1.ErrCanceled:
		return evidence.MetricUnreachable, "the source gave up"
	}
	return evidence.MetricUnreachable, "the source did not answer as a Prometheus does"
}

func clientOf(source Source, guard probe.Guard) (api.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(source.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(source.CA) {
			return nil, errors.New("the certificate authority holds no certificate")
		}
	}
	if strings.ContainsFunc(source.Token, unicode.IsControl) {
		return nil, errors.New("the credential is more than one line")
	}
	transport := &http.Transport{
		DialContext: guard.DialContext, TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true,
		TLSHandshakeTimeout: metricTimeout, ResponseHeaderTimeout: metricTimeout, MaxResponseHeaderBytes: 64 << 10,
	}
	client, err := api.NewClient(api.Config{Address: source.Address, Client: &http.Client{
		Transport:     bounded{next: transport, token: source.Token},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, errors.New("the address is no URL")
	}
	return client, nil
}

var errTooLong = errors.New("the answer is too long")

// bounded shows the credential, and ends an answer that is too long with an error: one that was cut could be read as whole.
type bounded struct {
	next  http.RoundTripper
	token string
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &shortBody{ReadCloser: resp.Body, left: maxMetricAnswer}
	return resp, nil
}

type shortBody struct {
	io.ReadCloser
	left int
}

func (s *shortBody) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if s.left -= n; s.left < 0 {
		return 0, fmt.Errorf("reading: %w", errTooLong)
	}
	return n, err
}
