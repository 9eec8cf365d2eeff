package describe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Choice is what a person is about to decide.
type Choice struct {
	Role    string
	Verdict v1alpha1.DecisionVerdict
	Reason  string
	// Gate and ApproveWhen belong to a rejection.
	Gate        string
	ApproveWhen string
	// By is the person as the API server knows them, empty where it would not say.
	By string
}

// Choosing shows what a decision would be about, before it is made.
func Choosing(review *v1alpha1.HardeningReview, prototype *v1alpha1.AIPrototype, choice Choice, now time.Time, paint Paint) string {
	p := &page{paint: paint}
	subject(p, review, prototype)
	p.field("Gates", verdicts(review)...)
	p.field("Asked", say("%s", since(now, review.CreationTimestamp)))
	p.section("Your decision")
	as := say(" as %s", choice.Role)
	if choice.By != "" {
		as = say(" as %s, under the name of %s", choice.Role, choice.By)
	}
	p.line(2, in(strong, string(choice.Verdict)), as)
	if choice.ApproveWhen != "" {
		p.line(2, say("You would approve when: %s", choice.ApproveWhen))
	}
	if choice.Gate != "" {
		p.line(2, say("You object to gate %s", choice.Gate))
	}
	if choice.Reason != "" {
		p.line(2, say("Reason: %s", choice.Reason))
	}
	if own(review, choice.By) {
		p.line(2, in(bad, "It will not count: "+Why(v1alpha1.WhyAuthor)+"."))
	}
	return p.String()
}

func own(review *v1alpha1.HardeningReview, person string) bool {
	return person != "" && (person == review.Spec.RequestedBy || slices.Contains(review.Spec.Authors, person))
}

func verdicts(review *v1alpha1.HardeningReview) []span {
	if len(review.Status.Gates) == 0 {
		return []span{say("none measured yet")}
	}
	var spans []span
	for i, gate := range review.Status.Gates {
		if i > 0 {
			spans = append(spans, say(", "))
		}
		spans = append(spans, say("%s ", gate.Name), in(verdictTone(gate.Verdict), string(gate.Verdict)))
	}
	return spans
}

var nouns = map[v1alpha1.DecisionVerdict]string{
	v1alpha1.VerdictApprove: "approval",
	v1alpha1.VerdictReject:  "rejection",
	v1alpha1.VerdictRevoke:  "revocation",
}

// Decided says what became of a decision once the review mirrors it.
func Decided(review *v1alpha1.HardeningReview, decision v1alpha1.DecisionStatus) string {
	text := fmt.Sprintf("Your %s as %s %s.", nouns[decision.Verdict], decision.Role, Counted(decision))
	if decision.Counts != v1alpha1.CountedYes && decision.Message != "" {
		text += " " + sentence(decision.Message)
	}
	if roles := Roles(review); decision.Counts == v1alpha1.CountedYes && review.Status.Outcome == "" && len(roles) > 0 {
		text += " The review still waits for " + strings.Join(roles, ", ") + "."
	}
	return Clean(text)
}
