package evidence

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"time"
)

// MaxTimeout is the longest time that a load measurement waits for one answer. What takes longer is no service that
// people wait for.
const MaxTimeout = 10 * time.Minute

const (
	// maxAlone is how many requests are sent without load at most, maxAnswers in how many places an answer may be.
	maxAlone, maxAnswers = 100, 8
)

// Header is one header of a request.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Step is one stretch of load at a constant rate of arrivals.
type Step struct {
	// RatePerSecond is a decimal above zero, at most 100,000.
	RatePerSecond string `json:"ratePerSecond"`
	// Duration of the step, at most one hour.
	Duration Duration `json:"duration"`
}

// LoadSpec asks for requests at given rates, whatever the answers: an open model of arrivals.
type LoadSpec struct {
	// URL to ask, http or https, without user info.
	URL string `json:"url"`
	// Method is GET, POST or PUT.
	Method string `json:"method"`
	// Headers of every request, at most 32.
	Headers []Header `json:"headers,omitempty"`
	// Body of every request, at most 64 KiB.
	Body string `json:"body,omitempty"`
	// Alone is asked before anything else, to learn what an answer looks like without load; absent for not at all, and then every
	// complete answer with a status of 200 to 299 is a good one.
	Alone *Alone `json:"alone,omitempty"`
	// Answer is where the prototype declares its answers to be: JSON pointers (RFC 6901), one of which has to lead to something that
	// is not empty, the empty one to the body itself. At most 8; none where nothing is declared.
	Answer []string `json:"answer,omitempty"`
	// WarmUp is sent before the steps and not counted; absent for none.
	WarmUp *Step `json:"warmUp,omitempty"`
	// Steps that are measured one after the other, 1 to 32.
	Steps []Step `json:"steps"`
	// Timeout from the intended sending time to the last byte of the answer; 1 ms to 10 minutes.
	Timeout Duration `json:"timeout"`
	// Within is the promised answering time; how many answers kept it is counted exactly. Above zero, at most Timeout.
	Within Duration `json:"within"`
	// FirstWithin is the promised time to the first byte of the answer's body; absent where none is promised. At most
	// Within.
	FirstWithin Duration `json:"firstWithin,omitzero"`
	// MaxInFlight bounds the requests under way, 1 to 20,000. An arrival that finds so many unanswered is a failure
	// of the subject. By Little's law (L = λW) rate times timeout is never reached.
	MaxInFlight int `json:"maxInFlight"`
	// MaxLag is how late, at the 99th percentile, the generator itself may be before its measurement is worth
	// nothing; 1 ms to 1 minute.
	MaxLag Duration `json:"maxLag"`
	// Reuse is how many requests a connection carries at most, 0 for no bound: a Service chooses a replica for every new
	// connection and not for every request, so a few that last would measure a few replicas.
	Reuse int `json:"reuse,omitempty"`
	// Climb, when all steps are done, to find how much more the subject carries; absent for not at all.
	Climb *Climb `json:"climb,omitempty"`
}

// Alone asks for requests one after the other, without any load.
type Alone struct {
	// Most requests, 1 to 100.
	Most int `json:"most"`
	// Duration after which no other one is begun; at most one hour.
	Duration Duration `json:"duration"`
}

// LoadFailures counts the arrivals that got no good answer, by what went wrong.
type LoadFailures struct {
	// Timeout: no complete answer in time.
	Timeout int64 `json:"timeout"`
	// Connect: no connection, or one that broke before an answer began.
	Connect int64 `json:"connect"`
	// ServerError: status 500 to 599.
	ServerError int64 `json:"serverError"`
	// OtherStatus: any other status outside 200 to 299; redirects are not followed.
	OtherStatus int64 `json:"otherStatus"`
	// ShortRead: the answer broke off.
	ShortRead int64 `json:"shortRead"`
	// NotSent: MaxInFlight requests were unanswered when this one was due.
	NotSent int64 `json:"notSent"`
	// OtherShape: a complete answer with a status of 200 to 299 that does not look like those without load.
	OtherShape int64 `json:"otherShape,omitempty"`
	// NotAsDeclared: one that has nothing where LoadSpec.Answer says, or a stream of events without data.
	NotAsDeclared int64 `json:"notAsDeclared,omitempty"`
}

// Total is the sum of all failures.
func (f LoadFailures) Total() int64 { return f.Sent() + f.NotSent }

// Sent is the number of failures among the requests that were sent.
func (f LoadFailures) Sent() int64 {
	return f.Timeout + f.Connect + f.ServerError + f.OtherStatus + f.ShortRead + f.OtherShape + f.NotAsDeclared
}

// Latency sums up measured times in microseconds, exact to three significant digits.
type Latency struct {
	Min  Micros `json:"min"`
	Mean Micros `json:"mean"`
	P50  Micros `json:"p50"`
	P90  Micros `json:"p90"`
	P95  Micros `json:"p95"`
	P99  Micros `json:"p99"`
	P999 Micros `json:"p999"`
	Max  Micros `json:"max"`
}

// Limit is why the generator and not the subject was the bottleneck.
type Limit string

const (
	// LimitNone means that the generator kept up.
	LimitNone Limit = ""
	// LimitLate means that it sent too late: it had too little processor time.
	LimitLate Limit = "Late"
	// LimitProcessor means that it used nearly all of the processor time that it may have, or was held back by its limit.
	LimitProcessor Limit = "Processor"
	// LimitResources means that it ran out of sockets, ports, files or memory.
	LimitResources Limit = "Resources"
	// LimitAddress means that the subject's name could not be resolved, or to an address that a runner must not touch.
	LimitAddress Limit = "Address"
)

// StepResult is what happened in one step. Every arrival of the schedule is accounted for exactly once:
// Planned = Succeeded + Failures.Total() + Skipped + Unfinished.
type StepResult struct {
	RatePerSecond string   `json:"ratePerSecond"`
	Duration      Duration `json:"duration"`
	// Planned arrivals: rate times duration, rounded down.
	Planned int64 `json:"planned"`
	// Succeeded: a complete answer with a status of 200 to 299, that looks like one without load and has what is declared.
	Succeeded int64        `json:"succeeded"`
	Failures  LoadFailures `json:"failures"`
	// Skipped arrivals were lost for a reason on the generator's side.
	Skipped int64 `json:"skipped"`
	// Unfinished arrivals were given up because the run was stopped.
	Unfinished int64 `json:"unfinished"`
	// WithinTarget is how many of the succeeded were answered within LoadSpec.Within.
	WithinTarget int64 `json:"withinTarget"`
	// FirstWithinTarget is how many of the succeeded began within LoadSpec.FirstWithin; 0 where none is promised.
	FirstWithinTarget int64 `json:"firstWithinTarget,omitempty"`
	// LateByLag is how many of the others would have been answered within LoadSpec.Within had the generator sent them when they were
	// due; FirstLateByLag how many would have begun within LoadSpec.FirstWithin.
	LateByLag      int64 `json:"lateByLag,omitempty"`
	FirstLateByLag int64 `json:"firstLateByLag,omitempty"`
	// FirstByte is the time of the succeeded from the intended sending time to the first byte of the body.
	FirstByte Latency `json:"firstByte,omitzero"`
	// Latency of the succeeded, from the intended sending time to the last byte. All zero when none succeeded.
	Latency Latency `json:"latency"`
	// Lag is how late the generator was: from the intended to the real sending, and on every waking in between.
	Lag Latency `json:"lag"`
	// LatencyCurve and FirstByteCurve are the distributions, point by point.
	LatencyCurve   []Point `json:"latencyCurve,omitempty"`
	FirstByteCurve []Point `json:"firstByteCurve,omitempty"`
	// SecondHalf tells whether the answers keep up with the arrivals.
	SecondHalf Flow `json:"secondHalf,omitzero"`
	// Generator is what the generator used for it.
	Generator Generator `json:"generator,omitzero"`
	// GeneratorLimited means that the generator was the bottleneck: the step says nothing about the subject.
	GeneratorLimited bool `json:"generatorLimited"`
	// LimitedBy says by what; empty exactly when not GeneratorLimited.
	LimitedBy Limit `json:"limitedBy,omitempty"`
}

// LoadReport holds one result for each step, in the order asked.
type LoadReport struct {
	// Within repeats LoadSpec.Within.
	Within Duration `json:"within"`
	// FirstWithin repeats LoadSpec.FirstWithin.
	FirstWithin Duration `json:"firstWithin,omitzero"`
	// Alone is how many answers were had without load, which those under load were compared with; 0 where there was none.
	Alone int64        `json:"alone,omitempty"`
	Steps []StepResult `json:"steps"`
	// Climb holds the steps of LoadSpec.Climb that were made, and ClimbEnd why there are no more.
	Climb    []StepResult `json:"climb,omitempty"`
	ClimbEnd ClimbEnd     `json:"climbEnd,omitempty"`
	// GeneratorLimited means that at least one of Steps was.
	GeneratorLimited bool `json:"generatorLimited"`
	// CutShort means that the run was stopped before its end.
	CutShort bool `json:"cutShort"`
}

// KindLoad sends requests at a given rate and measures the answers.
const KindLoad Kind = "load"

// Kind implements Body.
func (*LoadSpec) Kind() Kind { return KindLoad }

// Kind implements Body.
func (*LoadReport) Kind() Kind { return KindLoad }

// Clean implements Result: it holds no text from outside.
func (*LoadReport) Clean() {}

// Validate implements Body.
func (s *LoadSpec) Validate() error {
	if err := validateURL(s.URL, "http", "https"); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if s.Method != http.MethodGet && s.Method != http.MethodPost && s.Method != http.MethodPut {
		return errors.New("method is not GET, POST or PUT")
	}
	if len(s.Headers) > 32 || len(s.Body) > 64<<10 {
		return errors.New("more than 32 headers or 64 KiB of body")
	}
	for i, h := range s.Headers {
		if !isToken(h.Name) || len(h.Value) > 4096 || h.Value != textproto.TrimString(h.Value) || hasControl(h.Value) {
			return fmt.Errorf("headers[%d] is not a header", i)
		}
	}
	if len(s.Steps) == 0 || len(s.Steps) > 32 {
		return errors.New("not 1 to 32 steps")
	}
	for i, step := range s.steps() {
		if err := step.validate(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return s.validateBounds()
}

func (s *LoadSpec) validateBounds() error {
	if err := within(s.Timeout.Std(), time.Millisecond, MaxTimeout); err != nil {
		return fmt.Errorf("timeout: %w", err)
	}
	if err := within(s.Within.Std(), 1, s.Timeout.Std()); err != nil {
		return fmt.Errorf("within: %w", err)
	}
	if s.Reuse < 0 || s.Reuse > 1_000_000 {
		return errors.New("reuse is not between 0 and 1000000")
	}
	if err := within(s.MaxLag.Std(), time.Millisecond, time.Minute); err != nil {
		return fmt.Errorf("maxLag: %w", err)
	}
	if s.FirstWithin < 0 || s.FirstWithin > s.Within {
		return errors.New("firstWithin is not between 0 and within")
	}
	if s.Climb != nil {
		if err := s.Climb.validate(); err != nil {
			return fmt.Errorf("climb: %w", err)
		}
	}
	if a := s.Alone; a != nil && (a.Most < 1 || a.Most > maxAlone || within(a.Duration.Std(), time.Millisecond, time.Hour) != nil) {
		return errors.New("alone is not 1 to 100 requests in at most an hour")
	}
	if len(s.Answer) > maxAnswers || slices.ContainsFunc(s.Answer, func(at string) bool { return !isPointer(at) }) {
		return errors.New("answer is not at most 8 JSON pointers")
	}
	if s.MaxInFlight < 1 || s.MaxInFlight > 20_000 {
		return errors.New("maxInFlight is not between 1 and 20,000")
	}
	return nil
}

// steps are all stretches of load, the warm-up first.
func (s *LoadSpec) steps() []Step {
	if s.WarmUp == nil {
		return s.Steps
	}
	return append([]Step{*s.WarmUp}, s.Steps...)
}

func (s Step) validate() error {
	if rate, err := ParseDecimal(s.RatePerSecond); err != nil || rate <= 0 || rate > 100_000 {
		return errors.New("ratePerSecond is not a decimal above zero and at most 100000")
	}
	if err := within(s.Duration.Std(), time.Millisecond, time.Hour); err != nil {
		return fmt.Errorf("duration: %w", err)
	}
	if s.Arrivals() < 1 {
		return errors.New("rate times duration is less than one request")
	}
	return nil
}

// Arrivals is the number of requests that the step holds: rate times duration, rounded down; 0 for a rate that is
// no decimal.
func (s Step) Arrivals() int64 {
	rate, err := ParseDecimal(s.RatePerSecond)
	if err != nil || s.Duration < 0 {
		return 0
	}
	// The tiny addition keeps 30/s for 0.1 s at three arrivals where the product in binary is 2.9999….
	return int64(rate*s.Duration.Std().Seconds() + 1e-6)
}

// Validate implements Body.
func (r *LoadReport) Validate() error {
	if len(r.Steps) == 0 || len(r.Steps) > 32 {
		return errors.New("not 1 to 32 steps")
	}
	if r.Within <= 0 {
		return errors.New("within is not above zero")
	}
	if r.Alone < 0 || r.Alone > maxAlone {
		return errors.New("alone is not between 0 and 100")
	}
	limited := false
	for i := range r.Steps {
		if err := r.Steps[i].validate(); err != nil {
			return fmt.Errorf("steps[%d]: %w", i, err)
		}
		limited = limited || r.Steps[i].GeneratorLimited
		if r.Steps[i].Unfinished > 0 && !r.CutShort {
			return fmt.Errorf("steps[%d]: unfinished, but not cut short", i)
		}
	}
	if limited != r.GeneratorLimited {
		return errors.New("generatorLimited contradicts its steps")
	}
	if r.FirstWithin < 0 || r.FirstWithin > r.Within {
		return errors.New("firstWithin is not between 0 and within")
	}
	return r.validateClimb()
}

func (s *StepResult) validate() error {
	step := Step{RatePerSecond: s.RatePerSecond, Duration: s.Duration}
	if err := step.validate(); err != nil {
		return err
	}
	f := s.Failures
	for _, n := range []int64{s.Planned, s.Succeeded, s.Skipped, s.Unfinished, s.WithinTarget, s.FirstWithinTarget, s.LateByLag, s.FirstLateByLag,
		f.Timeout, f.Connect, f.ServerError, f.OtherStatus, f.ShortRead, f.NotSent, f.OtherShape, f.NotAsDeclared} {
		// The bound keeps the sums below from overflowing into agreement.
		if n < 0 || n > 1<<40 {
			return errors.New("a count is negative or absurd")
		}
	}
	switch {
	case s.Planned != step.Arrivals():
		return errors.New("planned is not rate times duration")
	case s.Planned != s.Succeeded+f.Total()+s.Skipped+s.Unfinished:
		return errors.New("the arrivals do not add up")
	case s.WithinTarget+s.LateByLag > s.Succeeded || s.FirstWithinTarget+s.FirstLateByLag > s.Succeeded:
		return errors.New("more within the target than succeeded")
	case s.Skipped > 0 && !s.GeneratorLimited || s.GeneratorLimited != (s.LimitedBy != LimitNone):
		return errors.New("skipped, generatorLimited and limitedBy contradict each other")
	case !s.LimitedBy.known():
		return errors.New("unknown limitedBy")
	}
	if err := s.Lag.validate(); err != nil {
		return fmt.Errorf("lag: %w", err)
	}
	if s.Succeeded == 0 && (s.Latency != (Latency{}) || s.FirstByte != (Latency{})) {
		return errors.New("latency of no answer")
	}
	if err := s.Latency.validate(); err != nil {
		return err
	}
	return s.validateDetail()
}

func (l Limit) known() bool {
	switch l {
	case LimitNone, LimitLate, LimitProcessor, LimitResources, LimitAddress:
		return true
	}
	return false
}

func (l Latency) validate() error {
	last := Micros(0)
	for _, v := range []Micros{l.Min, l.P50, l.P90, l.P95, l.P99, l.P999, l.Max} {
		if v < last {
			return errors.New("percentiles are not in order")
		}
		last = v
	}
	if l.Mean < l.Min || l.Mean > l.Max {
		return errors.New("the mean lies outside")
	}
	return nil
}
