package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/manifest"
)

// operatorName is the operator's Deployment and Lease.
const operatorName = "affineur"

// install applies dist/install.yaml, and waits until one replica of the operator leads and the other stands by.
func (s *stage) install(ctx context.Context) error {
	objects, err := manifest.Read(s.manifest)
	if err != nil {
		return err
	}
	for _, group := range manifest.InStages(objects) {
		if err := manifest.Apply(ctx, s.admin, owner, group...); err != nil {
			return err
		}
		if err := s.established(ctx, group); err != nil {
			return err
		}
	}
	s.out.say("%d objects of %s are applied", len(objects), s.manifest)
	// So that a later run on a shared cluster knows that the installation is the story's.
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}
	if err := s.admin.Patch(ctx, system, marking); err != nil {
		return err
	}
	if err := s.rolledOut(ctx, v1alpha1.SystemNamespace, operatorName); err != nil {
		return err
	}
	if err := s.rolledOut(ctx, v1alpha1.GatesNamespace, v1alpha1.CanaryService); err != nil {
		return err
	}
	return s.led(ctx)
}

// established waits until the API server serves the kinds of a group.
func (s *stage) established(ctx context.Context, group []*unstructured.Unstructured) error {
	for _, object := range group {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: object.GetName()}}
		err := await.Object(ctx, s.admin, crd, func(c *apiextensionsv1.CustomResourceDefinition) (bool, error) {
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

// rolledOut waits until every replica of a Deployment runs its newest template.
func (s *stage) rolledOut(ctx context.Context, namespace, name string) error {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	err := await.Object(ctx, s.admin, deployment, func(d *appsv1.Deployment) (bool, error) {
		want := ptr.Deref(d.Spec.Replicas, 1)
		now := d.Status
		return now.ObservedGeneration >= d.Generation && now.UpdatedReplicas == want && now.Replicas == want && now.AvailableReplicas == want, nil
	})
	if err != nil {
		return fmt.Errorf("%w; it has %d of %d replicas", err, deployment.Status.AvailableReplicas, ptr.Deref(deployment.Spec.Replicas, 1))
	}
	s.out.say("%s/%s runs with %d replicas", namespace, name, deployment.Status.AvailableReplicas)
	return nil
}

// led waits until a pod that still is there holds the lease.
func (s *stage) led(ctx context.Context) error {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: operatorName}}
	err := await.Object(ctx, s.admin, lease, func(l *coordinationv1.Lease) (bool, error) {
		return ptr.Deref(l.Spec.HolderIdentity, "") != "", nil
	})
	if err == nil {
		s.out.say("%s leads", *lease.Spec.HolderIdentity)
	}
	return err
}

// marking puts the story's label on a namespace.
var marking = mergePatch(`{"metadata":{"labels":{"` + markedBy + `":"` + mark + `"}}}`)
