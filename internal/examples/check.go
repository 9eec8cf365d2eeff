package examples

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/affineur/affineur/internal/bounded"
)

// maxExpression bounds one regular expression, in bytes.
const maxExpression = 1 << 10

// maxProgram bounds the compiled size of all regular expressions of a set together, in instructions: a short one that
// repeats can become a large one.
const maxProgram = 200_000

// maxSearch bounds the search of one answer, in bytes times instructions, of which a core does ten million and more in a
// second: 256 KiB with an expression of 256. What would take longer is not found.
const maxSearch = 1 << 26

// maxPattern bounds an expression in a schema, in instructions.
const maxPattern = 1000

// Reply is an answer that is to be checked.
type Reply struct {
	Text string
	// Refused means that the answer's own field says so.
	Refused bool
	// Beside is what it says beside its refusal, and part of Text.
	Beside string
}

// Checker tells right answers to a set's examples from wrong ones. It may be used by many goroutines at once.
type Checker struct {
	// checks of each example, in the order of its assertions.
	checks [][]check
}

// check tells whether one assertion holds.
type check func(Reply) bool

// compiler shares what examples have in common.
type compiler struct {
	schemas map[string]*bounded.Schema
	size    int
}

// Compile prepares the checks of a set that Read accepted. It fails on regular expressions and schemas that are none,
// that accept an empty answer or everything, or that are too large.
func (s Set) Compile() (*Checker, error) {
	c := &compiler{schemas: make(map[string]*bounded.Schema)}
	checker := &Checker{checks: make([][]check, len(s.Examples))}
	for i, e := range s.Examples {
		for n, a := range e.Assert {
			made, err := c.check(a)
			if err != nil {
				return nil, at(e.line, fmt.Errorf("assertion %d: %s: %w", n+1, a.Kind(), err))
			}
			checker.checks[i] = append(checker.checks[i], made)
		}
	}
	return checker, nil
}

// Wrong is the kind of the first assertion that does not hold of the answer to the example at the given place in the
// set, or "" for a right answer.
func (c *Checker) Wrong(s Set, example int, r Reply) Kind {
	for n, holds := range c.checks[example] {
		if !holds(r) {
			return s.Examples[example].Assert[n].Kind()
		}
	}
	return ""
}

func (c *compiler) check(a Assertion) (check, error) {
	switch a.Kind() {
	case KindEquals:
		normal := normalizer(a.IgnoreCase)
		want := normal(*a.Equals)
		return given(func(text string) bool { return normal(text) == want }), nil
	case KindContains:
		normal := normalizer(a.IgnoreCase)
		want := normal(*a.Contains)
		return given(func(text string) bool { return strings.Contains(normal(text), want) }), nil
	case KindRegexp:
		expression, size, err := c.answerRegexp(*a.Regexp)
		if err != nil {
			return nil, err
		}
		return given(func(text string) bool { return len(text)*size <= maxSearch && expression.MatchString(text) }), nil
	case KindJSONSchema:
		schema, err := c.schema(a.JSONSchema)
		if err != nil {
			return nil, err
		}
		return given(func(text string) bool { return describes(schema, text) }), nil
	case KindNumber:
		return given(a.Number.holds), nil
	case KindLabel:
		return given(same(a.Label.Value)), nil
	}
	return c.refusal(*a.Refusal)
}

// given is a check of an answer that is there and was not refused.
func given(holds func(string) bool) check {
	return func(r Reply) bool { return !r.Refused && strings.TrimSpace(r.Text) != "" && holds(r.Text) }
}

// normalizer makes texts comparable: composed characters (NFC), white space as one space, and upper and lower case alike
// where that is asked.
func normalizer(ignoreCase bool) func(string) string {
	if ignoreCase {
		return fold
	}
	return squeeze
}

func squeeze(s string) string { return strings.Join(strings.Fields(norm.NFC.String(s)), " ") }

func fold(s string) string { return cases.Fold().String(squeeze(s)) }

// Fingerprint is the same for two answers that are the same but for white space.
func (r Reply) Fingerprint() [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%t %s", r.Refused, squeeze(r.Text)))
}

// answerRegexp compiles an expression for answers, and tells its size. One that takes an empty answer says nothing.
func (c *compiler) answerRegexp(text string) (*regexp.Regexp, int, error) {
	expression, size, err := c.regexp(text)
	if err == nil && expression.MatchString("") {
		err = errors.New("it also accepts an empty answer")
	}
	return expression, size, err
}

// regexp compiles one expression, unless all of them together have become too large, and tells its size in instructions.
func (c *compiler) regexp(text string) (*regexp.Regexp, int, error) {
	if len(text) > maxExpression {
		return nil, 0, fmt.Errorf("an expression of %d bytes, %d are allowed", len(text), maxExpression)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, 0, errors.New("not a regular expression of RE2")
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, 0, errors.New("not a regular expression of RE2")
	}
	if c.size += len(program.Inst); c.size > maxProgram {
		return nil, 0, errors.New("the set's regular expressions are too large together")
	}
	expression, err := regexp.Compile(text)
	return expression, len(program.Inst), err
}
