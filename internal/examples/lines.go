package examples

import (
	"bytes"
	"errors"

	kjson "sigs.k8s.io/json"
)

// written is one line of JSON Lines.
type written struct {
	ID     string      `json:"id"`
	Input  string      `json:"input"`
	Slice  string      `json:"slice"`
	Assert []Assertion `json:"assert"`
}

// readLines reads one JSON object a line. Unknown, repeated or differently cased keys are errors: an assertion that was
// misspelled would never be asked.
func readLines(text []byte) ([]Example, error) {
	var found []Example
	line := 0
	for raw := range bytes.Lines(text) {
		line++
		raw = bytes.TrimSpace(raw)
		if len(raw) == 0 {
			continue
		}
		if err := roomFor(len(found), line); err != nil {
			return nil, err
		}
		var w written
		strict, err := kjson.UnmarshalStrict(raw, &w)
		switch {
		case err != nil:
			return nil, at(line, errors.New("not one JSON object of the form {\"input\": …, \"assert\": […]}"))
		case len(strict) > 0:
			return nil, at(line, errors.New("unknown or repeated keys: known are id, input, slice and assert, and the kinds of assertions"))
		}
		e := Example{ID: w.ID, Input: w.Input, Slice: w.Slice, Assert: w.Assert, line: line}
		if e.ID == "" {
			e.ID = lineID(line)
		}
		found = append(found, e)
	}
	return found, nil
}
