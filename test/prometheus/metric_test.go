// Package prometheus asks a real Prometheus: its storage, its engine and its API, in a module of its own, since they need
// much that the project does not.
package prometheus

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/sample"
)

// recorded is what was scraped every 15 s: of 10 requests a second one in a hundred fails, of another program half; a
// gauge that was never a number; nothing since 30 minutes of another.
const recorded = `load 15s
  requests_total{sandbox="affx-good"} 0+150x240
  errors_total{sandbox="affx-good"} 0+1.5x240
  requests_total{sandbox="affx-other"} 0+150x240
  errors_total{sandbox="affx-other"} 0+75x240
  saturation{sandbox="affx-good", pod="a"} 0.2x240
  saturation{sandbox="affx-good", pod="b"} 0.9x240
  strange{sandbox="affx-good"} NaN NaN NaN NaN NaN NaN
  quiet_total{sandbox="affx-good"} 0+1x100
`

const errorRatio = `sum(rate(errors_total{sandbox="affx-good"}[600s])) / sum(rate(requests_total{sandbox="affx-good"}[600s]))`

type noStats struct{}

func (noStats) CleanTombstones() error { return errors.New("not here") }
func (noStats) Delete(context.Context, int64, int64, ...*labels.Matcher) error {
	return errors.New("not here")
}
func (noStats) Snapshot(string, bool) error                    { return errors.New("not here") }
func (noStats) Stats(string, int) (*tsdb.Stats, error)         { return nil, errors.New("not here") }
func (noStats) WALReplayStatus() (tsdb.WALReplayStatus, error) { return tsdb.WALReplayStatus{}, nil }
func (noStats) BlockMetas() ([]tsdb.BlockMeta, error)          { return nil, errors.New("not here") }

// serve runs Prometheus' own API over what was recorded.
func serve(t *testing.T, q storage.SampleAndChunkQueryable) http.Handler {
	t.Helper()
	registry := prometheus.NewRegistry()
	api := v1.NewAPI(
		promqltest.NewTestEngine(t, false, 5*time.Minute, 50_000), q, nil, nil,
		func(context.Context) v1.ScrapePoolsRetriever { return nil },
		func(context.Context) v1.TargetRetriever { return nil },
		func(context.Context) v1.AlertmanagerRetriever { return nil },
		func() config.Config { return config.Config{} }, nil, v1.GlobalURLOptions{},
		func(f http.HandlerFunc) http.HandlerFunc { return f },
		noStats{}, t.TempDir(), false, promslog.NewNopLogger(),
		func(context.Context) v1.RulesRetriever { return nil },
		0, 0, 0, false, nil, nil, &v1.PrometheusVersion{}, nil, nil, registry, registry, nil,
		false, nil, false, false, false, false, 5*time.Minute, false, nil,
	)
	router := route.New()
	api.Register(router.WithPrefix("/api/v1"))
	return router
}

func anyAddress(netip.Addr) error { return nil }

func order(query string) evidence.MetricOrder {
	return evidence.MetricOrder{
		Query: query, Start: time.Unix(1800, 0).UTC(), End: time.Unix(2400, 0).UTC(),
		Conditions: evidence.Conditions{SuccessWhen: "result <= 0.02", FailureWhen: "result > 0.05"},
	}
}

func TestAnswersOfARealPrometheus(t *testing.T) {
	store := promqltest.LoadedStorage(t, recorded)
	server := httptest.NewServer(serve(t, store))
	t.Cleanup(server.Close)
	many := order(`max_over_time(saturation{sandbox="affx-good"}[600s])`)
	many.Many, many.SuccessWhen, many.FailureWhen = true, "result.all(r, r.value < 0.95)", "result.exists(r, r.value >= 0.95)"
	none := order(`max_over_time(saturation{sandbox="affx-none"}[600s])`)
	none.Many, none.SuccessWhen, none.FailureWhen = many.Many, many.SuccessWhen, many.FailureWhen
	for name, tc := range map[string]struct {
		order            evidence.MetricOrder
		outcome          evidence.MetricOutcome
		series           int
		success, failure evidence.Answer
		lowest           string
	}{
		"good":                 {order(errorRatio), evidence.MetricAnswered, 1, evidence.AnswerHolds, evidence.AnswerDoesNot, "0.01"},
		"bad":                  {order(`sum(rate(errors_total{sandbox="affx-other"}[600s])) / sum(rate(requests_total{sandbox="affx-other"}[600s]))`), evidence.MetricAnswered, 1, evidence.AnswerDoesNot, evidence.AnswerHolds, "0.5"},
		"a scalar":             {order(`scalar(` + errorRatio + `)`), evidence.MetricAnswered, 1, evidence.AnswerHolds, evidence.AnswerDoesNot, "0.01"},
		"in between":           {order(`vector(0.03)`), evidence.MetricAnswered, 1, evidence.AnswerDoesNot, evidence.AnswerDoesNot, "0.03"},
		"several":              {many, evidence.MetricAnswered, 2, evidence.AnswerHolds, evidence.AnswerDoesNot, "0.2"},
		"all of none":          {none, evidence.MetricNoData, 0, "", "", ""},
		"several where one is": {order(`saturation{sandbox="affx-good"}`), evidence.MetricManySeries, 2, "", "", ""},
		"no such series":       {order(`sum(rate(errors_total{sandbox="affx-none"}[600s]))`), evidence.MetricNoData, 0, "", "", ""},
		"nothing any more":     {order(`sum(increase(quiet_total{sandbox="affx-good"}[600s]))`), evidence.MetricNoData, 0, "", "", ""},
		"not a number":         {order(`last_over_time(strange{sandbox="affx-good"}[2400s])`), evidence.MetricNotANumber, 1, "", "", ""},
		"nothing by nothing":   {order(`vector(0) / vector(0)`), evidence.MetricNotANumber, 1, "", "", ""},
		"one by nothing":       {order(`vector(1) / vector(0)`), evidence.MetricNotANumber, 1, "", "", ""},
		"a range":              {order(`errors_total{sandbox="affx-good"}[600s]`), evidence.MetricOtherForm, 0, "", "", ""},
		"a text":               {order(`"Passed"`), evidence.MetricUnreachable, 0, "", "", ""},
		"no PromQL":            {order(`sum(`), evidence.MetricRejected, 0, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sample.Metric(t.Context(), sample.Source{Address: server.URL}, anyAddress, tc.order, condition.Prototype{})
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Validate(); err != nil {
				t.Errorf("the result is not valid: %v", err)
			}
			if got.Outcome != tc.outcome || got.Series != tc.series || got.Lowest != tc.lowest {
				t.Errorf("got %+v", got)
			}
			if tc.success == "" {
				if got.Answers != nil {
					t.Errorf("answers to nothing: %+v", got.Answers)
				}
				return
			}
			if got.Answers == nil || got.Answers.Success != tc.success || got.Answers.Failure != tc.failure {
				t.Errorf("got %+v", got.Answers)
			}
		})
	}
}

// TestTheSameWindowAnswersTheSame: what happens after the window changes nothing in it.
func TestTheSameWindowAnswersTheSame(t *testing.T) {
	store := promqltest.LoadedStorage(t, recorded)
	server := httptest.NewServer(serve(t, store))
	t.Cleanup(server.Close)
	ask := func() *evidence.MetricResult {
		got, err := sample.Metric(t.Context(), sample.Source{Address: server.URL}, anyAddress, order(errorRatio), condition.Prototype{})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := ask()
	appender := store.Appender(t.Context())
	if _, err := appender.Append(0, labels.FromStrings("__name__", "errors_total", "sandbox", "affx-good"), 3_700_000, 1e9); err != nil {
		t.Fatal(err)
	}
	if err := appender.Commit(); err != nil {
		t.Fatal(err)
	}
	if after := ask(); after.Lowest != before.Lowest || after.Outcome != evidence.MetricAnswered {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func TestTheWayThere(t *testing.T) {
	store := promqltest.LoadedStorage(t, recorded)
	prometheus := serve(t, store)
	withToken := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer reader" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		prometheus.ServeHTTP(w, r)
	})
	secured := httptest.NewTLSServer(withToken)
	t.Cleanup(secured.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, secured.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(elsewhere.Close)
	closed := httptest.NewServer(nil)
	closed.Close()
	refuse := func(netip.Addr) error { return errors.New("no") }
	for name, tc := range map[string]struct {
		source sample.Source
		guard  func(netip.Addr) error
		want   evidence.MetricOutcome
	}{
		"with all it needs":         {sample.Source{Address: secured.URL, CA: ca, Token: "reader"}, anyAddress, evidence.MetricAnswered},
		"without the credential":    {sample.Source{Address: secured.URL, CA: ca}, anyAddress, evidence.MetricUnreachable},
		"another authority":         {sample.Source{Address: secured.URL, Token: "reader"}, anyAddress, evidence.MetricUnreachable},
		"no authority at all":       {sample.Source{Address: secured.URL, CA: []byte("none"), Token: "reader"}, anyAddress, evidence.MetricUnusable},
		"a credential of two":       {sample.Source{Address: secured.URL, CA: ca, Token: "a\r\nb"}, anyAddress, evidence.MetricUnusable},
		"redirected":                {sample.Source{Address: elsewhere.URL, CA: ca, Token: "reader"}, anyAddress, evidence.MetricUnreachable},
		"nobody there":              {sample.Source{Address: closed.URL}, anyAddress, evidence.MetricUnreachable},
		"an address not to touch":   {sample.Source{Address: secured.URL, CA: ca, Token: "reader"}, refuse, evidence.MetricUnreachable},
		"an address that is none":   {sample.Source{Address: "http://[::1"}, anyAddress, evidence.MetricUnusable},
		"something else altogether": {sample.Source{Address: secured.URL + "/elsewhere", CA: ca, Token: "reader"}, anyAddress, evidence.MetricUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sample.Metric(t.Context(), tc.source, tc.guard, order(errorRatio), condition.Prototype{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Outcome != tc.want || got.Validate() != nil {
				t.Errorf("got %+v, %v", got, got.Validate())
			}
		})
	}
}

// TestAProxyOnTheWay: what a source in front of several others says about a part of them is not the whole.
func TestAProxyOnTheWay(t *testing.T) {
	long := make([]byte, 5<<20)
	for i := range long {
		long[i] = ' '
	}
	for name, tc := range map[string]struct {
		body string
		want evidence.MetricOutcome
	}{
		"partial":                  {`{"status":"success","warnings":["store unreachable"],"data":{"resultType":"vector","result":[{"metric":{},"value":[2400,"0.01"]}]}}`, evidence.MetricWarned},
		"of another time":          {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[60,"0.01"]}]}}`, evidence.MetricOtherForm},
		"a number of another time": {`{"status":"success","data":{"resultType":"scalar","result":[60,"0.01"]}}`, evidence.MetricOtherForm},
		"a number":                 {`{"status":"success","data":{"resultType":"scalar","result":[2400,"0.01"]}}`, evidence.MetricAnswered},
		"a histogram": {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[2400,{"count":"9","sum":"9","buckets":[[0,"0","1","9"]]}]}]}}`,
			evidence.MetricOtherForm},
		"too long": {string(long) + `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[2400,"0.01"]}]}}`, evidence.MetricUnreachable},
		"a page":   {`<html>sign in</html>`, evidence.MetricUnreachable},
		"cut":      {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"val`, evidence.MetricUnreachable},
		"whole":    {`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[2400,"0.01"]}]}}`, evidence.MetricAnswered},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(tc.body)) }))
			t.Cleanup(server.Close)
			got, err := sample.Metric(t.Context(), sample.Source{Address: server.URL}, anyAddress, order("vector(0.01)"), condition.Prototype{})
			if err != nil {
				t.Fatal(err)
			}
			if got.Outcome != tc.want || got.Validate() != nil {
				t.Errorf("got %+v, %v", got, got.Validate())
			}
		})
	}
}

// TestMoreSeriesThanMayAnswer: what a source left out of an answer could be what the conditions ask for.
func TestMoreSeriesThanMayAnswer(t *testing.T) {
	for count, want := range map[int]evidence.MetricOutcome{evidence.MaxSeries: evidence.MetricAnswered, evidence.MaxSeries + 1: evidence.MetricManySeries} {
		series := make([]string, count)
		for i := range series {
			series[i] = fmt.Sprintf(`{"metric":{"pod":"%d"},"value":[2400,"0.01"]}`, i)
		}
		body := `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(series, ",") + `]}}`
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		t.Cleanup(server.Close)
		many := order("errors")
		many.Many, many.SuccessWhen, many.FailureWhen = true, "result.all(r, r.value < 0.02)", "result.exists(r, r.value > 0.05)"
		got, err := sample.Metric(t.Context(), sample.Source{Address: server.URL}, anyAddress, many, condition.Prototype{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Outcome != want || got.Validate() != nil {
			t.Errorf("%d series: %s, %v", count, got.Outcome, got.Validate())
		}
	}
}
