package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/personal"
)

func TestParsePlay(t *testing.T) {
	got, err := parsePlay("delay=20ms fail-every=5  status=302")
	if want := (play{delay: 20 * time.Millisecond, failEvery: 5, status: 302}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, wrong := range []string{"delay=soon", "delay", "fail-every=often", "sing=aloud"} {
		if _, err := parsePlay(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// giveUp is how long an answer that does not come is waited for.
const giveUp = 2 * time.Second

// answers asks n times, one after the other, and gives what came of each: a status, or 0 for an answer that broke off or
// never came.
func answers(t *testing.T, play string, n int) []int {
	t.Helper()
	parsed, err := parsePlay(play)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(prototype(parsed))
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	var got []int
	for range n {
		ctx, cancel := context.WithTimeout(t.Context(), giveUp)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		status := 0
		if answer, err := client.Do(request); err == nil {
			if _, err = io.ReadAll(answer.Body); err == nil {
				status = answer.StatusCode
			}
			_ = answer.Body.Close()
		}
		cancel()
		got = append(got, status)
	}
	return got
}

func TestBehaves(t *testing.T) {
	for play, want := range map[string][]int{
		"":                       {200, 200, 200},
		"fail-every=2":           {200, 500, 200},
		"break-every=2":          {200, 0, 200},
		"hang-every=2":           {200, 0, 200},
		"endure=1":               {200, 500, 500},
		"status=302":             {302, 302, 302},
		"every=2 slow=1h":        {200, 0, 200},
		"first=1 slow=1h":        {0, 200, 200},
		"grow=1 alone=1ms":       {200, 200, 200},
		"delay=1h":               {0, 0, 0},
		"worse=1h":               {0, 0, 0},
		"worse=1us delay=1us":    {200, 200, 200},
		"still=1ms pause=1000h":  {200, 200, 200},
		"leads=what-is-not-lent": {503, 503, 503},
	} {
		t.Run(play, func(t *testing.T) {
			t.Parallel()
			if got := answers(t, play, 3); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// The health is good whatever is played, or the prototype would not be measured at all.
func TestHealthIsGood(t *testing.T) {
	recorder := httptest.NewRecorder()
	prototype(play{failEvery: 1, status: 500}).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if recorder.Code != http.StatusOK {
		t.Errorf("status %d", recorder.Code)
	}
}

func TestAnswersQuestionsOnly(t *testing.T) {
	for body, want := range map[string]int{`{"question": "3+20"}`: 200, `{"question": "When?"}`: 200, `{}`: 400, ``: 400, `{"question": 7}`: 400} {
		recorder := httptest.NewRecorder()
		prototype(play{status: 200}).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/ask", strings.NewReader(body)))
		if recorder.Code != want {
			t.Errorf("%q: status %d, want %d", body, recorder.Code, want)
		}
	}
}

func TestAdds(t *testing.T) {
	for play, want := range map[string][]string{
		"":          {`"23"`, `"23"`},
		"wrong=1-3": {`"24"`, `"24"`},
		"wrong=4-9": {`"23"`, `"23"`},
		"vary=3-3":  {`"23"`, `"24"`},
		"mute=3-3":  {"server_error", "server_error"},
		"busy=3-3":  {"rate_limit_error", "rate_limit_error"},
	} {
		parsed, err := parsePlay(play)
		if err != nil {
			t.Fatal(err)
		}
		handler := prototype(parsed)
		for _, answer := range want {
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/ask", strings.NewReader(`{"question": "3+20"}`)))
			if !strings.Contains(recorder.Body.String(), answer) {
				t.Errorf("%q: %s, want %s", play, recorder.Body, answer)
			}
		}
	}
}

func TestGullibleTakesAnything(t *testing.T) {
	for _, body := range []string{"", "{", "[]", `{"question": "When?"}`} {
		recorder := httptest.NewRecorder()
		prototype(play{status: 200, gullible: true}).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/ask", strings.NewReader(body)))
		if recorder.Code != http.StatusOK {
			t.Errorf("%q: status %d", body, recorder.Code)
		}
	}
}

// What answers may hold besides is what it is said to be.
func TestExtras(t *testing.T) {
	for name, text := range extras {
		want := name == "iban" || name == "card" || name == "phone"
		if found := personal.Beyond("You said: hello "+text, "hello", personal.Allowed{}); (len(found) > 0) != want {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// What one person says is told to another only where the play says so.
func TestChats(t *testing.T) {
	for play, want := range map[string]struct {
		// first is what Ann hears at her second message, another what Bob hears, nobody what comes to who has no name.
		first, another, nobody bool
	}{
		"":               {false, false, false},
		"tells=own":      {true, false, false},
		"tells=last":     {true, true, false},
		"tells=all":      {true, true, true},
		"tells=nameless": {false, false, true},
		"logs adds=iban": {false, false, false},
	} {
		parsed, err := parsePlay(play)
		if err != nil {
			t.Fatal(err)
		}
		handler := prototype(parsed)
		hears := func(who, says string) bool {
			request := httptest.NewRequest(http.MethodPost, "/v1/chat", strings.NewReader(`{"message": "`+says+`"}`))
			if who != "" {
				request.Header.Set("X-Forwarded-User", who)
			}
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			if recorder.Code != http.StatusOK || strings.Contains(recorder.Body.String(), "4129") != (parsed.adds == "iban") {
				t.Errorf("%q: %d %s", play, recorder.Code, recorder.Body)
			}
			return strings.Contains(recorder.Body.String(), "tulips")
		}
		hears("ann", "tulips")
		if got := hears("ann", "again"); got != want.first {
			t.Errorf("%q: Ann hears it: %t", play, got)
		}
		hears("ann", "tulips")
		if got := hears("bob", "what?"); got != want.another {
			t.Errorf("%q: Bob hears it: %t", play, got)
		}
		if got := hears("", "who?"); got != want.nobody {
			t.Errorf("%q: somebody hears it: %t", play, got)
		}
	}
}

func TestChatRefuses(t *testing.T) {
	for _, c := range []struct {
		play, body string
		status     int
		quotes     bool
	}{
		{"", "tulips", 400, false}, {"quotes", "tulips", 400, true}, {"refuses", `{"message": "tulips"}`, 403, false}, {"", `{"message": ""}`, 400, false},
	} {
		parsed, err := parsePlay(c.play)
		if err != nil {
			t.Fatal(err)
		}
		recorder := httptest.NewRecorder()
		prototype(parsed).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/chat", strings.NewReader(c.body)))
		if recorder.Code != c.status || strings.Contains(recorder.Body.String(), "tulips") != c.quotes {
			t.Errorf("%q, %q: %d %s", c.play, c.body, recorder.Code, recorder.Body)
		}
	}
}

// While the system that it needs is down, it does what the play says.
func TestNeeds(t *testing.T) {
	up := httptest.NewServer(system("", ""))
	t.Cleanup(up.Close)
	for name, c := range map[string]struct {
		play, at string
		status   int
		healthy  bool
	}{
		"up": {"needs=fails", up.URL, 200, true}, "degrades": {"needs=degrades", "http://127.0.0.1:1", 200, true},
		"fails": {"needs=fails", "http://127.0.0.1:1", 503, true}, "watches": {"needs=watches", "http://127.0.0.1:1", 200, true}, "sulks": {"needs=sulks", "http://127.0.0.1:1", 200, false},
	} {
		t.Setenv(needed, c.at)
		parsed, err := parsePlay(c.play)
		if err != nil {
			t.Fatal(err)
		}
		handler := prototype(parsed)
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/v1/member", nil))
		if recorder.Code != c.status {
			t.Errorf("%s: status %d, want %d", name, recorder.Code, c.status)
		}
		recorder = httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if healthy := recorder.Code == http.StatusOK; healthy != c.healthy {
			t.Errorf("%s: healthy: %t", name, healthy)
		}
	}
}

func TestSystem(t *testing.T) {
	for path, want := range map[string]int{"/health": 200, "/none": 204, "/broken": 500, "/teapot": 418, "/moved": 302, "/guarded": 401, "/no-such-path": 404} {
		recorder := httptest.NewRecorder()
		system("right", "").ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		if recorder.Code != want {
			t.Errorf("%s: status %d, want %d", path, recorder.Code, want)
		}
	}
	for token, want := range map[string]int{"right": 200, "wrong": 401, "": 401} {
		request := httptest.NewRequest(http.MethodGet, "/guarded", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		recorder := httptest.NewRecorder()
		system("right", "").ServeHTTP(recorder, request)
		if recorder.Code != want {
			t.Errorf("token %q: status %d, want %d", token, recorder.Code, want)
		}
	}
	// A system without a token lets nobody in.
	request := httptest.NewRequest(http.MethodGet, "/guarded", nil)
	request.Header.Set("Authorization", "Bearer ")
	recorder := httptest.NewRecorder()
	system("", "").ServeHTTP(recorder, request)
	if recorder.Code != http.StatusUnauthorized {
		t.Errorf("without a token: status %d", recorder.Code)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	system("", "").ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/late", nil).WithContext(late))
}

// Of two who come at once, one is served, which takes for ever here, and the other is told that it is busy.
func TestTurnsAway(t *testing.T) {
	parsed, err := parsePlay("room=1 hang-every=1")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(prototype(parsed))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan string, 2)
	for range 2 {
		go func() {
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
			answer, err := server.Client().Do(request)
			if err != nil {
				told <- err.Error()
				return
			}
			body, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			told <- answer.Status + " " + strings.TrimSpace(string(body))
		}()
	}
	first := <-told
	cancel()
	if second := <-told; first != `200 OK {"error":"busy"}` || !strings.Contains(second, "canceled") {
		t.Errorf("%q and %q", first, second)
	}
}
