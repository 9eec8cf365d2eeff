package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/installation"
)

// install applies dist/install.yaml, and waits until one replica of the operator leads and the other stands by.
func (s *stage) install(ctx context.Context) error {
	objects, err := installation.Apply(ctx, s.admin, owner, s.manifest)
	if err != nil {
		return err
	}
	s.out.say("%d objects of %s are applied", objects, s.manifest)
	// So that a later run on a shared cluster knows that the installation is the story's.
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}
	if err := s.admin.Patch(ctx, system, marking); err != nil {
		return err
	}
	if err := s.rolledOut(ctx, v1alpha1.SystemNamespace, installation.Operator); err != nil {
		return err
	}
	if err := s.rolledOut(ctx, v1alpha1.GatesNamespace, v1alpha1.CanaryService); err != nil {
		return err
	}
	leader, err := installation.Led(ctx, s.admin, "")
	if err == nil {
		s.out.say("%s leads", leader)
	}
	return err
}

// rolledOut waits until every replica of a Deployment runs its newest template.
func (s *stage) rolledOut(ctx context.Context, namespace, name string) error {
	replicas, err := installation.RolledOut(ctx, s.admin, namespace, name)
	if err == nil {
		s.out.say("%s/%s runs with %d replicas", namespace, name, replicas)
	}
	return err
}

// marking puts the story's label on a namespace.
var marking = mergePatch(`{"metadata":{"labels":{"` + markedBy + `":"` + mark + `"}}}`)
