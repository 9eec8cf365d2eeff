package scalability_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/gate/scalability"
)

func carries(n int, rate float64) scalability.Capacity {
	return scalability.Capacity{Replicas: n, Usable: rate, Knee: rate, Bracketed: true, KneeSeen: true, Over: rate * 1.4}
}

func keeping(c scalability.Capacity, usable float64) scalability.Capacity {
	c.Usable = usable
	return c
}

func sizing(capacities ...scalability.Capacity) scalability.Sizing {
	return scalability.Sizing{Demand: demanded, Headroom: 1.5, Capacities: capacities, Least: 2, Most: 10}
}

func TestRecommend(t *testing.T) {
	type want struct {
		replicas, min, max int32
		enough             bool
		says               string
	}
	for name, c := range map[string]struct {
		in   scalability.Sizing
		want want
	}{
		"one is plenty":              {sizing(carries(1, 74)), want{1, 2, 3, true, "One replica carries 74 req/s at its knee, measured with 1 replica."}},
		"one would do, none to lose": {with(sizing(carries(1, 74)), func(s *scalability.Sizing) { s.Least = 1 }), want{1, 1, 2, true, "takes 1 replica"}},
		"the demand takes more":      {sizing(carries(1, 8)), want{4, 3, 6, true, "if each carries as much"}},
		"as measured":                {sizing(carries(1, 12), carries(2, 22), carries(4, 40)), want{3, 2, 5, true, "takes 3 replicas"}},
		"exactly what was measured":  {sizing(carries(1, 10), carries(2, 18), carries(4, 30)), want{4, 3, 6, true, "takes 4 replicas"}},
		"no fit, the number below":   {sizing(carries(1, 12), carries(4, 36)), want{4, 4, 6, true, "takes 4 replicas"}},
		"beyond one":                 {sizing(carries(1, 6)), want{5, 4, 8, true, "that was not measured"}},
		"beyond, without a curve":    {sizing(carries(1, 6), carries(2, 10)), want{10, 10, 10, false, "can't be told without a curve"}},
		"beyond, but promises kept":  {sizing(carries(1, 6), keeping(carries(2, 10), 42)), want{2, 2, 3, false, "can't be told without a curve"}},
		"beyond, on the curve":       {sizing(carries(1, 6), carries(2, 11.5), carries(3, 16.5), carries(4, 21), carries(5, 25.2)), want{7, 4, 10, true, "if the curve goes on as it was up to 5; that was not measured"}},
		"beyond, of three numbers":   {sizing(carries(1, 6), carries(2, 11.5), carries(4, 21)), want{10, 4, 10, false, "can't be told without a curve that fits five numbers"}},
		"beyond, of four numbers":    {sizing(carries(1, 6), carries(2, 11.5), carries(3, 16.5), carries(4, 21)), want{10, 4, 10, false, "can't be told"}},
		// They carry 10n/(1+0.45(n−1)); the curve would go on to 20.4, which is 14 of them.
		"on the curve, hardly more": {with(sizing(carries(1, 10), carries(2, 13.793), carries(4, 17.021), carries(8, 19.277), carries(10, 19.802)),
			func(s *scalability.Sizing) { s.Demand.Rate, s.Most = 13.6, 20 }), want{20, 2, 20, false, "they wait for something that they share"}},
		"beyond, on no curve":       {sizing(carries(1, 6), carries(2, 20), carries(4, 22)), want{10, 2, 10, false, "can't be told"}},
		"they wait for each other":  {sizing(carries(1, 10), carries(2, 16), carries(4, 16.2)), want{10, 10, 10, false, "they wait for something that they share"}},
		"they get slower":           {sizing(carries(1, 16), carries(2, 22), carries(4, 18)), want{10, 2, 10, false, "they wait"}},
		"the policy allows too few": {sizing(carries(1, 2)), want{15, 10, 10, false, "The policy allows 10 at most."}},
		"unordered, twice":          {sizing(carries(4, 36), carries(1, 12), carries(1, 99)), want{4, 4, 6, true, ""}},
		"only two were measured":    {sizing(carries(2, 30)), want{2, 2, 3, true, "measured with 2 replicas"}},
		"one of them carried none":  {sizing(scalability.Capacity{Replicas: 1}, carries(2, 30)), want{2, 2, 3, true, ""}},
		"no knee was seen":          {sizing(scalability.Capacity{Replicas: 1, Usable: 30, Knee: 30}), want{1, 2, 3, true, "at least, for no knee was seen"}},
	} {
		got, err := scalability.Recommend(c.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (want{got.Replicas, got.Min, got.Max, got.Enough, c.want.says}) != c.want || !strings.Contains(strings.Join(got.Why, " "), c.want.says) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		if got.Min < c.in.Least || got.Max > c.in.Most || got.Min > got.Max {
			t.Errorf("%s: %d to %d is not within the policy's bounds", name, got.Min, got.Max)
		}
	}
}

func with(s scalability.Sizing, change func(*scalability.Sizing)) scalability.Sizing {
	change(&s)
	return s
}

func TestRecommendRefuses(t *testing.T) {
	for name, change := range map[string]func(*scalability.Sizing){
		"nothing was measured": func(s *scalability.Sizing) { s.Capacities = nil },
		"nothing was carried":  func(s *scalability.Sizing) { s.Capacities = []scalability.Capacity{{Replicas: 1, Bracketed: true}} },
		"no demand":            func(s *scalability.Sizing) { s.Demand = scalability.Demand{} },
		"a demand of NaN":      func(s *scalability.Sizing) { s.Demand.Rate = math.NaN() },
		"no headroom":          func(s *scalability.Sizing) { s.Headroom = 0 },
		"no replicas":          func(s *scalability.Sizing) { s.Least, s.Most = 0, 0 },
		"fewer than few":       func(s *scalability.Sizing) { s.Least, s.Most = 5, 3 },
		"a capacity of NaN":    func(s *scalability.Sizing) { s.Capacities = []scalability.Capacity{carries(1, math.NaN())} },
	} {
		s := sizing(carries(1, 74))
		change(&s)
		if got, err := scalability.Recommend(s); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// More demand never takes fewer replicas, and what is recommended carries the demand wherever it is said to be enough.
func TestRecommendGrowsWithTheDemand(t *testing.T) {
	for _, capacities := range [][]scalability.Capacity{
		{carries(1, 7)}, {carries(1, 7), carries(2, 13), carries(4, 24)}, {carries(1, 7), carries(2, 13), carries(3, 18), carries(4, 22), carries(8, 33)},
	} {
		before := int32(0)
		for rate := 0.5; rate < 200; rate += 0.5 {
			s := sizing(capacities...)
			s.Demand.Rate, s.Least, s.Most = rate, 1, 1000
			got, err := scalability.Recommend(s)
			if err != nil {
				t.Fatal(err)
			}
			if got.Replicas < before || got.Min > got.Replicas || got.Max < got.Replicas {
				t.Fatalf("%v req/s: %+v after %d", rate, got, before)
			}
			before = got.Replicas
		}
	}
}

func TestDemandSaysWhenAnswersBegin(t *testing.T) {
	d := demanded
	d.FirstWithin = 500 * time.Millisecond
	if got := d.Explain(); !strings.Contains(got, "95 of 100 must begin within 500 ms and be complete within 2 s") {
		t.Errorf("got %q", got)
	}
}
