package sample

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
)

// Resource reads one object past every cache and asks what the conditions say about it. That there is none, or that it
// may not be read, is a result; the error is one of the API server's that goes away.
func Resource(ctx context.Context, live client.Reader, mapper meta.RESTMapper, order evidence.ResourceOrder, prototype condition.Prototype) (*evidence.ResourceResult, error) {
	if err := order.Validate(); err != nil {
		return nil, err
	}
	version, err := schema.ParseGroupVersion(order.APIVersion)
	if err != nil {
		return nil, err
	}
	switch theirs, err := ofTeam(ctx, live, order.Namespace); {
	case err != nil:
		return nil, err
	case theirs:
		return &evidence.ResourceResult{Found: evidence.FoundTeams}, nil
	}
	kind := version.WithKind(order.ObjectKind)
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err = live.Get(ctx, client.ObjectKey{Namespace: order.Namespace, Name: order.Name}, object)
	switch {
	case meta.IsNoMatchError(err):
		return &evidence.ResourceResult{Found: evidence.FoundNoKind}, nil
	case apierrors.IsNotFound(err):
		return &evidence.ResourceResult{Found: evidence.FoundNothing}, nil
	case apierrors.IsForbidden(err):
		return &evidence.ResourceResult{Found: evidence.FoundForbidden, Rule: rule(mapper, kind)}, nil
	case err != nil:
		return nil, err
	}
	return asked(ctx, order, object, condition.About{Prototype: prototype, Object: object.Object})
}

// ofTeam tells whether a namespace is some team's: it says so, or a policy governs prototypes in it.
func ofTeam(ctx context.Context, live client.Reader, name string) (bool, error) {
	if name == "" {
		return false, nil
	}
	var namespace corev1.Namespace
	if err := live.Get(ctx, client.ObjectKey{Name: name}, &namespace); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	var policies v1alpha1.HardeningPolicyList
	if err := live.List(ctx, &policies); err != nil {
		return false, err
	}
	return namespace.Labels[v1alpha1.LabelTeam] != "" || slices.ContainsFunc(policies.Items, func(p v1alpha1.HardeningPolicy) bool {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.AppliesTo.NamespaceSelector)
		return err == nil && !selector.Empty() && selector.Matches(labels.Set(namespace.Labels))
	}), nil
}

func asked(ctx context.Context, order evidence.ResourceOrder, object *unstructured.Unstructured, about condition.About) (*evidence.ResourceResult, error) {
	if object.GetUID() == "" {
		return nil, errors.New("the API server gave an object without a UID")
	}
	out := &evidence.ResourceResult{Found: evidence.FoundObject, UID: string(object.GetUID()), ResourceVersion: object.GetResourceVersion()}
	made, err := condition.Compile(order.TimeFrom, condition.OfObject, condition.Time)
	if err != nil {
		return nil, fmt.Errorf("timeFrom: %w", err)
	}
	at, err := made.Time(ctx, about)
	switch {
	case err != nil:
		out.MadeWhy = why(err)
	case at.IsZero():
		out.MadeWhy = "it is the zero time"
	default:
		out.MadeAt = &at
	}
	out.Answers, err = answers(ctx, order.Conditions, condition.OfObject, about)
	return out, err
}

// rule is what a role has to hold for the operator to read objects of this kind, as it is written in YAML.
func rule(mapper meta.RESTMapper, kind schema.GroupVersionKind) string {
	resource := "RESOURCE"
	if mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version); err == nil {
		resource = mapping.Resource.Resource
	}
	return fmt.Sprintf("{apiGroups: [%q], resources: [%s], verbs: [get]}", kind.Group, resource)
}
