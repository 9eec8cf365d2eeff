package scalability_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	isubject "github.com/affineur/affineur/internal/subject"
)

func caseOf(edits ...func(*gate.Case)) gate.Case {
	c := gate.Case{
		Record: record.Record{
			Prototype: names.Identity{Namespace: "education", Name: "outliner", UID: "0f0e0d0c-0b0a-0908-0706-050403020100"}, Ordinal: 1, ReviewDigest: subject,
			Subject: isubject.Subject{Demand: &isubject.Demand{RequestsPerSecond: "20", LatencyP95: "2s", ErrorRatio: "0.01", Method: "GET", Path: "/"}},
			Requirements: policy.Requirements{
				Production: v1alpha1.ProductionPolicy{Replicas: v1alpha1.ReplicaRange{Min: 2, Max: 10}},
			},
		},
		Gate: v1alpha1.Gate{Name: "scalability", Type: v1alpha1.GateScalability,
			Scalability: &v1alpha1.ScalabilityGate{Headroom: "1.5", Duration: metav1.Duration{Duration: 20 * time.Second}, ClimbTo: "4"}},
		Patience: 1, Now: now,
	}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func takenOf(steps []evidence.StepResult, climb ...evidence.StepResult) gate.Taken {
	run := loadRun(steps...)
	report := run.Report.Result.(*evidence.LoadReport)
	if report.Climb = climb; len(climb) > 0 {
		report.ClimbEnd = evidence.ClimbDone
		if last := climb[len(climb)-1]; last.Overloaded(0.01, 0) {
			report.ClimbEnd = evidence.ClimbOverloaded
		}
	}
	return gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: run}}}
}

func TestInstrumentPlansTheClimb(t *testing.T) {
	runs, err := scalability.Instrument{}.Plan(caseOf(), gate.Taken{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("got %+v, %v", runs, err)
	}
	order := evidence.As[evidence.LoadSpec](runs[0].Order)
	// 6 s without load, 5 s of warm-up, 20 s and four times 8 s, each but the warm-up with 8 s for the last answer.
	if order.Climb == nil || order.Climb.Most != 4 || runs[0].Length != 111*time.Second {
		t.Errorf("got %+v for %v", order.Climb, runs[0].Length)
	}
	once := caseOf(func(c *gate.Case) { c.Gate.Scalability.ClimbTo = "1" })
	if runs, err = (scalability.Instrument{}).Plan(once, gate.Taken{}); err != nil || evidence.As[evidence.LoadSpec](runs[0].Order).Climb != nil {
		t.Errorf("a factor of 1 climbs: %+v, %v", runs, err)
	}
	for _, factor := range []string{"0.5x", "NaN", "65", "1e3"} {
		bad := caseOf(func(c *gate.Case) { c.Gate.Scalability.ClimbTo = factor })
		if runs, err := (scalability.Instrument{}).Plan(bad, gate.Taken{}); err == nil {
			t.Errorf("climbs to %s: %+v", factor, runs)
		}
		if v := (scalability.Instrument{}).Judge(bad, takenOf([]evidence.StepResult{lasting("30", 100*ms)})); v.State == gate.Passed {
			t.Errorf("%s: %+v", factor, v)
		}
	}
}

// A curve that explains little of what was seen is not told.
func TestInstrumentTellsNoCurveThatDoesNotFit(t *testing.T) {
	const law = "The Universal Scalability Law over 5 levels"
	smooth := []evidence.StepResult{lasting("42.42", 104*ms), lasting("60", 118*ms), lasting("84.8", 150*ms), lasting("120", 300*ms)}
	scattered := []evidence.StepResult{lasting("42.42", 200*ms), lasting("60", 60*ms), lasting("84.8", 400*ms), lasting("120", 100*ms)}
	for name, c := range map[string]struct {
		climb []evidence.StepResult
		told  bool
	}{"smooth": {smooth, true}, "scattered": {scattered, false}} {
		got := scalability.Instrument{}.Summarize(caseOf(), takenOf([]evidence.StepResult{lasting("30", 100*ms)}, c.climb...))
		if strings.Contains(got.Markdown, law) != c.told {
			t.Errorf("%s: %s", name, got.Markdown)
		}
	}
}

func TestInstrumentSummarizes(t *testing.T) {
	taken := takenOf([]evidence.StepResult{lasting("30", 100*ms)}, lasting("42.42", 104*ms), lasting("60", 118*ms), lasting("84.8", 150*ms), behind(lasting("120", 900*ms)))
	got := scalability.Instrument{}.Summarize(caseOf(), taken)
	for _, want := range []string{
		"| 30 req/s | 20 s | 600 | 0 | 600 |", "| judged |", "| climb, overloaded |", "knee at 84.8 req/s, overloaded at 120",
		"For production: 1 replica for the demand with headroom; the autoscaler from 2 to 3", "With a headroom of 1.5 that is 30 requests a second.",
		"All requests were the same sample, at equal distances",
	} {
		if !strings.Contains(got.Markdown, want) {
			t.Errorf("%q is not in\n%s", want, got.Markdown)
		}
	}
	wantSafe(t, got.Files["plot.svg"])
	for name, c := range map[string]struct {
		of    gate.Case
		taken gate.Taken
	}{
		"nothing taken": {caseOf(), gate.Taken{}},
		"lost":          {caseOf(), gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Lost: "x"}}}}},
		"no demand":     {caseOf(func(c *gate.Case) { c.Record.Subject.Demand = nil }), taken},
		"other kind": {caseOf(), gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{
			Report: &evidence.Report{Result: &evidence.IntegrationReport{}}}}}}},
	} {
		if got := (scalability.Instrument{}).Summarize(c.of, c.taken); got.Markdown != "" || got.Files != nil {
			t.Errorf("%s: got %+v", name, got)
		}
		if size, told := (scalability.Instrument{}).Size(c.of, c.taken); told {
			t.Errorf("%s: a size of %+v", name, size)
		}
	}
}

// Only a gate that passed sizes production, and only its climb tells that fewer replicas do.
func TestInstrumentSizes(t *testing.T) {
	good := []evidence.StepResult{lasting("30", 100*ms)}
	for name, c := range map[string]struct {
		of    gate.Case
		taken gate.Taken
		want  gate.Size
		told  bool
	}{
		"one carries it":   {caseOf(), takenOf(good, lasting("60", 100*ms)), gate.Size{Min: 2, Max: 3}, true},
		"its knee is low":  {caseOf(), takenOf(good, lasting("42", 100*ms), behind(lasting("60", 900*ms))), gate.Size{Min: 2, Max: 3}, true},
		"failed":           {caseOf(), takenOf([]evidence.StepResult{slow(lasting("30", 100*ms), 300)}), gate.Size{}, false},
		"another measured": {caseOf(func(c *gate.Case) { c.Record.ReviewDigest = evidence.Digest(nil) }), takenOf(good), gate.Size{}, false},
		"stale":            {caseOf(func(c *gate.Case) { c.Now = now.Add(1000 * time.Hour) }), takenOf(good), gate.Size{}, false},
		"policy of one":    {caseOf(func(c *gate.Case) { c.Record.Requirements.Production.Replicas = v1alpha1.ReplicaRange{Min: 1, Max: 1} }), takenOf(good), gate.Size{Min: 1, Max: 1}, true},
		"no bounds":        {caseOf(func(c *gate.Case) { c.Record.Requirements.Production.Replicas = v1alpha1.ReplicaRange{} }), takenOf(good), gate.Size{}, false},
	} {
		if got, told := (scalability.Instrument{}).Size(c.of, c.taken); got != c.want || told != c.told {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, told, c.want)
		}
	}
}
