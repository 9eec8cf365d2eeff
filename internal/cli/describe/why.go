package describe

import (
	"fmt"

	"github.com/affineur/affineur/api/v1alpha1"
)

var whys = map[string]string{
	v1alpha1.WhyAuthor:       "this person wrote the revision or asked for its review, and nobody decides on their own work",
	v1alpha1.WhyOwningTeam:   "this person belongs to the team that owns the prototype; somebody outside the team has to decide",
	v1alpha1.WhyWrongDigest:  "it speaks of another subject than this review does; decide again on this review",
	v1alpha1.WhyWrongReview:  "it speaks of an earlier review of the same name; decide again on this one",
	v1alpha1.WhyNotAPerson:   "a service account or a system identity made it; a person has to, under their own name",
	v1alpha1.WhyNotInRole:    "this person is in none of the groups that the policy names for the role",
	v1alpha1.WhyRoleNotAsked: "this review does not ask for the role",
	v1alpha1.WhySecondRole:   "this person decided in another role of this review before, and one person counts once",
	v1alpha1.WhyRevoked:      "the person took it back",
	v1alpha1.WhySuspended: "a revocation or rejection in the same name came while the cluster's admission policies were not in place; " +
		"it could have been forged, so this person decides again",
	v1alpha1.WhyExpired:      "it was given too long ago; look again and decide again",
	v1alpha1.WhyReplaced:     "the person decided again later in the same role, and the later decision is the one that counts",
	v1alpha1.WhyBeforeReview: "it is older than the review",
	v1alpha1.WhyUnguarded: "the cluster's admission policies were not in place when it was made, so it could have been forged; " +
		"decide again when the platform team has put them back",
	v1alpha1.WhyDeleted:         "the decision itself is gone; it was seen before, and no longer counts",
	v1alpha1.WhyReviewEnded:     "a rejection had ended the review before",
	v1alpha1.WhyNothingToRevoke: "the person had no decision in that role that counted, so there was nothing to take back",
}

// Why says in a sentence why a decision does not count.
func Why(reason string) string {
	if sentence, known := whys[reason]; known {
		return sentence
	}
	if reason == "" {
		return "the operator gives no reason"
	}
	return humanise(reason)
}

// Counted says whether a decision counts, and if not why.
func Counted(decision v1alpha1.DecisionStatus) string {
	if decision.Counts == v1alpha1.CountedYes {
		return "counts"
	}
	return Clean(fmt.Sprintf("does not count: %s", Why(decision.Why)))
}
