package assess

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// Kinds of reports in the records, the values of record.Report.Gate, besides those of a policy's gates.
const (
	ReportIsolation        = "isolation"
	ReportIsolationControl = "isolation-control"
)

// ReportOf is the kind of a gate's reports, and ControlOf that of their controls: apart from each other and from those of
// isolation whatever a policy calls its gates.
func ReportOf(gate string) string { return "gate-" + gate }

// IsGate tells whether a kind is that of a gate's own runs.
func IsGate(kind string) bool { return strings.HasPrefix(kind, ReportOf("")) }

// ControlOf is the kind of the reports of a gate's controls.
func ControlOf(gate string) string { return "control-" + gate }

// lostSchema names the form of what is kept of a run that left no evidence.
const lostSchema = "affineur.dev/lost/v1"

// lost is kept in place of a report, so that attempts are counted by the record and not by a status.
type lost struct {
	Schema string `json:"schema"`
	Why    string `json:"why"`
	NoRoom bool   `json:"noRoom,omitempty"`
}

// Lost is the body that is kept of a run that left no evidence. It never passes for a report.
func Lost(why string) ([]byte, error) {
	return json.Marshal(lost{Schema: lostSchema, Why: evidence.Clean(why, 512)})
}

// NoRoom is the body that is kept of a run that could not be made, because there was no room for it.
func NoRoom(why string) ([]byte, error) {
	return json.Marshal(lost{Schema: lostSchema, Why: evidence.Clean(why, 512), NoRoom: true})
}

// measured is the newest measurement of a kind.
type measured struct {
	gate.Measurement
	// digest of the report's body, "" without one.
	digest string
	at     time.Time
	// inputs that it was made under.
	inputs string
}

// newest opens the newest report of a kind that was made for the prototype and for no review. One that can't be verified
// is not passed over for an older one that can: it says that something is wrong.
func newest(rec record.Record, reports []record.Report, name string) measured {
	var best *record.Report
	for i := range reports {
		r := &reports[i]
		if r.Gate != name || r.Prototype.UID != rec.Prototype.UID || r.Ordinal != 0 {
			continue
		}
		if best == nil || r.MeasuredAt.After(best.MeasuredAt) || r.MeasuredAt.Equal(best.MeasuredAt) && r.Name > best.Name {
			best = r
		}
	}
	if best == nil {
		return measured{}
	}
	return open(*best)
}

// Open a report: what it holds, verified, or why that can't be used.
func Open(r record.Report) gate.Measurement { return open(r).Measurement }

func open(r record.Report) measured {
	m := measured{digest: r.Digest(), at: r.MeasuredAt, inputs: r.Inputs}
	var gone lost
	if err := json.Unmarshal(r.Body, &gone); err == nil && gone.Schema == lostSchema {
		m.Lost, m.NoRoom = evidence.Clean(gone.Why, 512), gone.NoRoom
		return m
	}
	opened, err := evidence.OpenRecord(r.Body, m.digest, evidence.Expect{Nonce: r.Nonce, Subject: r.Inputs})
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
		if r.Gate != name || r.Prototype.UID != rec.Prototype.UID || run.inputs == "" || r.Inputs != run.inputs || r.Ordinal != 0 {
			continue
		}
		if best == nil || closer(*r, *best, run.at) {
			best = r
		}
	}
	if best == nil {
		return measured{}
	}
	return open(*best)
}

func closer(a, b record.Report, end time.Time) bool {
	if after := !a.MeasuredAt.Before(end); after != !b.MeasuredAt.Before(end) {
		return after
	}
	awayA, awayB := a.MeasuredAt.Sub(end).Abs(), b.MeasuredAt.Sub(end).Abs()
	return awayA < awayB || awayA == awayB && a.Name > b.Name
}
