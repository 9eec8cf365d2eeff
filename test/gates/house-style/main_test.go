package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

const nonce = "0123456789abcdef0123456789abcdef"

var subject = evidence.Digest([]byte("subject"))

// asked is what the operator asks, and opened what it makes of the answer.
func asked(t *testing.T, url string) []byte {
	t.Helper()
	raw, err := evidence.EncodeRun(evidence.RunSpec{Nonce: nonce, Subject: subject, Order: evidence.JobOrder{
		URL: url, Prototype: "membership/churn-advisor", Image: "registry.example.org/a@sha256:" + strings.Repeat("a", 64),
		Settings: []evidence.Setting{{Name: "path", Value: "/v1/classify"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func opened(t *testing.T, url string) (*evidence.JobResult, error) {
	t.Helper()
	var stdout bytes.Buffer
	termination := filepath.Join(t.TempDir(), "termination-log")
	failure := measure(t.Context(), string(asked(t, url)), &stdout, termination)
	envelope, err := os.ReadFile(termination)
	if err != nil {
		t.Fatal(err)
	}
	found, err := evidence.Open(envelope, stdout.Bytes(), evidence.Expect{Nonce: nonce, Subject: subject, Kind: evidence.KindJob})
	if (failure == nil) != (err == nil) {
		t.Errorf("the program says %v, the operator %v", failure, err)
	}
	if err != nil {
		return nil, err
	}
	return evidence.Read[evidence.JobResult](found.Report.Result)
}

// TestTheOperatorUnderstandsIt: the documented contract is the one that the operator keeps.
func TestTheOperatorUnderstandsIt(t *testing.T) {
	styled := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/classify" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"not a question","type":"invalid_request_error"}}`)
	}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   evidence.JobVerdict
	}{
		"in style":         {styled, evidence.JobPassed},
		"always well":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"label":"renew"}`) }, evidence.JobFailed},
		"400 and no words": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }, evidence.JobFailed},
		"sent elsewhere":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/bait", http.StatusFound) }, evidence.JobFailed},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tc.answer)
			t.Cleanup(server.Close)
			got, err := opened(t, server.URL)
			if err != nil {
				t.Fatal(err)
			}
			if got.Verdict != tc.want || len(got.Measurements) != 2 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	if got, err := opened(t, server.URL); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("got %+v, %v", got, err)
	}
}
