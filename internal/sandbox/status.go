package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/workload"
)

// Outcome is what came of carrying out a plan.
type Outcome struct {
	// Waiting says what a teardown waits for; empty when it is done.
	Waiting string
	// Conflict is a foreign object in the way.
	Conflict *apply.ConflictError
	// Rolled is true where the workload was written, so that what was seen of it is past.
	Rolled bool
	// Gone is true where the finalizer was removed.
	Gone bool
	// Review that was opened or restored on this pass.
	Review string
	// Retry is when to try again what the cluster was not ready for; zero otherwise.
	Retry time.Duration
	// Err is why the plan could not be carried out to its end.
	Err error
}

// verdict is the one answer about readiness.
type verdict struct {
	ready           metav1.ConditionStatus
	reason, message string
	// working and stalled exclude each other; where neither is true, the operator did all it can do.
	working, stalled bool
}

func good(reason, message string) verdict {
	return verdict{ready: metav1.ConditionTrue, reason: reason, message: message}
}

func busy(reason, message string) verdict {
	return verdict{ready: metav1.ConditionFalse, reason: reason, message: message, working: true}
}

func stuck(reason, message string) verdict {
	return verdict{ready: metav1.ConditionFalse, reason: reason, message: message, stalled: true}
}

// Status is the whole status after a pass. It equals the one before where nothing changed that people read.
func Status(s Snapshot, p Plan, o Outcome, now time.Time) v1alpha1.AIPrototypeStatus {
	status := *s.Prototype.Status.DeepCopy()
	status.ObservedGeneration = s.Prototype.Generation
	status.Production = s.production()
	status.Review = s.reviewReference(o)
	status.Sandbox = s.sandboxStatus(p)
	status.Image = s.imageStatus()
	if s.SubjectDigest != "" {
		status.SubjectDigest = s.SubjectDigest
	}
	if p.Handled && o.Err == nil && s.asked() {
		status.LastHandledRequestedAt = s.request()
	}
	answer := s.ready(p, o, now)
	status.Conditions = s.conditions(answer, p, now)
	status.Gaps = s.gaps(p, now)
	status.WaitingOn = s.waitingOn(answer, p, now)
	status.Summary = s.summary(status.WaitingOn)
	return status
}

// ready is the one answer, by the state of the plan.
func (s Snapshot) ready(p Plan, o Outcome, now time.Time) verdict {
	if o.Conflict != nil {
		return stuck(v1alpha1.ReasonObjectConflict, "An object that the operator needs is in the way: "+o.Conflict.Error()+
			". The platform team removes it.")
	}
	switch p.State {
	case Deleting:
		return busy(v1alpha1.ReasonDeleting, "The sandbox is being taken down, pods first"+because(o.Waiting)+".")
	case Retiring:
		if o.Waiting == "" && s.promoted() {
			o.Waiting = "production namespace " + s.Production.Name + " is being taken down"
		}
		return busy(v1alpha1.ReasonRetiring, "Sandbox and production are being taken down"+because(o.Waiting)+".")
	case Retired:
		return good(v1alpha1.ReasonRetired, "Nothing of it runs any more.")
	case NeedStated:
		return s.needStated(o)
	case Expired:
		return s.expired(o)
	case Suspended:
		return s.suspended()
	case Holding, Blocked:
		return s.blocked(p)
	}
	return s.lively(p, o, now)
}

func because(waiting string) string {
	if waiting == "" {
		return ""
	}
	return ": " + waiting
}

func (s Snapshot) needStated(o Outcome) verdict {
	if o.Waiting != "" {
		return busy(v1alpha1.ReasonNeedStated, "The sandbox is being taken down: "+o.Waiting+".")
	}
	if len(s.Problems) > 0 {
		return s.blocked(Plan{State: Blocked})
	}
	return good(v1alpha1.ReasonNeedStated, "The need is stated. Name a program under spec.workload to try it.")
}

func (s Snapshot) expired(o Outcome) verdict {
	if o.Waiting != "" {
		return busy(v1alpha1.ReasonExpired, "The sandbox's life is over; it is being taken down: "+o.Waiting+".")
	}
	if production := s.production(); production != nil {
		return good(v1alpha1.ReasonInProduction, "The sandbox's life is over; production serves, let in by "+production.Review+".")
	}
	return stuck(v1alpha1.ReasonExpired, "The sandbox's life is over. The team raises spec.sandbox.lifetime within the policy's maximum, or deletes the prototype.")
}

func (s Snapshot) suspended() verdict {
	if s.Deployment != nil && s.Deployment.Status.Replicas > 0 {
		return busy(v1alpha1.ReasonSuspended, "The workload is being stopped, as spec.suspend asks.")
	}
	return good(v1alpha1.ReasonSuspended, "The workload is stopped, as spec.suspend asks.")
}

// blocked names the first problem; all of them are among the gaps.
func (s Snapshot) blocked(p Plan) verdict {
	if p.State == Holding || len(s.Problems) == 0 {
		return busy(v1alpha1.ReasonPolicyNotReady, "The governing policy is being read.")
	}
	problem := s.Problems[0]
	message := clean(problem.Message + " " + problem.Hint)
	if s.running() {
		message = clean(message + " What ran before goes on.")
	}
	for _, other := range s.Problems {
		if !s.passing(other) {
			return stuck(problem.Reason, message)
		}
	}
	return busy(problem.Reason, message)
}

// lively is a sandbox that is being made, or runs.
func (s Snapshot) lively(p Plan, o Outcome, now time.Time) verdict {
	isolation := p.verdict(s)
	switch p.State {
	case Conflict:
		return stuck(v1alpha1.ReasonNamespaceConflict, fmt.Sprintf(
			"Namespace %s exists and is not this prototype's. Whoever made it removes it; nothing is taken over.", s.Namespace.Name))
	case Clearing:
		return busy(v1alpha1.ReasonPreparingSandbox, "An earlier sandbox is being taken down first.")
	case Unenforced:
		return stuck(v1alpha1.ReasonNotEnforced, notEnforced)
	case Unmeasured:
		if s.Inputs == "" {
			return stuck(v1alpha1.ReasonCanaryMissing, isolation.Message)
		}
		return busy(v1alpha1.ReasonIsolationInconclusive, clean(isolation.Message+" It is tried again."))
	case Measuring:
		if s.Namespace == nil {
			return busy(v1alpha1.ReasonPreparingSandbox, "The sandbox is being made.")
		}
		return busy(v1alpha1.ReasonMeasuringIsolation, "It is being measured whether the sandbox reaches only what it may; then the workload starts.")
	}
	return s.working(p, o, now)
}

// notEnforced says what a cluster without an engine lacks, and who can change it.
const notEnforced = "This cluster does not enforce NetworkPolicy: the sandbox reached what it must not reach, so the workload does not run. " +
	"The platform team must install a network policy engine; then isolation is measured again by itself."

// working is a workload that starts or runs.
func (s Snapshot) working(p Plan, o Outcome, now time.Time) verdict {
	if p.State == Starting || o.Rolled {
		found := s.health(now)
		if o.Rolled || found.Available {
			return busy(v1alpha1.ReasonStartingWorkload, "The workload is being started.")
		}
		if found.Owner != "" {
			return stuck(found.Reason, clean(found.Message))
		}
		return busy(found.Reason, clean(found.Message))
	}
	if problem := p.ReviewProblem; problem != nil {
		return stuck(problem.Reason, clean(problem.Message+" "+problem.Hint))
	}
	url := workload.URL(s.Identity.Sandbox())
	if production := s.production(); production != nil && production.SubjectDigest == s.SubjectDigest {
		return good(v1alpha1.ReasonInProduction, "This revision serves in production, let in by "+production.Review+".")
	}
	if newest := s.newest(); newest != nil && newest.Status.Outcome == "" && newest.Spec.SubjectDigest == s.SubjectDigest {
		return good(v1alpha1.ReasonInReview, "It runs in its sandbox at "+url+"; review "+newest.Name+" is open.")
	}
	return good(v1alpha1.ReasonRunningInSandbox, "It runs in its sandbox at "+url+".")
}

// conditions on a copy of the present ones, so that a time of transition moves only with a status.
func (s Snapshot) conditions(answer verdict, p Plan, now time.Time) []metav1.Condition {
	conditions := slices.Clone(s.Prototype.Status.Conditions)
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
	s.isolationCondition(p, set)
	s.sandboxCondition(answer, p, set)
	s.reviewCondition(p, set)
	s.productionCondition(set)
	if len(s.Answers) > 0 {
		set(v1alpha1.ConditionDataAnswered, metav1.ConditionTrue, v1alpha1.ReasonAnswered, clean(strings.Join(s.Answers, " ")))
	} else if s.Policy != nil && !s.Unread {
		apimeta.RemoveStatusCondition(&conditions, v1alpha1.ConditionDataAnswered)
	}
	// A generation that was seen was seen as a whole: what did not change is still so.
	for i := range conditions {
		conditions[i].ObservedGeneration = s.Prototype.Generation
	}
	return conditions
}

type setter func(kind string, status metav1.ConditionStatus, reason, message string)

func (s Snapshot) isolationCondition(p Plan, set setter) {
	isolation := p.verdict(s)
	switch {
	case p.absent():
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, p.absence(), "There is no sandbox.")
	case isolation == nil && p.State == Measuring:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation, "Isolation is being measured.")
	case isolation == nil:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonPreparingSandbox, "Isolation was not measured yet.")
	case isolation.Verdict == verdictEnforced:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced, isolation.Message)
	case isolation.Verdict == verdictNotEnforced:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced, isolation.Message)
	default:
		set(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonIsolationInconclusive, isolation.Message)
	}
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
	case p.State == Running && answer.reason != v1alpha1.ReasonStartingWorkload:
		set(v1alpha1.ConditionSandboxReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox,
			"The workload runs and answers at "+workload.URL(s.Identity.Sandbox())+".")
	default:
		set(v1alpha1.ConditionSandboxReady, metav1.ConditionFalse, answer.reason, answer.message)
	}
}

func (s Snapshot) reviewCondition(p Plan, set setter) {
	newest := s.newest()
	current := newest != nil && (s.SubjectDigest == "" || newest.Spec.SubjectDigest == s.SubjectDigest)
	switch {
	case p.ReviewProblem != nil:
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, p.ReviewProblem.Reason, clean(p.ReviewProblem.Message+" "+p.ReviewProblem.Hint))
	case current && newest.Status.Outcome == "":
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionTrue, v1alpha1.ReasonInReview, "Review "+newest.Name+" is open.")
	case !s.wantsProduction():
		set(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonNotRequested, "The team did not ask for production.")
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
	switch review.Status.Outcome {
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
