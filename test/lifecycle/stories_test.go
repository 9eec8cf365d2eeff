package lifecycle

import (
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/world"
)

const (
	ready      = v1alpha1.ConditionReady
	isolated   = v1alpha1.ConditionNetworkIsolated
	production = v1alpha1.TargetProduction
	sandbox    = v1alpha1.TargetSandbox
	retired    = v1alpha1.TargetRetired
	approve    = v1alpha1.VerdictApprove
	reject     = v1alpha1.VerdictReject
	revoke     = v1alpha1.VerdictRevoke
)

// images under their tags: 1.4 is a, 1.5 is b, and so on.
func tags(w *world.World) {
	w.Pushes("1.4", world.Digest("a"))
	w.Pushes("1.5", world.Digest("b"))
	w.Pushes("1.6", world.Digest("c"))
}

// applies the prototype in its first version.
func applies(w *world.World, target v1alpha1.Target) {
	w.Helper()
	tags(w)
	w.Says("the team applies its prototype")
	w.Creates(world.Lead, world.NewPrototype(target, "1.4"))
}

// reviewed is a prototype whose review waits for decisions.
func reviewed(w *world.World) {
	w.Helper()
	applies(w, production)
	w.Settle()
	w.ReviewIs(1, v1alpha1.ConditionGatesPassed, "True AllGatesPassed")
	w.Waits("IT/security, IT/operations")
	w.Begins("a review waits for decisions, as in happypath")
}

// serves is a prototype whose first version serves in production.
func serves(w *world.World) {
	w.Helper()
	reviewed(w)
	w.Says("IT approves")
	w.Approve(1)
	w.Settle()
	inProduction(w, 1, "a")
	w.Begins("the first version serves in production, as in happypath")
}

// inProduction ends the story where something else serves.
func inProduction(w *world.World, ordinal int, image string) {
	w.Helper()
	w.Ends(ordinal, v1alpha1.OutcomePromoted)
	w.ReviewIs(ordinal, v1alpha1.ConditionPromoted, "True Promoted")
	w.Expect(w.Runs(w.Production()) == image && w.Serving(image) == 2, "production runs %q with %d pods, want %q",
		w.Runs(w.Production()), w.Serving(image), image)
	w.Is(v1alpha1.ConditionInProduction, "True InProduction")
	w.Waits("")
}

// changes the image of the prototype.
func changes(w *world.World, tag string) {
	w.Helper()
	w.Says("the team changes its program to " + tag)
	w.Edits(world.Lead, func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Image = world.Repository + ":" + tag })
}

// nothingThere ends the story where anything of it is in production.
func nothingThere(w *world.World) {
	w.Helper()
	w.Expect(w.Runs(w.Production()) == "", "%s runs in production", w.Runs(w.Production()))
}

func TestHappyPath(t *testing.T) {
	play(t, func(w *world.World) {
		applies(w, sandbox)
		w.Settle()
		w.Is(ready, "True RunningInSandbox")
		w.Says("the team asks for production")
		w.Wants(world.Lead, production)
		w.Settle()
		w.Is(ready, "True InReview")
		w.Says("IT approves")
		w.Approve(1)
		w.Settle()
		inProduction(w, 1, "a")
		w.Is(ready, "True InProduction")
	})
}

func TestTwoRevisions(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		changes(w, "1.5")
		w.Settle()
		w.Expect(w.Runs(w.Production()) == "a", "a new review touched what serves")
		w.Is(ready, "True InReview")
		w.Says("IT approves the second")
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "b")
		w.ReviewIs(1, v1alpha1.ConditionPromoted, "False Superseded")
		w.Ends(1, v1alpha1.OutcomePromoted)
	})
}

func TestBackToWhatWasBefore(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		changes(w, "1.5")
		w.Settle()
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "b")
		changes(w, "1.4")
		w.Settle()
		w.Says("the first version takes its way again")
		w.Expect(w.Runs(w.Production()) == "b", "an old approval let something in")
		w.Approve(3)
		w.Settle()
		inProduction(w, 3, "a")
	})
}

func TestIsolationNotEnforced(t *testing.T) {
	play(t, func(w *world.World) {
		w.Network = false
		applies(w, production)
		w.Until("isolation is measured", func() bool { return w.Condition(isolated) == "False NetworkPolicyNotEnforced" })
		w.Is(ready, "False NetworkPolicyNotEnforced")
		w.Waits("IT")
		w.Expect(w.Runs(w.Sandbox()) == "", "the workload runs in a sandbox that is none")
		w.Says("the platform team installs an engine")
		w.Network = true
		w.Settle()
		w.Is(isolated, "True Enforced")
		w.Is(ready, "True InReview")
		w.Says("the engine goes, and somebody asks for another look")
		w.Network = false
		w.AsksAgain(world.Lead)
		w.Until("the loss is measured", func() bool { return w.Condition(isolated) == "False NetworkPolicyNotEnforced" })
		w.Pass(10 * time.Minute)
		w.Is(ready, "False NetworkPolicyNotEnforced")
		w.Expect(w.Runs(w.Sandbox()) == "", "the workload still runs")
		w.Network = true
		w.Settle()
		w.Is(ready, "True InReview")
	})
}

func TestSecurityGate(t *testing.T) {
	play(t, func(w *world.World) {
		tags(w)
		prototype := world.NewPrototype(production, "1.4")
		prototype.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "CRM_PASSWORD", Value: "correct-horse-battery"}}
		w.Says("the team applies a prototype with a password in its environment")
		w.Creates(world.Lead, prototype)
		w.Settle()
		w.Expect(w.Gate(1, "security") == "Failed HolesFound", "security says %s", w.Gate(1, "security"))
		w.Waits("Business")
		w.Says("IT approves all the same")
		w.Approve(1)
		w.Settle()
		nothingThere(w)
		w.Says("the team takes the password out")
		w.Edits(world.Lead, func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Env = nil })
		w.Settle()
		w.Ends(1, v1alpha1.OutcomeSuperseded)
		w.Waits("IT/security, IT/operations")
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "a")
	})
}

func TestScalabilityGate(t *testing.T) {
	play(t, func(w *world.World) {
		w.Images[world.Digest("a")] = world.Program{Slow: true}
		applies(w, production)
		w.Settle()
		w.Expect(w.Gate(1, "scalability") == "Failed TooSlow", "scalability says %s", w.Gate(1, "scalability"))
		w.Waits("Business")
		w.Approve(1)
		w.Settle()
		nothingThere(w)
		changes(w, "1.5")
		w.Settle()
		w.Ends(1, v1alpha1.OutcomeSuperseded)
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "b")
	})
}

func TestIntegrationGate(t *testing.T) {
	play(t, func(w *world.World) {
		w.Broken["crm"] = true
		applies(w, production)
		w.Settle()
		w.Expect(w.Gate(1, "integration") == "Failed IntegrationBroken", "integration says %s", w.Gate(1, "integration"))
		w.Expect(w.Handed(), "the run was never given the credential of production")
		w.Waits("IT")
		w.Approve(1)
		w.Settle()
		nothingThere(w)
		w.Says("IT mends the system, and the team asks for another look")
		delete(w.Broken, "crm")
		w.AsksAgain(world.Lead)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

func TestApprovalsThatDoNotCount(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("those decide who may not")
		w.Decides(world.Lead, 1, "security", approve)
		w.Decides(world.Colleague, 1, "security", approve)
		w.Decides(world.Colleague, 1, "operations", approve)
		w.Decides(world.Outsider, 1, "operations", approve)
		w.Decides(world.Security, 1, "security", approve, func(d *v1alpha1.HardeningDecision) { d.Spec.ReviewDigest = world.Digest("f") })
		w.Decides(world.Operations, 1, "operations", approve, func(d *v1alpha1.HardeningDecision) { d.Spec.Review.UID = "another" })
		w.Settle()
		w.Counts(world.Lead, 1, "No AuthorOfTheRevision")
		w.Counts(world.Colleague, 1, "No MemberOfTheOwningTeam, No MemberOfTheOwningTeam")
		w.Counts(world.Outsider, 1, "No NotInTheRole")
		w.Counts(world.Security, 1, "No AnotherSubject")
		w.Counts(world.Operations, 1, "No AnotherReview")
		w.Says("one person decides in both roles")
		w.Decides(world.Both, 1, "security", approve)
		w.Decides(world.Both, 1, "operations", approve)
		w.Settle()
		w.Counts(world.Both, 1, "Yes, No SecondRoleOfOnePerson")
		w.Waits("IT/operations")
		nothingThere(w)
		w.Says("somebody thinks better of it, and then again")
		w.Decides(world.Both, 1, "security", revoke)
		w.Decides(world.Operations, 1, "operations", approve)
		w.Settle()
		w.Waits("IT/security")
		nothingThere(w)
		w.Decides(world.Deputy, 1, "security", approve)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

func TestRejected(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("security rejects, and others approve")
		w.Decides(world.Security, 1, "security", reject)
		w.Decides(world.Deputy, 1, "security", approve)
		w.Decides(world.Operations, 1, "operations", approve)
		w.Settle()
		w.Ends(1, v1alpha1.OutcomeRejected)
		w.ReviewIs(1, ready, "False Rejected")
		w.Waits("Business")
		nothingThere(w)
		w.Says("the team asks again")
		w.AsksAgain(world.Lead)
		w.Settle()
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "a")
	})
}

func TestWithdrawn(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Decides(world.Security, 1, "security", approve)
		w.Settle()
		w.Says("the team no longer wants production")
		w.Wants(world.Lead, sandbox)
		w.Settle()
		w.Ends(1, v1alpha1.OutcomeWithdrawn)
		w.Is(ready, "True RunningInSandbox")
		w.Says("and then wants it again")
		w.Wants(world.Lead, production)
		w.Settle()
		w.Waits("IT/security, IT/operations")
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "a")
	})
}

func TestSupersededDuringApproval(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("security approves, and the team changes the program meanwhile")
		w.Decides(world.Security, 1, "security", approve)
		changes(w, "1.5")
		w.Until("the new program runs", func() bool { return w.Runs(w.Sandbox()) == "b" })
		w.Says("operations approves what it had looked at")
		w.Decides(world.Operations, 1, "operations", approve)
		w.Settle()
		w.Expect(w.Runs(w.Production()) != "b", "what nobody approved is in production")
		w.Says("both look at the second")
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "b")
	})
}
