package main

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// markedBy is the label, and mark its value, on every namespace that the story made and may take down again.
const (
	markedBy = "app.kubernetes.io/created-by"
	mark     = "affineur-story"
)

// Namespaces of the story.
const (
	membership = "membership"
	education  = "education"
	models     = "models"
	learning   = "lms"
	clients    = "clients"
)

// prepare says where it plays, and refuses to touch what somebody else made.
func (s *stage) prepare(ctx context.Context) error {
	discovered, err := discovery.NewDiscoveryClientForConfig(s.admin.config)
	if err != nil {
		return err
	}
	version, err := discovered.ServerVersion()
	if err != nil {
		return fmt.Errorf("the cluster does not answer: %w", err)
	}
	s.out.say("cluster %s, Kubernetes %s, kubeconfig context %q", s.admin.config.Host, version.GitVersion, s.context)
	s.out.say("images in %s", s.registry)
	var taken []error
	for _, name := range []string{membership, education, models, learning, clients} {
		ours, err := s.free(ctx, name)
		if err != nil {
			return err
		}
		if !ours {
			taken = append(taken, fmt.Errorf("namespace %s exists and is not the story's (label %s=%s)", name, markedBy, mark))
		}
	}
	if s.shared {
		ours, err := s.free(ctx, v1alpha1.SystemNamespace)
		if err != nil {
			return err
		}
		if !ours {
			taken = append(taken, fmt.Errorf("namespace %s exists: Affineur is installed here, and the story would put its own version in its place", v1alpha1.SystemNamespace))
		}
	}
	return errors.Join(taken...)
}

// free tells whether a namespace is not there, or the story's.
func (s *stage) free(ctx context.Context, name string) (bool, error) {
	namespace := &corev1.Namespace{}
	err := s.admin.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	return namespace.Labels[markedBy] == mark, err
}
