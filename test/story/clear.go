package main

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
)

func mergePatch(patch string) client.Patch {
	return client.RawPatch(types.MergePatchType, []byte(patch))
}

// clear takes down what an earlier run left: its prototypes, production first, and its teams' namespaces. The records
// of what happened stay.
func (s *stage) clear(ctx context.Context) error {
	found := 0
	group, ctx := errgroup.WithContext(ctx)
	for _, team := range []string{membership, education} {
		var prototypes v1alpha1.AIPrototypeList
		if err := s.admin.List(ctx, &prototypes, client.InNamespace(team)); err != nil {
			return err
		}
		found += len(prototypes.Items)
		group.Go(func() error { return s.clearTeam(ctx, team, prototypes.Items) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if found == 0 {
		s.out.say("there was nothing")
	}
	return nil
}

func (s *stage) clearTeam(ctx context.Context, team string, prototypes []v1alpha1.AIPrototype) error {
	group, retiring := errgroup.WithContext(ctx)
	for i := range prototypes {
		group.Go(func() error { return s.remove(retiring, s.admin, &prototypes[i]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}}
	err := s.admin.Delete(ctx, namespace)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return await.Gone(ctx, s.admin, namespace)
}

// remove retires a prototype that is in production, and deletes it.
func (s *stage) remove(ctx context.Context, who *actor, prototype *v1alpha1.AIPrototype) error {
	key := client.ObjectKeyFromObject(prototype)
	if prototype.Status.Production != nil {
		if err := who.Patch(ctx, prototype, mergePatch(`{"spec":{"target":"Retired"}}`)); err != nil {
			return fmt.Errorf("retire %s: %w", key, err)
		}
		err := await.Object(ctx, who, prototype, func(p *v1alpha1.AIPrototype) (bool, error) { return p.Status.Production == nil, nil })
		if err != nil {
			return fmt.Errorf("retire %s: %w", key, err)
		}
		s.out.say("%s is out of production", key)
	}
	if err := client.IgnoreNotFound(who.Delete(ctx, prototype)); err != nil {
		return err
	}
	if err := await.Gone(ctx, who, prototype); err != nil {
		return err
	}
	s.out.say("%s and its sandbox are gone", key)
	return nil
}
