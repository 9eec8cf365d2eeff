package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
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
	clientset, err := kubernetes.NewForConfig(who.config)
	if err != nil {
		return "", nil, err
	}
	transport, upgrader, err := spdy.RoundTripperFor(who.config)
	if err != nil {
		return "", nil, err
	}
	address := clientset.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name(pod.Name).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, address)
	stop, ready := make(chan struct{}), make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return "", nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- forwarder.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-failed:
		return "", nil, fmt.Errorf("forward a port to %s/%s as %s: %w", namespace, pod.Name, who, err)
	case <-ctx.Done():
		close(stop)
		return "", nil, context.Cause(ctx)
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		close(stop)
		return "", nil, err
	}
	s.out.say("%s forwarded a port to %s/%s", who, namespace, pod.Name)
	return fmt.Sprintf("http://127.0.0.1:%d", ports[0].Local), func() { close(stop) }, nil
}
