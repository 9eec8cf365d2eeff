package prometheus

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/sample"
	"github.com/affineur/affineur/internal/subject"
)

const errorShare = `sum(rate(errors_total{sandbox="$sandbox"}[$window])) / sum(rate(requests_total{sandbox="$sandbox"}[$window]))`

// TestAGateFromPolicyToVerdict: as the operator does it, over TLS and with a credential, about the sandbox of one prototype.
func TestAGateFromPolicyToVerdict(t *testing.T) {
	identity := names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "4f1c6c1e-0000-0000-0000-000000000000"}
	store := promqltest.LoadedStorage(t, strings.ReplaceAll(recorded, "affx-good", identity.Sandbox()))
	api := serve(t, store)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer reader" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	authority := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "prometheus-ca"},
		Data:       map[string]string{"ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))},
	}
	credential := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "prometheus-reader"},
		Data:       map[string][]byte{"token": []byte("reader")},
	}
	elsewhere := credential.DeepCopy()
	elsewhere.Namespace = "membership"
	for name, tc := range map[string]struct {
		kept   []client.Object
		query  string
		opened time.Time
		state  gate.State
		reason string
		says   string
	}{
		"good":                    {[]client.Object{authority, credential}, errorShare, time.Unix(1800, 0), gate.Passed, v1alpha1.ReasonConditionsMet, ""},
		"bad":                     {[]client.Object{authority, credential}, `sum(rate(requests_total{sandbox="$sandbox"}[$window]))`, time.Unix(1800, 0), gate.Failed, v1alpha1.ReasonFailureShown, ""},
		"in between":              {[]client.Object{authority, credential}, errorShare + " + 0.02", time.Unix(1800, 0), gate.Inconclusive, v1alpha1.ReasonNeitherShown, ""},
		"before anything was":     {[]client.Object{authority, credential}, errorShare, time.Unix(90_000, 0), gate.Inconclusive, v1alpha1.ReasonMetricUnclear, ""},
		"without a credential":    {[]client.Object{authority}, errorShare, time.Unix(1800, 0), gate.Inconclusive, v1alpha1.ReasonMetricUnclear, "Secret affineur-system/prometheus-reader has no token"},
		"without an authority":    {[]client.Object{credential}, errorShare, time.Unix(1800, 0), gate.Inconclusive, v1alpha1.ReasonMetricUnclear, "ConfigMap affineur-system/prometheus-ca has no ca.crt"},
		"the team's own Secret":   {[]client.Object{authority, elsewhere}, errorShare, time.Unix(1800, 0), gate.Inconclusive, v1alpha1.ReasonMetricUnclear, "Secret affineur-system/prometheus-reader has no token"},
		"a query of another time": {[]client.Object{authority, credential}, `vector(0.01)`, time.Unix(1800, 0), gate.Inconclusive, v1alpha1.ReasonRequirementInvalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			instrument := sample.MetricGate{Live: fake.NewClientBuilder().WithObjects(tc.kept...).Build(), Guard: anyAddress}
			c := caseOf(identity, server.URL, tc.query, tc.opened)
			if got := judged(t, instrument, c); got.State != tc.state || got.Reason != tc.reason || !strings.Contains(got.Message, tc.says) {
				t.Errorf("got %s %s: %s", got.State, got.Reason, got.Message)
			}
		})
	}
}

func caseOf(identity names.Identity, address, query string, opened time.Time) gate.Case {
	return gate.Case{
		Record: record.Record{
			Prototype: identity, Subject: subject.Subject{Container: subject.Container{Image: "registry.example.org/a@sha256:" + strings.Repeat("a", 64)}},
			ReviewDigest: evidence.Digest([]byte("review")), OpenedAt: opened,
		},
		Gate: v1alpha1.Gate{Name: "quiet", Type: v1alpha1.GateMetric, Metric: &v1alpha1.MetricGate{
			Source: v1alpha1.MetricSource{
				Address: address, CA: &v1alpha1.LocalName{Name: "prometheus-ca"},
				Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "prometheus-reader"}},
			},
			Query: query, Window: metav1.Duration{Duration: 10 * time.Minute}, Series: v1alpha1.SeriesOne,
			Criteria: v1alpha1.Criteria{SuccessWhen: "result <= 0.02", FailureWhen: "result > 0.05"},
		}},
		Patience: 1, Now: opened.Add(time.Hour),
	}
}

// judged is what the frame makes of a gate that the operator looks at.
func judged(t *testing.T, instrument run.Sampler, c gate.Case) gate.Verdict {
	t.Helper()
	runs, err := instrument.Plan(c, gate.Taken{})
	if err != nil {
		return instrument.Judge(c, gate.Taken{})
	}
	result, err := instrument.Sample(t.Context(), c, runs[0])
	if err != nil {
		t.Fatal(err)
	}
	report := &evidence.Report{
		Schema: evidence.ReportSchema, Nonce: strings.Repeat("a", 32), Subject: c.Record.ReviewDigest,
		StartedAt: c.Now.Add(-time.Second), FinishedAt: c.Now, Result: result,
	}
	raw, err := evidence.Encode(*report)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := evidence.OpenRecord(raw, evidence.Digest(raw), evidence.Expect{Nonce: report.Nonce, Subject: report.Subject})
	if err != nil {
		t.Fatal(err)
	}
	return instrument.Judge(c, gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Report: opened.Report}}}})
}
