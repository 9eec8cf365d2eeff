package promotion

import (
	"fmt"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/record"
)

// gates judges every gate anew.
func gates(bench assess.Bench) func(record.Record, []record.Report, time.Time) Check {
	return func(r record.Record, reports []record.Report, now time.Time) Check {
		return passed(r, bench.Gates(r, reports, now))
	}
}

func passed(r record.Record, verdicts []v1alpha1.GateStatus) Check {
	if assess.Passed(r, verdicts) {
		return Check{OK: true}
	}
	var missing []string
	for _, v := range verdicts {
		if v.Verdict != v1alpha1.GatePassed && v.Enforcement != v1alpha1.EnforcementAdvisory {
			missing = append(missing, fmt.Sprintf("%s (%s: %s)", v.Name, v.Verdict, v.Reason))
		}
	}
	if len(missing) == 0 {
		return Check{Why: "The record requires no gate of type Security, Scalability or Integration, and nothing is promoted without them."}
	}
	return Check{Why: "Judged anew, these gates have not passed: " + strings.Join(missing, ", ") + "."}
}

// approvals counts the decisions anew; those that expire before the time that is needed don't count. Without a review there
// is nothing that anybody could have approved.
func approvals(
	r record.Record, review *v1alpha1.HardeningReview, decisions []v1alpha1.HardeningDecision, guards assess.Guards, now time.Time,
	needed time.Duration,
) Check {
	if review == nil {
		return gone(r)
	}
	decided := assess.Decisions(r, string(review.UID), review.CreationTimestamp.Time, decisions, guards, now, needed)
	if decided.Approved() {
		return Check{OK: true, Until: decided.Until}
	}
	if rejected := decided.Rejected; rejected != nil {
		return Check{Why: fmt.Sprintf("Role %s rejected it in %s.", rejected.Role, rejected.Decision), Rejected: true}
	}
	var missing []string
	for _, tally := range decided.Missing() {
		missing = append(missing, fmt.Sprintf("%s (%d of %d)", tally.Role, len(tally.People), tally.Quorum))
	}
	return Check{Why: "Counted anew, approvals are missing of: " + strings.Join(missing, ", ") + "."}
}

// gone is the answer where the review was deleted, and every decision on it with it.
func gone(r record.Record) Check {
	if len(r.Requirements.Approvals) == 0 {
		return Check{OK: true}
	}
	var roles []string
	for _, asked := range r.Requirements.Approvals {
		roles = append(roles, asked.Role)
	}
	return Check{Why: "The review is gone, and with it the approvals of: " + strings.Join(roles, ", ") + "."}
}

// measured is what a measurement of the guards says about going on.
func measured(state guard.State) Check {
	return Check{OK: state.InPlace, Why: evidence.Clean("Nothing is promoted until the admission policies are in place. "+state.Message, maxMessage)}
}

func unmeasured(err error) Check {
	return Check{Why: evidence.Clean("The admission policies could not be measured: "+err.Error()+
		". It is tried again every minute; where that goes on, the platform team finds out why.", maxMessage)}
}

// trusting takes every moment for guarded.
type trusting struct{}

// Unguarded implements assess.Guards.
func (trusting) Unguarded(time.Time) bool { return false }

// SeenAt implements assess.Guards.
func (trusting) SeenAt() time.Time { return time.Time{} }
