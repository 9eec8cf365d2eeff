// Package answer tells whether what a system answered is what IT wrote down that it answers: by a JSON Schema, or by an
// operation of an OpenAPI document. What is wrong is said in the words of the schema. Nothing of the answer is repeated,
// not even the name of a field, unless the schema names it too: an answer may be keyed by people's names.
package answer

import (
	"errors"
	"strconv"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// MaxSchema bounds a schema in a catalogue.
	MaxSchema = 4 << 10
	// MaxDocument bounds an OpenAPI document: a ConfigMap holds no more.
	MaxDocument = 1 << 20
	// MaxBody bounds how much of an answer is read. A longer one is not judged.
	MaxBody = 1 << 20
	// maxWhere bounds what is said about one violation.
	maxWhere = 200
)

// Violation is the first thing that is wrong with an answer.
type Violation struct {
	// Where in the answer, such as courses[].title; "the answer" for all of it.
	Where string
	// Keyword of the schema that it violates, such as required.
	Keyword string
}

func (v Violation) String() string {
	return evidence.Clean(v.Where+" violates "+v.Keyword, maxWhere)
}

// errUnusable is what is said of a document; the error of a library may quote it.
var errUnusable = errors.New("it can't be read, refers to another document, or is not valid")

// known are the names of fields that a schema speaks of.
type known map[string]bool

// namesIn collects them wherever they are: below properties as keys, in required as values.
func namesIn(schema any, into known) {
	switch node := schema.(type) {
	case map[string]any:
		for key, below := range node {
			switch list := below.(type) {
			case map[string]any:
				if key == "properties" {
					for name := range list {
						into[name] = true
					}
				}
			case []any:
				if key == "required" {
					for _, name := range list {
						if text, ok := name.(string); ok {
							into[text] = true
						}
					}
				}
			}
			namesIn(below, into)
		}
	case []any:
		for _, below := range node {
			namesIn(below, into)
		}
	}
}

// where renders the path into an answer, with names of the schema's only: any other is a star.
func (k known) where(path []string) string {
	var out strings.Builder
	for _, step := range path {
		_, err := strconv.Atoi(step)
		switch {
		case k[step]:
			if out.Len() > 0 {
				out.WriteByte('.')
			}
			out.WriteString(step)
		case err == nil:
			out.WriteString("[]")
		default:
			if out.Len() > 0 {
				out.WriteByte('.')
			}
			out.WriteByte('*')
		}
	}
	if out.Len() == 0 {
		return "the answer"
	}
	return out.String()
}
