// Package describe turns prototypes, reviews and decisions into plain words. It is pure: objects and the time go
// in, text comes out, and nothing that came from the cluster reaches the text uncleaned.
package describe

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Paint says whether words may be coloured: true only for a terminal whose owner did not ask for none.
type Paint bool

// tone is the weight of a word, shown as a colour where there is paint.
type tone string

const (
	plain  tone = ""
	strong tone = "1"
	good   tone = "32"
	bad    tone = "31"
	open   tone = "33"
	faint  tone = "2"
)

// fieldWidth is the column of names at the left of a page, in runes.
const fieldWidth = 12

// span is a piece of a line. Its text is cleaned when the line is written.
type span struct {
	text  string
	tone  tone
	width int
}

func say(format string, args ...any) span { return span{text: fmt.Sprintf(format, args...)} }

func in(t tone, text string) span { return span{text: text, tone: t} }

// wide pads the span with spaces to a number of runes.
func (s span) wide(width int) span {
	s.width = width
	return s
}

// page collects lines. It is the only way to text in this package, so that nothing gets around Clean.
type page struct {
	out   strings.Builder
	paint Paint
}

func (p *page) String() string { return p.out.String() }

// line writes spans side by side.
func (p *page) line(indent int, spans ...span) {
	var line strings.Builder
	line.WriteString(strings.Repeat(" ", indent))
	for _, s := range spans {
		text := Clean(s.text)
		padding := strings.Repeat(" ", max(0, s.width-utf8.RuneCountInString(text)))
		if p.paint && s.tone != plain && text != "" {
			text = "\x1b[" + string(s.tone) + "m" + text + "\x1b[0m"
		}
		line.WriteString(text + padding)
	}
	p.out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// field writes a named line, and more writes another line under the same name.
func (p *page) field(name string, spans ...span) {
	p.line(0, append([]span{in(strong, name).wide(fieldWidth)}, spans...)...)
}

func (p *page) more(spans ...span) { p.line(fieldWidth, spans...) }

// section begins a part of the page.
func (p *page) section(title string) {
	p.out.WriteString("\n")
	p.line(0, in(strong, title))
}

// steps writes what to do, each with the command to type where there is one.
func (p *page) steps(steps []Step) {
	for _, step := range steps {
		if step.Say != "" {
			p.line(2, say("%s", step.Say))
		}
		if step.Command != "" {
			p.line(4, in(strong, step.Command))
		}
	}
}

// Clean makes text from the cluster fit for a terminal: one line without control characters, without the invisible
// formatting characters that hide or reorder text, and with runs of white space as one space, so that padding
// can't push words to where they look like ours.
func Clean(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			if !space {
				b.WriteByte(' ')
			}
			space = true
		case Invisible(r):
		default:
			b.WriteRune(r)
			space = false
		}
	}
	return b.String()
}

// Invisible tells characters that a terminal obeys instead of showing, and what is no character at all. White
// space is not among them.
func Invisible(r rune) bool {
	return r == utf8.RuneError || (!unicode.IsGraphic(r) && !unicode.IsSpace(r)) || r == '\u0085'
}
