package sandbox

import (
	"cmp"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

// conditions on a copy of the present ones, so that a time of transition moves only with a status.
func (s Snapshot) conditions(answer verdict, p Plan, o Outcome, now time.Time) []metav1.Condition {
	conditions := slices.Clone(s.Prototype.Status.Conditions)
	// What runs may go on for a time from this one on: one that has not come yet, by a clock that was put right since, is now.
	if c := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionNetworkIsolated); c != nil && s.running() && early(c.LastTransitionTime, now) {
		c.LastTransitionTime = seconds(now)
	}
	set := func(kind string, status metav1.ConditionStatus, reason, message string) {
		apimeta.SetStatusCondition(&conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message,
			ObservedGeneration: s.Prototype.Generation, LastTransitionTime: seconds(now),
		})
	}
	onlyWhile := func(kind string, holds bool) {
		if holds {
			set(kind, metav1.ConditionTrue, answer.reason, answer.message)
		} else {
			apimeta.RemoveStatusCondition(&conditions, kind)
		}
	}
	set(v1alpha1.ConditionReady, answer.ready, answer.reason, answer.message)
	onlyWhile(v1alpha1.ConditionReconciling, answer.working)
	onlyWhile(v1alpha1.ConditionStalled, answer.stalled)
	s.isolationCondition(p, set, now)
	s.sandboxCondition(answer, p, set)
	if !s.deleting() {
		s.reviewCondition(p, o, set)
		s.productionCondition(set)
		if _, known := s.modelDrift(); !known {
			apimeta.RemoveStatusCondition(&conditions, v1alpha1.ConditionModelDrift)
		}
		s.driftCondition(set)
	}
	if s.pilots() != nil {
		s.pilotCondition(p, now, set)
	} else {
		apimeta.RemoveStatusCondition(&conditions, v1alpha1.ConditionOpenToPilots)
	}
	if c := s.expiring(p, now); c != nil {
		set(v1alpha1.ConditionExpiring, c.Status, c.Reason, c.Message)
	} else {
		apimeta.RemoveStatusCondition(&conditions, v1alpha1.ConditionExpiring)
	}
	if len(s.Answers) > 0 {
		set(v1alpha1.ConditionDataAnswered, metav1.ConditionTrue, v1alpha1.ReasonAnswered, evidence.Clean(strings.Join(s.Answers, " "), maxAnswer))
	} else if s.Policy != nil && !s.Unread {
		apimeta.RemoveStatusCondition(&conditions, v1alpha1.ConditionDataAnswered)
	}
	// A generation that was seen was seen as a whole: what did not change is still so.
	for i := range conditions {
		conditions[i].ObservedGeneration = s.Prototype.Generation
	}
	return conditions
}

// maxAnswer bounds what a condition says about data; the policy keeps its answers shorter.
const maxAnswer = 4096

type setter func(kind string, status metav1.ConditionStatus, reason, message string)

func (s Snapshot) isolationCondition(p Plan, set setter, now time.Time) {
	isolation := p.verdict(s)
	switch {
	case p.absent():
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, p.absence(), "There is no sandbox.")
	case p.State == Severed || p.State == Halted:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonEmergencyStop,
			"An emergency stop closed the network; isolation is measured anew when it is lifted.")
	case p.Shut:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonPreparingSandbox,
			"The network is closed, and nothing runs in it; isolation is measured anew before anything does.")
	case isolation == nil && p.State == Measuring:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation, "Isolation is being measured.")
	case isolation == nil:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonPreparingSandbox, "Isolation was not measured yet.")
	case isolation.Verdict == verdictEnforced && s.Inputs != "" && !s.recent(isolation, now):
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation, s.outdated(isolation, now))
	case isolation.Verdict == verdictEnforced:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced, isolation.Message)
	case isolation.Verdict == verdictNotEnforced:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced, isolation.Message)
	default:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonIsolationInconclusive, isolation.Message)
	}
}

// outdated says why a good measurement does not speak of the sandbox as it is.
func (s Snapshot) outdated(isolation *v1alpha1.IsolationStatus, now time.Time) string {
	if ahead(isolation, now) {
		return "Isolation was measured at a time that has not come yet, for a clock was wrong: it is being measured anew."
	}
	if node := s.unshown(isolation); node != "" {
		before := func(m v1alpha1.MeasuredNode) bool { return m.Name == node }
		if slices.ContainsFunc(isolation.Nodes, before) {
			return "Node " + node + ", on which the workload runs, was started anew since isolation was measured there: it is being measured again."
		}
		return "Isolation was measured on node " + isolation.Node + ", and a pod of the workload is on node " + node + ": it is being measured there."
	}
	if isolation.InputsDigest != s.Inputs {
		return "Isolation was measured under other network policies: it is being measured anew."
	}
	return "The last measurement of isolation is too old: it is being made anew."
}

// absent tells whether there is, or shall be, no sandbox.
func (p Plan) absent() bool {
	switch p.State {
	case Deleting, Retiring, Retired, NeedStated, Expired:
		return true
	}
	return false
}

// absence is the reason of conditions about a sandbox that shall not be.
func (p Plan) absence() string {
	switch p.State {
	case Deleting:
		return v1alpha1.ReasonDeleting
	case Retiring:
		return v1alpha1.ReasonRetiring
	case Retired:
		return v1alpha1.ReasonRetired
	case Expired:
		return v1alpha1.ReasonExpired
	}
	return v1alpha1.ReasonNeedStated
}

// sandboxCondition speaks of the current subject; one that ran before and goes on while the new one is blocked does
// not make it true.
func (s Snapshot) sandboxCondition(answer verdict, p Plan, set setter) {
	switch {
	case p.absent():
		set(v1alpha1.ConditionSandboxReady, metav1.ConditionFalse, p.absence(), "There is no sandbox.")
	case p.State == Running && answer.reason != v1alpha1.ReasonStartingWorkload && !s.effects().Severs():
		set(v1alpha1.ConditionSandboxReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox,
			"The workload runs and answers at "+workload.URL(s.Identity.Sandbox())+".")
	default:
		set(v1alpha1.ConditionSandboxReady, metav1.ConditionFalse, answer.reason, answer.message)
	}
}

func (s Snapshot) reviewCondition(p Plan, o Outcome, set setter) {
	newest := s.newest()
	current := newest != nil && (s.SubjectDigest == "" || newest.Spec.SubjectDigest == s.SubjectDigest)
	switch {
	case p.ReviewProblem != nil:
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, p.ReviewProblem.Reason, clean(p.ReviewProblem.Message+" "+p.ReviewProblem.Hint))
	case s.openReview(p, o) != "":
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionTrue, v1alpha1.ReasonInReview, "Review "+s.openReview(p, o)+" is open.")
	case !s.wantsProduction():
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonNotRequested, "The team did not ask for production.")
	case s.serving() != nil:
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonPromoted,
			"Review "+s.serving().Name+" let this revision into production, where it serves.")
	case current && slices.Contains(standing, newest.Status.Outcome):
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, string(newest.Status.Outcome), s.ended(newest))
	default:
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonWaitingForSandbox,
			"A review opens as soon as this revision runs in its sandbox, isolated.")
	}
}

// standing are the outcomes after which the same subject is not reviewed again by itself; their names are reasons too.
var standing = []v1alpha1.ReviewOutcome{v1alpha1.OutcomePromoted, v1alpha1.OutcomeRejected, v1alpha1.OutcomeRolledBack}

func (s Snapshot) ended(review *v1alpha1.HardeningReview) string {
	outcome := review.Status.Outcome
	if outcome == v1alpha1.OutcomePromoted && !takenBack(review).IsZero() {
		outcome = v1alpha1.OutcomeRolledBack
	}
	switch outcome {
	case v1alpha1.OutcomeRejected:
		return "Review " + review.Name + " was rejected. The team changes the prototype, or asks again with the annotation " + v1alpha1.AnnotationRequestedAt + "."
	case v1alpha1.OutcomeRolledBack:
		return "What review " + review.Name + " let in was taken back. The team changes the prototype, or asks again with the annotation " + v1alpha1.AnnotationRequestedAt + "."
	}
	return "Review " + review.Name + " ended in production."
}

func (s Snapshot) productionCondition(set setter) {
	production := s.production()
	newest := s.newest()
	switch {
	case production != nil && s.stoppedInProduction() != "":
		set(v1alpha1.ConditionInProduction, metav1.ConditionFalse, v1alpha1.ReasonEmergencyStop, clean(s.stoppedInProduction()))
	case production != nil && production.SubjectDigest == s.current():
		set(v1alpha1.ConditionInProduction, metav1.ConditionTrue, v1alpha1.ReasonInProduction,
			"This revision serves in namespace "+production.Namespace+", let in by "+production.Review+".")
	case production != nil:
		set(v1alpha1.ConditionInProduction, metav1.ConditionTrue, v1alpha1.ReasonInProduction,
			"An earlier revision serves in namespace "+production.Namespace+", let in by "+production.Review+".")
	case s.Prototype.Spec.Target == v1alpha1.TargetRetired && s.promoted():
		set(v1alpha1.ConditionInProduction, metav1.ConditionFalse, v1alpha1.ReasonRetiring, "Production is being taken down.")
	case s.Prototype.Spec.Target == v1alpha1.TargetRetired:
		set(v1alpha1.ConditionInProduction, metav1.ConditionFalse, v1alpha1.ReasonRetired, "Nothing of it runs in production.")
	case newest != nil && newest.Status.Promotion != nil && newest.Status.Outcome != v1alpha1.OutcomeWithdrawn:
		promotion := newest.Status.Promotion
		set(v1alpha1.ConditionInProduction, metav1.ConditionFalse, cmp.Or(promotion.Reason, v1alpha1.ReasonPromoting),
			clean(cmp.Or(promotion.Message, "Review "+newest.Name+" is being promoted.")))
	case !s.wantsProduction():
		set(v1alpha1.ConditionInProduction, metav1.ConditionFalse, v1alpha1.ReasonNotRequested, "The team did not ask for production.")
	default:
		set(v1alpha1.ConditionInProduction, metav1.ConditionFalse, v1alpha1.ReasonNotApproved, "No review of this prototype has let it into production.")
	}
}

// since is when a condition took its present status.
func (s Snapshot) since(kind string, otherwise time.Time) time.Time {
	if c := apimeta.FindStatusCondition(s.Prototype.Status.Conditions, kind); c != nil {
		return c.LastTransitionTime.Time
	}
	return otherwise
}

// current is the digest of the newest subject that was known.
func (s Snapshot) current() string { return cmp.Or(s.SubjectDigest, s.Prototype.Status.SubjectDigest) }
