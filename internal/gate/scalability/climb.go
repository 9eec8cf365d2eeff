package scalability

import (
	"math"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// Climbing says how far above the judged rate it is looked for the knee; the zero value means not at all.
type Climbing struct {
	// UpTo is the factor of the judged rate at which the climb ends, 1 to 64.
	UpTo float64
}

const (
	// gentle is the largest factor between two steps of a climb: a knee is found to within two fifths of its rate.
	gentle = math.Sqrt2
	// slowest is the number of answers that may come one after the other in a step of the climb, each as late as is
	// promised: fewer would not show a queue that grows.
	slowest = 4
	// fewest is how many requests a step of the climb holds at least.
	fewest = 60
	// longestClimbStep bounds a step of the climb.
	longestClimbStep = time.Minute
	// farthest is the largest factor of the judged rate to which it climbs.
	farthest = 64
)

// plan is the climb above a judged rate and duration; nil for none, also where answers may take so long that a step could
// not show whether they keep up.
func (c Climbing) plan(d Demand, rate float64, judged evidence.Duration) *evidence.Climb {
	if !(c.UpTo > 1) {
		return nil
	}
	duration := max(min(judged.Std()/4, longestClimbStep), slowest*d.LatencyP95, shortestWarmUp, seconds(math.Ceil(fewest/(rate*gentle))))
	if duration > longestClimbStep {
		return nil
	}
	most := int(math.Ceil(math.Log(min(c.UpTo, farthest))/math.Log(gentle) - 1e-9))
	factor, err := evidence.FormatDecimal(max(math.Pow(min(c.UpTo, farthest), 1/float64(most)), 1.01))
	ratio, errRatio := evidence.FormatDecimal(d.ErrorRatio)
	if err != nil || errRatio != nil {
		return nil
	}
	return &evidence.Climb{Factor: factor, Most: most, Duration: evidence.Duration(duration), ErrorRatio: ratio}
}
