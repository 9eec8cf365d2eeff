package assess

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

const (
	reviewUID  = "5f0c1a52-0000-4000-8000-000000000001"
	author     = "membership-lead@example.org"
	requester  = "membership-pipeline-owner@example.org"
	reviewer   = "security-reviewer@example.org"
	deputy     = "security-deputy@example.org"
	operations = "operations-reviewer@example.org"
)

var opened = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// looked is when the decisions are counted.
var looked = opened.Add(24 * time.Hour)

// asked is a record whose tier asks the given roles, each with a quorum; its groups are it-ROLE.
func asked(t *testing.T, quorums ...string) record.Record {
	t.Helper()
	rec := record.Record{
		Prototype: names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "11111111-0000-4000-8000-000000000000"},
		Ordinal:   3, RequestedBy: requester, Authors: []string{author},
		Requirements: policy.Requirements{
			Tier: "Standard", Team: v1alpha1.Team{Name: "membership", Groups: []string{"team-membership"}},
		},
	}
	for _, asked := range quorums {
		role, quorum, _ := strings.Cut(asked, "=")
		n := int32(1)
		if quorum != "" {
			n = int32(quorum[0] - '0')
		}
		rec.Requirements.Approvals = append(rec.Requirements.Approvals, policy.Approval{Role: role, Groups: []string{"it-" + role, "it-leads"}, Quorum: n})
	}
	sealed, err := rec.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

type decision struct{ v1alpha1.HardeningDecision }

// decide is a decision that counts in every respect, made the given number of minutes after the review was opened.
func decide(rec record.Record, minute int, verdict v1alpha1.DecisionVerdict, role, by string) decision {
	d := v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "membership", Name: fmt.Sprintf("d%02d-%s-%s", minute, role, strings.ToLower(string(verdict))),
			CreationTimestamp: metav1.NewTime(opened.Add(time.Duration(minute) * time.Minute)),
		},
		Spec: v1alpha1.HardeningDecisionSpec{
			Review:       v1alpha1.ObjectIdentity{Name: "churn-advisor-3", UID: reviewUID},
			ReviewDigest: rec.ReviewDigest, Role: role, Verdict: verdict, By: by,
			Groups: []string{"it-" + role, "system:authenticated"},
		},
	}
	if verdict == v1alpha1.VerdictReject {
		d.Spec.Reject = &v1alpha1.Rejection{Gate: "security", ApproveWhen: "the key is in a Secret"}
	}
	return decision{d}
}

func (d decision) with(edit func(*v1alpha1.HardeningDecision)) decision {
	edit(&d.HardeningDecision)
	return d
}

func (d decision) groups(groups ...string) decision {
	d.Spec.Groups = groups
	return d
}

func (d decision) named(name string) decision {
	d.Name = name
	return d
}

// guards were not in place during the given minutes after the review was opened.
type guards []int

func (g guards) Unguarded(at time.Time) bool {
	for _, minute := range g {
		if at.Equal(opened.Add(time.Duration(minute) * time.Minute)) {
			return true
		}
	}
	return false
}

// SeenAt is not known.
func (guards) SeenAt() time.Time { return time.Time{} }

// said is what the decisions amount to, in a line each: what is compared in the tests.
func said(d Decided) []string {
	var out []string
	for _, m := range d.Decisions {
		why := "counts"
		if m.Counts != v1alpha1.CountedYes {
			why = m.Why
		} else if m.Why != "" {
			why = "counts, but " + m.Why
		}
		out = append(out, fmt.Sprintf("%s: %s", m.Name, why))
	}
	return out
}

const (
	approve = v1alpha1.VerdictApprove
	reject  = v1alpha1.VerdictReject
	revoke  = v1alpha1.VerdictRevoke
)

func TestDecisionsThatDoNotCount(t *testing.T) {
	rec := asked(t, "security", "operations")
	good := decide(rec, 5, approve, "security", reviewer).named("d")
	for name, test := range map[string]struct {
		decision decision
		guards   guards
		why      string
	}{
		"good":                           {good, nil, ""},
		"in another's leads group":       {good.groups("it-leads"), nil, ""},
		"author":                         {good.with(by(author)), nil, v1alpha1.WhyAuthor},
		"author in other letters":        {good.with(by("Membership-LEAD@Example.org")), nil, v1alpha1.WhyAuthor},
		"requester with a long s":        {good.with(by("member\u017fhip-pipeline-owner@example.org")), nil, v1alpha1.WhyAuthor},
		"requester":                      {good.with(by(requester)), nil, v1alpha1.WhyAuthor},
		"owning team":                    {good.groups("it-security", "team-membership"), nil, v1alpha1.WhyOwningTeam},
		"owning team in other letters":   {good.groups("it-security", "Team-Membership"), nil, v1alpha1.WhyOwningTeam},
		"another digest":                 {good.with(digest("sha256:" + strings.Repeat("0", 64))), nil, v1alpha1.WhyWrongDigest},
		"no digest":                      {good.with(digest("")), nil, v1alpha1.WhyWrongDigest},
		"the subject's digest":           {good.with(digest(rec.SubjectDigest)), nil, v1alpha1.WhyWrongDigest},
		"another review of the name":     {good.with(uid("5f0c1a52-0000-4000-8000-000000000002")), nil, v1alpha1.WhyWrongReview},
		"no UID":                         {good.with(uid("")), nil, v1alpha1.WhyWrongReview},
		"service account":                {good.with(by("system:serviceaccount:argo:approver")), nil, v1alpha1.WhyNotAPerson},
		"system identity":                {good.with(by("system:admin")), nil, v1alpha1.WhyNotAPerson},
		"system in other letters":        {good.with(by(" System:admin")), nil, v1alpha1.WhyNotAPerson},
		"nobody":                         {good.with(by("")), nil, v1alpha1.WhyNotAPerson},
		"blank":                          {good.with(by("  ")), nil, v1alpha1.WhyNotAPerson},
		"administrator's certificate":    {good.groups("it-security", "system:masters"), nil, v1alpha1.WhyNotAPerson},
		"account behind another name":    {good.groups("it-security", "system:serviceaccounts"), nil, v1alpha1.WhyNotAPerson},
		"in no group":                    {good.groups(), nil, v1alpha1.WhyNotInRole},
		"in another role's group":        {good.groups("it-operations"), nil, v1alpha1.WhyNotInRole},
		"group in other letters":         {good.groups("IT-Security"), nil, v1alpha1.WhyNotInRole},
		"group that begins like it":      {good.groups("it-security-guests"), nil, v1alpha1.WhyNotInRole},
		"role that nobody asked":         {decide(rec, 5, approve, "privacy", reviewer).named("d"), nil, v1alpha1.WhyRoleNotAsked},
		"before the review":              {decide(rec, -1, approve, "security", reviewer).named("d"), nil, v1alpha1.WhyBeforeReview},
		"in the second it was opened":    {decide(rec, 0, approve, "security", reviewer).named("d"), nil, ""},
		"guards not in place":            {good, guards{5}, v1alpha1.WhyUnguarded},
		"guards not in place before":     {good, guards{4, 6}, ""},
		"nothing to revoke":              {decide(rec, 5, revoke, "security", reviewer).named("d"), nil, v1alpha1.WhyNothingToRevoke},
		"rejection by an author":         {decide(rec, 5, reject, "security", author).named("d"), nil, v1alpha1.WhyAuthor},
		"rejection of another subject":   {decide(rec, 5, reject, "security", reviewer).named("d").with(digest("sha256:1")), nil, v1alpha1.WhyWrongDigest},
		"rejection while unguarded":      {decide(rec, 5, reject, "security", reviewer).named("d"), guards{5}, v1alpha1.WhyUnguarded},
		"rejection of a role not asked":  {decide(rec, 5, reject, "privacy", reviewer).named("d"), nil, v1alpha1.WhyRoleNotAsked},
		"rejection by the team's people": {decide(rec, 5, reject, "security", reviewer).named("d").groups("it-security", "team-membership"), nil, v1alpha1.WhyOwningTeam},
	} {
		t.Run(name, func(t *testing.T) {
			got := Decisions(rec, reviewUID, opened, []v1alpha1.HardeningDecision{test.decision.HardeningDecision}, test.guards, looked, 0)
			want := []string{"d: " + test.why}
			if test.why == "" {
				want = []string{"d: counts"}
			}
			if diff := cmp.Diff(want, said(got)); diff != "" {
				t.Error(diff)
			}
			if got.Approved() || got.Rejected != nil {
				t.Errorf("approved %v, rejected %v; one of two roles decided at most", got.Approved(), got.Rejected)
			}
			if counted := len(got.Roles[0].People) == 1; counted != (test.why == "") {
				t.Errorf("security's tally is %v", got.Roles[0])
			}
			if test.why != "" && got.Decisions[0].Message == "" {
				t.Error("it does not say what to do")
			}
		})
	}
}

func by(name string) func(*v1alpha1.HardeningDecision) {
	return func(d *v1alpha1.HardeningDecision) { d.Spec.By = name }
}

func uid(uid string) func(*v1alpha1.HardeningDecision) {
	return func(d *v1alpha1.HardeningDecision) { d.Spec.Review.UID = uid }
}

func digest(digest string) func(*v1alpha1.HardeningDecision) {
	return func(d *v1alpha1.HardeningDecision) { d.Spec.ReviewDigest = digest }
}

func TestDecisionsTogether(t *testing.T) {
	two := asked(t, "security", "operations")
	quorum := asked(t, "security=2")
	at := func(minute int, verdict v1alpha1.DecisionVerdict, role, by string) decision {
		return decide(two, minute, verdict, role, by)
	}
	q := func(minute int, verdict v1alpha1.DecisionVerdict, by string) decision {
		return decide(quorum, minute, verdict, "security", by)
	}
	for name, test := range map[string]struct {
		rec       record.Record
		decisions []decision
		guards    guards
		said      []string
		approved  bool
		missing   []string
		rejected  string
	}{
		"none": {rec: two, missing: []string{"security", "operations"}},
		"both roles": {
			rec: two, decisions: []decision{at(2, approve, "operations", operations), at(1, approve, "security", reviewer)},
			said: []string{"d01-security-approve: counts", "d02-operations-approve: counts"}, approved: true,
		},
		"one person in both roles": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "operations", reviewer)},
			said:    []string{"d01-security-approve: counts", "d02-operations-approve: " + v1alpha1.WhySecondRole},
			missing: []string{"operations"},
		},
		"one person in other letters": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "operations", strings.ToUpper(reviewer))},
			said:    []string{"d01-security-approve: counts", "d02-operations-approve: " + v1alpha1.WhySecondRole},
			missing: []string{"operations"},
		},
		"other role after revoking the first": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", reviewer), at(3, approve, "operations", reviewer)},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyRevoked, "d02-security-revoke: counts", "d03-operations-approve: counts"},
			missing: []string{"security"},
		},
		"first role did not count": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer).groups("guests"), at(2, approve, "operations", reviewer)},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyNotInRole, "d02-operations-approve: counts"},
			missing: []string{"security"},
		},
		"same role again": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "security", reviewer)},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyReplaced, "d02-security-approve: counts"},
			missing: []string{"operations"},
		},
		"revoked": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "operations", operations), at(3, revoke, "security", reviewer)},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyRevoked, "d02-operations-approve: counts", "d03-security-revoke: counts"},
			missing: []string{"security"},
		},
		"revoked by somebody who left the role": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(3, revoke, "security", reviewer).groups()},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyRevoked, "d03-security-revoke: counts"},
			missing: []string{"security", "operations"},
		},
		"revoked by another": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(3, revoke, "security", deputy)},
			said:    []string{"d01-security-approve: counts", "d03-security-revoke: " + v1alpha1.WhyNothingToRevoke},
			missing: []string{"operations"},
		},
		"revoked in another role": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(3, revoke, "operations", reviewer)},
			said:    []string{"d01-security-approve: counts", "d03-operations-revoke: " + v1alpha1.WhyNothingToRevoke},
			missing: []string{"operations"},
		},
		"revoked twice": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", reviewer), at(3, revoke, "security", reviewer)},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyRevoked, "d02-security-revoke: counts", "d03-security-revoke: " + v1alpha1.WhyNothingToRevoke},
			missing: []string{"security", "operations"},
		},
		"revoked while unguarded": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", reviewer)}, guards: guards{2},
			said:    []string{"d01-security-approve: " + v1alpha1.WhySuspended, "d02-security-revoke: " + v1alpha1.WhyUnguarded},
			missing: []string{"security", "operations"},
		},
		"rejected while unguarded": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "operations", operations), at(3, reject, "security", reviewer)}, guards: guards{3},
			said:    []string{"d01-security-approve: " + v1alpha1.WhySuspended, "d02-operations-approve: counts", "d03-security-reject: " + v1alpha1.WhyUnguarded},
			missing: []string{"security"},
		},
		"revoked while unguarded, in other letters and another role": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "operations", strings.ToUpper(reviewer))}, guards: guards{2},
			said:    []string{"d01-security-approve: " + v1alpha1.WhySuspended, "d02-operations-revoke: " + v1alpha1.WhyUnguarded},
			missing: []string{"security", "operations"},
		},
		"revoked while unguarded by another": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", deputy)}, guards: guards{2},
			said:    []string{"d01-security-approve: counts", "d02-security-revoke: " + v1alpha1.WhyUnguarded},
			missing: []string{"operations"},
		},
		"revoked while unguarded by nobody in particular": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "operations", operations), at(3, revoke, "security", "")}, guards: guards{3},
			said:    []string{"d01-security-approve: " + v1alpha1.WhySuspended, "d02-operations-approve: counts", "d03-security-revoke: " + v1alpha1.WhyUnguarded},
			missing: []string{"security"},
		},
		"rejected while unguarded by another of the role": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "operations", operations), at(3, reject, "security", deputy)}, guards: guards{3},
			said:    []string{"d01-security-approve: " + v1alpha1.WhySuspended, "d02-operations-approve: counts", "d03-security-reject: " + v1alpha1.WhyUnguarded},
			missing: []string{"security"},
		},
		"revoked while unguarded, on another subject": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", reviewer).with(digest("sha256:1"))}, guards: guards{2},
			said:    []string{"d01-security-approve: counts", "d02-security-revoke: " + v1alpha1.WhyWrongDigest},
			missing: []string{"operations"},
		},
		"approved once more while unguarded": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "security", reviewer)}, guards: guards{2},
			said:    []string{"d01-security-approve: counts", "d02-security-approve: " + v1alpha1.WhyUnguarded},
			missing: []string{"operations"},
		},
		"suspended, and approved again": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", reviewer), at(3, approve, "security", reviewer), at(4, approve, "operations", operations)}, guards: guards{2},
			said: []string{"d01-security-approve: " + v1alpha1.WhyReplaced, "d02-security-revoke: " + v1alpha1.WhyUnguarded,
				"d03-security-approve: counts", "d04-operations-approve: counts"}, approved: true,
		},
		"suspended, and revoked again": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", reviewer), at(3, revoke, "security", reviewer)}, guards: guards{2},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyRevoked, "d02-security-revoke: " + v1alpha1.WhyUnguarded, "d03-security-revoke: counts"},
			missing: []string{"security", "operations"},
		},
		"a rejection is not suspended": {
			rec: two, decisions: []decision{at(1, reject, "security", reviewer), at(2, revoke, "security", reviewer)}, guards: guards{2},
			said:    []string{"d01-security-reject: counts", "d02-security-revoke: " + v1alpha1.WhyUnguarded},
			missing: []string{"security", "operations"}, rejected: "d01-security-reject",
		},
		"approved again after revoking": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, revoke, "security", reviewer), at(3, approve, "security", reviewer), at(4, approve, "operations", operations)},
			said:     []string{"d01-security-approve: " + v1alpha1.WhyRevoked, "d02-security-revoke: counts", "d03-security-approve: counts", "d04-operations-approve: counts"},
			approved: true,
		},
		"approved and revoked within one second": {
			rec: two, decisions: []decision{at(1, revoke, "security", reviewer).named("a"), at(1, approve, "security", reviewer).named("z")},
			said:    []string{"a: counts", "z: " + v1alpha1.WhyRevoked},
			missing: []string{"security", "operations"},
		},
		"rejected": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, reject, "operations", operations)},
			said:    []string{"d01-security-approve: counts", "d02-operations-reject: counts"},
			missing: []string{"operations"}, rejected: "d02-operations-reject",
		},
		"rejected by somebody who had approved": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, approve, "operations", operations), at(3, reject, "security", reviewer)},
			said:    []string{"d01-security-approve: " + v1alpha1.WhyReplaced, "d02-operations-approve: counts", "d03-security-reject: counts"},
			missing: []string{"security"}, rejected: "d03-security-reject",
		},
		"rejected although the quorum is there": {
			rec: quorum, decisions: []decision{q(1, approve, reviewer).named("a"), q(2, approve, deputy).named("b"), q(3, reject, "third@example.org").named("c")},
			said: []string{"a: counts", "b: counts", "c: counts"}, rejected: "c",
		},
		"a rejection is final": {
			rec: two, decisions: []decision{at(1, reject, "security", reviewer), at(2, revoke, "security", reviewer), at(3, approve, "security", reviewer), at(4, approve, "operations", operations), at(5, reject, "operations", operations)},
			said: []string{"d01-security-reject: counts", "d02-security-revoke: " + v1alpha1.WhyReviewEnded, "d03-security-approve: " + v1alpha1.WhyReviewEnded,
				"d04-operations-approve: " + v1alpha1.WhyReviewEnded, "d05-operations-reject: " + v1alpha1.WhyReviewEnded},
			missing: []string{"security", "operations"}, rejected: "d01-security-reject",
		},
		"rejected in a second role": {
			rec: two, decisions: []decision{at(1, approve, "security", reviewer), at(2, reject, "operations", reviewer)},
			said:    []string{"d01-security-approve: counts", "d02-operations-reject: " + v1alpha1.WhySecondRole},
			missing: []string{"operations"},
		},
		"quorum of two, one person twice": {
			rec: quorum, decisions: []decision{q(1, approve, reviewer).named("a"), q(2, approve, strings.ToUpper(reviewer)).named("b")},
			said: []string{"a: " + v1alpha1.WhyReplaced, "b: counts"}, missing: []string{"security"},
		},
		"quorum of two, two people": {
			rec: quorum, decisions: []decision{q(1, approve, reviewer).named("a"), q(2, approve, deputy).named("b")},
			said: []string{"a: counts", "b: counts"}, approved: true,
		},
		"no approval needed": {rec: asked(t), approved: true},
		"no approval needed, an uncalled rejection": {
			rec: asked(t), decisions: []decision{decide(asked(t), 1, reject, "security", reviewer).named("a")},
			said: []string{"a: " + v1alpha1.WhyRoleNotAsked}, approved: true,
		},
		"a decision on another review or in another namespace": {
			rec: two, decisions: []decision{
				at(1, approve, "security", reviewer).with(func(d *v1alpha1.HardeningDecision) { d.Spec.Review.Name = "churn-advisor-2" }),
				at(2, approve, "security", reviewer).with(func(d *v1alpha1.HardeningDecision) { d.Namespace = "education" }),
			},
			missing: []string{"security", "operations"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var made []v1alpha1.HardeningDecision
			for _, d := range test.decisions {
				made = append(made, d.HardeningDecision)
			}
			got := Decisions(test.rec, reviewUID, opened, made, test.guards, looked, 0)
			if diff := cmp.Diff(test.said, said(got)); diff != "" {
				t.Error(diff)
			}
			if got.Approved() != test.approved {
				t.Errorf("approved: %v, want %v", got.Approved(), test.approved)
			}
			var missing []string
			for _, tally := range got.Missing() {
				missing = append(missing, tally.Role)
			}
			if diff := cmp.Diff(test.missing, missing); diff != "" {
				t.Error("missing roles: " + diff)
			}
			rejected := ""
			if got.Rejected != nil {
				rejected = got.Rejected.Decision
			}
			if rejected != test.rejected {
				t.Errorf("rejected by %q, want %q", rejected, test.rejected)
			}
		})
	}
}

// Approvals count for a time, which ends at a moment; rejections for ever.
func TestApprovalsExpire(t *testing.T) {
	usual, short := asked(t, "security=2"), asked(t, "security=2")
	short.Requirements.ApprovalsValidForSeconds = 7200
	for name, test := range map[string]struct {
		rec      record.Record
		verdicts []v1alpha1.DecisionVerdict
		after    time.Duration
		said     []string
		approved bool
		until    time.Duration
	}{
		"both count": {
			rec: short, verdicts: []v1alpha1.DecisionVerdict{approve, approve}, after: 2*time.Hour + time.Minute - time.Second,
			said: []string{"1: counts", "2: counts"}, approved: true, until: 2*time.Hour + time.Minute,
		},
		"the first expires": {
			rec: short, verdicts: []v1alpha1.DecisionVerdict{approve, approve}, after: 2*time.Hour + time.Minute,
			said: []string{"1: " + v1alpha1.WhyExpired, "2: counts"}, until: 2*time.Hour + 2*time.Minute,
		},
		"both expired": {
			rec: short, verdicts: []v1alpha1.DecisionVerdict{approve, approve}, after: 3 * time.Hour,
			said: []string{"1: " + v1alpha1.WhyExpired, "2: " + v1alpha1.WhyExpired},
		},
		"a rejection stays": {
			rec: short, verdicts: []v1alpha1.DecisionVerdict{approve, reject}, after: 3 * time.Hour,
			said: []string{"1: " + v1alpha1.WhyExpired, "2: counts"},
		},
		"90 days where nothing is said": {
			rec: usual, verdicts: []v1alpha1.DecisionVerdict{approve, approve}, after: 90 * 24 * time.Hour,
			said: []string{"1: counts", "2: counts"}, approved: true, until: 90*24*time.Hour + time.Minute,
		},
		"and no longer": {
			rec: usual, verdicts: []v1alpha1.DecisionVerdict{approve, approve}, after: 90*24*time.Hour + time.Hour,
			said: []string{"1: " + v1alpha1.WhyExpired, "2: " + v1alpha1.WhyExpired},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var made []v1alpha1.HardeningDecision
			for i, verdict := range test.verdicts {
				by := []string{reviewer, deputy}[i]
				made = append(made, decide(test.rec, i+1, verdict, "security", by).named(strconv.Itoa(i+1)).HardeningDecision)
			}
			got := Decisions(test.rec, reviewUID, opened, made, guards(nil), opened.Add(test.after), 0)
			if diff := cmp.Diff(test.said, said(got)); diff != "" {
				t.Error(diff)
			}
			if got.Approved() != test.approved {
				t.Errorf("approved: %v, want %v", got.Approved(), test.approved)
			}
			until := time.Time{}
			if test.until != 0 {
				until = opened.Add(test.until)
			}
			if !got.Until.Equal(until) {
				t.Errorf("until %s, want %s", got.Until, until)
			}
		})
	}
}

// Whoever approved again in time is asked nothing.
func TestApprovedAgain(t *testing.T) {
	rec := asked(t, "security")
	rec.Requirements.ApprovalsValidForSeconds = 7200
	made := []v1alpha1.HardeningDecision{
		decide(rec, 1, approve, "security", reviewer).HardeningDecision, decide(rec, 90, approve, "security", reviewer).HardeningDecision,
	}
	got := Decisions(rec, reviewUID, opened, made, guards(nil), opened.Add(3*time.Hour), 0)
	if !got.Approved() || !got.Until.Equal(opened.Add(3*time.Hour+30*time.Minute)) {
		t.Errorf("approved %v until %s: %v", got.Approved(), got.Until, said(got))
	}
}

// The order in which decisions are listed must not matter: a cache lists them in any.
func TestDecisionsInAnyOrder(t *testing.T) {
	rec := asked(t, "security", "operations")
	made := []v1alpha1.HardeningDecision{
		decide(rec, 1, approve, "security", reviewer).HardeningDecision,
		decide(rec, 1, approve, "operations", reviewer).HardeningDecision,
		decide(rec, 2, revoke, "security", reviewer).HardeningDecision,
		decide(rec, 3, approve, "operations", operations).HardeningDecision,
	}
	want := Decisions(rec, reviewUID, opened, made, guards(nil), looked, 0)
	for range len(made) {
		made = append(made[1:], made[0])
		if diff := cmp.Diff(want, Decisions(rec, reviewUID, opened, made, guards(nil), looked, 0)); diff != "" {
			t.Error(diff)
		}
	}
}

// What a person wrote is shown to others.
func TestRejectionIsCleaned(t *testing.T) {
	rec := asked(t, "security")
	d := decide(rec, 1, reject, "security", reviewer).with(func(d *v1alpha1.HardeningDecision) {
		d.Spec.Reject.ApproveWhen = "the key\x1b[2J is\nin a Secret"
	})
	got := Decisions(rec, reviewUID, opened, []v1alpha1.HardeningDecision{d.HardeningDecision}, guards(nil), looked, 0)
	if got.Rejected == nil || got.Rejected.ApproveWhen != "the key[2J is in a Secret" || got.Decisions[0].Message != got.Rejected.ApproveWhen {
		t.Errorf("%+v", got.Rejected)
	}
}
