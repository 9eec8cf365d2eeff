package lifecycle

import (
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/world"
)

// TestForgedReview: whatever a review's status says, only what was measured and decided lets anything in.
func TestForgedReview(t *testing.T) {
	play(t, func(w *world.World) {
		w.Images[world.Digest("a")] = world.Program{Slow: true}
		applies(w, production)
		w.Settle()
		w.Approve(1)
		w.Settle()
		w.Begins("a review waits for the team, whose program is too slow, as in scalabilitygate")
		w.Says("IT approved, and somebody writes into its status that every gate passed")
		w.Forges(1)
		w.Settle()
		nothingThere(w)
		w.Waits("Business")
		changes(w, "1.5")
		w.Settle()
		w.Says("the second waits for decisions, and somebody writes that they were made")
		w.Decides(world.Security, 2, "security", approve)
		w.Forges(2)
		w.Settle()
		nothingThere(w)
		w.Waits("IT/operations")
		w.Decides(world.Operations, 2, "operations", approve)
		w.Settle()
		inProduction(w, 2, "b")
	})
}

// oneMore plays the end of a review whose authors are in doubt.
func oneMore(w *world.World, ordinal int, image string) {
	w.Helper()
	w.Approve(ordinal)
	w.Settle()
	nothingThere(w)
	w.Says("the usual approvals are not enough where an approver may be an author")
	w.Decides(world.Deputy, ordinal, "security", approve)
	w.Settle()
	inProduction(w, ordinal, image)
}

// TestPipelineAsAuthor: nobody knows who wrote what an account applies.
func TestPipelineAsAuthor(t *testing.T) {
	play(t, func(w *world.World) {
		tags(w)
		w.Says("a pipeline applies the prototype")
		w.Creates(world.Pipeline, world.NewPrototype(production, "1.4"))
		w.Settle()
		w.ReviewIs(1, v1alpha1.ConditionAuthorsVerified, "False AuthorsUnverified")
		oneMore(w, 1, "a")
	})
}

// TestWrittenWithoutGuards: nobody knows who wrote what was written while the guards were away.
func TestWrittenWithoutGuards(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("the admission policies are away for a while, and the program changes meanwhile")
		w.Guards(false)
		changes(w, "1.5")
		w.Pass(time.Minute)
		w.Guards(true)
		w.Settle()
		w.ReviewIs(2, v1alpha1.ConditionAuthorsVerified, "False AuthorsUnverified")
		oneMore(w, 2, "b")
	})
}
