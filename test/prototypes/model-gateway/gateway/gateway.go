// Package gateway answers chat completions for clients whose keys are good and whose budget lasts.
package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
	"github.com/affineur/affineur/test/prototypes/model-gateway/textmodel"
)

// defaultMaxTokens is the longest answer when the caller names no limit.
const defaultMaxTokens = 512

type gateway struct {
	model   *textmodel.Model
	keyFile string
	now     func() time.Time
	ledger  *ledger
	metrics *metrics
}

// New returns a gateway in front of the model. The signing key is read from its file at every request.
func New(model *textmodel.Model, keyFile string, now func() time.Time) http.Handler {
	g := &gateway{model: model, keyFile: keyFile, now: now, ledger: newLedger(now), metrics: newMetrics()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", g.counted(g.chat))
	mux.HandleFunc("GET /v1/models", g.counted(g.models))
	mux.HandleFunc("GET /healthz", g.health)
	mux.Handle("GET /metrics", g.metrics.handler())
	return mux
}

// counted runs a handler for callers whose key is good, and counts how it ended.
func (g *gateway) counted(handle func(http.ResponseWriter, *http.Request, gatewaykey.Claims) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		claims, err := g.authenticate(r)
		if err == nil {
			err = handle(w, r, claims)
		}
		g.metrics.request(err)
		if err != nil {
			refuse(w, err)
		}
	}
}

// authenticate reads the signing key at every request, so that a new one is in force at once.
func (g *gateway) authenticate(r *http.Request) (gatewaykey.Claims, error) {
	signingKey, err := serve.ReadSecret(g.keyFile)
	if err != nil {
		return gatewaykey.Claims{}, unavailable(err)
	}
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.TrimSpace(key) == "" {
		return gatewaykey.Claims{}, unauthorized("no key was sent: want the header Authorization: Bearer KEY")
	}
	claims, err := gatewaykey.Verify(signingKey, strings.TrimSpace(key))
	switch {
	case errors.Is(err, gatewaykey.ErrSigningKey):
		return gatewaykey.Claims{}, unavailable(err)
	case err != nil:
		return gatewaykey.Claims{}, unauthorized(err.Error())
	}
	return claims, nil
}

func (g *gateway) chat(w http.ResponseWriter, r *http.Request, claims gatewaykey.Claims) error {
	var request openai.Request
	if err := serve.ReadJSON(w, r, &request); err != nil {
		return err
	}
	if err := request.Validate(); err != nil {
		return err
	}
	if err := g.mayUse(claims, request.Model); err != nil {
		return err
	}
	response := g.complete(request)
	if err := g.charge(claims, response.Usage); err != nil {
		return err
	}
	if request.Stream {
		// What the client did not wait for was generated and is paid for.
		_ = openai.Stream(w, response, request.StreamOptions != nil && request.StreamOptions.IncludeUsage)
		return nil
	}
	serve.WriteJSON(w, http.StatusOK, response)
	return nil
}

// mayUse tells a model that does not exist from one that this key does not cover; only the holder of a
// good key learns the difference.
func (g *gateway) mayUse(claims gatewaykey.Claims, model string) error {
	if model != g.model.Name() {
		return &serve.Error{Status: http.StatusNotFound, Type: "invalid_request_error", Code: "model_not_found",
			Message: fmt.Sprintf("there is no such model; GET /v1/models lists those that there are, %q for one", g.model.Name())}
	}
	if !claims.Allows(model) {
		return &serve.Error{Status: http.StatusForbidden, Type: "permission_error", Code: "model_not_allowed",
			Message: fmt.Sprintf("this key does not cover the model %q", model)}
	}
	return nil
}

// complete answers before anything is charged, because only then the exact cost is known; the model
// is cheap enough for that.
func (g *gateway) complete(request openai.Request) openai.Response {
	limit := defaultMaxTokens
	if request.MaxTokens != nil {
		limit = min(limit, *request.MaxTokens)
	}
	conversation := make([]string, len(request.Messages))
	for i, message := range request.Messages {
		conversation[i] = string(message.Content)
	}
	text, complete := g.model.Answer(conversation, limit)
	finish := openai.FinishStop
	if !complete {
		finish = openai.FinishLength
	}
	usage := openai.Usage{PromptTokens: request.PromptTokens(), CompletionTokens: openai.CountTokens(text)}
	usage.TotalTokens = usage.PromptTokens + usage.CompletionTokens
	return openai.Answer(newID(), g.now().Unix(), g.model.Name(), g.model.Fingerprint(), text, finish, usage)
}

func (g *gateway) charge(claims gatewaykey.Claims, usage openai.Usage) error {
	used, renews, ok := g.ledger.charge(claims.Client, usage.TotalTokens, claims.TokensPerDay)
	if !ok {
		return &serve.Error{
			Status: http.StatusTooManyRequests, Type: "insufficient_quota", Code: "daily_budget_spent", RetryAfter: renews.Sub(g.now()),
			Message: fmt.Sprintf("the budget of %d tokens per day is spent: %d are used, this request needs %d; it is renewed at %s",
				claims.TokensPerDay, used, usage.TotalTokens, renews.Format(time.RFC3339)),
		}
	}
	g.metrics.tokens(usage)
	return nil
}

func (g *gateway) models(w http.ResponseWriter, _ *http.Request, claims gatewaykey.Claims) error {
	type model struct {
		ID          string `json:"id"`
		Object      string `json:"object"`
		Created     int64  `json:"created"`
		OwnedBy     string `json:"owned_by"`
		Version     string `json:"version"`
		Fingerprint string `json:"system_fingerprint"`
	}
	list := []model{}
	if claims.Allows(g.model.Name()) {
		list = append(list, model{ID: g.model.Name(), Object: "model", OwnedBy: "affineur", Version: g.model.Version(), Fingerprint: g.model.Fingerprint()})
	}
	serve.WriteJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
	return nil
}

// health is bad while no key could be verified: then nobody can be served.
func (g *gateway) health(w http.ResponseWriter, r *http.Request) {
	signingKey, err := serve.ReadSecret(g.keyFile)
	if err == nil && len(signingKey) < gatewaykey.MinSigningKeyBytes {
		err = gatewaykey.ErrSigningKey
	}
	if err != nil {
		serve.WriteError(w, unavailable(err))
		return
	}
	serve.Healthy(w, r)
}

func refuse(w http.ResponseWriter, err error) {
	var refusal *serve.Error
	if errors.As(err, &refusal) && refusal.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="model-gateway"`)
	}
	serve.WriteError(w, err)
}

func unauthorized(message string) error {
	return &serve.Error{Status: http.StatusUnauthorized, Type: "authentication_error", Code: "invalid_api_key", Message: message}
}

// unavailable logs the reason for whoever runs the gateway and keeps it from callers.
func unavailable(err error) error {
	slog.Error("the signing key is not usable", "error", err)
	return &serve.Error{Status: http.StatusServiceUnavailable, Type: "server_error", Code: "no_signing_key",
		Message: "the gateway has no usable signing key, so it can't check anybody's key"}
}

func newID() string {
	id := make([]byte, 12)
	_, _ = rand.Read(id) // never fails, see its documentation
	return "chatcmpl-" + hex.EncodeToString(id)
}
