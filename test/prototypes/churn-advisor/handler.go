package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/bayes"
	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// maxTextRunes is far above any message; longer texts say that something else was sent.
const maxTextRunes = 10_000

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

type advisor struct {
	classifier *bayes.Classifier
	revision   string
}

func newHandler(classifier *bayes.Classifier, revision string) http.Handler {
	a := advisor{classifier: classifier, revision: revision}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("POST /v1/classify", a.classify)
	mux.HandleFunc("POST /v1/chat/completions", a.chat)
	mux.HandleFunc("GET /{$}", a.page)
	mux.HandleFunc("POST /{$}", a.page)
	return mux
}

// verdict is the answer to a message.
type verdict struct {
	Label      string  `json:"label"`
	Confidence float64 `json:"confidence"`
	Revision   string  `json:"revision"`
}

func (a advisor) judge(text string) (verdict, error) {
	switch {
	case strings.TrimSpace(text) == "":
		return verdict{}, serve.BadRequest("text is empty")
	case len([]rune(text)) > maxTextRunes:
		return verdict{}, serve.BadRequest("text is longer than %d characters", maxTextRunes)
	}
	label, confidence := a.classifier.Classify(text)
	return verdict{Label: label, Confidence: confidence, Revision: a.revision}, nil
}

func (a advisor) classify(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Text string `json:"text"`
	}
	if err := serve.ReadJSON(w, r, &request); err != nil {
		serve.WriteError(w, err)
		return
	}
	answer, err := a.judge(request.Text)
	if err != nil {
		serve.WriteError(w, err)
		return
	}
	serve.WriteJSON(w, http.StatusOK, answer)
}

// chat answers the label alone, so that an evaluation can compare it with what was expected.
func (a advisor) chat(w http.ResponseWriter, r *http.Request) {
	var request openai.Request
	if err := serve.ReadJSON(w, r, &request); err != nil {
		serve.WriteError(w, err)
		return
	}
	if err := request.Validate(); err != nil {
		serve.WriteError(w, err)
		return
	}
	answer, err := a.judge(request.LastUser())
	if err != nil {
		serve.WriteError(w, err)
		return
	}
	now := time.Now()
	usage := openai.Usage{PromptTokens: request.PromptTokens(), CompletionTokens: 1}
	usage.TotalTokens = usage.PromptTokens + usage.CompletionTokens
	response := openai.Answer(fmt.Sprintf("chatcmpl-%d", now.UnixNano()), now.Unix(), "churn-advisor",
		"churn-advisor-"+a.revision, answer.Label, openai.FinishStop, usage)
	if request.Stream {
		_ = openai.Stream(w, response, request.StreamOptions != nil && request.StreamOptions.IncludeUsage)
		return
	}
	serve.WriteJSON(w, http.StatusOK, response)
}

// page is for people. A message is sent in the body, never in the address, which proxies log.
func (a advisor) page(w http.ResponseWriter, r *http.Request) {
	view := struct {
		Text, Revision, Problem string
		Answer                  *verdict
	}{Revision: a.revision}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, serve.MaxBodyBytes)
		view.Text = r.PostFormValue("text")
		if answer, err := a.judge(view.Text); err != nil {
			view.Problem = err.Error()
		} else {
			view.Answer = &answer
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	if view.Problem != "" {
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = page.Execute(w, view)
}
