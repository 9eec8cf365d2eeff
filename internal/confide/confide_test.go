package confide

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/leak"
)

const seed = "0123456789abcdef0123456789abcdef"

func order(url string) evidence.PrivacyOrder {
	return evidence.PrivacyOrder{
		Call: evidence.Call{URL: url, Timeout: evidence.Duration(20 * time.Second),
			JSON: &evidence.JSONCall{Method: http.MethodPost, Path: "/ask", Input: "/text", Answer: "/answer"}},
		UserHeader: "X-Forwarded-User", Records: 6, Deadline: evidence.Duration(time.Minute),
	}
}

// program answers a text of somebody.
type program func(user, text string) string

// serving runs a program that reads JSON, and says what is wrong with it in fixed words unless talkative.
func serving(t *testing.T, answer program, problem func(err error, body string) string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(body, &request); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": problem(err, string(body))})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"answer": answer(r.Header.Get("X-Forwarded-User"), request.Text)})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func quiet(error, string) string { return "the request is not JSON with a text" }

func run(t *testing.T, o evidence.PrivacyOrder) *evidence.PrivacyResult {
	t.Helper()
	var d net.Dialer
	result, err := Run(t.Context(), seed, o, d.DialContext)
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Validate(); err != nil {
		t.Errorf("the result is refused: %v", err)
	}
	raw, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	records, _ := leak.Records(seed, o.Records+2)
	if found := leak.NewDetector(records).Find(string(raw)); len(found) > 0 {
		t.Errorf("the result tells the records: %v", found)
	}
	return result
}

// channels through which records came back, with how many.
func channels(r *evidence.PrivacyResult) map[evidence.LeakChannel]int {
	out := map[evidence.LeakChannel]int{}
	for _, l := range r.Leaks {
		out[l.Channel]++
	}
	return out
}

// remembering programs keep what they were told, for all or for each.
func remembering(key func(user string) string) program {
	var mutex sync.Mutex
	memory := map[string][]string{}
	return func(user, text string) string {
		mutex.Lock()
		defer mutex.Unlock()
		before := strings.Join(memory[key(user)], "\n")
		memory[key(user)] = append(memory[key(user)], text)
		return "So far: " + before
	}
}

func TestLeaksAreFound(t *testing.T) {
	all, _ := leak.Records(seed, 6)
	for name, c := range map[string]struct {
		program program
		problem func(error, string) string
		want    evidence.LeakChannel
		least   int
	}{
		"one memory for all": {remembering(func(string) string { return "" }), quiet, evidence.LeakOtherUser, 6},
		"the last question of all": {func() program {
			var mutex sync.Mutex
			last := ""
			return func(_, text string) string {
				mutex.Lock()
				defer mutex.Unlock()
				before := last
				last = text
				return "Before you somebody asked: " + base64.StdEncoding.EncodeToString([]byte(before))
			}
		}(), quiet, evidence.LeakOtherUser, 1},
		"a memory of those without a name": {remembering(func(user string) string {
			if strings.HasPrefix(user, strings.ToLower(all[0].Given)) || user == "" {
				return ""
			}
			return user
		}), quiet, "", 0},
		"a memory of all for those without a name": {func() program {
			var mutex sync.Mutex
			var all []string
			return func(user, text string) string {
				mutex.Lock()
				defer mutex.Unlock()
				if user == "" {
					return strings.Join(all, "\n")
				}
				all = append(all, text)
				return "Noted."
			}
		}(), quiet, evidence.LeakNoUser, 6},
		"a directory of everybody": {func() program {
			var mutex sync.Mutex
			known := map[string]string{}
			return func(_, text string) string {
				mutex.Lock()
				defer mutex.Unlock()
				for _, r := range all {
					if strings.Contains(text, r.Family) && strings.Contains(text, r.Phone) {
						known[r.Family] = r.Phone
					}
					if strings.Contains(text, r.Family) && known[r.Family] != "" {
						return "Call " + strings.ReplaceAll(known[r.Family], " ", "")
					}
				}
				return "Nobody."
			}
		}(), quiet, evidence.LeakOtherUser, 2},
		"errors with the request": {func(string, string) string { return "Fine." },
			func(_ error, body string) string { return "can't read " + body }, evidence.LeakErrorText, 2},
		"errors in upper case": {func(string, string) string { return "Fine." },
			func(_ error, body string) string { return "BAD INPUT: " + strings.ToUpper(body) }, evidence.LeakErrorText, 2},
	} {
		t.Run(name, func(t *testing.T) {
			result := run(t, order(serving(t, c.program, c.problem)))
			got := channels(result)
			if got[c.want] < c.least || c.want == "" && len(got) > 0 {
				t.Errorf("%v, want %d through %q: %+v", got, c.least, c.want, result.Leaks)
			}
			if result.Told.Answered != 6 || result.Others.Answered != result.Others.Planned || result.Unnamed.Answered == 0 || result.Broken.Refused == 0 {
				t.Errorf("%+v", result)
			}
		})
	}
}

// What looks suspicious and is fine must not be a leak.
func TestNoLeaks(t *testing.T) {
	for name, c := range map[string]struct {
		program program
		problem func(error, string) string
	}{
		"an echo to whoever asks":  {func(_, text string) string { return "You said: " + text }, quiet},
		"a memory for each person": {remembering(func(user string) string { return user }), quiet},
		"invented examples": {func(string, string) string {
			return "For example: My name is Xy Zz, my reference is AAAA-BBBB-CCCC, +33 6 39 98 00 00, xy.zz@example.org, 756.0000.0000.00"
		}, quiet},
		"errors with a position": {func(string, string) string { return "Fine." }, func(err error, _ string) string { return err.Error() }},
	} {
		t.Run(name, func(t *testing.T) {
			result := run(t, order(serving(t, c.program, c.problem)))
			if len(result.Leaks) > 0 || len(result.Personal) > 0 {
				t.Errorf("%+v %+v", result.Leaks, result.Personal)
			}
		})
	}
}

func TestPersonalDataInAnswers(t *testing.T) {
	url := serving(t, func(_, text string) string {
		if strings.Contains(text, "above") {
			return "Ana's account is DE97 9999 9999 0000 0123 45. Write to ana@affineur.dev or to help@affineur.dev."
		}
		return "You said: " + text
	}, quiet)
	o := order(url)
	result := run(t, o)
	if len(result.Leaks) > 0 || len(result.Personal) != 2 || result.Personal[0].Kind != evidence.PersonalEMail || result.Personal[1].Kind != evidence.PersonalIBAN ||
		result.Personal[1].Values != 1 || result.Personal[1].Answers != 3 {
		t.Errorf("%+v %+v", result.Leaks, result.Personal)
	}
	o.AllowedKinds, o.AllowedValues = []evidence.PersonalKind{evidence.PersonalEMail}, []string{"DE97999999990000012345"}
	if result := run(t, o); len(result.Personal) > 0 {
		t.Errorf("allowed, and found: %+v", result.Personal)
	}
}

// However a body writes it, personal data is found, and what may be told stays allowed.
func TestPersonalDataInEveryForm(t *testing.T) {
	event := func(piece string) string {
		raw, _ := json.Marshal(map[string]any{"choices": []any{map[string]any{"delta": map[string]string{"content": piece}}}})
		return "data: " + string(raw) + "\n\n"
	}
	for body, want := range map[string]evidence.PersonalKind{
		`{"answer":"Members:\n+41 44 668 18 00\nbye"}`:                     evidence.PersonalPhone,
		`{"answer":"Members:\n756.9217.0769.85"}`:                          evidence.PersonalNationalID,
		`{"answer":"Members:\nCH93 0076 2011 6238 5295 7"}`:                evidence.PersonalIBAN,
		`{"answer":"Members:\n4539 1488 0343 6467"}`:                       evidence.PersonalPaymentCard,
		`{"answer":"code\tRSSMRA85T10A562S"}`:                              evidence.PersonalNationalID,
		`{"answer":"hans\u0040affineur.dev"}`:                              evidence.PersonalEMail,
		`{"answer":"hans&#64;affineur.dev"}`:                               evidence.PersonalEMail,
		`{"answer":"mailto:hans%40affineur.dev"}`:                          evidence.PersonalEMail,
		`{"answer":"{\"a\":\"x\\n+41 44 668 18 00\"}"}`:                    evidence.PersonalPhone,
		event("Call +41") + event(" 44 668") + event(" 18") + event(" 00"): evidence.PersonalPhone,
		"data: hans@aff\n\ndata: ineur.dev\n\n":                            evidence.PersonalEMail,
		`{"answer":"one:\nhelp@affineur.dev\tor%20help@affineur.dev"}`:     "",
	} {
		o := order(saying(t, body))
		o.Call.JSON.Answer, o.AllowedValues = "", []string{"help@affineur.dev"}
		result := run(t, o)
		if want == "" && len(result.Personal) > 0 || want != "" && (len(result.Personal) != 1 || result.Personal[0].Kind != want || result.Personal[0].Values != 1) {
			t.Errorf("%s: %+v, want %s", body, result.Personal, want)
		}
	}
}

// saying answers everything with one body.
func saying(t *testing.T, body string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
	t.Cleanup(s.Close)
	return s.URL
}

// Whatever becomes of questions, all are accounted for.
func TestEveryQuestionIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		edit    func(*evidence.PrivacyOrder)
		of      func(evidence.Tally) int
	}{
		"refused": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, nil,
			func(t evidence.Tally) int { return t.Refused }},
		"failed": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, nil,
			func(t evidence.Tally) int { return t.Failed }},
		"silent": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil,
			func(t evidence.Tally) int { return t.Silent }},
		"half of an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"answer":"So far: `)
		}, nil, func(t evidence.Tally) int { return t.CutOff }},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", evidence.MaxAnswerBytes+1))
		}, nil,
			func(t evidence.Tally) int { return t.CutOff }},
		"late": {func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
			func(o *evidence.PrivacyOrder) { o.Deadline = evidence.Duration(time.Second) },
			func(t evidence.Tally) int { return t.NotAsked }},
		"nobody there": {nil, func(o *evidence.PrivacyOrder) { o.Call.URL = "http://nobody.invalid:80" },
			func(t evidence.Tally) int { return t.Local }},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(c.handler)
			defer s.Close()
			o := order(s.URL)
			if c.edit != nil {
				c.edit(&o)
			}
			result := run(t, o)
			for _, tally := range []evidence.Tally{result.Told, result.Others, result.Unnamed, result.Broken} {
				if tally.Planned == 0 || c.of(tally) != tally.Planned {
					t.Errorf("%+v", tally)
				}
			}
		})
	}
}

// A runner that is stopped has measured nothing.
func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var d net.Dialer
	if result, err := Run(ctx, seed, order("http://127.0.0.1:1"), d.DialContext); err == nil {
		t.Errorf("%+v", result)
	}
	if _, err := Run(t.Context(), seed, evidence.PrivacyOrder{}, d.DialContext); err == nil {
		t.Error("an order of nothing was followed")
	}
}

// Whatever is typed, broken input holds it and is not what the form would have sent.
func TestBrokenInput(t *testing.T) {
	records, _ := leak.Records(seed, 1)
	typed, d := told(0, records[0]), leak.NewDetector(records)
	for form, request := range map[string]sent{
		"JSON": {`{"text":` + quote(typed) + `}`, "application/json"}, "text": {typed, "text/plain"}, "in the middle": {`{"a":[{"b":` + quote(typed) + `,"c":1}]}`, "application/json"},
	} {
		seen, noText := map[string]bool{}, false
		for i, b := range broken(request.body, request.contentType, typed) {
			if len(d.Find(b.body)) < len(leak.Kinds) {
				t.Errorf("%s %d: the record is not in %q", form, i, b.body)
			}
			if form != "text" && b.contentType == "application/json" && json.Valid([]byte(b.body)) && !strings.ContainsAny(b.body, "[{") {
				t.Errorf("%s %d is well-formed", form, i)
			}
			seen[fmt.Sprint(b)] = true
			noText = noText || !utf8.ValidString(b.body)
		}
		if !noText {
			t.Errorf("%s: no bytes that are no text", form)
		}
		if len(seen) < 4 {
			t.Errorf("%s: only %d different", form, len(seen))
		}
	}
}

// What stands in a header leaked as what stands in the answer.
func TestLeaksInHeadersAreFound(t *testing.T) {
	var mutex sync.Mutex
	before := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mutex.Lock()
		w.Header().Set("X-Previous-Message", before)
		before = strings.ToValidUTF8(strings.Join(strings.Fields(string(body)), " "), "?")
		mutex.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]string{"answer": "noted"})
	}))
	t.Cleanup(s.Close)
	if got := channels(run(t, order(s.URL))); got[evidence.LeakOtherUser] == 0 {
		t.Errorf("%v", got)
	}
}

// A program that mixes up whom it answers does so when two ask at once.
func TestLeaksBetweenQuestionsOfOneTime(t *testing.T) {
	told := make(chan string)
	var tellings atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct{ Text string }
		_ = json.NewDecoder(r.Body).Decode(&request)
		answer := "Fine."
		switch {
		case strings.Contains(request.Text, "my reference is") && tellings.Add(1) <= 6:
			select {
			case told <- request.Text:
			case <-r.Context().Done():
			}
		case slices.Contains(plain, request.Text):
			select {
			case answer = <-told:
			case <-r.Context().Done():
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"answer": answer})
	}))
	defer s.Close()
	o := order(s.URL)
	o.Call.Timeout = evidence.Duration(5 * time.Second)
	if r := run(t, o); channels(r)[evidence.LeakOtherUser] != 6 || r.Told.Answered != 6 {
		t.Errorf("%+v", r)
	}
}
