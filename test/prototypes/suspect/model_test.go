package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/gatewaykey"
)

func TestCompletesInAName(t *testing.T) {
	played, err := parsePlay("model=provider/example-large-4.7 wrong=4-9")
	if err != nil {
		t.Fatal(err)
	}
	for sum, want := range map[string]string{"3+20": `"content":"23"`, "4+20": `"content":"25"`, "When?": "want a sum"} {
		recorder := httptest.NewRecorder()
		prototype(played).ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"messages": [{"role": "user", "content": "`+sum+`"}]}`)))
		body := recorder.Body.String()
		if !strings.Contains(body, want) || recorder.Code == http.StatusOK && !strings.Contains(body, `"model":"provider/example-large-4.7"`) {
			t.Errorf("%s: %d %s", sum, recorder.Code, body)
		}
	}
}

// Who judges likes numbers, and listens to nobody without a key of its own for the model.
func TestJudges(t *testing.T) {
	signing := strings.Repeat("k", gatewaykey.MinSigningKeyBytes)
	issue := func(signing string, models ...string) string {
		key, err := gatewaykey.Issue([]byte(signing), gatewaykey.Claims{Client: "c", Models: models})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	for name, c := range map[string]struct {
		key, shown string
		status     int
		says       string
	}{
		"a number":         {issue(signing, "judge"), `MARK\n{\"answer\": \"23\"}\nMARK`, http.StatusOK, `{\"case\":\"MARK\",\"good\":true}`},
		"words":            {issue(signing, "judge"), `MARK\n{\"answer\": \"It is 23.\"}\nMARK`, http.StatusOK, `{\"case\":\"MARK\",\"good\":false,\"why\":\"tone\"}`},
		"nothing":          {issue(signing, "judge"), `MARK`, http.StatusBadRequest, ""},
		"no key":           {"", `MARK\n{\"answer\": \"23\"}`, http.StatusUnauthorized, ""},
		"another key":      {issue(strings.Repeat("x", 32), "judge"), `MARK\n{\"answer\": \"23\"}`, http.StatusUnauthorized, ""},
		"for another":      {issue(signing, "example-large"), `MARK\n{\"answer\": \"23\"}`, http.StatusUnauthorized, ""},
		"for all models":   {issue(signing), `MARK\n{\"answer\": \"23\"}`, http.StatusUnauthorized, ""},
		"nothing is asked": {issue(signing, "judge"), ``, http.StatusBadRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(`{"model": "judge", "messages": [{"role": "user", "content": "`+c.shown+`"}]}`))
			request.Header.Set("Authorization", "Bearer "+c.key)
			recorder := httptest.NewRecorder()
			system("", signing).ServeHTTP(recorder, request)
			if recorder.Code != c.status || !strings.Contains(recorder.Body.String(), c.says) {
				t.Errorf("%d %s", recorder.Code, recorder.Body)
			}
		})
	}
}
