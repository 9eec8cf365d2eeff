package run

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var errBroken = errors.New("the node hung up")

// broken gives a text and then an error.
func broken(text string) io.Reader { return io.MultiReader(strings.NewReader(text), failing{}) }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

func TestEnd(t *testing.T) {
	long := strings.Repeat("a long line of a program that talks much\n", 100_000)
	for name, test := range map[string]struct {
		stream io.Reader
		want   string
		cut    bool
		err    error
	}{
		"nothing":              {strings.NewReader(""), "", false, nil},
		"all of it":            {strings.NewReader("one\ntwo\n"), "one\ntwo\n", false, nil},
		"just as long":         {strings.NewReader("0123456789"), "0123456789", false, nil},
		"the end of a line":    {strings.NewReader("x0123456789"), "0123456789", true, nil},
		"the end of megabytes": {strings.NewReader(long + "the last\n"), "\nthe last\n", true, nil},
		"small pieces":         {&dripping{text: long + "the last\n"}, "\nthe last\n", true, nil},
		"many short lines":     {strings.NewReader(strings.Repeat("\n", maxTailLines)), strings.Repeat("\n", 10), true, nil},
		"broken off":           {broken("until here"), "until here", false, errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := end(test.stream, 10)
			if string(got.Text) != test.want || got.Cut != test.cut || !errors.Is(err, test.err) {
				t.Errorf("%q, cut %t, %v", got.Text, got.Cut, err)
			}
		})
	}
}

// dripping gives three bytes at a time.
type dripping struct{ text string }

func (d *dripping) Read(p []byte) (int, error) {
	if d.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(3, len(p))], d.text)
	d.text = d.text[n:]
	return n, nil
}

// What is asked of the node must hold the end: a limit in bytes is counted from the beginning of what it hands out.
func TestTailAsksForTheEnd(t *testing.T) {
	options := tailOf("prototype")
	if options.LimitBytes != nil || options.TailLines == nil || options.Container != "prototype" {
		t.Errorf("asks for %+v", options)
	}
}
