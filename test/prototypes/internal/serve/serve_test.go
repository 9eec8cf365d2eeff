package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

func TestPort(t *testing.T) {
	for value, want := range map[string]int{"": 8080, "1": 1, "9000": 9000, "65535": 65535} {
		if got, err := serve.Port(value); err != nil || got != want {
			t.Errorf("Port(%q) = %d, %v, want %d", value, got, err, want)
		}
	}
	for _, value := range []string{"0", "65536", "-1", "http", "80 "} {
		if got, err := serve.Port(value); err == nil {
			t.Errorf("Port(%q) = %d, want an error", value, got)
		}
	}
}

// A request that runs when the signal comes is answered, one that comes while draining too, and
// afterwards the listener is gone.
func TestServeFinishesRunningRequests(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		serve.Healthy(w, nil)
	})
	mux.HandleFunc("/short", serve.Healthy)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve.Serve(ctx, listener, mux, nil, 500*time.Millisecond) }()

	base := "http://" + listener.Addr().String()
	long := make(chan error, 1)
	go func() { long <- get(base + "/long") }()
	<-entered
	cancel()
	// Long enough for a server that does not drain to have closed its listener.
	time.Sleep(100 * time.Millisecond)
	if err := get(base + "/short"); err != nil {
		t.Errorf("a request while draining: %v", err)
	}
	time.AfterFunc(700*time.Millisecond, func() { close(release) })
	if err := <-long; err != nil {
		t.Errorf("the running request: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
	if err := get(base + "/short"); err == nil {
		t.Error("still serving after the end")
	}
}

func get(url string) error {
	// A connection of its own per request, as from another client.
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

func TestServeReportsATakenPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := serve.ListenAndServe(context.Background(), listener.Addr().String(), http.NotFoundHandler(), nil); err == nil {
		t.Error("no error for a port that is taken")
	}
}

func TestReadJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"good":            {`{"text":"hello"}`, 0, ""},
		"unknown field":   {`{"text":"hello","temperature":1}`, 0, ""},
		"empty":           {``, 400, "empty"},
		"no JSON":         {`hello secret`, 400, "not a JSON object"},
		"cut off":         {`{"text":"hel`, 400, "not a JSON object"},
		"wrong type":      {`{"text":5}`, 400, `"text"`},
		"two values":      {`{"text":"a"}{"text":"b"}`, 400, "goes on"},
		"array":           {`["hello"]`, 400, "not a JSON object"},
		"more than fits":  {`{"text":"` + strings.Repeat("a", serve.MaxBodyBytes) + `"}`, 413, "larger"},
		"trailing spaces": {"{\"text\":\"hello\"}\n  ", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var target struct {
				Text string `json:"text"`
			}
			request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tc.body))
			err := serve.ReadJSON(httptest.NewRecorder(), request, &target)
			var refusal *serve.Error
			switch {
			case tc.status == 0 && (err != nil || target.Text != "hello"):
				t.Errorf("ReadJSON = %v, text %q", err, target.Text)
			case tc.status != 0 && !errors.As(err, &refusal):
				t.Errorf("ReadJSON = %v, want a refusal", err)
			case tc.status != 0 && (refusal.Status != tc.status || !strings.Contains(refusal.Message, tc.says)):
				t.Errorf("refusal = %d %q, want %d with %q", refusal.Status, refusal.Message, tc.status, tc.says)
			case tc.status != 0 && strings.Contains(refusal.Message, "secret"):
				t.Errorf("the refusal quotes the body: %q", refusal.Message)
			}
		})
	}
}

func TestWriteErrorKeepsInternalsInside(t *testing.T) {
	recorder := httptest.NewRecorder()
	serve.WriteError(recorder, errors.New("open /var/run/secret: no such file"))
	var answer struct {
		Error struct{ Message, Type string }
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if recorder.Code != 500 || answer.Error.Type != "server_error" || strings.Contains(answer.Error.Message, "secret") {
		t.Errorf("answer = %d %+v", recorder.Code, answer)
	}
}

func TestReadSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if _, err := serve.ReadSecret(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for content, readable := range map[string]bool{"": false, "k\n": true, strings.Repeat("k", 16<<10): true, strings.Repeat("k", 16<<10+1): false} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := serve.ReadSecret(path)
		if (err == nil) != readable || (readable && string(got) != content) {
			t.Errorf("%d bytes: got %d bytes, %v", len(content), len(got), err)
		}
	}
}
