package assess

import (
	"time"

	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// Attempt is one attempt to measure a gate for a review: the reports of its runs, by part.
type Attempt struct {
	// Number of the attempt, from 1; 0 where none left a report.
	Number int
	parts  map[string]witnessed
}

// witnessed is a run and its control.
type witnessed struct{ run, control measured }

// AttemptOf gathers what the given attempt of a gate has left so far. What was measured for a review counts for that one
// alone: the same subject under the same requirements, reviewed again, is measured again.
func AttemptOf(rec record.Record, name string, reports []record.Report, number int) Attempt {
	a := Attempt{Number: number, parts: map[string]witnessed{}}
	for _, r := range reports {
		if r.Attempt != number || !ours(rec, name, r) {
			continue
		}
		part := a.parts[r.Part]
		if r.Gate == ReportOf(name) {
			part.run = open(r)
		} else {
			part.control = open(r)
		}
		a.parts[r.Part] = part
	}
	for name, part := range a.parts {
		// A control alone is no measurement: its run is still to come.
		if part.run.digest == "" {
			delete(a.parts, name)
		}
	}
	return a
}

// Newest is the last attempt of a gate that left a report.
func Newest(rec record.Record, name string, reports []record.Report) Attempt {
	number := 0
	for _, r := range reports {
		if ours(rec, name, r) && r.Gate == ReportOf(name) {
			number = max(number, r.Attempt)
		}
	}
	return AttemptOf(rec, name, reports, number)
}

func ours(rec record.Record, name string, r record.Report) bool {
	return r.Prototype.UID == rec.Prototype.UID && r.Ordinal == rec.Ordinal && r.Inputs == rec.ReviewDigest &&
		(r.Gate == ReportOf(name) || r.Gate == ControlOf(name))
}

// Taken is what the attempt has measured, for an instrument.
func (a Attempt) Taken() gate.Taken {
	taken := gate.Taken{Runs: map[string]gate.Witnessed{}}
	for name, part := range a.parts {
		taken.Runs[name] = gate.Witnessed{Measurement: part.run.Measurement, Control: part.control.Measurement}
	}
	return taken
}

// Has tells whether a part has left a report, and Lost whether what it left is that it came to nothing.
func (a Attempt) Has(part string) bool { return a.parts[part].run.digest != "" }

// Lost tells whether a part came to nothing. The attempt then ends with it.
func (a Attempt) Lost() bool {
	for _, part := range a.parts {
		if part.run.Lost != "" {
			return true
		}
	}
	return false
}

// At is when the last of its reports was made; the zero time without one.
func (a Attempt) At() time.Time {
	_, at := a.last()
	return at
}

// last is the digest and the time of the newest report.
func (a Attempt) last() (digest string, at time.Time) {
	for _, part := range a.parts {
		if digest == "" || part.run.at.After(at) || part.run.at.Equal(at) && part.run.digest > digest {
			digest, at = part.run.digest, part.run.at
		}
	}
	return digest, at
}
