package sandbox

import (
	"slices"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/workload"
)

// block starts nothing. What runs is stopped and cut off where the policy no longer says what it may reach, and stopped
// where its team took a Secret back; under any other problem it goes on, and its sandbox is looked after as ever. Where nothing ever ran, no half-made namespace is
// left, unless what blocks passes by itself.
func (s Snapshot) block(now time.Time) Plan {
	plan := Plan{State: Blocked, Handled: !s.Image.Pending}
	plan.wakeBy(s.References.Until)
	plan.wakeBy(s.Image.RetryAt)
	switch {
	case !s.exists() || !s.Namespace.DeletionTimestamp.IsZero():
	case s.Deployment == nil:
		if slices.ContainsFunc(s.Problems, func(p policy.Problem) bool { return !s.passing(p) }) {
			plan.do(RemoveRuns, TearDownSandbox)
		}
	case s.Policy == nil || slices.ContainsFunc(s.Problems, unbounded):
		s.shut(&plan)
	case s.mishandled():
		s.withdraw(&plan)
		if s.running() && !plan.Withdrawn {
			plan.do(StopWorkload)
		}
		if s.measuring() {
			plan.do(RemoveRuns)
		}
		plan = s.upkeep(plan)
	default:
		s.withdraw(&plan)
		plan.do(PrepareSandbox)
		s.isolate(&plan, now)
		s.halt(&plan, now)
	}
	return plan
}

// upkeep keeps the sandbox of a workload that is stopped as it was made: what changes there is put back before anything
// runs in it again.
func (s Snapshot) upkeep(plan Plan) Plan {
	if s.exists() && s.Namespace.DeletionTimestamp.IsZero() && s.Policy != nil && !slices.ContainsFunc(s.Problems, unbounded) {
		plan.do(PrepareSandbox)
	}
	return plan
}

// shut stops the workload and closes its network. What was measured before says nothing about the network that is
// opened again later.
func (s Snapshot) shut(plan *Plan) {
	plan.Shut = true
	if s.running() {
		plan.do(StopWorkload)
	}
	if len(s.severed(true)) > 0 {
		plan.do(SeverNetwork)
	}
	plan.do(CloseNetwork)
	if s.measuring() {
		plan.do(RemoveRuns)
	}
}

// mishandled tells whether what was started runs under another runtime than its data must be handled under, and the
// cluster lacks that one.
func (s Snapshot) mishandled() bool {
	lacking := func(p policy.Problem) bool { return p.Reason == v1alpha1.ReasonRuntimeClassMissing }
	return slices.ContainsFunc(s.Problems, lacking) &&
		ptr.Deref(s.Deployment.Spec.Template.Spec.RuntimeClassName, "") != s.Requirements.RuntimeClass
}

// withdraw stops what mounts a Secret that its team took back, and takes the copy away: a grant that ended must not
// go on working here.
func (s Snapshot) withdraw(plan *Plan) {
	plan.Withdrawn = slices.ContainsFunc(s.Problems, withdrawn)
	if !plan.Withdrawn {
		return
	}
	if s.running() {
		plan.do(StopWorkload)
	}
	if s.References.Live {
		plan.do(DropSecrets)
	}
}

// withdrawn tells whether the team does not grant, or no longer has, a Secret that it names.
func withdrawn(problem policy.Problem) bool {
	return problem.Field == credentials.FieldSecrets
}

// unbounded tells whether a problem leaves it unknown, or forbidden, what the workload may reach.
func unbounded(problem policy.Problem) bool {
	switch problem.Reason {
	case v1alpha1.ReasonNoPolicy, v1alpha1.ReasonPolicyTie, v1alpha1.ReasonPolicyNotReady, v1alpha1.ReasonNoTeam,
		v1alpha1.ReasonUnknownName, v1alpha1.ReasonDataNotAllowed:
		return true
	}
	return false
}

// closure are the network policies that open nothing, and what has to go so that nothing else is left.
func (s Snapshot) closure() (keep, remove []client.Object) {
	at := s.surroundings()
	// An emergency stop takes them away like everything else that opens something.
	at.Severed = workload.Severance{}
	for _, p := range workload.NetworkPolicies(at, 0) {
		if !workload.Opens(p) {
			keep = append(keep, p)
		}
	}
	for _, object := range s.Present {
		_, is := object.(*networkingv1.NetworkPolicy)
		kept := func(k client.Object) bool { return k.GetName() == object.GetName() }
		if is && !slices.ContainsFunc(keep, kept) {
			remove = append(remove, object)
		}
	}
	return keep, remove
}

// attributed says who has to act. Where a spec that was seen before turns out to have a problem, it is the policy that
// changed, and IT that can change it back. Whoever was named before stays named.
func (s Snapshot) attributed(problems []policy.Problem) []policy.Problem {
	status := s.Prototype.Status
	for i := range problems {
		problem := &problems[i]
		if problem.Owner != v1alpha1.OwnerBusiness {
			continue
		}
		known := slices.IndexFunc(status.Gaps, func(gap v1alpha1.Gap) bool {
			return gap.Gate == gatePolicy && gap.Reason == problem.Reason && gap.Message == clean(problem.Message)
		})
		changed := status.ObservedGeneration == s.Prototype.Generation && s.Deployment != nil
		if known >= 0 {
			changed = status.Gaps[known].Owner == v1alpha1.OwnerIT
		}
		if changed {
			problem.Owner = v1alpha1.OwnerIT
			problem.Hint = "The policy changed under a prototype that ran: IT takes that back, or the team does without it."
		}
	}
	return problems
}
