package own

import (
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

var reviewDigest = evidence.Digest([]byte("review"))

func caseOf(g v1alpha1.Gate) gate.Case {
	return gate.Case{
		Record: record.Record{
			Prototype:    names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "4f1c"},
			Subject:      subject.Subject{Container: subject.Container{Image: advisor.Image}},
			ReviewDigest: reviewDigest, OpenedAt: now.Add(-time.Hour),
		},
		Gate: g, Patience: 1, Now: now,
	}
}

var (
	resourceCase = caseOf(v1alpha1.Gate{Name: "scanned", Type: v1alpha1.GateResource, Resource: &v1alpha1.ResourceGate{
		APIVersion: "scan.example.org/v1", Kind: "ScanReport", Namespace: "scanners", Name: "all", MadeAt: "object.at",
		MaxAge: metav1.Duration{Duration: 2 * time.Hour}, Criteria: criteria,
	}})
	metricCase = caseOf(v1alpha1.Gate{Name: "quiet", Type: v1alpha1.GateMetric, Metric: &v1alpha1.MetricGate{
		Query: `sum(rate(errors{namespace="$sandbox"}[$window]))`, Window: metav1.Duration{Duration: 10 * time.Minute}, Series: v1alpha1.SeriesOne, Criteria: criteria,
	}})
	jobCase = caseOf(v1alpha1.Gate{Name: "house-style", Type: v1alpha1.GateJob, Job: &v1alpha1.JobGate{
		Image: advisor.Image, Network: v1alpha1.JobSandbox, Length: metav1.Duration{Duration: time.Minute},
	}})
)

// passing are results that would let each gate pass.
func passing() (*evidence.ResourceResult, *evidence.MetricResult, *evidence.JobResult) {
	made := now.Add(-time.Hour)
	order, _ := metricOf(metricCase)
	yes := said(evidence.AnswerHolds, evidence.AnswerDoesNot)
	return &evidence.ResourceResult{Found: evidence.FoundObject, UID: "a", MadeAt: &made, Answers: yes},
		&evidence.MetricResult{Outcome: evidence.MetricAnswered, Start: order.Start, End: order.End, Series: 1, Lowest: "0", Highest: "0", Answers: yes},
		&evidence.JobResult{Verdict: evidence.JobPassed, Summary: "fine"}
}

func taken(result evidence.Result, edits ...func(*evidence.Report)) gate.Taken {
	r := &evidence.Report{
		Schema: evidence.ReportSchema, Nonce: strings.Repeat("a", 32), Subject: reviewDigest,
		StartedAt: now.Add(-time.Minute), FinishedAt: now.Add(-time.Minute), Result: result,
	}
	for _, edit := range edits {
		edit(r)
	}
	return gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Report: r}}}}
}

// TestEachSpeaksForItself: what would let one gate pass says nothing to another.
func TestEachSpeaksForItself(t *testing.T) {
	resource, metric, job := passing()
	results := map[string]evidence.Result{"resource": resource, "metric": metric, "job": job}
	for name, g := range map[string]struct {
		instrument gate.Instrument
		of         gate.Case
	}{"resource": {Resource{}, resourceCase}, "metric": {Metric{}, metricCase}, "job": {Job{}, jobCase}} {
		for of, result := range results {
			got := g.instrument.Judge(g.of, taken(result))
			if want := map[bool]gate.State{true: gate.Passed, false: gate.Inconclusive}[of == name]; got.State != want {
				t.Errorf("%s, told about a %s: %s %s", name, of, got.State, got.Message)
			}
		}
		for what, refused := range map[string]gate.Taken{
			"nothing yet":     {},
			"lost":            {Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Lost: "killed"}}}},
			"another subject": taken(results[name], func(r *evidence.Report) { r.Subject = evidence.Digest([]byte("other")) }),
			"long ago":        taken(results[name], func(r *evidence.Report) { r.StartedAt = now.Add(-31 * 24 * time.Hour); r.FinishedAt = r.StartedAt }),
			"the future":      taken(results[name], func(r *evidence.Report) { r.FinishedAt = now.Add(time.Minute) }),
			"another part":    {Runs: map[string]gate.Witnessed{"other": taken(results[name]).Runs[""]}},
		} {
			if got := g.instrument.Judge(g.of, refused); got.State == gate.Passed || got.State == gate.Failed {
				t.Errorf("%s, %s: %s", name, what, got.State)
			}
		}
		empty := g.of
		empty.Gate = v1alpha1.Gate{Name: name, Type: g.instrument.Type()}
		if got := g.instrument.Judge(empty, taken(results[name])); got.State != gate.Inconclusive {
			t.Errorf("%s without settings: %s", name, got.State)
		}
		if _, err := g.instrument.Plan(empty, gate.Taken{}); err == nil {
			t.Errorf("%s without settings is planned", name)
		}
		if summary := g.instrument.Summarize(g.of, taken(results[name])); summary.Markdown == "" {
			t.Errorf("%s is not told", name)
		}
	}
}

// TestAWindowIsFrozen: neither time nor another attempt shifts it, and it is asked for when it has passed.
func TestAWindowIsFrozen(t *testing.T) {
	first, err := Metric{}.Plan(metricCase, gate.Taken{})
	if err != nil {
		t.Fatal(err)
	}
	later := metricCase
	later.Now, later.Patience = now.Add(5*time.Hour), 3
	again, err := Metric{}.Plan(later, taken(&evidence.MetricResult{}))
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("%+v, then %+v, %v", first, again, err)
	}
	order := first[0].Order.(evidence.MetricOrder)
	if order.Start.Before(metricCase.Record.OpenedAt) || !first[0].NotBefore.After(order.End) {
		t.Errorf("from %s to %s, asked at %s", order.Start, order.End, first[0].NotBefore)
	}
	unopened := metricCase
	unopened.Record.OpenedAt = time.Time{}
	_, metric, _ := passing()
	if got := (Metric{}).Judge(unopened, taken(metric)); got.State != gate.Pending {
		t.Errorf("without a review: %s", got.State)
	}
}

// TestWhereAJobRuns: a closed one has no network and no address.
func TestWhereAJobRuns(t *testing.T) {
	closed := jobCase
	settings := *jobCase.Gate.Job
	settings.Network = v1alpha1.JobClosed
	closed.Gate.Job = &settings
	for _, tc := range []struct {
		of   gate.Case
		site gate.Site
		told bool
	}{{jobCase, gate.SiteSandbox, true}, {closed, gate.SiteClosed, false}} {
		runs, err := Job{}.Plan(tc.of, gate.Taken{})
		if err != nil || len(runs) != 1 || runs[0].Site != tc.site || runs[0].Image != advisor.Image || (runs[0].Order.(evidence.JobOrder).URL != "") != tc.told {
			t.Errorf("%+v, %v", runs, err)
		}
	}
}

// TestAnObjectGrowsOld: an object that passed does not go on passing when it is too old.
func TestAnObjectGrowsOld(t *testing.T) {
	resource, _, _ := passing()
	later := resourceCase
	later.Now = now.Add(90 * time.Minute)
	if got := (Resource{}).Judge(later, taken(resource)); got.State != gate.Inconclusive || got.Reason != v1alpha1.ReasonResourceOld {
		t.Errorf("got %s %s", got.State, got.Reason)
	}
}
