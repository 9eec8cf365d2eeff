package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// longest is the largest value that a histogram takes, in microseconds. Answers may come a little after their
	// timeout, when the generator is late.
	longest = int64(2 * evidence.MaxTimeout / time.Microsecond)
	// digits is the precision of a histogram: three significant digits, an error of at most 0.1 %.
	digits = 3
)

// tally counts what becomes of one step's arrivals. It is used by many goroutines at once.
type tally struct {
	step    evidence.Step
	rate    float64
	planned int64

	mu      sync.Mutex
	counts  [ends]int64
	skipped int64
	limit   evidence.Limit
	within  int64
	latency *hdrhistogram.Histogram
	lag     *hdrhistogram.Histogram
}

func newTally(step evidence.Step) *tally {
	// A rate that is no decimal gives no arrivals; specs are validated before they get here.
	rate, _ := evidence.ParseDecimal(step.RatePerSecond)
	return &tally{
		step: step, rate: rate, planned: step.Arrivals(),
		latency: hdrhistogram.New(1, longest, digits),
		lag:     hdrhistogram.New(1, longest, digits),
	}
}

func (t *tally) add(what end, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what] += n
}

// skip counts an arrival that was lost by the generator's fault, and why. The first reason is kept.
func (t *tally) skip(why evidence.Limit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped++
	if t.limit == evidence.LimitNone {
		t.limit = why
	}
}

func (t *tally) answered(latency, promised time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[succeeded]++
	if latency <= promised {
		t.within++
	}
	record(t.latency, latency)
}

// lagged notes how late an arrival was sent.
func (t *tally) lagged(lag time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	record(t.lag, lag)
}

// woke notes by how much a sleep of one tick was too long. One long stall stands for all the ticks that it swallowed,
// or the generator's own lag would be measured with coordinated omission; RecordCorrectedValue fills them in.
func (t *tally) woke(late time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.lag.RecordCorrectedValue(clamp(late), tick.Microseconds())
}

// record adds a duration to a histogram; the clamped value is always in its range.
func record(h *hdrhistogram.Histogram, d time.Duration) { _ = h.RecordValue(clamp(d)) }

func clamp(d time.Duration) int64 { return min(max(d.Microseconds(), 0), longest) }

func summarize(spec evidence.LoadSpec, tallies []*tally) *evidence.LoadReport {
	report := &evidence.LoadReport{Within: spec.Within}
	for _, t := range tallies {
		r := t.result(spec.MaxLag)
		report.Steps = append(report.Steps, r)
		report.GeneratorLimited = report.GeneratorLimited || r.GeneratorLimited
		report.CutShort = report.CutShort || r.Unfinished > 0
	}
	return report
}

func (t *tally) result(maxLag evidence.Duration) evidence.StepResult {
	r := evidence.StepResult{
		RatePerSecond: t.step.RatePerSecond, Duration: t.step.Duration, Planned: t.planned,
		Succeeded: t.counts[succeeded],
		Failures: evidence.LoadFailures{
			Timeout: t.counts[timedOut], Connect: t.counts[notConnected], ServerError: t.counts[serverError],
			OtherStatus: t.counts[otherStatus], ShortRead: t.counts[shortRead], NotSent: t.counts[notSent],
		},
		Skipped: t.skipped, Unfinished: t.counts[unfinished], WithinTarget: t.within,
		Latency: summary(t.latency), Lag: summary(t.lag), LimitedBy: t.limit,
	}
	if r.LimitedBy == evidence.LimitNone && r.Lag.P99.Std() > maxLag.Std() {
		r.LimitedBy = evidence.LimitLate
	}
	r.GeneratorLimited = r.LimitedBy != evidence.LimitNone
	return r
}

// summary reads a histogram. Its buckets round percentiles up and the mean to a bucket's middle; all are kept within
// the smallest and largest value that were really seen.
func summary(h *hdrhistogram.Histogram) evidence.Latency {
	if h.TotalCount() == 0 {
		return evidence.Latency{}
	}
	low, high := h.Min(), h.Max()
	at := func(percentile float64) evidence.Micros {
		return evidence.Micros(min(max(h.ValueAtPercentile(percentile), low), high))
	}
	return evidence.Latency{
		Min: evidence.Micros(low), Max: evidence.Micros(high),
		Mean: evidence.Micros(min(max(int64(h.Mean()), low), high)),
		P50:  at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9),
	}
}
