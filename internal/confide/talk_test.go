package confide

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	neturl "net/url"
	"strings"
	"sync"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

// Which text of a sample request people type is nobody's choice: whichever it is, what comes back is found.
func TestEveryTextOfASampleIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		sample string
		// read gives the text, or refuses with a status.
		read func(request map[string]any) (text string, status int)
		want evidence.Texts
		leak bool
	}{
		"the shorter one": {`{"session":"123e4567-e89b-12d3-a456-426614174000","text":"When is it?"}`,
			func(r map[string]any) (string, int) { return fmt.Sprint(r["text"]), 200 }, evidence.Texts{Shown: 2, Open: 2}, true},
		"the last message, of a model that is known": {`{"model":"m1","messages":[{"role":"system","content":"You are a kind assistant."},{"role":"user","content":"When?"}]}`,
			func(r map[string]any) (string, int) {
				messages := r["messages"].([]any)
				last := messages[len(messages)-1].(map[string]any)
				if r["model"] != "m1" || last["role"] != "user" {
					return "", 400
				}
				return fmt.Sprint(last["content"]), 200
			}, evidence.Texts{Shown: 5, Open: 3}, true},
		"one that is refused at first": {`{"text":"When?","note":"nothing to say"}`, func() func(map[string]any) (string, int) {
			refused := 0
			return func(r map[string]any) (string, int) {
				if r["note"] == "nothing to say" && r["text"] != "When?" && refused < 2 {
					refused++
					return "", 400
				}
				return "fine", 200
			}
		}(), evidence.Texts{Shown: 2, Open: 1, Late: 1}, false},
		"nothing is taken": {`{"a":"b","c":"d"}`, func(map[string]any) (string, int) { return "", 403 }, evidence.Texts{Shown: 2, Open: 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			remember := remembering(func(string) string { return "" })
			var mutex sync.Mutex
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mutex.Lock()
				defer mutex.Unlock()
				var request map[string]any
				if json.NewDecoder(r.Body).Decode(&request) != nil {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				text, status := c.read(request)
				w.WriteHeader(status)
				if status == http.StatusOK {
					_, _ = io.WriteString(w, remember("", text))
				}
			}))
			defer s.Close()
			o := order(s.URL)
			o.Call.JSON, o.Call.Sample = nil, &evidence.SampleCall{Method: "POST", Path: "/", Body: c.sample}
			result := run(t, o)
			if result.Texts != c.want || c.leak != (channels(result)[evidence.LeakOtherUser] > 0) {
				t.Errorf("%+v, leaks %v", result.Texts, channels(result))
			}
		})
	}
}

// Whichever text an error repeats, broken input was sent in it.
func TestEveryTextOfASampleIsBroken(t *testing.T) {
	for _, talkative := range []string{"a", "b", "c"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var request map[string]any
			if json.NewDecoder(r.Body).Decode(&request) != nil {
				w.WriteHeader(http.StatusBadRequest)
			} else if list, is := request[talkative].([]any); is {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = fmt.Fprintf(w, "%v is no text", list)
			} else {
				_, _ = io.WriteString(w, "Fine.")
			}
		}))
		o := order(s.URL)
		o.Call.JSON, o.Call.Sample = nil, &evidence.SampleCall{Method: "POST", Path: "/", Body: `{"a":"one","b":"two","c":"three"}`}
		r := run(t, o)
		s.Close()
		if r.Texts.Open != 3 || channels(r)[evidence.LeakErrorText] == 0 {
			t.Errorf("%s: %+v, leaks %v", talkative, r.Texts, channels(r))
		}
	}
}

// What can't be read is none of the answers, and what is not read to its end is not silent either.
func TestWhatIsNoAnswer(t *testing.T) {
	const page = "<html>Please sign in</html>"
	if r := run(t, order(saying(t, page))); r.Told.Refused != r.Told.Planned || r.Others.Answered != 0 || r.Broken.Answered != r.Broken.Planned {
		t.Errorf("a page in place of what is declared: %+v", r)
	}
	o := order(saying(t, page))
	o.Call.JSON, o.Call.Sample = nil, &evidence.SampleCall{Method: "POST", Path: "/", Body: `{"text":"When?"}`}
	if r := run(t, o); !r.Alike {
		t.Errorf("a page in place of everything: %+v", r)
	}
	for name, headers := range map[string]string{"a packing that nobody asked for": "br", "": ""} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Content-Encoding", headers)
			if !json.Valid(body) {
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, strings.Repeat("<br>", evidence.MaxAnswerBytes/4)+string(body))
				return
			}
			_, _ = io.WriteString(w, `{"answer":"fine"}`)
		}))
		r := run(t, order(s.URL))
		s.Close()
		if r.Broken.CutOff == 0 || headers != "" && r.Told.CutOff != r.Told.Planned || headers == "" && (r.Told.Answered != r.Told.Planned || !r.Alike) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A redirect puts what was typed into an address, which proxies log.
func TestRedirectsWithTheInput(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !json.Valid(body) {
			w.Header().Set("Location", "/error?message="+neturl.QueryEscape(string(body)))
			w.WriteHeader(http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, `{"answer":"Fine."}`)
	}))
	defer s.Close()
	if r := run(t, order(s.URL)); channels(r)[evidence.LeakErrorText] != brokenRecords {
		t.Errorf("%+v", r.Leaks)
	}
}
