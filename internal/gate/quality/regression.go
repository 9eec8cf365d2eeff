package quality

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
)

const (
	// byChance is the largest probability at which a difference is taken for none.
	byChance = 0.05
	// fewestPairs can show anything: five that all became worse are so by chance once in 32 times.
	fewestPairs = 5
)

// pairs are the examples that both revisions were asked.
type pairs struct {
	n, worse, better int64
	// became names those that became worse.
	became []string
}

// compared judges by the examples that the revision in production was asked too: the same question with the same
// assertions, whatever its id, since a line that is put in between renames all that follow.
func compared(e Evidence, cases []asked) part {
	old := *e.Production
	if old.Lost == "" {
		old.Lost = strays(old.Set, old.Result)
	}
	if old.Lost != "" {
		return incomparable(fmt.Sprintf("the evaluation of %s, which is in production, can't be used: %s", old.Review, old.Lost), v1alpha1.OwnerIT,
			"IT looks at the record of that review, or leaves out nonRegression for this one promotion.")
	}
	found := pair(e, cases)
	if found.n < fewestPairs || 2*found.n < int64(len(old.Result.Cases)) {
		return incomparable(fmt.Sprintf("%d of the %d examples of %s, which is in production, are still in the set; at least half must be, and %d",
			found.n, len(old.Result.Cases), old.Review, fewestPairs), v1alpha1.OwnerBusiness, "Keep the examples of the revision in production, and add new ones to them.")
	}
	counts := fmt.Sprintf("of %d examples that %s in production was asked too, %d became wrong and %d became right", found.n, old.Review, found.worse, found.better)
	if p := stats.McNemar(found.worse, found.better); p < byChance {
		message := fmt.Sprintf("%s: by chance that happens %s times in 100", counts, hundredths(p))
		return part{state: gate.Failed, reason: v1alpha1.ReasonRegressed, message: message, findings: []gate.Finding{{
			Reason: v1alpha1.ReasonRegressed, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%s: %s", message, listed(found.became)),
			Hint:    "Look at what production answers to these: the new revision should not be worse.",
		}}}
	}
	return part{state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, message: counts}
}

func incomparable(message string, owner v1alpha1.Owner, hint string) part {
	return part{state: gate.Inconclusive, reason: v1alpha1.ReasonNothingToCompare, message: message, findings: []gate.Finding{{
		Reason: v1alpha1.ReasonNothingToCompare, Field: fieldExamples, Owner: owner, Message: message, Hint: hint,
	}}}
}

func listed(names []string) string {
	if len(names) > named {
		return strings.Join(names[:named], ", ") + " …"
	}
	return strings.Join(names, ", ")
}

// pair finds the examples that both were asked. Where one was asked more often than the other, only as many of its
// answers count, or it would have had more chances to be wrong. What is unclear of either is no pair.
func pair(e Evidence, cases []asked) pairs {
	before := make(map[string]int, len(e.Production.Result.Cases))
	for i := range e.Production.Result.Cases {
		before[e.Production.key(i)] = i
	}
	var p pairs
	for i, now := range cases {
		j, both := before[e.key(i)]
		if !both || !e.sameExample(i, j) {
			continue
		}
		then := caseOf(e.Production.Result.Cases[j])
		times := min(len(now.answers), len(then.answers))
		newer := caseOf(evidence.CaseResult{ID: now.id, Answers: now.answers[:times]})
		older := caseOf(evidence.CaseResult{ID: then.id, Answers: then.answers[:times]})
		if newer.unclear || older.unclear {
			continue
		}
		p.n++
		switch {
		case older.right && !newer.right:
			p.worse++
			p.became = append(p.became, now.id)
		case newer.right && !older.right:
			p.better++
		}
	}
	return p
}

// key finds an example again: by its question, or by its id where the evaluation brings its own examples.
func (e Evidence) key(i int) string { return key(e.Set, e.Result, i) }

func (p Production) key(i int) string { return key(p.Set, p.Result, i) }

func key(set examples.Set, r evidence.QualityResult, i int) string {
	if i < len(set.Examples) {
		return "question " + set.Examples[i].Input
	}
	return "id " + r.Cases[i].ID
}

// sameExample tells whether what is expected is the same too.
func (e Evidence) sameExample(now, then int) bool {
	if now >= len(e.Set.Examples) || then >= len(e.Production.Set.Examples) {
		return len(e.Set.Examples) == 0 && len(e.Production.Set.Examples) == 0
	}
	return reflect.DeepEqual(e.Set.Examples[now].Assert, e.Production.Set.Examples[then].Assert)
}
