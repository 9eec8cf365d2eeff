package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/affineur/affineur/test/prototypes/churn-advisor/model"
)

// The test binary stands in for the program itself where a hole ends the process.
func TestMain(m *testing.M) {
	if hole := os.Getenv("HOLEY_RUN"); hole != "" {
		os.Args = []string{"holey", hole}
		main()
		return
	}
	os.Exit(m.Run())
}

func run(t *testing.T, hole string) (code int, output string) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "HOLEY_RUN="+hole)
	out, err := command.CombinedOutput()
	if err == nil {
		t.Fatalf("%s ended well: %s", hole, out)
	}
	return command.ProcessState.ExitCode(), string(out)
}

func TestEndsReadably(t *testing.T) {
	for hole, says := range map[string]string{
		"crash":   "settings.yaml: no such file",
		"unknown": "want one argument of crash, deaf, disclose, discreet, flaky, flood, hear, hold, intrude, lure, parrot, reach, remember, rooted, slow, tattle",
	} {
		code, output := run(t, hole)
		if code != 1 || !strings.Contains(output, says) || strings.Count(output, "\n") != 1 {
			t.Errorf("%s: exit %d, %q", hole, code, output)
		}
	}
}

func get(t *testing.T, handler http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, target, nil))
	return recorder
}

func TestFlakyFailsOneInFive(t *testing.T) {
	handler := flakyHandler()
	failed := 0
	for range 100 {
		if get(t, handler, "/v1/classify").Code >= 500 {
			failed++
		}
		if code := get(t, handler, "/healthz").Code; code != http.StatusOK {
			t.Fatalf("healthz = %d", code)
		}
	}
	if failed != 20 {
		t.Errorf("%d of 100 requests failed, want 20", failed)
	}
}

func TestSlowServesOneAtATime(t *testing.T) {
	classifier, err := model.Load()
	if err != nil {
		t.Fatal(err)
	}
	const work = 30 * time.Millisecond
	handler := slowHandler(classifier, work)
	start := time.Now()
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			recorder := httptest.NewRecorder()
			body := strings.NewReader(`{"text":"When is the next course?"}`)
			handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/classify", body))
			var answer struct{ Label string }
			if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Label != "question" {
				t.Errorf("answer = %d %s", recorder.Code, recorder.Body)
			}
		})
	}
	group.Wait()
	if took := time.Since(start); took < 10*work {
		t.Errorf("10 requests took %s: they ran at the same time", took)
	}
	if took := slowWork; time.Second/took >= 20 {
		t.Errorf("%s per request sustains 20 a second", took)
	}
	start = time.Now()
	if code := get(t, handler, "/healthz").Code; code != http.StatusOK || time.Since(start) >= work {
		t.Errorf("healthz = %d after %s", code, time.Since(start))
	}
}

func TestReach(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := listener.Addr().String()
	ask := func(query url.Values) reached {
		recorder := get(t, reachHandler(), "/reach?"+query.Encode())
		var got reached
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || recorder.Code != http.StatusOK {
			t.Fatalf("%v = %d %s", query, recorder.Code, recorder.Body)
		}
		return got
	}
	if got := ask(url.Values{"network": {"tcp"}, "address": {open}, "timeout": {"2s"}}); !got.Reachable || got.Error != "" {
		t.Errorf("an open port: %+v", got)
	}
	listener.Close()
	if got := ask(url.Values{"address": {open}}); got.Reachable || !strings.Contains(got.Error, "refused") {
		t.Errorf("a closed port: %+v", got)
	}
	for _, bad := range []url.Values{
		{},
		{"address": {"example.org:80"}},
		{"address": {"127.0.0.1"}},
		{"address": {open}, "network": {"unix"}},
		{"address": {open}, "timeout": {"1h"}},
		{"address": {open}, "timeout": {"-1s"}},
		{"address": {open}, "timeout": {"soon"}},
	} {
		if code := get(t, reachHandler(), "/reach?"+bad.Encode()).Code; code != http.StatusBadRequest {
			t.Errorf("%v = %d", bad, code)
		}
	}
}

func TestRootedNamesAllThatFailed(t *testing.T) {
	dir := t.TempDir()
	if err := takeRoot(dir, "127.0.0.1:0"); err != nil {
		t.Errorf("where it may: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	missing := filepath.Join(dir, "missing")
	err = takeRoot(missing, taken.Addr().String())
	if err == nil || !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), taken.Addr().String()) {
		t.Errorf("where it may not: %v", err)
	}
}

func TestIntrudeTellsWhatItCould(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dir := t.TempDir()
	tries, err := parseTries("tcp:" + listener.Addr().String() + " tcp:127.0.0.1:1 write:" + dir + " write:" + dir + "/missing read:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	tryAll(tries, 0, &log)
	done := map[string]bool{}
	for line := range strings.Lines(log.String()) {
		var one intruded
		if err := json.Unmarshal([]byte(line), &one); err != nil || one.Done == (one.Error != "") || one.At.IsZero() {
			t.Fatalf("%q: %v", line, err)
		}
		done[one.Try] = one.Done
	}
	want := map[string]bool{"tcp:" + listener.Addr().String(): true, "tcp:127.0.0.1:1": false, "write:" + dir: true, "write:" + dir + "/missing": false, "read:" + dir: false}
	if !maps.Equal(done, want) {
		t.Errorf("did %v, want %v", done, want)
	}
	for _, bad := range []string{"tcp", "fly:moon"} {
		if _, err := parseTries(bad); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}

func TestLureRedirectsAndTells(t *testing.T) {
	var log bytes.Buffer
	handler := lureHandler(&log)
	if code := get(t, handler, "/healthz").Code; code != http.StatusOK || log.Len() > 0 {
		t.Errorf("healthz = %d, told %q", code, log.String())
	}
	answer := get(t, handler, "/load")
	if answer.Code != http.StatusFound || answer.Header().Get("Location") != "/bait" {
		t.Errorf("%d to %q", answer.Code, answer.Header().Get("Location"))
	}
	if code := get(t, handler, "/bait").Code; code != http.StatusOK {
		t.Errorf("bait = %d", code)
	}
	if want := `{"path":"/load","credential":false}` + "\n" + `{"path":"/bait","credential":false}` + "\n"; log.String() != want {
		t.Errorf("told %q", log.String())
	}
}

// A stream is heard for as long as it lasts, and no longer.
func TestHoldIsHeard(t *testing.T) {
	server := httptest.NewServer(hearHandler())
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- holdOn(ctx, server.URL, "a pod") }()
	listen := func() heard {
		t.Helper()
		answer, err := http.Get(server.URL + "/heard")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var from map[string]heard
		if err := json.NewDecoder(answer.Body).Decode(&from); err != nil {
			t.Fatal(err)
		}
		return from["a pod"]
	}
	for listen().Beats < 3 {
		time.Sleep(heartbeat)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the stream ended without a reason")
	}
	last := listen()
	time.Sleep(3 * heartbeat)
	if now := listen(); now.Streams != 1 || now.Beats > last.Beats+1 {
		t.Errorf("after its end %+v came, %+v before", now, last)
	}
}
