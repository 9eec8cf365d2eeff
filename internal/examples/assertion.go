package examples

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind of an assertion. It is what a report says of a wrong answer.
type Kind string

const (
	// KindEquals demands the text, but for white space.
	KindEquals Kind = "equals"
	// KindContains demands that the text is in the answer, but for white space.
	KindContains Kind = "contains"
	// KindRegexp demands that the answer matches a regular expression (RE2).
	KindRegexp Kind = "regexp"
	// KindJSONSchema demands that the answer is JSON that a schema describes.
	KindJSONSchema Kind = "jsonSchema"
	// KindNumber demands exactly one number in the answer, close enough to the expected one.
	KindNumber Kind = "number"
	// KindLabel demands that the answer is one of a few labels, whatever its case, and the right one.
	KindLabel Kind = "label"
	// KindRefusal demands that the prototype refuses to answer.
	KindRefusal Kind = "refusal"
)

// Assertion is what must hold of an answer: exactly one of its kinds is set.
type Assertion struct {
	Equals   *string `json:"equals,omitempty"`
	Contains *string `json:"contains,omitempty"`
	// IgnoreCase belongs to Equals and Contains.
	IgnoreCase bool            `json:"ignoreCase,omitempty"`
	Regexp     *string         `json:"regexp,omitempty"`
	JSONSchema json.RawMessage `json:"jsonSchema,omitempty"`
	Number     *Number         `json:"number,omitempty"`
	Label      *Label          `json:"label,omitempty"`
	Refusal    *Refusal        `json:"refusal,omitempty"`
}

// Number is an expected number and how far off an answer may be: by the larger of Absolute, and Relative times the
// expected number. Without either it must be exact.
type Number struct {
	Value    decimalText `json:"value"`
	Absolute decimalText `json:"absolute,omitempty"`
	Relative decimalText `json:"relative,omitempty"`
}

// Label is the right one of a few.
type Label struct {
	Value string   `json:"value"`
	Among []string `json:"among"`
}

// Refusal is told by the answer itself where it says so (the refusal of a chat completion, or that a filter ended it),
// or else by how it begins: see refuses. Patterns are regular expressions that tell a refusal too, for other languages.
type Refusal struct {
	Patterns []string `json:"patterns,omitempty"`
	// Without are texts that a refusal must not hold, whatever their case: what would be given away in it.
	Without []string `json:"without,omitempty"`
}

// decimalText is a number as it was written, in JSON with or without quotes.
type decimalText string

// UnmarshalJSON takes a number or a string that holds one; which numbers are fit, validate says.
func (d *decimalText) UnmarshalJSON(raw []byte) error {
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return errors.New("not a number")
	}
	*d = decimalText(n)
	return nil
}

// Kind of the assertion, or "" when not exactly one is set.
func (a Assertion) Kind() Kind {
	found := Kind("")
	for kind, set := range map[Kind]bool{
		KindEquals: a.Equals != nil, KindContains: a.Contains != nil, KindRegexp: a.Regexp != nil, KindJSONSchema: a.JSONSchema != nil,
		KindNumber: a.Number != nil, KindLabel: a.Label != nil, KindRefusal: a.Refusal != nil,
	} {
		switch {
		case set && found != "":
			return ""
		case set:
			found = kind
		}
	}
	return found
}

func (a Assertion) validate() error {
	kind := a.Kind()
	if kind == "" {
		return errors.New("not exactly one of equals, contains, regexp, jsonSchema, number, label and refusal")
	}
	if a.IgnoreCase && kind != KindEquals && kind != KindContains {
		return errors.New("ignoreCase belongs to equals and contains")
	}
	if err := a.validateKind(kind); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func (a Assertion) validateKind(kind Kind) error {
	switch kind {
	case KindEquals:
		return expectedText(*a.Equals)
	case KindContains:
		return expectedText(*a.Contains)
	case KindRegexp:
		return expectedText(*a.Regexp)
	case KindJSONSchema:
		if len(a.JSONSchema) > maxValue {
			return fmt.Errorf("%d bytes, %d are allowed", len(a.JSONSchema), maxValue)
		}
		return nil
	case KindNumber:
		return a.Number.validate()
	case KindLabel:
		return a.Label.validate()
	}
	return a.Refusal.validate()
}

// expectedText refuses an expectation that an empty answer would meet.
func expectedText(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return errors.New("what is expected is empty")
	case len(s) > maxValue:
		return fmt.Errorf("what is expected is %d bytes long, %d are allowed", len(s), maxValue)
	}
	return nil
}

func (l Label) validate() error {
	if len(l.Among) == 0 || len(l.Among) > 256 {
		return errors.New("among does not hold 1 to 256 labels")
	}
	for _, label := range append([]string{l.Value}, l.Among...) {
		if strings.TrimSpace(label) == "" || len(label) > 256 {
			return errors.New("a label is empty or longer than 256 bytes")
		}
	}
	if !slices.ContainsFunc(l.Among, same(l.Value)) {
		return errors.New("value is not among the labels")
	}
	return nil
}

func (r Refusal) validate() error {
	if len(r.Patterns) > 8 || len(r.Without) > 32 {
		return errors.New("more than 8 patterns or 32 texts")
	}
	for _, text := range slices.Concat(r.Patterns, r.Without) {
		if err := expectedText(text); err != nil {
			return err
		}
	}
	return nil
}

// same tells a text that is the other but for white space and case.
func same(a string) func(string) bool {
	folded := fold(a)
	return func(b string) bool { return fold(b) == folded }
}
