package scalability

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/stats"
)

// Step is one rate that was sent, and what came of it.
type Step struct {
	// Rate of arrivals and Throughput of good answers, a second.
	Rate, Throughput float64
	// Times to the complete answer.
	Mean, P50, P95, P99 time.Duration
	// Overloaded means that the promises were not kept, or that answers did not keep up with arrivals.
	Overloaded bool
	// Judged tells the demanded step from those of the climb.
	Judged bool
}

// concurrent is the mean number of requests under way, by Little's law: L = λW.
func (s Step) concurrent() float64 { return s.Throughput * s.Mean.Seconds() }

// Capacity is what a number of replicas carries.
type Capacity struct {
	Replicas int
	// Usable is the largest rate at which the promises were kept, as they were at all smaller ones: the usable capacity of
	// R. Jain, "The Art of Computer Systems Performance Analysis", Wiley 1991, section 3.3. 0 where not even the smallest
	// was carried.
	Usable float64
	// Knee is the rate with the largest power, throughput over mean response time, among those: beyond it, more load costs
	// more waiting than it gains answers (L. Kleinrock, "Power and Deterministic Rules of Thumb for Probabilistic
	// Problems in Computer Communications", ICC 1979; Jain calls it knee capacity).
	Knee float64
	// Bracketed means that an overloaded step was seen above Usable, at Over. Without one the replicas carry at least Usable.
	Bracketed bool
	Over      float64
	// KneeSeen means that power was seen to fall, or the subject to be overloaded, above Knee.
	KneeSeen bool
	// Steps that say something about the subject, by rate.
	Steps []Step
}

// Carries is the rate up to which the replicas are to be used.
func (c Capacity) Carries() float64 { return min(c.Knee, c.Usable) }

// CapacityOf reads what a number of replicas carried. Steps that the generator limited, or that were cut short, say
// nothing and are left out.
func CapacityOf(r *evidence.LoadReport, d Demand, replicas int) Capacity {
	c := Capacity{Replicas: replicas, Steps: stepsOf(r, d)}
	var power float64
	for _, s := range c.Steps {
		if s.Overloaded {
			c.Bracketed, c.Over, c.KneeSeen = true, s.Rate, true
			break
		}
		c.Usable = s.Rate
		if p := s.Throughput / s.Mean.Seconds(); p > power {
			power, c.Knee = p, s.Rate
		}
	}
	c.KneeSeen = c.KneeSeen || c.Knee < c.Usable
	return c
}

func stepsOf(r *evidence.LoadReport, d Demand) []Step {
	var out []Step
	add := func(results []evidence.StepResult, judged bool) {
		for _, s := range results {
			rate, err := evidence.ParseDecimal(s.RatePerSecond)
			if err != nil || s.GeneratorLimited || s.Unfinished > 0 || s.Lag.P99.Std() > maxLag(d.LatencyP95) || s.Planned == 0 {
				continue
			}
			out = append(out, Step{
				Rate: rate, Throughput: rate * float64(s.Succeeded) / float64(s.Planned),
				// A mean below a microsecond is written as 0, which can't be divided by.
				Mean: max(s.Latency.Mean.Std(), time.Microsecond), P50: s.Latency.P50.Std(), P95: s.Latency.P95.Std(), P99: s.Latency.P99.Std(),
				Overloaded: s.Overloaded(d.ErrorRatio, evidence.Duration(d.FirstWithin)), Judged: judged,
			})
		}
	}
	add(r.Steps, true)
	add(r.Climb, false)
	slices.SortStableFunc(out, func(a, b Step) int { return cmp.Compare(a.Rate, b.Rate) })
	return out
}

// leastR2 is how much of the variance a fit has to explain before anything is said by it.
const leastR2 = 0.9

// fitLoad fits the Universal Scalability Law over the concurrency of one number of replicas: N by Little's law, C the
// throughput. An overloaded step is in no steady state, for which Little's law holds, and is left out.
func (c Capacity) fitLoad() (stats.USL, error) {
	var levels []stats.Level
	for _, s := range c.Steps {
		if !s.Overloaded && s.Throughput > 0 {
			levels = append(levels, stats.Level{N: s.concurrent(), C: s.Throughput})
		}
	}
	u, err := stats.FitUSL(levels)
	switch {
	case err != nil:
		return u, err
	case !u.Coherency:
		return u, fmt.Errorf("%d levels of load are too few for a curve of one number of replicas: it takes 5", u.Levels)
	case u.R2 < leastR2:
		return u, fmt.Errorf("the curve explains %s of 100 parts of what was seen, which is too little", short(100*max(u.R2, 0)))
	}
	return u, nil
}

// fitReplicas fits the law over the number of replicas: N replicas carry C.
func fitReplicas(capacities []Capacity) (stats.USL, error) {
	var levels []stats.Level
	for _, c := range capacities {
		if c.Carries() > 0 && c.Bracketed {
			levels = append(levels, stats.Level{N: float64(c.Replicas), C: c.Carries()})
		}
	}
	u, err := stats.FitUSL(levels)
	if err == nil && u.R2 < leastR2 {
		err = fmt.Errorf("the curve explains %s of 100 parts of what was seen, which is too little", short(100*max(u.R2, 0)))
	}
	return u, err
}

// Describe says in a few words where the knee is.
func (c Capacity) Describe() string {
	switch {
	case c.Usable == 0:
		return ""
	case !c.KneeSeen:
		return fmt.Sprintf("no knee up to %s req/s", short(c.Usable))
	case c.Knee < c.Usable && c.Bracketed:
		return fmt.Sprintf("knee at %s req/s, promises kept up to %s, not at %s", short(c.Knee), short(c.Usable), short(c.Over))
	case c.Knee < c.Usable:
		return fmt.Sprintf("knee at %s req/s, promises kept up to %s", short(c.Knee), short(c.Usable))
	}
	return fmt.Sprintf("knee at %s req/s, overloaded at %s", short(c.Knee), short(c.Over))
}
