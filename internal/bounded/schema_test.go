package bounded

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const url = "test:///schema"

func compiled(t testing.TB, text string) (*Schema, error) {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(url, document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return New(schema, url)
}

// Whatever way a schema comes to look twice, forty times twice is too often.
func TestDoubling(t *testing.T) {
	for name, c := range map[string]struct{ twice, value string }{
		"allOf":             {`{"allOf":[REF,REF]}`, `"x"`},
		"anyOf":             {`{"anyOf":[REF,REF]}`, `"x"`},
		"oneOf":             {`{"oneOf":[REF,REF]}`, `"x"`},
		"not":               {`{"not":{"anyOf":[REF,REF]}}`, `"x"`},
		"if":                {`{"if":REF,"else":REF}`, `"x"`},
		"dependentSchemas":  {`{"dependentSchemas":{"a":REF,"b":REF}}`, `{"a":1,"b":2}`},
		"dependencies":      {`{"dependencies":{"a":REF,"b":REF}}`, `{"a":1,"b":2}`},
		"not, dependencies": {`{"not":{"dependencies":{"a":REF,"b":REF}}}`, `{"a":1,"b":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			var defs []string
			for i := range 40 {
				next := fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, i+1)
				defs = append(defs, fmt.Sprintf(`"d%d":`, i)+strings.ReplaceAll(c.twice, "REF", next))
			}
			s, err := compiled(t, `{"$ref":"#/$defs/d0","$defs":{`+strings.Join(defs, ",")+`,"d40":{"type":"number"}}}`)
			if err != nil {
				t.Fatal(err)
			}
			value, _ := jsonschema.UnmarshalJSON(strings.NewReader(c.value))
			if err := s.Validate(value); !errors.Is(err, ErrTooMuch) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A value that used up all work takes none from the next.
func TestTheNextValue(t *testing.T) {
	s, err := compiled(t, `{"type":"array","items":{"$ref":"#/$defs/n"},"$defs":{"n":{"items":{"anyOf":[{"$ref":"#/$defs/n"},{"$ref":"#/$defs/n"}]},"maximum":9}}}`)
	if err != nil {
		t.Fatal(err)
	}
	var deep any = json.Number("10")
	for range 30 {
		deep = []any{deep}
	}
	if err := s.Validate(deep); !errors.Is(err, ErrTooMuch) {
		t.Errorf("got %v", err)
	}
	small := []any{1, 2}
	if err := s.Validate(small); err != nil {
		t.Errorf("got %v", err)
	}
	if err := s.Validate([]any{10}); err == nil || errors.Is(err, ErrTooMuch) {
		t.Errorf("got %v", err)
	}
}

// An ordinary schema takes what is large, and counts what is beside it anew.
func TestLargeValues(t *testing.T) {
	s, err := compiled(t, `{"type":"array","uniqueItems":true,"items":{"$ref":"#/$defs/n"},"$defs":{"n":{"type":"integer","minimum":0}}}`)
	if err != nil {
		t.Fatal(err)
	}
	large := make([]any, 100_000)
	for i := range large {
		large[i] = json.Number(strconv.Itoa(i))
	}
	if err := s.Validate(large); err != nil {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{"1e1000", "1e-1000", strings.Repeat("9", 500)} {
		if err := s.Validate([]any{json.Number(text)}); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%.10s: %v", text, err)
		}
	}
}

// A text that is searched takes work for each byte.
func TestSearchedTexts(t *testing.T) {
	s, err := compiled(t, `{"type":["string","object"],"allOf":[{"pattern":"x"},{"patternProperties":{"x":true}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("x", 1_000)
	if err := s.Validate(text); err != nil {
		t.Errorf("got %v", err)
	}
	text = strings.Repeat(text, 200)
	for name, value := range map[string]any{"a text": text, "a name": map[string]any{text: true}} {
		if err := s.Validate(value); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The library's own schemas are shared by all: they must not be changed, and others are not looked up.
func TestSchemasFromElsewhere(t *testing.T) {
	for _, text := range []string{
		`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`,
		`{"properties":{"a":{"anyOf":[{"items":{"$ref":"http://json-schema.org/draft-07/schema#"}}]}}}`,
		`{"$dynamicRef":"#x","$defs":{"a":{"$dynamicAnchor":"x"}}}`,
		`{"$schema":"https://json-schema.org/draft/2019-09/schema","properties":{"a":{"$recursiveRef":"#"}}}`,
	} {
		if _, err := compiled(t, text); !errors.Is(err, ErrElsewhere) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzValidate looks for schemas and values that bring the library down, and for verdicts that differ from its own.
func FuzzValidate(f *testing.F) {
	for _, text := range []string{
		`{"type":"object","properties":{"a":{"minimum":3}}}`, `{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"format":"date"}}}`,
		`{"uniqueItems":true,"items":{"not":{"const":1}}}`, `{"dependencies":{"a":["b"],"c":{"maxProperties":1}}}`,
	} {
		f.Add(text, `{"a":[1,"2026-02-03",{"c":1e9}]}`)
	}
	f.Fuzz(func(t *testing.T, text, answer string) {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(answer))
		if err != nil {
			return
		}
		fresh := func() *jsonschema.Schema {
			c := jsonschema.NewCompiler()
			c.AssertFormat()
			if c.AddResource(url, document) != nil {
				return nil
			}
			schema, err := c.Compile(url)
			if err != nil {
				return nil
			}
			return schema
		}
		made := fresh()
		if made == nil {
			return
		}
		s, err := New(made, url)
		if err != nil {
			return
		}
		got := s.Validate(value)
		if errors.Is(got, ErrTooMuch) {
			return
		}
		if want := fresh().Validate(value); (want == nil) != (got == nil) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
