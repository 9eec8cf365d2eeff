package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/leak"
)

// What is told follows from the run's nonce: by that alone the operator looks for it in the log, and no prototype knows it
// before.
func TestRecordsAreOfTheRun(t *testing.T) {
	var mutex sync.Mutex
	var typed strings.Builder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		_, _ = io.Copy(&typed, r.Body)
		_, _ = io.WriteString(w, `{"answer":"Fine."}`)
	}))
	defer server.Close()
	order := &evidence.PrivacyOrder{Call: evidence.Call{URL: server.URL, Timeout: seconds(20), JSON: &evidence.JSONCall{Method: "POST", Path: "/ask", Input: "/text", Answer: "/answer"}},
		UserHeader: "X-Forwarded-User", Records: 4, Deadline: seconds(60)}
	var log bytes.Buffer
	r := runner{guard: anywhere, stdout: &log, terminationPath: filepath.Join(t.TempDir(), "termination-log")}
	if err := r.run(t.Context(), encode(t, evidence.RunSpec{Order: order})); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Open(contentOf(t, r.terminationPath), log.Bytes(), evidence.Expect{Nonce: nonce, Subject: subject, Kind: evidence.KindPrivacy}); err != nil {
		t.Error(err)
	}
	for seed, want := range map[string]int{nonce: order.Records * len(leak.Kinds), nonce[1:] + "0": 0} {
		records, err := leak.Records(seed, order.Records)
		if err != nil {
			t.Fatal(err)
		}
		if found := leak.NewDetector(records).Find(typed.String()); len(found) != want {
			t.Errorf("of the records of %s %d were typed, want %d", seed, len(found), want)
		}
	}
}
