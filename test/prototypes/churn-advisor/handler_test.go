package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/test/prototypes/churn-advisor/model"
	"github.com/affineur/affineur/test/prototypes/internal/openai"
)

func handler(t *testing.T) http.Handler {
	t.Helper()
	classifier, err := model.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"at-risk-of-lapsing", "question", "satisfied"}
	if diff := cmp.Diff(want, classifier.Labels()); diff != "" {
		t.Fatalf("labels (-want +got):\n%s", diff)
	}
	return newHandler(classifier, "1.4")
}

func send(t *testing.T, method, path, contentType, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	handler(t).ServeHTTP(recorder, request)
	return recorder
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]string{
		"I want to cancel, nobody ever answers me.": "at-risk-of-lapsing",
		"Thank you, the workshop was excellent!":    "satisfied",
		"When does the next workshop start?":        "question",
		"The fee is too high, I will not renew.":    "at-risk-of-lapsing",
	} {
		body, _ := json.Marshal(map[string]string{"text": text})
		recorder := send(t, http.MethodPost, "/v1/classify", "application/json", string(body))
		var got verdict
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if recorder.Code != http.StatusOK || got.Label != want || got.Revision != "1.4" {
			t.Errorf("%q = %d %+v, want %s", text, recorder.Code, got, want)
		}
		if got.Confidence <= 1.0/3 || got.Confidence > 1 {
			t.Errorf("%q: confidence %v is no probability of the likeliest of three", text, got.Confidence)
		}
	}
}

func TestBadInput(t *testing.T) {
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
	}{
		"empty body":       {"POST", "/v1/classify", ``, 400},
		"no JSON":          {"POST", "/v1/classify", `text=hello`, 400},
		"no text":          {"POST", "/v1/classify", `{}`, 400},
		"blank text":       {"POST", "/v1/classify", `{"text":"  \n"}`, 400},
		"text no string":   {"POST", "/v1/classify", `{"text":["a"]}`, 400},
		"endless text":     {"POST", "/v1/classify", `{"text":"` + strings.Repeat("a ", 6000) + `"}`, 400},
		"huge body":        {"POST", "/v1/classify", `{"text":"` + strings.Repeat("a", 70_000) + `"}`, 413},
		"chat, no message": {"POST", "/v1/chat/completions", `{"model":"m","messages":[]}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := send(t, tc.method, tc.path, "application/json", tc.body)
			var got struct {
				Error struct{ Message, Type string }
			}
			if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
				t.Fatalf("%q is no JSON: %v", recorder.Body, err)
			}
			if recorder.Code != tc.status || got.Error.Message == "" || got.Error.Type != "invalid_request_error" {
				t.Errorf("answer = %d %+v, want %d", recorder.Code, got, tc.status)
			}
		})
	}
	if recorder := send(t, "GET", "/v1/classify", "", ""); recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET /v1/classify = %d", recorder.Code)
	}
	if recorder := send(t, "GET", "/nowhere", "", ""); recorder.Code != http.StatusNotFound {
		t.Errorf("GET /nowhere = %d", recorder.Code)
	}
}

func TestChat(t *testing.T) {
	const body = `{"model":"any","messages":[{"role":"system","content":"Answer with a label."},{"role":"user","content":"Where do I find the form?"}]%s}`
	recorder := send(t, http.MethodPost, "/v1/chat/completions", "application/json", strings.ReplaceAll(body, "%s", ""))
	var got openai.Response
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Message.Content != "question" || got.Usage.TotalTokens != 11 {
		t.Errorf("answer = %+v", got)
	}
	if got.SystemFingerprint != "churn-advisor-1.4" {
		t.Errorf("fingerprint = %q", got.SystemFingerprint)
	}
	recorder = send(t, http.MethodPost, "/v1/chat/completions", "application/json", strings.ReplaceAll(body, "%s", `,"stream":true`))
	if !slices.Contains(strings.Split(recorder.Body.String(), "\n"), "data: [DONE]") {
		t.Errorf("stream = %q", recorder.Body)
	}
}

func TestPage(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	recorder := send(t, http.MethodGet, "/", "", "")
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), "Revision 1.4") {
		t.Errorf("GET / = %d %q", recorder.Code, recorder.Body)
	}
	text := "<script>alert(1)</script> I will cancel my membership."
	recorder = send(t, http.MethodPost, "/", form, url.Values{"text": {text}}.Encode())
	shown := recorder.Body.String()
	if !strings.Contains(shown, "<strong>at-risk-of-lapsing</strong>") || strings.Contains(shown, "<script>") {
		t.Errorf("POST / = %q", shown)
	}
	if recorder := send(t, http.MethodPost, "/", form, "text="); recorder.Code != http.StatusBadRequest {
		t.Errorf("an empty form = %d", recorder.Code)
	}
}

func TestHealth(t *testing.T) {
	if recorder := send(t, http.MethodGet, "/healthz", "", ""); recorder.Code != http.StatusOK {
		t.Errorf("GET /healthz = %d", recorder.Code)
	}
}
