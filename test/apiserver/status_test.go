package apiserver

import (
	"context"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Threats 7 and 8: nobody but the operator reports, with whatever rights.
func TestNobodyReportsByHand(t *testing.T) {
	const policy, says = "affineur-reviews-and-status", "only the operator writes reviews and status"
	op := as(operator)
	must(t, as(ann, teamMembership).Create(t.Context(), prototype("reported")))
	must(t, op.Create(t.Context(), review("reported-1")))
	must(t, admin.Create(t.Context(), policyOf("reported")))

	status := func(object client.Object) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(`{"status":{"observedGeneration":7}}`)))
		}
	}
	label := func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, review("reported-1"), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`)))
	}
	gone := func(ctx context.Context, c client.Client) error { return c.Delete(ctx, review("reported-1")) }
	for _, who := range []client.Client{as(mallory, everything), as("root", administrators)} {
		tryAll(t, []attack{
			{"a prototype's status", policy, says, who, status(prototype("reported"))},
			{"a review's status", policy, says, who, status(review("reported-1"))},
			{"a policy's status", policy, says, who, status(&v1alpha1.HardeningPolicy{ObjectMeta: policyOf("reported").ObjectMeta})},
			{"a review", policy, says, who, create(func() client.Object { return review("forged") })},
			{"a review's label", policy, says, who, label},
			{"deleting a review", policy, says, who, gone},
		})
	}
	must(t, attack{"a cleaner's review", policy, says, as(collector), func(ctx context.Context, c client.Client) error { return c.Create(ctx, review("forged")) }}.refused(t.Context(), wet))

	for _, object := range []client.Object{prototype("reported"), review("reported-1"), policyOf("reported")} {
		must(t, status(object)(t.Context(), op))
	}
	must(t, gone(t.Context(), dry(as(collector))))
	must(t, gone(t.Context(), dry(as(namespacer))))
	must(t, gone(t.Context(), as(operator, administrators)))
}

// What is written of the spec together with a status is dropped by the server.
func TestStatusCarriesNoSpec(t *testing.T) {
	must(t, as(ann, teamMembership).Create(t.Context(), prototype("quiet")))
	p := prototype("quiet")
	must(t, as(operator).Get(t.Context(), client.ObjectKeyFromObject(p), p))
	p.Spec.Contact = "operator@example.org"
	must(t, as(operator).Status().Update(t.Context(), p))
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(p), p))
	if p.Spec.Contact != "" {
		t.Error("a status write changed the spec")
	}
}
