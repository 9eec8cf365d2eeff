package quality

import (
	"fmt"
	"math"
	"strconv"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
)

// part is one of the things that must hold.
type part struct {
	state    gate.State
	reason   string
	message  string
	findings []gate.Finding
	// notes stand in nobody's way.
	notes []gate.Finding
}

// share is a count of examples against what is asked for.
type share struct {
	count
	Bound
}

// inSlice is the share of the examples of one slice.
func inSlice(cases []asked, f Floor) share {
	return share{counted(cases, func(a asked) bool { return a.slice == f.Slice }), f.Bound}
}

// judge tells where the share stands, with the reason where it is not shown.
func (s share) judge() (gate.State, string) {
	best := s.right + s.unclear
	switch {
	case s.n >= s.Minimum && s.Looks.Shows(s.right, s.n, s.Ratio):
		return gate.Passed, v1alpha1.ReasonAnswersRight
	case stats.ShowsLess(best, s.n, s.Ratio), s.n >= s.needed() && float64(best) < s.Ratio*float64(s.n)-1e-9:
		return gate.Failed, s.whyFailed()
	case s.n < s.needed():
		return gate.Inconclusive, v1alpha1.ReasonTooFewExamples
	case s.unclear > 0:
		return gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked
	}
	return gate.Inconclusive, v1alpha1.ReasonTooCloseToTell
}

// whyFailed tells a prototype that is wrong from one that is wrong now and then: would it be right if its best answers
// counted?
func (s share) whyFailed() string {
	if best := s.right + s.unclear + s.varies; s.varies > 0 && float64(best) >= s.Ratio*float64(s.n)-1e-9 {
		return v1alpha1.ReasonAnswersVary
	}
	return v1alpha1.ReasonTooManyWrong
}

// says the count and what follows, in words for people.
func (s share) says() string {
	state, reason := s.judge()
	switch {
	case state == gate.Passed:
		return fmt.Sprintf("%d of %d examples are right: with %s %% confidence at least %s of 100 answers are, %s are asked for",
			s.right, s.n, floor1((1-s.Looks.Error())*100), floor1(s.Looks.Lower(s.right, s.n)*100), hundredths(s.Ratio))
	case state == gate.Failed:
		return fmt.Sprintf("%d of %d examples are right%s; %s of 100 answers must be", s.right, s.n, s.andUnclear(), hundredths(s.Ratio))
	case reason == v1alpha1.ReasonTooFewExamples:
		return s.Bound.Missing(s.n) + s.soFar()
	case reason == v1alpha1.ReasonExamplesNotAsked:
		return fmt.Sprintf("%d of %d examples are right, and %d could not be asked or judged; at least %d must be right", s.right, s.n, s.unclear, s.Looks.NeededRight(s.n, s.Ratio))
	}
	return s.tooClose()
}

func (s share) andUnclear() string {
	if s.unclear == 0 {
		return ""
	}
	return fmt.Sprintf(", even with the %d that could not be asked %d", s.unclear, s.right+s.unclear)
}

func (s share) soFar() string {
	if s.n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of %d are)", s.right, s.n)
}

// tooClose says how many more would do: right ones of these examples, or examples that are right as often.
func (s share) tooClose() string {
	needed := s.Looks.NeededRight(s.n, s.Ratio)
	message := fmt.Sprintf("%d of %d examples are right; to be sure of %s in 100 answers, at least %d of %d must be",
		s.right, s.n, hundredths(s.Ratio), needed, s.n)
	if s.Looks > 0 {
		return fmt.Sprintf("%s: more than at first, for the same was measured before and did not show it, and chance must not get it through", message)
	}
	if more := stats.NeededFor(s.n-s.right, s.n, 1-s.Ratio); more > s.n && more < math.MaxInt64 {
		message += fmt.Sprintf(", or as large a share of about %d", more)
	}
	return message
}

// Missing says how many examples lack where there are n, and how many must then be right, computed from what is asked
// for; "" where none lack.
func (b Bound) Missing(n int64) string {
	needed := b.needed()
	if n >= needed {
		return ""
	}
	right := stats.NeededRight(needed, b.Ratio)
	then := fmt.Sprintf("at least %d of %d must be right", right, needed)
	if right == needed {
		then = fmt.Sprintf("all %d must be right", needed)
	}
	return fmt.Sprintf("%s; %d more needed; then %s", some(n), needed-n, then)
}

func some(n int64) string {
	switch n {
	case 0:
		return "no examples"
	case 1:
		return "1 example"
	}
	return fmt.Sprintf("%d examples", n)
}

// hundredths writes a ratio as so many of a hundred.
func hundredths(ratio float64) string {
	return strconv.FormatFloat(math.Round(ratio*1e4)/1e2, 'f', -1, 64)
}

// floor1 writes a number rounded down to one digit: what is said to be shown must be.
func floor1(v float64) string {
	return strconv.FormatFloat(math.Floor(v*10)/10, 'f', -1, 64)
}
