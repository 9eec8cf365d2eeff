package cluster

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/affineur/affineur/hack/devcluster/internal/claim"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/netpol"
	"github.com/affineur/affineur/hack/devcluster/internal/node"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

// client talks to the API server with one of the kubeconfigs.
func client(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

func apiReady(client kubernetes.Interface) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err
	}
}

func nodeReady(client kubernetes.Interface) func(context.Context) error {
	return func(ctx context.Context) error {
		n, err := client.CoreV1().Nodes().Get(ctx, layout.NodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if n.Spec.Unschedulable {
			return errors.New("cordoned; kubectl uncordon " + layout.NodeName)
		}
		for _, condition := range n.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				return errors.New(condition.Message)
			}
			if condition.Type == corev1.NodeReady {
				return nil
			}
		}
		return errors.New("the node has not reported yet")
	}
}

func deploymentReady(client kubernetes.Interface, namespace, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		d, err := client.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return available(d)
	}
}

func available(d *appsv1.Deployment) error {
	if d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas < *d.Spec.Replicas || d.Status.AvailableReplicas < *d.Spec.Replicas {
		return fmt.Errorf("%d of %d pods available", d.Status.AvailableReplicas, *d.Spec.Replicas)
	}
	return nil
}

func (c Cluster) containerdReady(ctx context.Context) error {
	conn, err := supervise.Dial(ctx, c.Layout, node.ContainerdSocket)
	if err != nil {
		return err
	}
	return conn.Close()
}

// engineMode asks the policy engine what it enforces.
func (c Cluster) engineMode(ctx context.Context) (netpol.Mode, error) {
	conn, err := supervise.Dial(ctx, c.Layout, claim.Socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	mode, err := claim.Mode(conn)
	return netpol.Mode(mode), err
}

func (c Cluster) engineReady(mode netpol.Mode) func(context.Context) error {
	return func(ctx context.Context) error {
		running, err := c.engineMode(ctx)
		if err != nil {
			return err
		}
		if running != mode {
			return fmt.Errorf("the engine still runs in mode %s", running)
		}
		return nil
	}
}
