package ask

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

func dialer(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func client(t testing.TB, c evidence.Call, dial Dial) *Client {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = evidence.Duration(20 * time.Second)
	}
	made, err := New(c, dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}

// plain asks the way that a prototype with a form of its own declares.
func plain(url string) evidence.Call {
	return evidence.Call{URL: url, JSON: &evidence.JSONCall{Method: http.MethodPost, Path: "/ask", Input: "/text", Answer: "/label"}}
}

func chat(url string) evidence.Call {
	return evidence.Call{URL: url, OpenAIChat: &evidence.ChatCall{Path: "/v1/chat/completions", Model: "some-model"}}
}

// saying answers every question with the same body.
func saying(t testing.TB, body string) string {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
}

func TestRequestsAreAsDeclared(t *testing.T) {
	type seen struct{ method, uri, contentType, agent, body string }
	var got seen
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("User-Agent"), string(body)}
		if len(r.Header["Idempotency-Key"]) != 0 {
			t.Error("a header that nobody asked for was sent")
		}
		_, _ = io.WriteString(w, `{"label":"x","choices":[{"message":{"content":"x"}}]}`)
	})
	const question = "Is <1> & \"2\" so?\n"
	const quoted = `"Is <1> & \"2\" so?\n"`
	for name, c := range map[string]struct {
		call evidence.Call
		want seen
	}{
		"a field": {plain(url), seen{"POST", "/ask", typeJSON, "", `{"text":` + quoted + `}`}},
		"a field within": {evidence.Call{URL: url, JSON: &evidence.JSONCall{Method: "PUT", Path: "/a?b=1", Input: "/in/put~1", Answer: "/label"}},
			seen{"PUT", "/a?b=1", typeJSON, "", `{"in":{"put/":` + quoted + `}}`}},
		"the body": {evidence.Call{URL: url, JSON: &evidence.JSONCall{Method: "POST", Path: "/"}}, seen{"POST", "/", typeText, "", question}},
		"chat":     {chat(url), seen{"POST", "/v1/chat/completions", typeJSON, "", `{"messages":[{"content":` + quoted + `,"role":"user"}],"model":"some-model"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, failure := client(t, c.call, dialer).Ask(t.Context(), question); failure != evidence.AskAnswered {
				t.Fatal(failure)
			}
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestAnswersAreReadWhereDeclared(t *testing.T) {
	at := func(pointer string) evidence.JSONCall {
		return evidence.JSONCall{Method: http.MethodPost, Path: "/", Input: "/q", Answer: pointer}
	}
	for name, c := range map[string]struct {
		call    evidence.JSONCall
		body    string
		text    string
		failure evidence.AskFailure
	}{
		"text":            {at("/label"), `{"label":"leaving","confidence":0.9}`, "leaving", ""},
		"empty":           {at("/label"), `{"label":""}`, "", ""},
		"number":          {at("/n"), `{"n":0.10000000000000000001}`, "0.10000000000000000001", ""},
		"bool":            {at("/yes"), `{"yes":true}`, "true", ""},
		"object":          {at("/o"), `{"o":{"b":1,"a":"<"}}`, `{"a":"<","b":1}`, ""},
		"in a list":       {at("/out/1/text"), `{"out":[{},{"text":"second"}]}`, "second", ""},
		"whole body":      {at(""), "Dear member,\n", "Dear member,\n", ""},
		"null":            {at("/label"), `{"label":null}`, "", evidence.AskNotAsDeclared},
		"missing":         {at("/label"), `{"answer":"leaving"}`, "", evidence.AskNotAsDeclared},
		"through null":    {at("/a/b"), `{"a":null}`, "", evidence.AskNotAsDeclared},
		"through text":    {at("/a/b"), `{"a":"b"}`, "", evidence.AskNotAsDeclared},
		"beyond the list": {at("/a/3"), `{"a":[1]}`, "", evidence.AskNotAsDeclared},
		"behind the list": {at("/a/-"), `{"a":[1]}`, "", evidence.AskNotAsDeclared},
		"no JSON":         {at("/label"), "leaving", "", evidence.AskNotAsDeclared},
		"two values":      {at("/label"), `{"label":"a"}{"label":"b"}`, "", evidence.AskNotAsDeclared},
		"nothing":         {at("/label"), "", "", evidence.AskNotAsDeclared},
		"no text":         {at(""), "\xff\xfe", "", evidence.AskNotAsDeclared},
	} {
		t.Run(name, func(t *testing.T) {
			call := evidence.Call{URL: saying(t, c.body), JSON: &c.call}
			answer, failure := client(t, call, dialer).Ask(t.Context(), "?")
			if failure != c.failure || failure == evidence.AskAnswered && answer.Text != c.text {
				t.Errorf("got %q, %q", answer.Text, failure)
			}
			if string(answer.Raw) != c.body || answer.Status != http.StatusOK {
				t.Errorf("raw %q, status %d", answer.Raw, answer.Status)
			}
		})
	}
}

func TestChatCompletions(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		want    Answer
		failure evidence.AskFailure
	}{
		"an answer": {`{"model":"m-1","system_fingerprint":"fp_1","choices":[{"message":{"content":"Yes."},"finish_reason":"stop"},{"message":{"content":"No."}}]}`,
			Answer{Text: "Yes.", Model: "m-1", Fingerprint: "fp_1"}, ""},
		"cut off": {`{"choices":[{"message":{"content":"Ye"},"finish_reason":"length"}]}`, Answer{Text: "Ye", CutOff: true}, ""},
		"refused": {`{"choices":[{"message":{"content":null,"refusal":"I won't."}}]}`, Answer{Text: "I won't.", Refused: true}, ""},
		"refused, and yet": {`{"choices":[{"message":{"content":"It is 5.\n","refusal":"I won't."}}]}`,
			Answer{Text: "I won't.\nIt is 5.", Refused: true, Beside: "It is 5."}, ""},
		"filtered too late":  {`{"choices":[{"message":{"content":"It is 5"},"finish_reason":"content_filter"}]}`, Answer{Text: "It is 5", Refused: true, Beside: "It is 5"}, ""},
		"a blank refusal":    {`{"choices":[{"message":{"content":"Sure.\n","refusal":" "}}]}`, Answer{Text: "Sure.\n"}, ""},
		"no refusal":         {`{"choices":[{"message":{"content":"Sure.","refusal":""}}]}`, Answer{Text: "Sure."}, ""},
		"filtered":           {`{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}`, Answer{Refused: true}, ""},
		"a name to mislead":  {`{"model":"a\u001b[31m\nb","choices":[{"message":{"content":"Yes."}}]}`, Answer{Text: "Yes.", Model: "a[31m b"}, ""},
		"no choice":          {`{"choices":[]}`, Answer{}, evidence.AskNotAsDeclared},
		"no content":         {`{"choices":[{"message":{}}]}`, Answer{}, evidence.AskNotAsDeclared},
		"content in parts":   {`{"choices":[{"message":{"content":[{"type":"text","text":"Yes."}]}}]}`, Answer{}, evidence.AskNotAsDeclared},
		"an error as answer": {`{"error":{"message":"no model"}}`, Answer{}, evidence.AskNotAsDeclared},
	} {
		t.Run(name, func(t *testing.T) {
			got, failure := client(t, chat(saying(t, c.body)), dialer).Ask(t.Context(), "?")
			if failure != c.failure {
				t.Fatalf("%q", failure)
			}
			if failure == evidence.AskAnswered && (got.Text != c.want.Text || got.Refused != c.want.Refused || got.Beside != c.want.Beside || got.CutOff != c.want.CutOff ||
				got.Model != c.want.Model || got.Fingerprint != c.want.Fingerprint) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestFailuresOfThePrototype(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = io.WriteString(w, `{"label":"leaving"}`)
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    evidence.AskFailure
		status  int
	}{
		"throttled":    {status(http.StatusTooManyRequests), evidence.AskThrottled, 429},
		"server error": {status(http.StatusBadGateway), evidence.AskServerError, 502},
		"not found":    {status(http.StatusNotFound), evidence.AskOtherStatus, 404},
		"redirected": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Error("followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, evidence.AskOtherStatus, 307},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"label":"leaving"}`)
		}, evidence.AskShortRead, 200},
		"too long": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"label":"`+strings.Repeat("x", evidence.MaxAnswerBytes)+`"}`)
		}, evidence.AskTooLong, 200},
		"without an end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		}, evidence.AskTooLong, 200},
		"breaks off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, evidence.AskConnect, 0},
		"squeezed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0})
		}, evidence.AskNotAsDeclared, 200},
	} {
		t.Run(name, func(t *testing.T) {
			answer, failure := client(t, plain(serve(t, c.handler)), dialer).Ask(t.Context(), "?")
			if failure != c.want || answer.Status != c.status || failure.Local() || len(answer.Raw) > evidence.MaxAnswerBytes {
				t.Errorf("got %q with status %d and %d bytes, want %q with %d", failure, answer.Status, len(answer.Raw), c.want, c.status)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"no answer": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"an answer without an end": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"label":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			call := plain(serve(t, handler))
			call.Timeout = evidence.Duration(200 * time.Millisecond)
			if _, failure := client(t, call, dialer).Ask(t.Context(), "?"); failure != evidence.AskTimeout {
				t.Errorf("got %q", failure)
			}
		})
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	if _, failure := client(t, plain(url), dialer).Ask(ctx, "?"); failure != evidence.AskStopped || !failure.Local() {
		t.Errorf("got %q", failure)
	}
}

func TestFailuresOfTheRunner(t *testing.T) {
	url := saying(t, `{"label":"leaving"}`)
	for name, c := range map[string]struct {
		dial Dial
		want evidence.AskFailure
	}{
		"an address that a runner must not touch": {probe.Guard(probe.RefuseSpecial).DialContext, evidence.AskAddress},
		"an unknown name": {func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}, evidence.AskAddress},
		"no sockets left": {func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("dial: %w", errors.Join(errors.New("socket"), syscall.EMFILE))
		}, evidence.AskResources},
	} {
		t.Run(name, func(t *testing.T) {
			if _, failure := client(t, plain(url), c.dial).Ask(t.Context(), "?"); failure != c.want || !failure.Local() {
				t.Errorf("got %q, want %q", failure, c.want)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	if _, failure := client(t, plain(s.URL), dialer).Ask(t.Context(), "?"); failure != evidence.AskConnect {
		t.Errorf("got %q", failure)
	}
}

// Servers close connections that they kept open. A question that is sent into such a one at that moment was not
// answered badly: it was not heard.
func TestConnectionThatWasClosedMeanwhile(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			reader := bufio.NewReader(conn)
			if request, err := http.ReadRequest(reader); err == nil {
				_, _ = io.Copy(io.Discard, request.Body)
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"+`{"label":"x"}`)
				// The next question on this connection is read, and then it is closed without a word.
				_, _ = http.ReadRequest(reader)
			}
			_ = conn.Close()
		}
	}()
	c := client(t, plain("http://"+listener.Addr().String()), dialer)
	for i := range 3 {
		if _, failure := c.Ask(t.Context(), "?"); failure != evidence.AskAnswered {
			t.Errorf("question %d: %q", i, failure)
		}
	}
}

func TestCallsThatAreNone(t *testing.T) {
	change := func(do func(*evidence.Call)) evidence.Call {
		c := plain("http://subject.sandbox.svc:8080")
		c.Timeout = evidence.Duration(time.Second)
		do(&c)
		return c
	}
	if _, err := New(change(func(*evidence.Call) {}), dialer); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]evidence.Call{
		"neither":         change(func(c *evidence.Call) { c.JSON = nil }),
		"two of three":    change(func(c *evidence.Call) { c.Sample = &evidence.SampleCall{Method: "POST", Path: "/", Body: "x"} }),
		"an empty sample": change(func(c *evidence.Call) { c.JSON, c.Sample = nil, &evidence.SampleCall{Method: "POST", Path: "/"} }),
		"a sample by GET": change(func(c *evidence.Call) {
			c.JSON, c.Sample = nil, &evidence.SampleCall{Method: "GET", Path: "/", Body: "x"}
		}),
		"both":              change(func(c *evidence.Call) { c.OpenAIChat = &evidence.ChatCall{Path: "/"} }),
		"a URL with a path": change(func(c *evidence.Call) { c.URL += "/admin" }),
		"user info":         change(func(c *evidence.Call) { c.URL = "http://a:b@subject" }),
		"another scheme":    change(func(c *evidence.Call) { c.URL = "file://subject" }),
		"GET":               change(func(c *evidence.Call) { c.JSON.Method = http.MethodGet }),
		"a relative path":   change(func(c *evidence.Call) { c.JSON.Path = "ask" }),
		"another host":      change(func(c *evidence.Call) { c.JSON.Path = "@evil/" }),
		"two lines":         change(func(c *evidence.Call) { c.JSON.Path = "/ask\r\nHost: evil" }),
		"no pointer":        change(func(c *evidence.Call) { c.JSON.Input = "text" }),
		"a wrong escape":    change(func(c *evidence.Call) { c.JSON.Answer = "/a~2" }),
		"a long pointer":    change(func(c *evidence.Call) { c.JSON.Answer = strings.Repeat("/a", 200) }),
		"no timeout":        change(func(c *evidence.Call) { c.Timeout = 0 }),
		"an endless one":    change(func(c *evidence.Call) { c.Timeout = evidence.Duration(time.Hour) }),
		"a model of lines":  change(func(c *evidence.Call) { c.JSON, c.OpenAIChat = nil, &evidence.ChatCall{Path: "/", Model: "a\nb"} }),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(c, dialer); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// FuzzRead feeds bodies that a prototype may send to both forms.
func FuzzRead(f *testing.F) {
	for _, body := range []string{`{"label":"leaving"}`, `{"a":[{"b":null},3]}`, `{"choices":[{"message":{"content":"Yes.","refusal":null}}]}`,
		`[1,[2]]`, `null`, `"x"`, `{"choices":[{"finish_reason":"content_filter"}]}`, "\xff", `{"label":{"label":"x"}}`} {
		f.Add([]byte(body), "/label")
		f.Add([]byte(body), "/a/0/b")
	}
	f.Fuzz(func(t *testing.T, body []byte, pointer string) {
		call := plain("http://subject.sandbox.svc:8080")
		call.Timeout, call.JSON.Answer, call.JSON.Input = evidence.Duration(time.Second), pointer, pointer
		if call.Validate() != nil {
			return
		}
		form, err := newJSONForm(*call.JSON)
		if err != nil {
			t.Fatalf("a pointer that was accepted is none: %q", pointer)
		}
		var a Answer
		if form.read(body, &a) && pointer != "" && !json.Valid(body) {
			t.Error("an answer was read out of what is no JSON")
		}
		if question, contentType := form.request(0, "?"); contentType == typeJSON && !json.Valid([]byte(question)) {
			t.Errorf("the request is no JSON: %q", question)
		}
		var b Answer
		if (chatForm{}).read(body, &b) && !json.Valid(body) {
			t.Error("a completion was read out of what is no JSON")
		}
	})
}
