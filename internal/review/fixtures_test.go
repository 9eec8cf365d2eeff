package review

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

var (
	identity = names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "11111111-0000-4000-8000-000000000000"}
	opened   = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
)

const canaryAddress = "203.0.113.20"

// sealed is the record of a prototype that answers questions from its own model and reads one system.
func sealed(t *testing.T, edits ...func(*record.Record)) record.Record {
	t.Helper()
	r := record.Record{
		Prototype: identity, Ordinal: 3, Title: "Membership: see who lapses", PolicyName: "organisation",
		RequestedBy: "membership-lead@example.org", Authors: []string{"membership-lead@example.org"},
		Subject: subject.Subject{
			Schema: subject.Schema, Destination: subject.Destination{Namespace: identity.Production()},
			Container: subject.Container{
				Image: "registry.example.org/membership/churn-advisor@sha256:" + strings.Repeat("a", 64), Port: 8080, CPU: "250m", Memory: "256Mi",
				Env: []subject.Env{{Name: "LANGUAGE", Value: "fr"}, {Name: "TONE", Value: "friendly"}},
			},
			Integrations: []subject.Integration{{Name: "crm", Access: v1alpha1.AccessRead}},
			Demand:       &subject.Demand{RequestsPerSecond: "10", LatencyP95: "800ms", ErrorRatio: "0.01", Method: "GET", Path: "/"},
		},
		Requirements: policy.Requirements{
			Schema: policy.RequirementsSchema, Team: v1alpha1.Team{Name: "membership", Groups: []string{"team-membership"}}, Tier: "Standard",
			Gates: []v1alpha1.Gate{
				{Name: "security", Type: v1alpha1.GateSecurity, Enforcement: v1alpha1.EnforcementRequired},
				{Name: "scalability", Type: v1alpha1.GateScalability, Enforcement: v1alpha1.EnforcementRequired,
					Scalability: &v1alpha1.ScalabilityGate{Headroom: "1.5", Duration: metav1.Duration{Duration: 20 * time.Second}}},
				{Name: "integration", Type: v1alpha1.GateIntegration, Enforcement: v1alpha1.EnforcementRequired},
			},
			Approvals: []policy.Approval{
				{Role: "security", Groups: []string{"it-security"}, Quorum: 1}, {Role: "operations", Groups: []string{"it-operations"}, Quorum: 1},
			},
			SoakSeconds: 10, DueSeconds: 3600,
			Registry: v1alpha1.Registry{Prefix: "registry.example.org/"}, DNS: "Cluster", Limits: v1alpha1.Resources{CPU: "2", Memory: "4Gi"},
			Integrations: []v1alpha1.Integration{{
				Name: "crm", Check: v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Path: "/health", ExpectStatus: 200}},
				Production: &v1alpha1.Endpoint{
					Address:     "https://crm.crm.svc:443",
					To:          v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: "crm", PodLabels: map[string]string{"app": "crm"}, Port: 8443}},
					Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "crm-prod"}},
				},
			}},
		},
	}
	for _, edit := range edits {
		edit(&r)
	}
	r, err := r.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// scene is what is there when a review opens.
func (w *world) scene() []client.Object {
	prototype := &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: identity.Namespace, Name: identity.Name, UID: types.UID(identity.UID), Generation: 1,
			CreationTimestamp: metav1.NewTime(opened.Add(-time.Hour)), Annotations: map[string]string{},
		},
		Spec: v1alpha1.AIPrototypeSpec{Target: v1alpha1.TargetProduction},
	}
	object, err := w.rec.Object()
	w.must(err)
	review := w.rec.Review(prototype)
	review.CreationTimestamp, review.UID, review.Generation = metav1.NewTime(opened), "22222222-0000-4000-8000-000000000000", 1
	review.Status.ObservedGeneration = -1
	at := workload.Surroundings{
		Identity: identity, Namespace: identity.Sandbox(), Purpose: v1alpha1.PurposeSandbox, Requirements: w.rec.Requirements, SubjectDigest: w.rec.SubjectDigest,
	}
	deployment := workload.Deployment(w.rec.Subject, at, 1)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: at.Namespace, Name: "prototype-1", Labels: deployment.Spec.Template.Labels, CreationTimestamp: metav1.NewTime(opened.Add(-time.Hour)),
	}}
	canary := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: v1alpha1.CanaryService},
		Spec:       corev1.ServiceSpec{ClusterIP: canaryAddress},
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "crm-prod"}, Data: map[string][]byte{"token": []byte("t")},
	}
	return append([]client.Object{prototype, object, review, deployment, pod, canary, secret, w.guarded()}, w.isolated(opened.Add(-5*time.Minute))...)
}

// guarded is the state of the guards: in place since long before.
func (w *world) guarded() *corev1.ConfigMap {
	raw, err := json.Marshal(guard.State{InPlace: true, LastGood: opened, Reason: v1alpha1.ReasonGuardsMeasured})
	w.must(err)
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: guard.ConfigMapName},
		Data:       map[string]string{"state.json": string(raw)},
	}
}

// isolated are the two reports of a measurement that found the sandbox isolated.
func (w *world) isolated(at time.Time) []client.Object {
	inputs := "sha256:" + strings.Repeat("c", 64)
	tables := map[isolation.Vantage][]evidence.TargetResult{}
	for i, x := range isolation.Paths() {
		target := []evidence.Target{{Name: x.Target, Network: evidence.NetworkTCP, Address: fmt.Sprintf("%s:%d", canaryAddress, 9000+i)}}
		up := reached(target, at.Add(-9*time.Second), at)
		switch {
		case x.IfAny:
		case x.Want == isolation.Reachable:
			tables[x.From] = append(tables[x.From], up...)
		default:
			tables[x.From] = append(tables[x.From], blocked(target, at.Add(-5*time.Second), at)...)
			tables[x.Witness] = append(tables[x.Witness], up...)
		}
	}
	network, err := assess.SandboxNetwork(w.rec.Prototype, w.rec.Requirements, w.rec.Subject.Container.Port)
	w.must(err)
	var out []client.Object
	keep := func(gate, name string, results []evidence.TargetResult) {
		report := evidence.Report{
			Schema: evidence.ReportSchema, Nonce: strings.Repeat("n", 16), Subject: inputs, StartedAt: at.Add(-10 * time.Second), FinishedAt: at,
			Result: &evidence.IsolationReport{Targets: results},
		}
		body, err := json.Marshal(report)
		w.must(err)
		object, err := record.Report{
			Prototype: identity, Gate: gate, Name: name, Inputs: inputs, Network: network, Nonce: report.Nonce, MeasuredAt: at, Body: body,
		}.Object()
		w.must(err)
		out = append(out, object)
	}
	keep(assess.ReportIsolation, identity.Run("isolation", "1"), tables[isolation.Inside])
	keep(assess.ReportIsolationControl, identity.Run("control", "1"), tables[isolation.Outside])
	return out
}

func reached(targets []evidence.Target, from, to time.Time) []evidence.TargetResult {
	var out []evidence.TargetResult
	for _, target := range targets {
		out = append(out, evidence.TargetResult{
			Name: target.Name, Network: target.Network, Address: target.Address, Reached: true, Settled: true, Attempts: 9, Reaches: 9,
			Since: from.UTC(), Until: to.UTC(), FirstReachedAt: ptr.To(from.UTC()), LastReachedAt: ptr.To(to.UTC()),
		})
	}
	return out
}

func blocked(targets []evidence.Target, from, to time.Time) []evidence.TargetResult {
	var out []evidence.TargetResult
	for _, target := range targets {
		out = append(out, evidence.TargetResult{
			Name: target.Name, Network: target.Network, Address: target.Address, Class: evidence.ClassTimeout, Settled: true, Attempts: 3,
			Since: from.UTC(), Until: to.UTC(),
		})
	}
	return out
}

// loadReport is of a prototype that answers everything in 40 ms, or in twice the promised time.
func loadReport(spec evidence.LoadSpec, slow bool) *evidence.LoadReport {
	report := &evidence.LoadReport{Within: spec.Within, Alone: 10}
	for _, step := range spec.Steps {
		n, took := step.Arrivals(), evidence.MicrosOf(40*time.Millisecond)
		result := evidence.StepResult{RatePerSecond: step.RatePerSecond, Duration: step.Duration, Planned: n, Succeeded: n, WithinTarget: n}
		if slow {
			took, result.WithinTarget = evidence.MicrosOf(2*spec.Within.Std()), 0
		}
		result.Latency = evidence.Latency{Min: took, Mean: took, P50: took, P90: took, P95: took, P99: took, P999: took, Max: took}
		report.Steps = append(report.Steps, result)
	}
	return report
}

func integrationReport(spec evidence.IntegrationSpec, broken bool, leaks string, at time.Time) *evidence.IntegrationReport {
	report := &evidence.IntegrationReport{Unreachable: blocked(spec.Unreachable, at.Add(-4*time.Second), at.Add(-time.Second)), Untried: spec.Untried}
	for i, target := range spec.Unreachable {
		switch {
		case target.Name == leaks:
			report.Unreachable[i] = reached(spec.Unreachable[i:i+1], at.Add(-4*time.Second), at.Add(-time.Second))[0]
		case target.Place == evidence.PlaceNode:
			report.Unreachable[i].Address = "192.0.2.11" + target.Address
		}
	}
	for _, check := range spec.Checks {
		ends := at.AddDate(1, 0, 0)
		result := evidence.CheckResult{Name: check.Name, OK: true, Status: 200, Attempts: 1, CertificateExpires: &ends}
		if broken {
			result.OK, result.Class, result.Status = false, evidence.ClassStatus, 503
		}
		report.Checks = append(report.Checks, result)
	}
	return report
}
