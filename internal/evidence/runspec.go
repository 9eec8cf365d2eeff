package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

const (
	// RunSchema names the form of a RunSpec.
	RunSchema = "affineur.dev/run/v1"
	// RunEnv is the environment variable in which the runner finds its RunSpec.
	RunEnv = "AFFINEUR_RUN"
	// MaxRunBytes bounds a RunSpec: Linux takes at most 128 KiB for one environment variable (MAX_ARG_STRLEN).
	MaxRunBytes = 96 << 10

	maxNames = 64
	maxText  = 256
)

// Kind is what a run measures.
type Kind string

const (
	// KindIsolation tries to reach targets, to see what the network lets through.
	KindIsolation Kind = "isolation"
	// KindLoad sends requests at a given rate and measures the answers.
	KindLoad Kind = "load"
	// KindIntegration asks systems whether they work from here.
	KindIntegration Kind = "integration"
)

// RunSpec is one measurement that the operator asks of a runner. Exactly one of its members is set.
type RunSpec struct {
	// Schema is RunSchema.
	Schema string `json:"schema"`
	// Nonce is unguessable and made for this run alone; the envelope repeats it, so that an answer to another
	// question is not taken for the answer to this one. 16 to 64 characters of [0-9A-Za-z-].
	Nonce string `json:"nonce"`
	// Subject is the digest of what is measured, "sha256:" and 64 hex digits.
	Subject string `json:"subject"`

	Isolation   *IsolationSpec   `json:"isolation,omitempty"`
	Load        *LoadSpec        `json:"load,omitempty"`
	Integration *IntegrationSpec `json:"integration,omitempty"`
}

var (
	nonceForm  = regexp.MustCompile(`^[0-9A-Za-z-]{16,64}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Kind is the kind of the one member that is set, or "" when not exactly one is.
func (s RunSpec) Kind() Kind {
	return onlyKind(s.Isolation != nil, s.Load != nil, s.Integration != nil)
}

func onlyKind(isolation, load, integration bool) Kind {
	switch [3]bool{isolation, load, integration} {
	case [3]bool{true, false, false}:
		return KindIsolation
	case [3]bool{false, true, false}:
		return KindLoad
	case [3]bool{false, false, true}:
		return KindIntegration
	}
	return ""
}

// Validate says what is wrong with the request, or nil.
func (s RunSpec) Validate() error {
	switch {
	case s.Schema != RunSchema:
		return errors.New("schema is not " + RunSchema)
	case !nonceForm.MatchString(s.Nonce):
		return errors.New("nonce is not 16 to 64 letters, digits or dashes")
	case !digestForm.MatchString(s.Subject):
		return errors.New("subject is not a sha256 digest")
	}
	switch s.Kind() {
	case KindIsolation:
		return prefixed("isolation", s.Isolation.validate())
	case KindLoad:
		return prefixed("load", s.Load.validate())
	case KindIntegration:
		return prefixed("integration", s.Integration.validate())
	}
	return errors.New("not exactly one of isolation, load and integration is set")
}

// EncodeRun writes a RunSpec for the environment of the runner. It refuses one that the runner would refuse.
func EncodeRun(s RunSpec) ([]byte, error) {
	s.Schema = RunSchema
	if err := s.Validate(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxRunBytes {
		return nil, fmt.Errorf("the run is %d bytes long, %d are allowed", len(raw), MaxRunBytes)
	}
	return raw, nil
}

// DecodeRun reads a RunSpec strictly: unknown, repeated or trailing data is an error. What could be read is returned
// even then, so that a runner can name the run that it could not do.
func DecodeRun(raw []byte) (RunSpec, error) {
	var s RunSpec
	if len(raw) > MaxRunBytes {
		return s, fmt.Errorf("the run is %d bytes long, %d are allowed", len(raw), MaxRunBytes)
	}
	if err := decodeStrict(raw, &s); err != nil {
		return s, err
	}
	return s, s.Validate()
}

func prefixed(field string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", field, err)
}

// distinctNames demands 1 to 64 names, each present, short, printable and used once: the judge finds results by name.
func distinctNames(names []string) error {
	if len(names) > maxNames {
		return fmt.Errorf("%d entries, %d are allowed", len(names), maxNames)
	}
	seen := make(map[string]bool, len(names))
	for i, n := range names {
		if n == "" || n != Clean(n, maxText) {
			return fmt.Errorf("entry %d has no usable name", i)
		}
		if seen[n] {
			return fmt.Errorf("entry %d repeats a name", i)
		}
		seen[n] = true
	}
	return nil
}
