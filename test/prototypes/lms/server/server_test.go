package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/affineur/affineur/test/prototypes/lms/server"
)

func send(handler http.Handler, method, path, token, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func titles(t *testing.T, handler http.Handler) []string {
	t.Helper()
	var got struct{ Courses []server.Course }
	if err := json.Unmarshal(send(handler, http.MethodGet, "/v1/courses", "", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, course := range got.Courses {
		all = append(all, course.Title)
	}
	return all
}

func TestCourses(t *testing.T) {
	handler := server.New("")
	before := len(titles(t, handler))
	for _, tc := range []struct {
		body   string
		status int
	}{
		{`{"title":" Running   a meeting "}`, http.StatusCreated},
		{`{"title":"running a MEETING"}`, http.StatusConflict},
		{`{"title":" "}`, http.StatusBadRequest},
		{`{"title":"` + strings.Repeat("a", 201) + `"}`, http.StatusBadRequest},
		{`{"title":5}`, http.StatusBadRequest},
		{`hello`, http.StatusBadRequest},
	} {
		if got := send(handler, http.MethodPost, "/v1/courses", "", tc.body); got.Code != tc.status {
			t.Errorf("%s = %d %s, want %d", tc.body, got.Code, got.Body, tc.status)
		}
	}
	after := titles(t, handler)
	if len(after) != before+1 || after[before] != "Running a meeting" {
		t.Errorf("courses = %q", after)
	}
	if got := send(handler, http.MethodGet, "/health", "", "").Code; got != http.StatusOK {
		t.Errorf("health = %d", got)
	}
}

func TestCatalogueIsBounded(t *testing.T) {
	handler := server.New("")
	for i := len(titles(t, handler)); i < 1000; i++ {
		if got := send(handler, http.MethodPost, "/v1/courses", "", fmt.Sprintf(`{"title":"c%d"}`, i)); got.Code != http.StatusCreated {
			t.Fatalf("course %d = %d", i, got.Code)
		}
	}
	if got := send(handler, http.MethodPost, "/v1/courses", "", `{"title":"one more"}`).Code; got != http.StatusInsufficientStorage {
		t.Errorf("one more = %d", got)
	}
}

func TestToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	handler := server.New(file)
	if got := send(handler, http.MethodPost, "/v1/courses", "Bearer ", `{"title":"a"}`).Code; got != http.StatusServiceUnavailable {
		t.Errorf("without the file = %d", got)
	}
	for i, tc := range []struct {
		stored, sent string
		status       int
	}{
		{"one\n", "Bearer one", http.StatusCreated},
		{"one", "Bearer two", http.StatusUnauthorized},
		{"one", "one", http.StatusUnauthorized},
		{"one", "", http.StatusUnauthorized},
		{"two", "Bearer two", http.StatusCreated},
		{" \n", "Bearer ", http.StatusServiceUnavailable},
	} {
		if err := os.WriteFile(file, []byte(tc.stored), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := send(handler, http.MethodPost, "/v1/courses", tc.sent, fmt.Sprintf(`{"title":"course %d"}`, i)).Code; got != tc.status {
			t.Errorf("stored %q, sent %q = %d, want %d", tc.stored, tc.sent, got, tc.status)
		}
	}
	if got := send(handler, http.MethodGet, "/v1/courses", "", "").Code; got != http.StatusOK {
		t.Errorf("reading without a token = %d", got)
	}
}
