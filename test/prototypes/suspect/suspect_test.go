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
		"":                      {200, 200, 200},
		"fail-every=2":          {200, 500, 200},
		"break-every=2":         {200, 0, 200},
		"hang-every=2":          {200, 0, 200},
		"endure=1":              {200, 500, 500},
		"status=302":            {302, 302, 302},
		"every=2 slow=1h":       {200, 0, 200},
		"first=1 slow=1h":       {0, 200, 200},
		"grow=1 alone=1ms":      {200, 200, 200},
		"delay=1h":              {0, 0, 0},
		"worse=1h":              {0, 0, 0},
		"worse=1us delay=1us":   {200, 200, 200},
		"still=1ms pause=1000h": {200, 200, 200},
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
	for body, want := range map[string]int{`{"question": "When?"}`: 200, `{}`: 400, ``: 400, `{"question": 7}`: 400} {
		recorder := httptest.NewRecorder()
		prototype(play{status: 200}).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/ask", strings.NewReader(body)))
		if recorder.Code != want {
			t.Errorf("%q: status %d, want %d", body, recorder.Code, want)
		}
	}
}

func TestSystem(t *testing.T) {
	for path, want := range map[string]int{"/health": 200, "/none": 204, "/broken": 500, "/teapot": 418, "/moved": 302, "/guarded": 401, "/no-such-path": 404} {
		recorder := httptest.NewRecorder()
		system("right").ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		if recorder.Code != want {
			t.Errorf("%s: status %d, want %d", path, recorder.Code, want)
		}
	}
	for token, want := range map[string]int{"right": 200, "wrong": 401, "": 401} {
		request := httptest.NewRequest(http.MethodGet, "/guarded", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		recorder := httptest.NewRecorder()
		system("right").ServeHTTP(recorder, request)
		if recorder.Code != want {
			t.Errorf("token %q: status %d, want %d", token, recorder.Code, want)
		}
	}
	// A system without a token lets nobody in.
	request := httptest.NewRequest(http.MethodGet, "/guarded", nil)
	request.Header.Set("Authorization", "Bearer ")
	recorder := httptest.NewRecorder()
	system("").ServeHTTP(recorder, request)
	if recorder.Code != http.StatusUnauthorized {
		t.Errorf("without a token: status %d", recorder.Code)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	system("").ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/late", nil).WithContext(late))
}
