package scalability_test

import (
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/scalability"
)

// reading so long after the run began, over 15 seconds.
func reading(after time.Duration, cpu, mebi int64) evidence.UsageSample {
	return evidence.UsageSample{At: now.Add(-2 * time.Minute).Add(after), Window: evidence.Duration(15 * time.Second), CPU: cpu, Memory: mebi << 20}
}

// using is what was taken with what the pods used beside it.
func using(samples ...evidence.UsageSample) gate.Taken {
	taken := takenOf([]evidence.StepResult{lasting("30", 100*ms)})
	if len(samples) > 0 {
		report := *taken.Runs[""].Report
		report.Result = &evidence.UsageReport{Samples: samples}
		taken.Runs["use"] = gate.Witnessed{Measurement: gate.Measurement{Report: &report}}
	}
	return taken
}

func limited(c *gate.Case) {
	c.Record.Subject.Container.CPU, c.Record.Subject.Container.Memory = "100m", "64Mi"
}

// What was used is told where it was read, by the demand and not by the overload after it; it decides nothing.
func TestUsageIsTold(t *testing.T) {
	stranger := using(reading(20*time.Second, 99, 63))
	stranger.Runs["use"].Report.Subject = "sha256:" + strings.Repeat("9", 64)
	foreign := using()
	foreign.Runs["use"] = foreign.Runs[""]
	for name, c := range map[string]struct {
		taken   gate.Taken
		says    string
		remarks string
	}{
		"nothing was read":        {using(), "was not measured", ""},
		"of another subject":      {stranger, "was not measured", ""},
		"of another kind":         {foreign, "was not measured", ""},
		"before the run":          {using(reading(5*time.Second, 99, 63)), "was not measured", ""},
		"after the run":           {using(reading(70*time.Second, 99, 63)), "was not measured", ""},
		"under the demand":        {using(reading(20*time.Second, 31, 20), reading(25*time.Second, 40, 18)), "up to 40m of 100m of CPU and 20Mi of 64Mi of memory under the demand with headroom, by 2 readings", ""},
		"the climb does not tell": {using(reading(20*time.Second, 40, 20), reading(50*time.Second, 100, 60)), "up to 40m of 100m of CPU and 20Mi of 64Mi", ""},
		"but where it is all":     {using(reading(50*time.Second, 100, 60)), "in the whole run, its climb included", ""},
		"requests":                {using(reading(20*time.Second, 40, 20)), "Requests of 50m and 32Mi would do", ""},
		"never above the limits":  {using(reading(20*time.Second, 89, 57)), "Requests of 100m and 64Mi would do", ""},
		"near its CPU limit":      {using(reading(20*time.Second, 90, 20)), "90m of 100m", "cpu"},
		"near both limits":        {using(reading(20*time.Second, 95, 60)), "95m of 100m", "cpu memory"},
	} {
		v := scalability.Instrument{}.Judge(caseOf(limited), c.taken)
		var remarks []string
		for _, f := range v.Findings {
			if f.Reason == v1alpha1.ReasonNearLimit {
				remarks = append(remarks, strings.TrimPrefix(f.Field, "spec.workload.container.resources."))
			}
		}
		if v.State != gate.Passed || strings.Join(remarks, " ") != c.remarks || len(remarks) != len(v.Findings) {
			t.Errorf("%s: %+v", name, v)
		}
		if got := (scalability.Instrument{}).Summarize(caseOf(limited), c.taken).Markdown; !strings.Contains(got, c.says) {
			t.Errorf("%s: %q is not in\n%s", name, c.says, got)
		}
	}
}

// What production requests is the largest that a level needs which keeps the promises; the summary says whether it is used.
func TestUsageSizes(t *testing.T) {
	asks := func(c *gate.Case) { c.Record.Requirements.Production.Requests = v1alpha1.RequestsMeasured }
	two := using(reading(20*time.Second, 40, 20))
	two.Runs["x2"], two.Runs["usex2"] = two.Runs[""], using(reading(20*time.Second, 56, 12)).Runs["use"]
	bad := using(reading(20*time.Second, 40, 20))
	bad.Runs["x2"], bad.Runs["usex2"] = takenOf([]evidence.StepResult{slow(lasting("30", 100*ms), 300)}).Runs[""], two.Runs["usex2"]
	for name, c := range map[string]struct {
		of          gate.Case
		taken       gate.Taken
		cpu, memory int64
		says        string
	}{
		"nothing was read":        {caseOf(limited, asks), using(), 0, 0, "since what was used is not known"},
		"one replica":             {caseOf(limited, asks), using(reading(20*time.Second, 40, 20)), 50, 32 << 20, "requests of 50m and 32Mi by what was used"},
		"not asked for":           {caseOf(limited), using(reading(20*time.Second, 40, 20)), 50, 32 << 20, "; requests and limits as they were measured."},
		"never above the limits":  {caseOf(limited, asks), using(reading(20*time.Second, 89, 57)), 100, 64 << 20, "requests of 100m and 64Mi"},
		"the larger of two":       {caseOf(limited, asks, upTo(2)), two, 70, 32 << 20, "requests of 70m and 32Mi"},
		"two that break promises": {caseOf(limited, asks, upTo(2), allowing(1, 4)), bad, 50, 32 << 20, "requests of 50m and 32Mi"},
	} {
		size, told := scalability.Instrument{}.Size(c.of, c.taken)
		if !told || size.CPU != c.cpu || size.Memory != c.memory {
			t.Errorf("%s: %+v, %v; want %d and %d", name, size, told, c.cpu, c.memory)
		}
		if got := (scalability.Instrument{}).Summarize(c.of, c.taken).Markdown; !strings.Contains(got, c.says) {
			t.Errorf("%s: %q is not in\n%s", name, c.says, got)
		}
	}
}
