package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// Kind is what a run measures. Every gate that needs one brings its own: the frame knows none of them.
type Kind string

// kindWord of a kind: a word in lower case.
var kindWord = regexp.MustCompile(`^[a-z][a-z-]{1,31}$`)

// Body is what a run is asked, or what it found, in the words of one kind.
type Body interface {
	// Kind of the body, the same for every value of its type, the zero value included.
	Kind() Kind
	// Validate says what is wrong with it by itself, or nil. What it lets through may come from a runner that was
	// taken over, so it bounds every number and every list.
	Validate() error
}

// Result is a body that a runner wrote.
type Result interface {
	Body
	// Clean takes out of its strings what could harm a terminal or a status; see the function Clean.
	Clean()
}

// raw is a body whose type is not known yet: Read tells it.
type raw struct {
	kind Kind
	json json.RawMessage
}

// Kind implements Body.
func (r *raw) Kind() Kind { return r.kind }

// Validate implements Body as far as that is possible without the type.
func (r *raw) Validate() error {
	switch {
	case !kindWord.MatchString(string(r.kind)):
		return errors.New("kind is no word")
	case !json.Valid(r.json):
		return errors.New("not well-formed JSON")
	}
	return nil
}

// Clean implements Result: nothing of it is shown before Read.
func (r *raw) Clean() {}

// MarshalJSON implements json.Marshaler.
func (r *raw) MarshalJSON() ([]byte, error) { return r.json, nil }

// Read gives a body as the type that it has to have: decoded strictly, cleaned and validated. Errors never quote it.
func Read[T any, P interface {
	*T
	Body
}](body Body) (*T, error) {
	var want P = new(T)
	switch got := any(body).(type) {
	case nil:
		return nil, errors.New("nothing is there")
	case P:
		if got == nil {
			return nil, errors.New("nothing is there")
		}
		return (*T)(got), got.Validate()
	case T:
		return &got, P(&got).Validate()
	case *raw:
		if got.kind != want.Kind() {
			return nil, fmt.Errorf("it is of another kind than %s", want.Kind())
		}
		if err := decodeStrict(got.json, want); err != nil {
			return nil, err
		}
		if result, ok := any(want).(Result); ok {
			result.Clean()
		}
		return (*T)(want), want.Validate()
	}
	return nil, fmt.Errorf("it is of another kind than %s", want.Kind())
}

// As is Read for whoever takes what can't be read for nothing: nil.
func As[T any, P interface {
	*T
	Body
}](body Body) *T {
	got, err := Read[T, P](body)
	if err != nil {
		return nil
	}
	return got
}

// kindOf a body that may be missing.
func kindOf(body Body) Kind {
	if body == nil {
		return ""
	}
	return body.Kind()
}
