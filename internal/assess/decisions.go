package assess

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

// Guards tells whether the admission policies were in place at a moment. What was decided while they weren't may have
// been forged.
type Guards interface {
	Unguarded(at time.Time) bool
	// SeenAt is when they were last looked at, by the API server's clock; zero where that is not known.
	SeenAt() time.Time
}

// Tally is how far the approval of one role is.
type Tally struct {
	Role   string
	Quorum int
	// People whose approval counts, in the order in which they approved.
	People []string
	// Why more is asked than the requirements say; empty for a role of theirs.
	Why string
}

// Met tells whether enough people approved.
func (t Tally) Met() bool { return len(t.People) >= t.Quorum }

// Rejection is the first rejection that counts.
type Rejection struct {
	Decision, Role, By, Gate, ApproveWhen string
	At                                    time.Time
}

// Decided is what the decisions on a review amount to.
type Decided struct {
	// Decisions are mirrored, each with whether it counts, sorted by time and name.
	Decisions []v1alpha1.DecisionStatus
	// Roles that are asked, in the order of the requirements.
	Roles []Tally
	// Rejected ends the review. It is final: the answer must not depend on whether the operator saw the rejection
	// before the person thought better of it.
	Rejected *Rejection
	// Doubt says why the authors can't be trusted to be all people who wrote it; empty where they can. Where any
	// approval is asked, one more person has to approve then: one of those who did may be an author.
	Doubt string
	// Until is when the first of the approvals that count expires; zero without one.
	Until time.Time
}

// Approved tells whether everybody who is asked approved; true where nobody is asked.
func (d Decided) Approved() bool { return d.Rejected == nil && len(d.Missing()) == 0 }

// NoneAsked tells whether the tier asks for no approval at all.
func (d Decided) NoneAsked() bool { return len(d.Roles) == 0 }

// Missing are the roles that have not approved, and last the one more person where that is one too few.
func (d Decided) Missing() []Tally {
	var missing []Tally
	for _, tally := range d.Roles {
		if !tally.Met() {
			missing = append(missing, tally)
		}
	}
	if d.oneMore() {
		missing = append(missing, Tally{Role: "one more person of " + d.anyRole(), Quorum: 1, Why: d.Doubt})
	}
	return missing
}

// oneMore tells whether the authors are in doubt and nobody approved beyond the quorums. Every person counts once, in
// one role, so the approvals of all roles are distinct people.
func (d Decided) oneMore() bool {
	return d.Doubt != "" && !d.NoneAsked() && !slices.ContainsFunc(d.Roles, func(t Tally) bool { return len(t.People) > t.Quorum })
}

func (d Decided) anyRole() string {
	var roles []string
	for _, tally := range d.Roles {
		roles = append(roles, tally.Role)
	}
	return strings.Join(roles, " or ")
}

// Decisions counts the decisions on the review of the record. Admission has proved who made them and with what
// authority; which of them count is said here, one after the other in the order in which they were made, so that
// later ones can replace or revoke earlier ones. Decisions on other reviews are left out.
//
// Approvals expire: one counts while, from now on, it holds for as long as is needed. The API server dates them, so where
// it is known to be ahead of the clock that says now, its time counts.
func Decisions(
	rec record.Record, reviewUID string, reviewCreated time.Time, decisions []v1alpha1.HardeningDecision, guards Guards, now time.Time,
	needed time.Duration,
) Decided {
	count := counting{
		rec: rec, reviewUID: reviewUID, created: reviewCreated, guards: guards,
		name: rec.Prototype.Review(rec.Ordinal), authors: map[string]bool{}, standing: map[string]int{},
	}
	for _, author := range append([]string{rec.RequestedBy}, rec.Authors...) {
		count.authors[fold(author)] = true
	}
	for _, decision := range inOrder(decisions) {
		if decision.Namespace == rec.Prototype.Namespace && decision.Spec.Review.Name == count.name {
			count.add(decision)
		}
	}
	until := count.expire(latest(now, guards.SeenAt(), decisions), needed)
	out := count.result()
	out.Until = until
	return out
}

// latest of the clock's time and those that the API server is known to have given.
func latest(now, seen time.Time, decisions []v1alpha1.HardeningDecision) time.Time {
	if seen.After(now) {
		now = seen
	}
	for _, decision := range decisions {
		if at := decision.CreationTimestamp.Time; at.After(now) {
			now = at
		}
	}
	return now
}

// inOrder sorts by time. The server's time has whole seconds; within one, what takes an approval away comes after it,
// so that a doubt about the order never lets something through.
func inOrder(decisions []v1alpha1.HardeningDecision) []v1alpha1.HardeningDecision {
	severity := []v1alpha1.DecisionVerdict{v1alpha1.VerdictApprove, v1alpha1.VerdictRevoke, v1alpha1.VerdictReject}
	sorted := slices.Clone(decisions)
	slices.SortFunc(sorted, func(a, b v1alpha1.HardeningDecision) int {
		return cmp.Or(
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(slices.Index(severity, a.Spec.Verdict), slices.Index(severity, b.Spec.Verdict)),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return sorted
}

// counting is the state while decisions are counted in the order of their making.
type counting struct {
	rec       record.Record
	reviewUID string
	name      string
	created   time.Time
	guards    Guards
	authors   map[string]bool

	mirrored []v1alpha1.DecisionStatus
	// standing is the index of each person's one decision that counts.
	standing map[string]int
	rejected *Rejection
}

func (c *counting) add(decision v1alpha1.HardeningDecision) {
	spec := decision.Spec
	mirror := v1alpha1.DecisionStatus{
		Name: decision.Name, Role: spec.Role, Verdict: spec.Verdict, By: evidence.Clean(spec.By, 512), At: decision.CreationTimestamp,
		Counts: v1alpha1.CountedYes,
	}
	mirror.Why, mirror.Message = c.why(decision)
	person, here := fold(spec.By), len(c.mirrored)
	earlier, decided := c.standing[person]
	switch {
	case mirror.Why != "":
		mirror.Counts = v1alpha1.CountedNo
		if c.suspends(mirror) {
			mirror.Message += " Until then it suspends what it speaks against."
		}
	case spec.Verdict == v1alpha1.VerdictRevoke:
		c.discount(earlier, v1alpha1.WhyRevoked, "Taken back by the same person.")
		delete(c.standing, person)
	default:
		if decided {
			c.discount(earlier, v1alpha1.WhyReplaced, "The same person decided again.")
		}
		c.standing[person] = here
	}
	if mirror.Counts == v1alpha1.CountedYes && spec.Verdict == v1alpha1.VerdictReject {
		c.rejected = &Rejection{Decision: decision.Name, Role: spec.Role, By: mirror.By, At: decision.CreationTimestamp.Time}
		if spec.Reject != nil {
			c.rejected.Gate = evidence.Clean(spec.Reject.Gate, 40)
			c.rejected.ApproveWhen = evidence.Clean(spec.Reject.ApproveWhen, 1024)
		}
		mirror.Message = c.rejected.ApproveWhen
	}
	c.mirrored = append(c.mirrored, mirror)
}

// suspends tells whether a decision that may be forged takes approvals away, and does it: whoever forged it has only
// delayed things, and nobody who said no in such a time is passed over. A Revoke is about the approval in the same name, a
// Reject about all of its role; one without a name, which nobody stamped, may be anybody's of its role.
func (c *counting) suspends(doubtful v1alpha1.DecisionStatus) bool {
	if doubtful.Why != v1alpha1.WhyUnguarded || doubtful.Verdict == v1alpha1.VerdictApprove {
		return false
	}
	suspended := false
	wide := doubtful.Verdict == v1alpha1.VerdictReject || doubtful.By == ""
	for i, approval := range c.mirrored {
		about := fold(approval.By) == fold(doubtful.By) || wide && approval.Role == doubtful.Role
		if !about || approval.Verdict != v1alpha1.VerdictApprove || approval.Counts != v1alpha1.CountedYes {
			continue
		}
		suspended = true
		c.discount(i, v1alpha1.WhySuspended, fmt.Sprintf(
			"%s spoke against it while the admission policies were not in place. It may be forged, and it may not: decide again.", doubtful.Name))
	}
	return suspended
}

// expire discounts approvals whose time is over, or will be before the time that is needed, and tells when the next one's
// will be.
func (c *counting) expire(now time.Time, needed time.Duration) time.Time {
	var next time.Time
	for i, mirror := range c.mirrored {
		if mirror.Counts != v1alpha1.CountedYes || mirror.Verdict != v1alpha1.VerdictApprove {
			continue
		}
		end := mirror.At.Add(c.rec.Requirements.ApprovalsValidFor())
		last := end.Add(-needed)
		switch {
		case !now.Before(end):
			c.discount(i, v1alpha1.WhyExpired, fmt.Sprintf("An approval counts for a time only; this one did until %s. Look again and decide again.",
				end.UTC().Format(time.RFC3339)))
		case !now.Before(last):
			c.discount(i, v1alpha1.WhyExpired, fmt.Sprintf(
				"An approval counts for a time only; this one does until %s, and before that a revision can't have soaked, which takes %s. "+
					"Look again and decide again.", end.UTC().Format(time.RFC3339), needed))
		case next.IsZero() || last.Before(next):
			next = last
		}
	}
	return next
}

func (c *counting) discount(at int, why, message string) {
	c.mirrored[at].Counts, c.mirrored[at].Why, c.mirrored[at].Message = v1alpha1.CountedNo, why, message
}

// why a decision does not count, and what to do about it; "" for one that does.
func (c *counting) why(decision v1alpha1.HardeningDecision) (why, message string) {
	if why, message = c.whyNotThisReview(decision); why != "" {
		return why, message
	}
	if decision.Spec.Verdict == v1alpha1.VerdictRevoke {
		return c.whyNotRevoked(decision.Spec)
	}
	if why, message = c.whyNotThisPerson(decision.Spec); why != "" {
		return why, message
	}
	earlier, decided := c.standing[fold(decision.Spec.By)]
	if decided && c.mirrored[earlier].Role != decision.Spec.Role {
		return v1alpha1.WhySecondRole, fmt.Sprintf(
			"The same person decided as %s already; one person counts once. Somebody else decides as %s.",
			c.mirrored[earlier].Role, decision.Spec.Role)
	}
	return "", ""
}

// whyNotThisReview asks what was decided on, and when.
func (c *counting) whyNotThisReview(decision v1alpha1.HardeningDecision) (why, message string) {
	spec, at := decision.Spec, decision.CreationTimestamp.Time
	switch {
	case spec.Review.UID != c.reviewUID:
		return v1alpha1.WhyWrongReview, "It was made on another review of the same name."
	case spec.ReviewDigest != c.rec.ReviewDigest:
		return v1alpha1.WhyWrongDigest, "It repeats the digest of another subject. Look at this review and decide again."
	case at.Before(c.created):
		return v1alpha1.WhyBeforeReview, "It was made before the review was opened."
	case c.guards.Unguarded(at):
		return v1alpha1.WhyUnguarded, "The admission policies were not in place when it was made, so it could be forged. Decide again."
	case c.rejected != nil:
		return v1alpha1.WhyReviewEnded, fmt.Sprintf("The review had ended before: rejected as %s.", c.rejected.Role)
	}
	return "", ""
}

// whyNotThisPerson asks who decided.
func (c *counting) whyNotThisPerson(spec v1alpha1.HardeningDecisionSpec) (why, message string) {
	role := slices.IndexFunc(c.rec.Requirements.Approvals, func(a policy.Approval) bool { return a.Role == spec.Role })
	switch {
	case !person(spec):
		return v1alpha1.WhyNotAPerson, "A person decides, not a service account, a component or an administrator's certificate."
	case c.authors[fold(spec.By)]:
		return v1alpha1.WhyAuthor, "Nobody decides on their own work."
	case shares(spec.Groups, c.rec.Requirements.Team.Groups, fold):
		return v1alpha1.WhyOwningTeam, fmt.Sprintf("The person belongs to team %s, which owns the prototype.", c.rec.Requirements.Team.Name)
	case role < 0:
		return v1alpha1.WhyRoleNotAsked, fmt.Sprintf("Tier %s does not ask the role %s.", c.rec.Requirements.Tier, spec.Role)
	case !shares(spec.Groups, c.rec.Requirements.Approvals[role].Groups, exactly):
		return v1alpha1.WhyNotInRole, fmt.Sprintf("The person was in none of the groups of the role %s: %s.",
			spec.Role, strings.Join(c.rec.Requirements.Approvals[role].Groups, ", "))
	}
	return "", ""
}

// whyNotRevoked: whoever decided may take it back, also when they would not be allowed to decide any more.
func (c *counting) whyNotRevoked(spec v1alpha1.HardeningDecisionSpec) (why, message string) {
	earlier, decided := c.standing[fold(spec.By)]
	if !decided || c.mirrored[earlier].Role != spec.Role {
		return v1alpha1.WhyNothingToRevoke, fmt.Sprintf("The person has no decision as %s that counts.", spec.Role)
	}
	return "", ""
}

func (c *counting) result() Decided {
	out := Decided{Decisions: c.mirrored, Rejected: c.rejected, Doubt: doubtOf(c.rec, c.created, c.guards)}
	for _, asked := range c.rec.Requirements.Approvals {
		tally := Tally{Role: asked.Role, Quorum: max(1, int(asked.Quorum))}
		for _, mirror := range c.mirrored {
			if mirror.Counts == v1alpha1.CountedYes && mirror.Verdict == v1alpha1.VerdictApprove && mirror.Role == asked.Role {
				tally.People = append(tally.People, mirror.By)
			}
		}
		out.Roles = append(out.Roles, tally)
	}
	slices.SortStableFunc(out.Decisions, func(a, b v1alpha1.DecisionStatus) int {
		return cmp.Or(a.At.Compare(b.At.Time), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// doubtOf is the record's doubt about its authors. A gap of the guards may be found only after the review was opened in
// it: who had written it by then is just as doubtful.
func doubtOf(rec record.Record, created time.Time, guards Guards) string {
	if rec.AuthorsDoubt == "" && guards.Unguarded(created) {
		return "the admission policies, which keep the authors, were not in place when the review was opened"
	}
	return rec.AuthorsDoubt
}

// notPeople are groups whose members are no people who can answer for a decision.
var notPeople = []string{"system:masters", "system:serviceaccounts", "system:nodes", "system:unauthenticated"}

func person(spec v1alpha1.HardeningDecisionSpec) bool {
	return PersonsName(spec.By) && !shares(spec.Groups, notPeople, exactly)
}

// PersonsName tells whether a name can be a person's: a service account's or a component's begins with "system:".
func PersonsName(user string) bool {
	name := fold(strings.TrimSpace(user))
	return name != "" && !strings.HasPrefix(name, fold("system:"))
}

// shares tells whether a is a member of one of b's groups.
func shares(a, b []string, as func(string) string) bool {
	for _, group := range b {
		if slices.ContainsFunc(a, func(have string) bool { return as(have) == as(group) }) {
			return true
		}
	}
	return false
}

func exactly(s string) string { return s }

// fold maps names that differ only in case to one: an identity provider that does not tell them apart must not make
// two people of one, or hide an author.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}
