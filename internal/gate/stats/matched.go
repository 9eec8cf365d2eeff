package stats

// Matched is one thing that was tried once before, and then so often again.
type Matched struct {
	// Wrong of so many Times.
	Wrong, Times int64
	// WasWrong is what came of it before.
	WasWrong bool
}

// MatchedSets is the probability that so few, or fewer, of what is wrong now were wrong before, if each thing were as likely to be
// wrong before as in any of its later tries: the exact, one-sided test for sets of one and several, given how many of each set
// are wrong. It is the test of N. Mantel and W. Haenszel, "Statistical aspects of the analysis of data from retrospective studies of
// disease", JNCI 22 (1959), with a stratum for each thing, as O. S. Miettinen, "Individual matching with multiple controls in
// the case of all-or-none responses", Biometrics 25 (1969) has it, with the distribution in place of its approximation: of a set
// with t wrong ones among n, the one before is wrong with probability t/n, and the sets are independent. With one later try each
// it is McNemar's. Sets of which all or none are wrong say nothing. Without any other it is 1.
func MatchedSets(sets []Matched) float64 {
	var before int
	var chances []float64
	for _, s := range sets {
		if s.Times < 1 || s.Wrong < 0 || s.Wrong > s.Times {
			continue
		}
		wrong, all := s.Wrong, s.Times+1
		if s.WasWrong {
			wrong++
		}
		if wrong == 0 || wrong == all {
			continue
		}
		if s.WasWrong {
			before++
		}
		chances = append(chances, float64(wrong)/float64(all))
	}
	// exactly holds the probability that so many were wrong before; what is beyond the number that were is not needed.
	exactly := make([]float64, before+1)
	exactly[0] = 1
	for _, p := range chances {
		for k := before; k > 0; k-- {
			exactly[k] = exactly[k]*(1-p) + exactly[k-1]*p
		}
		exactly[0] *= 1 - p
	}
	sum := 0.0
	for _, p := range exactly {
		sum += p
	}
	return min(sum, 1)
}
