package review

import (
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

// What the review says about its authors, and to whom, where they are in doubt and where they aren't.
func TestDoubtedAuthorsAreTold(t *testing.T) {
	const doubt = "system:serviceaccount:argo:syncer is an account and no person"
	tally := func(role string, people ...string) assess.Tally {
		return assess.Tally{Role: role, Quorum: 1, People: people}
	}
	for name, test := range map[string]struct {
		decided  assess.Decided
		verified string
		means    string
		roles    string
		says     string
	}{
		"known": {
			decided: assess.Decided{Roles: []assess.Tally{tally("security"), tally("operations", "b")}}, verified: "True AuthorsKnown",
			roles: "security", says: "security has not decided on",
		},
		"in doubt, nobody decided": {
			decided:  assess.Decided{Doubt: doubt, Roles: []assess.Tally{tally("security"), tally("operations")}},
			verified: "False AuthorsUnverified", means: "One person more", roles: "security, operations",
			says: "It takes one more person of security or operations, because " + doubt,
		},
		"in doubt, the usual approvals": {
			decided:  assess.Decided{Doubt: doubt, Roles: []assess.Tally{tally("security", "a"), tally("operations", "b")}},
			verified: "False AuthorsUnverified", means: "One person more", roles: "security, operations",
			says: "security approved churn-advisor-3. It takes one more person of security or operations, because " + doubt,
		},
		"in doubt, one more": {
			decided:  assess.Decided{Doubt: doubt, Roles: []assess.Tally{tally("security", "a", "c"), tally("operations", "b")}},
			verified: "False AuthorsUnverified", means: "One person more",
		},
		"in doubt, one more and a role is missing": {
			decided:  assess.Decided{Doubt: doubt, Roles: []assess.Tally{tally("security", "a", "c"), tally("operations")}},
			verified: "False AuthorsUnverified", means: "One person more", roles: "operations", says: "operations has not decided on",
		},
		"in doubt, no approval is asked": {
			decided: assess.Decided{Doubt: doubt}, verified: "False AuthorsUnverified", means: "asks for no approval",
		},
	} {
		t.Run(name, func(t *testing.T) {
			rec := sealed(t, func(r *record.Record) { r.AuthorsDoubt = test.decided.Doubt })
			review := rec.Review(&v1alpha1.AIPrototype{})
			v := view{s: Snapshot{Record: &rec, Review: review}, plan: Plan{Decided: test.decided}, passed: true}
			got := v.authorsVerified()
			if said := string(got.Status) + " " + got.Reason; said != test.verified || !strings.Contains(got.Message, test.decided.Doubt) || !strings.Contains(got.Message, test.means) {
				t.Errorf("%s: %s", said, got.Message)
			}
			var roles []string
			for i, turn := range v.deciding() {
				roles = append(roles, turn.role)
				if i == 0 && !strings.Contains(turn.message, test.says) {
					t.Errorf("says %q", turn.message)
				}
				if len(turn.message) > maxText {
					t.Errorf("%d characters are cut: %s", len(turn.message), turn.message)
				}
			}
			if strings.Join(roles, ", ") != test.roles {
				t.Errorf("waits for %v, want %s", roles, test.roles)
			}
			approved := v.approved()
			if open := test.roles != ""; open != (approved.Status == no) || strings.Contains(test.says, doubt) != strings.Contains(approved.Message, doubt) {
				t.Errorf("approved: %s %s", approved.Status, approved.Message)
			}
		})
	}
}

// With a doubt, the whole way takes a third person.
func TestDoubtTakesOneMorePerson(t *testing.T) {
	w := newWorld(t, func(r *record.Record) { r.AuthorsDoubt = "a pipeline wrote it" })
	w.settle()
	w.is(v1alpha1.ConditionAuthorsVerified, "False AuthorsUnverified")
	w.approve()
	w.settle()
	w.is(v1alpha1.ConditionApproved, "False AwaitingDecisions")
	if got := w.waiting(); got != "IT/security, IT/operations" {
		t.Errorf("waits for %s", got)
	}
	w.decide(v1alpha1.VerdictApprove, "security", "security-deputy@example.org")
	w.settle()
	w.is(v1alpha1.ConditionApproved, "True AllRolesApproved")
}

// A tier without approvals asks nobody, and says that the authors are in doubt.
func TestDoubtWithoutApprovals(t *testing.T) {
	w := newWorld(t, func(r *record.Record) {
		r.AuthorsDoubt, r.Requirements.Approvals = "a pipeline wrote it", []policy.Approval{}
	})
	w.settle()
	w.is(v1alpha1.ConditionAuthorsVerified, "False AuthorsUnverified")
	w.is(v1alpha1.ConditionApproved, "True NoApprovalNeeded")
}
