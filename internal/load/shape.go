package load

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
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
	// stream of events.
	stream
	// opaque is too long to look at all of it, or packed in a way that nobody asked for.
	opaque
)

// shape is what answers to one and the same request have in common, however much their texts differ.
type shape struct {
	status int
	form   form
	// filled are the names at the top of an object whose values are not empty.
	filled map[string]bool
	// wrong means that the answer says itself that it is an error.
	wrong bool
	// declared means that there is something where the prototype declares its answer; also where that can't be looked at.
	declared bool
}

// usual is what answers look like without load. A nil one is not known, and takes everything.
type usual struct {
	statuses []int
	forms    []form
	// filled are the names that every object had.
	filled []string
	wrong  bool
}

// usualOf is what some answers have in common; nil of none.
func usualOf(seen []shape) *usual {
	if len(seen) == 0 {
		return nil
	}
	u := &usual{}
	first := true
	for _, s := range seen {
		u.statuses, u.forms, u.wrong = append(u.statuses, s.status), append(u.forms, s.form), u.wrong || s.wrong
		if s.form != object {
			continue
		}
		if first {
			for name := range s.filled {
				u.filled = append(u.filled, name)
			}
		}
		u.filled = slices.DeleteFunc(u.filled, func(name string) bool { return !s.filled[name] })
		first = false
	}
	return u
}

// takes tells whether an answer looks as without load. Where it is in doubt it does: a text may differ, and a name or two may be
// missing from an object, but not more than half of those that were always filled.
func (u *usual) takes(s shape) bool {
	if u == nil {
		return true
	}
	if !slices.Contains(u.statuses, s.status) || s.wrong && !u.wrong {
		return false
	}
	unknown := s.form == opaque || s.form != nothing && slices.Contains(u.forms, opaque)
	if !unknown && !slices.Contains(u.forms, s.form) {
		return false
	}
	missing := 0
	for _, name := range u.filled {
		if s.form == object && !s.filled[name] {
			missing++
		}
	}
	return 2*missing <= len(u.filled)
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// look takes in the body of one answer.
type look struct {
	status   int
	streamed bool
	form     form
	body     *bytes.Buffer
	// began is set when something was said.
	began       bool
	field       []byte
	data, wrong bool
}

func newLook(response *http.Response) look {
	kind, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	l := look{status: response.StatusCode, streamed: strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")}
	if packed := response.Header.Get("Content-Encoding"); packed != "" && !strings.EqualFold(packed, "identity") {
		l.form, l.streamed = opaque, false
	}
	return l
}

// take in the next bytes.
func (l *look) take(p []byte) {
	switch {
	case l.streamed:
		l.follow(p)
		l.began = l.began || l.data
		return
	case len(p) == 0:
		return
	case l.form == opaque:
	case l.body == nil:
		l.body = bodies.Get().(*bytes.Buffer)
		l.body.Reset()
		fallthrough
	default:
		l.keep(p)
	}
	l.began = true
}

func (l *look) keep(p []byte) {
	if l.body.Len()+len(p) > maxLooked {
		l.form = opaque
		l.release()
		return
	}
	l.body.Write(p)
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

// beginsWithError tells whether an object in JSON begins with an error that is not empty.
func beginsWithError(value []byte) bool {
	rest, ok := bytes.CutPrefix(value, []byte("{"))
	if !ok {
		return false
	}
	rest, ok = bytes.CutPrefix(bytes.TrimSpace(rest), []byte(`"error"`))
	rest = bytes.TrimLeft(rest, " \t:")
	return ok && !bytes.HasPrefix(rest, []byte("null")) && !bytes.HasPrefix(rest, []byte("false")) && !bytes.HasPrefix(rest, []byte(`""`))
}

// shape of the whole answer. declared are the places of which one must hold something; none where nothing is declared.
func (l *look) shape(declared []jsonpointer.Pointer) shape {
	defer l.release()
	s := shape{status: l.status, form: l.form, declared: true}
	switch {
	case l.streamed:
		l.event()
		if s.wrong = l.wrong; l.data {
			s.form = stream
		}
		s.declared = l.data
	case l.form == opaque:
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
	s.form = text
	var members map[string]json.RawMessage
	if body[0] == '{' && json.Unmarshal(body, &members) == nil {
		s.form, s.filled = object, make(map[string]bool, len(members))
		for name, value := range members {
			if isFilled(value) {
				s.filled[name] = true
				s.wrong = s.wrong || isError(name) && string(value) != "false" && string(value) != "0"
			}
		}
	}
	s.declared = holds(body, declared)
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
