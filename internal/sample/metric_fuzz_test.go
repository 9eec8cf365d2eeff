package sample

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
)

// FuzzMetric: whatever a metrics source answers, what is kept of it is valid, and both conditions are asked only about
// numbers of the moment that was asked for.
func FuzzMetric(f *testing.F) {
	for _, seed := range []string{
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[2400,"0.01"]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[]}}`, `{"status":"success","data":{"resultType":"scalar","result":[2400,"1e308"]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[2400,"NaN"]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[2400,{"count":"1","sum":"1","buckets":[]}]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[null]}}`, `{"status":"success","data":null}`, `{"status":"error","errorType":"bad_data","error":"x"}`,
		`{"status":"success","warnings":["x"],"data":{"resultType":"scalar","result":[2400,"1"]}}`, `{"data":{"resultType":"matrix","result":[]}}`, ``, `[]`, `{`,
	} {
		f.Add([]byte(seed))
	}
	var body atomic.Pointer[[]byte]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(*body.Load()) }))
	f.Cleanup(server.Close)
	order := evidence.MetricOrder{
		Query: "up", Start: time.Unix(1800, 0).UTC(), End: time.Unix(2400, 0).UTC(), Many: true,
		Conditions: evidence.Conditions{SuccessWhen: "result.all(r, r.value < 1.0)", FailureWhen: "result.exists(r, r.value >= 1.0)"},
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		body.Store(&raw)
		got, err := Metric(t.Context(), Source{Address: server.URL}, func(netip.Addr) error { return nil }, order, condition.Prototype{})
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%+v: %v", got, err)
		}
		if a := got.Answers; a != nil && (a.Success == evidence.AnswerHolds) == (a.Failure == evidence.AnswerHolds) {
			t.Errorf("conditions that exclude each other agree: %+v", got)
		}
	})
}
