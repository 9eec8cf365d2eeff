package lifecycle

import (
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/world"
)

func TestTagMovedAfterApproval(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("IT approves, and somebody pushes another image under the same tag")
		w.Approve(1)
		w.Pushes("1.4", world.Digest("d"))
		w.Settle()
		inProduction(w, 1, "a")
		w.Says("the team asks for another look")
		w.AsksAgain(world.Lead)
		w.Settle()
		w.Expect(w.Runs(w.Sandbox()) == "d" && w.Runs(w.Production()) == "a", "the sandbox runs %s and production %s",
			w.Runs(w.Sandbox()), w.Runs(w.Production()))
		w.Waits("IT/security, IT/operations")
	})
}

func TestPolicyEditedDuringReview(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("IT asks for two people of security from now on, and moves the test system")
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) {
			p.Spec.Tiers[0].Approvals[0].Quorum = 2
			p.Spec.Catalogue.Integrations[0].Sandbox.To.Pods.PodLabels = map[string]string{"app": "crm-other"}
		})
		w.Settle()
		w.Is(isolated, "True Enforced")
		w.Says("the open review goes on as it was opened")
		w.Approve(1)
		w.Settle()
		inProduction(w, 1, "a")
		changes(w, "1.5")
		w.Settle()
		w.Says("the next one asks for two")
		w.Approve(2)
		w.Settle()
		w.Expect(w.Runs(w.Production()) == "a", "one person of security was enough")
		w.Waits("IT/security")
		w.Decides(world.Deputy, 2, "security", approve)
		w.Settle()
		inProduction(w, 2, "b")
	})
}

func TestPolicyThatCanNotBeUsed(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		w.Says("IT breaks an expression of the policy")
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) { p.Spec.Tiers[0].When = "facts." })
		w.Settle()
		w.Is(ready, "False PolicyNotReady")
		w.Waits("IT")
		w.Expect(w.Serving("a") == 2, "what serves was stopped")
		w.Says("and mends it")
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) { p.Spec.Tiers[0].When = "true" })
		w.Settle()
		inProduction(w, 1, "a")
		w.Is(ready, "True InProduction")
	})
}

func TestGuardsLost(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("somebody takes the admission policies away, and decisions come in that anybody could have forged")
		w.Guards(false)
		w.Decides(world.Security, 1, "security", approve, func(d *v1alpha1.HardeningDecision) {
			d.Spec.By, d.Spec.Groups = world.Security.Name, world.Security.Groups
		})
		w.Decides(world.Operations, 1, "operations", approve, func(d *v1alpha1.HardeningDecision) {
			d.Spec.By, d.Spec.Groups = world.Operations.Name, world.Operations.Groups
		})
		w.Settle()
		nothingThere(w)
		w.Says("the policies are back")
		w.Guards(true)
		w.Pass(20 * time.Minute)
		w.Counts(world.Security, 1, "No GuardsNotInPlace")
		nothingThere(w)
		w.Says("both decide again")
		w.Approve(1)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

func TestGuardsLostDuringPromotion(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("IT approves, and the admission policies are taken away before anything is in production")
		w.Approve(1)
		w.Until("promotion begins", func() bool { return w.There(w.Production()) })
		nothingThere(w)
		w.Guards(false)
		w.Settle()
		nothingThere(w)
		w.Says("nobody can say whether they were there when IT decided, also when they are back")
		w.Counts(world.Security, 1, "No GuardsNotInPlace")
		w.Guards(true)
		w.Settle()
		w.Counts(world.Security, 1, "No GuardsNotInPlace")
		nothingThere(w)
		w.Says("both decide again")
		w.Approve(1)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

// TestApprovedBeforeGuardsWent: nothing is promoted without guards, also where every approval is beyond doubt.
func TestApprovedBeforeGuardsWent(t *testing.T) {
	play(t, func(w *world.World) {
		w.Broken["crm"] = true
		applies(w, production)
		w.Settle()
		w.Approve(1)
		w.Settle()
		w.Begins("a review is approved and its integration is broken, as in integrationgate")
		w.Says("the admission policies are taken away, and IT mends the system")
		w.Guards(false)
		delete(w.Broken, "crm")
		w.AsksAgain(world.Lead)
		w.Settle()
		w.ReviewIs(1, v1alpha1.ConditionGatesPassed, "True AllGatesPassed")
		nothingThere(w)
		w.Says("the policies are back")
		w.Guards(true)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

func TestRolledBack(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		w.Images[world.Digest("b")] = world.Program{Fails: true}
		changes(w, "1.5")
		w.Settle()
		w.Says("IT approves the second, which fails in production")
		w.Approve(2)
		w.Settle()
		w.Ends(2, v1alpha1.OutcomeRolledBack)
		w.Expect(w.Serving("a") == 2 && w.Runs(w.Production()) == "a", "the first does not serve again")
		w.Waits("Business")
		changes(w, "1.6")
		w.Settle()
		w.Says("IT approves the third")
		w.Approve(3)
		w.Settle()
		inProduction(w, 3, "c")
	})
}

func TestFirstRevisionFails(t *testing.T) {
	play(t, func(w *world.World) {
		w.Images[world.Digest("a")] = world.Program{Fails: true}
		reviewed(w)
		w.Approve(1)
		w.Settle()
		w.Ends(1, v1alpha1.OutcomeRolledBack)
		nothingThere(w)
		w.Waits("Business")
		changes(w, "1.5")
		w.Settle()
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "b")
	})
}

func TestCrashesInTheSandbox(t *testing.T) {
	play(t, func(w *world.World) {
		w.Images[world.Digest("a")] = world.Program{Crashes: true}
		applies(w, production)
		w.Settle()
		w.Is(ready, "False CrashLooping")
		w.Waits("Business")
		changes(w, "1.5")
		w.Settle()
		w.Is(ready, "True InReview")
	})
}

func TestUnknownImage(t *testing.T) {
	play(t, func(w *world.World) {
		applies(w, sandbox)
		w.Settle()
		changes(w, "1.9")
		w.Settle()
		w.Is(ready, "False ImageNotFound")
		w.Waits("Business")
		w.Expect(w.Runs(w.Sandbox()) == "a", "what ran was stopped")
		w.Says("the team pushes the image that it had forgotten")
		w.Pushes("1.9", world.Digest("e"))
		w.Settle()
		w.Is(ready, "True RunningInSandbox")
		w.Expect(w.Runs(w.Sandbox()) == "e", "the sandbox runs %s", w.Runs(w.Sandbox()))
	})
}

func TestRetired(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		w.Says("the team deletes the prototype, which is refused while it serves")
		w.Expect(w.Deletes(world.Lead) != nil, "a prototype that serves was deleted")
		w.Says("the team retires it")
		w.Wants(world.Lead, retired)
		w.Settle()
		w.Is(ready, "True Retired")
		w.Expect(!w.There(w.Sandbox()) && !w.There(w.Production()), "something of it is left")
		w.ReviewIs(1, v1alpha1.ConditionPromoted, "False Retired")
		w.Ends(1, v1alpha1.OutcomePromoted)
		w.Says("and deletes it")
		w.Must(w.Deletes(world.Lead))
		w.Settle()
		w.Expect(w.Prototype() == nil, "it is still there")
	})
}

func TestRetiredDuringReview(t *testing.T) {
	play(t, func(w *world.World) {
		applies(w, production)
		w.Until("integrations are tried", func() bool { return w.There(w.Rehearsal()) })
		w.Says("the team retires it while the gates are measured")
		w.Wants(world.Lead, retired)
		w.Settle()
		w.Is(ready, "True Retired")
		w.Ends(1, v1alpha1.OutcomeWithdrawn)
		w.Expect(!w.There(w.Sandbox()) && !w.There(w.Production()) && !w.There(w.Rehearsal()), "something of it is left")
	})
}

func TestTeamNamespaceGone(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		name := w.Production()
		w.Says("somebody deletes the team's namespace")
		w.DropsNamespace(world.Team)
		w.Settle()
		w.Expect(!w.There(world.Team) && !w.There(w.Sandbox()), "the team's namespace hangs")
		w.Expect(w.Serving("a") == 2, "production stopped with the team's namespace")
		w.Expect(w.Namespace(name).Labels[v1alpha1.LabelOrphaned] == "true", "production is not marked as an orphan")
	})
}

func TestSuspended(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		suspend := func(on bool) {
			w.Edits(world.Lead, func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = on })
		}
		w.Says("the team suspends it; production goes on")
		suspend(true)
		w.Settle()
		w.Is(ready, "True Suspended")
		w.Expect(w.Runs(w.Sandbox()) == "" && w.Serving("a") == 2, "sandbox %q, production %d", w.Runs(w.Sandbox()), w.Serving("a"))
		w.Says("and resumes")
		suspend(false)
		w.Settle()
		w.Is(ready, "True InProduction")
		w.Expect(w.Runs(w.Sandbox()) == "a", "the sandbox does not run")
		changes(w, "1.5")
		w.Until("a second review measures", func() bool { return w.Review(2) != nil && len(w.Review(2).Status.Gates) > 0 })
		w.Says("the team suspends it during a review")
		suspend(true)
		w.Settle()
		w.Is(ready, "True Suspended")
		suspend(false)
		w.Settle()
		w.Says("and resumes again")
		w.AsksAgain(world.Lead)
		w.Settle()
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "b")
	})
}

func TestViewDestroyed(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Decides(world.Security, 1, "security", approve)
		w.Settle()
		w.Says("somebody deletes the review")
		w.Destroys(w.Review(1))
		w.Settle()
		w.Says("its view is there again, and what was decided on the old one does not count")
		w.Waits("IT/security, IT/operations")
		w.Approve(1)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

func TestDrift(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		w.Says("somebody tampers with production and the sandbox")
		w.Tampers(w.Production())
		w.Tampers(w.Sandbox())
		w.Settle()
		w.Expect(w.Closed(w.Production()) && w.Closed(w.Sandbox()), "what closes a namespace is not put back")
		inProduction(w, 1, "a")
	})
}
