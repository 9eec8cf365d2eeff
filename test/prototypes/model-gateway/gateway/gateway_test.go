package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/model-gateway/textmodel"
)

const (
	signingKey = "0123456789abcdef0123456789abcdef"
	question   = `{"model":"example-large","messages":[{"role":"user","content":"An outline about first aid."}]%s}`
)

// bench is a gateway whose clock and signing key a test may change.
type bench struct {
	t       *testing.T
	handler http.Handler
	keyFile string
	clock   atomic.Pointer[time.Time]
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, keyFile: filepath.Join(t.TempDir(), "signing-key")}
	b.sign(signingKey)
	b.at(time.Date(2026, 3, 4, 22, 30, 0, 0, time.UTC))
	b.handler = New(textmodel.New("example-large", "4.7"), b.keyFile, func() time.Time { return *b.clock.Load() })
	return b
}

func (b *bench) at(now time.Time) { b.clock.Store(&now) }

func (b *bench) sign(key string) {
	b.t.Helper()
	if err := os.WriteFile(b.keyFile, []byte(key), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) issue(signedWith string, claims gatewaykey.Claims) string {
	b.t.Helper()
	key, err := gatewaykey.Issue([]byte(signedWith), claims)
	if err != nil {
		b.t.Fatal(err)
	}
	return key
}

func (b *bench) send(method, path, authorization, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(recorder, request)
	return recorder
}

func (b *bench) ask(key, more string) *httptest.ResponseRecorder {
	return b.send(http.MethodPost, "/v1/chat/completions", "Bearer "+key, fmt.Sprintf(question, more))
}

func code(t *testing.T, recorder *httptest.ResponseRecorder) string {
	t.Helper()
	var answer struct {
		Error struct{ Message, Type, Code string }
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Error.Message == "" {
		t.Fatalf("%q is no refusal: %v", recorder.Body, err)
	}
	return answer.Error.Code
}

func TestAnswer(t *testing.T) {
	b := newBench(t)
	key := b.issue(signingKey, gatewaykey.Claims{Client: "c", Models: []string{"example-large"}})
	recorder := b.ask(key, "")
	var got openai.Response
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if recorder.Code != http.StatusOK || got.Model != "example-large" || !strings.HasPrefix(got.SystemFingerprint, "example-large-4.7-") {
		t.Errorf("answer = %d %+v", recorder.Code, got)
	}
	choice := got.Choices[0]
	if choice.FinishReason != openai.FinishStop || choice.Message.Role != "assistant" || choice.Message.Content == "" {
		t.Errorf("choice = %+v", choice)
	}
	words := openai.CountTokens(string(choice.Message.Content))
	if want := (openai.Usage{PromptTokens: 5, CompletionTokens: words, TotalTokens: words + 5}); got.Usage != want {
		t.Errorf("usage = %+v, want %+v", got.Usage, want)
	}

	recorder = b.ask(key, `,"max_tokens":4`)
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Choices[0].FinishReason != openai.FinishLength || got.Usage.CompletionTokens != 4 {
		t.Errorf("limited to 4: %+v", got)
	}
}

// The pieces of the stream are the whole answer.
func TestStream(t *testing.T) {
	b := newBench(t)
	key := b.issue(signingKey, gatewaykey.Claims{Client: "c"})
	var whole openai.Response
	if err := json.Unmarshal(b.ask(key, "").Body.Bytes(), &whole); err != nil {
		t.Fatal(err)
	}
	recorder := b.ask(key, `,"stream":true,"stream_options":{"include_usage":true}`)
	var text string
	var usage *openai.Usage
	for event := range strings.SplitSeq(recorder.Body.String(), "\n\n") {
		data := strings.TrimPrefix(event, "data: ")
		if data == "" || data == "[DONE]" {
			continue
		}
		var chunk openai.Chunk
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			t.Fatal(err)
		}
		usage = chunk.Usage
		for _, choice := range chunk.Choices {
			text += choice.Delta.Content
		}
	}
	if text != string(whole.Choices[0].Message.Content) || usage == nil || *usage != whole.Usage {
		t.Errorf("streamed %q with %+v, want %q with %+v", text, usage, whole.Choices[0].Message.Content, whole.Usage)
	}
	if !recorder.Flushed {
		t.Error("the stream was never flushed")
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t)
	good := "Bearer " + b.issue(signingKey, gatewaykey.Claims{Client: "c"})
	narrow := "Bearer " + b.issue(signingKey, gatewaykey.Claims{Client: "c", Models: []string{"example-small"}})
	foreign := "Bearer " + b.issue(strings.Repeat("x", 32), gatewaykey.Claims{Client: "c"})
	body := fmt.Sprintf(question, "")
	for name, tc := range map[string]struct {
		authorization, body string
		status              int
		code                string
	}{
		"no key":             {"", body, 401, "invalid_api_key"},
		"empty key":          {"Bearer ", body, 401, "invalid_api_key"},
		"another scheme":     {"Basic " + strings.TrimPrefix(good, "Bearer "), body, 401, "invalid_api_key"},
		"no JWT":             {"Bearer sk-123", body, 401, "invalid_api_key"},
		"foreign key":        {foreign, body, 401, "invalid_api_key"},
		"model not covered":  {narrow, body, 403, "model_not_allowed"},
		"no such model":      {good, strings.ReplaceAll(body, "example-large", "example-huge"), 404, "model_not_found"},
		"no model":           {good, strings.ReplaceAll(body, `"model":"example-large",`, ""), 404, "model_not_found"},
		"no JSON":            {good, "hello", 400, ""},
		"no messages":        {good, `{"model":"example-large"}`, 400, ""},
		"max_tokens 0":       {good, fmt.Sprintf(question, `,"max_tokens":0`), 400, ""},
		"max_tokens no int":  {good, fmt.Sprintf(question, `,"max_tokens":"many"`), 400, ""},
		"an image as a part": {good, `{"model":"example-large","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := b.send(http.MethodPost, "/v1/chat/completions", tc.authorization, tc.body)
			if got := code(t, recorder); recorder.Code != tc.status || got != tc.code {
				t.Errorf("answer = %d %q, want %d %q", recorder.Code, got, tc.status, tc.code)
			}
			if asks := recorder.Header().Get("WWW-Authenticate") != ""; asks != (tc.status == 401) {
				t.Errorf("WWW-Authenticate sent: %v", asks)
			}
		})
	}
}

func TestModels(t *testing.T) {
	b := newBench(t)
	if recorder := b.send(http.MethodGet, "/v1/models", "", ""); recorder.Code != http.StatusUnauthorized {
		t.Errorf("without a key = %d", recorder.Code)
	}
	for want, models := range map[int][]string{1: nil, 0: {"example-small"}} {
		recorder := b.send(http.MethodGet, "/v1/models", "Bearer "+b.issue(signingKey, gatewaykey.Claims{Client: "c", Models: models}), "")
		var got struct {
			Data []struct{ ID, Version string }
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Data) != want || (want == 1 && (got.Data[0].ID != "example-large" || got.Data[0].Version != "4.7")) {
			t.Errorf("key for %v lists %+v", models, got.Data)
		}
	}
}

func TestBudget(t *testing.T) {
	b := newBench(t)
	var first openai.Response
	free := b.issue(signingKey, gatewaykey.Claims{Client: "free"})
	if err := json.Unmarshal(b.ask(free, "").Body.Bytes(), &first); err != nil {
		t.Fatal(err)
	}
	cost := first.Usage.TotalTokens
	key := b.issue(signingKey, gatewaykey.Claims{Client: "small", TokensPerDay: 2*cost + 1})
	for i, want := range []int{200, 200, 429, 429} {
		if got := b.ask(key, "").Code; got != want {
			t.Fatalf("request %d = %d, want %d", i+1, got, want)
		}
	}
	recorder := b.ask(key, "")
	if got := code(t, recorder); got != "daily_budget_spent" {
		t.Errorf("code = %q", got)
	}
	if got := recorder.Header().Get("Retry-After"); got != "5400" {
		t.Errorf("Retry-After = %q at 22:30 UTC, want 5400", got)
	}
	if got := b.ask(free, "").Code; got != http.StatusOK {
		t.Errorf("a client without a budget = %d", got)
	}
	// A key with other claims is the same client, and finds what that client has used.
	renamed := b.issue(signingKey, gatewaykey.Claims{Client: "small", TokensPerDay: 2*cost + 1, Models: []string{"example-large"}})
	if got := b.ask(renamed, "").Code; got != http.StatusTooManyRequests {
		t.Errorf("another key of the same client = %d", got)
	}
	b.at(time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC))
	if got := b.ask(key, "").Code; got != http.StatusOK {
		t.Errorf("the next day = %d", got)
	}
}

// However many ask at once, the budget holds to the token.
func TestBudgetHoldsUnderConcurrency(t *testing.T) {
	b := newBench(t)
	var first openai.Response
	if err := json.Unmarshal(b.ask(b.issue(signingKey, gatewaykey.Claims{Client: "free"}), "").Body.Bytes(), &first); err != nil {
		t.Fatal(err)
	}
	key := b.issue(signingKey, gatewaykey.Claims{Client: "busy", TokensPerDay: 10 * first.Usage.TotalTokens})
	var served atomic.Int64
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			if b.ask(key, "").Code == http.StatusOK {
				served.Add(1)
			}
		})
	}
	group.Wait()
	if served.Load() != 10 {
		t.Errorf("%d requests were served on a budget for 10", served.Load())
	}
}

func TestSigningKeyRotates(t *testing.T) {
	b := newBench(t)
	old := b.issue(signingKey, gatewaykey.Claims{Client: "c"})
	next := strings.Repeat("n", 32)
	b.sign(next)
	if got := b.ask(old, "").Code; got != http.StatusUnauthorized {
		t.Errorf("the old key = %d", got)
	}
	if got := b.ask(b.issue(next, gatewaykey.Claims{Client: "c"}), "").Code; got != http.StatusOK {
		t.Errorf("the new key = %d", got)
	}
}

func TestNoSigningKey(t *testing.T) {
	b := newBench(t)
	key := b.issue(signingKey, gatewaykey.Claims{Client: "c"})
	if got := b.send(http.MethodGet, "/healthz", "", "").Code; got != http.StatusOK {
		t.Errorf("healthz = %d with a key", got)
	}
	b.sign("too short")
	for path, method := range map[string]string{"/v1/chat/completions": http.MethodPost, "/healthz": http.MethodGet} {
		recorder := b.send(method, path, "Bearer "+key, fmt.Sprintf(question, ""))
		if got := code(t, recorder); recorder.Code != http.StatusServiceUnavailable || got != "no_signing_key" {
			t.Errorf("%s = %d %q", path, recorder.Code, got)
		}
		if strings.Contains(recorder.Body.String(), b.keyFile) {
			t.Errorf("%s names the file to callers", path)
		}
	}
	if err := os.Remove(b.keyFile); err != nil {
		t.Fatal(err)
	}
	if got := b.ask(key, "").Code; got != http.StatusServiceUnavailable {
		t.Errorf("without the file = %d", got)
	}
}

func TestMetrics(t *testing.T) {
	b := newBench(t)
	b.ask(b.issue(signingKey, gatewaykey.Claims{Client: "secret-client"}), "")
	b.ask("nonsense", "")
	shown := b.send(http.MethodGet, "/metrics", "", "").Body.String()
	for _, want := range []string{
		`affineur_gateway_requests_total{result="ok"} 1`,
		`affineur_gateway_requests_total{result="invalid_api_key"} 1`,
		`affineur_gateway_tokens_total{kind="prompt"} 5`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is missing in\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "secret-client") {
		t.Error("the metrics name a client")
	}
}
