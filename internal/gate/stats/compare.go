package stats

import "math"

// ShowsLessBut tells whether k right ones of n show that the share of what is right is below ratio, where that may be so by chance
// as often as rate, which ShowsLess may 5 times in 100. A rate that is none shows nothing.
func ShowsLessBut(rate float64, k, n int64, ratio float64) bool {
	if !(rate > 0 && rate < 0.5) {
		return false
	}
	_, upper := wilson(k, n, quantile(rate))
	return n > 0 && k >= 0 && k <= n && upper < ratio
}

// quantile of the standard normal distribution that it exceeds as often as rate.
func quantile(rate float64) float64 { return math.Sqrt2 * math.Erfinv(1-2*rate) }

// Fisher is the probability that, of two samples, the second has so few or fewer with a mark as it has, k2 of n2, if the first,
// with k1 of n1, is from the same whole: the exact, one-sided test of R. A. Fisher, "The Logic of Inductive Inference", Journal
// of the Royal Statistical Society 98 (1935). Samples of none say nothing, and counts that are none neither: it is 1.
func Fisher(k1, n1, k2, n2 int64) float64 {
	if n1 <= 0 || n2 <= 0 || k1 < 0 || k2 < 0 || k1 > n1 || k2 > n2 {
		return 1
	}
	marked := k1 + k2
	all := choose(n1+n2, marked)
	sum := 0.0
	// At least so many of the marked are in the second sample as do not fit into the first.
	for k := max(0, marked-n1); k <= k2; k++ {
		sum += math.Exp(choose(n1, marked-k) + choose(n2, k) - all)
	}
	return min(sum, 1)
}

// choose is the logarithm of how many ways there are to take k of n.
func choose(n, k int64) float64 {
	all, _ := math.Lgamma(float64(n + 1))
	in, _ := math.Lgamma(float64(k + 1))
	out, _ := math.Lgamma(float64(n - k + 1))
	return all - in - out
}
