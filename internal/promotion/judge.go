package promotion

import (
	"fmt"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/record"
)

// approvals counts the decisions anew.
func approvals(r record.Record, review *v1alpha1.HardeningReview, decisions []v1alpha1.HardeningDecision, guards assess.Guards) Check {
	decided := assess.Decisions(r, string(review.UID), review.CreationTimestamp.Time, decisions, guards)
	if decided.Approved() {
		return Check{OK: true}
	}
	if rejected := decided.Rejected; rejected != nil {
		return Check{Why: fmt.Sprintf("Role %s rejected it in %s.", rejected.Role, rejected.Decision)}
	}
	var missing []string
	for _, tally := range decided.Missing() {
		missing = append(missing, fmt.Sprintf("%s (%d of %d)", tally.Role, len(tally.People), tally.Quorum))
	}
	return Check{Why: "Counted anew, approvals are missing of: " + strings.Join(missing, ", ") + "."}
}
