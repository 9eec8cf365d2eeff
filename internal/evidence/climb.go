package evidence

import (
	"errors"
	"fmt"
	"math"
)

// promisedShare is the share of answers that have to keep the promised time: a 95th percentile.
const promisedShare = 0.95

// keepingUp is the share of a step's arrivals that have to be answered at the pace at which they come. Short of nine
// tenths a queue is growing, however patient the promise is.
const keepingUp = 0.9

// edges is how many answers may fall out of the second half at its two ends without anything being behind.
const edges = 2

// maxClimb is the largest number of steps of a climb.
const maxClimb = 24

// Climb asks for steps at rising rates until one is overloaded. What they say decides nothing; it tells where the
// subject's knee is.
type Climb struct {
	// Factor between the rates of two steps, a decimal above 1 and at most 4.
	Factor string `json:"factor"`
	// Most is the number of steps at most, 1 to 24.
	Most int `json:"most"`
	// Duration of each step.
	Duration Duration `json:"duration"`
	// ErrorRatio is the share of requests that may fail, 0 to 1.
	ErrorRatio string `json:"errorRatio"`
}

// ClimbEnd is why a climb ended.
type ClimbEnd string

const (
	// ClimbOverloaded means that the last step overloaded the subject: the knee lies below it.
	ClimbOverloaded ClimbEnd = "Overloaded"
	// ClimbDone means that all steps were made and none overloaded the subject: the knee lies above.
	ClimbDone ClimbEnd = "Done"
	// ClimbLimited means that the generator could not go on: nothing is known of what lies above.
	ClimbLimited ClimbEnd = "GeneratorLimited"
	// ClimbCutShort means that the run was stopped.
	ClimbCutShort ClimbEnd = "CutShort"
)

// Point is one point of a distribution: so many of a million were at most so slow.
type Point struct {
	PerMillion int64  `json:"perMillion"`
	Micros     Micros `json:"micros"`
}

// CurveQuantiles are the points of a distribution, per million: closer together where people are unhappy.
var CurveQuantiles = []int64{
	0, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000, 700_000, 750_000, 800_000, 850_000, 900_000, 925_000, 950_000,
	965_000, 975_000, 985_000, 990_000, 995_000, 997_500, 999_000, 999_500, 999_900, 999_990,
}

// Flow is what came in and what went out in the second half of a step.
type Flow struct {
	// Arrived is how many requests were due in it.
	Arrived int64 `json:"arrived"`
	// Answered is how many good answers ended in it, whenever their requests were due.
	Answered int64 `json:"answered"`
}

// Generator is what the generator used in a step.
type Generator struct {
	// Processor time that it used.
	Processor Micros `json:"processor"`
	// Available processor time, by the number of processors and by its limit.
	Available Micros `json:"available"`
	// Throttled is for how long its limit kept it from running; 0 also where that can't be known.
	Throttled Micros `json:"throttled"`
}

// Steps of the climb above the highest of the steps before it.
func (c Climb) Steps(before []Step) []Step {
	var rate float64
	for _, s := range before {
		r, _ := ParseDecimal(s.RatePerSecond)
		rate = max(rate, r)
	}
	factor, _ := ParseDecimal(c.Factor)
	var steps []Step
	for range c.Most {
		rate *= factor
		text, err := FormatDecimal(rate)
		step := Step{RatePerSecond: text, Duration: c.Duration}
		if err != nil || step.validate() != nil {
			break
		}
		steps = append(steps, step)
	}
	return steps
}

// Ends tells whether a climb ends with a step, and why; "" when it goes on.
func (c Climb) Ends(s StepResult, first Duration) ClimbEnd {
	ratio, err := ParseDecimal(c.ErrorRatio)
	switch {
	case s.Unfinished > 0:
		return ClimbCutShort
	case s.GeneratorLimited:
		return ClimbLimited
	case err != nil || s.Overloaded(ratio, first):
		return ClimbOverloaded
	}
	return ""
}

// Overloaded tells whether a step was more than the subject carries, by what was observed: more failures than may be,
// more late answers than may be (also of first bytes, where a time for them is promised), or answers that do not keep
// up with the arrivals. The last is what a saturated system does first when its promise is patient.
func (s StepResult) Overloaded(errorRatio float64, first Duration) bool {
	late := func(within int64) bool { return float64(within) < promisedShare*float64(s.Succeeded) }
	return s.Succeeded == 0 || float64(s.Failures.Total()) > errorRatio*float64(s.Planned) ||
		late(s.WithinTarget) || first > 0 && late(s.FirstWithinTarget) ||
		float64(s.SecondHalf.Answered+edges) < keepingUp*float64(s.SecondHalf.Arrived)
}

// Add adds a step that is judged.
func (r *LoadReport) Add(s StepResult) {
	r.Steps = append(r.Steps, s)
	r.GeneratorLimited = r.GeneratorLimited || s.GeneratorLimited
	r.CutShort = r.CutShort || s.Unfinished > 0
}

// AddClimb adds a step of the climb.
func (r *LoadReport) AddClimb(s StepResult) {
	r.Climb = append(r.Climb, s)
	r.CutShort = r.CutShort || s.Unfinished > 0
}

// Last is the newest step, nil without any.
func (r *LoadReport) Last() *StepResult {
	switch {
	case len(r.Climb) > 0:
		return &r.Climb[len(r.Climb)-1]
	case len(r.Steps) > 0:
		return &r.Steps[len(r.Steps)-1]
	}
	return nil
}

func (c *Climb) validate() error {
	factor, err := ParseDecimal(c.Factor)
	if err != nil || factor < 1.01 || factor > 4 {
		return errors.New("factor is not a decimal between 1.01 and 4")
	}
	if ratio, err := ParseDecimal(c.ErrorRatio); err != nil || ratio > 1 {
		return errors.New("errorRatio is not a decimal between 0 and 1")
	}
	if c.Most < 1 || c.Most > maxClimb {
		return fmt.Errorf("not 1 to %d steps", maxClimb)
	}
	return (Step{RatePerSecond: "100000", Duration: c.Duration}).validate()
}

func (r *LoadReport) validateClimb() error {
	switch r.ClimbEnd {
	case "":
		if len(r.Climb) > 0 {
			return errors.New("climbEnd does not say why the climb ended")
		}
	case ClimbOverloaded, ClimbDone, ClimbLimited, ClimbCutShort:
	default:
		return errors.New("unknown climbEnd")
	}
	if len(r.Climb) > maxClimb {
		return fmt.Errorf("more than %d steps of a climb", maxClimb)
	}
	var before float64
	for i := range r.Climb {
		s := &r.Climb[i]
		if err := s.validate(); err != nil {
			return fmt.Errorf("climb[%d]: %w", i, err)
		}
		rate, err := ParseDecimal(s.RatePerSecond)
		if err != nil || rate <= before {
			return fmt.Errorf("climb[%d]: not above the step before", i)
		}
		if before = rate; s.Unfinished > 0 && !r.CutShort {
			return fmt.Errorf("climb[%d]: unfinished, but not cut short", i)
		}
	}
	return nil
}

// validateDetail checks what a step says beyond its counts and percentiles.
func (s *StepResult) validateDetail() error {
	if err := s.FirstByte.validate(); err != nil {
		return fmt.Errorf("firstByte: %w", err)
	}
	// The first byte of every answer comes before its last, so it does at every percentile.
	for _, pair := range [][2]Micros{{s.FirstByte.Min, s.Latency.Min}, {s.FirstByte.P50, s.Latency.P50}, {s.FirstByte.P95, s.Latency.P95},
		{s.FirstByte.P99, s.Latency.P99}, {s.FirstByte.Max, s.Latency.Max}} {
		if pair[0] > pair[1] {
			return errors.New("first bytes came after the last")
		}
	}
	if err := validateCurve(s.LatencyCurve, s.Latency); err != nil {
		return fmt.Errorf("latencyCurve: %w", err)
	}
	if err := validateCurve(s.FirstByteCurve, s.FirstByte); err != nil {
		return fmt.Errorf("firstByteCurve: %w", err)
	}
	if f := s.SecondHalf; f.Arrived < 0 || f.Arrived > s.Planned || f.Answered < 0 || f.Answered > s.Succeeded {
		return errors.New("secondHalf counts more than the step")
	}
	g := s.Generator
	for _, m := range []Micros{g.Processor, g.Available, g.Throttled} {
		if m < 0 || m > math.MaxInt64/8 {
			return errors.New("the generator's use is negative or absurd")
		}
	}
	return nil
}

func validateCurve(curve []Point, of Latency) error {
	if len(curve) > 2*len(CurveQuantiles) {
		return errors.New("too many points")
	}
	share, micros := int64(-1), Micros(0)
	for _, p := range curve {
		if p.PerMillion <= share || p.PerMillion > 1_000_000 || p.Micros < max(micros, of.Min) || p.Micros > of.Max {
			return errors.New("the points are not in order")
		}
		share, micros = p.PerMillion, p.Micros
	}
	return nil
}
