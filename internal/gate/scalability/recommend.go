package scalability

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
)

const (
	// helps is by how much one more measured number of replicas has to carry more than the one before, for more to help at all.
	helps = 1.05
	// maxReplicas is the largest number that a recommendation looks at.
	maxReplicas = 1000
)

// Sizing is what a recommendation rests on.
type Sizing struct {
	Demand   Demand
	Headroom float64
	// Capacities by number of replicas.
	Capacities []Capacity
	// Least and Most replicas that there may be.
	Least, Most int32
	// From is the smallest number that may do: fewer were seen not to keep the promises.
	From int32

	// curve over the numbers of replicas; nil where none fits.
	curve *stats.USL
}

// Recommendation is what production should have. Limits stay those that are declared: the subject was measured under them, and
// with others it would be another.
type Recommendation struct {
	// Replicas that carry the demand with headroom.
	Replicas int32
	// Min and Max of the autoscaler, within the policy's bounds.
	Min, Max int32
	// PerReplica is the rate that was reckoned with for one of them.
	PerReplica float64
	// Enough is false where even the largest number of replicas that the policy allows would not carry the demand with
	// headroom, as far as was measured.
	Enough bool
	// Why says in sentences how it was found, and what was assumed.
	Why []string
}

// Recommend sizes production. It takes the smallest number of replicas that carries the demand with headroom at their knee: as
// measured, and otherwise by the curve that is fitted to what was; beyond that only by one over five numbers, and it says so. Where only one number
// was measured, more are taken to carry in proportion, which it says as well. Where none is known to carry it so, it takes the
// smallest that was seen to keep the promises at that rate. The autoscaler begins with what carries the demand itself, and may go to what carries the
// demand with headroom at its target utilization. The error says why nothing can be recommended.
func Recommend(s Sizing) (Recommendation, error) {
	if err := s.validate(); err != nil {
		return Recommendation{}, err
	}
	s.Capacities = carrying(s.Capacities)
	if len(s.Capacities) == 0 {
		return Recommendation{}, errors.New("no rate was seen at which the promises were kept")
	}
	if u, err := fitReplicas(s.Capacities); err == nil {
		s.curve = &u
	}
	wanted := s.Demand.Rate * s.Headroom
	n, assumed := s.replicasFor(wanted)
	base, _ := s.replicasFor(s.Demand.Rate)
	r := Recommendation{Replicas: cmp.Or(n, s.keeping(wanted)), Enough: n > 0 && n <= s.Most}
	base = cmp.Or(base, s.keeping(s.Demand.Rate))
	last := s.Capacities[len(s.Capacities)-1]
	r.PerReplica = last.Carries() / float64(last.Replicas)
	r.Min = clamp(base, s.Least, s.Most)
	r.Max = clamp(max(ceil(float64(r.Replicas)*100/gate.Utilization), r.Min+1), r.Min, s.Most)
	r.Why = s.why(r, n, assumed, wanted)
	return r, nil
}

func (s Sizing) validate() error {
	if err := s.Demand.validate(); err != nil {
		return err
	}
	switch {
	case !(s.Headroom >= 1 && s.Headroom < 1000):
		return fmt.Errorf("a headroom of %v is not between 1 and 1000", s.Headroom)
	case s.Least < 1 || s.Most < s.Least || s.Most > maxReplicas:
		return fmt.Errorf("the policy's replicas are not between 1 and %d", maxReplicas)
	}
	return nil
}

// carrying are the capacities that carry something, by number of replicas, each once.
func carrying(all []Capacity) []Capacity {
	var out []Capacity
	for _, c := range all {
		if c.Replicas > 0 && c.Carries() > 0 {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b Capacity) int { return cmp.Compare(a.Replicas, b.Replicas) })
	return slices.CompactFunc(out, func(a, b Capacity) bool { return a.Replicas == b.Replicas })
}

// replicasFor is the smallest number that carries a rate, and whether that assumes more than was measured; 0 where
// none does.
func (s Sizing) replicasFor(rate float64) (n int32, assumed bool) {
	for n := max(s.From, 1); n <= maxReplicas; n++ {
		carries, known := s.carried(int(n))
		if carries >= rate-rounding {
			return n, !known
		}
	}
	return 0, true
}

// keeping is the smallest number of replicas that was seen to keep the promises at a rate, or all that there may be.
func (s Sizing) keeping(rate float64) int32 {
	for _, c := range s.Capacities {
		if c.Usable >= rate-rounding {
			return int32(c.Replicas)
		}
	}
	return s.Most
}

// carried is what a number of replicas carries, and whether that is known or only assumed.
func (s Sizing) carried(n int) (rate float64, known bool) {
	first, last := s.Capacities[0], s.Capacities[len(s.Capacities)-1]
	var below Capacity
	for _, c := range s.Capacities {
		switch {
		case c.Replicas == n:
			return c.Carries(), true
		case c.Replicas < n:
			below = c
		}
	}
	switch {
	case n < first.Replicas:
		return first.Carries() * float64(n) / float64(first.Replicas), false
	case n < last.Replicas:
		if s.curve != nil {
			if carries, ok := s.curve.At(float64(n)); ok {
				return carries, true
			}
		}
		// Without a curve, no more than the next smaller number that was measured.
		return below.Carries(), true
	case len(s.Capacities) == 1:
		return last.Carries() * float64(n) / float64(last.Replicas), false
	case s.curve != nil && s.curve.Coherency && !s.saturates():
		// Over fewer than five numbers the law has one degree of freedom or two, and nothing of what agreeing costs: it explains nearly
		// any rise, and goes on for ever.
		return s.curve.Beyond(float64(n)), false
	}
	return last.Carries(), false
}

// saturates tells whether the largest number of replicas carried hardly more than the one before it, so that more of
// them can't be assumed to help: they wait for something that they share.
func (s Sizing) saturates() bool {
	n := len(s.Capacities)
	return n > 1 && s.Capacities[n-1].Bracketed && s.Capacities[n-1].Carries() < helps*s.Capacities[n-2].Carries()
}

func clamp(n, low, high int32) int32 { return min(max(n, low), high) }

// ceil rounds up; the tiny subtraction keeps 7·100/70 at 10 where the quotient in binary is a little more.
func ceil(v float64) int32 { return int32(min(math.Ceil(v-1e-9), math.MaxInt32-1)) }

func (s Sizing) why(r Recommendation, n int32, assumed bool, wanted float64) []string {
	last := s.Capacities[len(s.Capacities)-1]
	at := "at its knee"
	if !last.KneeSeen {
		at = "at least, for no knee was seen"
	}
	out := []string{fmt.Sprintf("One replica carries %s req/s %s, measured with %s.", short(r.PerReplica), at, replicas(last.Replicas))}
	switch {
	case n == 0:
		out = append(out, s.whyNone(wanted))
	case assumed && int(n) > last.Replicas && len(s.Capacities) > 1:
		out = append(out, fmt.Sprintf("%s carry %s req/s, the demand with headroom, if the curve goes on as it was up to %d; that was not measured.", replicas(int(n)), short(wanted), last.Replicas))
	case assumed && int(n) > last.Replicas:
		out = append(out, fmt.Sprintf("%s carry %s req/s, the demand with headroom, if each carries as much as of the %d that were measured; that was not measured.", replicas(int(n)), short(wanted), last.Replicas))
	default:
		out = append(out, fmt.Sprintf("The demand with headroom, %s req/s, takes %s.", short(wanted), replicas(int(n))))
	}
	if n > s.Most {
		out = append(out, fmt.Sprintf("The policy allows %d at most.", s.Most))
	}
	return out
}

func (s Sizing) whyNone(wanted float64) string {
	none := fmt.Sprintf("No number of replicas is known to carry %s req/s, the demand with headroom, at its knee: ", short(wanted))
	if s.saturates() {
		return none + "more of them carried no more, so they wait for something that they share."
	}
	return none + "what more of them carry than were measured can't be told without a curve that fits five numbers of them."
}

func replicas(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return fmt.Sprintf("%d replicas", n)
}
