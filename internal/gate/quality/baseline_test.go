package quality

import (
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// promoted is what is frozen for the given gates about the revision of a case, each of whose gates took the same.
func promoted(before gate.Case, taken gate.Taken, gates ...v1alpha1.Gate) map[string]record.Baseline {
	frozen := map[string]record.Baseline{}
	for _, g := range gates {
		frozen[g.Name] = Baseline(g, before.Record, taken)
	}
	return frozen
}

// Of two gates that ask different things, each is compared with its own.
func TestEveryGateHasItsOwnBaseline(t *testing.T) {
	own, its := caseOfSet(t, text(50)), importing(t, v1alpha1.ImportPromptfoo)
	its.Gate.Name = "golden"
	gates := []v1alpha1.Gate{own.Gate, its.Gate}
	own.Record.Requirements.Gates = gates
	its.Record = own.Record
	frozen := map[string]record.Baseline{
		own.Gate.Name: Baseline(own.Gate, own.Record, took(t, own, all50(t, right, right))),
		its.Gate.Name: Baseline(its.Gate, own.Record, tookOver(its, brought(t, of(200, right)))),
	}
	own.Record.Baselines, its.Record.Baselines = frozen, frozen
	want(t, Instrument{}.Judge(own, took(t, own, all50(t, right, right))), gate.Passed, v1alpha1.ReasonAnswersRight, "of 50 examples that advisor-2 was asked too, 0 became wrong")
	want(t, Instrument{}.Judge(its, tookOver(its, brought(t, of(200, right)))), gate.Passed, v1alpha1.ReasonAnswersRight, "of 200 examples that advisor-2 was asked too, 0 became wrong")
	// A gate that asks rightly now what was asked before finds what became worse, wherever it stands in the list.
	want(t, Instrument{}.Judge(its, tookOver(its, brought(t, of(6, wrong), of(194, right)))), gate.Failed, v1alpha1.ReasonRegressed, "6 became wrong")
}

// What IT asks for the first time, or from now on otherwise, has nothing to be compared with, and says so.
func TestNothingToCompareWhereNothingWasAsked(t *testing.T) {
	for name, c := range map[string]struct {
		asks func(before, now *gate.Case)
		says string
	}{
		"another gate":     {func(_, now *gate.Case) { now.Gate.Name = "new" }, "advisor-2, which was promoted last: its review had no such gate"},
		"by an image now":  {func(_, _ *gate.Case) {}, "then took its examples from the evaluation set, and now from an image of IT's (Promptfoo)"},
		"of the same name": {func(before, _ *gate.Case) { before.Record.Requirements.Gates[0].Type = v1alpha1.GateJob }, "its review had no such gate"},
	} {
		t.Run(name, func(t *testing.T) {
			before, now := caseOfSet(t, text(50)), importing(t, v1alpha1.ImportPromptfoo)
			c.asks(&before, &now)
			now.Record.Baselines = promoted(before, took(t, before, all50(t, right, right)), now.Gate)
			want(t, Instrument{}.Judge(now, tookOver(now, brought(t, of(50, right)))), gate.Passed, v1alpha1.ReasonAnswersRight, "50 of 50", c.says)
		})
	}
	// Asked, and nobody knows what was answered: that is something else.
	now := caseOfSet(t, text(50))
	for _, nothing := range []record.Baseline{Baseline(now.Gate, now.Record, gate.Taken{}), {Review: "advisor-1"}, {Review: "advisor-1", Answers: map[string]string{}}} {
		now.Record.Baselines = map[string]record.Baseline{now.Gate.Name: nothing}
		want(t, Instrument{}.Judge(now, took(t, now, all50(t, right, right))), gate.Inconclusive, v1alpha1.ReasonNothingToCompare)
	}
}

// What was promoted under a gate that asked an image is compared by the same image's ids alone.
func TestBaselineOfAnImage(t *testing.T) {
	before := importing(t, v1alpha1.ImportPromptfoo)
	b := Baseline(before.Gate, before.Record, tookOver(before, brought(t, of(50, right))))
	if b.Unasked != "" || b.Lost != "" || len(b.Answers) != 50 || b.Answers["id line-2"] != "R" {
		t.Errorf("got %+v", b)
	}
}
