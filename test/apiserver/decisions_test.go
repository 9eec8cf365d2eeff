package apiserver

import (
	"context"
	"slices"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

func decide(name string, edit func(*v1alpha1.HardeningDecision)) func(context.Context, client.Client) error {
	return create(func() client.Object {
		d := decision(name)
		edit(d)
		return d
	})
}

// Threats 1, 2, 3 and 23.
func TestForgedDecisionsAreRefused(t *testing.T) {
	const policy = "affineur-decisions"
	tryAll(t, []attack{
		{"without authority", policy, "you may not decide as security in namespace membership", as(mallory, everything), decide("forged", func(*v1alpha1.HardeningDecision) {})},
		{"in another role", policy, "you may not decide as operations", as(sam, itSecurity), decide("forged", func(d *v1alpha1.HardeningDecision) { d.Spec.Role = "operations" })},
		{"by the team", policy, "you may not decide as security", as(ann, everything, teamMembership), decide("forged", func(*v1alpha1.HardeningDecision) {})},
		// With every authority there is: it takes a person.
		{"by a service account", policy, "made by a person", as("system:serviceaccount:ci:pipeline", administrators), decide("forged", func(*v1alpha1.HardeningDecision) {})},
		{"by the cluster's components", policy, "made by a person", as("system:kube-controller-manager", administrators), decide("forged", func(*v1alpha1.HardeningDecision) {})},
		{"with a finalizer", policy, "no finalizers and no owner", as(sam, itSecurity), decide("forged", func(d *v1alpha1.HardeningDecision) { d.Finalizers = []string{"example.org/hold"} })},
		{"with an owner of the team's", policy, "no finalizers and no owner", as(sam, itSecurity), decide("forged", func(d *v1alpha1.HardeningDecision) {
			d.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "y"}}
		})},
		{"with another review as its owner", policy, "no finalizers and no owner", as(sam, itSecurity), decide("forged", func(d *v1alpha1.HardeningDecision) {
			d.OwnerReferences = []metav1.OwnerReference{{APIVersion: "affineur.dev/v1alpha1", Kind: "HardeningReview", Name: "other", UID: "y"}}
		})},
		{"with an earlier review of the name as its owner", policy, "no finalizers and no owner", as(sam, itSecurity), decide("forged", func(d *v1alpha1.HardeningDecision) {
			d.OwnerReferences = []metav1.OwnerReference{{APIVersion: "affineur.dev/v1alpha1", Kind: "HardeningReview", Name: d.Spec.Review.Name, UID: "y"}}
		})},
	})
}

// Threat 1: the person and the groups are the request's, the time is the server's, whatever the client writes.
func TestDecisionIsStamped(t *testing.T) {
	made := decision("stamped")
	made.Spec.By, made.Spec.Groups = bob, []string{"directors"}
	made.CreationTimestamp = metav1.Time{Time: time.Now().Add(-24 * time.Hour)}
	must(t, as(sam, itSecurity, "more").Create(t.Context(), made))
	if made.Spec.By != sam {
		t.Errorf("by %s", made.Spec.By)
	}
	if want := []string{"system:authenticated", itSecurity, "more"}; !sameSet(made.Spec.Groups, want) {
		t.Errorf("groups %v, want %v", made.Spec.Groups, want)
	}
	if age := time.Since(made.CreationTimestamp.Time); age > time.Minute {
		t.Errorf("the client chose the time: %s ago", age)
	}
}

// By server-side apply as by create: kubectl and pipelines use either.
func TestDecisionIsStampedWhenApplied(t *testing.T) {
	made := decision("applied")
	made.Spec.By = bob
	made.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HardeningDecision"}
	must(t, as(sam, itSecurity, everything).Patch(t.Context(), made, client.Apply, client.FieldOwner("test"))) //nolint:staticcheck // the plainest way to apply a typed object
	if made.Spec.By != sam {
		t.Errorf("by %s", made.Spec.By)
	}
}

// The right to approve can be given for one namespace.
func TestDecisionInOneNamespaceOnly(t *testing.T) {
	must(t, admin.Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "approve-privacy"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"affineur.dev"}, Resources: []string{v1alpha1.RoleResource}, ResourceNames: []string{"privacy"}, Verbs: []string{"approve"}}}}))
	must(t, admin.Create(t.Context(), granted("approve-privacy", team, "privacy-officers")))
	dora := as("dora@example.org", "privacy-officers", everything)
	soon(t, func() error {
		return decide("privacy", func(d *v1alpha1.HardeningDecision) { d.Spec.Role = "privacy" })(t.Context(), dora)
	})
	elsewhere := attack{"elsewhere", "affineur-decisions", "you may not decide as privacy in namespace default", dora, decide("privacy", func(d *v1alpha1.HardeningDecision) {
		d.Spec.Role, d.Namespace = "privacy", "default"
	})}
	must(t, elsewhere.refused(t.Context(), wet))
}

// Threat 6: a decision is made once.
func TestDecisionsNeverChange(t *testing.T) {
	const policy = "affineur-decisions"
	made := decision("lasting")
	made.OwnerReferences = []metav1.OwnerReference{{APIVersion: "affineur.dev/v1alpha1", Kind: "HardeningReview", Name: made.Spec.Review.Name, UID: "5f0c7f1e-0000-4000-8000-000000000000"}}
	must(t, as(sam, itSecurity).Create(t.Context(), made))
	patch := func(body string) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, decision("lasting"), client.RawPatch("application/merge-patch+json", []byte(body)))
		}
	}
	gone := func(ctx context.Context, c client.Client) error { return c.Delete(ctx, decision("lasting")) }
	// The decider, and an administrator with every right.
	for _, who := range []client.Client{as(sam, itSecurity, everything), as("root", administrators)} {
		tryAll(t, []attack{
			{"a label", policy, "a decision never changes", who, patch(`{"metadata":{"labels":{"a":"b"}}}`)},
			{"an annotation", policy, "a decision never changes", who, patch(`{"metadata":{"annotations":{"a":"b"}}}`)},
			{"a finalizer", policy, "a decision never changes", who, patch(`{"metadata":{"finalizers":["example.org/hold"]}}`)},
			{"another owner", policy, "a decision never changes", who, patch(`{"metadata":{"ownerReferences":[]}}`)},
			{"deleting it", policy, "a decision stays", who, gone},
		})
		// The schema itself keeps the spec, policy or not.
		if err := patch(`{"spec":{"verdict":"Reject","reject":{"approveWhen":"never"}}}`)(t.Context(), who); err == nil {
			t.Error("the verdict was changed")
		}
	}
	for _, cleaner := range []string{collector, namespacer} {
		must(t, gone(t.Context(), dry(as(cleaner))))
	}
	must(t, patch(`{"metadata":{"finalizers":["foregroundDeletion"]}}`)(t.Context(), dry(as(collector))))
	must(t, as(namespacer).DeleteAllOf(t.Context(), decision(""), client.InNamespace(team)))
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
