package quality

import (
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
)

// asked is what came of one example.
type asked struct {
	id, slice string
	// right means that every answer was, unclear that none was wrong and some could not be had by no clear fault of the
	// prototype. Neither means wrong.
	right, unclear bool
	// kind of the first wrong answer, or failure of the first that did not come.
	kind    string
	failure evidence.AskFailure
	// varies means right one time and wrong another; differs that the answers are not all the same.
	varies, differs bool
	answers         []evidence.CaseAnswer
}

// casesOf reads a result. Slices come from the set where there is one.
func casesOf(r evidence.QualityResult, set examples.Set) []asked {
	cases := make([]asked, 0, len(r.Cases))
	for i, c := range r.Cases {
		a := caseOf(c)
		if len(set.Examples) > 0 {
			a.slice = set.Examples[i].Slice
		}
		cases = append(cases, a)
	}
	return cases
}

func caseOf(c evidence.CaseResult) asked {
	a := asked{id: c.ID, slice: c.Slice, differs: c.Differ, answers: c.Answers}
	var right, wrong, unclear int
	for _, answer := range c.Answers {
		switch {
		case answer.Outcome == evidence.CaseRight:
			right++
		// Who is asked too often for it may be able to bear what production asks.
		case answer.Outcome == evidence.CaseLost, answer.Failure == evidence.AskThrottled:
			unclear++
			if a.failure == evidence.AskAnswered && wrong == 0 {
				a.failure = answer.Failure
			}
		default:
			if wrong == 0 {
				a.kind, a.failure = answer.Kind, answer.Failure
			}
			wrong++
		}
	}
	a.right = right > 0 && right == len(c.Answers)
	a.unclear = wrong == 0 && unclear > 0
	a.varies = right > 0 && wrong > 0
	return a
}

// count is how many of some examples are what.
type count struct{ n, right, unclear, varies, differs int64 }

func counted(cases []asked, belongs func(asked) bool) count {
	var c count
	for _, a := range cases {
		if !belongs(a) {
			continue
		}
		c.n++
		c.right += one(a.right)
		c.unclear += one(a.unclear)
		c.varies += one(a.varies)
		c.differs += one(a.differs)
	}
	return c
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

func all(asked) bool { return true }
