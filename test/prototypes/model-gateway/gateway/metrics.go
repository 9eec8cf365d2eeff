package gateway

import (
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// metrics count without naming clients: their names belong in no label.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	used     *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "affineur_gateway_requests_total",
			Help: "Requests to the model gateway by how they ended: ok, or the code of the refusal.",
		}, []string{"result"}),
		used: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "affineur_gateway_tokens_total",
			Help: "Tokens charged to clients, by prompt and completion.",
		}, []string{"kind"}),
	}
	m.registry.MustRegister(m.requests, m.used)
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func (m *metrics) request(err error) {
	m.requests.WithLabelValues(result(err)).Inc()
}

func (m *metrics) tokens(usage openai.Usage) {
	m.used.WithLabelValues("prompt").Add(float64(usage.PromptTokens))
	m.used.WithLabelValues("completion").Add(float64(usage.CompletionTokens))
}

func result(err error) string {
	var refusal *serve.Error
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &refusal):
		return "internal"
	case refusal.Code != "":
		return refusal.Code
	default:
		return "bad_request"
	}
}
