package stats

import (
	"math"
	"testing"
)

func TestWilson(t *testing.T) {
	// Wilson's formula, computed apart from this code.
	for _, c := range []struct {
		k, n         int64
		lower, upper float64
	}{
		{0, 10, 0, 0.21295},
		{1, 10, 0.02263, 0.34772},
		{5, 10, 0.26932, 0.73068},
		{10, 10, 0.78705, 1},
		{0, 268, 0, 0.009994},
		{0, 267, 0, 0.010031},
		{0, 52, 0, 0.04946},
	} {
		lower, upper := Wilson(c.k, c.n)
		if math.Abs(lower-c.lower) > 5e-5 || math.Abs(upper-c.upper) > 5e-5 {
			t.Errorf("Wilson(%d, %d) = %.6f, %.6f; want %.5f, %.5f", c.k, c.n, lower, upper, c.lower, c.upper)
		}
	}
	for _, c := range [][2]int64{{0, 0}, {1, 0}, {-1, 10}, {11, 10}, {5, -5}} {
		if lower, upper := Wilson(c[0], c[1]); lower != 0 || upper != 1 {
			t.Errorf("Wilson(%d, %d) = %v, %v: nothing is known", c[0], c[1], lower, upper)
		}
	}
}

func TestWilsonBracketsTheProportion(t *testing.T) {
	for n := int64(1); n < 200; n++ {
		before := -1.0
		for k := int64(0); k <= n; k++ {
			lower, upper := Wilson(k, n)
			p := float64(k) / float64(n)
			if lower < 0 || upper > 1 || lower > p || upper < p || upper <= before {
				t.Fatalf("Wilson(%d, %d) = %v, %v", k, n, lower, upper)
			}
			before = upper
		}
	}
}

func TestNeeded(t *testing.T) {
	for ratio, want := range map[float64]int64{0.01: 268, 0.05: 52, 0.5: 3, 1: 1, 2: 1} {
		if got := NeededForRatio(ratio); got != want {
			t.Errorf("NeededForRatio(%v) = %d, want %d", ratio, got, want)
		}
	}
	for ratio := 0.001; ratio < 1; ratio += 0.007 {
		n := NeededForRatio(ratio)
		if _, upper := Wilson(0, n); upper > ratio+1e-9 {
			t.Errorf("%d samples do not show %v: %v", n, ratio, upper)
		}
		if _, upper := Wilson(0, n-1); n > 1 && upper <= ratio {
			t.Errorf("%d samples already show %v", n-1, ratio)
		}
	}
	for _, none := range []float64{0, -1, math.NaN()} {
		if got := NeededForRatio(none); got != math.MaxInt64 {
			t.Errorf("NeededForRatio(%v) = %d", none, got)
		}
	}
	if n := NeededFor(5, 1000, 0.01); n < 1000 || n > 2000 {
		t.Errorf("half of the allowed failures need %d samples", n)
	} else if _, upper := Wilson((5*n+999)/1000, n); upper > 0.01 {
		t.Errorf("%d samples do not show it: %v", n, upper)
	}
	for _, c := range []struct {
		k, n  int64
		ratio float64
	}{{1, 100, 0.01}, {5, 100, 0.01}, {0, 0, 0.5}, {-1, 5, 0.5}, {6, 5, 0.5}, {0, 5, math.NaN()}} {
		if got := NeededFor(c.k, c.n, c.ratio); got != math.MaxInt64 {
			t.Errorf("NeededFor(%d, %d, %v) = %d, but it would never show", c.k, c.n, c.ratio, got)
		}
	}
}

func TestPoissonQuantile(t *testing.T) {
	// Published tables: P(X ≤ 3 | 1) = 0.98101, P(X ≤ 4 | 1) = 0.99634; P(X ≤ 15 | 10) = 0.95126, P(X ≤ 18 | 10) = 0.99281.
	for _, c := range []struct {
		mean, p float64
		want    int64
	}{
		{1, 0.98, 3}, {1, 0.99, 4}, {1, 0.36, 0}, {1, 0.37, 1}, {10, 0.95, 15}, {10, 0.99, 18}, {1, 1 - 0.01/60, 6},
		{0, 0.9, 0}, {-1, 0.9, 0}, {math.NaN(), 0.9, 0}, {math.Inf(1), 0.9, 0}, {5, 0, 0}, {5, 1, 0}, {5, math.NaN(), 0},
	} {
		if got := PoissonQuantile(c.mean, c.p); got != c.want {
			t.Errorf("PoissonQuantile(%v, %v) = %d, want %d", c.mean, c.p, got, c.want)
		}
	}
	// For a large mean the quantile is close to the normal distribution's: mean + 3.588·√mean.
	for _, mean := range []float64{1e3, 1e5, 1.7e6} {
		got, want := float64(PoissonQuantile(mean, 1-0.01/60)), mean+3.588*math.Sqrt(mean)
		if math.Abs(got-want) > 0.05*math.Sqrt(mean)+5 {
			t.Errorf("mean %v: %v, the normal approximation says %v", mean, got, want)
		}
	}
}
