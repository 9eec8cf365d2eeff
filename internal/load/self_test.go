//go:build linux

package load

import (
	"math"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

func TestLimitOf(t *testing.T) {
	second := evidence.Micros(1_000_000)
	for name, c := range map[string]struct {
		lag       evidence.Micros
		generator evidence.Generator
		want      evidence.Limit
	}{
		"at ease":           {100, evidence.Generator{Processor: second / 10, Available: 2 * second}, evidence.LimitNone},
		"late":              {200_000, evidence.Generator{Processor: second / 10, Available: 2 * second}, evidence.LimitLate},
		"busy":              {100, evidence.Generator{Processor: 19 * second / 10, Available: 2 * second}, evidence.LimitProcessor},
		"held back":         {100, evidence.Generator{Processor: second / 10, Available: 2 * second, Throttled: second / 10}, evidence.LimitProcessor},
		"held back a bit":   {100, evidence.Generator{Processor: second / 10, Available: 2 * second, Throttled: second / 100}, evidence.LimitNone},
		"nothing is known":  {100, evidence.Generator{}, evidence.LimitNone},
		"late and unknown":  {200_000, evidence.Generator{}, evidence.LimitLate},
		"busy, all of half": {100, evidence.Generator{Processor: second / 2, Available: second / 2}, evidence.LimitProcessor},
	} {
		step := evidence.StepResult{Duration: evidence.Duration(time.Second), Lag: evidence.Latency{P99: c.lag}, Generator: c.generator}
		if got := limitOf(step, 100*ms); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestControlGroups(t *testing.T) {
	if got := throttledV2([]byte("usage_usec 5\nnr_periods 3\nnr_throttled 2\nthrottled_usec 150000\n")); got != 150*ms {
		t.Errorf("v2: %v", got)
	}
	if got := throttledV1([]byte("nr_periods 3\nnr_throttled 2\nthrottled_time 150000000\n")); got != 150*ms {
		t.Errorf("v1: %v", got)
	}
	for text, want := range map[string]float64{"max 100000": 0, "50000 100000\n": 0.5, "": 0, "1 0": 0, "x y": 0, "-1 100000": 0, "200000 100000": 2} {
		if got := limitV2([]byte(text)); math.Abs(got-want) > 1e-9 {
			t.Errorf("limit %q: %v, want %v", text, got, want)
		}
	}
	for _, stat := range []string{"", "throttled_usec", "throttled_usec x", "throttled_usec -5", "throttled_usec 1 2"} {
		if got := throttledV2([]byte(stat)); got != 0 {
			t.Errorf("%q: %v", stat, got)
		}
	}
}

// A limit of half a processor makes a generator that uses more than 0.45 of one the bottleneck.
func TestAvailableIsTheLimit(t *testing.T) {
	got := spent{processor: 100 * ms, throttled: 20 * ms, limit: 0.5}.generator(time.Second)
	if got != (evidence.Generator{Processor: 100_000, Throttled: 20_000, Available: 500_000}) {
		t.Errorf("got %+v", got)
	}
}
