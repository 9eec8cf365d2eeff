package review

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
}

const (
	yes     = metav1.ConditionTrue
	no      = metav1.ConditionFalse
	unknown = metav1.ConditionUnknown
)

// recordMissing are the conditions of a review whose record can't be believed. Its own first message says why.
func recordMissing(s Snapshot) []metav1.Condition {
	message := fmt.Sprintf("Record %s/%s can't be used: %s. Nothing is measured, approved or promoted without it. IT finds out what happened; the team can ask for a new review.",
		v1alpha1.RecordsNamespace, s.Review.Spec.Record, s.RecordProblem)
	reason := v1alpha1.ReasonRecordMissing
	return []metav1.Condition{
		condition(v1alpha1.ConditionReady, no, reason, message),
		condition(v1alpha1.ConditionStalled, yes, reason, message),
		condition(v1alpha1.ConditionGatesPassed, unknown, reason, message),
		condition(v1alpha1.ConditionApproved, unknown, reason, message),
	}
}

// conditions of a review whose record is there.
func (v view) conditions() []metav1.Condition {
	out := []metav1.Condition{v.gatesPassed(), v.authorsVerified(), v.approved(), v.overdue()}
	return append(out, v.ready()...)
}

func (v view) gatesPassed() metav1.Condition {
	kind := v1alpha1.ConditionGatesPassed
	blocking := v.blocking()
	var failed, inconclusive, open []string
	for _, gate := range blocking {
		line := fmt.Sprintf("%s: %s", gate.Name, sentence(gate.Message))
		switch gate.Verdict {
		case v1alpha1.GateFailed:
			failed = append(failed, line)
		case v1alpha1.GateInconclusive:
			inconclusive = append(inconclusive, line)
		default:
			open = append(open, gate.Name)
		}
	}
	switch {
	case v.passed:
		return condition(kind, yes, v1alpha1.ReasonAllGatesPassed, "Every required gate passed for exactly this revision.")
	case len(failed) > 0:
		return condition(kind, no, v1alpha1.ReasonGatesFailed, strings.Join(failed, " "))
	case len(open) > 0 || v.plan.measuring() && v.ended == nil:
		return condition(kind, unknown, v1alpha1.ReasonMeasuring, "Not measured yet: "+strings.Join(append(open, named(inconclusive)...), ", ")+".")
	}
	return condition(kind, no, v1alpha1.ReasonGatesInconclusive, cmp.Or(strings.Join(inconclusive, " "), "A gate that is needed is not among the requirements."))
}

// named cuts lines back to the names that they begin with.
func named(lines []string) []string {
	var out []string
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		out = append(out, name)
	}
	return out
}

// authorsVerified: whether everybody who wrote it is known, and is kept from deciding on it.
func (v view) authorsVerified() metav1.Condition {
	kind, decided := v1alpha1.ConditionAuthorsVerified, v.plan.Decided
	if decided.Doubt == "" {
		return condition(kind, yes, v1alpha1.ReasonAuthorsKnown, "The authors are people, and the admission policies kept them all the while.")
	}
	means := "One person more than the roles' quorums has to approve."
	if decided.NoneAsked() {
		means = fmt.Sprintf("Tier %s asks for no approval, so nothing more is asked.", v.s.Record.Requirements.Tier)
	}
	return condition(kind, no, v1alpha1.ReasonAuthorsUnverified, fmt.Sprintf("It can't be told who wrote this revision: %s. %s", decided.Doubt, means))
}

func (v view) approved() metav1.Condition {
	kind, decided := v1alpha1.ConditionApproved, v.plan.Decided
	if rejected := decided.Rejected; rejected != nil {
		return condition(kind, no, v1alpha1.ReasonRejected, v.rejection())
	}
	if decided.NoneAsked() {
		return condition(kind, yes, v1alpha1.ReasonNoApprovalNeeded, fmt.Sprintf("Tier %s asks for no approval.", v.s.Record.Requirements.Tier))
	}
	var missing []string
	for _, tally := range decided.Missing() {
		if tally.Why != "" {
			missing = append(missing, fmt.Sprintf("%s, because %s", tally.Role, tally.Why))
			continue
		}
		missing = append(missing, fmt.Sprintf("%s (%d of %d)", tally.Role, len(tally.People), tally.Quorum))
	}
	if len(missing) == 0 {
		return condition(kind, yes, v1alpha1.ReasonAllRolesApproved, "Every role that is asked approved.")
	}
	return condition(kind, no, v1alpha1.ReasonAwaitingDecisions, "Approvals are missing of: "+strings.Join(missing, ", ")+".")
}

func (v view) rejection() string {
	rejected := v.plan.Decided.Rejected
	message := fmt.Sprintf("Rejected as %s by %s.", rejected.Role, rejected.By)
	if rejected.Gate != "" {
		message = fmt.Sprintf("Rejected as %s by %s, about gate %s.", rejected.Role, rejected.By, rejected.Gate)
	}
	return message + " They would approve when: " + rejected.ApproveWhen
}

// overdue: whoever is asked had their time, counted from when every required gate had passed.
func (v view) overdue() metav1.Condition {
	kind := v1alpha1.ConditionOverdue
	if v.ended == nil && v.passed && v.due != nil && v.now.After(v.due.Time) {
		var late []string
		for _, tally := range v.plan.Decided.Missing() {
			late = append(late, tally.Role)
		}
		if len(late) > 0 {
			return condition(kind, yes, v1alpha1.ReasonPastDue, "Not decided in time: "+strings.Join(late, ", ")+". Nothing is approved by waiting.")
		}
	}
	return condition(kind, no, v1alpha1.ReasonWithinDue, "Nobody is late.")
}

// ready is the one summary, with Reconciling or Stalled beside it where they are true.
func (v view) ready() []metav1.Condition {
	switch {
	case v.ended != nil:
		return v.over()
	case v.s.Stops.Frozen:
		return stalled(v1alpha1.ReasonEmergencyStop, v.frozen())
	case len(v.outcome.problems()) > 0:
		problem := v.outcome.problems()[0]
		return stalled(problem.Reason, sentence(problem.Message)+" "+problem.Hint)
	case v.outcome.Conflict != "":
		return stalled(v1alpha1.ReasonObjectConflict, v.conflict())
	case v.s.promoting():
		return v.promoting()
	case v.plan.obstacle() != nil:
		return stalled(v.plan.obstacle().Reason, v.plan.obstacle().Why)
	case v.plan.measuring():
		return working(v1alpha1.ReasonMeasuring, v.progress())
	case !v.passed:
		passed := v.gatesPassed()
		return stalled(passed.Reason, passed.Message)
	case !v.plan.Decided.Approved():
		return []metav1.Condition{condition(v1alpha1.ConditionReady, yes, v1alpha1.ReasonAwaitingDecisions, v.approved().Message)}
	}
	return v.promoting()
}

// promoting: it goes on by itself, in whichever direction.
func (v view) promoting() []metav1.Condition {
	message := "It is approved and is being promoted."
	promotion := v.s.Review.Status.Promotion
	switch {
	case v.s.promoting() && !v.plan.Decided.Approved() && promotion.Reason != v1alpha1.ReasonGuardsNotInPlace:
		message = v.promotionGoes() + " " + v.approved().Message
	case promotion != nil && promotion.Message != "":
		message = promotion.Message
	}
	return working(v1alpha1.ReasonPromoting, message)
}

// frozen says which emergency stop keeps the subject from production.
func (v view) frozen() string { return v.s.Stops.Message() + " Nothing is promoted meanwhile." }

// progress is what is being measured and what it waits for.
func (v view) progress() string {
	var out []string
	for _, m := range v.s.Measured {
		progress := v.plan.Progress[m.Gate.Name]
		switch {
		case !progress.atWork():
		case progress.Stage == Waiting, progress.Stage == Pausing:
			out = append(out, fmt.Sprintf("%s: %s", m.Gate.Name, progress.Why))
		default:
			out = append(out, m.Gate.Name+" is being measured.")
		}
	}
	return strings.Join(out, " ")
}

// over are the conditions of a review that has ended. A rejection and a roll-back call for somebody to mend something;
// the others call for nobody.
func (v view) over() []metav1.Condition {
	ready := func(reason, message string) []metav1.Condition {
		return []metav1.Condition{condition(v1alpha1.ConditionReady, yes, reason, message)}
	}
	switch v.ended.Outcome {
	case v1alpha1.OutcomePromoted:
		return ready(v1alpha1.ReasonPromoted, "This revision serves in production.")
	case v1alpha1.OutcomeSuperseded:
		return ready(v1alpha1.ReasonSuperseded, "The prototype changed; "+cmp.Or(v.s.Newer, "a later review")+" speaks of it now.")
	case v1alpha1.OutcomeWithdrawn:
		return ready(v1alpha1.ReasonWithdrawn, "The team no longer asks for production, or the prototype is gone.")
	case v1alpha1.OutcomeRolledBack:
		message := "The revision was taken back before it had soaked."
		if promotion := v.s.Review.Status.Promotion; promotion != nil && promotion.Message != "" {
			message += " " + promotion.Message
		}
		return stalled(v1alpha1.ReasonRolledBack, message+" The team mends it, or asks again.")
	}
	message := "A role rejected it."
	if v.plan.Decided.Rejected != nil {
		message = v.rejection()
	}
	return stalled(v1alpha1.ReasonRejected, message)
}

func stalled(reason, message string) []metav1.Condition {
	return []metav1.Condition{
		condition(v1alpha1.ConditionReady, no, reason, message), condition(v1alpha1.ConditionStalled, yes, reason, message),
	}
}

func working(reason, message string) []metav1.Condition {
	return []metav1.Condition{
		condition(v1alpha1.ConditionReady, no, reason, message), condition(v1alpha1.ConditionReconciling, yes, reason, message),
	}
}
