package stats

import "math"

// NeededRight is how many of n must be right to show, with 95 % confidence, that the share of what is right is at least
// ratio: the least k whose lower bound of Wilson reaches it. It is n+1 where not even all of them would show it.
func NeededRight(n int64, ratio float64) int64 {
	if n <= 0 || !(ratio >= 0 && ratio <= 1) {
		return max(n, 0) + 1
	}
	// The bound grows with k.
	low, high := int64(0), n+1
	for low < high {
		middle := low + (high-low)/2
		if Shows(middle, n, ratio) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// Shows tells whether k right ones of n show, with 95 % confidence, that the share of what is right is at least ratio.
// A sample of none shows nothing, and a ratio that is no number is never shown.
func Shows(k, n int64, ratio float64) bool {
	lower, _ := Wilson(k, n)
	return n > 0 && k >= 0 && k <= n && ratio <= 1 && lower >= ratio
}

// ShowsLess tells whether k right ones of n show, with 95 % confidence, that the share of what is right is below ratio.
func ShowsLess(k, n int64, ratio float64) bool {
	_, upper := Wilson(k, n)
	return n > 0 && k >= 0 && k <= n && upper < ratio
}

// SmallestSample is the least n of which all being right shows, with 95 % confidence, that the share of what is right is
// at least ratio. It is math.MaxInt64 for a ratio of 1 and more, which no sample shows.
func SmallestSample(ratio float64) int64 {
	if !(ratio < 1) {
		return math.MaxInt64
	}
	n := NeededForRatio(1 - ratio)
	// 1-ratio is rounded, and so may be n by one.
	for n < math.MaxInt64 && !Shows(n, n, ratio) {
		n++
	}
	return n
}

// McNemar is the probability that, of worse+better pairs that changed, so many or more became worse, if both were equally
// likely: the exact, one-sided test of Q. McNemar, "Note on the sampling error of the difference between correlated
// proportions or percentages", Psychometrika 12 (1947), with the binomial distribution in place of its approximation, as
// in F. Mosteller, "Some statistical problems in measuring the subjective response to drugs", Biometrics 8 (1952). Pairs
// that did not change say nothing. Without any that did, and for counts that are none, it is 1.
func McNemar(worse, better int64) float64 {
	n := worse + better
	if worse <= 0 || better < 0 || n < 0 {
		return 1
	}
	all, _ := math.Lgamma(float64(n + 1))
	sum := 0.0
	// From the smallest term on, so that none is lost in the rounding of the others.
	for k := n; k >= worse; k-- {
		in, _ := math.Lgamma(float64(k + 1))
		out, _ := math.Lgamma(float64(n - k + 1))
		sum += math.Exp(all - in - out - float64(n)*math.Ln2)
	}
	return min(sum, 1)
}
