package review

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

// Bounds of the API on the lists of a status.
const (
	maxDecisions = 64
	maxWaiting   = 32
	maxText      = 512
	maxMessage   = 1024
	// maxWhy leaves room for the commands beside it.
	maxWhy = 160
)

// stamp is a time as a status keeps it.
func stamp(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

// StatusOf is the whole status of a review but the block and the condition that the promotion controller writes. What
// did not change is taken over as it is, times above all, so that nothing is written while nothing happens.
func StatusOf(s Snapshot, plan Plan, o Outcome, now time.Time) v1alpha1.HardeningReviewStatus {
	before := s.Review.Status
	if s.ended() {
		return before
	}
	status := v1alpha1.HardeningReviewStatus{ObservedGeneration: s.Review.Generation, Due: before.Due}
	if s.Record == nil {
		status.Gates, status.Decisions = before.Gates, before.Decisions
		status.Conditions = s.conditions(recordMissing(s), now)
		status.WaitingOn = s.turns([]turn{{party: v1alpha1.PartyIT, message: recordMissing(s)[0].Message}}, nil, now)
		status.Summary = summaryOf(s, plan, status.WaitingOn)
		return status
	}
	status.SandboxReplicas = s.wants(plan.Replicas, now)
	status.Gates = gatesOf(s, plan, o)
	status.Decisions = mirrored(s, plan)
	passed := assess.Passed(*s.Record, plan.Gates)
	if status.Due == nil && passed && len(plan.Decided.Roles) > 0 {
		due := stamp(now.Add(s.Record.Requirements.Due()))
		status.Due = &due
	}
	v := view{s: s, plan: plan, outcome: o, passed: passed, due: status.Due, now: now}
	if plan.Outcome != "" {
		if o.Sealed == nil {
			return before
		}
		v.ended = o.Sealed
		at := o.Sealed.At
		status.Outcome, status.OutcomeAt = o.Sealed.Outcome, &at
	}
	status.WaitingOn = s.turns(v.turns(), status.Due, now)
	status.Conditions = s.conditions(v.conditions(), now)
	status.Summary = summaryOf(s, plan, status.WaitingOn)
	return status
}

// view is what conditions and turns are told from.
type view struct {
	s       Snapshot
	plan    Plan
	outcome Outcome
	passed  bool
	due     *metav1.Time
	ended   *record.Outcome
	now     time.Time
}

// gatesOf are the verdicts, and of the gates without one what they wait for.
func gatesOf(s Snapshot, plan Plan, o Outcome) []v1alpha1.GateStatus {
	out := slices.Clone(plan.Gates)
	for i := range out {
		m := s.measuringOf(out[i].Name)
		if m == nil {
			continue
		}
		progress := plan.Progress[m.Gate.Name]
		out[i].Attempts = int32(len(m.Before))
		if out[i].Verdict == v1alpha1.GatePending && progress.Stage != Resting {
			out[i].Reason, out[i].Message = pending(progress)
		}
		if problems := o.Problems[m.Gate.Name]; len(problems) > 0 {
			out[i] = obstructed(out[i], problems)
		}
	}
	return out
}

func pending(progress Progress) (reason, message string) {
	switch progress.Stage {
	case Waiting:
		return cmp.Or(progress.Reason, v1alpha1.ReasonMeasuring), evidence.Clean(progress.Why, maxMessage)
	case GivenUp:
		return v1alpha1.ReasonNotMeasured, evidence.Clean(progress.Why, maxMessage)
	}
	return v1alpha1.ReasonMeasuring, "It is being measured."
}

// obstructed is a gate that can't be measured before IT mends something.
func obstructed(gate v1alpha1.GateStatus, problems []policy.Problem) v1alpha1.GateStatus {
	gate.Reason, gate.Message = problems[0].Reason, evidence.Clean(problems[0].Message, maxMessage)
	gate.Findings = nil
	for _, problem := range problems {
		gate.Findings = append(gate.Findings, v1alpha1.Gap{
			Gate: gate.Name, Reason: problem.Reason, Field: problem.Field, Owner: problem.Owner,
			Message: evidence.Clean(problem.Message, maxText), Hint: evidence.Clean(problem.Hint, maxText),
		})
	}
	return gate
}

// mirrored are the decisions as people see them: those that are there, and those that were seen before and are gone.
// Where there are too many, those that count stay, and of the others the newest.
func mirrored(s Snapshot, plan Plan) []v1alpha1.DecisionStatus {
	out := slices.Clone(plan.Decided.Decisions)
	there := map[string]bool{}
	for _, decision := range out {
		there[decision.Name] = true
	}
	for _, seen := range s.Review.Status.Decisions {
		if !there[seen.Name] {
			seen.Counts, seen.Why = v1alpha1.CountedNo, v1alpha1.WhyDeleted
			seen.Message = "Somebody deleted it, so it no longer counts. IT can find out who in the audit log."
			out = append(out, seen)
		}
	}
	slices.SortStableFunc(out, func(a, b v1alpha1.DecisionStatus) int {
		return cmp.Or(a.At.Compare(b.At.Time), cmp.Compare(a.Name, b.Name))
	})
	for len(out) > maxDecisions {
		at := slices.IndexFunc(out, func(d v1alpha1.DecisionStatus) bool { return d.Counts != v1alpha1.CountedYes })
		out = slices.Delete(out, max(at, 0), max(at, 0)+1)
	}
	return out
}

// turn is somebody's, and what they are to do.
type turn struct {
	party         v1alpha1.Party
	role, message string
}

// turns keeps since when somebody's turn is, for as long as it is the same.
func (s Snapshot) turns(turns []turn, due *metav1.Time, now time.Time) []v1alpha1.WaitingOn {
	var out []v1alpha1.WaitingOn
	for _, t := range turns {
		next := v1alpha1.WaitingOn{Party: t.party, Role: t.role, Since: stamp(now), Message: evidence.Clean(t.message, maxText)}
		if t.role != "" {
			next.Due = due
		}
		for _, before := range s.Review.Status.WaitingOn {
			// A role's turn is the same whatever is said about it; anybody else's is what is asked of them.
			if before.Party == next.Party && before.Role == next.Role &&
				(next.Role != "" || next.Party == v1alpha1.PartyOperator || before.Message == next.Message) {
				next.Since = before.Since
			}
		}
		if len(out) < maxWaiting {
			out = append(out, next)
		}
	}
	return out
}

// turns of everybody, in the order in which they are named.
func (v view) turns() []turn {
	switch {
	case v.ended != nil:
		return nil
	case v.s.Stops.Frozen:
		return []turn{{party: v1alpha1.PartyIT, message: v.frozen()}}
	case len(v.outcome.problems()) > 0:
		var out []turn
		for _, problem := range v.outcome.problems() {
			out = append(out, turn{party: v1alpha1.Party(problem.Owner), message: problem.Message + " " + problem.Hint})
		}
		return out
	case v.outcome.Conflict != "":
		return []turn{{party: v1alpha1.PartyIT, message: v.conflict()}}
	case v.s.promoting():
		return v.promotionTurns()
	case v.plan.obstacle() != nil:
		return []turn{{party: v1alpha1.PartyIT, message: v.plan.obstacle().Why}}
	case v.plan.measuring():
		return v.measuringTurns()
	case !v.passed:
		return v.mending()
	}
	if roles := v.deciding(); len(roles) > 0 {
		return roles
	}
	return v.promotionTurns()
}

// conflict says who can take a stranger's object away.
func (v view) conflict() string {
	return v.outcome.Conflict + ". Nothing is adopted: whoever made it, or the platform team, has to take it away."
}

// measuringTurns: the operator's.
func (v view) measuringTurns() []turn {
	return []turn{{party: v1alpha1.PartyOperator, message: "The gates are being measured: " + strings.Join(v.unmeasured(), ", ") + "."}}
}

// unmeasured are the gates whose measurement is under way.
func (v view) unmeasured() []string {
	var names []string
	for _, m := range v.s.Measured {
		if v.plan.Progress[m.Gate.Name].atWork() {
			names = append(names, m.Gate.Name)
		}
	}
	return names
}

// mending: whoever can mend what a required gate found, one turn for each side and gate.
func (v view) mending() []turn {
	var out []turn
	again := fmt.Sprintf("kubectl affineur promote %s -n %s", v.s.Record.Prototype.Name, v.s.Record.Prototype.Namespace)
	for _, gate := range v.blocking() {
		if len(gate.Findings) == 0 {
			party := v1alpha1.PartyIT
			if gate.Verdict == v1alpha1.GateFailed {
				party = v1alpha1.PartyBusiness
			}
			out = append(out, turn{party: party, message: fmt.Sprintf("Gate %s: %s To ask for another look: %s", gate.Name, sentence(gate.Message), again)})
			continue
		}
		told := map[v1alpha1.Owner]bool{}
		for _, finding := range gate.Findings {
			if told[finding.Owner] {
				continue
			}
			told[finding.Owner] = true
			message := fmt.Sprintf("Gate %s: %s %s", gate.Name, sentence(evidence.Clean(finding.Message, 200)), evidence.Clean(finding.Hint, 180))
			if finding.Owner == v1alpha1.OwnerIT {
				message += " Then: " + again
			}
			out = append(out, turn{party: v1alpha1.Party(finding.Owner), message: message})
		}
	}
	return out
}

// blocking are the required gates that did not pass.
func (v view) blocking() []v1alpha1.GateStatus {
	var out []v1alpha1.GateStatus
	for _, gate := range v.plan.Gates {
		if gate.Enforcement != v1alpha1.EnforcementAdvisory && gate.Verdict != v1alpha1.GatePassed {
			out = append(out, gate)
		}
	}
	return out
}

// deciding: every role that has not approved, and every role of which one more person may.
func (v view) deciding() []turn {
	var out []turn
	name, namespace := v.s.Review.Name, v.s.Review.Namespace
	more := v.oneMore()
	for _, tally := range v.plan.Decided.Roles {
		if tally.Met() && more == "" {
			continue
		}
		what := fmt.Sprintf("%s has not decided on %s.", tally.Role, name)
		switch {
		case tally.Met():
			what = fmt.Sprintf("%s approved %s.", tally.Role, name)
		case tally.Quorum > 1:
			what = fmt.Sprintf("%d of %d people of %s approved %s.", len(tally.People), tally.Quorum, tally.Role, name)
		}
		what += more
		out = append(out, turn{party: v1alpha1.PartyIT, role: tally.Role, message: fmt.Sprintf(
			"%s Look: kubectl affineur explain %s -n %s. Decide: kubectl affineur approve %s --role %s -n %s, or reject with --approve-when.",
			what, name, namespace, name, tally.Role, namespace)})
	}
	return out
}

// oneMore says that one more person is needed, where that is so.
func (v view) oneMore() string {
	for _, tally := range v.plan.Decided.Missing() {
		if tally.Why != "" {
			return fmt.Sprintf(" It takes %s, because %s.", tally.Role, evidence.Clean(tally.Why, maxWhy))
		}
	}
	return ""
}

func (v view) promotionTurns() []turn {
	promotion := v.s.Review.Status.Promotion
	if promotion != nil && slices.Contains([]string{v1alpha1.ReasonGuardsNotInPlace, v1alpha1.ReasonRuntimeClassMissing, v1alpha1.ReasonNotReadable}, promotion.Reason) {
		return []turn{{party: v1alpha1.PartyIT, message: cmp.Or(promotion.Message, "IT has to put in place what the promotion waits for: "+promotion.Reason+".")}}
	}
	return []turn{{party: v1alpha1.PartyOperator, message: v.promotionGoes()}}
}

// promotionGoes says where a promotion goes that is under way.
func (v view) promotionGoes() string {
	if v.s.promoting() && !v.plan.Decided.Approved() {
		return "It is no longer approved and is being taken out of production."
	}
	return "It is being promoted."
}

// sentence ends in a full stop.
func sentence(s string) string {
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}

func summaryOf(s Snapshot, plan Plan, waiting []v1alpha1.WaitingOn) *v1alpha1.Summary {
	out := v1alpha1.Summary{}
	if s.Review.Status.Summary != nil {
		out.Gates = s.Review.Status.Summary.Gates
	}
	if plan.Gates != nil {
		out.Gates = tally(plan.Gates)
	}
	var names []string
	for i, turn := range waiting {
		name := string(turn.Party)
		if turn.Role != "" {
			name += "/" + turn.Role
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if out.Since == nil || turn.Since.Before(out.Since) {
			out.Since = &waiting[i].Since
		}
	}
	out.WaitingOn = evidence.Clean(strings.Join(names, ", "), 256)
	return &out
}

// tally is how many of the required gates passed, such as 2/3.
func tally(gates []v1alpha1.GateStatus) string {
	passed, required := 0, 0
	for _, gate := range gates {
		if gate.Enforcement == v1alpha1.EnforcementAdvisory {
			continue
		}
		required++
		if gate.Verdict == v1alpha1.GatePassed {
			passed++
		}
	}
	return fmt.Sprintf("%d/%d", passed, required)
}

// conditions are the wanted ones, set on a copy of those that are there: a time of transition moves only with the
// status. Reconciling and Stalled are there only while they are true; Promoted is the promotion controller's.
func (s Snapshot) conditions(wanted []metav1.Condition, now time.Time) []metav1.Condition {
	var out []metav1.Condition
	for _, condition := range wanted {
		if before := apimeta.FindStatusCondition(s.Review.Status.Conditions, condition.Type); before != nil {
			out = append(out, *before)
		}
		condition.ObservedGeneration = s.Review.Generation
		condition.LastTransitionTime = stamp(now)
		condition.Message = evidence.Clean(condition.Message, maxMessage)
		apimeta.SetStatusCondition(&out, condition)
	}
	return out
}
