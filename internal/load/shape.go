package load

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-openapi/jsonpointer"
)

const (
	// maxLooked is how much of an answer is looked at. A line that waits for its answer holds none of it.
	maxLooked = 16 << 10
	// maxField is how much is looked at of a line of a stream.
	maxField = 64
)

// form of an answer's body.
type form int

const (
	// nothing, but for white space.
	nothing form = iota
	text
	// object in JSON.
	object
	// begun is what begins like an object and is too long to look at all of it.
	begun
	// stream of events.
	stream
	// packed in a way that nobody looks into.
	packed
)

// shape is what answers to one and the same request have in common, however much their texts differ.
type shape struct {
	status int
	form   form
	// kind is the media type that the header names.
	kind string
	// braced is a text that begins like an object.
	braced bool
	// filled are the names at the top of an object whose values are not empty, but for those that say that it is an error.
	filled map[string]bool
	// wrong means that the answer says itself that it is an error.
	wrong bool
	// declared means that there is something where the prototype declares its answer; also where that can't be looked at.
	declared bool
}

// lacks tells whether more than half of some names are missing from an object.
func (s shape) lacks(names []string) bool {
	if s.form != object {
		return false
	}
	missing := 0
	for _, name := range names {
		if !s.filled[name] {
			missing++
		}
	}
	return 2*missing > len(names)
}

// usual is what answers look like without load. A nil one is not known, and takes everything.
type usual struct {
	statuses []int
	forms    []form
	kinds    []string
	// filled are the names that every object had, and beside those that one has to have which says that it is an error: where errors
	// are as usual as answers, what each of them had.
	filled, beside []string
	wrong          bool
}

// usualOf is what some answers have in common; nil of none. What may come before a prototype is warm is not usual: a first answer
// like which no other is, a few odd objects, and fewer errors than answers, unless they have what answers have.
func usualOf(seen []shape) *usual {
	if len(seen) == 0 {
		return nil
	}
	if len(seen) > 2 && !slices.ContainsFunc(seen[1:], func(s shape) bool { return s.status == seen[0].status && s.form == seen[0].form }) {
		seen = seen[1:]
	}
	var right, wrong []shape
	for _, s := range seen {
		if s.wrong {
			wrong = append(wrong, s)
		} else {
			right = append(right, s)
		}
	}
	right = withoutOdd(right)
	filled := filledIn(right, func(n, of int) bool { return n == of })
	if 2*len(wrong) < len(seen) {
		wrong = slices.DeleteFunc(wrong, func(s shape) bool { return s.form != object || len(filled) == 0 || s.lacks(filled) })
	}
	u := &usual{filled: filled, beside: filled, wrong: len(wrong) > 0}
	if 2*len(wrong) >= len(seen) {
		u.beside = filledIn(wrong, func(n, of int) bool { return n == of })
	}
	if len(right) == 0 {
		u.filled = u.beside
	}
	for _, s := range slices.Concat(right, wrong) {
		u.statuses, u.forms, u.kinds = append(u.statuses, s.status), append(u.forms, s.form), append(u.kinds, s.kind)
	}
	return u
}

// withoutOdd leaves out objects that lack what most have, where they are fewer than a quarter: more are another way to answer.
func withoutOdd(seen []shape) []shape {
	most := filledIn(seen, func(n, of int) bool { return 2*n > of })
	like := slices.DeleteFunc(slices.Clone(seen), func(s shape) bool { return s.lacks(most) })
	if 4*(len(seen)-len(like)) >= len(seen) {
		return seen
	}
	return like
}

// filledIn are the names that are filled in enough objects.
func filledIn(seen []shape, enough func(n, of int) bool) []string {
	objects, having := 0, map[string]int{}
	for _, s := range seen {
		if s.form == object {
			objects++
		}
		for name := range s.filled {
			having[name]++
		}
	}
	maps.DeleteFunc(having, func(_ string, n int) bool { return !enough(n, objects) })
	return slices.Collect(maps.Keys(having))
}

// takes tells whether an answer looks as without load. Where it is in doubt it does: a text may differ, and a name or two may be
// missing from an object, but not more than half of those that are usual.
func (u *usual) takes(s shape) bool {
	switch {
	case u == nil:
		return true
	case !slices.Contains(u.statuses, s.status) || !u.formed(s):
		return false
	case s.wrong:
		return u.wrong && !s.lacks(u.beside)
	}
	return !s.lacks(u.filled)
}

// formed tells whether an answer may be of a form that is usual. What is too long for it is known by how it begins, and what is
// packed by what its header says.
func (u *usual) formed(s shape) bool {
	had := func(f form) bool { return slices.Contains(u.forms, f) }
	switch {
	case s.form == packed:
		return slices.Contains(u.kinds, s.kind)
	case had(s.form), s.form == begun && (had(object) || had(text)), had(begun) && (s.form == object || s.braced):
		return true
	}
	return s.form != nothing && had(packed) && slices.Contains(u.kinds, s.kind)
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// look takes in the body of one answer.
type look struct {
	status           int
	kind             string
	streamed, packed bool
	// body is what is looked at, without the white space before it; cut means that there was more.
	body *bytes.Buffer
	cut  bool
	// began is set when something was said.
	began       bool
	field       []byte
	data, wrong bool
}

func newLook(response *http.Response) look {
	kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	encoding := response.Header.Get("Content-Encoding")
	l := look{status: response.StatusCode, kind: strings.ToLower(strings.TrimSpace(kind)), packed: encoding != "" && !strings.EqualFold(encoding, "identity")}
	l.streamed = !l.packed && l.kind == "text/event-stream"
	return l
}

// take in the next bytes.
func (l *look) take(p []byte) {
	switch {
	case l.streamed:
		l.follow(p)
		l.began = l.began || l.data
	case len(p) > 0:
		l.began = true
		if !l.packed && !l.cut {
			l.keep(p)
		}
	}
}

func (l *look) keep(p []byte) {
	if l.body == nil {
		l.body = bodies.Get().(*bytes.Buffer)
		l.body.Reset()
	}
	if l.body.Len() == 0 {
		p = bytes.TrimLeft(p, " \t\r\n")
	}
	kept := min(len(p), maxLooked-l.body.Len())
	l.body.Write(p[:kept])
	l.cut = kept < len(p)
}

func (l *look) release() {
	if l.body != nil {
		bodies.Put(l.body)
		l.body = nil
	}
}

// follow a stream of server-sent events (WHATWG HTML, 9.2): what counts is its lines of data and whether one is an error.
func (l *look) follow(p []byte) {
	for _, c := range p {
		switch {
		case c == '\n' || c == '\r':
			l.event()
		case len(l.field) < maxField:
			l.field = append(l.field, c)
		}
	}
}

// event reads a line of a stream. What ends a stream of chat completions says nothing.
func (l *look) event() {
	name, value, _ := bytes.Cut(l.field, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case string(name) == "event" && string(value) == "error":
		l.wrong = true
	case string(name) == "data" && len(value) > 0 && string(value) != "[DONE]":
		l.data, l.wrong = true, l.wrong || beginsWithError(value)
	}
	l.field = l.field[:0]
}

// firstError is a first member that says that something is wrong, and none its value where nothing is: as in whole objects.
var (
	firstError = regexp.MustCompile(`(?i)^\{\s*"errors?"\s*:\s*`)
	none       = regexp.MustCompile(`^(?:null|false|0|""|\[\]|\{\})\s*(?:[,}]|$)`)
)

// beginsWithError tells whether an object in JSON begins with an error that is not empty.
func beginsWithError(value []byte) bool {
	named := firstError.Find(value)
	return named != nil && !none.Match(value[len(named):])
}

// shape of the whole answer. declared are the places of which one must hold something; none where nothing is declared. A stream
// always has to say something.
func (l *look) shape(declared []jsonpointer.Pointer) shape {
	defer l.release()
	s := shape{status: l.status, kind: l.kind, declared: true}
	switch {
	case l.streamed:
		l.event()
		if s.wrong = l.wrong; l.data {
			s.form = stream
		}
		s.declared = l.data
	case l.packed && l.began:
		s.form = packed
	case l.body == nil:
		s.declared = len(declared) == 0
	default:
		l.read(&s, declared)
	}
	return s
}

func (l *look) read(s *shape, declared []jsonpointer.Pointer) {
	body := bytes.TrimSpace(l.body.Bytes())
	if len(body) == 0 {
		s.declared = len(declared) == 0
		return
	}
	s.form, s.braced = text, body[0] == '{'
	switch {
	case l.cut:
		if s.braced {
			s.form, s.braced, s.wrong = begun, false, beginsWithError(body)
		}
		s.declared = mayHold(body[0], declared)
		return
	case s.braced:
		s.read(body)
	}
	s.declared = holds(body, declared)
}

// read what is filled at the top of a body that is one object.
func (s *shape) read(body []byte) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return
	}
	s.form, s.braced, s.filled = object, false, make(map[string]bool, len(members))
	for name, value := range members {
		switch {
		case !isFilled(value):
		case isError(name):
			s.wrong = s.wrong || string(value) != "false" && string(value) != "0"
		default:
			s.filled[name] = true
		}
	}
}

func isError(name string) bool {
	return strings.EqualFold(name, "error") || strings.EqualFold(name, "errors")
}

func isFilled(value []byte) bool {
	switch string(value) {
	case "null", `""`, "[]", "{}":
		return false
	}
	return true
}

// mayHold tells whether a body too long to look at may have something in one of the places: within an object or a list, or itself.
func mayHold(first byte, places []jsonpointer.Pointer) bool {
	return len(places) == 0 || first == '{' || first == '[' || slices.ContainsFunc(places, func(at jsonpointer.Pointer) bool { return at.IsEmpty() })
}

// holds tells whether there is something in one of the places of a body that is not empty; so is the body itself.
func holds(body []byte, places []jsonpointer.Pointer) bool {
	if len(places) == 0 {
		return true
	}
	var document any
	decoded := json.Unmarshal(body, &document) == nil
	return slices.ContainsFunc(places, func(at jsonpointer.Pointer) bool {
		if at.IsEmpty() {
			return true
		}
		if !decoded {
			return false
		}
		value, _, err := at.Get(document)
		if err != nil {
			return false
		}
		switch v := value.(type) {
		case nil:
			return false
		case string:
			return v != ""
		case []any:
			return len(v) > 0
		case map[string]any:
			return len(v) > 0
		}
		return true
	})
}

// learn asks one request after the other, without any load, and keeps what good answers look like. It tells how many there were.
func (g *generator) learn(ctx context.Context) int64 {
	var seen []shape
	l := &line{g: g}
	defer l.drop()
	for begin, n := time.Now(), 0; n < g.spec.Alone.Most && time.Since(begin) < g.spec.Alone.Duration.Std() && ctx.Err() == nil; n++ {
		if what, _ := l.exchange(ctx, time.Now()); what == succeeded || what == notAsDeclared {
			seen = append(seen, l.seen)
		}
	}
	g.usual = usualOf(seen)
	return int64(len(seen))
}
