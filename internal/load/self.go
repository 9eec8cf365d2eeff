package load

import (
	"math"
	"runtime"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// busiest is the share of the processor time that the generator may have, above which its own queueing goes into
	// what it measures. A queue that is busy for nine tenths of the time makes its requests wait nine times as long as
	// they take (M/M/1: ρ/(1−ρ)).
	busiest = 0.9
	// heldBack is the share of the time for which the kernel may keep the generator from running under its limit.
	heldBack = 0.05
)

// spent is what the generator used, in a time or since it began.
type spent struct {
	processor time.Duration
	throttled time.Duration
	// limit is the number of processors that its limit allows; 0 where there is none.
	limit float64
}

func (s spent) since(before spent) spent {
	return spent{processor: s.processor - before.processor, throttled: s.throttled - before.throttled, limit: s.limit}
}

// generator is what the report says about it.
func (s spent) generator(over time.Duration) evidence.Generator {
	processors := float64(runtime.GOMAXPROCS(0))
	if s.limit > 0 {
		processors = min(processors, s.limit)
	}
	return evidence.Generator{
		Processor: evidence.MicrosOf(max(s.processor, 0)), Throttled: evidence.MicrosOf(max(s.throttled, 0)),
		Available: evidence.Micros(math.Round(processors * float64(evidence.MicrosOf(over)))),
	}
}

// limitOf tells whether the generator was the bottleneck of a step.
func limitOf(r evidence.StepResult, maxLag time.Duration) evidence.Limit {
	switch g := r.Generator; {
	case r.Lag.P99.Std() > maxLag:
		return evidence.LimitLate
	case g.Available > 0 && float64(g.Processor) > busiest*float64(g.Available),
		float64(g.Throttled.Std()) > heldBack*float64(r.Duration):
		return evidence.LimitProcessor
	}
	return evidence.LimitNone
}
