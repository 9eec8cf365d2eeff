package ask

import (
	"maps"
	"slices"
	"unicode/utf8"
)

// sampleForm is a request that a prototype shows. The question takes the place of its longest text, which is what people
// type: names of models, roles and settings are shorter. A sample that is no JSON, or holds no text, is replaced altogether.
type sampleForm struct {
	document any
	// at is the way to the longest text: keys and indexes.
	at []any
}

func newSampleForm(body string) sampleForm {
	document, ok := decode([]byte(body))
	if !ok {
		return sampleForm{}
	}
	_, at := longest(document)
	return sampleForm{document: document, at: at}
}

// longest text in a document, and the way to it; nil for none. Of two that are as long the first counts.
func longest(document any) (length int, at []any) {
	length = -1
	try := func(step, value any) {
		if n, way := longest(value); n > length {
			length, at = n, append([]any{step}, way...)
		}
	}
	switch v := document.(type) {
	case string:
		return len(v), []any{}
	case []any:
		for i, item := range v {
			try(i, item)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			try(key, v[key])
		}
	}
	return length, at
}

func (f sampleForm) request(input string) (body, contentType string) {
	if f.at == nil {
		return input, typeText
	}
	return encode(replaced(f.document, f.at, input)), typeJSON
}

// replaced is a copy of the document with another text at the end of the way.
func replaced(document any, at []any, text string) any {
	if len(at) == 0 {
		return text
	}
	switch v := document.(type) {
	case []any:
		i, _ := at[0].(int)
		out := slices.Clone(v)
		out[i] = replaced(v[i], at[1:], text)
		return out
	case map[string]any:
		key, _ := at[0].(string)
		out := maps.Clone(v)
		out[key] = replaced(v[key], at[1:], text)
		return out
	}
	return text
}

func (f sampleForm) read(raw []byte, into *Answer) bool {
	into.Text = string(raw)
	return utf8.Valid(raw)
}
