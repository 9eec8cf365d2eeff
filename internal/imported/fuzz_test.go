package imported

import (
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

var at = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// What is taken over can be sealed as a report and read again, and a right answer is one of which the file says so.
func fuzz(f *testing.F, order evidence.ImportOrder) {
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := Read(order, raw)
		if err != nil {
			return
		}
		if err := got.Validate(); err != nil {
			t.Fatalf("it does not validate: %v", err)
		}
		line, envelope, err := evidence.Seal(evidence.Report{Nonce: "0123456789abcdef", Subject: evidence.Digest(nil), Result: got, StartedAt: at, FinishedAt: at})
		if err != nil {
			return
		}
		opened, err := evidence.Open(envelope, line, evidence.Expect{Nonce: "0123456789abcdef", Subject: evidence.Digest(nil), Kind: evidence.KindImport})
		if err != nil {
			t.Fatalf("it can't be opened: %v", err)
		}
		again, err := evidence.Read[evidence.ImportResult](opened.Report.Result)
		if err != nil || told(again) != told(got) {
			t.Fatalf("got %+v, %v, want %+v", again, err, got)
		}
	})
}

func FuzzPromptfoo(f *testing.F) {
	f.Add([]byte(results(1, 0, row(""))))
	f.Add([]byte(results(0, 1, row(`"success":true,"failureReason":0=>"success":false,"failureReason":1`))))
	f.Add([]byte(`{"results":{"version":3,"results":[{}],"stats":{"failures":1}}}`))
	fuzz(f, promptfoo)
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte(log("", sample(`{"match":{"value":"C"}}`))))
	f.Add([]byte(log("", sample(`{"match":{"value":0.5},"model_graded_qa":{"value":1}}`))))
	f.Add([]byte(`{"version":2,"status":"success","results":{"total_samples":1},"samples":[{"id":1,"epoch":1}]}`))
	fuzz(f, inspect)
}
