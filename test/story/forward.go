package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/forward"
)

// forward opens a port to a prototype's pod, as kubectl port-forward does for the person, and returns its address here.
func (s *stage) forward(ctx context.Context, who *actor, namespace, container string) (string, func(), error) {
	var pods corev1.PodList
	err := who.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype})
	if err != nil || len(pods.Items) == 0 {
		return "", nil, fmt.Errorf("%s sees %d pods in %s: %w", who, len(pods.Items), namespace, err)
	}
	pod := pods.Items[0]
	port := int32(0)
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			port = c.Ports[0].ContainerPort
		}
	}
	local, stop, err := forward.To(ctx, who.config, client.ObjectKeyFromObject(&pod), port)
	if err != nil {
		return "", nil, fmt.Errorf("as %s: %w", who, err)
	}
	s.out.say("%s forwarded a port to %s/%s", who, namespace, pod.Name)
	return "http://" + local, stop, nil
}
