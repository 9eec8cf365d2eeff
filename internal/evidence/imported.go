package evidence

import (
	"errors"
	"regexp"
)

// KindImport reads the results file of an evaluation tool that asked the prototype.
const KindImport Kind = "import"

const (
	// ResultsPath is the directory in which a tool leaves its results file.
	ResultsPath = "/var/run/affineur/results"
	// ResultsEnv is the variable that tells it.
	ResultsEnv = "AFFINEUR_RESULTS"
	// URLEnv tells a tool where the prototype is.
	URLEnv = "AFFINEUR_URL"
)

// ImportFormat is the form of a results file.
type ImportFormat string

// The forms that are known.
const (
	// ImportPromptfoo is the JSON that promptfoo eval --output writes, of results version 3.
	ImportPromptfoo ImportFormat = "Promptfoo"
	// ImportInspectAI is the log of inspect_ai as JSON, of version 2.
	ImportInspectAI ImportFormat = "InspectAI"
)

// Known tells whether it is one of the forms above.
func (f ImportFormat) Known() bool { return f == ImportPromptfoo || f == ImportInspectAI }

// ImportOrder asks for what a results file says.
type ImportOrder struct {
	Format ImportFormat `json:"format"`
	// Scorer whose scores count, of several; empty where all must say that an answer is right.
	Scorer string `json:"scorer,omitempty"`
}

var scorerForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$`)

// Kind of the order.
func (ImportOrder) Kind() Kind { return KindImport }

// Validate says what is wrong with the order, or nil.
func (o ImportOrder) Validate() error {
	switch {
	case !o.Format.Known():
		return errors.New("format is unknown")
	case o.Scorer != "" && !scorerForm.MatchString(o.Scorer):
		return errors.New("scorer is not a name")
	}
	return nil
}

// ImportResult is what a results file says, in our words.
type ImportResult struct {
	Format ImportFormat `json:"format"`
	// Tool is the version of the tool, as the file says; empty where it does not.
	Tool string `json:"tool,omitempty"`
	// Evaluation holds the file's digest, and its examples by their own ids.
	Evaluation QualityResult `json:"evaluation"`
}

// Kind of the result.
func (*ImportResult) Kind() Kind { return KindImport }

// Validate says what is wrong with the result by itself, or nil.
func (r *ImportResult) Validate() error {
	switch {
	case !r.Format.Known():
		return errors.New("format is unknown")
	case r.Tool != Clean(r.Tool, 64):
		return errors.New("tool is not a version")
	}
	return prefixed("evaluation", r.Evaluation.Validate())
}

// Clean takes out of the result's strings what could harm a terminal or a status.
func (r *ImportResult) Clean() {
	r.Tool = Clean(r.Tool, 64)
	r.Evaluation.Clean()
}
