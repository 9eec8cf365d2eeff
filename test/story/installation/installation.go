// Package installation installs Affineur from its manifest and waits until it works.
package installation

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/manifest"
)

// Operator is the name of the operator's Deployment and Lease.
const Operator = "affineur"

// Apply applies the manifest in the name of one owner, stage by stage, and returns how many objects it has. The
// client's scheme knows CustomResourceDefinitions.
func Apply(ctx context.Context, admin client.WithWatch, owner, file string) (int, error) {
	objects, err := manifest.Read(file)
	if err != nil {
		return 0, err
	}
	for _, group := range manifest.InStages(objects) {
		if err := manifest.Apply(ctx, admin, owner, group...); err != nil {
			return 0, err
		}
		if err := established(ctx, admin, group); err != nil {
			return 0, err
		}
	}
	return len(objects), nil
}

// established waits until the API server serves the kinds of a group.
func established(ctx context.Context, admin client.WithWatch, group []*unstructured.Unstructured) error {
	for _, object := range group {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: object.GetName()}}
		err := await.Object(ctx, admin, crd, func(c *apiextensionsv1.CustomResourceDefinition) (bool, error) {
			for _, condition := range c.Status.Conditions {
				if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
					return true, nil
				}
			}
			return false, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RolledOut waits until every replica of a Deployment runs its newest template, and returns how many there are.
func RolledOut(ctx context.Context, admin client.WithWatch, namespace, name string) (int32, error) {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	err := await.Object(ctx, admin, deployment, func(d *appsv1.Deployment) (bool, error) {
		want := ptr.Deref(d.Spec.Replicas, 1)
		now := d.Status
		return now.ObservedGeneration >= d.Generation && now.UpdatedReplicas == want && now.Replicas == want && now.AvailableReplicas == want, nil
	})
	if err != nil {
		return 0, fmt.Errorf("%w; it has %d of %d replicas", err, deployment.Status.AvailableReplicas, ptr.Deref(deployment.Spec.Replicas, 1))
	}
	return deployment.Status.AvailableReplicas, nil
}

// Led waits until a replica of the operator other than the given one holds the lease, and returns who it is.
func Led(ctx context.Context, admin client.WithWatch, other string) (string, error) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: Operator}}
	err := await.Object(ctx, admin, lease, func(l *coordinationv1.Lease) (bool, error) {
		holder := ptr.Deref(l.Spec.HolderIdentity, "")
		return holder != "" && holder != other, nil
	})
	return ptr.Deref(lease.Spec.HolderIdentity, ""), err
}
