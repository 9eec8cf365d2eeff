//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/story/await"
)

func runs(image string) func(*v1alpha1.AIPrototype) {
	return func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Image = image }
}

// Each of these gets a condition and an event that name the blocker and who can remove it, leaves no half-made
// namespace, and causes no writing for ever.
func TestBadInput(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	for name, test := range map[string]struct {
		edit   func(*v1alpha1.AIPrototype)
		reason string
		// says is part of the message: what is in the way.
		says string
		// passing problems may go away by themselves, so that nobody has to act.
		passing bool
		// runs tells that a sandbox is there: the problem shows only when the program runs.
		runs bool
	}{
		"unknown-image":        {runs(g.image("membership/churn-advisor:no-such-tag")), v1alpha1.ReasonImageNotFound, "no-such-tag", false, false},
		"unreachable-registry": {runs("registry.invalid/advisor:1"), v1alpha1.ReasonRegistryUnreachable, "registry.invalid", true, false},
		"registry-not-named":   {runs("elsewhere.example.org/advisor:1"), v1alpha1.ReasonRegistryNotAllowed, "It names: " + g.registry, false, false},
		"missing-integration": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Integrations = []v1alpha1.IntegrationUse{{Name: "no-such-system"}}
		}, v1alpha1.ReasonUnknownName, "no-such-system", false, false},
		"missing-gateway": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Model = &v1alpha1.ModelUse{Gateway: "no-such-gateway", Name: "any", Version: "1"}
		}, v1alpha1.ReasonUnknownName, "no-such-gateway", false, false},
		"secret-not-granted": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Secrets = []v1alpha1.SecretMount{{Name: "not-granted", MountPath: "/etc/secret"}}
		}, v1alpha1.ReasonSecretNotGranted, "not-granted", false, false},
		"crashing-image": {runs(g.image("holey/crash:1")), v1alpha1.ReasonCrashLooping, "exit code 1", false, true},
		"rooted-image":   {runs(g.image("holey/rooted:1")), v1alpha1.ReasonCrashLooping, "exit code 1", false, true},
		"deaf-port": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Image = g.image("holey/deaf:1")
		}, v1alpha1.ReasonNotAnswering, "port 8080", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := g.created(t, g.newPrototype(g.team(t, "e2e"), name, test.edit))
			g.comes(t, p, func(p *v1alpha1.AIPrototype) bool {
				ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
				return ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason == test.reason
			})
			ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
			if !strings.Contains(ready.Message, test.says) {
				t.Errorf("the message %q does not name %q", ready.Message, test.says)
			}
			if stalled := apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionStalled); stalled == test.passing {
				t.Errorf("Stalled is %t: somebody has to act: %t", stalled, !test.passing)
			}
			if working := apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReconciling); working != test.passing {
				t.Errorf("Reconciling is %t, want %t", working, test.passing)
			}
			if len(p.Status.WaitingOn) == 0 && !test.passing {
				t.Error("nobody is named who can remove it")
			}
			g.told(t, p, test.reason)
			if !test.runs {
				g.absent(t, names.Of(p).Sandbox())
			}
			g.calm(t, p)
		})
	}
}

// A policy that does not compile says so, and so do the prototypes that it governs.
func TestPolicyThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	err := g.govern(t.Context(), "e2e-broken", func(spec map[string]any) {
		spec["tiers"].([]any)[0].(map[string]any)["when"] = "facts.users >"
	})
	if err != nil {
		t.Fatal(err)
	}
	policy := &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: "e2e-broken"}}
	t.Cleanup(func() { _ = g.Delete(context.Background(), policy) })
	err = await.Object(bounded(t), g, policy, func(p *v1alpha1.HardeningPolicy) (bool, error) {
		ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason == v1alpha1.ReasonExpressionInvalid &&
			strings.Contains(ready.Message, "spec.tiers[0].when") && apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionStalled), nil
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, policy.Status.Conditions)
	}
	g.told(t, policy, v1alpha1.ReasonExpressionInvalid)
	p := g.created(t, g.newPrototype(g.team(t, "e2e-broken"), "governed"))
	g.comes(t, p, func(p *v1alpha1.AIPrototype) bool {
		stalled := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionStalled)
		return stalled != nil && stalled.Reason == v1alpha1.ReasonPolicyNotReady && strings.Contains(stalled.Message, "e2e-broken")
	})
	g.told(t, p, v1alpha1.ReasonPolicyNotReady)
	g.absent(t, names.Of(p).Sandbox())
	g.calm(t, p)
	g.calm(t, policy)
}

// The longest name there is goes all the way: namespaces, runs, records and pods have names made from it.
func TestNameOf63Characters(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.created(t, g.newPrototype(g.team(t, "e2e"), strings.Repeat("long-name-", 6)+"end", wantsProduction))
	if len(p.Name) != 63 {
		t.Fatalf("the name has %d characters", len(p.Name))
	}
	g.comes(t, p, promoted)
	if p.Status.Review == nil || p.Status.Review.Name != p.Name+"-1" {
		t.Errorf("review %+v, want %s-1", p.Status.Review, p.Name)
	}
	g.told(t, p, v1alpha1.ReasonInProduction)
	g.calm(t, p)
}

func wantsProduction(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetProduction }

// promoted tells whether the present subject serves, and its review has ended.
func promoted(p *v1alpha1.AIPrototype) bool {
	return p.Status.Review != nil && p.Status.Review.Outcome == v1alpha1.OutcomePromoted && p.Status.Production != nil && p.Status.Production.SubjectDigest == p.Status.SubjectDigest &&
		apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionInProduction)
}
