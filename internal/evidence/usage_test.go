package evidence_test

import (
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

func TestUsageIsBounded(t *testing.T) {
	good := evidence.UsageSample{At: time.Unix(1_700_000_000, 0).UTC(), Window: evidence.Duration(15 * time.Second), CPU: 40, Memory: 20 << 20}
	with := func(change func(*evidence.UsageSample)) []evidence.UsageSample {
		s := good
		change(&s)
		return []evidence.UsageSample{good, s}
	}
	for name, c := range map[string]struct {
		samples []evidence.UsageSample
		good    bool
	}{
		"one":             {[]evidence.UsageSample{good}, true},
		"idle":            {with(func(s *evidence.UsageSample) { s.CPU, s.Memory = 0, 0 }), true},
		"none":            {nil, false},
		"too many":        {make([]evidence.UsageSample, evidence.MaxUsage+1), false},
		"no time":         {with(func(s *evidence.UsageSample) { s.At = time.Time{} }), false},
		"no window":       {with(func(s *evidence.UsageSample) { s.Window = 0 }), false},
		"endless window":  {with(func(s *evidence.UsageSample) { s.Window = evidence.Duration(time.Hour) }), false},
		"negative CPU":    {with(func(s *evidence.UsageSample) { s.CPU = -1 }), false},
		"absurd CPU":      {with(func(s *evidence.UsageSample) { s.CPU = 1 << 40 }), false},
		"negative memory": {with(func(s *evidence.UsageSample) { s.Memory = -1 }), false},
		"absurd memory":   {with(func(s *evidence.UsageSample) { s.Memory = 1 << 50 }), false},
		"negative pod":    {with(func(s *evidence.UsageSample) { s.Pod = -1 }), false},
		"too many pods":   {with(func(s *evidence.UsageSample) { s.Pod = 64 }), false},
	} {
		if err := (&evidence.UsageReport{Samples: c.samples}).Validate(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
