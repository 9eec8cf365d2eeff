package stats

import "math"

// NeededRight is how many of n must be right to show, with 95 % confidence, that the share of what is right is at least
// ratio: the least k whose lower bound of Wilson reaches it. It is n+1 where not even all of them would show it.
func NeededRight(n int64, ratio float64) int64 { return Look(0).NeededRight(n, ratio) }

// NeededRight is the same at a later look.
func (l Look) NeededRight(n int64, ratio float64) int64 {
	if n <= 0 || !(ratio >= 0 && ratio <= 1) {
		return max(n, 0) + 1
	}
	// The bound grows with k.
	low, high := int64(0), n+1
	for low < high {
		middle := low + (high-low)/2
		if l.Shows(middle, n, ratio) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// Shows tells whether k right ones of n show, with 95 % confidence, that the share of what is right is at least ratio.
// A sample of none shows nothing, and a ratio that is no number is never shown.
func Shows(k, n int64, ratio float64) bool { return Look(0).Shows(k, n, ratio) }

// Look is how many looks at the same subject came before this one and did not show what was wanted. Who may look until
// chance is kind is shown everything some day: so every further look has to be surer. The first may err in 5 % of all
// cases, the second in 1.25 %, and each after it half as often as the one before; all of them together in less than 7.5 %,
// by Boole's inequality. It is a spending function in the sense of K. K. G. Lan and D. L. DeMets, "Discrete sequential
// boundaries for clinical trials", Biometrika 70 (1983).
type Look int

// Error is how often this look may show by chance what is not so.
func (l Look) Error() float64 {
	if l <= 0 {
		return 0.05
	}
	return 0.05 / math.Exp2(float64(min(l, 32)+1))
}

// Lower is the lower confidence bound of Wilson at this look.
func (l Look) Lower(k, n int64) float64 {
	z := z95
	if l > 0 {
		z = quantile(l.Error())
	}
	lower, _ := wilson(k, n, z)
	return lower
}

// Shows is the same at this look, with more than 95 % confidence where others came before it.
func (l Look) Shows(k, n int64, ratio float64) bool {
	lower := l.Lower(k, n)
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
