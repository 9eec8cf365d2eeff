package lifecycle

import (
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/test/lifecycle/world"
)

// stages of a prototype's life, each with how to see that it has come.
var stages = []struct {
	name string
	come func(*world.World) bool
}{
	{name: "just applied", come: func(w *world.World) bool { return w.Prototype() != nil }},
	{name: "its finalizer is on", come: func(w *world.World) bool { return len(w.Prototype().Finalizers) > 0 }},
	{name: "its namespace is made", come: func(w *world.World) bool { return w.There(w.Sandbox()) }},
	{name: "the control runs", come: func(w *world.World) bool { return w.Measures(v1alpha1.GatesNamespace, run(w, "control")) }},
	{name: "the probe runs", come: func(w *world.World) bool { return w.Measures(w.Sandbox(), run(w, "inside")) }},
	{name: "its program starts", come: func(w *world.World) bool { return w.Runs(w.Sandbox()) == "a" }},
	{name: "a review is open", come: func(w *world.World) bool { return w.Review(1) != nil }},
	{name: "integrations are tried", come: func(w *world.World) bool { return w.There(w.Rehearsal()) }},
	{name: "gates have passed", come: passed},
	{name: "production is made", come: func(w *world.World) bool { return approved(w) && w.There(w.Production()) }},
	{name: "it rolls out", come: func(w *world.World) bool { return step(w) == v1alpha1.StepRollingOut }},
	{name: "it soaks", come: func(w *world.World) bool { return step(w) == v1alpha1.StepSoaking }},
}

func run(w *world.World, suffix string) string { return w.Series(assess.ReportIsolation, suffix) }

func passed(w *world.World) bool {
	return w.Review(1) != nil && w.Said(1, v1alpha1.ConditionGatesPassed) == "True AllGatesPassed"
}

// approved has IT approve as soon as the gates have passed.
func approved(w *world.World) bool {
	if passed(w) && len(w.Review(1).Status.Decisions) == 0 && !w.Decided(1) {
		w.Approve(1)
	}
	return true
}

func step(w *world.World) v1alpha1.PromotionStep {
	if approved(w); w.Review(1) == nil || w.Review(1).Status.Promotion == nil {
		return ""
	}
	return w.Review(1).Status.Promotion.Step
}

// TestDeletedAtEachStage: whenever a prototype is deleted, it goes, nothing of it is left, and what does not serve yet
// does not begin to.
func TestDeletedAtEachStage(t *testing.T) {
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			play(t, func(w *world.World) {
				applies(w, production)
				w.Until(stage.name, func() bool { return stage.come(w) })
				name := w.Production()
				w.Begins(stage.name + ": the team deletes the prototype")
				w.Must(w.Deletes(world.Lead))
				w.Settle()
				w.Expect(w.Prototype() == nil, "it is still there")
				w.Expect(!w.There(w.Sandbox()) && !w.There(w.Rehearsal()), "something of it is left")
				w.Expect(!w.There(name), "production is there for a prototype that is gone")
			})
		})
	}
}
