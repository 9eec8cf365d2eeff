package assess

import (
	"encoding/json"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// Kinds of reports in the records, the values of record.Report.Gate.
const (
	ReportIsolation        = "isolation"
	ReportIsolationControl = "isolation-control"
	ReportLoad             = "load"
	ReportIntegration      = "integration"
	// ReportIntegrationControl is the control of an integration run: an isolation measurement from a place that may.
	ReportIntegrationControl = "integration-control"
)

// lostSchema names the form of what is kept of a run that left no evidence.
const lostSchema = "affineur.dev/lost/v1"

// lost is kept in place of a report, so that attempts are counted by the record and not by a status.
type lost struct {
	Schema string `json:"schema"`
	Why    string `json:"why"`
}

// Lost is the body that is kept of a run that left no evidence. It never passes for a report.
func Lost(why string) ([]byte, error) {
	return json.Marshal(lost{Schema: lostSchema, Why: evidence.Clean(why, 512)})
}

// measured is the newest measurement of a kind.
type measured struct {
	gate.Measurement
	// digest of the report's body, "" without one.
	digest string
	at     time.Time
	// inputs that it was made under.
	inputs string
	// ordinal of the review that it was made for, 0 for none.
	ordinal int
}

// newest opens the newest report of a kind that was made for the prototype under the given inputs, or under any where
// they are "". What binds inputs was made for one review, and counts for that one alone. One that can't be verified is
// not passed over for an older one that can: it says that something is wrong.
func newest(rec record.Record, reports []record.Report, name string, kind evidence.Kind, inputs string) measured {
	ordinal := 0
	if inputs != "" {
		ordinal = rec.Ordinal
	}
	var best *record.Report
	for i := range reports {
		r := &reports[i]
		if r.Gate != name || r.Prototype.UID != rec.Prototype.UID || inputs != "" && r.Inputs != inputs || r.Ordinal != ordinal {
			continue
		}
		if best == nil || r.MeasuredAt.After(best.MeasuredAt) || r.MeasuredAt.Equal(best.MeasuredAt) && r.Name > best.Name {
			best = r
		}
	}
	if best == nil {
		return measured{}
	}
	return open(*best, kind)
}

func open(r record.Report, kind evidence.Kind) measured {
	m := measured{digest: r.Digest(), at: r.MeasuredAt, inputs: r.Inputs, ordinal: r.Ordinal}
	var gone lost
	if err := json.Unmarshal(r.Body, &gone); err == nil && gone.Schema == lostSchema {
		m.Lost = evidence.Clean(gone.Why, 512)
		return m
	}
	opened, err := evidence.OpenRecord(r.Body, m.digest, evidence.Expect{Nonce: r.Nonce, Subject: r.Inputs, Kind: kind})
	if err != nil {
		m.Lost = "its report can't be verified: " + err.Error()
		return m
	}
	m.Report = opened.Report
	return m
}

// nearest opens the control report of a run that was made under the same inputs: the first that ended when the run had
// ended or later, since a control stays at work until then. Only where there is none, one that ended before; it will
// hardly be a witness. The distance alone would not do: a control may end long after its run, and the control of an
// earlier attempt shortly before it.
func nearest(rec record.Record, reports []record.Report, name string, run measured) measured {
	var best *record.Report
	for i := range reports {
		r := &reports[i]
		if r.Gate != name || r.Prototype.UID != rec.Prototype.UID || run.inputs == "" || r.Inputs != run.inputs || r.Ordinal != run.ordinal {
			continue
		}
		if best == nil || closer(*r, *best, run.at) {
			best = r
		}
	}
	if best == nil {
		return measured{}
	}
	return open(*best, evidence.KindIsolation)
}

func closer(a, b record.Report, end time.Time) bool {
	if after := !a.MeasuredAt.Before(end); after != !b.MeasuredAt.Before(end) {
		return after
	}
	awayA, awayB := a.MeasuredAt.Sub(end).Abs(), b.MeasuredAt.Sub(end).Abs()
	return awayA < awayB || awayA == awayB && a.Name > b.Name
}

// Newest is when the newest measurement of the review's subject by a gate of the given type was made; the zero time
// where there is none.
func Newest(rec record.Record, reports []record.Report, kind v1alpha1.GateType) time.Time {
	switch kind {
	case v1alpha1.GateScalability:
		return newest(rec, reports, ReportLoad, evidence.KindLoad, rec.ReviewDigest).at
	case v1alpha1.GateIntegration:
		return newest(rec, reports, ReportIntegration, evidence.KindIntegration, rec.ReviewDigest).at
	}
	return time.Time{}
}
