package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/manifest"
)

// surroundings are the systems of the organisation that a prototype may use, and where its users' programs run.
//
//go:embed surroundings.yaml
var surroundings []byte

const (
	policyName   = "organisation"
	registryCA   = "registry-ca"
	gatewayKeys  = "gateway-keys"
	signingBytes = 48
)

// organise makes what an organisation has before its first prototype: teams, systems, reviewers and one policy.
func (s *stage) organise(ctx context.Context) error {
	if err := s.found(ctx); err != nil {
		return err
	}
	if err := s.shareKeys(ctx); err != nil {
		return err
	}
	objects, err := manifest.Decode(s.pinned(manifest.For(surroundings, s.registry)))
	if err != nil {
		return err
	}
	if err := manifest.Apply(ctx, s.admin, owner, objects...); err != nil {
		return err
	}
	if err := s.apply(ctx, s.admin, "people.yaml"); err != nil {
		return err
	}
	if err := s.applyPolicy(ctx); err != nil {
		return err
	}
	for _, deployment := range []client.ObjectKey{{Namespace: models, Name: "gateway"}, {Namespace: learning, Name: "lms"}, {Namespace: learning, Name: "lms-test"}} {
		if err := s.rolledOut(ctx, deployment.Namespace, deployment.Name); err != nil {
			return err
		}
	}
	return s.governed(ctx)
}

// found makes the teams' namespaces, as in the samples, marked as the story's.
func (s *stage) found(ctx context.Context) error {
	objects, err := manifest.Read(filepath.Join(s.samples, "namespaces.yaml"))
	if err != nil {
		return err
	}
	for _, object := range objects {
		labels := object.GetLabels()
		labels[markedBy] = mark
		object.SetLabels(labels)
		if err := manifest.Apply(ctx, s.admin, owner, object); err != nil {
			return err
		}
		s.out.say("namespace %s belongs to team %s", object.GetName(), labels[v1alpha1.LabelTeam])
	}
	return nil
}

// shareKeys gives the operator and the model gateway the same signing key: from it, the operator issues every
// prototype a key of its own, and the gateway checks them without asking.
func (s *stage) shareKeys(ctx context.Context) error {
	namespace := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": models, "labels": map[string]any{markedBy: mark}},
	}}
	if err := manifest.Apply(ctx, s.admin, owner, namespace); err != nil {
		return err
	}
	operators := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: gatewayKeys}}
	err := s.admin.Get(ctx, client.ObjectKeyFromObject(operators), operators)
	if apierrors.IsNotFound(err) {
		operators.Data = map[string][]byte{credentials.KeySigning: []byte(rand.Text() + rand.Text())}
		err = s.admin.Create(ctx, operators)
	}
	if err != nil {
		return err
	}
	gateways := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: models, Name: gatewayKeys},
		Data:       map[string][]byte{credentials.KeySigning: operators.Data[credentials.KeySigning]},
	}
	if err := s.admin.Create(ctx, gateways); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return s.admin.Update(ctx, gateways)
}

// applyPolicy applies the sample policy, with what this cluster's registry needs.
func (s *stage) applyPolicy(ctx context.Context) error {
	objects, err := manifest.ReadFor(filepath.Join(s.samples, "policy.yaml"), s.registry)
	if err != nil {
		return err
	}
	registries, _, err := unstructured.NestedSlice(objects[0].Object, "spec", "sandbox", "registries")
	if err != nil || len(registries) != 1 {
		return fmt.Errorf("the sample policy names %d registries, want 1: %w", len(registries), err)
	}
	registry := registries[0].(map[string]any)
	delete(registry, "ca")
	if s.ca != "" {
		registry["ca"] = map[string]any{"name": registryCA}
		if err := s.trustRegistry(ctx); err != nil {
			return err
		}
	}
	if s.plainHTTP {
		registry["scheme"] = string(v1alpha1.RegistryHTTP)
	}
	if err := unstructured.SetNestedSlice(objects[0].Object, registries, "spec", "sandbox", "registries"); err != nil {
		return err
	}
	return manifest.Apply(ctx, s.admin, owner, objects...)
}

// trustRegistry hands the operator the certificate authority of the registry.
func (s *stage) trustRegistry(ctx context.Context) error {
	authority, err := os.ReadFile(s.ca)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"namespace": v1alpha1.SystemNamespace, "name": registryCA},
		"data":     map[string]any{credentials.KeyCA: string(authority)},
	}}
	return manifest.Apply(ctx, s.admin, owner, object)
}

// governed waits until the policy is read and the guards were seen to refuse forgeries.
func (s *stage) governed(ctx context.Context) error {
	policy := &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: policyName}}
	said := ""
	err := await.Object(ctx, s.admin, policy, func(p *v1alpha1.HardeningPolicy) (bool, error) {
		var now []string
		met := true
		for _, name := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionGuardsInPlace} {
			condition := apimeta.FindStatusCondition(p.Status.Conditions, name)
			current := condition != nil && condition.ObservedGeneration == p.Generation
			met = met && current && condition.Status == metav1.ConditionTrue
			if current {
				now = append(now, fmt.Sprintf("%s=%s (%s) %s", name, condition.Status, condition.Reason, condition.Message))
			}
		}
		if line := strings.Join(now, "; "); line != said {
			said = line
			s.out.say("policy %s: %s", p.Name, line)
		}
		return met, nil
	})
	if err != nil {
		return fmt.Errorf("%w; it says: %s", err, said)
	}
	return s.settled(ctx)
}

// settled waits until the last gap of the guards has passed: authors of a prototype that is created in it are in doubt.
func (s *stage) settled(ctx context.Context) error {
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: guard.ConfigMapName}}
	return await.Object(ctx, s.admin, kept, func(*corev1.ConfigMap) (bool, error) {
		state, err := guard.Load(ctx, s.admin)
		if err != nil || len(state.Gaps) == 0 {
			return err == nil, err
		}
		end := state.Gaps[len(state.Gaps)-1].To
		if end.IsZero() {
			return false, nil
		}
		// Times of creation have whole seconds, cut off.
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(time.Until(end.Add(time.Second))):
		}
		return true, nil
	})
}
