package ask

import (
	"maps"
	"slices"
	"unicode/utf8"
)

// sampleForm is a request that a prototype shows. Which of its texts is what people type, it does not say: a question can
// take the place of each, the longest first. A sample that is no JSON, or holds no text, is replaced altogether.
type sampleForm struct {
	body     string
	document any
	// at are the ways to the texts: keys and indexes.
	at []way
}

// way to a text of a document, and how long that is.
type way struct {
	steps  []any
	length int
}

func newSampleForm(body string) sampleForm {
	document, ok := decode([]byte(body))
	if !ok {
		return sampleForm{body: body}
	}
	at := textsOf(document, nil)
	slices.SortStableFunc(at, func(a, b way) int { return b.length - a.length })
	return sampleForm{body: body, document: document, at: at}
}

// textsOf a document that is reached by the steps.
func textsOf(document any, steps []any) (out []way) {
	next := func(step any) []any { return append(slices.Clip(steps), step) }
	switch v := document.(type) {
	case string:
		return []way{{steps, len(v)}}
	case []any:
		for i, item := range v {
			out = append(out, textsOf(item, next(i))...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = append(out, textsOf(v[key], next(key))...)
		}
	}
	return out
}

func (f sampleForm) texts() int { return max(1, len(f.at)) }

func (f sampleForm) contentType() string {
	if len(f.at) == 0 {
		return typeText
	}
	return typeJSON
}

func (f sampleForm) request(at int, input string) (body, contentType string) {
	if len(f.at) == 0 {
		return input, typeText
	}
	return encode(replaced(f.document, f.at[at].steps, input)), typeJSON
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
