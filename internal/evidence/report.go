package evidence

import (
	"errors"
	"time"
)

// ReportSchema names the form of a Report.
const ReportSchema = "affineur.dev/report/v1"

// Report is what a run measured. Exactly one of its members is set. It tells by itself what it is about, so that it
// can be kept in a record.
type Report struct {
	// Schema is ReportSchema.
	Schema string `json:"schema"`
	// Nonce and Subject repeat the RunSpec's.
	Nonce   string `json:"nonce"`
	Subject string `json:"subject"`
	// StartedAt and FinishedAt are by the runner's clock, in UTC.
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`

	Isolation   *IsolationReport   `json:"isolation,omitempty"`
	Load        *LoadReport        `json:"load,omitempty"`
	Integration *IntegrationReport `json:"integration,omitempty"`
}

// Kind is the kind of the one member that is set, or "" when not exactly one is.
func (r Report) Kind() Kind {
	return onlyKind(r.Isolation != nil, r.Load != nil, r.Integration != nil)
}

// Validate says what is wrong with the report by itself, or nil.
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
	}
	switch r.Kind() {
	case KindIsolation:
		return prefixed("isolation", r.Isolation.validate())
	case KindLoad:
		return prefixed("load", r.Load.validate())
	case KindIntegration:
		return prefixed("integration", r.Integration.validate())
	}
	return errors.New("not exactly one of isolation, load and integration is set")
}

// clean takes out of the report's strings what could harm a terminal or a status.
func (r *Report) clean() {
	if r.Isolation != nil {
		cleanResults(r.Isolation.Targets)
	}
	if r.Integration != nil {
		cleanResults(r.Integration.Unreachable)
		for i := range r.Integration.Checks {
			c := &r.Integration.Checks[i]
			c.Name = Clean(c.Name, maxText)
			c.Detail = Clean(c.Detail, maxText)
		}
	}
}
