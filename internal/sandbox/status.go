package sandbox

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	judge "github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/workload"
)

// Outcome is what came of carrying out a plan.
type Outcome struct {
	// Waiting says what a teardown waits for; empty when it is done.
	Waiting string
	// Conflict is a foreign object in the way.
	Conflict *apply.ConflictError
	// Made is when the sandbox's namespace was made, if it was made on this pass.
	Made time.Time
	// Prepared is true where the sandbox stands.
	Prepared bool
	// Rolled is true where the workload was written, so that what was seen of it is past.
	Rolled bool
	// Gone is true where the finalizer was removed.
	Gone bool
	// Logs say what became of the log of a workload that is being stopped; empty where none is.
	Logs string
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
	s.Made = o.Made
	status := *s.Prototype.Status.DeepCopy()
	status.ObservedGeneration = s.Prototype.Generation
	if !s.deleting() {
		// Reviews of a prototype that is going were not read, and production is not the sandbox's to speak of any more.
		status.Production, status.Review = s.production(), s.reviewReference(o)
	}
	status.Sandbox = s.sandboxStatus(p, now)
	status.Image = s.imageStatus()
	if s.SubjectDigest != "" {
		status.SubjectDigest = s.SubjectDigest
	}
	if p.Handled && o.Err == nil && s.asked() {
		status.LastHandledRequestedAt = s.request()
	}
	answer := s.ready(p, o, now)
	if stopped := s.stoppedVerdict(p); stopped != nil && p.alive() {
		answer = *stopped
	}
	status.Conditions = s.conditions(answer, p, o, now)
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
		if o.Waiting == "" && s.outliving() {
			return busy(v1alpha1.ReasonDeleting, "Production is being taken down first, as spec.target Retired asks: namespace "+
				s.Production.Name+" is still there.")
		}
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
	case Queued:
		return s.atCapacity(p)
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
	return stuck(v1alpha1.ReasonExpired, clean("The sandbox's life is over; what is on record stays."+s.extension()+" Then it comes back, and is measured anew."))
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
	switch {
	case p.Withdrawn:
		message = clean("It was stopped and its copy of the Secret removed; it comes back by itself once this is mended: " + message)
	case p.Shut:
		message = clean("It was stopped and its network closed, and comes back by itself once this is mended: " + message)
	case s.running():
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
		return stuck(v1alpha1.ReasonNotEnforced, clean(notEnforced(isolation)))
	case Unmeasured:
		return s.unmeasured(isolation, now)
	case Measuring:
		if !o.Prepared {
			return busy(v1alpha1.ReasonPreparingSandbox, "The sandbox is being made.")
		}
		return busy(v1alpha1.ReasonMeasuringIsolation, "It is being measured whether the sandbox reaches only what it may; then the workload starts."+s.hindrance())
	}
	return s.working(p, o, now)
}

// hindrance is what keeps a measuring run from its work, in words that do not change from try to try.
func (s Snapshot) hindrance() string {
	for _, probe := range []Probe{s.Control, s.Inside} {
		switch probe.Why {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
			return " The node can't pull the runner's image; the platform team can see why in the events of namespace " + v1alpha1.GatesNamespace + "."
		}
	}
	return ""
}

// notEnforced says what a cluster without an engine lacks, which paths were found open, and who can change it.
func notEnforced(isolation *v1alpha1.IsolationStatus) string {
	var open []string
	for _, path := range isolation.Paths {
		if path.Want != path.Found && path.Found == string(judge.Reachable) {
			open = append(open, path.Name)
		}
	}
	named := ""
	if len(open) > 0 {
		named = " (" + strings.Join(open, ", ") + ")"
	}
	return "This cluster does not enforce NetworkPolicy: what must be out of reach was reached" + named + ", so the workload does not run. " +
		"The platform team must install a network policy engine; then isolation is measured again by itself."
}

// unmeasured says why nothing is known, and what became of a workload that ran.
func (s Snapshot) unmeasured(isolation *v1alpha1.IsolationStatus, now time.Time) verdict {
	why := "Isolation was not measured."
	if isolation != nil {
		why = isolation.Message
	}
	if until := s.unknownUntil(isolation, now); s.Deployment != nil && (!s.running() || !until.IsZero() && !now.Before(until)) {
		why = "The workload was stopped: for too long it was not shown that its sandbox is closed. It comes back by itself once that is shown; " +
			"the platform team can look why it is not. " + why
	}
	if s.Inputs == "" {
		return stuck(v1alpha1.ReasonCanaryMissing, clean(why))
	}
	return busy(v1alpha1.ReasonIsolationInconclusive, clean(why+" It is tried again."))
}

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
	if open := s.openReview(p, o); open != "" {
		return good(v1alpha1.ReasonInReview, "It runs in its sandbox at "+url+"; review "+open+" is open.")
	}
	return good(v1alpha1.ReasonRunningInSandbox, "It runs in its sandbox at "+url+".")
}

// openReview is the name of the open review of the present subject, if there is one; also of one that was opened a
// moment ago and is in no cache yet.
func (s Snapshot) openReview(p Plan, o Outcome) string {
	if o.Review != "" && p.Record.SubjectDigest == s.SubjectDigest {
		return o.Review
	}
	newest := s.newest()
	if newest != nil && newest.Status.Outcome == "" && (s.SubjectDigest == "" || newest.Spec.SubjectDigest == s.SubjectDigest) {
		return newest.Name
	}
	return ""
}
