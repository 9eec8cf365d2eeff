package assess

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

const (
	nonce  = "0123456789abcdef"
	inputs = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	canary = "203.0.113.20"
	server = "203.0.113.1:443"
)

// hardened is a record with all three gates and one integration.
func hardened(t *testing.T, edits ...func(*record.Record)) record.Record {
	t.Helper()
	rec := asked(t, "security")
	rec.Subject = subject.Subject{
		Schema: subject.Schema,
		Container: subject.Container{
			Image: "registry.example.org/membership/churn-advisor@sha256:" + strings.Repeat("a", 64), Port: 8080, CPU: "250m", Memory: "256Mi",
			Env: []subject.Env{{Name: "LANGUAGE", Value: "fr"}, {Name: "TONE", Value: "friendly"}},
		},
		Demand: &subject.Demand{RequestsPerSecond: "10", LatencyP95: "800ms", ErrorRatio: "0.01", Method: "POST", Path: "/v1/classify", Body: `{"text":"hello"}`},
	}
	rec.Requirements.Registry.Prefix = "registry.example.org/"
	rec.Requirements.Gates = []v1alpha1.Gate{
		{Name: "security", Type: v1alpha1.GateSecurity, Enforcement: v1alpha1.EnforcementRequired},
		{Name: "scalability", Type: v1alpha1.GateScalability, Enforcement: v1alpha1.EnforcementRequired,
			Scalability: &v1alpha1.ScalabilityGate{Headroom: "1.5", Duration: metav1.Duration{Duration: 20 * time.Second}}},
		{Name: "integration", Type: v1alpha1.GateIntegration, Enforcement: v1alpha1.EnforcementRequired},
	}
	rec.Requirements.Integrations = []v1alpha1.Integration{{
		Name: "crm", Check: v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Path: "/health", ExpectStatus: 200}},
		Production: &v1alpha1.Endpoint{Address: "https://crm.crm.svc:443"},
	}}
	for _, edit := range edits {
		edit(&rec)
	}
	sealed, err := rec.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// kept is a report as the records hold it.
func kept(t *testing.T, rec record.Record, gate, name, about string, report evidence.Report) record.Report {
	t.Helper()
	report.Schema, report.Nonce, report.Subject = evidence.ReportSchema, nonce, about
	report.StartedAt = report.FinishedAt.Add(-30 * time.Second)
	body, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	ordinal, attempt := 0, 0
	if about == rec.ReviewDigest {
		ordinal, attempt = rec.Ordinal, 1
	}
	return record.Report{
		Prototype: rec.Prototype, Gate: gate, Ordinal: ordinal, Attempt: attempt, Name: name, Inputs: about, Nonce: nonce, MeasuredAt: report.FinishedAt, Body: body,
	}
}

func results(targets []evidence.Target, at time.Time, reached bool) []evidence.TargetResult {
	var out []evidence.TargetResult
	for _, target := range targets {
		r := evidence.TargetResult{
			Name: target.Name, Network: target.Network, Address: target.Address, Settled: true, Attempts: 3,
			Class: evidence.ClassTimeout, Since: at.Add(-4 * time.Second), Until: at.Add(-time.Second),
		}
		if reached {
			r.Reached, r.Class, r.Reaches, r.Since, r.Until = true, "", 3, at.Add(-9*time.Second), at
			r.FirstReachedAt, r.LastReachedAt = ptr.To(r.Since), ptr.To(r.Until)
		}
		out = append(out, r)
	}
	return out
}

// isolationReports are the two reports of a measurement inside the sandbox and its control.
func isolationReports(t *testing.T, rec record.Record, at time.Time, about string, holes bool) []record.Report {
	t.Helper()
	tables := map[isolation.Vantage]*evidence.IsolationReport{isolation.Inside: {}, isolation.Outside: {}}
	for i, x := range isolation.Paths() {
		add := func(v isolation.Vantage, reached bool) {
			target := evidence.Target{Name: x.Target, Network: evidence.NetworkTCP, Address: fmt.Sprintf("%s:%d", canary, 9000+i)}
			tables[v].Targets = append(tables[v].Targets, results([]evidence.Target{target}, at, reached)...)
		}
		if x.IfAny {
			continue
		}
		add(x.From, x.Want == isolation.Reachable || holes && x.Direction == isolation.Egress)
		if x.Witness != "" {
			add(x.Witness, true)
		}
	}
	inside, outside := tables[isolation.Inside], tables[isolation.Outside]
	tail := fmt.Sprint(at.Unix())
	reports := []record.Report{
		kept(t, rec, ReportIsolation, "isolation-"+tail, about, evidence.Report{FinishedAt: at, Result: inside}),
		kept(t, rec, ReportIsolationControl, "control-"+tail, about, evidence.Report{FinishedAt: at, Result: outside}),
	}
	network, err := SandboxNetwork(rec.Prototype, rec.Requirements, rec.Subject.Container.Port)
	if err != nil {
		t.Fatal(err)
	}
	for i := range reports {
		reports[i].Network = network
	}
	return reports
}

// bench is what the operator has.
var bench = Bench{security.Instrument{}, scalability.Instrument{}, integration.Instrument{}}

// planned is the first run of the gate of a name.
func planned(t *testing.T, rec record.Record, name string, patience gate.Patience) gate.Run {
	t.Helper()
	g := v1alpha1.Gate{Name: name, Type: v1alpha1.GateIntegration}
	if at := slices.IndexFunc(rec.Requirements.Gates, func(g v1alpha1.Gate) bool { return g.Name == name }); at >= 0 {
		g = rec.Requirements.Gates[at]
	}
	runs, err := bench.Of(g.Type).Plan(gate.Case{
		Record: rec, Gate: g, Patience: patience, Ground: gate.Ground{Canary: canary, APIServer: server},
	}, gate.Taken{})
	if err != nil {
		t.Fatal(err)
	}
	return runs[0]
}

func integrationSpec(t *testing.T, rec record.Record, patience gate.Patience) *evidence.IntegrationSpec {
	t.Helper()
	return planned(t, rec, "integration", patience).Order.(*evidence.IntegrationSpec)
}

func controlSpec(t *testing.T, rec record.Record, patience gate.Patience) *evidence.IsolationSpec {
	t.Helper()
	return planned(t, rec, "integration", patience).Control.Order
}

var (
	reportLoad, reportIntegration, reportControl = ReportOf("scalability"), ReportOf("integration"), ControlOf("integration")
)

func loadOf(t *testing.T, rec record.Record, at time.Time, patience gate.Patience, edits ...func(*evidence.LoadReport)) record.Report {
	t.Helper()
	return loadFor(t, rec, "scalability", at, patience, edits...)
}

func loadFor(t *testing.T, rec record.Record, name string, at time.Time, patience gate.Patience, edits ...func(*evidence.LoadReport)) record.Report {
	t.Helper()
	spec := planned(t, rec, name, patience).Order.(*evidence.LoadSpec)
	report := &evidence.LoadReport{Within: spec.Within, Alone: 10}
	for _, step := range spec.Steps {
		n, took := step.Arrivals(), evidence.MicrosOf(40*time.Millisecond)
		report.Steps = append(report.Steps, evidence.StepResult{
			RatePerSecond: step.RatePerSecond, Duration: step.Duration, Planned: n, Succeeded: n, WithinTarget: n,
			Latency: evidence.Latency{Min: took, Mean: took, P50: took, P90: took, P95: took, P99: took, P999: took, Max: took},
		})
	}
	for _, edit := range edits {
		edit(report)
	}
	return kept(t, rec, ReportOf(name), fmt.Sprintf("load-%d", at.Unix()), rec.ReviewDigest, evidence.Report{FinishedAt: at, Result: report})
}

func integrationOf(t *testing.T, rec record.Record, at time.Time, edits ...func(*evidence.IntegrationReport)) []record.Report {
	t.Helper()
	spec := integrationSpec(t, rec, 1)
	report := &evidence.IntegrationReport{Unreachable: results(spec.Unreachable, at, false)}
	for _, check := range spec.Checks {
		ends := at.AddDate(1, 0, 0)
		report.Checks = append(report.Checks, evidence.CheckResult{Name: check.Name, OK: true, Status: 200, Attempts: 1, CertificateExpires: &ends})
	}
	for _, edit := range edits {
		edit(report)
	}
	control := &evidence.IsolationReport{Targets: results(controlSpec(t, rec, 1).Targets, at, true)}
	return []record.Report{
		kept(t, rec, reportIntegration, fmt.Sprintf("integration-%d", at.Unix()), rec.ReviewDigest, evidence.Report{FinishedAt: at, Result: report}),
		kept(t, rec, reportControl, fmt.Sprintf("control-%d", at.Unix()), rec.ReviewDigest, evidence.Report{FinishedAt: at, Result: control}),
	}
}

// evidenceOf is everything that a subject without holes leaves.
func evidenceOf(t *testing.T, rec record.Record, at time.Time) []record.Report {
	t.Helper()
	return append(append(isolationReports(t, rec, at, inputs, false), loadOf(t, rec, at, 1)), integrationOf(t, rec, at)...)
}

func verdicts(gates []v1alpha1.GateStatus) string {
	var out []string
	for _, g := range gates {
		out = append(out, fmt.Sprintf("%s %s", g.Verdict, g.Reason))
	}
	return strings.Join(out, ", ")
}

const (
	secure    = "Passed NoHolesFound"
	scales    = "Passed SustainsDemand"
	connected = "Passed IntegrationsWork"
)

func TestGates(t *testing.T) {
	now := opened.Add(time.Hour)
	at := now.Add(-10 * time.Minute)
	only := func(reports []record.Report, without ...string) []record.Report {
		var out []record.Report
		for _, r := range reports {
			if !strings.Contains(" "+strings.Join(without, " ")+" ", " "+r.Gate+" ") {
				out = append(out, r)
			}
		}
		return out
	}
	for name, test := range map[string]struct {
		edit    func(*record.Record)
		reports func(rec record.Record, good []record.Report) []record.Report
		now     time.Time
		want    string
		passed  bool
	}{
		"everything is there": {want: secure + ", " + scales + ", " + connected, passed: true},
		"nothing is there": {
			reports: func(record.Record, []record.Report) []record.Report { return nil },
			want:    "Pending NotMeasured, Pending NotMeasured, Pending NotMeasured",
		},
		"another prototype's reports": {
			reports: func(_ record.Record, good []record.Report) []record.Report {
				for i := range good {
					good[i].Prototype.UID = "another"
				}
				return good
			},
			want: "Pending NotMeasured, Pending NotMeasured, Pending NotMeasured",
		},
		"reports of another subject": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				other := hardened(t, func(r *record.Record) { r.Subject.Container.Port = 9090 })
				return append(isolationReports(t, rec, at, inputs, false), append(integrationOf(t, other, at), loadOf(t, other, at, 1))...)
			},
			want: secure + ", Pending NotMeasured, Pending NotMeasured",
		},
		"reports relabelled as of this subject": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				other := hardened(t, func(r *record.Record) { r.Subject.Container.Port = 9090 })
				moved := append(integrationOf(t, other, at), loadOf(t, other, at, 1))
				for i := range moved {
					moved[i].Inputs = rec.ReviewDigest
				}
				return append(isolationReports(t, rec, at, inputs, false), moved...)
			},
			want: secure + ", Inconclusive MeasurementLost, Inconclusive MeasurementLost",
		},
		"another nonce": {
			reports: func(_ record.Record, good []record.Report) []record.Report {
				for i := range good {
					good[i].Nonce = "fedcba9876543210"
				}
				return good
			},
			want: "Inconclusive MeasurementLost, Inconclusive MeasurementLost, Inconclusive MeasurementLost",
		},
		"bodies of another kind": {
			reports: func(_ record.Record, good []record.Report) []record.Report {
				for i := range good {
					good[i].Body = []byte(`{"passed":true}`)
				}
				return good
			},
			want: "Inconclusive MeasurementLost, Inconclusive MeasurementLost, Inconclusive MeasurementLost",
		},
		"the newest is lost": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				body, err := Lost("the pod was evicted")
				if err != nil {
					t.Fatal(err)
				}
				return append(good, record.Report{Prototype: rec.Prototype, Gate: reportLoad, Ordinal: rec.Ordinal, Attempt: 2, Name: "later", Inputs: rec.ReviewDigest, MeasuredAt: at.Add(time.Minute), Body: body})
			},
			want: secure + ", Inconclusive MeasurementLost, " + connected,
		},
		"everything was measured for an earlier review of the same subject": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				for i := range good {
					if good[i].Ordinal != 0 {
						good[i].Ordinal = rec.Ordinal + 1
					}
				}
				return good
			},
			want: secure + ", Pending NotMeasured, Pending NotMeasured",
		},
		"an older one was lost": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				body, _ := Lost("the pod was evicted")
				for i := range good {
					if good[i].Gate == reportLoad {
						good[i].Attempt = 2
					}
				}
				return append(good, record.Report{Prototype: rec.Prototype, Gate: reportLoad, Ordinal: rec.Ordinal, Attempt: 1, Name: "earlier", Inputs: rec.ReviewDigest, MeasuredAt: at.Add(-time.Minute), Body: body})
			},
			want: secure + ", " + scales + ", " + connected, passed: true,
		},
		"isolation too old": {
			now:  at.Add(gate.IsolationMaxAge + time.Second),
			want: "Inconclusive EvidenceStale, " + scales + ", " + connected,
		},
		"everything too old": {
			now:  at.Add(gate.MeasurementMaxAge + time.Second),
			want: "Inconclusive EvidenceStale, Inconclusive EvidenceStale, Inconclusive EvidenceStale",
		},
		"everything from the future": {
			now:  at.Add(-time.Minute),
			want: "Inconclusive EvidenceStale, Inconclusive EvidenceStale, Inconclusive EvidenceStale",
		},
		"no control of the isolation": {
			reports: func(_ record.Record, good []record.Report) []record.Report { return only(good, ReportIsolationControl) },
			want:    "Pending NotMeasured, " + scales + ", " + connected,
		},
		"control under other policies": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				other := isolationReports(t, rec, at, "sha256:"+strings.Repeat("d", 64), false)
				return append(only(good, ReportIsolationControl), other[1])
			},
			want: "Pending NotMeasured, " + scales + ", " + connected,
		},
		"a newer control alone": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(good, isolationReports(t, rec, at.Add(5*time.Minute), inputs, false)[1])
			},
			want: secure + ", " + scales + ", " + connected, passed: true,
		},
		"isolation has holes now": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(good, isolationReports(t, rec, at.Add(time.Minute), inputs, true)...)
			},
			want: "Failed HolesFound, " + scales + ", " + connected,
		},
		"isolation had holes before": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(good, isolationReports(t, rec, at.Add(-time.Minute), inputs, true)...)
			},
			want: secure + ", " + scales + ", " + connected, passed: true,
		},
		"a secret in the environment": {
			edit: func(r *record.Record) {
				r.Subject.Container.Env = append(r.Subject.Container.Env, subject.Env{Name: "ZZ_PASSWORD", Value: "hunter2"})
			},
			want: "Failed HolesFound, " + scales + ", " + connected,
		},
		"an image by tag": {
			edit: func(r *record.Record) {
				r.Subject.Container.Image = "registry.example.org/membership/churn-advisor:1.4"
			},
			want: "Failed HolesFound, " + scales + ", " + connected,
		},
		"an image from elsewhere": {
			edit: func(r *record.Record) {
				r.Subject.Container.Image = "registry.example.org.evil/x@sha256:" + strings.Repeat("a", 64)
			},
			want: "Failed HolesFound, " + scales + ", " + connected,
		},
		"measured with more patience": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(only(good, reportLoad), loadOf(t, rec, at, gate.MostPatient))
			},
			edit: func(r *record.Record) { r.Subject.Demand.RequestsPerSecond = "1" },
			want: secure + ", " + scales + ", " + connected, passed: true,
		},
		"measured for too short a time": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				short := hardened(t, func(r *record.Record) { r.Requirements.Gates[1].Scalability.Duration.Duration = 10 * time.Second })
				report := loadOf(t, short, at, 1)
				return append(only(good, reportLoad), kept(t, rec, reportLoad, "short", rec.ReviewDigest, reportIn(t, report)))
			},
			want: secure + ", Inconclusive EvidenceUnverifiable, " + connected,
		},
		"measured at too low a rate": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				easy := hardened(t, func(r *record.Record) { r.Requirements.Gates[1].Scalability.Headroom = "1" })
				report := loadOf(t, easy, at, 1)
				return append(only(good, reportLoad), kept(t, rec, reportLoad, "easy", rec.ReviewDigest, reportIn(t, report)))
			},
			edit: func(r *record.Record) { r.Subject.Demand.RequestsPerSecond = "100" },
			want: secure + ", Inconclusive EvidenceUnverifiable, " + connected,
		},
		"another promise": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(only(good, reportLoad), loadOf(t, rec, at, 1, func(r *evidence.LoadReport) { r.Within = evidence.Duration(5 * time.Second) }))
			},
			want: secure + ", Inconclusive EvidenceUnverifiable, " + connected,
		},
		"too slow": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(only(good, reportLoad), loadOf(t, rec, at, 1, func(r *evidence.LoadReport) { r.Steps[0].WithinTarget = 0 }))
			},
			want: secure + ", Failed TooSlow, " + connected,
		},
		"cut short": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(only(good, reportLoad), loadOf(t, rec, at, 1, func(r *evidence.LoadReport) {
					r.CutShort, r.Steps[0].Unfinished = true, 5
					r.Steps[0].Succeeded, r.Steps[0].WithinTarget = r.Steps[0].Planned-5, r.Steps[0].Planned-5
				}))
			},
			want: secure + ", Inconclusive MeasurementCutShort, " + connected,
		},
		"no demand": {
			edit:    func(r *record.Record) { r.Subject.Demand = nil },
			reports: func(_ record.Record, _ []record.Report) []record.Report { return nil },
			want:    "Pending NotMeasured, Inconclusive RequirementInvalid, Pending NotMeasured",
		},
		"a body that no runner takes": {
			edit:    func(r *record.Record) { r.Subject.Demand.Body = strings.Repeat("x", 100<<10) },
			reports: func(_ record.Record, _ []record.Report) []record.Report { return nil },
			want:    "Pending NotMeasured, Inconclusive RequirementInvalid, Pending NotMeasured",
		},
		"an integration does not work": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(only(good, reportIntegration, reportControl), integrationOf(t, rec, at, func(r *evidence.IntegrationReport) {
					r.Checks[0].OK, r.Checks[0].Class, r.Checks[0].Status = false, evidence.ClassStatus, 503
				})...)
			},
			want: secure + ", " + scales + ", Failed IntegrationBroken",
		},
		"an integration was left out": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(only(good, reportIntegration, reportControl), integrationOf(t, rec, at, func(r *evidence.IntegrationReport) { r.Checks = nil })...)
			},
			want: secure + ", " + scales + ", Inconclusive EvidenceUnverifiable",
		},
		"production reaches what it must not": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				return append(only(good, reportIntegration, reportControl), integrationOf(t, rec, at, func(r *evidence.IntegrationReport) {
					r.Unreachable = results(integrationSpec(t, rec, 1).Unreachable, at, true)
				})...)
			},
			want: secure + ", " + scales + ", Failed ForbiddenTargetReached",
		},
		"nobody bears witness": {
			reports: func(_ record.Record, good []record.Report) []record.Report {
				return only(good, reportControl)
			},
			want: secure + ", " + scales + ", Pending NotMeasured",
		},
		"no production target": {
			edit: func(r *record.Record) { r.Requirements.Integrations[0].Production = nil },
			want: secure + ", " + scales + ", Failed IntegrationBroken",
		},
		"no integrations": {
			edit: func(r *record.Record) { r.Requirements.Integrations = nil },
			want: secure + ", " + scales + ", Passed NoIntegrationsDeclared", passed: true,
		},
		"a gate of a type from the future": {
			edit: func(r *record.Record) {
				r.Requirements.Gates = append(r.Requirements.Gates, v1alpha1.Gate{Name: "value", Type: "Value", Enforcement: v1alpha1.EnforcementRequired})
			},
			want: secure + ", " + scales + ", " + connected + ", Inconclusive GateUnknown",
		},
		"the same, advisory": {
			edit: func(r *record.Record) {
				r.Requirements.Gates = append(r.Requirements.Gates, v1alpha1.Gate{Name: "value", Type: "Value", Enforcement: v1alpha1.EnforcementAdvisory})
			},
			want: secure + ", " + scales + ", " + connected + ", Inconclusive GateUnknown", passed: true,
		},
		"a control is kept, and its run not yet": {
			reports: func(rec record.Record, good []record.Report) []record.Report {
				control := integrationOf(t, rec, at.Add(time.Minute))[1]
				control.Attempt = 2
				return append(good, control)
			},
			want: secure + ", " + scales + ", " + connected, passed: true,
		},
		"a gate is missing": {
			edit: func(r *record.Record) { r.Requirements.Gates = r.Requirements.Gates[:2] },
			want: secure + ", " + scales,
		},
		"the security gate is missing": {
			edit: func(r *record.Record) { r.Requirements.Gates = r.Requirements.Gates[1:] },
			want: scales + ", " + connected,
		},
		"a gate only advises": {
			edit: func(r *record.Record) { r.Requirements.Gates[1].Enforcement = v1alpha1.EnforcementAdvisory },
			want: secure + ", " + scales + ", " + connected,
		},
		"no gates at all": {edit: func(r *record.Record) { r.Requirements.Gates = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			edit, when := test.edit, test.now
			if edit == nil {
				edit = func(*record.Record) {}
			}
			if when.IsZero() {
				when = now
			}
			rec := hardened(t, edit)
			var reports []record.Report
			if rec.Subject.Demand != nil && rec.Requirements.Gate(v1alpha1.GateScalability) != nil && len(rec.Subject.Demand.Body) < 1000 {
				reports = evidenceOf(t, rec, at)
			}
			if test.reports != nil {
				reports = test.reports(rec, reports)
			}
			got := bench.Gates(rec, reports, when)
			if diff := cmp.Diff(test.want, verdicts(got)); diff != "" {
				t.Errorf("%s\n%+v", diff, got)
			}
			if Passed(rec, got) != test.passed {
				t.Errorf("passed: %v", !test.passed)
			}
			if Passed(rec, nil) {
				t.Error("passed, with no verdict on any gate")
			}
			// What does not depend on the time must not change with it: every change is a write.
			if diff := cmp.Diff(got, bench.Gates(rec, reports, when.Add(time.Second))); diff != "" {
				t.Error("a second later: " + diff)
			}
		})
	}
}

// reportIn opens a kept report without looking at what it is about.
func reportIn(t *testing.T, kept record.Report) evidence.Report {
	t.Helper()
	opened, err := evidence.OpenRecord(kept.Body, kept.Digest(), evidence.Expect{Nonce: kept.Nonce, Subject: kept.Inputs})
	if err != nil {
		t.Fatal(err)
	}
	return *opened.Report
}

// A finding names a variable by its name: its place in the record is not its place in the manifest.
func TestFindingNamesTheVariable(t *testing.T) {
	rec := hardened(t, func(r *record.Record) {
		r.Subject.Container.Env = []subject.Env{{Name: "LANGUAGE", Value: "fr"}, {Name: "ZZ_PASSWORD", Value: "hunter2"}}
	})
	gates := bench.Gates(rec, nil, opened)
	if len(gates[0].Findings) != 1 || gates[0].Findings[0].Field != "spec.workload.container.env[name=ZZ_PASSWORD]" {
		t.Errorf("%+v", gates[0].Findings)
	}
}

// Two gates of a type are measured apart, each judged by its own report.
func TestTwoScalabilityGates(t *testing.T) {
	rec := hardened(t, func(r *record.Record) {
		r.Requirements.Gates = append(r.Requirements.Gates, v1alpha1.Gate{
			Name: "peak", Type: v1alpha1.GateScalability, Enforcement: v1alpha1.EnforcementAdvisory,
			Scalability: &v1alpha1.ScalabilityGate{Headroom: "5", Duration: metav1.Duration{Duration: 20 * time.Second}},
		})
	})
	at := opened.Add(time.Minute)
	slowAtPeak := loadFor(t, rec, "peak", at, 1, func(r *evidence.LoadReport) { r.Steps[0].WithinTarget = 0 })
	gates := bench.Gates(rec, []record.Report{loadOf(t, rec, at, 1), slowAtPeak}, at.Add(time.Minute))
	if got := verdicts([]v1alpha1.GateStatus{gates[1], gates[3]}); got != scales+", Failed TooSlow" {
		t.Error(got)
	}
}

// What gates measured sizes production: enough for each of those that can tell.
func TestSize(t *testing.T) {
	rec := hardened(t, func(r *record.Record) {
		r.Requirements.Production.Replicas = v1alpha1.ReplicaRange{Min: 1, Max: 20}
		r.Requirements.Gates = append(r.Requirements.Gates, v1alpha1.Gate{
			Name: "peak", Type: v1alpha1.GateScalability, Enforcement: v1alpha1.EnforcementAdvisory,
			Scalability: &v1alpha1.ScalabilityGate{Headroom: "5", Duration: metav1.Duration{Duration: 20 * time.Second}},
		})
	})
	at := opened.Add(time.Minute)
	late := func(r *evidence.LoadReport) { r.Steps[0].WithinTarget = 0 }
	good, slow, peak := loadOf(t, rec, at, 1), loadOf(t, rec, at, 1, late), loadFor(t, rec, "peak", at, 1)
	for name, c := range map[string]struct {
		reports []record.Report
		want    gate.Size
	}{
		"nothing was measured": {nil, gate.Size{}},
		"the demand":           {[]record.Report{good}, gate.Size{Min: 1, Max: 2}},
		"not as promised":      {[]record.Report{slow}, gate.Size{}},
		"only at its peak":     {[]record.Report{slow, peak}, gate.Size{Min: 1, Max: 2}},
		"both":                 {[]record.Report{good, peak}, gate.Size{Min: 1, Max: 2}},
	} {
		if got := bench.Size(rec, c.reports, at.Add(time.Minute)); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// The orders are what a runner takes, for every way in which the catalogue can ask.
func TestOrders(t *testing.T) {
	ca, secret := &v1alpha1.LocalName{Name: "ca"}, &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "s"}}
	rec := hardened(t, func(r *record.Record) {
		entry := func(name, address string, check v1alpha1.IntegrationCheck) v1alpha1.Integration {
			return v1alpha1.Integration{Name: name, Check: check, Production: &v1alpha1.Endpoint{Address: address, CA: ca, Credentials: secret}}
		}
		r.Requirements.Integrations = []v1alpha1.Integration{
			entry("tcp", "tcp://db.db.svc:5432", v1alpha1.IntegrationCheck{TCP: &v1alpha1.TCPCheck{}}),
			entry("tls", "tls://mq.mq.svc:5671", v1alpha1.IntegrationCheck{TLS: &v1alpha1.TLSCheck{}}),
			entry("http", "http://crm.crm.svc:80", v1alpha1.IntegrationCheck{HTTP: &v1alpha1.HTTPCheck{}}),
			entry("https", "https://lms.lms.svc:443", v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Path: "/health", ExpectStatus: 204}}),
			{Name: "homeless"},
		}
	})
	spec := integrationSpec(t, rec, 1)
	if _, err := evidence.EncodeRun(evidence.RunSpec{Nonce: nonce, Subject: rec.ReviewDigest, Order: spec}); err != nil {
		t.Error(err)
	}
	if len(spec.Checks) != 4 || spec.Checks[0].Credential != nil || spec.Checks[2].Path != "/" || spec.Checks[3].ExpectStatus != 204 ||
		spec.Checks[3].Credential.File != "/var/run/affineur/integrations/https/token" || spec.Checks[3].CAFile != "/var/run/affineur/integrations/https/ca.crt" {
		t.Errorf("%+v", spec.Checks)
	}
	for patience := gate.Patience(1); patience <= gate.MostPatient; patience++ {
		control := controlSpec(t, rec, patience)
		if _, err := evidence.EncodeRun(evidence.RunSpec{Nonce: nonce, Subject: rec.ReviewDigest, Order: control}); err != nil {
			t.Error(err)
		}
		if run := integrationSpec(t, rec, patience); control.Window <= run.Deadline {
			t.Errorf("the control ends after %s, the run may take %s", control.Window, run.Deadline)
		}
	}
	load := planned(t, rec, "scalability", 1).Order.(*evidence.LoadSpec)
	if load.Method != "POST" || load.Headers[0].Value != "application/json" || !strings.HasSuffix(load.URL, ".svc/v1/classify") || load.WarmUp == nil {
		t.Errorf("%+v", load)
	}
}

// A demand so low that it takes long to send enough is measured at a higher rate first, and for longer when that said
// nothing.
func TestPatience(t *testing.T) {
	rec := hardened(t, func(r *record.Record) { r.Subject.Demand.RequestsPerSecond = "0.5" })
	before := 0.0
	for patience := gate.MostPatient; patience >= 1; patience-- {
		spec := planned(t, rec, "scalability", patience).Order.(*evidence.LoadSpec)
		rate, _ := evidence.ParseDecimal(spec.Steps[0].RatePerSecond)
		if rate < before {
			t.Errorf("patience %d: %v requests a second, more patience took %v", patience, rate, before)
		}
		before = rate
	}
	if gate.PatienceOf(0) != 1 || gate.PatienceOf(99) != gate.MostPatient {
		t.Error("attempts that are out of bounds")
	}
}
