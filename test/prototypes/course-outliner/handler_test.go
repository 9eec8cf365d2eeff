package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evaluate"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/lms/server"
	"github.com/affineur/affineur/test/prototypes/model-gateway/gateway"
	"github.com/affineur/affineur/test/prototypes/model-gateway/textmodel"
	"github.com/affineur/affineur/test/story/manifest"
)

const signingKey = "0123456789abcdef0123456789abcdef"

// world is the outliner with the real gateway and the real learning-management system behind it.
type world struct {
	t       *testing.T
	keyFile string
	handler http.Handler
}

func newWorld(t *testing.T, model, lms http.Handler) *world {
	t.Helper()
	w := &world{t: t, keyFile: filepath.Join(t.TempDir(), "key")}
	w.key(gatewaykey.Claims{Client: "sandbox/education/course-outliner/1a2b3c4d"})
	c := config{modelURL: listen(t, model) + "/v1", modelName: "example-large", keyFile: w.keyFile}
	if lms != nil {
		c.lmsURL = listen(t, lms)
	}
	w.handler = newHandler(c)
	return w
}

func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func realGateway(t *testing.T) http.Handler {
	t.Helper()
	file := filepath.Join(t.TempDir(), "signing-key")
	if err := os.WriteFile(file, []byte(signingKey), 0o600); err != nil {
		t.Fatal(err)
	}
	return gateway.New(textmodel.New("example-large", "4.7"), file, time.Now)
}

func (w *world) key(claims gatewaykey.Claims) {
	w.t.Helper()
	key, err := gatewaykey.Issue([]byte(signingKey), claims)
	if err != nil {
		w.t.Fatal(err)
	}
	// The newline is what an editor would add.
	if err := os.WriteFile(w.keyFile, []byte(key+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) post(path, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
	return recorder
}

func (w *world) outline(topic string) outline {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"topic": topic})
	recorder := w.post("/v1/outline", string(body))
	var got outline
	if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || recorder.Code != http.StatusOK {
		w.t.Fatalf("outline = %d %s", recorder.Code, recorder.Body)
	}
	return got
}

func TestOutline(t *testing.T) {
	w := newWorld(t, realGateway(t), server.New(""))
	got := w.outline("data protection")
	if got.Title != "Data protection" || len(got.Modules) != 6 || !strings.HasPrefix(got.Model, "example-large-4.7-") {
		t.Errorf("outline = %+v", got)
	}
	for _, part := range got.Modules {
		if part.Title == "" || part.Text == "" || strings.HasPrefix(part.Title, "Part ") {
			t.Errorf("module = %+v", part)
		}
	}
	if len(got.Similar) != 0 || len(got.Notes) != 0 {
		t.Errorf("similar %q, notes %q, want none", got.Similar, got.Notes)
	}
	if diff := cmp.Diff(got, w.outline("data protection")); diff != "" {
		t.Errorf("the same topic got another outline:\n%s", diff)
	}
}

// TestSampleExamples asks the examples that the sample brings, as the quality gate would: all answers are right, and there are
// as many as the sample policy wants.
func TestSampleExamples(t *testing.T) {
	raw, call := sampleExamples(t)
	set, err := examples.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, realGateway(t), server.New(""))
	order := evidence.QualityOrder{
		Call: gate.DeclaredCall(listen(t, w.handler), call, 10*time.Second), File: "examples", Digest: set.Digest, Examples: len(set.Examples),
		Repeats: 2, InFlight: 4, Within: evidence.Duration(time.Minute),
	}
	got, err := evaluate.Run(t.Context(), order, raw, "", (&net.Dialer{}).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	policy := quality.Settings{Bound: quality.Bound{Ratio: 0.8, Minimum: 24}, Repeats: 2}
	if v := quality.Judge(quality.Evidence{Settings: policy, Set: set, Result: *got, At: time.Now()}); v.State != gate.Passed {
		t.Errorf("%s: %s", v.State, v.Message)
	}
}

// sampleExamples are those of config/samples, and how the sample says that it is asked.
func sampleExamples(t *testing.T) ([]byte, v1alpha1.EvaluationCall) {
	t.Helper()
	objects, err := manifest.Read("../../../config/samples/prototype-course-outliner.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var prototype v1alpha1.AIPrototype
	sets := map[string]map[string]string{}
	for _, object := range objects {
		if object.GetKind() == "AIPrototype" {
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &prototype); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if sets[object.GetName()], _, err = unstructured.NestedStringMap(object.Object, "data"); err != nil {
			t.Fatal(err)
		}
	}
	from := prototype.Spec.Evaluation.Examples.ConfigMap
	// The API server would say so.
	prototype.Spec.Evaluation.Call.JSON.Method = http.MethodPost
	return []byte(sets[from.Name][from.Key]), prototype.Spec.Evaluation.Call
}

func TestOutlineNamesSimilarCourses(t *testing.T) {
	got := newWorld(t, realGateway(t), server.New("")).outline("first aid")
	if diff := cmp.Diff([]string{"First aid at work"}, got.Similar); diff != "" || len(got.Notes) != 1 {
		t.Errorf("similar:\n%s, notes %q", diff, got.Notes)
	}
}

// Without the learning-management system there is still an outline, and it says what it lacks.
func TestOutlineDegrades(t *testing.T) {
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	got := newWorld(t, realGateway(t), broken).outline("first aid")
	if len(got.Modules) == 0 || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "could not be asked") {
		t.Errorf("outline = %+v", got)
	}
	if got := newWorld(t, realGateway(t), nil).outline("first aid"); len(got.Notes) != 0 {
		t.Errorf("without the integration: notes %q", got.Notes)
	}
}

func TestOutlineTellsFaultsApart(t *testing.T) {
	answering := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	elsewhere := http.RedirectHandler("http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	for name, tc := range map[string]struct {
		model  http.Handler
		status int
		code   string
	}{
		"broken":       {answering(500, ""), 502, "model_refused"},
		"no JSON":      {answering(200, "hello"), 502, "bad_model_answer"},
		"no choices":   {answering(200, "{}"), 502, "bad_model_answer"},
		"empty answer": {answering(200, `{"choices":[{"message":{"role":"assistant","content":" "}}]}`), 502, "bad_model_answer"},
		"key refused":  {answering(401, ""), 502, "model_key_refused"},
		"redirected":   {elsewhere, 502, "model_refused"},
		"hangs up": {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
			502, "model_unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			assertRefused(t, newWorld(t, tc.model, nil).post("/v1/outline", `{"topic":"first aid"}`), tc.status, tc.code)
		})
	}
}

func TestModelTimeout(t *testing.T) {
	release := make(chan struct{})
	slow := listen(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	// Registered after the server, so that it runs before it and lets it close.
	t.Cleanup(func() { close(release) })
	w := newWorld(t, realGateway(t), nil)
	o := outliner{model: modelClient{http: newClient(50 * time.Millisecond), url: slow, name: "m", keyFile: w.keyFile}}
	w.handler = http.HandlerFunc(o.outline)
	assertRefused(t, w.post("/", `{"topic":"first aid"}`), http.StatusGatewayTimeout, "model_timeout")
}

func TestKeyIsReadAtEveryUse(t *testing.T) {
	w := newWorld(t, realGateway(t), nil)
	w.outline("first aid")
	w.key(gatewaykey.Claims{Client: "poor", TokensPerDay: 1})
	recorder := w.post("/v1/outline", `{"topic":"first aid"}`)
	assertRefused(t, recorder, http.StatusTooManyRequests, "model_budget_spent")
	if recorder.Header().Get("Retry-After") == "" {
		t.Error("Retry-After is lost on the way")
	}
	if err := os.Remove(w.keyFile); err != nil {
		t.Fatal(err)
	}
	assertRefused(t, w.post("/v1/outline", `{"topic":"first aid"}`), http.StatusServiceUnavailable, "no_model_key")
}

func TestBadInput(t *testing.T) {
	w := newWorld(t, realGateway(t), nil)
	for path, bodies := range map[string][]string{
		"/v1/outline":          {``, `hello`, `{}`, `{"topic":" "}`, `{"topic":5}`, `{"topic":"` + strings.Repeat("a", 201) + `"}`},
		"/v1/chat/completions": {``, `{"messages":[]}`, `{"messages":[{"role":"robot","content":"a"}]}`},
	} {
		for _, body := range bodies {
			assertRefused(t, w.post(path, body), http.StatusBadRequest, "")
		}
	}
}

func assertRefused(t *testing.T, recorder *httptest.ResponseRecorder, status int, code string) {
	t.Helper()
	var answer struct {
		Error struct{ Message, Code string }
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%q is no JSON: %v", recorder.Body, err)
	}
	if recorder.Code != status || answer.Error.Code != code || answer.Error.Message == "" {
		t.Errorf("answer = %d %+v, want %d %q", recorder.Code, answer.Error, status, code)
	}
}

func TestChat(t *testing.T) {
	w := newWorld(t, realGateway(t), nil)
	// The caller's model name makes no difference: the operator decides which model a prototype uses.
	const question = `{"model":"something-else","messages":[{"role":"user","content":"An outline about first aid."}]`
	var whole openai.Response
	recorder := w.post("/v1/chat/completions", question+`}`)
	if err := json.Unmarshal(recorder.Body.Bytes(), &whole); err != nil || len(whole.Choices) != 1 {
		t.Fatalf("answer = %d %s", recorder.Code, recorder.Body)
	}
	if whole.Model != "example-large" || whole.Choices[0].Message.Content == "" {
		t.Errorf("answer = %+v", whole)
	}
	recorder = w.post("/v1/chat/completions", question+`,"stream":true}`)
	if recorder.Header().Get("Content-Type") != "text/event-stream" || !strings.HasSuffix(recorder.Body.String(), "data: [DONE]\n\n") || !recorder.Flushed {
		t.Errorf("stream = %s %q", recorder.Header(), recorder.Body)
	}
}

func TestHealthDependsOnNobody(t *testing.T) {
	handler := newHandler(config{modelURL: "http://127.0.0.1:1/v1", modelName: "m", keyFile: "/nonexistent"})
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if recorder.Code != http.StatusOK {
		t.Errorf("healthz = %d", recorder.Code)
	}
}
