package answer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/internal/bounded"
)

// Schema is a JSON Schema of an answer's body.
type Schema struct {
	compiled *bounded.Schema
	names    known
}

// schemaURL is where the schema is said to be. It is never fetched.
const schemaURL = "schema:///answer"

// nowhere refuses to load anything: the library's own loader would read files.
type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errors.New("other documents are not loaded") }

// Compile reads a JSON Schema (2020-12 where it does not say), written as JSON or as YAML. References may lead to
// places in the schema itself and nowhere else. The error is in fixed words.
func Compile(text string) (*Schema, error) {
	if len(text) > MaxSchema {
		return nil, fmt.Errorf("a schema has at most %d bytes", MaxSchema)
	}
	raw, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, errors.New("it is neither JSON nor YAML")
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("it is neither JSON nor YAML")
	}
	if object, ok := document.(map[string]any); !ok || len(object) == 0 {
		return nil, errors.New("it is no object with at least one keyword: it would take any answer")
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nowhere{})
	compiler.AssertFormat()
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, errUnusable
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, errUnusable
	}
	within, err := bounded.New(compiled, schemaURL)
	if err != nil {
		return nil, errUnusable
	}
	names := known{}
	namesIn(document, names)
	return &Schema{compiled: within, names: names}, nil
}

// Judge says the first thing that is wrong with a body, nil for a good one.
func (s *Schema) Judge(body []byte) *Violation {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return &Violation{Where: "the answer", Keyword: "JSON"}
	}
	var invalid *jsonschema.ValidationError
	switch err := s.compiled.Validate(document); {
	case err == nil:
		return nil
	case errors.Is(err, bounded.ErrTooMuch):
		return &Violation{Where: "the answer", Keyword: "the bound on depth, numbers and work"}
	case !errors.As(err, &invalid):
		return &Violation{Where: "the answer", Keyword: "JSON"}
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	at := invalid.InstanceLocation
	if missing, ok := invalid.ErrorKind.(*kind.Required); ok && len(missing.Missing) > 0 {
		at = append(slices.Clone(at), missing.Missing[0])
	}
	// What follows the head of a keyword's path may be a name from the answer.
	keyword := "the schema"
	if path := invalid.ErrorKind.KeywordPath(); len(path) > 0 {
		keyword = path[0]
	}
	return &Violation{Where: s.names.where(at), Keyword: keyword}
}
