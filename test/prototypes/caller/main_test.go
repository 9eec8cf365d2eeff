package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestEveryCallIsAnswered(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
		}
		_, _ = io.WriteString(w, r.Method+" "+string(body))
	}))
	defer server.Close()
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	order, _ := json.Marshal([]call{
		{Method: http.MethodPost, URL: server.URL, Body: "hello"},
		{Method: http.MethodGet, URL: server.URL + "/gone"},
		{Method: http.MethodGet, URL: nobody.URL},
		{Method: dial, URL: server.URL},
		{Method: dial, URL: nobody.URL},
	})
	var out strings.Builder
	if err := run(t.Context(), string(order), &out, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	var got []answer
	decoder := json.NewDecoder(strings.NewReader(out.String()))
	for decoder.More() {
		var a answer
		if err := decoder.Decode(&a); err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	if len(got) != 5 || !got[3].Connected || got[4].Connected || !strings.Contains(got[4].Error, "refused") || got[0].Status != 200 || got[0].Body != "POST hello" || got[1].Status != http.StatusGone ||
		got[2].Status != 0 || !strings.Contains(got[2].Error, "refused") {
		t.Errorf("answers: %+v", got)
	}
}

func TestBadOrder(t *testing.T) {
	if err := run(t.Context(), "", io.Discard, 0); err == nil {
		t.Error("no order is no error")
	}
}
