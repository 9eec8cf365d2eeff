package sandbox

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/workload"
)

// Bounds of the API on the lists of a status.
const (
	maxGaps    = 64
	maxWaiting = 32
)

// gatePolicy is the gate of gaps that the policy's own rules show, without a measurement.
const gatePolicy = "policy"

// production is what serves there: the newest review that says so, while the namespace is there. Where its view is
// gone, what was known before holds; what is said to be taken back does not serve, whatever was known.
func (s Snapshot) production() *v1alpha1.ProductionStatus {
	if !s.promoted() {
		return nil
	}
	known := s.Prototype.Status.Production
	for _, review := range slices.Backward(s.Reviews) {
		promotion := review.Status.Promotion
		if promotion == nil {
			continue
		}
		switch promotion.Step {
		case v1alpha1.StepRetiring, v1alpha1.StepRetired:
			return nil
		case v1alpha1.StepRolledBack:
			if known != nil && known.Review == review.Name {
				known = nil
			}
		case v1alpha1.StepServing:
			serving := &v1alpha1.ProductionStatus{
				Namespace: s.Production.Name, SubjectDigest: review.Spec.SubjectDigest, Review: review.Name, URL: promotion.URL,
				Since: review.CreationTimestamp,
			}
			if promotion.ServingSince != nil {
				serving.Since = *promotion.ServingSince
			}
			return serving
		}
	}
	return known
}

// reviewReference is the newest review; one that was opened on this pass is in no cache yet.
func (s Snapshot) reviewReference(o Outcome) *v1alpha1.ReviewReference {
	newest := s.newest()
	if o.Review != "" && (newest == nil || ordinal(s.Identity, o.Review) > ordinal(s.Identity, newest.Name)) {
		return &v1alpha1.ReviewReference{Name: o.Review}
	}
	known := s.Prototype.Status.Review
	if newest == nil || known != nil && ordinal(s.Identity, known.Name) > ordinal(s.Identity, newest.Name) {
		return known
	}
	return &v1alpha1.ReviewReference{Name: newest.Name, Outcome: newest.Status.Outcome}
}

// sandboxStatus tells of the sandbox, and of its life and its room also while there is none.
func (s Snapshot) sandboxStatus(p Plan, now time.Time) *v1alpha1.SandboxStatus {
	if p.State == Deleting || p.State == Retiring {
		return s.Prototype.Status.Sandbox
	}
	life := s.life(now)
	status := &v1alpha1.SandboxStatus{Queue: p.Place.queue, Room: s.roomStatus(p, now)}
	// Room is claimed before there is a sandbox: who leaves the queue without it would lose its turn.
	if life.Started.IsZero() && status.Queue == nil && status.Room == nil {
		return nil
	}
	if s.exists() {
		status.Namespace = s.Identity.Sandbox()
	}
	life.show(status)
	switch p.State {
	case NeedStated, Retired:
		status.ExpiresAt = nil
		return status
	case Expired:
		return status
	case Holding, Blocked, Conflict, Suspended, Queued, Severed, Halted:
		// Nothing was made yet, or all of it was taken away.
		if !s.exists() {
			return status
		}
	}
	status.Namespace, status.Isolation = s.Identity.Sandbox(), p.verdict(s)
	if s.Deployment != nil {
		status.URL = workload.URL(s.Identity.Sandbox())
	}
	status.PilotURL = s.pilotURL(p)
	return status
}

// imageStatus is kept while the registry is asked anew: it says what was resolved, not what was asked.
func (s Snapshot) imageStatus() *v1alpha1.ResolvedImage {
	if s.container() == nil {
		return nil
	}
	if s.Image.Resolved == "" {
		return s.Prototype.Status.Image
	}
	return &v1alpha1.ResolvedImage{Requested: s.Image.Requested, Resolved: s.Image.Resolved, At: seconds(s.Image.At)}
}

// gaps are what a review would object to: what the policy's rules show at once, and what the gates of the newest review
// of this subject found, or will find as far as that can be told before.
func (s Snapshot) gaps(p Plan, now time.Time) []v1alpha1.Gap {
	if s.deleting() || p.State == Retiring || p.State == Retired {
		return nil
	}
	if p.State == Holding {
		return s.Prototype.Status.Gaps
	}
	var out []v1alpha1.Gap
	add := func(gap v1alpha1.Gap) {
		same := func(g v1alpha1.Gap) bool {
			return g.Gate == gap.Gate && g.Reason == gap.Reason && g.Field == gap.Field && g.Message == gap.Message
		}
		if len(out) < maxGaps && !slices.ContainsFunc(out, same) {
			out = append(out, gap)
		}
	}
	for _, problem := range s.problems(p, now) {
		add(gapOf(problem))
	}
	judged := s.reviewed()
	if judged == nil {
		judged = s.early(now)
		for _, gap := range s.foreseen() {
			add(gap)
		}
	}
	for _, gate := range judged {
		for _, finding := range gate.Findings {
			add(finding)
		}
	}
	return out
}

// problems are all that is known, also those that stand in nobody's way yet.
func (s Snapshot) problems(p Plan, now time.Time) []policy.Problem {
	all := slices.Clone(s.Problems)
	if s.Image.Problem != nil && s.Image.Resolved != "" {
		all = append(all, *s.Image.Problem)
	}
	if p.ReviewProblem != nil {
		all = append(all, *p.ReviewProblem)
	}
	if problem := s.pilotProblem(p, now); problem != nil {
		all = append(all, *problem)
	}
	return all
}

func gapOf(problem policy.Problem) v1alpha1.Gap {
	return v1alpha1.Gap{
		Gate: gatePolicy, Reason: problem.Reason, Field: problem.Field, Owner: problem.Owner,
		Message: clean(problem.Message), Hint: clean(problem.Hint),
	}
}

// waitingOn lists whoever must act: the review's list while one is open, and whoever can remove what blocks. Work of
// the operator is not waited for by name: the condition Reconciling says that it is at work.
func (s Snapshot) waitingOn(answer verdict, p Plan, now time.Time) []v1alpha1.WaitingOn {
	if p.absent() && p.State != Expired && p.State != NeedStated {
		return nil
	}
	if p.State == Holding {
		return s.Prototype.Status.WaitingOn
	}
	var out []v1alpha1.WaitingOn
	add := func(turn v1alpha1.WaitingOn) {
		same := func(w v1alpha1.WaitingOn) bool {
			return w.Party == turn.Party && w.Role == turn.Role && w.Message == turn.Message
		}
		if len(out) < maxWaiting && !slices.ContainsFunc(out, same) {
			out = append(out, turn)
		}
	}
	if answer.reason == v1alpha1.ReasonEmergencyStop {
		add(s.turn(v1alpha1.PartyIT, answer.message, now))
	}
	for _, problem := range s.problems(p, now) {
		if !s.passing(problem) {
			add(s.turn(partyOf(problem.Owner), clean(problem.Message+" "+problem.Hint), now))
		}
	}
	if p.State == Queued {
		for _, turn := range s.roomTurns(now) {
			add(turn)
		}
	}
	if s.doubted(now) {
		add(s.turn(v1alpha1.PartyIT, doubtful, now))
	}
	if answer.stalled && len(out) == 0 {
		add(s.turn(s.stalledParty(answer.reason, now), answer.message, now))
	}
	if newest := s.newest(); newest != nil && newest.Status.Outcome == "" && newest.Spec.SubjectDigest == s.current() {
		for _, turn := range newest.Status.WaitingOn {
			add(turn)
		}
	}
	if len(out) == 0 && !answer.working && s.wanting(p) {
		out = append(out, s.towardsProduction(answer, p, now))
	}
	return out
}

// wanting tells whether the present revision is not in production although the team wants it there. One that the team
// itself suspended is where it wants it.
func (s Snapshot) wanting(p Plan) bool {
	if !s.wantsProduction() || p.State == Suspended {
		return false
	}
	production := s.production()
	return production == nil || production.SubjectDigest != s.current()
}

// towardsProduction is whose turn it is where neither a problem nor an open review says so.
func (s Snapshot) towardsProduction(answer verdict, p Plan, now time.Time) v1alpha1.WaitingOn {
	newest := s.newest()
	current := newest != nil && newest.Spec.SubjectDigest == s.current()
	switch {
	case p.absent():
		return s.turn(v1alpha1.PartyBusiness, answer.message, now)
	case current && (newest.Status.Outcome == v1alpha1.OutcomeRejected || newest.Status.Outcome == v1alpha1.OutcomeRolledBack):
		return s.turn(v1alpha1.PartyBusiness, s.ended(newest), now)
	case current && newest.Status.Outcome == v1alpha1.OutcomePromoted:
		return s.turn(v1alpha1.PartyOperator, "It is being promoted.", now)
	}
	return s.turn(v1alpha1.PartyOperator, "A review of this revision is being opened.", now)
}

// turn begins now, unless the same was waited for before.
func (s Snapshot) turn(party v1alpha1.Party, message string, now time.Time) v1alpha1.WaitingOn {
	for _, before := range s.Prototype.Status.WaitingOn {
		if before.Party == party && before.Role == "" && before.Message == message {
			return before
		}
	}
	return v1alpha1.WaitingOn{Party: party, Since: seconds(now), Message: message}
}

func partyOf(owner v1alpha1.Owner) v1alpha1.Party {
	if owner == v1alpha1.OwnerIT {
		return v1alpha1.PartyIT
	}
	return v1alpha1.PartyBusiness
}

// stalledParty is who can remove what stalls and is no problem of the policy.
func (s Snapshot) stalledParty(reason string, now time.Time) v1alpha1.Party {
	switch reason {
	case v1alpha1.ReasonExpired:
		return v1alpha1.PartyBusiness
	case v1alpha1.ReasonNamespaceConflict, v1alpha1.ReasonObjectConflict, v1alpha1.ReasonNotEnforced, v1alpha1.ReasonCanaryMissing:
		return v1alpha1.PartyIT
	}
	return partyOf(s.health(now).Owner)
}

// summary is what the columns of a listing show.
func (s Snapshot) summary(waiting []v1alpha1.WaitingOn) *v1alpha1.Summary {
	var out v1alpha1.Summary
	if newest := s.newest(); newest != nil && newest.Spec.SubjectDigest == s.current() && newest.Status.Summary != nil {
		out.Gates = newest.Status.Summary.Gates
	}
	var names []string
	var since *metav1.Time
	for i, turn := range waiting {
		name := string(turn.Party)
		if turn.Role != "" {
			name += "/" + turn.Role
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if since == nil || turn.Since.Before(since) {
			since = &waiting[i].Since
		}
	}
	out.WaitingOn, out.Since = short(names), since
	if out == (v1alpha1.Summary{}) {
		return nil
	}
	return &out
}

// short joins names as far as a column takes them.
func short(names []string) string {
	const room = 256
	joined := strings.Join(names, ", ")
	for len(joined) > room {
		names = names[:len(names)-1]
		joined = strings.Join(names, ", ") + ", …"
	}
	return joined
}
