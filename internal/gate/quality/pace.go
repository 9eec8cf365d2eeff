package quality

import (
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// timed says of questions that were not asked for want of time how much they would take, and who can give it where asking
// once more can't.
func timed(f gate.Finding, cases []asked, atMost time.Duration) gate.Finding {
	ranOut := slices.ContainsFunc(cases, func(a asked) bool { return a.unclear && a.failure == evidence.AskStopped })
	each := pace(cases)
	if f.Reason != v1alpha1.ReasonExamplesNotAsked || f.Owner != v1alpha1.OwnerIT || !ranOut || each == 0 || atMost == 0 {
		return f
	}
	var answers int
	for _, a := range cases {
		answers += len(a.answers)
	}
	needed := (each*time.Duration(answers)/inFlight + each).Round(time.Second)
	f.Message += fmt.Sprintf("; an answer takes %s, and all %d of them, four at a time, %s", each.Round(100*time.Millisecond), answers, needed)
	switch {
	case needed <= atMost:
		f.Hint = "It is measured again, with more time."
	case atMost < longest:
		f.Message += fmt.Sprintf(", and the gate has %s", atMost.Round(time.Second))
		f.Hint = "IT gives the policy's quality gate a longer timeout or fewer repeats; or the prototype answers faster, or its set gets smaller."
	default:
		f.Message += fmt.Sprintf(", and %s is the most that is ever given", atMost)
		f.Owner, f.Field = v1alpha1.OwnerBusiness, fieldCall
		f.Hint = "Answer faster, or let the set ask less; it must still hold enough examples. IT can ask for fewer repeats."
	}
	return f
}

// pace is how long one question takes, of those that were asked; 0 where none was.
func pace(cases []asked) time.Duration {
	var all time.Duration
	n := 0
	for _, a := range cases {
		for _, answer := range a.answers {
			if answer.Outcome != evidence.CaseLost && answer.Took > 0 {
				all += answer.Took.Std()
				n++
			}
		}
	}
	if n == 0 {
		return 0
	}
	return all / time.Duration(n)
}
