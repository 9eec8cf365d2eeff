package lifecycle

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"

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
		w.Until("the control runs", func() bool { return w.Exists(&batchv1.Job{}, v1alpha1.GatesNamespace, run(w, "control")) })
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
