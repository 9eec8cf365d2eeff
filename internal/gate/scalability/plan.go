package scalability

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// spare is how many times the smallest sufficient sample is taken, so that a few failures do not spoil it.
	spare = 1.25
	// shortestWarmUp and longestWarmUp bound a quarter of the measuring time.
	shortestWarmUp = 2 * time.Second
	longestWarmUp  = 10 * time.Second
	// maxInFlight is what the runner's memory has room for, longestStep the most that a LoadSpec takes.
	maxInFlight = 10_000
	longestStep = time.Hour
)

// Settings are what the policy says about the measurement.
type Settings struct {
	// Headroom is the factor on the demand, at least 1.
	Headroom float64
	// Duration of the measurement after the warm-up.
	Duration time.Duration
	// Longest is how far Duration may be stretched for a demand so low that it takes long to send enough requests; less
	// than Duration means not at all.
	Longest time.Duration
	// Climb is how far it is looked for the knee when the demand was measured.
	Climb Climbing
}

// NewSettings reads the policy's words.
func NewSettings(headroom string, duration, longest time.Duration) (Settings, error) {
	factor, err := evidence.ParseDecimal(headroom)
	if err != nil {
		return Settings{}, fmt.Errorf("headroom: %w", err)
	}
	s := Settings{Headroom: factor, Duration: duration, Longest: longest}
	return s, s.validate()
}

func (s Settings) validate() error {
	if !(s.Headroom >= 1 && s.Headroom < 1000) {
		return fmt.Errorf("a headroom of %v is not between 1 and 1000", s.Headroom)
	}
	if s.Duration < time.Second || s.Duration > longestStep {
		return fmt.Errorf("a measurement of %v is not between a second and an hour", s.Duration)
	}
	if !(s.Climb.UpTo >= 0 && s.Climb.UpTo <= farthest) {
		return fmt.Errorf("a climb up to %v times the rate is not between 1 and %d times", s.Climb.UpTo, farthest)
	}
	return nil
}

// Plan says how to measure a demand: it fills in everything but URL, Method, Headers and Body of a request for load.
//
// The rate is the demand with headroom, for the policy's duration. Where that is too short to send as many requests as
// the promises need to be shown, it is stretched up to Settings.Longest; where that does not suffice either, the rate is
// raised until it does. Measuring above the demand is sound in one direction only, and Judge knows it: a subject that
// passes at the higher rate passes, one that fails there has not failed its demand.
func Plan(d Demand, s Settings, request evidence.LoadSpec) (evidence.LoadSpec, error) {
	if err := d.validate(); err != nil {
		return evidence.LoadSpec{}, err
	}
	if err := s.validate(); err != nil {
		return evidence.LoadSpec{}, err
	}
	rate, sample := d.Rate*s.Headroom, math.Ceil(float64(d.needed())*spare)
	duration := s.Duration
	if stretched := seconds(math.Ceil(sample / rate)); stretched > duration {
		duration = min(stretched, max(min(s.Longest, longestStep), duration))
	}
	rate = roundUp(max(rate, sample/duration.Seconds()))
	text, err := evidence.FormatDecimal(rate)
	if err != nil {
		return evidence.LoadSpec{}, err
	}
	// Four times the promised time tells slow from lost.
	timeout := min(max(4*d.LatencyP95, time.Second), evidence.MaxTimeout)
	request.Steps = []evidence.Step{{RatePerSecond: text, Duration: evidence.Duration(duration)}}
	request.WarmUp, err = warmUp(rate, duration)
	request.Timeout = evidence.Duration(timeout)
	request.Within = evidence.Duration(d.LatencyP95)
	request.FirstWithin = evidence.Duration(d.FirstWithin)
	request.Alone = alone(d.LatencyP95)
	request.Climb = s.Climb.plan(d, rate, evidence.Duration(duration))
	top := rate
	if request.Climb != nil {
		top *= s.Climb.UpTo
	}
	request.MaxInFlight = int(min(math.Ceil(top*timeout.Seconds())+16, maxInFlight))
	request.MaxLag = evidence.Duration(maxLag(d.LatencyP95))
	return request, err
}

const (
	// fewestReused is how many requests a connection carries at least, where several replicas are to get their share of them.
	fewestReused = 5
	// mostConnecting is how many connections a second are opened at most for that: each keeps a port of the generator's for a
	// minute after its end.
	mostConnecting = 100
)

// reuse of connections, so that a Service hands requests around among replicas.
func reuse(order evidence.LoadSpec) int {
	var top float64
	steps := order.Steps
	if order.Climb != nil {
		steps = slices.Concat(steps, order.Climb.Steps(order.Steps))
	}
	for _, s := range steps {
		rate, _ := evidence.ParseDecimal(s.RatePerSecond)
		top = max(top, rate)
	}
	return max(fewestReused, int(math.Ceil(top/mostConnecting)))
}

const (
	// mostAlone is how many answers are had without load: enough that what is in all of them is in nearly every one.
	mostAlone = 10
	// fewestAlone is for how many there is time, where each takes as long as is promised.
	fewestAlone = 3
	// shortestAlone is for how long there is time at least.
	shortestAlone = 5 * time.Second
)

// alone are the answers without load with which the others are compared.
func alone(promised time.Duration) *evidence.Alone {
	return &evidence.Alone{Most: mostAlone, Duration: evidence.Duration(max(shortestAlone, fewestAlone*promised))}
}

// warmUpOf a measured time is how long it is warmed up for.
func warmUpOf(measured time.Duration) time.Duration {
	return min(max(measured/4, shortestWarmUp), longestWarmUp)
}

// warmUp sends at the measured rate for a quarter of the measured time, within bounds, and at least three requests.
func warmUp(rate float64, measured time.Duration) (*evidence.Step, error) {
	duration := warmUpOf(measured)
	text, err := evidence.FormatDecimal(max(rate, roundUp(3/duration.Seconds())))
	return &evidence.Step{RatePerSecond: text, Duration: evidence.Duration(duration)}, err
}

// roundUp rounds to a thousandth, upwards, which keeps a sample whole; a rounding error of the product before it is none.
func roundUp(rate float64) float64 { return math.Ceil(rate*1000-1e-6) / 1000 }

// maxLag is how late the generator may be: a tenth of the promised time, and not less than a machine with other work
// to do can hold.
func maxLag(promised time.Duration) time.Duration {
	return min(max(promised/10, 10*time.Millisecond), time.Second)
}

// seconds is a number of seconds as a duration, without overflow.
func seconds(n float64) time.Duration {
	if n > math.MaxInt64/float64(2*time.Second) {
		return math.MaxInt64 / 2
	}
	return time.Duration(n * float64(time.Second))
}
