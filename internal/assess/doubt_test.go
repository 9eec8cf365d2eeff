package assess

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/record"
)

// Where the authors are in doubt, whoever approves may be one of them: one more person has to.
func TestDoubtedAuthors(t *testing.T) {
	const third = "security-third@example.org"
	doubted := func(quorums ...string) record.Record {
		rec := asked(t, quorums...)
		rec.AuthorsDoubt = "a pipeline wrote it"
		sealed, err := rec.Seal()
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	two, quorum, none := doubted("security", "operations"), doubted("security=2"), doubted()
	sure := asked(t, "security", "operations")
	const more, moreOfOne = "one more person of security or operations", "one more person of security"
	for name, test := range map[string]struct {
		rec       record.Record
		decisions []decision
		guards    guards
		missing   []string
		doubt     bool
	}{
		"nobody": {rec: two, missing: []string{"security", "operations", more}, doubt: true},
		"the usual approvals": {
			rec: two, decisions: []decision{decide(two, 1, approve, "security", reviewer), decide(two, 2, approve, "operations", operations)},
			missing: []string{more}, doubt: true,
		},
		"the usual approvals, without a doubt": {
			rec: sure, decisions: []decision{decide(sure, 1, approve, "security", reviewer), decide(sure, 2, approve, "operations", operations)},
		},
		"one more of a role": {
			rec: two, decisions: []decision{decide(two, 1, approve, "security", reviewer), decide(two, 2, approve, "operations", operations), decide(two, 3, approve, "security", deputy)}, doubt: true,
		},
		"one of them once more": {
			rec: two, decisions: []decision{decide(two, 1, approve, "security", reviewer), decide(two, 2, approve, "operations", operations), decide(two, 3, approve, "security", reviewer)},
			missing: []string{more}, doubt: true,
		},
		"one of them in the other role too": {
			rec: two, decisions: []decision{decide(two, 1, approve, "security", reviewer), decide(two, 2, approve, "operations", operations), decide(two, 3, approve, "operations", reviewer)},
			missing: []string{more}, doubt: true,
		},
		"an author once more": {
			rec: two, decisions: []decision{decide(two, 1, approve, "security", reviewer), decide(two, 2, approve, "operations", operations), decide(two, 3, approve, "security", author)},
			missing: []string{more}, doubt: true,
		},
		"one more who took it back": {
			rec: two, decisions: []decision{decide(two, 1, approve, "security", reviewer), decide(two, 2, approve, "operations", operations),
				decide(two, 3, approve, "security", deputy), decide(two, 4, revoke, "security", deputy)},
			missing: []string{more}, doubt: true,
		},
		"more than enough of one role do not make up for the other": {
			rec: two, decisions: []decision{decide(two, 1, approve, "security", reviewer), decide(two, 2, approve, "security", deputy).named("b"), decide(two, 3, approve, "security", third).named("c")},
			missing: []string{"operations"}, doubt: true,
		},
		"quorum of two": {
			rec: quorum, decisions: []decision{decide(quorum, 1, approve, "security", reviewer), decide(quorum, 2, approve, "security", deputy)},
			missing: []string{moreOfOne}, doubt: true,
		},
		"quorum of two, three people": {
			rec: quorum, decisions: []decision{decide(quorum, 1, approve, "security", reviewer), decide(quorum, 2, approve, "security", deputy), decide(quorum, 3, approve, "security", third)}, doubt: true,
		},
		"no approval is asked": {rec: none, doubt: true},
		"the review was opened in a gap that was found later": {
			rec: sure, decisions: []decision{decide(sure, 1, approve, "security", reviewer), decide(sure, 2, approve, "operations", operations)},
			guards: guards{0}, missing: []string{more}, doubt: true,
		},
		"no approval is asked, opened in a gap": {rec: asked(t), guards: guards{0}, doubt: true},
	} {
		t.Run(name, func(t *testing.T) {
			var made []v1alpha1.HardeningDecision
			for _, d := range test.decisions {
				made = append(made, d.HardeningDecision)
			}
			got := Decisions(test.rec, reviewUID, opened, made, test.guards, looked, 0)
			var missing []string
			for _, tally := range got.Missing() {
				missing = append(missing, tally.Role)
			}
			if diff := cmp.Diff(test.missing, missing); diff != "" {
				t.Error("missing: " + diff)
			}
			if got.Approved() != (test.missing == nil) {
				t.Errorf("approved: %v", got.Approved())
			}
			if (got.Doubt != "") != test.doubt {
				t.Errorf("doubt: %q", got.Doubt)
			}
		})
	}
}

func TestPersonsName(t *testing.T) {
	for name, want := range map[string]bool{
		"membership-lead@example.org": true, "systematic@example.org": true,
		"system:serviceaccount:argo:syncer": false, "system:admin": false, " System:kube-controller-manager": false, "\u017fystem:admin": false, "": false, " ": false,
	} {
		if PersonsName(name) != want {
			t.Errorf("%q is a person's name: %v", name, !want)
		}
	}
}
