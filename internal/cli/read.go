package cli

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

func (s Session) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: s.Namespace, Name: name}
}

func (s Session) prototype(ctx context.Context, name string) (*v1alpha1.AIPrototype, error) {
	prototype := &v1alpha1.AIPrototype{}
	err := s.Client.Get(ctx, s.key(name), prototype)
	if absent(err) {
		return nil, missing(fmt.Sprintf("there is no prototype %s in namespace %s; to see which there are: %s",
			name, s.Namespace, describe.Command(s.Namespace, "status")))
	}
	return prototype, err
}

func (s Session) review(ctx context.Context, name string) (*v1alpha1.HardeningReview, error) {
	review := &v1alpha1.HardeningReview{}
	err := s.Client.Get(ctx, s.key(name), review)
	if absent(err) {
		return nil, missing(fmt.Sprintf("there is no review %s in namespace %s; to see which there are: kubectl get hardeningreviews -n %s",
			name, s.Namespace, s.Namespace))
	}
	return review, err
}

// view reads a prototype and its newest review. Who may not read reviews still gets the prototype.
func (s Session) view(ctx context.Context, name string) (describe.View, error) {
	prototype, err := s.prototype(ctx, name)
	if err != nil || prototype.Status.Review == nil {
		return describe.View{Prototype: prototype}, err
	}
	review := &v1alpha1.HardeningReview{}
	switch err := s.Client.Get(ctx, s.key(prototype.Status.Review.Name), review); {
	case apierrors.IsForbidden(err):
		return describe.View{Prototype: prototype, Hidden: true}, nil
	case absent(err):
		return describe.View{Prototype: prototype}, nil
	default:
		return describe.View{Prototype: prototype, Review: review}, err
	}
}

// reviewed is the review's prototype for showing beside it, or nil: a reviewer may have no right to read it, and it
// may be gone.
func (s Session) reviewed(ctx context.Context, review *v1alpha1.HardeningReview) *v1alpha1.AIPrototype {
	prototype, err := s.prototype(ctx, review.Spec.Prototype.Name)
	if err != nil {
		return nil
	}
	return prototype
}

// missing says that something is not there, and how to see what is.
type missing string

func (m missing) Error() string { return string(m) }

// absent tells a missing object from a cluster that does not have the resource.
func absent(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
