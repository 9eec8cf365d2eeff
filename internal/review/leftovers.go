package review

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
)

// remains are the rehearsal namespace and what no run of this review needs any more.
func (o observer) remains(ctx context.Context, s *Snapshot, identity names.Identity) error {
	var namespace corev1.Namespace
	err := o.Reader.Get(ctx, client.ObjectKey{Name: identity.Rehearsal()}, &namespace)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	s.Rehearsal = PlaceAbsent
	if err == nil {
		s.Rehearsal, s.Furnished = placeOf(&namespace, identity, ordinal(s.Review)), furnishedFor(&namespace)
	}
	left, err := o.leftovers(ctx, identity.Namespace, func(owner names.Identity, n int) bool {
		return owner.UID == identity.UID && n == ordinal(s.Review)
	})
	for _, object := range left {
		if !s.needs(object) {
			s.Leftovers = append(s.Leftovers, object)
		}
	}
	return err
}

// orphans are what a review that is gone left behind, whichever prototype of its name it was about.
func (o observer) orphans(ctx context.Context, review types.NamespacedName) ([]client.Object, *corev1.Namespace, error) {
	left, err := o.leftovers(ctx, review.Namespace, func(owner names.Identity, n int) bool { return owner.Review(n) == review.Name })
	if err != nil {
		return nil, nil, err
	}
	var namespaces corev1.NamespaceList
	err = o.Reader.List(ctx, &namespaces, client.MatchingLabels{
		v1alpha1.LabelPurpose: v1alpha1.PurposeRehearsal, v1alpha1.LabelPrototypeNamespace: review.Namespace,
	})
	for i := range namespaces.Items {
		if name, ok := reviewNamed(&namespaces.Items[i]); ok && name == review {
			return left, &namespaces.Items[i], err
		}
	}
	return left, nil, err
}

// leftovers are the Jobs and openings in the gates namespace that belong to a review.
func (o observer) leftovers(ctx context.Context, namespace string, of func(owner names.Identity, ordinal int) bool) ([]client.Object, error) {
	where := []client.ListOption{
		client.InNamespace(v1alpha1.GatesNamespace), client.MatchingLabels{v1alpha1.LabelPrototypeNamespace: namespace},
		client.HasLabels{v1alpha1.LabelReview},
	}
	var jobs batchv1.JobList
	var policies networkingv1.NetworkPolicyList
	if err := errors.Join(o.Reader.List(ctx, &jobs, where...), o.Reader.List(ctx, &policies, where...)); err != nil {
		return nil, fmt.Errorf("what is left in %s: %w", v1alpha1.GatesNamespace, err)
	}
	var out []client.Object
	add := func(object client.Object) {
		owner, managed := names.FromLabels(object.GetLabels())
		n, err := strconv.Atoi(object.GetLabels()[v1alpha1.LabelReview])
		// What serves is asked again on behalf of production, long after the review.
		again := object.GetLabels()[v1alpha1.LabelComponent] == workload.ComponentAgain
		if managed && err == nil && !again && of(owner, n) && object.GetDeletionTimestamp().IsZero() {
			out = append(out, object)
		}
	}
	for i := range jobs.Items {
		add(&jobs.Items[i])
	}
	for i := range policies.Items {
		add(&policies.Items[i])
	}
	return out, nil
}
