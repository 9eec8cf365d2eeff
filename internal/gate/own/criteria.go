// Package own judges the gates that an organisation makes itself: another operator's report (Resource), a metric (Metric)
// and whatever an image of its own measures (Job).
//
// Success and failure are conditions of their own, and each has to speak for itself:
//
//	successWhen  failureWhen
//	holds        does not     ─▶ Passed
//	does not     holds        ─▶ Failed
//	does not     does not     ─▶ Inconclusive: nothing is shown
//	holds        holds        ─▶ Inconclusive: the policy contradicts itself
//	one has no answer         ─▶ Inconclusive
package own

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// decided is the verdict on what both conditions say about something, such as "the ScanReport a of namespace b".
func decided(a *evidence.Answers, what string, at time.Time) gate.Verdict {
	if a == nil {
		return unclear(v1alpha1.ReasonEvidenceUnverifiable, "Nothing was asked about "+what+".", again, at)
	}
	for _, each := range []struct {
		name, why string
		answer    evidence.Answer
	}{{"successWhen", a.SuccessWhy, a.Success}, {"failureWhen", a.FailureWhy, a.Failure}} {
		if each.answer != evidence.AnswerHolds && each.answer != evidence.AnswerDoesNot {
			return unclear(v1alpha1.ReasonConditionUndecided, fmt.Sprintf("%s has no answer for %s: %s.", each.name, what, each.why),
				"IT looks whether the condition fits what is there; a field that may be missing is asked for with .?field and orValue().", at)
		}
	}
	success, failure := a.Success == evidence.AnswerHolds, a.Failure == evidence.AnswerHolds
	switch {
	case success && failure:
		return unclear(v1alpha1.ReasonBothShown, "Both successWhen and failureWhen hold for "+what+".",
			"IT mends the gate's conditions in the policy: they contradict each other.", at)
	case success:
		return gate.Pass(v1alpha1.ReasonConditionsMet, "successWhen holds for "+what+", failureWhen does not.", at)
	case failure:
		return gate.Fail(v1alpha1.ReasonFailureShown, "failureWhen holds for "+what+".", at, gate.Finding{
			Reason: v1alpha1.ReasonFailureShown, Owner: v1alpha1.OwnerBusiness, Message: "failureWhen holds for " + what + ".",
			Hint: "Look at what it says about the prototype, and mend that. IT knows what the gate asks for.",
		})
	}
	return unclear(v1alpha1.ReasonNeitherShown, "Neither successWhen nor failureWhen holds for "+what+", so nothing is shown.",
		"It is asked again. If it stays so, IT says in the policy what this case means.", at)
}

const again = "It is measured again. If it stays so, the platform team can look at the operator's log."

// unclear is Inconclusive, for IT to mend.
func unclear(reason, message, hint string, at time.Time) gate.Verdict {
	return gate.Unknown(reason, message, at, gate.Finding{Reason: reason, Owner: v1alpha1.OwnerIT, Message: message, Hint: hint})
}
