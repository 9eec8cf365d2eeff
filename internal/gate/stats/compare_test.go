package stats

import (
	"math"
	"math/bits"
	"testing"
)

// At 5 times in 100 it is ShowsLess, and the rarer it may err, the less it shows.
func TestShowsLessBut(t *testing.T) {
	for n := int64(-1); n <= 60; n++ {
		for k := int64(-1); k <= n+1; k++ {
			if got, want := ShowsLessBut(0.05, k, n, 0.8), ShowsLess(k, n, 0.8); got != want {
				t.Errorf("%d of %d: %t, want %t", k, n, got, want)
			}
			if ShowsLessBut(0.001, k, n, 0.8) && !ShowsLess(k, n, 0.8) {
				t.Errorf("%d of %d are shown more surely than at all", k, n)
			}
		}
	}
	// Wilson's upper bounds of 15 and 16 of 25 at z = 3.0902 are 0.8314 and 0.8566.
	if !ShowsLessBut(0.001, 15, 25, 0.85) || ShowsLessBut(0.001, 16, 25, 0.85) || !ShowsLess(17, 25, 0.85) {
		t.Error("not where Wilson's bound is")
	}
	for _, rate := range []float64{0, -1, 0.5, 1, math.NaN(), math.Inf(1)} {
		if ShowsLessBut(rate, 0, 1000, 0.9) {
			t.Errorf("shown by a rate of %v", rate)
		}
	}
}

// Every way in which the marked ones could have fallen into two samples, counted one by one.
func TestFisherAgainstEveryOutcome(t *testing.T) {
	for n1 := range 7 {
		for n2 := range 7 {
			for k1 := range n1 + 1 {
				for k2 := range n2 + 1 {
					few, all := 0, 0
					for mask := range 1 << (n1 + n2) {
						if bits.OnesCount(uint(mask)) != k1+k2 {
							continue
						}
						all++
						if bits.OnesCount(uint(mask>>n1)) <= k2 {
							few++
						}
					}
					want := float64(few) / float64(all)
					if n1 == 0 || n2 == 0 {
						want = 1
					}
					if got := Fisher(int64(k1), int64(n1), int64(k2), int64(n2)); math.Abs(got-want) > 1e-12 {
						t.Errorf("%d of %d, then %d of %d: %v, want %v", k1, n1, k2, n2, got, want)
					}
				}
			}
		}
	}
}

func TestFisherAtItsEnds(t *testing.T) {
	for name, c := range map[string]struct {
		k1, n1, k2, n2 int64
		least, most    float64
	}{
		"nearly all, then one":  {199, 200, 1, 200, 0, 1e-100},
		"all, then all":         {200, 200, 200, 200, 1, 1},
		"a little less":         {150, 200, 140, 200, 0.1, 0.2},
		"more than there are":   {201, 200, 1, 200, 1, 1},
		"fewer than none":       {-1, 200, 1, 200, 1, 1},
		"none of the second":    {1, 200, 0, 0, 1, 1},
		"none then":             {0, 200, 0, 200, 1, 1},
		"as many as can be had": {4000, 4000, 2000, 4000, 0, 1e-300},
	} {
		if got := Fisher(c.k1, c.n1, c.k2, c.n2); !(got >= c.least && got <= c.most+1e-12) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
