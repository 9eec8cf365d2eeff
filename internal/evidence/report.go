package evidence

import (
	"encoding/json"
	"errors"
	"time"
)

// ReportSchema names the form of a Report.
const ReportSchema = "affineur.dev/report/v2"

// Report is what a run measured. It tells by itself what it is about, so that it can be kept in a record.
type Report struct {
	// Schema is ReportSchema.
	Schema string
	// Nonce and Subject repeat the RunSpec's.
	Nonce   string
	Subject string
	// StartedAt and FinishedAt are by the runner's clock, in UTC.
	StartedAt  time.Time
	FinishedAt time.Time
	// Result of the measurement. One that was opened has its type only after Read.
	Result Result
}

// reportWire is a report in JSON.
type reportWire struct {
	Schema     string          `json:"schema"`
	Nonce      string          `json:"nonce"`
	Subject    string          `json:"subject"`
	StartedAt  time.Time       `json:"startedAt"`
	FinishedAt time.Time       `json:"finishedAt"`
	Kind       Kind            `json:"kind"`
	Result     json.RawMessage `json:"result"`
}

// Kind of the result, "" without one.
func (r Report) Kind() Kind { return kindOf(r.Result) }

// Validate says what is wrong with the report by itself, or nil. Of a result that was opened it sees only the form.
func (r Report) Validate() error {
	switch {
	case r.Schema != ReportSchema:
		return errors.New("schema is not " + ReportSchema)
	case !nonceForm.MatchString(r.Nonce):
		return errors.New("nonce is malformed")
	case !digestForm.MatchString(r.Subject):
		return errors.New("subject is malformed")
	case r.StartedAt.IsZero() || r.FinishedAt.Before(r.StartedAt):
		return errors.New("finished before it started")
	case r.Result == nil:
		return errors.New("no result")
	}
	return prefixed(string(r.Kind()), r.Result.Validate())
}

// MarshalJSON implements json.Marshaler.
func (r Report) MarshalJSON() ([]byte, error) {
	result, err := json.Marshal(r.Result)
	if err != nil {
		return nil, err
	}
	return json.Marshal(reportWire{
		Schema: r.Schema, Nonce: r.Nonce, Subject: r.Subject, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt, Kind: r.Kind(), Result: result,
	})
}

// decodeReport reads a report strictly, but for its result, which Read reads.
func decodeReport(text []byte) (Report, error) {
	var w reportWire
	if err := decodeStrict(text, &w); err != nil {
		return Report{}, err
	}
	return Report{
		Schema: w.Schema, Nonce: w.Nonce, Subject: w.Subject, StartedAt: w.StartedAt, FinishedAt: w.FinishedAt,
		Result: &raw{kind: w.Kind, json: w.Result},
	}, nil
}

// clean takes out of the report's strings what could harm a terminal or a status.
func (r *Report) clean() {
	if r.Result != nil {
		r.Result.Clean()
	}
}
