package stats

import (
	"math"
	"math/bits"
	"testing"
)

// Every way in which the wrong ones of each set could have fallen on its tries, counted one by one.
func TestMatchedSetsAgainstEveryOutcome(t *testing.T) {
	for _, sets := range [][]Matched{
		{{1, 1, false}, {1, 1, false}, {0, 1, true}},
		{{1, 2, false}, {2, 2, false}, {1, 2, true}, {0, 3, true}},
		{{3, 4, false}, {1, 1, false}, {2, 3, true}},
		{{2, 2, true}, {0, 3, false}, {1, 3, false}},
	} {
		// ways[k] counts the outcomes with k sets of which the first try, the one before, is wrong.
		ways, observed := []float64{1}, 0
		for _, s := range sets {
			wrong := int(s.Wrong)
			if s.WasWrong {
				wrong++
				observed++
			}
			var yes, no float64
			for outcome := range uint(1) << (s.Times + 1) {
				if bits.OnesCount(outcome) == wrong {
					yes += float64(outcome & 1)
					no += float64(1 - outcome&1)
				}
			}
			next := make([]float64, len(ways)+1)
			for k, w := range ways {
				next[k] += w * no
				next[k+1] += w * yes
			}
			ways = next
		}
		var few, all float64
		for k, w := range ways {
			all += w
			if k <= observed {
				few += w
			}
		}
		if got := MatchedSets(sets); math.Abs(got-few/all) > 1e-12 {
			t.Errorf("%+v: %v, want %v", sets, got, few/all)
		}
	}
}

func TestMatchedSetsOfPairsAreMcNemars(t *testing.T) {
	for worse := range 12 {
		for better := range 12 {
			sets := []Matched{{0, 1, false}, {1, 1, true}}
			for range worse {
				sets = append(sets, Matched{1, 1, false})
			}
			for range better {
				sets = append(sets, Matched{0, 1, true})
			}
			if got, want := MatchedSets(sets), McNemar(int64(worse), int64(better)); math.Abs(got-want) > 1e-9 {
				t.Errorf("%d worse, %d better: %v, McNemar says %v", worse, better, got, want)
			}
		}
	}
}

func TestMatchedSetsAtTheirEnds(t *testing.T) {
	for name, sets := range map[string][]Matched{
		"none": nil, "all right": {{0, 5, false}}, "all wrong": {{5, 5, true}}, "never tried": {{0, 0, true}},
		"no counts": {{-1, 5, false}, {6, 5, false}, {1, math.MinInt64, false}}, "better": {{0, 3, true}, {0, 3, true}},
	} {
		if got := MatchedSets(sets); got != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
	var many []Matched
	for range 2000 {
		many = append(many, Matched{Wrong: 1, Times: 1})
	}
	if got := MatchedSets(many); !(got >= 0 && got < 1e-300) {
		t.Errorf("2000 that became wrong: %v", got)
	}
}
