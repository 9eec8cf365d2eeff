package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
)

// State is where a prototype is. It is computed anew on every pass and never stored.
type State string

// States, from the end of a life to its middle.
const (
	// Deleting: the prototype is going, and everything of it outside production.
	Deleting State = "Deleting"
	// Retiring: the sandbox and production are going.
	Retiring State = "Retiring"
	// Retired: nothing of it runs any more.
	Retired State = "Retired"
	// NeedStated: there is no workload.
	NeedStated State = "NeedStated"
	// Expired: the sandbox's life is over.
	Expired State = "Expired"
	// Suspended: the team stopped the workload.
	Suspended State = "Suspended"
	// Queued: the team has no room for it at present.
	Queued State = "Queued"
	// Severed: an emergency stop cut the whole network; what runs is cut off.
	Severed State = "Severed"
	// Halted: an emergency stop stopped the workload.
	Halted State = "Halted"
	// Holding: the policy was edited and has not been read; nothing moves for a moment.
	Holding State = "Holding"
	// Blocked: a problem keeps this spec from running. What ran before goes on only while the policy says what it may
	// reach.
	Blocked State = "Blocked"
	// Conflict: a foreign namespace has the sandbox's name.
	Conflict State = "Conflict"
	// Clearing: an earlier sandbox has to be gone first.
	Clearing State = "Clearing"
	// Measuring: isolation is being measured, and nothing of this subject runs.
	Measuring State = "Measuring"
	// Unmeasured: isolation could not be measured; it is tried again.
	Unmeasured State = "Unmeasured"
	// Unenforced: the cluster does not enforce NetworkPolicy.
	Unenforced State = "Unenforced"
	// Starting: the workload is being started, or does not get up.
	Starting State = "Starting"
	// Running: the current subject runs in its sandbox, and answers.
	Running State = "Running"
)

// Action is one thing to do. The set is closed; actions are carried out in order, and one that has to wait ends the
// pass.
type Action string

// Actions.
const (
	// AddFinalizer, before anything exists that would have to be taken down.
	AddFinalizer Action = "AddFinalizer"
	// PrepareSandbox makes the namespace, the operator's rights in it, then the rest, and removes what is surplus.
	PrepareSandbox Action = "PrepareSandbox"
	// KeepReports stores what the isolation runs measured.
	KeepReports Action = "KeepReports"
	// Prune removes old measurements of isolation and old logs that no review needs.
	Prune Action = "Prune"
	// KeepLogs stores the end of the workload's log before it is stopped.
	KeepLogs Action = "KeepLogs"
	// RemoveRuns deletes the isolation runs.
	RemoveRuns Action = "RemoveRuns"
	// StartControl and StartInside make the isolation runs.
	StartControl Action = "StartControl"
	StartInside  Action = "StartInside"
	// RunWorkload makes or updates Deployment and Service.
	RunWorkload Action = "RunWorkload"
	// StopWorkload scales the workload to zero.
	StopWorkload Action = "StopWorkload"
	// DropSecrets removes the copies of Secrets that the prototype may not have any more.
	DropSecrets Action = "DropSecrets"
	// SeverNetwork takes out of the network policies, as they are, what an emergency stop cuts off; everything, and the
	// ports that the team may open, where the network is closed.
	SeverNetwork Action = "SeverNetwork"
	// ReplacePods has the workload's pods made anew, so that connections from before a cut end with them. It waits for the
	// rules to go: new pods would come by the same ways.
	ReplacePods Action = "ReplacePods"
	// EndPods deletes the workload's pods, whoever made them, and gives them no time.
	EndPods Action = "EndPods"
	// CloseNetwork leaves no network policy that opens anything.
	CloseNetwork Action = "CloseNetwork"
	// OpenToPilots makes or updates the route through which pilots come; CloseToPilots takes it away.
	OpenToPilots  Action = "OpenToPilots"
	CloseToPilots Action = "CloseToPilots"
	// OpenReview writes a record and then its view.
	OpenReview Action = "OpenReview"
	// RestoreReview makes the view of a record anew.
	RestoreReview Action = "RestoreReview"
	// TearDownSandbox and TearDownRehearsal take the namespaces away, pods first.
	TearDownSandbox   Action = "TearDownSandbox"
	TearDownRehearsal Action = "TearDownRehearsal"
	// SweepGates removes the prototype's runs from the gates' namespace.
	SweepGates Action = "SweepGates"
	// RemoveFinalizer, when nothing is left.
	RemoveFinalizer Action = "RemoveFinalizer"
)

// referencesFresh is how long what was read outside the prototype counts, if nothing changes.
const referencesFresh = 10 * time.Minute

// Plan is what to do, and where the prototype is.
type Plan struct {
	State   State
	Actions []Action
	// Wake is when to look again, whatever happens; zero for never.
	Wake time.Time
	// Isolation is the verdict that was reached on this pass; nil without one.
	Isolation *v1alpha1.IsolationStatus
	// Record of the review to open or to restore.
	Record *record.Record
	// ReviewProblem keeps a ripe subject from its review.
	ReviewProblem *policy.Problem
	// Place in the team's room.
	Place place
	// Shut is true where the network is closed: with the workload stopped, because nothing says what it may reach, or
	// by an emergency stop.
	Shut bool
	// Withdrawn is true where the workload is stopped, because its team took back a Secret that it mounts.
	Withdrawn bool
	// Handled is true where nothing that was asked for by annotation is left to do.
	Handled bool
}

// String is the plan in one line.
func (p Plan) String() string {
	out := string(p.State) + ":"
	for _, action := range p.Actions {
		out += " " + string(action)
	}
	if p.Isolation != nil {
		out += " isolation=" + p.Isolation.Verdict
	}
	if p.Record != nil {
		out += fmt.Sprintf(" record=%d", p.Record.Ordinal)
	}
	if p.ReviewProblem != nil {
		out += " review=" + p.ReviewProblem.Reason
	}
	if !p.Wake.IsZero() {
		out += " wake=" + p.Wake.UTC().Format(time.RFC3339)
	}
	return strings.TrimSuffix(out, ":")
}

func (p *Plan) do(actions ...Action) { p.Actions = append(p.Actions, actions...) }

// first puts an action before all others: nothing that fails may keep a workload running that must not.
func (p *Plan) first(action Action) { p.Actions = slices.Insert(p.Actions, 0, action) }

// wakeBy moves the waking time forward to the given one, if that is earlier.
func (p *Plan) wakeBy(at time.Time) {
	if !at.IsZero() && (p.Wake.IsZero() || at.Before(p.Wake)) {
		p.Wake = at
	}
}

// Decide says what to do. The first rule that applies decides:
//
//	deleted ─▶ Deleting ─(namespaces gone, production too if it was retired)─▶ finalizer removed
//	target Retired ─▶ Retiring ─(sandbox and production gone)─▶ Retired
//	no workload ─▶ NeedStated
//	past its end ─▶ Expired
//	an emergency stop cuts all of it ─▶ Severed, Halted ─(lifted)─▶ measured anew, then as before
//	suspended ─▶ Suspended
//	policy edited, not read ─▶ Holding      a problem ─▶ Blocked      no room in the team ─▶ Queued
//	foreign namespace ─▶ Conflict
//	Blocked ─(no policy, no team, or it takes reach back)─▶ stopped and closed; ─(the team takes a Secret back)─▶ stopped;
//	        otherwise what ran goes on
//	else: Clearing ─▶ Measuring ─▶ Starting ─▶ Running ─(target Production)─▶ review opened
//	                      │  ▲                    │
//	                      ▼  │ retried            ▼ measured again, not enforced
//	            Unmeasured, Unenforced ◀──────────┘ scaled to zero
func Decide(s Snapshot, now time.Time) Plan {
	switch {
	case s.deleting():
		return s.cutFirst(s.leave(now))
	case s.Prototype.Spec.Target == v1alpha1.TargetRetired:
		return s.cutFirst(s.retire(now))
	case s.container() == nil && s.Unread && !s.exists():
		return Plan{State: Holding}
	case s.container() == nil:
		return s.cutFirst(s.away(NeedStated, now))
	case s.lifeOver(now):
		plan := s.cutFirst(s.away(Expired, now))
		s.await(&plan, now)
		return plan
	}
	plan := s.live(now)
	s.sever(&plan)
	s.admit(&plan, now)
	// Lost in a restore, or taken off while the guards were: without it, nothing would hold the prototype until its
	// sandbox is gone.
	if s.exists() && !controllerutil.ContainsFinalizer(s.Prototype, v1alpha1.FinalizerSandbox) && !slices.Contains(plan.Actions, AddFinalizer) {
		plan.Actions = append([]Action{AddFinalizer}, plan.Actions...)
	}
	if action, rec := s.review(plan.verdict(s), now); action != "" {
		plan.do(action)
		plan.Record = rec
	}
	s.await(&plan, now)
	return plan
}

// verdict on isolation that holds after this pass.
func (p Plan) verdict(s Snapshot) *v1alpha1.IsolationStatus {
	if p.Shut {
		return nil
	}
	if p.Isolation != nil {
		return p.Isolation
	}
	return s.measured()
}

func (s Snapshot) live(now time.Time) Plan {
	switch e := s.effects(); {
	case e.Cut:
		return s.cutOff(e)
	case s.Prototype.Spec.Suspend:
		return s.upkeep(s.suspend())
	case s.Unread:
		return Plan{State: Holding}
	case len(s.Problems) > 0 || s.Subject == nil:
		return s.block(now)
	}
	if place := s.place(); place.queue != nil {
		return s.queue(place)
	}
	switch {
	case s.Namespace != nil && !s.ours(s.Namespace):
		return Plan{State: Conflict, Wake: now.Add(time.Minute)}
	case s.Namespace != nil && !s.Namespace.DeletionTimestamp.IsZero():
		return Plan{State: Clearing, Wake: now.Add(teardownPoll)}
	}
	plan := Plan{Handled: !s.Image.Pending}
	if !controllerutil.ContainsFinalizer(s.Prototype, v1alpha1.FinalizerSandbox) {
		plan.do(AddFinalizer)
	}
	plan.do(PrepareSandbox)
	plan.wakeBy(s.References.Until)
	plan.wakeBy(s.Image.RetryAt)
	underWay := s.isolate(&plan, now)
	s.work(&plan, underWay, now)
	return plan
}

// suspend needs no policy: it works when nothing else does.
func (s Snapshot) suspend() Plan {
	plan := Plan{State: Suspended, Handled: true}
	if s.running() {
		plan.do(StopWorkload)
	}
	if s.measuring() {
		plan.do(RemoveRuns)
	}
	return plan
}

// passing tells whether a problem may go away without anybody doing anything.
func (s Snapshot) passing(problem policy.Problem) bool {
	return problem.Reason == v1alpha1.ReasonRegistryUnreachable || problem.Reason == v1alpha1.ReasonPolicyNotReady && s.Unread
}

// runPoll is the pace at which runs under way are looked at, should an event get lost.
const runPoll = 30 * time.Second

// isolate plans the measurement of isolation, and tells whether one is under way. A running workload goes on
// meanwhile; where the cluster turns out not to enforce, it is stopped at once.
func (s Snapshot) isolate(plan *Plan, now time.Time) bool {
	if s.Inputs == "" {
		plan.Isolation = s.unmeasurable(now)
		return false
	}
	next, at := s.measurement(now)
	switch next {
	case rest:
		plan.wakeBy(at)
	case begin:
		plan.do(StartControl, StartInside)
	case join:
		plan.do(StartInside)
	case discard:
		plan.do(RemoveRuns)
	case conclude:
		s.conclude(plan, now)
	}
	// What was asked for is done once isolation was measured for it.
	if s.asked() && (next != conclude || !s.answers()) {
		plan.Handled = false
	}
	if next != rest {
		plan.wakeBy(now.Add(runPoll))
	}
	return next != rest && next != conclude
}

// conclude judges two runs that have ended, and takes them away only when their verdict is told: killed in between, the
// next pass judges them again, and does not go on by the verdict before. What said nothing makes room for another try,
// whether or not it can be kept.
func (s Snapshot) conclude(plan *Plan, now time.Time) {
	if s.told() {
		// Keeping the reports may have failed when the verdict was told. Where it is time for the next measurement, or
		// nothing was found out, keeping them delays nothing: full records must not keep isolation from being looked at.
		if s.measured().Verdict == verdictInconclusive || !now.Before(s.scheduled(now)) {
			plan.do(RemoveRuns, KeepReports, Prune)
			return
		}
		plan.do(KeepReports, RemoveRuns, Prune)
		return
	}
	plan.Isolation = s.judged(now)
	if plan.Isolation.Report == "" {
		plan.do(RemoveRuns, KeepReports)
		return
	}
	plan.do(KeepReports)
	plan.wakeBy(now.Add(time.Second))
}

// unmeasurable is the verdict where there is no canary to measure against; the one before stands while it is fresh,
// and is not written anew on every pass.
func (s Snapshot) unmeasurable(now time.Time) *v1alpha1.IsolationStatus {
	message := "Isolation can't be measured: Service " + v1alpha1.GatesNamespace + "/" + v1alpha1.CanaryService +
		" is not there or has no address. The platform team can install it again."
	if last := s.measured(); last != nil && last.Message == message {
		return nil
	}
	return &v1alpha1.IsolationStatus{Verdict: verdictInconclusive, Message: message, MeasuredAt: seconds(now)}
}

// work plans the workload itself, by the newest verdict.
func (s Snapshot) work(plan *Plan, measuring bool, now time.Time) {
	verdict := plan.verdict(s)
	found := s.health(now)
	plan.wakeBy(found.Look)
	switch {
	case s.halt(plan, now):
	case s.isolated(verdict, now) && !s.hasRoom():
		// Room is claimed with this pass's status, and the workload starts once everybody can see that.
		plan.State = Starting
	case s.isolated(verdict, now):
		plan.State = Starting
		plan.do(RunWorkload)
		if s.running() && found.Available {
			plan.State = Running
		}
	case s.running() && found.Available:
		plan.State = Running
	case verdict != nil && verdict.Verdict == verdictInconclusive && !measuring:
		plan.State = Unmeasured
	default:
		plan.State = Measuring
	}
	if plan.State == Running && s.wantsProduction() && !s.spokenFor() {
		plan.ReviewProblem = s.reviewProblem()
	}
}

// spokenFor tells whether the newest review, or the one that serves, speaks for the present subject.
func (s Snapshot) spokenFor() bool {
	if s.serving() != nil {
		return true
	}
	last, any := s.viewed()
	return any && s.answered(last)
}

// measuring tells whether a run of the isolation measurement is there.
func (s Snapshot) measuring() bool { return s.Inside.present() || s.Control.present() }

// present tells whether the run's Job is there.
func (p Probe) present() bool { return p.State != run.Absent && p.State != "" }

// seconds is the time as the API keeps it.
func seconds(at time.Time) metav1.Time { return metav1.NewTime(at.UTC().Truncate(time.Second)) }

// clean cuts a message to what a condition shows well.
func clean(message string) string { return evidence.Clean(message, 512) }
