package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// made are levels of a known curve with noise of the given share, the same for the same seed.
func made(of USL, noise float64, seed uint64, ns ...float64) []Level {
	random := rand.New(rand.NewPCG(seed, seed))
	var out []Level
	for _, n := range ns {
		out = append(out, Level{N: n, C: of.curve(n) * (1 + noise*random.NormFloat64())})
	}
	return out
}

func TestFitUSLFindsWhatIsKnown(t *testing.T) {
	levels := []float64{1, 2, 4, 8, 12, 16, 24, 32, 48, 64}
	for name, c := range map[string]struct {
		of    USL
		noise float64
		// within is the tolerance of λ in shares, and of σ and of 100 κ in absolute numbers.
		within float64
		ns     []float64
	}{
		"exact":                  {USL{Lambda: 100, Sigma: 0.05, Kappa: 0.001}, 0, 1e-6, levels},
		"exact, five levels":     {USL{Lambda: 100, Sigma: 0.05, Kappa: 0.001}, 0, 1e-6, levels[:5]},
		"exact, below one":       {USL{Lambda: 40, Sigma: 0.1, Kappa: 0.02}, 0, 1e-6, []float64{0.2, 0.5, 1, 3, 7}},
		"one in a hundred":       {USL{Lambda: 100, Sigma: 0.05, Kappa: 0.001}, 0.01, 0.05, levels},
		"three in a hundred":     {USL{Lambda: 995, Sigma: 0.02, Kappa: 0.0005}, 0.03, 0.12, levels},
		"no coherency":           {USL{Lambda: 100, Sigma: 0.1}, 0, 1e-6, levels},
		"linear":                 {USL{Lambda: 100}, 0, 1e-6, levels},
		"linear, with noise":     {USL{Lambda: 100}, 0.02, 0.05, levels},
		"coherency, no waiting":  {USL{Lambda: 100, Kappa: 0.01}, 0, 1e-6, levels},
		"few levels, contention": {USL{Lambda: 100, Sigma: 0.1}, 0, 1e-6, []float64{1, 2, 4}},
	} {
		for seed := range uint64(20) {
			got, err := FitUSL(made(c.of, c.noise, seed, c.ns...))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if math.Abs(got.Lambda/c.of.Lambda-1) > c.within || math.Abs(got.Sigma-c.of.Sigma) > c.within ||
				100*math.Abs(got.Kappa-c.of.Kappa) > c.within {
				t.Errorf("%s, seed %d: got %+v, want %+v", name, seed, got, c.of)
			}
			if got.Sigma < 0 || got.Kappa < 0 || got.R2 > 1 || got.R2 < 0.9 || got.Levels != len(c.ns) || got.Coherency != (len(c.ns) >= 5) {
				t.Errorf("%s, seed %d: got %+v", name, seed, got)
			}
		}
	}
}

// The SPEC SDM91 benchmark of a SPARCcenter 2000, and what the package usl for R publishes as its fit.
func TestFitUSLAgreesWithAnother(t *testing.T) {
	got, err := FitUSL([]Level{{1, 64.9}, {18, 995.9}, {36, 1652.4}, {72, 1853.2}, {108, 1828.9}, {144, 1775.0}, {216, 1702.2}})
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.Sigma-0.0277285) > 5e-7 || math.Abs(got.Kappa-0.0001044) > 5e-8 || math.Abs(got.Lambda-90) > 0.01 {
		t.Errorf("got %+v, want σ = 0.0277285, κ = 0.0001044, λ = 90.0", got)
	}
	if peak, ok := got.Peak(); !ok || math.Abs(peak-96.5) > 0.2 {
		t.Errorf("the peak is at %v, %v; want 96.5", peak, ok)
	}
}

// The fit is a minimum: no small step in any direction that the bounds allow makes it better.
func TestFitUSLIsAMinimum(t *testing.T) {
	for seed := range uint64(50) {
		levels := made(USL{Lambda: 100, Sigma: 0.03, Kappa: 0.0004}, 0.05, seed, 1, 3, 6, 10, 20, 30, 50)
		got, err := FitUSL(levels)
		if err != nil {
			t.Fatal(err)
		}
		here := got.residual(levels)
		for _, step := range []USL{{Lambda: 1e-3}, {Lambda: -1e-3}, {Sigma: 1e-5}, {Sigma: -1e-5}, {Kappa: 1e-7}, {Kappa: -1e-7}} {
			there := USL{Lambda: got.Lambda + step.Lambda, Sigma: got.Sigma + step.Sigma, Kappa: got.Kappa + step.Kappa}
			if there.Sigma >= 0 && there.Kappa >= 0 && there.residual(levels) < here*(1-1e-9) {
				t.Errorf("seed %d: %+v is better than %+v", seed, there, got)
			}
		}
	}
}

func TestFitUSLRefuses(t *testing.T) {
	for name, levels := range map[string][]Level{
		"nothing":          nil,
		"one level":        {{1, 10}},
		"two levels":       {{1, 10}, {2, 20}},
		"two, many times":  {{1, 10}, {2, 20}, {1, 11}, {2, 19}, {2, 21}, {1, 10}},
		"nothing answered": {{1, 0}, {2, 20}, {3, 30}},
		"no load":          {{0, 10}, {2, 20}, {3, 30}},
		"negative":         {{1, -10}, {2, 20}, {3, 30}},
		"no number":        {{1, math.NaN()}, {2, 20}, {3, 30}},
		"no end":           {{1, 10}, {2, math.Inf(1)}, {3, 30}},
		"no number of N":   {{math.NaN(), 10}, {2, 20}, {3, 30}},
	} {
		if got, err := FitUSL(levels); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestUSLSaysNothingBeyondItsLevels(t *testing.T) {
	u, err := FitUSL(made(USL{Lambda: 100, Sigma: 0.02, Kappa: 0.0001}, 0, 1, 1, 2, 4, 8, 16))
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[float64]bool{0.5: false, 1: true, 3: true, 16: true, 17: false, math.NaN(): false, math.Inf(1): false} {
		if _, ok := u.At(n); ok != want {
			t.Errorf("At(%v) answers: %v", n, ok)
		}
	}
	if peak, ok := u.Peak(); ok {
		t.Errorf("a peak at %v that nobody has seen", peak)
	}
}

// Whatever the levels are, a fit keeps its bounds or is refused.
func FuzzFitUSL(f *testing.F) {
	f.Add(1.0, 10.0, 2.0, 18.0, 4.0, 30.0, 8.0, 40.0, 16.0, 35.0)
	f.Add(1.0, 1.0, 2.0, 1.0, 3.0, 1.0, 4.0, 1.0, 5.0, 1.0)
	f.Add(1e9, 1e12, 1e-9, 1e-12, 1.0, 1.0, 2.0, 3.0, 3.0, 1.0)
	f.Fuzz(func(t *testing.T, n1, c1, n2, c2, n3, c3, n4, c4, n5, c5 float64) {
		u, err := FitUSL([]Level{{n1, c1}, {n2, c2}, {n3, c3}, {n4, c4}, {n5, c5}})
		if err != nil {
			return
		}
		if !(u.Lambda > 0) || !(u.Sigma >= 0 && u.Sigma <= 1) || !(u.Kappa >= 0) || !(u.R2 <= 1+1e-9) || u.Levels < fewLevels || u.Levels < fullLevels && u.Kappa != 0 {
			t.Errorf("got %+v", u)
		}
	})
}
