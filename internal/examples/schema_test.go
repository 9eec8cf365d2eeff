package examples

import (
	"fmt"
	"strings"
	"testing"
)

// doubling is a schema of a few lines that takes ages to hold against anything but a number.
func doubling() string {
	var defs []string
	for i := range 40 {
		defs = append(defs, fmt.Sprintf(`"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i+1, i+1))
	}
	return `{"type":"string","$ref":"#/$defs/d0","$defs":{` + strings.Join(defs, ",") + `,"d40":{"type":"number"}}}`
}

func TestSchemas(t *testing.T) {
	const tree = `{"type":"object","$ref":"#/$defs/n","$defs":{"n":{"oneOf":[` +
		`{"type":"object","required":["kind","child"],"properties":{"kind":{"const":"branch"},"child":{"$ref":"#/$defs/n"}}},` +
		`{"type":"object","required":["kind","child"],"properties":{"kind":{"const":"loop"},"child":{"$ref":"#/$defs/n"}}},` +
		`{"type":"object","required":["kind"],"properties":{"kind":{"const":"leaf"}}}]}}}`
	nested := func(n int, kind string) string {
		return strings.Repeat(`{"kind":"branch","child":`, n) + `{"kind":"` + kind + `"}` + strings.Repeat("}", n)
	}
	for name, c := range map[string]struct {
		schema       string
		right, wrong []string
	}{
		"annotations":     {`{"type":"string","title":"x","description":"x","$comment":"x","default":"x","examples":["x"],"deprecated":true}`, []string{`"a"`}, []string{`1`}},
		"an ordinary one": {tree, []string{nested(0, "leaf"), nested(12, "leaf")}, []string{nested(35, "bush"), nested(5000, "leaf")}},
		"one that hangs":  {doubling(), nil, []string{`"x"`}},
		"one denied":      {`{"type":"string","not":` + strings.ReplaceAll(doubling(), "#/", "#/not/") + `}`, nil, []string{`"x"`}},
		"large":           {`{"type":"array","uniqueItems":true,"items":{"type":"integer","minimum":0}}`, []string{"[" + list(60000) + "]"}, []string{"[" + list(60000) + ",7]", "[" + list(10) + ",-1]"}},
		"immense":         {`{"type":"number","minimum":5}`, []string{"5", "1e300"}, []string{"1e9999999", "1e-9999999", strings.Repeat("9", 100000)}},
		"of draft 4":      {`{"$schema":"http://json-schema.org/draft-04/schema#","type":"number","minimum":5,"exclusiveMinimum":true}`, []string{"6"}, []string{"5"}},
		"of draft 7":      {`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","dependencies":{"a":["b"],"c":{"required":["d"]}},"definitions":{"x":{"type":"null"}},"properties":{"a":{"$ref":"#/definitions/x"}}}`, []string{`{"a":null,"b":1}`, `{"c":1,"d":1}`}, []string{`{"a":null}`, `{"c":1}`, `{"a":1,"b":1}`}},
		"of draft 2019":   {`{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"array","items":[{"type":"string","format":"date"}],"additionalItems":{"type":"null"},"minItems":1}`, []string{`["2026-02-03",null]`}, []string{`[]`, `["x"]`, `["2026-02-03",1]`}},
		"with an id":      {`{"$id":"https://example.org/answer","type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"type":"null"}}}`, []string{`{"a":null}`}, []string{`{"a":1}`}},
		"of pydantic": {`{"type":"object","properties":{"a":{"type":"string","contentMediaType":"application/json","contentEncoding":"base64"},"b":{"oneOf":[{"$ref":"#/$defs/B"}],` +
			`"discriminator":{"propertyName":"kind","mapping":{"b":"#/$defs/B"}}}},"$defs":{"B":{"type":"object","title":"B","properties":{"kind":{"const":"b"}},"required":["kind"]}}}`,
			[]string{`{"a":"x","b":{"kind":"b"}}`}, []string{`{"a":1}`, `{"b":{"kind":"c"}}`}},
		"int32":          {`{"type":"integer","format":"int32"}`, []string{"0", "2147483647", "-2147483648", "1e3", "5.0"}, []string{"2147483648", "-2147483649", "-4294967296", "1.5", `"7"`}},
		"int64":          {`{"type":["number","string"],"format":"int64"}`, []string{"9223372036854775807", "-9223372036854775808", `"7"`}, []string{"9223372036854775808", "-9223372036854775809", "1e300", "1.5"}},
		"double":         {`{"type":"number","format":"double"}`, []string{"1.5", "-2"}, []string{`"x"`}},
		"byte":           {`{"type":"string","format":"byte"}`, []string{`"aGk="`, `""`}, []string{`"a!"`, "1"}},
		"true and false": {`{"type":"object","properties":{"a":true,"b":false},"unevaluatedProperties":false}`, []string{`{"a":1}`}, []string{`{"b":1}`, `{"c":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, lines(`{"jsonSchema":`+c.schema+`}`))
			checker, err := s.Compile()
			if err != nil {
				t.Fatal(err)
			}
			for _, answer := range c.right {
				if checker.Wrong(s, 0, Reply{Text: answer}) != "" {
					t.Errorf("%.80q is wrong", answer)
				}
			}
			for _, answer := range c.wrong {
				if checker.Wrong(s, 0, Reply{Text: answer}) == "" {
					t.Errorf("%.80q is right", answer)
				}
			}
		})
	}
}

// list holds the numbers below n.
func list(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",%d", i)
	}
	return b.String()[1:]
}
