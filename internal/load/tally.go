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

// tally counts what becomes of one step's arrivals. Its shards are used by many goroutines at once and added up in the
// end, so that no two processors wait for each other's counting.
type tally struct {
	step    evidence.Step
	rate    float64
	planned int64
	begin   time.Time
	spent   spent
	shards  []*shard
}

type shard struct {
	mu      sync.Mutex
	counts  [ends]int64
	skipped int64
	limit   evidence.Limit
	// within and firstWithin count the answers that kept their promise, in the second half those that ended in it.
	within, firstWithin, secondHalf int64
	// lateByLag and firstLateByLag count those that did not, and would have without the generator's own lag.
	lateByLag, firstLateByLag int64
	latency, first, lag       *hdrhistogram.Histogram
}

func newTally(step evidence.Step, shards int) *tally {
	// A rate that is no decimal gives no arrivals; specs are validated before they get here.
	rate, _ := evidence.ParseDecimal(step.RatePerSecond)
	t := &tally{step: step, rate: rate, planned: step.Arrivals()}
	for range shards {
		t.shards = append(t.shards, newShard())
	}
	return t
}

func newShard() *shard {
	histogram := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, digits) }
	return &shard{latency: histogram(), first: histogram(), lag: histogram()}
}

// due is when an arrival is.
func (t *tally) due(i int64) time.Time {
	return t.begin.Add(time.Duration(float64(i) / t.rate * float64(time.Second)))
}

func (t *tally) add(shard int, what end, n int64) {
	s := t.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what] += n
}

// skip counts an arrival that was lost by the generator's fault, and why. The first reason is kept.
func (t *tally) skip(shard int, why evidence.Limit) {
	s := t.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skipped++
	if s.limit == evidence.LimitNone {
		s.limit = why
	}
}

func (t *tally) answered(shard int, due time.Time, lag time.Duration, at moments, spec evidence.LoadSpec) {
	s := t.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[succeeded]++
	switch promised := spec.Within.Std(); {
	case at.last <= promised:
		s.within++
	case at.last-lag <= promised:
		s.lateByLag++
	}
	switch promised := spec.FirstWithin.Std(); {
	case at.first <= promised:
		s.firstWithin++
	case at.first-lag <= promised:
		s.firstLateByLag++
	}
	if ended := due.Add(at.last).Sub(t.begin); ended >= t.step.Duration.Std()/2 && ended < t.step.Duration.Std() {
		s.secondHalf++
	}
	record(s.latency, at.last)
	record(s.first, at.first)
}

// lagged notes how late an arrival was sent.
func (t *tally) lagged(shard int, lag time.Duration) {
	s := t.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	record(s.lag, lag)
}

// woke notes by how much a sleep of one tick was too long. One long stall stands for all the ticks that it swallowed,
// or the generator's own lag would be measured with coordinated omission; RecordCorrectedValue fills them in.
func (t *tally) woke(late time.Duration) {
	s := t.shards[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.lag.RecordCorrectedValue(clamp(late), tick.Microseconds())
}

// record adds a duration to a histogram; the clamped value is always in its range.
func record(h *hdrhistogram.Histogram, d time.Duration) { _ = h.RecordValue(clamp(d)) }

func clamp(d time.Duration) int64 { return min(max(d.Microseconds(), 0), longest) }

// merge is all shards in one. Nobody counts any more.
func (t *tally) merge() *shard {
	sum := t.shards[0]
	for _, s := range t.shards[1:] {
		for i, n := range s.counts {
			sum.counts[i] += n
		}
		sum.skipped += s.skipped
		sum.within, sum.firstWithin, sum.secondHalf = sum.within+s.within, sum.firstWithin+s.firstWithin, sum.secondHalf+s.secondHalf
		sum.lateByLag, sum.firstLateByLag = sum.lateByLag+s.lateByLag, sum.firstLateByLag+s.firstLateByLag
		if sum.limit == evidence.LimitNone {
			sum.limit = s.limit
		}
		sum.latency.Merge(s.latency)
		sum.first.Merge(s.first)
		sum.lag.Merge(s.lag)
	}
	t.shards = []*shard{sum}
	return sum
}

func (t *tally) result(spec evidence.LoadSpec) evidence.StepResult {
	s := t.merge()
	r := evidence.StepResult{
		RatePerSecond: t.step.RatePerSecond, Duration: t.step.Duration, Planned: t.planned,
		Succeeded: s.counts[succeeded],
		Failures: evidence.LoadFailures{
			Timeout: s.counts[timedOut], Connect: s.counts[notConnected], ServerError: s.counts[serverError],
			OtherStatus: s.counts[otherStatus], ShortRead: s.counts[shortRead], NotSent: s.counts[notSent],
			OtherShape: s.counts[otherShape], NotAsDeclared: s.counts[notAsDeclared],
		},
		Skipped: s.skipped, Unfinished: s.counts[unfinished], WithinTarget: s.within, LateByLag: s.lateByLag,
		SecondHalf: evidence.Flow{Arrived: t.planned - t.arrivedBy(t.step.Duration.Std()/2), Answered: s.secondHalf},
		Latency:    summary(s.latency), FirstByte: summary(s.first), Lag: summary(s.lag),
		LatencyCurve: curve(s.latency), FirstByteCurve: curve(s.first),
		Generator: t.spent.generator(t.step.Duration.Std()), LimitedBy: s.limit,
	}
	if spec.FirstWithin > 0 {
		r.FirstWithinTarget, r.FirstLateByLag = s.firstWithin, s.firstLateByLag
	}
	if r.LimitedBy == evidence.LimitNone {
		r.LimitedBy = limitOf(r, spec.MaxLag.Std())
	}
	r.GeneratorLimited = r.LimitedBy != evidence.LimitNone
	return r
}

// arrivedBy is how many arrivals were due before a moment of the step.
func (t *tally) arrivedBy(d time.Duration) int64 {
	return min((evidence.Step{RatePerSecond: t.step.RatePerSecond, Duration: evidence.Duration(d)}).Arrivals(), t.planned)
}

// summary reads a histogram. Its buckets round percentiles up and the mean to a bucket's middle; all are kept within
// the smallest and largest value that were really seen.
func summary(h *hdrhistogram.Histogram) evidence.Latency {
	if h.TotalCount() == 0 {
		return evidence.Latency{}
	}
	low, high := h.Min(), h.Max()
	return evidence.Latency{
		Min: evidence.Micros(low), Max: evidence.Micros(high),
		Mean: evidence.Micros(min(max(int64(h.Mean()), low), high)),
		P50:  at(h, 50), P90: at(h, 90), P95: at(h, 95), P99: at(h, 99), P999: at(h, 99.9),
	}
}

func at(h *hdrhistogram.Histogram, percentile float64) evidence.Micros {
	return evidence.Micros(min(max(h.ValueAtPercentile(percentile), h.Min()), h.Max()))
}

// curve reads a histogram at the points of the report's distribution, as far as the sample has something beyond them.
func curve(h *hdrhistogram.Histogram) []evidence.Point {
	var out []evidence.Point
	for _, q := range evidence.CurveQuantiles {
		if h.TotalCount()*(1_000_000-q) >= 1_000_000 {
			out = append(out, evidence.Point{PerMillion: q, Micros: at(h, float64(q)/10_000)})
		}
	}
	return out
}
