package evidence

import (
	"errors"
	"time"
)

// LogOrder asks to look for the records of a run in the log of the sandbox that was talked to. The operator follows it
// itself, so it goes into no pod.
type LogOrder struct {
	// Nonce of the run that told the records, which they are made from, and Records how many.
	Nonce   string `json:"nonce"`
	Records int    `json:"records"`
	// Since is when the run began.
	Since time.Time `json:"since"`
}

// Kind is KindLog.
func (LogOrder) Kind() Kind { return KindLog }

// Validate says what is wrong with the order, or nil.
func (o LogOrder) Validate() error {
	switch {
	case !nonceForm.MatchString(o.Nonce):
		return errors.New("nonce is not 16 to 64 letters, digits or dashes")
	case o.Records < 1 || o.Records > 32:
		return errors.New("records is not between 1 and 32")
	case o.Since.IsZero():
		return errors.New("since is missing")
	}
	return nil
}

// LogResult is what was found in a log, without a word of it.
type LogResult struct {
	// Nonce of the run that told the records.
	Nonce string `json:"nonce"`
	// Pods whose logs were read, and Bytes in all.
	Pods  int   `json:"pods"`
	Bytes int64 `json:"bytes"`
	// Cut means that there was more than was read, or that the node gives its end only.
	Cut bool `json:"cut,omitempty"`
	// Leaks, one for each record.
	Leaks []Leak `json:"leaks,omitempty"`
}

// Kind is KindLog.
func (LogResult) Kind() Kind { return KindLog }

// Clean has nothing to do: every string is one of a few, or of a form without room for anything else.
func (*LogResult) Clean() {}

// Validate says what is wrong with the result, or nil.
func (r LogResult) Validate() error {
	switch {
	case !nonceForm.MatchString(r.Nonce):
		return errors.New("nonce is malformed")
	case r.Pods < 1 || r.Pods > 64:
		return errors.New("pods is not between 1 and 64")
	case r.Bytes < 0 || r.Bytes > 1<<32:
		return errors.New("bytes is not possible")
	}
	return validateLeaks(r.Leaks, LeakLog)
}
