package lifecycle

import (
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/world"
)

// withoutIntegration takes the integration out of the catalogue that the prototype names; the returned function puts
// it back.
func withoutIntegration(w *world.World) func() {
	var kept []v1alpha1.Integration
	w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) {
		kept, p.Spec.Catalogue.Integrations = p.Spec.Catalogue.Integrations, nil
	})
	return func() { w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) { p.Spec.Catalogue.Integrations = kept }) }
}

// TestSecretsComeBack: a managed namespace that is made again shortly after it went has its Secrets again, or no pod
// would start in it.
func TestSecretsComeBack(t *testing.T) {
	play(t, func(w *world.World) {
		applies(w, sandbox)
		w.Until("the control runs", func() bool { return w.Measures(v1alpha1.GatesNamespace, run(w, "control")) })
		w.Says("IT takes the integration out of the catalogue before anything runs")
		back := withoutIntegration(w)
		w.Until("the sandbox is gone", func() bool { return !w.There(w.Sandbox()) })
		w.Says("and puts it back")
		back()
		w.Settle()
		w.Is(ready, "True RunningInSandbox")
		w.Wants(world.Lead, production)
		w.Settle()
		w.Waits("IT/security, IT/operations")
		changes(w, "1.5")
		w.Settle()
		w.Says("the integrations of the second are tried in a namespace that is made again")
		w.ReviewIs(2, v1alpha1.ConditionGatesPassed, "True AllGatesPassed")
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "b")
	})
}

// TestPolicyTakesReachBack: what the policy no longer lets a prototype reach is closed to it at once, and opened again
// only to what was measured anew.
func TestPolicyTakesReachBack(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		w.Says("IT takes the integration out of the catalogue")
		back := withoutIntegration(w)
		w.Settle()
		w.Is(ready, "False UnknownName")
		w.Waits("IT")
		w.Expect(w.Runs(w.Sandbox()) == "" && w.Serving("a") == 2, "sandbox %q, production %d", w.Runs(w.Sandbox()), w.Serving("a"))
		w.Says("and puts it back")
		back()
		w.Settle()
		w.Is(ready, "True InProduction")
		w.Expect(w.Runs(w.Sandbox()) == "a", "the sandbox does not run")
		w.Says("IT no longer lets its data go there")
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) { p.Spec.DataRules[0].Class = v1alpha1.DataConfidential })
		w.Settle()
		w.Is(ready, "False DataNotAllowed")
		w.Expect(w.Runs(w.Sandbox()) == "" && w.Serving("a") == 2, "sandbox %q, production %d", w.Runs(w.Sandbox()), w.Serving("a"))
	})
}

// TestPolicyAndProgramChange: a program starts only under a network that was measured, also where both change at once.
func TestPolicyAndProgramChange(t *testing.T) {
	play(t, func(w *world.World) {
		applies(w, sandbox)
		w.Settle()
		w.Is(ready, "True RunningInSandbox")
		w.Says("IT moves the test system, and the team changes its program meanwhile")
		movesTestSystem(w)
		changes(w, "1.5")
		w.Settle()
		w.Is(isolated, "True Enforced")
		w.Is(ready, "True RunningInSandbox")
		w.Expect(w.Runs(w.Sandbox()) == "b", "the sandbox runs %s", w.Runs(w.Sandbox()))
	})
}

func movesTestSystem(w *world.World) {
	w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) {
		p.Spec.Catalogue.Integrations[0].Sandbox.To.Pods.PodLabels = map[string]string{"app": "crm-other"}
	})
}

// TestIsolationOfAnotherNetwork: what is measured under other network policies than those of the review is no proof for
// it; the one that it had grows old.
func TestIsolationOfAnotherNetwork(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("IT moves the test system, and decides the day after")
		movesTestSystem(w)
		w.Pass(25 * time.Hour)
		w.Is(isolated, "True Enforced")
		w.Approve(1)
		w.Settle()
		nothingThere(w)
		w.Expect(w.Gate(1, "security") == "Inconclusive EvidenceStale", "security says %s", w.Gate(1, "security"))
		w.Says("the team asks for a review under the policy as it is")
		w.AsksAgain(world.Lead)
		w.Settle()
		w.Approve(2)
		w.Settle()
		inProduction(w, 2, "a")
	})
}

// TestRecordsAreFull: a sandbox that is none is stopped, also where nothing can be kept of what was measured.
func TestRecordsAreFull(t *testing.T) {
	play(t, func(w *world.World) {
		applies(w, sandbox)
		w.Settle()
		w.Is(ready, "True RunningInSandbox")
		w.Says("the records take nothing more, the engine goes, and somebody asks for another look")
		w.Full[v1alpha1.RecordsNamespace], w.Network = true, false
		w.AsksAgain(world.Lead)
		w.Until("the workload stops", func() bool { return w.Runs(w.Sandbox()) == "" })
		w.Pass(10 * time.Minute)
		w.Is(ready, "False NetworkPolicyNotEnforced")
		w.Expect(w.Runs(w.Sandbox()) == "", "the workload runs again")
		w.Says("there is an engine again, and room")
		w.Full[v1alpha1.RecordsNamespace], w.Network = false, true
		w.Settle()
		w.Is(ready, "True RunningInSandbox")
		w.Expect(w.Runs(w.Sandbox()) == "a", "the sandbox does not run")
	})
}
