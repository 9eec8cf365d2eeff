package scalability_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/scalability"
)

// lasting is a good step with a mean time to the answer.
func lasting(rate string, mean time.Duration) evidence.StepResult {
	s := step(rate, 20)
	m := evidence.MicrosOf(mean)
	s.Latency = evidence.Latency{Min: m / 2, Mean: m, P50: m, P90: m, P95: m, P99: 2 * m, P999: 2 * m, Max: 2 * m}
	s.SecondHalf = evidence.Flow{Arrived: s.Planned / 2, Answered: s.Planned / 2}
	return s
}

// behind is a step whose answers do not keep up.
func behind(s evidence.StepResult) evidence.StepResult {
	s.SecondHalf.Answered = s.SecondHalf.Arrived * 6 / 10
	return s
}

func unable(s evidence.StepResult) evidence.StepResult {
	s.GeneratorLimited, s.LimitedBy = true, evidence.LimitProcessor
	return s
}

func climbed(end evidence.ClimbEnd, judged evidence.StepResult, climb ...evidence.StepResult) *evidence.LoadReport {
	return &evidence.LoadReport{Within: evidence.Duration(2 * time.Second), Steps: []evidence.StepResult{judged}, Climb: climb, ClimbEnd: end}
}

var demanded = scalability.Demand{Rate: 20, LatencyP95: 2 * time.Second, ErrorRatio: 0.01}

const ms = time.Millisecond

func TestCapacityOf(t *testing.T) {
	for name, c := range map[string]struct {
		report       *evidence.LoadReport
		usable, knee float64
		seen         bool
		says         string
	}{
		"overloads":                {climbed("Overloaded", lasting("30", 100*ms), lasting("45", 100*ms), lasting("60", 110*ms), behind(lasting("90", 900*ms))), 60, 60, true, "knee at 60 req/s, overloaded at 90"},
		"waits more and more":      {climbed("Overloaded", lasting("30", 100*ms), lasting("45", 120*ms), lasting("60", 400*ms), slow(lasting("90", 1900*ms), 900)), 60, 45, true, "knee at 45 req/s, promises kept up to 60, not at 90"},
		"its top":                  {climbed("Done", lasting("30", 100*ms), lasting("45", 100*ms)), 45, 45, false, "no knee up to 45 req/s"},
		"waits, to its top":        {climbed("Done", lasting("30", 100*ms), lasting("45", 400*ms)), 45, 30, true, "knee at 30 req/s, promises kept up to 45"},
		"the generator's end":      {climbed("GeneratorLimited", lasting("30", 100*ms), lasting("45", 100*ms), unable(lasting("60", 100*ms))), 45, 45, false, "no knee up to 45 req/s"},
		"overloaded at once":       {climbed("Overloaded", behind(lasting("30", 100*ms))), 0, 0, true, ""},
		"better again, not so":     {climbed("Done", lasting("30", 100*ms), behind(lasting("45", 100*ms)), lasting("60", 100*ms)), 30, 30, true, "knee at 30 req/s, overloaded at 45"},
		"faster than a clock says": {climbed("Done", lasting("30", 0)), 30, 30, false, "no knee up to 30 req/s"},
		"nothing":                  {&evidence.LoadReport{}, 0, 0, false, ""},
	} {
		got := scalability.CapacityOf(c.report, demanded, 1)
		if got.Usable != c.usable || got.Knee != c.knee || got.KneeSeen != c.seen || got.Describe() != c.says {
			t.Errorf("%s: got %+v %q", name, got, got.Describe())
		}
	}
}

func TestJudgeSaysWhereTheKneeIs(t *testing.T) {
	run := loadRun(lasting("30", 100*ms))
	report := run.Report.Result.(*evidence.LoadReport)
	report.Climb, report.ClimbEnd = []evidence.StepResult{lasting("45", 100*ms), behind(lasting("60", 900*ms))}, evidence.ClimbOverloaded
	if v := scalability.Judge(judged(run)); v.State != gate.Passed || !strings.HasSuffix(v.Message, "0 of 600 failed; knee at 45 req/s, overloaded at 60") {
		t.Errorf("got %+v", v)
	}
}

func TestJudgeFirstBytes(t *testing.T) {
	first := func(kept int64) gate.Measurement {
		s := step("30", 20)
		s.FirstWithinTarget, s.FirstByte = kept, evidence.Latency{Min: 10_000, Mean: 20_000, P50: 20_000, P90: 30_000, P95: 40_000, P99: 50_000, P999: 50_000, Max: 60_000}
		run := loadRun(s)
		run.Report.Result.(*evidence.LoadReport).FirstWithin = evidence.Duration(time.Second)
		return run
	}
	promised := func(run gate.Measurement) scalability.Evidence {
		e := judged(run)
		e.Demand.FirstWithin = time.Second
		return e
	}
	for name, c := range map[string]struct {
		evidence scalability.Evidence
		state    gate.State
		reason   string
		message  string
	}{
		"kept":  {promised(first(600)), gate.Passed, v1alpha1.ReasonSustainsDemand, "first byte 40 ms of 1 s"},
		"close": {promised(first(574)), gate.Inconclusive, v1alpha1.ReasonTooFewRequests, "too close"},
		// Fewer than enough would be shown by their lower bound; these are enough, and more are late than may be.
		"broken, just": {promised(first(565)), gate.Failed, v1alpha1.ReasonTooSlow, "first byte 40 ms of 1 s"},
		"broken by lag": {promised(func() gate.Measurement {
			run := first(565)
			run.Report.Result.(*evidence.LoadReport).Steps[0].FirstLateByLag = 10
			return run
		}()), gate.Inconclusive, v1alpha1.ReasonGeneratorLimited, ""},
		"broken by itself and lag": {promised(func() gate.Measurement {
			run := first(565)
			run.Report.Result.(*evidence.LoadReport).Steps[0].FirstLateByLag = 4
			return run
		}()), gate.Failed, v1alpha1.ReasonTooSlow, ""},
		"broken":                     {promised(first(500)), gate.Failed, v1alpha1.ReasonTooSlow, ""},
		"never":                      {promised(first(0)), gate.Failed, v1alpha1.ReasonTooSlow, ""},
		"not counted":                {promised(loadRun(step("30", 20))), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, ""},
		"counted against another":    {judged(first(600)), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, ""},
		"promised after the last":    {func() scalability.Evidence { e := promised(first(600)); e.Demand.FirstWithin = time.Minute; return e }(), gate.Inconclusive, v1alpha1.ReasonRequirementInvalid, ""},
		"promised before the demand": {func() scalability.Evidence { e := promised(first(600)); e.Demand.FirstWithin = -1; return e }(), gate.Inconclusive, v1alpha1.ReasonRequirementInvalid, ""},
	} {
		if v := scalability.Judge(c.evidence); v.State != c.state || v.Reason != c.reason || !strings.Contains(v.Message, c.message) {
			t.Errorf("%s: got %+v", name, v)
		}
	}
}

func TestClimbIsPlanned(t *testing.T) {
	for name, c := range map[string]struct {
		demand  scalability.Demand
		upTo    float64
		steps   int
		top     float64
		lasts   time.Duration
		climbed bool
	}{
		"four times":         {demanded, 4, 4, 120, 8 * time.Second, true},
		"once":               {demanded, 1, 0, 0, 0, false},
		"not asked for":      {demanded, 0, 0, 0, 0, false},
		"as far as can be":   {demanded, 64, 12, 1920, 8 * time.Second, true},
		"three times":        {demanded, 3, 4, 90, 8 * time.Second, true},
		"slow promises":      {scalability.Demand{Rate: 20, LatencyP95: 10 * time.Second, ErrorRatio: 0.01}, 4, 4, 120, 40 * time.Second, true},
		"too slow to see":    {scalability.Demand{Rate: 20, LatencyP95: 20 * time.Second, ErrorRatio: 0.01}, 4, 0, 0, 0, false},
		"quick, still a few": {scalability.Demand{Rate: 20, LatencyP95: 100 * ms, ErrorRatio: 0.01}, 4, 4, 120, 5 * time.Second, true},
	} {
		settings, err := scalability.NewSettings("1.5", 20*time.Second, 0)
		if err != nil {
			t.Fatal(err)
		}
		settings.Climb.UpTo = c.upTo
		spec, err := scalability.Plan(c.demand, settings, evidence.LoadSpec{URL: "http://subject.sandbox.svc:8080/", Method: "GET"})
		if err != nil {
			t.Fatal(err)
		}
		if (spec.Climb != nil) != c.climbed {
			t.Fatalf("%s: got %+v", name, spec.Climb)
		}
		if spec.Climb == nil {
			continue
		}
		steps := spec.Climb.Steps(spec.Steps)
		top, err := evidence.ParseDecimal(steps[len(steps)-1].RatePerSecond)
		if err != nil || len(steps) != c.steps || math.Abs(top/c.top-1) > 0.01 || spec.Climb.Duration.Std() != c.lasts {
			t.Errorf("%s: got %d steps of %v up to %v, want %d of %v up to %v", name, len(steps), spec.Climb.Duration, top, c.steps, c.lasts, c.top)
		}
		if _, err := evidence.EncodeRun(evidence.RunSpec{Nonce: "0123456789abcdef", Subject: evidence.Digest(nil), Order: &spec}); err != nil {
			t.Errorf("%s: the runner would refuse it: %v", name, err)
		}
	}
	settings := scalability.Settings{Headroom: 1, Duration: time.Minute, Climb: scalability.Climbing{UpTo: math.NaN()}}
	if _, err := scalability.Plan(demanded, settings, evidence.LoadSpec{}); err == nil {
		t.Error("a climb up to NaN is planned")
	}
}
