package evidence_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

// reader reads a body as one of the kinds there are. Its tidy form is what it writes again.
type reader struct {
	kind evidence.Kind
	read func(evidence.Body) (evidence.Body, error)
}

func readerOf[T any, P interface {
	*T
	evidence.Body
}]() reader {
	return reader{kind: P(new(T)).Kind(), read: func(body evidence.Body) (evidence.Body, error) {
		got, err := evidence.Read[T, P](body)
		return P(got), err
	}}
}

// orders and results are all kinds of bodies that travel between the operator and its runners.
var (
	orders = []reader{
		readerOf[evidence.IsolationSpec](), readerOf[evidence.LoadSpec](), readerOf[evidence.IntegrationSpec](), readerOf[evidence.FaultsOrder](),
		readerOf[evidence.QualityOrder](), readerOf[evidence.PrivacyOrder](), readerOf[evidence.ResourceOrder](), readerOf[evidence.MetricOrder](),
		readerOf[evidence.JobOrder](), readerOf[evidence.MaterialOrder](), readerOf[evidence.SecretsOrder](), readerOf[evidence.SupplyOrder](), readerOf[evidence.LogOrder](),
		readerOf[evidence.RightsOrder](),
	}
	results = []reader{
		readerOf[evidence.IsolationReport](), readerOf[evidence.LoadReport](), readerOf[evidence.IntegrationReport](), readerOf[evidence.FaultsResult](),
		readerOf[evidence.QualityResult](), readerOf[evidence.PrivacyResult](), readerOf[evidence.ResourceResult](), readerOf[evidence.MetricResult](),
		readerOf[evidence.JobResult](), readerOf[evidence.MaterialResult](), readerOf[evidence.SecretsResult](), readerOf[evidence.SupplyResult](), readerOf[evidence.LogResult](),
		readerOf[evidence.RightsResult](),
	}
)

// roundTrips wants that what was accepted validates, is written, and is read as the same again.
func roundTrips(t *testing.T, r reader, body evidence.Body, again func(raw []byte) evidence.Body) {
	t.Helper()
	got, err := r.read(body)
	if err != nil {
		return
	}
	if err := got.Validate(); err != nil {
		t.Fatalf("%s: read what is not valid: %v", r.kind, err)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatalf("%s: what was read can't be written: %v", r.kind, err)
	}
	back, err := r.read(again(raw))
	if err != nil {
		t.Fatalf("%s: what was written can't be read: %v", r.kind, err)
	}
	once, _ := json.Marshal(got)
	twice, _ := json.Marshal(back)
	if !bytes.Equal(once, twice) || reflect.TypeOf(got) != reflect.TypeOf(back) {
		t.Fatalf("%s: %s became %s", r.kind, once, twice)
	}
}

// FuzzOpenRecord looks for reports that are accepted and can't be used: of every kind, with the envelope's protection
// taken away.
func FuzzOpenRecord(f *testing.F) {
	for i, r := range results {
		if judged := judgedResult(); judged.Kind() == r.kind {
			raw, err := json.Marshal(judged)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(i, raw)
		}
		f.Add(i, []byte("{}"))
		f.Add(i, []byte(`{"unknown": 1}`))
		for _, report := range []evidence.Report{isolationReport(), loadReport(), integrationReport()} {
			if report.Kind() == r.kind {
				raw, err := json.Marshal(report.Result)
				if err != nil {
					f.Fatal(err)
				}
				f.Add(i, raw)
			}
		}
	}
	f.Add(1, []byte("null"))
	f.Add(2, []byte(`[[[[`))
	f.Fuzz(func(t *testing.T, at int, result []byte) {
		r := results[(at%len(results)+len(results))%len(results)]
		wrap := func(result []byte) ([]byte, *evidence.Opened, error) {
			raw := []byte(`{"schema":"` + evidence.ReportSchema + `","nonce":"` + nonce + `","subject":"` + subject + `","kind":"` + string(r.kind) +
				`","startedAt":"2026-01-01T00:00:00Z","finishedAt":"2026-01-01T00:10:00Z","result":` + string(result) + `}`)
			opened, err := evidence.OpenRecord(raw, evidence.Digest(raw), expect(r.kind))
			return raw, opened, err
		}
		raw, opened, err := wrap(result)
		if err != nil {
			wantClean(t, err)
			return
		}
		if opened.Report.Kind() != r.kind || !bytes.Equal(opened.Raw, raw) || opened.Report.Validate() != nil {
			t.Fatalf("opened what it should not: %+v", opened.Report)
		}
		roundTrips(t, r, opened.Report.Result, func(raw []byte) evidence.Body {
			_, again, err := wrap(raw)
			if err != nil {
				t.Fatalf("%s: a report that was read can't be opened again: %v", r.kind, err)
			}
			return again.Report.Result
		})
	})
}

// FuzzDecodeRun looks for orders that a runner takes and could not be given.
func FuzzDecodeRun(f *testing.F) {
	for i, r := range orders {
		f.Add(i, []byte(`{"schema":"`+evidence.RunSchema+`","nonce":"`+nonce+`","subject":"`+subject+`","kind":"`+string(r.kind)+`","order":{}}`))
		f.Add(i, []byte(`{"schema":"`+evidence.RunSchema+`","nonce":"`+nonce+`","subject":"`+subject+`","kind":"`+string(r.kind)+
			`","order":{"deadline":"10s","steps":[]},"files":[{"name":"examples","digest":"`+subject+`"}]}`))
	}
	f.Add(0, []byte(`{"schema":"`+evidence.RunSchema+`","schema":"x"}`))
	f.Add(0, []byte(nil))
	f.Fuzz(func(t *testing.T, at int, text []byte) {
		run, err := evidence.DecodeRun(text)
		if err != nil {
			return
		}
		if err := run.Validate(); err != nil {
			t.Fatalf("decoded what is not valid: %v", err)
		}
		written, err := evidence.EncodeRun(run)
		if err != nil {
			// Escapes make a text longer; nothing else may keep what was read from being written.
			if len(text) < evidence.MaxRunBytes/8 {
				t.Fatalf("what was decoded can't be encoded: %v", err)
			}
			return
		}
		again, err := evidence.DecodeRun(written)
		if err != nil || again.Nonce != run.Nonce || again.Subject != run.Subject || again.Kind() != run.Kind() || !slices.Equal(again.Files, run.Files) {
			t.Fatalf("%+v became %+v, %v", run, again, err)
		}
		r := orders[(at%len(orders)+len(orders))%len(orders)]
		roundTrips(t, r, run.Order, func(raw []byte) evidence.Body {
			run.Order = travelled(t, run, raw)
			return run.Order
		})
	})
}

// travelled is an order as a runner gets it.
func travelled(t *testing.T, run evidence.RunSpec, order []byte) evidence.Body {
	t.Helper()
	wire, err := json.Marshal(map[string]any{"schema": run.Schema, "nonce": run.Nonce, "subject": run.Subject, "kind": run.Kind(), "order": json.RawMessage(order)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := evidence.DecodeRun(wire)
	if err != nil {
		t.Fatalf("an order that was read can't be decoded again: %v", err)
	}
	return again.Order
}
