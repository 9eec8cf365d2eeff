// Package examples reads evaluation sets: questions to ask a prototype, and what a right answer is.
//
// People write a table, CSV with the columns question and expected:
//
//	question,expected
//	"Nobody answers my mails.",leaving
//
// and those who need more write JSON Lines, one example a line:
//
//	{"input": "How much is the fee?", "slice": "fees", "assert": [{"number": {"value": 120, "absolute": 0.5}}]}
//
// Reading is strict, for what is passed over in silence is never measured: whatever can't be understood is an error that
// names its line. An empty answer never counts as right.
//
// The package is pure: bytes in, values out.
package examples

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// MaxBytes bounds a set: it is kept in one object of the records, and handed to a runner as a file.
	MaxBytes = 512 << 10
	// MaxExamples bounds their number.
	MaxExamples = evidence.MaxExamples

	maxInput  = 16 << 10
	maxValue  = 8 << 10
	maxAssert = 8
)

// Set is an evaluation set. Its ids and its inputs are distinct: the same question asked a hundred times is one example.
type Set struct {
	Examples []Example
	// Digest of the bytes that it was read from.
	Digest string
}

// Example is one question and what must hold of its answer.
type Example struct {
	// ID is short and safe to show; line-N where none was given.
	ID string
	// Input is what the prototype is asked.
	Input string
	// Slice groups examples that must be good by themselves; empty for none.
	Slice string
	// Assert must all hold; there is at least one.
	Assert []Assertion

	line int
}

// Slices counts the examples of each slice; those of none are left out.
func (s Set) Slices() map[string]int {
	counts := make(map[string]int)
	for _, e := range s.Examples {
		if e.Slice != "" {
			counts[e.Slice]++
		}
	}
	return counts
}

// Read reads a set, CSV or JSON Lines by how it begins. It does not look into regular expressions and JSON Schemas:
// Compile does.
func Read(raw []byte) (Set, error) {
	switch {
	case len(raw) > MaxBytes:
		return Set{}, fmt.Errorf("the set is %d bytes long, %d are allowed", len(raw), MaxBytes)
	case !utf8.Valid(raw):
		return Set{}, errors.New("the set is not UTF-8 text: save the table as CSV UTF-8")
	}
	text := bytes.TrimPrefix(raw, []byte("\ufeff"))
	read := readTable
	if first := bytes.TrimLeftFunc(text, unicode.IsSpace); len(first) > 0 && first[0] == '{' {
		read = readLines
	}
	found, err := read(text)
	if err != nil {
		return Set{}, err
	}
	if err := checkAll(found); err != nil {
		return Set{}, err
	}
	return Set{Examples: found, Digest: evidence.Digest(raw)}, nil
}

// checkAll demands that there are examples, not too many, each usable and none twice.
func checkAll(all []Example) error {
	if len(all) == 0 {
		return errors.New("the set holds no example")
	}
	ids, inputs := make(map[string]int, len(all)), make(map[string]int, len(all))
	for _, e := range all {
		if err := e.check(); err != nil {
			return at(e.line, err)
		}
		if before, twice := ids[e.ID]; twice {
			return at(e.line, fmt.Errorf("id %s is that of line %d already", e.ID, before))
		}
		asked := fold(e.Input)
		if before, twice := inputs[asked]; twice {
			return at(e.line, fmt.Errorf("the same question as in line %d: asked twice, it would count twice", before))
		}
		ids[e.ID], inputs[asked] = e.line, e.line
	}
	return nil
}

func (e Example) check() error {
	switch {
	case !evidence.IsCaseName(e.ID):
		return errors.New("id is not 1 to 63 letters, digits, dots, dashes or underscores")
	case e.Slice != "" && !evidence.IsCaseName(e.Slice):
		return errors.New("slice is not 1 to 63 letters, digits, dots, dashes or underscores")
	case strings.TrimSpace(e.Input) == "":
		return errors.New("the question is empty")
	case len(e.Input) > maxInput:
		return fmt.Errorf("the question is %d bytes long, %d are allowed", len(e.Input), maxInput)
	case len(e.Assert) == 0:
		return errors.New("nothing says what a right answer is")
	case len(e.Assert) > maxAssert:
		return fmt.Errorf("%d assertions, %d are allowed", len(e.Assert), maxAssert)
	}
	for i, a := range e.Assert {
		if err := a.validate(); err != nil {
			return fmt.Errorf("assertion %d: %w", i+1, err)
		}
	}
	return nil
}

// roomFor is an error for one example too many.
func roomFor(n, line int) error {
	if n >= MaxExamples {
		return at(line, fmt.Errorf("more than %d examples", MaxExamples))
	}
	return nil
}

func at(line int, err error) error { return fmt.Errorf("line %d: %w", line, err) }

func lineID(line int) string { return fmt.Sprintf("line-%d", line) }
