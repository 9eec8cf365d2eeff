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

var (
	subject = evidence.Digest([]byte("subject"))
	now     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// step is one that went well; rate times seconds must be whole.
func step(rate string, seconds int) evidence.StepResult {
	s := evidence.StepResult{RatePerSecond: rate, Duration: evidence.Duration(time.Duration(seconds) * time.Second)}
	s.Planned = evidence.Step{RatePerSecond: s.RatePerSecond, Duration: s.Duration}.Arrivals()
	s.Succeeded, s.WithinTarget = s.Planned, s.Planned
	s.Latency = evidence.Latency{Min: 20_000, Mean: 100_000, P50: 90_000, P90: 300_000, P95: 412_000, P99: 700_000, P999: 900_000, Max: 950_000}
	return s
}

// failing takes n answers away and makes them failures of one kind.
func failing(s evidence.StepResult, n int64, kind func(*evidence.LoadFailures) *int64) evidence.StepResult {
	*kind(&s.Failures) += n
	s.Succeeded -= n
	s.WithinTarget = min(s.WithinTarget, s.Succeeded)
	if s.Succeeded == 0 {
		s.Latency = evidence.Latency{}
	}
	return s
}

// slow lets n answers miss the promised time.
func slow(s evidence.StepResult, n int64) evidence.StepResult {
	s.WithinTarget -= n
	s.Latency.P99, s.Latency.P999, s.Latency.Max = 3_000_000, 3_000_000, 3_000_000
	if n*20 > s.Succeeded {
		s.Latency.P95 = 3_000_000
	}
	if s.WithinTarget == 0 {
		s.Latency = evidence.Latency{Min: 3_000_000, Mean: 3_000_000, P50: 3_000_000, P90: 3_000_000, P95: 3_000_000, P99: 3_000_000, P999: 3_000_000, Max: 3_000_000}
	}
	return s
}

// lagging lets n of the slow answers be slow only by the generator's lag.
func lagging(s evidence.StepResult, n int64) evidence.StepResult {
	s.LateByLag = n
	s.Lag = evidence.Latency{Mean: 10_000, P99: 150_000, P999: 150_000, Max: 150_000}
	return s
}

func otherShape(f *evidence.LoadFailures) *int64 { return &f.OtherShape }
func undeclared(f *evidence.LoadFailures) *int64 { return &f.NotAsDeclared }

func timeout(f *evidence.LoadFailures) *int64     { return &f.Timeout }
func serverError(f *evidence.LoadFailures) *int64 { return &f.ServerError }

func loadRun(steps ...evidence.StepResult) gate.Measurement {
	r := &evidence.LoadReport{Within: evidence.Duration(2 * time.Second), Alone: 10, Steps: steps}
	for _, s := range steps {
		r.GeneratorLimited = r.GeneratorLimited || s.GeneratorLimited
		r.CutShort = r.CutShort || s.Unfinished > 0
	}
	return gate.Measurement{Report: &evidence.Report{Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: subject,
		StartedAt: now.Add(-2 * time.Minute), FinishedAt: now.Add(-time.Minute), Result: r}}
}

func judged(run gate.Measurement) scalability.Evidence {
	return scalability.Evidence{
		Frame: gate.Frame{Subject: subject, Now: now, MaxAge: time.Hour}, Run: run,
		Demand: scalability.Demand{Rate: 20, LatencyP95: 2 * time.Second, ErrorRatio: 0.01}, Headroom: 1.5,
	}
}

func TestJudge(t *testing.T) {
	limited, cut := step("30", 20), step("30", 20)
	limited.GeneratorLimited, limited.LimitedBy = true, evidence.LimitLate
	cut.Succeeded, cut.WithinTarget, cut.Unfinished = 300, 300, 300
	quietlyLate := step("30", 20)
	quietlyLate.Lag = evidence.Latency{Mean: 10_000, P99: 300_000, P999: 300_000, Max: 300_000}
	noDNS := step("30", 20)
	noDNS.Succeeded, noDNS.WithinTarget, noDNS.Skipped, noDNS.Latency = 0, 0, 600, evidence.Latency{}
	noDNS.GeneratorLimited, noDNS.LimitedBy = true, evidence.LimitAddress
	for name, c := range map[string]struct {
		step    evidence.StepResult
		state   gate.State
		reason  string
		message string
	}{
		"good":            {step("30", 20), gate.Passed, v1alpha1.ReasonSustainsDemand, "30 req/s for 20 s: p95 412 ms of 2 s, 0 of 600 failed"},
		"more than asked": {step("60", 20), gate.Passed, v1alpha1.ReasonSustainsDemand, "60 req/s for 20 s: p95 412 ms of 2 s, 0 of 1200 failed"},
		"a few failures":  {failing(step("30", 20), 1, timeout), gate.Passed, v1alpha1.ReasonSustainsDemand, "1 of 600 failed"},
		"a few slow":      {slow(step("30", 20), 15), gate.Passed, v1alpha1.ReasonSustainsDemand, ""},
		"close, errors":   {failing(step("30", 20), 5, timeout), gate.Inconclusive, v1alpha1.ReasonTooFewRequests, "too close to what was promised to be sure: about"},
		"close, latency":  {slow(step("30", 20), 26), gate.Inconclusive, v1alpha1.ReasonTooFewRequests, "too close"},
		"too many errors": {failing(step("30", 20), 9, serverError), gate.Failed, v1alpha1.ReasonTooManyErrors, "9 of 600 failed"},
		"too slow":        {slow(step("30", 20), 60), gate.Failed, v1alpha1.ReasonTooSlow, "p95 3 s of 2 s"},
		"turned away":     {failing(step("30", 20), 538, otherShape), gate.Failed, v1alpha1.ReasonTooManyErrors, "538 of 600 failed"},
		"answers nothing": {failing(step("30", 20), 600, undeclared), gate.Failed, v1alpha1.ReasonTooManyErrors, "no answer, 600 of 600 failed"},
		"slow by lag": {lagging(slow(step("30", 20), 60), 40), gate.Inconclusive, v1alpha1.ReasonGeneratorLimited,
			"late only because the load generator was (1 of 100 requests by more than 150 ms)"},
		"slow by lag, few":        {lagging(slow(step("30", 1), 20), 20), gate.Inconclusive, v1alpha1.ReasonGeneratorLimited, ""},
		"slow by itself and lag":  {lagging(slow(step("30", 20), 60), 29), gate.Failed, v1alpha1.ReasonTooSlow, ""},
		"slow by lag, not too":    {lagging(slow(step("30", 20), 15), 15), gate.Passed, v1alpha1.ReasonSustainsDemand, ""},
		"slow by lag, close":      {lagging(slow(step("30", 20), 26), 26), gate.Inconclusive, v1alpha1.ReasonTooFewRequests, ""},
		"slow by lag, and errors": {lagging(slow(failing(step("30", 20), 60, timeout), 60), 60), gate.Failed, v1alpha1.ReasonTooManyErrors, ""},
		"slow by lag, far above":  {lagging(slow(step("60", 20), 120), 100), gate.Inconclusive, v1alpha1.ReasonGeneratorLimited, ""},
		"everything fails":        {failing(step("30", 20), 600, serverError), gate.Failed, v1alpha1.ReasonTooManyErrors, "no answer, 600 of 600 failed"},
		"everything slow":         {slow(step("30", 20), 600), gate.Failed, v1alpha1.ReasonTooSlow, ""},
		"few, good":               {step("30", 1), gate.Inconclusive, v1alpha1.ReasonTooFewRequests, "too few to be sure: about 268 requests"},
		"few, one bad":            {failing(step("30", 5), 1, timeout), gate.Inconclusive, v1alpha1.ReasonTooFewRequests, ""},
		"few, all bad":            {failing(step("30", 1), 30, timeout), gate.Failed, v1alpha1.ReasonTooManyErrors, ""},
		"few, mostly slow":        {slow(step("30", 1), 20), gate.Failed, v1alpha1.ReasonTooSlow, ""},
		"below the demand":        {step("29", 20), gate.Inconclusive, v1alpha1.ReasonMeasuredBelowDemand, ""},
		"without headroom":        {step("20", 20), gate.Inconclusive, v1alpha1.ReasonMeasuredBelowDemand, ""},
		"fails far above":         {failing(step("60", 20), 100, timeout), gate.Inconclusive, v1alpha1.ReasonMeasuredAboveDemand, "says nothing about the demand"},
		"dead far above":          {failing(step("60", 20), 1200, timeout), gate.Failed, v1alpha1.ReasonTooManyErrors, ""},
		"too slow at all":         {slow(step("60", 20), 1200), gate.Failed, v1alpha1.ReasonTooSlow, ""},
		"generator late":          {limited, gate.Inconclusive, v1alpha1.ReasonGeneratorLimited, "too late itself"},
		"generator was late, and says nothing": {quietlyLate, gate.Inconclusive, v1alpha1.ReasonGeneratorLimited,
			"by more than 300 ms"},
		"generator no name": {noDNS, gate.Inconclusive, v1alpha1.ReasonGeneratorLimited, "could not resolve"},
		"cut short":         {cut, gate.Inconclusive, v1alpha1.ReasonCutShort, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := scalability.Judge(judged(loadRun(c.step)))
			if v.State != c.state || v.Reason != c.reason || !strings.Contains(v.Message, c.message) {
				t.Fatalf("got %+v, want %s %s %q", v, c.state, c.reason, c.message)
			}
			if (len(v.Findings) > 0) != (c.state != gate.Passed) {
				t.Errorf("findings %+v", v.Findings)
			}
			for _, f := range v.Findings {
				if f.Message == "" || f.Hint == "" || f.Owner == "" {
					t.Errorf("a finding that helps nobody: %+v", f)
				}
			}
		})
	}
}

func TestJudgeShowsEveryHole(t *testing.T) {
	v := scalability.Judge(judged(loadRun(slow(failing(failing(step("30", 20), 40, timeout), 20, serverError), 100))))
	if v.State != gate.Failed || len(v.Findings) != 2 {
		t.Fatalf("got %+v", v)
	}
	if want := "60 of 600 requests failed, 1 of 100 may: 40 without an answer in time, 20 with a server error (5xx)"; v.Findings[0].Message != want {
		t.Errorf("got %q, want %q", v.Findings[0].Message, want)
	}
	if want := "95 of 100 answers took up to 3 s; 2 s are promised (440 of 540 kept it)"; v.Findings[1].Message != want {
		t.Errorf("got %q, want %q", v.Findings[1].Message, want)
	}
}

func TestJudgeSaysWhatAnswersLacked(t *testing.T) {
	v := scalability.Judge(judged(loadRun(failing(failing(step("30", 20), 538, otherShape), 2, undeclared))))
	want := "540 of 600 requests failed, 1 of 100 may: 538 with an answer of another shape than without load, 2 with nothing where the answer is to be (in the data of a stream, or where spec.evaluation.call says)"
	if len(v.Findings) != 1 || v.Findings[0].Message != want {
		t.Errorf("got %+v", v.Findings)
	}
}

// With nothing to compare answers with, nobody passes; who fails, fails all the same.
func TestJudgeWithoutAnAnswerAlone(t *testing.T) {
	for want, step := range map[string]evidence.StepResult{
		v1alpha1.ReasonNoAnswerAlone: step("30", 20), v1alpha1.ReasonTooSlow: slow(step("30", 20), 60), v1alpha1.ReasonTooFewRequests: step("30", 1),
	} {
		run := loadRun(step)
		run.Report.Result.(*evidence.LoadReport).Alone = 0
		if v := scalability.Judge(judged(run)); v.State == gate.Passed || v.Reason != want {
			t.Errorf("got %+v, want %s", v, want)
		}
	}
}

func TestJudgeTakesTheStepOfTheDemand(t *testing.T) {
	// The steps above it look for the knee; failing there is no failure.
	limited := step("180", 20)
	limited.GeneratorLimited, limited.LimitedBy = true, evidence.LimitLate
	v := scalability.Judge(judged(loadRun(step("10", 20), step("30", 20), failing(step("90", 20), 900, timeout), limited)))
	if v.State != gate.Passed || !strings.HasPrefix(v.Message, "30 req/s") {
		t.Errorf("got %+v", v)
	}
}

func TestJudgeWithoutErrorsAllowed(t *testing.T) {
	e := judged(loadRun(step("30", 20)))
	e.Demand.ErrorRatio = 0
	if v := scalability.Judge(e); v.State != gate.Passed {
		t.Errorf("none of 600 failed: %+v", v)
	}
	e.Run = loadRun(failing(step("30", 20), 1, timeout))
	if v := scalability.Judge(e); v.State != gate.Failed {
		t.Errorf("one of 600 failed: %+v", v)
	}
	e.Run = loadRun(step("30", 2))
	if v := scalability.Judge(e); v.State != gate.Inconclusive {
		t.Errorf("none of 60 failed: %+v", v)
	}
}

func TestJudgeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*scalability.Evidence)
		state  gate.State
		reason string
	}{
		"nothing":         {func(e *scalability.Evidence) { *e = scalability.Evidence{} }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"no demand":       {func(e *scalability.Evidence) { e.Demand = scalability.Demand{} }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"rate of NaN":     {func(e *scalability.Evidence) { e.Demand.Rate = math.NaN() }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"negative rate":   {func(e *scalability.Evidence) { e.Demand.Rate = -20 }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"endless rate":    {func(e *scalability.Evidence) { e.Demand.Rate = math.Inf(1) }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"negative p95":    {func(e *scalability.Evidence) { e.Demand.LatencyP95 = -1 }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"ratio of NaN":    {func(e *scalability.Evidence) { e.Demand.ErrorRatio = math.NaN() }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"no headroom":     {func(e *scalability.Evidence) { e.Headroom = 0 }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"headroom of NaN": {func(e *scalability.Evidence) { e.Headroom = math.NaN() }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"running":         {func(e *scalability.Evidence) { e.Run = gate.Measurement{} }, gate.Pending, v1alpha1.ReasonNotMeasured},
		"lost":            {func(e *scalability.Evidence) { e.Run = gate.Measurement{Lost: "x"} }, gate.Inconclusive, v1alpha1.ReasonMeasurementLost},
		"other subject":   {func(e *scalability.Evidence) { e.Subject = evidence.Digest(nil) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"other promise":   {func(e *scalability.Evidence) { e.Demand.LatencyP95 = time.Second }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"stale":           {func(e *scalability.Evidence) { e.Now = now.Add(time.Hour) }, gate.Inconclusive, v1alpha1.ReasonEvidenceStale},
		"no steps":        {func(e *scalability.Evidence) { e.Run.Report.Result.(*evidence.LoadReport).Steps = nil }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"sums differ":     {func(e *scalability.Evidence) { e.Run.Report.Result.(*evidence.LoadReport).Steps[0].Succeeded++ }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
	} {
		t.Run(name, func(t *testing.T) {
			e := judged(loadRun(step("30", 20)))
			c.change(&e)
			if v := scalability.Judge(e); v.State != c.state || v.Reason != c.reason {
				t.Errorf("got %+v, want %s %s", v, c.state, c.reason)
			}
		})
	}
}
