package examples

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/affineur/affineur/internal/bounded"
	"github.com/affineur/affineur/internal/evidence"
)

// maxNamed bounds how much of a word of the set's own a message shows, in bytes.
const maxNamed = 40

// nothing loads no schema: a set describes its answers by itself.
type nothing struct{}

func (nothing) Load(string) (any, error) {
	return nil, errors.New("a schema refers to nothing outside itself")
}

// schema compiles a JSON Schema, of the draft that it names or 2020-12.
func (c *compiler) schema(raw json.RawMessage) (*bounded.Schema, error) {
	if known := c.schemas[string(raw)]; known != nil {
		return known, nil
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, errors.New("not JSON")
	}
	if !restricts(document) {
		return nil, errors.New("it accepts everything: say type, enum or const at its top")
	}
	made := jsonschema.NewCompiler()
	made.UseLoader(nothing{})
	made.AssertFormat()
	for _, format := range ofOpenAPI {
		made.RegisterFormat(format)
	}
	made.UseRegexpEngine(func(text string) (jsonschema.Regexp, error) {
		expression, size, err := c.regexp(text)
		if err == nil && size > maxPattern {
			err = errors.New("a pattern that is too large")
		}
		return expression, err
	})
	const here = "affineur:///schema.json"
	if err := made.AddResource(here, document); err != nil {
		return nil, errors.New("not a JSON Schema")
	}
	compiled, err := made.Compile(here)
	if err != nil {
		return nil, errors.New("not a JSON Schema that stands by itself")
	}
	if err := understood(document, compiled.DraftVersion); err != nil {
		return nil, err
	}
	schema, err := bounded.New(compiled, here)
	if err != nil {
		return nil, err
	}
	c.schemas[string(raw)] = schema
	return schema, nil
}

// restricts tells whether a schema says at its top what kind of JSON it takes.
func restricts(document any) bool {
	object, _ := document.(map[string]any)
	for _, key := range []string{"type", "enum", "const"} {
		if _, there := object[key]; there {
			return true
		}
	}
	return false
}

// describes tells whether an answer is JSON as described. Where that takes too much work to find out, it is not.
func describes(schema *bounded.Schema, text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	return err == nil && schema.Validate(value) == nil
}

// drafts are the first and the last in which a keyword says something; zero for no bound.
type drafts struct{ from, to int }

// The keywords of JSON Schema that are understood, by what they hold: nothing to look into, a schema or a list of them, or an
// object of them. The library would pass over all others in silence, also those of another draft.
var (
	keywords = map[string]drafts{
		"$schema": {}, "id": {to: 4}, "$id": {from: 6}, "$anchor": {from: 2019}, "$ref": {}, "type": {}, "enum": {}, "const": {from: 6}, "format": {},
		"multipleOf": {}, "maximum": {}, "exclusiveMaximum": {}, "minimum": {}, "exclusiveMinimum": {},
		"maxLength": {}, "minLength": {}, "pattern": {}, "maxItems": {}, "minItems": {}, "uniqueItems": {}, "maxContains": {from: 2019}, "minContains": {from: 2019},
		"maxProperties": {}, "minProperties": {}, "required": {}, "dependentRequired": {from: 2019},
	}
	keywordsOfSchemas = map[string]drafts{
		"allOf": {}, "anyOf": {}, "oneOf": {}, "not": {}, "if": {from: 7}, "then": {from: 7}, "else": {from: 7},
		"items": {}, "additionalItems": {to: 2019}, "prefixItems": {from: 2020}, "contains": {from: 6}, "unevaluatedItems": {from: 2019},
		"propertyNames": {from: 6}, "additionalProperties": {}, "unevaluatedProperties": {from: 2019},
	}
	keywordsOfObjects = map[string]drafts{
		"properties": {}, "patternProperties": {}, "$defs": {}, "definitions": {}, "dependentSchemas": {from: 2019}, "dependencies": {},
	}
	// annotations say nothing about which values are described, by their own specifications.
	annotations = []string{
		"$comment", "title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly",
		"contentMediaType", "contentEncoding", "discriminator", "externalDocs", "xml",
	}
	formats = []string{
		"json-pointer", "relative-json-pointer", "uuid", "duration", "period", "ipv4", "ipv6", "hostname", "email", "date", "time", "date-time",
		"uri", "iri", "uri-reference", "iri-reference", "uri-template", "semver", "regex",
		"int32", "int64", "byte", "float", "double", "binary", "password",
	}
	// ofOpenAPI are the formats of OpenAPI 3 that say which values they describe. float, double, binary and password say how a
	// value is held or shown.
	ofOpenAPI = []*jsonschema.Format{{Name: "int32", Validate: integerOf(32)}, {Name: "int64", Validate: integerOf(64)}, {Name: "byte", Validate: inBase64}}
)

// integerOf so many bits. What is no number is not of the format's kind, and is the type's to refuse.
func integerOf(bits uint) func(any) error {
	return func(value any) error {
		number, is := value.(json.Number)
		if !is {
			return nil
		}
		exact, ok := new(big.Rat).SetString(number.String())
		if !ok || !exact.IsInt() || exact.Num().BitLen() >= int(bits) && exact.Num().Cmp(new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), bits-1))) != 0 {
			return errors.New("not an integer of so many bits")
		}
		return nil
	}
}

func inBase64(value any) error {
	text, is := value.(string)
	if !is {
		return nil
	}
	_, err := base64.StdEncoding.DecodeString(text)
	return err
}

// understood is an error for a part of a valid schema that would be passed over in silence.
func understood(schema any, draft int) error {
	object, _ := schema.(map[string]any)
	_, refers := object["$ref"]
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if slices.Contains(annotations, key) {
			continue
		}
		member := object[key]
		said, inside, known := keyword(key, member)
		switch {
		case !known || draft < said.from || said.to != 0 && draft > said.to:
			return fmt.Errorf("%q in it is no keyword that is understood, or not of its draft: it would be passed over in silence", evidence.Clean(key, maxNamed))
		case refers && draft < 2019 && !slices.Contains([]string{"$ref", "$schema", "definitions", "$defs"}, key):
			return errors.New("what stands beside $ref says nothing before draft 2019-09")
		case key == "format" && !slices.ContainsFunc(formats, func(name string) bool { return name == member }):
			return fmt.Errorf("the format %q in it is none that is understood: it would be passed over in silence", evidence.Clean(fmt.Sprint(member), maxNamed))
		}
		for _, part := range inside {
			if err := understood(part, draft); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyword says in which drafts a keyword says something, and which schemas are in it.
func keyword(key string, member any) (said drafts, inside []any, known bool) {
	if said, known = keywords[key]; known {
		return said, nil, true
	}
	object, isObject := member.(map[string]any)
	if said, known = keywordsOfObjects[key]; known {
		return said, slices.Collect(maps.Values(object)), true
	}
	said, known = keywordsOfSchemas[key]
	if isObject {
		return said, []any{object}, known
	}
	list, _ := member.([]any)
	return said, list, known
}
