// Package stats holds the small-sample statistics with which gates say how sure they are.
package stats

import "math"

// z95 is the 95th percentile of the standard normal distribution: one-sided confidence of 95 %.
const z95 = 1.6448536269514722

// Wilson gives the one-sided 95 % confidence bounds of a proportion of which k of n were seen: with 95 % confidence the
// true proportion is at least lower, and with 95 % confidence at most upper. It is the score interval of E. B. Wilson,
// "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), recommended for small n by
// Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16 (2001). Without a
// sample, or for a k outside 0…n, nothing is known: 0 and 1.
func Wilson(k, n int64) (lower, upper float64) { return wilson(k, n, z95) }

// wilson gives the bounds for a quantile z of the standard normal distribution.
func wilson(k, n int64, z float64) (lower, upper float64) {
	if n <= 0 || k < 0 || k > n {
		return 0, 1
	}
	p, m, z2 := float64(k)/float64(n), float64(n), z*z
	center := p + z2/(2*m)
	spread := z * math.Sqrt(p*(1-p)/m+z2/(4*m*m))
	scale := 1 + z2/m
	lower, upper = max((center-spread)/scale, 0), min((center+spread)/scale, 1)
	// At the ends the bound is exact; rounding would move it by a hair.
	if k == 0 {
		lower = 0
	}
	if k == n {
		upper = 1
	}
	return lower, upper
}

// NeededForRatio is the smallest sample in which not a single failure shows, with 95 % confidence, that the share of
// failures is at most ratio. It solves Wilson's upper bound for k = 0, z²/(n+z²) ≤ ratio. For a ratio of 0, which no
// sample can show, and for one that is no ratio, it is math.MaxInt64; for 1 it is 1.
func NeededForRatio(ratio float64) int64 {
	switch {
	case !(ratio > 0):
		return math.MaxInt64
	case ratio >= 1:
		return 1
	}
	return max(int64(math.Ceil(z95*z95*(1-ratio)/ratio-1e-9)), 1)
}

// NeededFor is about how many samples would show, with 95 % confidence, that the share of failures is at most ratio,
// if the share that was seen, k of n, stayed as it is. math.MaxInt64 when it would never show.
func NeededFor(k, n int64, ratio float64) int64 {
	if n <= 0 || k < 0 || k > n || !(float64(k)/float64(n) < ratio) {
		return math.MaxInt64
	}
	low, high := int64(1), int64(1<<40)
	for low < high {
		middle := low + (high-low)/2
		failures := int64(math.Ceil(float64(k) / float64(n) * float64(middle)))
		if _, upper := Wilson(failures, middle); upper <= ratio {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// PoissonQuantile is the smallest number that a Poisson variable of the given mean does not exceed with at least the
// given probability. The terms are summed in logarithms from ten standard deviations below the mean, where less than
// 1e-20 is left out, so that it holds for means up to millions. A mean or probability that is none gives 0.
func PoissonQuantile(mean, probability float64) int64 {
	if !(mean > 0) || math.IsInf(mean, 0) || !(probability > 0 && probability < 1) {
		return 0
	}
	logMean, sum := math.Log(mean), 0.0
	for k := max(math.Floor(mean-10*math.Sqrt(mean)), 0); ; k++ {
		logFactorial, _ := math.Lgamma(k + 1)
		sum += math.Exp(k*logMean - mean - logFactorial)
		// The second condition ends the sum should rounding keep it below a probability very close to 1.
		if sum >= probability || k > mean+20*math.Sqrt(mean)+50 {
			return int64(k)
		}
	}
}
