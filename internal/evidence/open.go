package evidence

import (
	"bytes"
	"crypto/subtle"
)

// Problem says why evidence can't be used.
type Problem string

const (
	// ProblemEnvelopeMissing means that there is no termination message: the runner was killed, or never ran.
	ProblemEnvelopeMissing Problem = "EnvelopeMissing"
	// ProblemEnvelopeMalformed means that the termination message is too long or not an envelope of this schema.
	ProblemEnvelopeMalformed Problem = "EnvelopeMalformed"
	// ProblemOtherRun means that the nonce, subject or kind is another run's.
	ProblemOtherRun Problem = "OtherRun"
	// ProblemRunFailed means that the runner says that it could not measure; Detail says why.
	ProblemRunFailed Problem = "RunFailed"
	// ProblemReportMissing means that the log holds no line with a report.
	ProblemReportMissing Problem = "ReportMissing"
	// ProblemReportAmbiguous means that the log holds more than one.
	ProblemReportAmbiguous Problem = "ReportAmbiguous"
	// ProblemReportAltered means that length or digest differ from the envelope's.
	ProblemReportAltered Problem = "ReportAltered"
	// ProblemReportMalformed means that the report is too long, not of this schema, or contradicts itself.
	ProblemReportMalformed Problem = "ReportMalformed"
)

// Error is why Open refused.
type Error struct {
	Problem Problem
	// Detail for people; cleaned, never quotes a report.
	Detail string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Problem)
	}
	return string(e.Problem) + ": " + e.Detail
}

// Expect is what the operator knows about the run that it started.
type Expect struct {
	Nonce   string
	Subject string
	// Kind of the run. A report that was kept may be opened without: whoever reads its result has to know.
	Kind Kind
}

// Opened is evidence that was verified.
type Opened struct {
	Report *Report
	// Raw is the report's JSON as the runner wrote it, and Digest its SHA-256: what goes into the record.
	Raw    []byte
	Digest string
}

// Open verifies a runner's termination message and log against each other and against what was asked, and returns
// the report. Every error is an *Error. The log may hold other lines, but exactly one with a report: which of two
// to believe would be a guess.
func Open(envelope, log []byte, want Expect) (*Opened, error) {
	e, err := openEnvelope(envelope, want)
	if err != nil {
		return nil, err
	}
	raw, err := reportLine(log)
	if err != nil {
		return nil, err
	}
	if len(raw) != e.ReportBytes {
		return nil, &Error{ProblemReportAltered, "the log does not hold what the runner vouched for"}
	}
	opened, err := OpenRecord(raw, e.ReportDigest, want)
	if err != nil {
		return nil, err
	}
	if r := opened.Report; !r.StartedAt.Equal(e.StartedAt) || !r.FinishedAt.Equal(e.FinishedAt) {
		return nil, &Error{ProblemReportMalformed, "the report's times are not its envelope's"}
	}
	return opened, nil
}

// OpenRecord verifies a report that was kept, as Opened.Raw, against the digest under which it was kept and against
// what had been asked. Every error is an *Error.
func OpenRecord(raw []byte, digest string, want Expect) (*Opened, error) {
	switch {
	case len(raw) > MaxReportBytes:
		return nil, &Error{ProblemReportMalformed, "too long"}
	case Digest(raw) != digest:
		return nil, &Error{ProblemReportAltered, "the report does not have its digest"}
	}
	r, err := decodeReport(raw)
	if err != nil {
		return nil, &Error{ProblemReportMalformed, err.Error()}
	}
	if err := r.Validate(); err != nil {
		return nil, &Error{ProblemReportMalformed, err.Error()}
	}
	if r.Nonce != want.Nonce || r.Subject != want.Subject || want.Kind != "" && r.Kind() != want.Kind {
		return nil, &Error{ProblemOtherRun, "the report is another run's"}
	}
	return &Opened{Report: &r, Raw: bytes.Clone(raw), Digest: digest}, nil
}

func openEnvelope(raw []byte, want Expect) (Envelope, error) {
	var e Envelope
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return e, &Error{ProblemEnvelopeMissing, "the runner left no termination message"}
	case len(raw) > MaxEnvelopeBytes:
		return e, &Error{ProblemEnvelopeMalformed, "too long"}
	}
	if err := decodeStrict(raw, &e); err != nil {
		return e, &Error{ProblemEnvelopeMalformed, err.Error()}
	}
	switch {
	case e.Schema != EnvelopeSchema:
		return e, &Error{ProblemEnvelopeMalformed, "schema is not " + EnvelopeSchema}
	case want.Nonce == "" || subtle.ConstantTimeCompare([]byte(e.Nonce), []byte(want.Nonce)) != 1:
		return e, &Error{ProblemOtherRun, "the nonce is not this run's"}
	case e.Subject != want.Subject || e.Kind != want.Kind:
		return e, &Error{ProblemOtherRun, "the subject or kind is not this run's"}
	case e.Failure != "":
		return e, &Error{ProblemRunFailed, Clean(e.Failure, maxFailure)}
	case e.ReportBytes < 1 || e.ReportBytes > MaxReportBytes || !digestForm.MatchString(e.ReportDigest):
		return e, &Error{ProblemEnvelopeMalformed, "it vouches for no report"}
	}
	return e, nil
}

// reportLine finds the one line with a report in a log.
func reportLine(log []byte) ([]byte, error) {
	var found []byte
	for line := range bytes.Lines(log) {
		raw, ok := bytes.CutPrefix(bytes.TrimSuffix(line, []byte("\n")), []byte(ReportPrefix))
		switch {
		case !ok:
		case found != nil:
			return nil, &Error{ProblemReportAmbiguous, "the log holds more than one report"}
		default:
			found = raw
		}
	}
	if found == nil {
		return nil, &Error{ProblemReportMissing, "the log holds no report"}
	}
	return found, nil
}
