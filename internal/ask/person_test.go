package ask

import (
	"io"
	"net/http"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

func sample(url, body string) evidence.Call {
	return evidence.Call{URL: url, Sample: &evidence.SampleCall{Method: http.MethodPost, Path: "/ask", Body: body}}
}

// The question takes the place of what people type, and all else stays as it is shown.
func TestSampleForm(t *testing.T) {
	for body, want := range map[string]string{
		`{"text":"When is the next course?"}`: `{"text":"Why?"}`,
		`{"model":"m-1","temperature":0.10,"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"When is it?"}]}`: `{"messages":[{"content":"Be kind.","role":"system"},{"content":"Why?","role":"user"}],"model":"m-1","temperature":0.10}`,
		`["a","bc",{"d":""}]`: `["a","Why?",{"d":""}]`,
		`"a question"`:        `"Why?"`,
		`{"n":3}`:             "Why?",
		`When is it?`:         "Why?",
		`{"a":"x"}{"b":"y"}`:  "Why?",
	} {
		form := newSampleForm(body)
		if got, contentType := form.request(0, "Why?"); got != want || (contentType == typeJSON) != (want != "Why?") {
			t.Errorf("%s: %s as %s, want %s", body, got, contentType, want)
		}
		if again, _ := form.request(0, "Why?"); again != want {
			t.Errorf("the second time: %s", again)
		}
	}
}

// Every text can be what people type, the longest first.
func TestSampleFormHasEveryText(t *testing.T) {
	form := newSampleForm(`{"session":"123e4567-e89b","n":1,"list":[{"role":"user"},null],"text":"When?"}`)
	want := []string{
		`{"list":[{"role":"user"},null],"n":1,"session":"Why?","text":"When?"}`,
		`{"list":[{"role":"user"},null],"n":1,"session":"123e4567-e89b","text":"Why?"}`,
		`{"list":[{"role":"Why?"},null],"n":1,"session":"123e4567-e89b","text":"When?"}`,
	}
	if form.texts() != len(want) {
		t.Fatalf("%d texts", form.texts())
	}
	for at := range want {
		if got, _ := form.request(at, "Why?"); got != want[at] {
			t.Errorf("%d: %s, want %s", at, got, want[at])
		}
	}
	for _, body := range []string{"text", `{"n":3}`, `""`} {
		if n := newSampleForm(body).texts(); n != 1 {
			t.Errorf("%s: %d texts", body, n)
		}
	}
}

// Two people are two connections and two names, and what they send is as they say.
func TestAsSomebodyElse(t *testing.T) {
	type seen struct{ user, body, contentType, remote string }
	var got seen
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Header.Get("X-Forwarded-User"), string(body), r.Header.Get("Content-Type"), r.RemoteAddr}
		_, _ = io.WriteString(w, "fine")
	})
	nobody := client(t, sample(url, `{"q":"one question"}`), dialer)
	headers := http.Header{}
	headers.Set("x-forwarded-user", "somebody")
	somebody := nobody.As(headers)
	defer somebody.Close()
	if answer, failure := nobody.Ask(t.Context(), "a"); failure != "" || answer.Text != "fine" || got.user != "" || got.body != `{"q":"a"}` {
		t.Errorf("%q %+v %+v", failure, answer, got)
	}
	before := got.remote
	if _, failure := somebody.Send(t.Context(), `{"q":`, typeJSON); failure != "" || got.user != "somebody" || got.body != `{"q":` || got.remote == before {
		t.Errorf("%q %+v", failure, got)
	}
	if body, contentType := somebody.Request(0, "b"); body != `{"q":"b"}` || contentType != typeJSON {
		t.Errorf("%s as %s", body, contentType)
	}
	if _, failure := nobody.Ask(t.Context(), "a"); failure != "" || got.user != "" {
		t.Errorf("%q %+v", failure, got)
	}
}
