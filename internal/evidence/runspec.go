package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

const (
	// RunSchema names the form of a RunSpec.
	RunSchema = "affineur.dev/run/v2"
	// RunEnv is the environment variable in which the runner finds its RunSpec.
	RunEnv = "AFFINEUR_RUN"
	// MaxRunBytes bounds a RunSpec: Linux takes at most 128 KiB for one environment variable (MAX_ARG_STRLEN).
	MaxRunBytes = 96 << 10

	maxNames = 64
	maxFiles = 16
	maxText  = 256
)

// RunSpec is one measurement that the operator asks of a runner.
type RunSpec struct {
	// Schema is RunSchema.
	Schema string
	// Nonce is unguessable and made for this run alone; the envelope repeats it, so that an answer to another
	// question is not taken for the answer to this one. 16 to 64 characters of [0-9A-Za-z-].
	Nonce string
	// Subject is the digest of what is measured, "sha256:" and 64 hex digits.
	Subject string
	// Order is what to measure. One that was decoded has its type only after Read.
	Order Body
	// Files that the runner is given under FilesPath, at most 16.
	Files []File
}

// FilesPath is the directory in which a runner finds its files.
const FilesPath = "/var/run/affineur/files"

// File is one file for a runner, bound by its content.
type File struct {
	// Name below FilesPath, of [A-Za-z0-9._-].
	Name string `json:"name"`
	// Digest is the SHA-256 of its content, "sha256:" and 64 hex digits.
	Digest string `json:"digest"`
}

// runWire is a RunSpec in JSON.
type runWire struct {
	Schema  string          `json:"schema"`
	Nonce   string          `json:"nonce"`
	Subject string          `json:"subject"`
	Kind    Kind            `json:"kind"`
	Order   json.RawMessage `json:"order"`
	Files   []File          `json:"files,omitempty"`
}

var (
	nonceForm  = regexp.MustCompile(`^[0-9A-Za-z-]{16,64}$`)
	fileForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Kind of the order, "" without one.
func (s RunSpec) Kind() Kind { return kindOf(s.Order) }

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
	if s.Order == nil {
		return errors.New("no order")
	}
	if err := validateFiles(s.Files); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	return prefixed(string(s.Kind()), s.Order.Validate())
}

func validateFiles(files []File) error {
	if len(files) > maxFiles {
		return fmt.Errorf("%d entries, %d are allowed", len(files), maxFiles)
	}
	seen := map[string]bool{}
	for i, f := range files {
		if !fileForm.MatchString(f.Name) || !digestForm.MatchString(f.Digest) || seen[f.Name] {
			return fmt.Errorf("entry %d has no usable name or digest", i)
		}
		seen[f.Name] = true
	}
	return nil
}

// EncodeRun writes a RunSpec for the environment of the runner. It refuses one that the runner would refuse.
func EncodeRun(s RunSpec) ([]byte, error) {
	s.Schema = RunSchema
	if err := s.Validate(); err != nil {
		return nil, err
	}
	order, err := json.Marshal(s.Order)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(runWire{Schema: s.Schema, Nonce: s.Nonce, Subject: s.Subject, Kind: s.Kind(), Order: order, Files: s.Files})
	if err != nil {
		return nil, err
	}
	if len(text) > MaxRunBytes {
		return nil, fmt.Errorf("the run is %d bytes long, %d are allowed", len(text), MaxRunBytes)
	}
	return text, nil
}

// DecodeRun reads a RunSpec strictly: unknown, repeated or trailing data is an error. What could be read is returned
// even then, so that a runner can name the run that it could not do.
func DecodeRun(text []byte) (RunSpec, error) {
	if len(text) > MaxRunBytes {
		return RunSpec{}, fmt.Errorf("the run is %d bytes long, %d are allowed", len(text), MaxRunBytes)
	}
	var w runWire
	err := decodeStrict(text, &w)
	s := RunSpec{Schema: w.Schema, Nonce: w.Nonce, Subject: w.Subject, Order: &raw{kind: w.Kind, json: w.Order}, Files: w.Files}
	if err != nil {
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
