package load

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-openapi/jsonpointer"

	"github.com/affineur/affineur/internal/evidence"
)

// reply is an answer as a prototype gives it.
type reply struct {
	status int
	kind   string
	body   string
	coding string
}

func (r reply) write(w http.ResponseWriter) {
	if r.kind != "" {
		w.Header().Set("Content-Type", r.kind)
	}
	if r.coding != "" {
		w.Header().Set("Content-Encoding", r.coding)
	}
	w.WriteHeader(max(r.status, http.StatusOK))
	_, _ = io.WriteString(w, r.body)
}

// shape of the reply, as the generator sees it.
func (r reply) shape(places ...jsonpointer.Pointer) shape {
	l := newLook(&http.Response{StatusCode: max(r.status, http.StatusOK), Header: http.Header{"Content-Type": {r.kind}, "Content-Encoding": {r.coding}}})
	l.take([]byte(r.body))
	return l.shape(places)
}

func inJSON(body string) reply { return reply{kind: "application/json", body: body} }
func events(body string) reply { return reply{kind: "text/event-stream", body: body} }

// alone asks for so many answers without load.
func alone(most int) *evidence.Alone {
	return &evidence.Alone{Most: most, Duration: evidence.Duration(20 * time.Second)}
}

// counted answers as without load ten times, and then as under it.
func counted(t *testing.T, without []reply, under reply, places ...string) evidence.StepResult {
	t.Helper()
	var n atomic.Int64
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if i := n.Add(1); i <= 10 {
			without[int(i-1)%len(without)].write(w)
			return
		}
		under.write(w)
	})
	ask := spec(s.URL, "40", 500*ms)
	ask.Alone, ask.Answer = alone(10), places
	got := measure(t, ask)
	if got.Alone != 10 {
		t.Errorf("%d answers without load", got.Alone)
	}
	return got.Steps[0]
}

const long = maxLooked + 1

func TestAnswersAreComparedWithThoseWithoutLoad(t *testing.T) {
	answer := inJSON(`{"answer": "In March.", "sources": ["statutes"]}`)
	shouts := events("data: {\"delta\": \"In\"}\n\ndata: {\"delta\": \" March.\"}\n\ndata: [DONE]\n\n")
	for name, c := range map[string]struct {
		without []reply
		under   reply
		good    bool
	}{
		"another text":               {[]reply{answer}, inJSON(`{"sources": ["fees", "statutes"], "answer": "I don't know when."}`), true},
		"one name of two is missing": {[]reply{answer}, inJSON(`{"answer": "In March."}`), true},
		"one of two is empty":        {[]reply{answer}, inJSON(`{"answer": "In March.", "sources": []}`), true},
		"one name more":              {[]reply{answer}, inJSON(`{"answer": "In March.", "sources": ["fees"], "warning": "The statutes are old."}`), true},
		"says that there's no error": {[]reply{answer}, inJSON(`{"answer": "In March.", "sources": ["fees"], "error": null, "errors": [], "Error": false}`), true},
		"by itself another type":     {[]reply{answer}, reply{kind: "text/plain", body: answer.body}, true},
		"turned away":                {[]reply{answer}, inJSON(`{"error": "busy"}`), false},
		"turned away, same names":    {[]reply{answer}, inJSON(`{"answer": null, "sources": []}`), false},
		"an error beside":            {[]reply{answer}, inJSON(`{"answer": "In March.", "sources": ["fees"], "error": "busy"}`), false},
		"an error as always":         {[]reply{inJSON(`{"answer": "x", "error": "none"}`)}, inJSON(`{"answer": "y", "error": "none"}`), true},
		"nothing":                    {[]reply{answer}, reply{status: http.StatusNoContent}, false},
		"white space":                {[]reply{answer}, inJSON(" \n"), false},
		"broken JSON":                {[]reply{answer}, inJSON(`{"answer": "In`), false},
		"a text":                     {[]reply{answer}, reply{kind: "text/html", body: "<html>busy</html>"}, false},
		"another good status":        {[]reply{answer}, reply{status: http.StatusAccepted, body: answer.body}, false},
		"an empty one, as always":    {[]reply{{status: http.StatusNoContent}}, reply{status: http.StatusNoContent}, true},
		"a text, as always":          {[]reply{{body: "In March."}}, reply{body: "Der Beitrag ist im März fällig."}, true},
		"a list, as always":          {[]reply{inJSON(`["a"]`)}, inJSON(`["b", "c"]`), true},
		"an error for a text":        {[]reply{{body: "In March."}}, inJSON(`{"error": "busy"}`), false},
		"two ways":                   {[]reply{answer, {body: "In March."}}, reply{body: "Or so."}, true},
		"two ways, an error":         {[]reply{answer, {body: "In March."}}, inJSON(`{"error": "busy"}`), false},
		"too long to look at":        {[]reply{answer}, inJSON(`{"text": "` + strings.Repeat("x", long) + `"}`), true},
		"always too long":            {[]reply{{body: strings.Repeat("x", long)}}, reply{body: "short"}, true},
		"always too long, nothing":   {[]reply{{body: strings.Repeat("x", long)}}, reply{}, false},
		"a stream":                   {[]reply{shouts}, events(": hello\n\nevent: delta\ndata: never"), true},
		"a stream that says nothing": {[]reply{shouts}, events(": \n\n"), false},
		"a stream that only ends":    {[]reply{shouts}, events("data: [DONE]\n\n"), false},
		"a stream with an error":     {[]reply{shouts}, events(": \n\ndata: {}\n\nevent: error\r\ndata: busy\r\n\r\n"), false},
		"a stream of an error":       {[]reply{shouts}, events(`data: { "error": {"message": "busy"}}`), false},
		"a stream of no error":       {[]reply{shouts}, events(`data: {"error": null, "delta": "In"}`), true},
		"a stream for an object":     {[]reply{answer}, events("data: busy\n\n"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := counted(t, c.without, c.under)
			if good := got.Succeeded == 20; good != c.good || got.Succeeded+got.Failures.OtherShape != 20 {
				t.Errorf("%d good, failed %+v", got.Succeeded, got.Failures)
			}
		})
	}
}

// Of what is too long to look at and of what is packed, its beginning and its type tell.
func TestAnswersThatAreNotLookedThrough(t *testing.T) {
	answer := inJSON(`{"answer": "In March.", "sources": ["statutes"]}`)
	for name, c := range map[string]struct {
		without, under reply
		good           bool
	}{
		"too long a text":            {answer, reply{kind: "text/html", body: strings.Repeat("busy", long)}, false},
		"too long, an error":         {answer, inJSON(" \n{\"error\": \"busy" + strings.Repeat(" ", long) + `"}`), false},
		"too long a space before":    {answer, inJSON(strings.Repeat(" ", long) + answer.body), true},
		"too long before an error":   {answer, inJSON(strings.Repeat(" ", long) + `{"error": "busy"}`), false},
		"too long for an empty one":  {reply{status: http.StatusOK}, inJSON(`{"text": "` + strings.Repeat("x", long) + `"}`), false},
		"too long an object, always": {inJSON(`{"text": "` + strings.Repeat("x", long) + `"}`), answer, true},
		"a text for a long object":   {inJSON(`{"text": "` + strings.Repeat("x", long) + `"}`), reply{kind: "text/html", body: "busy"}, false},
		"too long a row of objects":  {reply{body: strings.Repeat("{}\n", 2)}, reply{body: strings.Repeat("{}\n", long)}, true},
		"a short row of objects":     {reply{body: strings.Repeat("{}\n", long)}, reply{body: strings.Repeat("{}\n", 2)}, true},
		"packed, where none was":     {answer, reply{kind: "application/json; charset=utf-8", body: "?", coding: "br"}, true},
		"another type, packed":       {answer, reply{kind: "text/html", body: "?", coding: "br"}, false},
		"packed, and empty":          {answer, reply{kind: "application/json", coding: "br"}, false},
		"nothing for what is packed": {reply{kind: "application/json", body: "?", coding: "br"}, inJSON(""), false},
		"packed, as always":          {reply{kind: "application/json", body: "?", coding: "br"}, reply{kind: "application/json", body: "!", coding: "br"}, true},
		"not packed, once":           {reply{kind: "application/json", body: "?", coding: "br"}, answer, true},
		"an error, not packed":       {reply{kind: "application/json", body: "?", coding: "br"}, inJSON(`{"error": "busy"}`), false},
		"a text for what was packed": {reply{kind: "application/json", body: "?", coding: "br"}, reply{kind: "text/html", body: "busy"}, false},
	} {
		if got := usualOf([]shape{c.without.shape()}).takes(c.under.shape()); got != c.good {
			t.Errorf("%s: taken %t", name, got)
		}
	}
}

// What begins with an error is one by the same words as what is looked at as a whole.
func TestErrorsAtTheBegin(t *testing.T) {
	for begin, wrong := range map[string]bool{
		`{"error": null`: false, "{\"error\":\t null": false, `{"error": false`: false, `{"error": 0`: false, `{"error": ""`: false, `{"error": []`: false, `{"Errors": {}`: false,
		`{"error": 0.5`: true, `{"error": true`: true, `{"error" : "busy"`: true, `{"errors": ["busy"]`: true, `{"ERROR": {"code": 1}`: true, `{"erroneous": 1`: false, `{"answer": 1`: false,
	} {
		whole, cut := inJSON(begin+`, "text": "x"}`).shape(), inJSON(begin+`, "text": "`+strings.Repeat("x", long)+`"}`).shape()
		if stream := events("data: " + begin + "}\n\n").shape(); whole.wrong != wrong || cut.wrong != wrong || stream.wrong != wrong {
			t.Errorf("%s: whole %t, cut off %t, in a stream %t", begin, whole.wrong, cut.wrong, stream.wrong)
		}
	}
}

// What comes once before a prototype is warm takes nothing away from what its answers have in common.
func TestOddAnswersAreNotUsual(t *testing.T) {
	answer, cold := inJSON(`{"answer": "In March.", "sources": ["statutes"]}`), inJSON(`{"error": "warming up"}`)
	beside := inJSON(`{"answer": "In March.", "sources": ["statutes"], "errors": ["a source is old"]}`)
	busy, page := inJSON(`{"error": "busy"}`), reply{kind: "text/html", body: "<html>busy</html>"}
	of := func(n int, r reply) []reply { return slices.Repeat([]reply{r}, n) }
	half, other := inJSON(`{"answer": "In March.", "errors": ["no sources"]}`), inJSON(`{"sources": ["statutes"], "errors": ["no answer"]}`)
	for name, c := range map[string]struct {
		// first of ten answers without load, of which the others are usual.
		first []reply
		usual reply
		under reply
		good  bool
	}{
		"an error":                      {of(1, cold), answer, busy, false},
		"an error, and an answer":       {of(1, cold), answer, answer, true},
		"four errors":                   {of(4, cold), answer, busy, false},
		"nine errors":                   {of(9, cold), answer, busy, true},
		"nine errors, and an answer":    {of(9, cold), answer, answer, true},
		"an empty object":               {of(1, inJSON(`{}`)), answer, inJSON(`{"state": "busy"}`), false},
		"two empty objects":             {of(2, inJSON(`{}`)), answer, inJSON(`{"state": "busy"}`), false},
		"two ways, the other":           {of(4, inJSON(`{"question": "Which club?"}`)), answer, inJSON(`{"question": "When?"}`), true},
		"two ways, the first":           {of(4, inJSON(`{"question": "Which club?"}`)), answer, answer, true},
		"names now and then":            {of(4, inJSON(`{"answer": "Yes.", "sources": []}`)), inJSON(`{"answer": "Yes.", "sources": [1], "next": "x", "also": "y"}`), inJSON(`{"answer": "No."}`), true},
		"names now and then, rarely":    {of(1, inJSON(`{"answer": "Yes.", "next": "x"}`)), inJSON(`{"answer": "Yes.", "sources": [1], "next": "x", "also": "y", "then": 1}`), inJSON(`{"answer": "No."}`), false},
		"other names":                   {of(1, inJSON(`{"state": "warming up"}`)), answer, inJSON(`{"state": "busy"}`), false},
		"a page":                        {of(1, page), answer, page, false},
		"two pages":                     {of(2, page), answer, page, true},
		"another status":                {of(1, reply{status: http.StatusAccepted, body: answer.body}), answer, reply{status: http.StatusAccepted, body: answer.body}, false},
		"errors beside some":            {of(3, beside), answer, beside, true},
		"errors beside some, alone":     {of(3, beside), answer, inJSON(`{"errors": ["busy"]}`), false},
		"errors beside some or others":  {[]reply{half, other}, answer, other, true},
		"beside some or others, alone":  {[]reply{half, other}, answer, inJSON(`{"errors": ["busy"]}`), false},
		"errors beside most":            {of(7, beside), answer, beside, true},
		"errors beside most, without":   {of(7, beside), answer, answer, true},
		"errors beside most, alone":     {of(7, beside), answer, busy, false},
		"errors beside all, and alone":  {nil, beside, busy, false},
		"errors beside all, and none":   {nil, beside, answer, true},
		"an error in a stream, and not": {of(1, events(`data: {"error": 1}`)), events("data: In\n\n"), events(`data: {"error": 1}`), false},
		"nothing but errors":            {nil, cold, busy, true},
	} {
		var seen []shape
		for _, r := range slices.Concat(c.first, of(10-len(c.first), c.usual)) {
			seen = append(seen, r.shape())
		}
		if got := usualOf(seen).takes(c.under.shape()); got != c.good {
			t.Errorf("%s: taken %t", name, got)
		}
	}
}

// What the prototype declares holds also where it never was so without load.
func TestAnswersHaveWhatIsDeclared(t *testing.T) {
	const content, calls = "/choices/0/message/content", "/choices/0/message/tool_calls"
	for name, c := range map[string]struct {
		answer reply
		places []string
		good   bool
	}{
		"there":              {inJSON(`{"answer": "In March."}`), []string{"/answer"}, true},
		"a number":           {inJSON(`{"answer": 0}`), []string{"/answer"}, true},
		"no":                 {inJSON(`{"answer": false}`), []string{"/answer"}, true},
		"empty":              {inJSON(`{"answer": ""}`), []string{"/answer"}, false},
		"null":               {inJSON(`{"answer": null}`), []string{"/answer"}, false},
		"missing":            {inJSON(`{"text": "In March."}`), []string{"/answer"}, false},
		"no JSON":            {reply{body: "In March."}, []string{"/answer"}, false},
		"nothing":            {reply{status: http.StatusNoContent}, []string{"/answer"}, false},
		"the body":           {reply{body: "In March."}, []string{""}, true},
		"an empty body":      {reply{body: " "}, []string{""}, false},
		"one of two places":  {inJSON(`{"choices": [{"message": {"content": null, "tool_calls": [{}]}}]}`), []string{content, calls}, true},
		"none of two places": {inJSON(`{"choices": [{"message": {"content": null, "tool_calls": []}}]}`), []string{content, calls}, false},
		"no choice":          {inJSON(`{"choices": []}`), []string{content, calls}, false},
		"too long":           {inJSON(`{"answer": "` + strings.Repeat("x", long) + `"}`), []string{"/answer"}, true},
		"too long a list":    {inJSON(`["` + strings.Repeat("x", long) + `"]`), []string{"/0"}, true},
		"too long a text":    {reply{body: strings.Repeat("x", long)}, []string{"/answer"}, false},
		"a long text":        {reply{body: strings.Repeat("x", long)}, []string{""}, true},
		"packed":             {reply{body: "?", coding: "br"}, []string{"/answer"}, true},
		"a stream":           {events("data: x\n\n"), []string{"/answer"}, true},
		"an empty stream":    {events(": x\n\n"), []string{"/answer"}, false},
		"it, undeclared":     {events(": x\n\n"), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := counted(t, []reply{c.answer}, c.answer, c.places...)
			if good := got.Succeeded == 20; good != c.good || got.Succeeded+got.Failures.NotAsDeclared != 20 {
				t.Errorf("%d good, failed %+v", got.Succeeded, got.Failures)
			}
		})
	}
}

// A program that turns away whoever comes while two are served, with a status of 200.
func TestTurningAwayIsNoAnswer(t *testing.T) {
	var served, turned, at atomic.Int64
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		defer at.Add(-1)
		if at.Add(1) > 2 {
			turned.Add(1)
			inJSON(`{"error": "busy"}`).write(w)
			return
		}
		time.Sleep(50 * ms)
		served.Add(1)
		inJSON(fmt.Sprintf(`{"answer": "%d", "took": %d}`, served.Load(), rand.N(100))).write(w)
	})
	ask := spec(s.URL, "100", time.Second)
	ask.Alone = alone(3)
	got := measure(t, ask).Steps[0]
	if got.Succeeded != served.Load()-3 || got.Failures.OtherShape != turned.Load() || turned.Load() == 0 {
		t.Errorf("%d answered and %d turned away: %+v", served.Load()-3, turned.Load(), got)
	}
}

func TestStreamsBeginWithData(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, part := range []string{": \n\n", "event: delta\ndata: In\n\n", "data: March.\n\n"} {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * ms)
		}
	})
	got := measure(t, spec(s.URL, "5", time.Second)).Steps[0]
	if got.Succeeded != 5 || got.FirstByte.Min.Std() < 100*ms || got.Latency.Min.Std() < 300*ms {
		t.Errorf("got %+v", got)
	}
}

// Where no good answer was had alone, nothing is known of what one looks like, and the report says so.
func TestNobodyAnswersAlone(t *testing.T) {
	var n atomic.Int64
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	ask := spec(s.URL, "10", time.Second)
	ask.Alone = alone(3)
	if got := measure(t, ask); got.Alone != 0 || got.Steps[0].Succeeded != 10 {
		t.Errorf("got %+v", got)
	}
}

// Whatever a body is, and however it comes in pieces, looking at it ends, gives the same shape, and what was seen is taken.
func FuzzShape(f *testing.F) {
	for _, seed := range []string{"", " ", "ok", `{"answer":"x"}`, `{"error":{"a":[1]}}`, `{"a":`, "data: x\n\n", ": \n\nevent: error\r\n", "data:{\"error\":1}"} {
		f.Add([]byte(seed), 3, true)
		f.Add([]byte(seed), 1, false)
	}
	places := []jsonpointer.Pointer{{}}
	for _, seed := range []string{strings.Repeat(" ", long), "{" + strings.Repeat(" ", long), `{"error":1` + strings.Repeat("\n", long), strings.Repeat("x", maxLooked)} {
		f.Add([]byte(seed), maxLooked, false)
	}
	f.Fuzz(func(t *testing.T, body []byte, cut int, streamed bool) {
		kind := "application/json"
		if streamed {
			kind = "text/event-stream; charset=utf-8"
		}
		shapeOf := func(parts ...[]byte) shape {
			l := newLook(&http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {kind}}})
			for _, p := range parts {
				l.take(p)
			}
			return l.shape(places)
		}
		cut = min(max(cut, 0), len(body))
		whole, pieces := shapeOf(body), shapeOf(body[:cut], body[cut:])
		if fmt.Sprint(whole) != fmt.Sprint(pieces) {
			t.Errorf("%+v, in pieces %+v", whole, pieces)
		}
		if !usualOf([]shape{whole}).takes(whole) {
			t.Errorf("%+v is not like itself", whole)
		}
	})
}

// What the generator sent late is counted apart where only that made the answer late.
func TestLateByLag(t *testing.T) {
	order := evidence.LoadSpec{Within: evidence.Duration(100 * ms), FirstWithin: evidence.Duration(50 * ms)}
	for name, c := range map[string]struct {
		lag, first, last                         time.Duration
		within, byLag, firstWithin, firstLateByL int64
	}{
		"in time":               {0, 50 * ms, 100 * ms, 1, 0, 1, 0},
		"late":                  {0, 51 * ms, 101 * ms, 0, 0, 0, 0},
		"late, with some lag":   {10 * ms, 61 * ms, 111 * ms, 0, 0, 0, 0},
		"late by lag":           {10 * ms, 60 * ms, 110 * ms, 0, 1, 0, 1},
		"in time all the same":  {40 * ms, 50 * ms, 100 * ms, 1, 0, 1, 0},
		"begun late by lag":     {10 * ms, 60 * ms, 100 * ms, 1, 0, 0, 1},
		"late, begun in time":   {10 * ms, 50 * ms, 130 * ms, 0, 0, 1, 0},
		"late by lag, not soon": {10 * ms, 90 * ms, 105 * ms, 0, 1, 0, 0},
	} {
		tally := newTally(evidence.Step{RatePerSecond: "1", Duration: evidence.Duration(time.Second)}, 1)
		tally.answered(0, time.Now(), c.lag, moments{c.first, c.last}, order)
		got := tally.result(order)
		if got.WithinTarget != c.within || got.LateByLag != c.byLag || got.FirstWithinTarget != c.firstWithin || got.FirstLateByLag != c.firstLateByL {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
