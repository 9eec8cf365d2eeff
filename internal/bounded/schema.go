// Package bounded validates JSON by a JSON Schema with a bound on the work. A schema of a few lines whose references double,
// or an ordinary recursive one that is held against a deep value, takes longer than anybody waits; and where both come from
// others, so does how long it takes.
//
// The package is pure.
package bounded

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	// most work that one value may take, in looks of a schema at a part of it, and morePerPart for each of its parts. What it
	// costs is the memory in which the library keeps what is wrong, and where.
	most        = 1 << 18
	morePerPart = 8
	// maxDepth of a value, and maxNumber the length of a number in it, and maxExponent of its exponent: an immense number is no
	// number to the library.
	maxDepth    = 40
	maxNumber   = 400
	maxExponent = 3
)

// ErrTooMuch means that it is not known whether the value is described: it is too deep, holds an immense number, or takes too much work.
var ErrTooMuch = errors.New("it takes too much work to hold the value against the schema")

// ErrElsewhere means that a schema refers to what is outside itself, or by names that are looked up only then.
var ErrElsewhere = errors.New("a schema refers to nothing outside itself, and by no $dynamicRef or $recursiveRef")

// Schema validates. It may be used by many goroutines at once.
type Schema struct {
	compiled *jsonschema.Schema
	// left is the work that the value at hand may still take.
	left int
}

// turn is one value's at a time, so that the memory that one may take is all.
var turn sync.Mutex

// New takes over a schema that was compiled from one document with the given URL. Nobody else may use it afterwards.
func New(compiled *jsonschema.Schema, url string) (*Schema, error) {
	s := &Schema{compiled: compiled}
	return s, s.count(compiled, url, make(map[*jsonschema.Schema]bool))
}

// Validate says what is wrong with a value that jsonschema.UnmarshalJSON read: ErrTooMuch, or the library's error; nil for nothing.
func (s *Schema) Validate(value any) error {
	parts, ok := modest(value, maxDepth)
	if !ok {
		return ErrTooMuch
	}
	turn.Lock()
	defer turn.Unlock()
	s.left = most + morePerPart*parts
	err := s.compiled.Validate(value)
	if s.left < 0 {
		return ErrTooMuch
	}
	return err
}

// count has every schema that can be reached note its work before it looks at what is in it: the format is what the library
// asks first of all that takes more than one step. When all work is used up, everything fails at once.
func (s *Schema) count(at *jsonschema.Schema, url string, seen map[*jsonschema.Schema]bool) error {
	if at == nil || seen[at] {
		return nil
	}
	seen[at] = true
	if !strings.HasPrefix(at.Location, url+"#") || at.DynamicRef != nil || at.RecursiveRef != nil || at.ContentSchema != nil {
		return ErrElsewhere
	}
	same, searched := beside(at), at.Pattern != nil || len(at.PatternProperties) > 0
	width, format := 1+len(same)+len(at.PatternProperties), at.Format
	name := ""
	if format != nil {
		name = format.Name
	}
	at.Format = &jsonschema.Format{Name: name, Validate: func(v any) error {
		if s.left -= width * sizeOf(v, searched); s.left < 0 {
			return ErrTooMuch
		}
		if format == nil {
			return nil
		}
		return format.Validate(v)
	}}
	for _, next := range append(same, within(at)...) {
		if err := s.count(next, url, seen); err != nil {
			return err
		}
	}
	return nil
}

// beside are the schemas that look at the same value, within those that look at its parts.
func beside(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}
	for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		all = append(all, list...)
	}
	for _, next := range s.DependentSchemas {
		all = append(all, next)
	}
	for _, next := range s.Dependencies {
		all = append(all, either(next)...)
	}
	return slices.DeleteFunc(all, func(s *jsonschema.Schema) bool { return s == nil })
}

func within(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems}
	all = append(all, s.PrefixItems...)
	for _, next := range []any{s.AdditionalProperties, s.Items, s.AdditionalItems} {
		all = append(all, either(next)...)
	}
	for _, next := range s.Properties {
		all = append(all, next)
	}
	for _, next := range s.PatternProperties {
		all = append(all, next)
	}
	return all
}

// either are the schemas of a member that may be something else.
func either(member any) []*jsonschema.Schema {
	switch v := member.(type) {
	case *jsonschema.Schema:
		return []*jsonschema.Schema{v}
	case []*jsonschema.Schema:
		return v
	}
	return nil
}

// sizeOf what a schema looks at, without what is deeper in it: of texts, all where they are searched for a pattern.
func sizeOf(value any, searched bool) int {
	switch v := value.(type) {
	case map[string]any:
		size := 1 + len(v)
		for key := range v {
			if searched {
				size += len(key)
			}
		}
		return size
	case []any:
		return 1 + len(v)
	case string:
		if searched {
			return 1 + len(v)
		}
		return 1 + len(v)/8
	}
	return 1
}

// modest counts the parts of a value; false for one of more than so many levels, or with an immense number.
func modest(value any, levels int) (parts int, ok bool) {
	if levels == 0 {
		return 0, false
	}
	var inside []any
	switch v := value.(type) {
	case map[string]any:
		inside = slices.Collect(maps.Values(v))
	case []any:
		inside = v
	case json.Number:
		_, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
		return 1, len(v) <= maxNumber && len(strings.TrimLeft(exponent, "+-")) <= maxExponent
	}
	parts = 1
	for _, part := range inside {
		more, ok := modest(part, levels-1)
		if !ok {
			return 0, false
		}
		parts += more
	}
	return parts, true
}
