// Package imported turns the results file of an evaluation tool into the words of the quality gate: for each example its
// id, its slice, and whether it was answered rightly. Nothing else of the file leaves it: neither questions nor answers.
//
// The file was written by an image that IT chose, about answers that nobody may trust, so it is taken for untrusted: bounds
// on everything, keys by case and never twice, and no version but those that are known. What the tool calls an error, what
// was not scored, and what only another model judged is never right.
//
// The package is pure: bytes in, values out.
package imported

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	kjson "sigs.k8s.io/json"

	"github.com/affineur/affineur/internal/evidence"
)

// MaxBytes bounds a results file: with it come all questions, all answers, and what the tool notes besides.
const MaxBytes = 32 << 20

// Read reads the results file of the order's format. The error says to people why the evaluation can't be used.
func Read(order evidence.ImportOrder, raw []byte) (*evidence.ImportResult, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("the results file is %d bytes long, %d are allowed", len(raw), MaxBytes)
	}
	read := readPromptfoo
	if order.Format == evidence.ImportInspectAI {
		read = readInspect
	}
	found, err := read(order, raw)
	if err != nil {
		return nil, err
	}
	found.Format, found.Evaluation.Digest = order.Format, evidence.Digest(raw)
	found.Clean()
	if err := found.Validate(); err != nil {
		return nil, fmt.Errorf("the results file can't be taken over: %w", err)
	}
	return found, nil
}

// decode reads JSON with keys by case and none twice. Fields that nobody asks for are left: the tools have many.
func decode(raw []byte, v any) error {
	strict, err := kjson.UnmarshalStrict(raw, v, kjson.DisallowDuplicateFields)
	switch {
	case err != nil:
		return errors.New("it is not well-formed JSON of its format; NaN and Infinity are none")
	case len(strict) > 0:
		return errors.New("it has a field twice")
	}
	return nil
}

// cases collects examples in the order in which the file has them first.
type cases struct {
	list []evidence.CaseResult
	at   map[string]int
}

// add one answer to an example. All answers to one must be of one slice.
func (c *cases) add(id, slice string, answer evidence.CaseAnswer) error {
	if c.at == nil {
		c.at = map[string]int{}
	}
	i, known := c.at[id]
	switch {
	case !known && len(c.list) == evidence.MaxExamples:
		return fmt.Errorf("it holds more than %d examples", evidence.MaxExamples)
	case !known:
		i = len(c.list)
		c.at[id], c.list = i, append(c.list, evidence.CaseResult{ID: id, Slice: slice})
	case c.list[i].Slice != slice:
		return fmt.Errorf("example %s is of two slices", id)
	case len(c.list[i].Answers) == evidence.MaxRepeats:
		return fmt.Errorf("example %s was asked more than %d times", id, evidence.MaxRepeats)
	}
	c.list[i].Answers = append(c.list[i].Answers, answer)
	return nil
}

// text of a JSON string or whole number; "" where it is missing or null, and false where it is something else.
func text(raw json.RawMessage) (string, bool) {
	if absent(raw) {
		return "", true
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) != nil {
		return "", false
	}
	_, err := n.Int64()
	return n.String(), err == nil
}

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// said tells whether an error is there: anything but nothing, null and the empty text.
func said(raw json.RawMessage) bool { return !absent(raw) && string(raw) != `""` }

// sliceOf what a file says, if it is a name.
func sliceOf(raw json.RawMessage) (string, error) {
	slice, ok := text(raw)
	if !ok || slice != "" && !evidence.IsCaseName(slice) {
		return "", errors.New("metadata.slice is not 1 to 63 letters, digits, dots, dashes or underscores")
	}
	return slice, nil
}

// idOf is an id as it is, or what stands for one that can't be shown. It is the same for the same.
func idOf(id string) string {
	if evidence.IsCaseName(id) {
		return id
	}
	return "id-" + short([]byte(id))
}

func short(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:6])
}

// lost is an answer of which nobody can say whether it was right.
func lost() evidence.CaseAnswer {
	return evidence.CaseAnswer{Outcome: evidence.CaseLost, Failure: evidence.AskReported}
}

func right() evidence.CaseAnswer { return evidence.CaseAnswer{Outcome: evidence.CaseRight} }

var kindForm = regexp.MustCompile(`^[A-Za-z][A-Za-z-]{0,31}$`)

// wrong by the assertion or scorer of the given name, if it can be shown.
func wrong(kind string) evidence.CaseAnswer {
	if !kindForm.MatchString(kind) {
		kind = "assertion"
	}
	return evidence.CaseAnswer{Outcome: evidence.CaseWrong, Kind: kind}
}

// tookMillis is a time that a tool gives in milliseconds, as far as it is one.
func tookMillis(ms float64) evidence.Micros {
	if math.IsNaN(ms) || ms < 0 || ms > float64(evidence.MaxTimeout.Milliseconds()) {
		return 0
	}
	return evidence.MicrosOf(time.Duration(ms * float64(time.Millisecond)))
}

// heard counts which models the file says that answered.
type heard []evidence.ModelSeen

func (h *heard) add(name string) (more bool) {
	name = evidence.Clean(name, 128)
	if name == "" {
		return false
	}
	for i := range *h {
		if (*h)[i].Name == name {
			(*h)[i].Answers++
			return false
		}
	}
	if len(*h) == evidence.MaxModels {
		return true
	}
	*h = append(*h, evidence.ModelSeen{Name: name, Answers: 1})
	return false
}
