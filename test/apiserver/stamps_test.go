package apiserver

import (
	"context"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Where a stamp is gone, or somebody else's policy writes after it, what it would have written is demanded.
func TestWithoutStampsForgeriesAreStillRefused(t *testing.T) {
	anna, bobby, judge := as(ann, teamMembership), as(bob, teamMembership), as(sam, itSecurity)
	must(t, anna.Create(t.Context(), prototype("unstamped")))
	remove(t, &admissionv1.MutatingAdmissionPolicyBinding{}, "affineur-stamp-decisions")
	remove(t, &admissionv1.MutatingAdmissionPolicyBinding{}, "affineur-stamp-prototypes")
	honest := func(d *v1alpha1.HardeningDecision) {
		d.Spec.By, d.Spec.Groups = sam, []string{"system:authenticated", itSecurity}
	}
	annotated := func(annotations map[string]string) func(context.Context, client.Client) error {
		return create(func() client.Object {
			p := prototype("unstamped-too")
			p.Annotations = annotations
			return p
		})
	}
	must(t, until(t.Context(), func(ctx context.Context) error {
		return attack{"no author", "affineur-prototypes", "affineur.dev/authors is kept by the API server", anna, annotated(nil)}.refused(ctx, dry)
	}))
	const own, authors, requester = "a decision is made in one's own name", "affineur.dev/authors is kept by the API server", "affineur.dev/requested-by is kept by the API server"
	production := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"target":"Production"}}`))
	tryAll(t, []attack{
		{"a decision of nobody", "affineur-decisions", own, judge, decide("unstamped", func(*v1alpha1.HardeningDecision) {})},
		{"a decision of another", "affineur-decisions", own, judge, decide("unstamped", func(d *v1alpha1.HardeningDecision) { honest(d); d.Spec.By = bob })},
		{"groups of another", "affineur-decisions", own, judge, decide("unstamped", func(d *v1alpha1.HardeningDecision) { honest(d); d.Spec.Groups = append(d.Spec.Groups, "directors") })},
		{"another author", "affineur-prototypes", authors, anna, annotated(map[string]string{v1alpha1.AnnotationAuthors: bob})},
		{"another requester", "affineur-prototypes", requester, anna, annotated(map[string]string{v1alpha1.AnnotationAuthors: ann, v1alpha1.AnnotationRequestedBy: bob})},
		{"an author who leaves no trace", "affineur-prototypes", authors, bobby, merge("unstamped", `{"spec":{"contact":"b@example.org"}}`)},
		{"authors wiped", "affineur-prototypes", authors, bobby, merge("unstamped", `{"metadata":{"annotations":null}}`)},
		{"production that nobody asked for", "affineur-prototypes", requester, anna, func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, prototype("unstamped"), production)
		}},
	})
	// Whoever writes the truth passes.
	must(t, decide("unstamped", honest)(t.Context(), dry(judge)))
	must(t, annotated(map[string]string{v1alpha1.AnnotationAuthors: ann})(t.Context(), dry(anna)))
}
