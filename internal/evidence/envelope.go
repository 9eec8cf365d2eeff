package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// EnvelopeSchema names the form of an Envelope.
	EnvelopeSchema = "affineur.dev/envelope/v1"
	// MaxEnvelopeBytes bounds an envelope. The kubelet cuts a container's termination message at 4 KiB.
	MaxEnvelopeBytes = 2 << 10
	// MaxReportBytes bounds a report's JSON.
	MaxReportBytes = 512 << 10
	// ReportPrefix starts the one line of the log that holds the report.
	ReportPrefix = "affineur-report: "
	// MaxLogBytes is how much of a runner's log is worth reading: the report and a little around it.
	MaxLogBytes = MaxReportBytes + 64<<10
	// TerminationPathEnv overrides TerminationPath.
	TerminationPathEnv = "AFFINEUR_TERMINATION_PATH"
	// TerminationPath is where the kubelet reads a container's termination message.
	TerminationPath = "/dev/termination-log"

	maxFailure = 512
)

// Envelope vouches for a report, or says why there is none.
type Envelope struct {
	// Schema is EnvelopeSchema.
	Schema string `json:"schema"`
	// Nonce, Subject and Kind repeat the RunSpec's.
	Nonce   string `json:"nonce"`
	Subject string `json:"subject"`
	Kind    Kind   `json:"kind"`
	// ReportDigest is the SHA-256 of the report's JSON, "sha256:…", and ReportBytes its length. Empty and 0 when
	// nothing was measured.
	ReportDigest string `json:"reportDigest,omitempty"`
	ReportBytes  int    `json:"reportBytes,omitempty"`
	// StartedAt and FinishedAt are by the runner's clock, in UTC.
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
	// Failure is why the run could not measure; empty exactly when it did. What was measured, however bad, is no
	// failure of the run.
	Failure string `json:"failure,omitempty"`
}

// Digest is the SHA-256 of raw as "sha256:" and 64 hex digits.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Seal writes a report as the line for the log, newline included, and the envelope for the termination message. It
// refuses a report that Open would refuse for its own sake.
func Seal(r Report) (line, envelope []byte, err error) {
	r.StartedAt, r.FinishedAt = r.StartedAt.UTC(), r.FinishedAt.UTC()
	raw, err := Encode(r)
	if err != nil {
		return nil, nil, err
	}
	envelope, err = encodeEnvelope(Envelope{
		Nonce: r.Nonce, Subject: r.Subject, Kind: r.Kind(),
		ReportDigest: Digest(raw), ReportBytes: len(raw),
		StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
	})
	if err != nil {
		return nil, nil, err
	}
	line = append(append([]byte(ReportPrefix), raw...), '\n')
	return line, envelope, nil
}

// SealFailure writes the envelope of a run that could not measure, with as much of its identity as is known.
func SealFailure(s RunSpec, failure string, started, finished time.Time) ([]byte, error) {
	failure = Clean(failure, maxFailure)
	if failure == "" {
		return nil, errors.New("a failure without a reason")
	}
	return encodeEnvelope(Envelope{
		Nonce: Clean(s.Nonce, 64), Subject: Clean(s.Subject, 71), Kind: s.Kind(), Failure: failure,
		StartedAt: started.UTC(), FinishedAt: finished.UTC(),
	})
}

// Encode writes a report as it is kept. It refuses one that Open would refuse for its own sake.
func Encode(r Report) ([]byte, error) {
	r.Schema = ReportSchema
	r.StartedAt, r.FinishedAt = r.StartedAt.UTC(), r.FinishedAt.UTC()
	r.clean()
	if err := r.Validate(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxReportBytes {
		return nil, fmt.Errorf("the report is %d bytes long, %d are allowed", len(raw), MaxReportBytes)
	}
	return raw, nil
}

func encodeEnvelope(e Envelope) ([]byte, error) {
	e.Schema = EnvelopeSchema
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxEnvelopeBytes {
		return nil, fmt.Errorf("the envelope is %d bytes long, %d are allowed", len(raw), MaxEnvelopeBytes)
	}
	return raw, nil
}
