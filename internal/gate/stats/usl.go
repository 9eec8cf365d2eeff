package stats

import (
	"errors"
	"fmt"
	"math"
)

const (
	// fullLevels is how many different levels a fit of all three of the law's coefficients needs: with fewer, the curve goes
	// through the points whatever they are. It is what Gunther asks for.
	fullLevels = 5
	// fewLevels is how many a fit without coherency needs: two unknowns, and one level more that could contradict.
	fewLevels = 3
	// rounds is how often the fit is improved at most.
	rounds = 200
)

// Level is one measurement: N units of load or of capacity, and the throughput C.
type Level struct{ N, C float64 }

// USL is the Universal Scalability Law as fitted to measured levels,
//
//	C(N) = λN / (1 + σ(N−1) + κN(N−1))
//
// where σ is the share of work for which units wait for each other (contention) and κ the one for which each has to agree with each
// (coherency). N. J. Gunther, "Guerrilla Capacity Planning", Springer 2007, chapters 4 to 6.
type USL struct {
	Lambda, Sigma, Kappa float64
	// R2 is the share of the variance of C that the curve explains.
	R2 float64
	// Levels is how many different N there were, Least and Most of them.
	Levels      int
	Least, Most float64
	// Coherency tells whether κ was fitted, or taken as 0 for want of levels (Amdahl's law).
	Coherency bool
}

// FitUSL fits the law by least squares in C under λ > 0, 0 ≤ σ ≤ 1 and κ ≥ 0. With five different levels or more it fits all
// three coefficients, with three or four it takes κ as 0; with fewer it refuses, for any curve would fit.
//
// N/C = a + b(N−1) + cN(N−1) is linear in a = 1/λ, b = σ/λ and c = κ/λ. Weighted by NC/D³, D being the fitted N/C, its
// normal equations are those of least squares in C, so solving them again with the new D ends there. The optimum under the bounds
// is the best of the fits in which some coefficients are free and the others 0.
func FitUSL(levels []Level) (USL, error) {
	distinct, err := distinctLevels(levels)
	if err != nil {
		return USL{}, err
	}
	if distinct < fewLevels {
		return USL{}, fmt.Errorf("%d levels say nothing about a curve: it takes %d", distinct, fewLevels)
	}
	sets := [][3]bool{{true, true, false}, {true, false, false}}
	if distinct >= fullLevels {
		sets = append(sets, [3]bool{true, true, true}, [3]bool{true, false, true})
	}
	best, least, found := USL{}, math.Inf(1), false
	for _, free := range sets {
		u, ok := fitFree(levels, free)
		if sse := u.residual(levels); ok && sse < least {
			best, least, found = u, sse, true
		}
	}
	if !found {
		return USL{}, errors.New("no curve of the law fits the levels")
	}
	best.R2, best.Levels, best.Coherency = determination(levels, least), distinct, distinct >= fullLevels
	best.Least, best.Most = math.Inf(1), 0
	for _, l := range levels {
		best.Least, best.Most = min(best.Least, l.N), max(best.Most, l.N)
	}
	return best, nil
}

func distinctLevels(levels []Level) (int, error) {
	seen := map[float64]bool{}
	for _, l := range levels {
		if !(l.N > 0 && l.C > 0) || l.N > 1e9 || l.C > 1e12 {
			return 0, errors.New("a level is not above zero")
		}
		seen[l.N] = true
	}
	return len(seen), nil
}

// curve is the law without bounds on where it is asked.
func (u USL) curve(n float64) float64 {
	return u.Lambda * n / (1 + u.Sigma*(n-1) + u.Kappa*n*(n-1))
}

// At is the throughput at a level within those that were measured; false beyond, where nothing is known.
func (u USL) At(n float64) (float64, bool) {
	if !(n >= u.Least && n <= u.Most) {
		return 0, false
	}
	return u.curve(n), true
}

// Beyond is the throughput to which the curve goes on above the levels that were measured. Nothing was seen there: who uses it has to say
// so.
func (u USL) Beyond(n float64) float64 { return u.curve(n) }

// Peak is the level with the largest throughput, √((1−σ)/κ), if it lies within those that were measured.
func (u USL) Peak() (float64, bool) {
	if !(u.Kappa > 0) {
		return 0, false
	}
	peak := math.Sqrt((1 - u.Sigma) / u.Kappa)
	return peak, peak >= u.Least && peak <= u.Most
}

func (u USL) residual(levels []Level) float64 {
	var sum float64
	for _, l := range levels {
		d := l.C - u.curve(l.N)
		sum += d * d
	}
	if math.IsNaN(sum) {
		return math.Inf(1)
	}
	return sum
}

// determination is R²: 1 − Σ(C−Ĉ)²/Σ(C−C̄)². Levels that are all the same have no variance to explain: 0.
func determination(levels []Level, residual float64) float64 {
	var mean, total float64
	for _, l := range levels {
		mean += l.C / float64(len(levels))
	}
	for _, l := range levels {
		total += (l.C - mean) * (l.C - mean)
	}
	if total <= 0 {
		return 0
	}
	return 1 - residual/total
}

// fitFree fits the coefficients that are free, the others being 0; false where they leave their bounds.
func fitFree(levels []Level, free [3]bool) (USL, bool) {
	fitted := make([]float64, len(levels))
	for i, l := range levels {
		fitted[i] = l.N / l.C
	}
	var u USL
	for range rounds {
		p, ok := solveWeighted(levels, fitted, free)
		if !ok || !(p[0] > 0) {
			return USL{}, false
		}
		next := USL{Lambda: 1 / p[0], Sigma: p[1] / p[0], Kappa: p[2] / p[0]}
		for i, l := range levels {
			if fitted[i] = l.N / next.curve(l.N); !(fitted[i] > 0) {
				return USL{}, false
			}
		}
		if done := math.Abs(next.Lambda-u.Lambda) <= 1e-12*next.Lambda; done {
			u = next
			break
		}
		u = next
	}
	return u, u.Sigma >= 0 && u.Sigma <= 1 && u.Kappa >= 0
}

// solveWeighted solves the normal equations for the free ones of a, b and c.
func solveWeighted(levels []Level, fitted []float64, free [3]bool) ([3]float64, bool) {
	var m [3][4]float64
	for i, l := range levels {
		x := [3]float64{1, l.N - 1, l.N * (l.N - 1)}
		w := l.N * l.C / (fitted[i] * fitted[i] * fitted[i])
		for r := range 3 {
			for c := range 3 {
				m[r][c] += w * x[r] * x[c]
			}
			m[r][3] += w * x[r] * l.N / l.C
		}
	}
	for i := range 3 {
		if !free[i] {
			m[i] = [4]float64{}
			for r := range 3 {
				m[r][i] = 0
			}
			m[i][i] = 1
		}
	}
	return eliminate(m)
}

// eliminate solves three linear equations by Gaussian elimination with partial pivoting.
func eliminate(m [3][4]float64) ([3]float64, bool) {
	for c := range 3 {
		pivot := c
		for r := c + 1; r < 3; r++ {
			if math.Abs(m[r][c]) > math.Abs(m[pivot][c]) {
				pivot = r
			}
		}
		if m[c], m[pivot] = m[pivot], m[c]; !(math.Abs(m[c][c]) > 0) {
			return [3]float64{}, false
		}
		for r := range 3 {
			if r == c {
				continue
			}
			f := m[r][c] / m[c][c]
			for k := c; k < 4; k++ {
				m[r][k] -= f * m[c][k]
			}
		}
	}
	return [3]float64{m[0][3] / m[0][0], m[1][3] / m[1][1], m[2][3] / m[2][2]}, true
}
