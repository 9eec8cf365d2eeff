//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// A suspended sandbox runs nothing, and what guards it comes back all the same. Its end comes while it is suspended; a
// longer life and a resumption make it again. Not beside the test that kills the operator, for drift is told once.
func TestALifeToItsEnd(t *testing.T) {
	g := newGround(t)
	p := g.created(t, g.newPrototype(g.team(t, "e2e"), "ephemeral"))
	g.comes(t, p, ready)
	sandbox := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.Status.Sandbox.Namespace}}

	g.edit(t, p, `{"spec":{"suspend":true}}`)
	g.comes(t, p, because(v1alpha1.ReasonSuspended))
	if err := await.Until(bounded(t), func() error { return g.empty(t, sandbox.Name) }); err != nil {
		t.Fatal(err)
	}
	other := g.meddling(t)
	deny := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox.Name, Name: "deny-all"}}
	g.comesBack(t, other, "NetworkPolicy", deny, "deleted", func(o client.Object) error { return other.Delete(t.Context(), o) })
	g.toldOnce(t, p, "NetworkPolicy deny-all was deleted")
	g.comes(t, p, because(v1alpha1.ReasonSuspended))
	if err := g.empty(t, sandbox.Name); err != nil {
		t.Error(err)
	}

	g.edit(t, p, `{"spec":{"sandbox":{"lifetime":"1s"}}}`)
	g.comes(t, p, because(v1alpha1.ReasonExpired))
	if err := await.Gone(bounded(t), g, sandbox); err != nil {
		t.Fatal(err)
	}
	g.told(t, p, v1alpha1.ReasonExpired)

	g.edit(t, p, `{"spec":{"suspend":false,"sandbox":{"lifetime":"24h"}}}`)
	g.comes(t, p, ready)
	if err := g.Get(t.Context(), client.ObjectKeyFromObject(sandbox), sandbox); err != nil || !sandbox.DeletionTimestamp.IsZero() {
		t.Errorf("the sandbox was not made again: %v", err)
	}
	if g.empty(t, sandbox.Name) == nil {
		t.Error("it says that it runs, and nothing does")
	}
}

func (g *ground) edit(t *testing.T, p *v1alpha1.AIPrototype, patch string) {
	t.Helper()
	if err := g.Patch(t.Context(), p, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

func ready(p *v1alpha1.AIPrototype) bool {
	return apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionSandboxReady)
}

// because tells whether a prototype says a reason of being as it is.
func because(reason string) func(*v1alpha1.AIPrototype) bool {
	return func(p *v1alpha1.AIPrototype) bool {
		c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
		return c != nil && c.Reason == reason
	}
}

// empty wants no pod of a workload in a sandbox.
func (g *ground) empty(t *testing.T, namespace string) error {
	var pods corev1.PodList
	err := g.List(t.Context(), &pods, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype})
	if err == nil && len(pods.Items) > 0 {
		err = fmt.Errorf("%d pods of the workload are in %s", len(pods.Items), namespace)
	}
	return err
}
