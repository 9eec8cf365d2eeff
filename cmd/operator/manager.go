package main

import (
	"crypto/tls"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
)

// oldest is the oldest API server that has everything the guards need (MutatingAdmissionPolicy v1).
var oldest = utilversion.MustParseGeneric("1.36.0")

// checkServer refuses to run where the guards could not work.
func checkServer(config *rest.Config) error {
	clients, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	info, err := clients.ServerVersion()
	if err != nil {
		return fmt.Errorf("ask the API server for its version: %w", err)
	}
	found, err := utilversion.ParseGeneric(info.GitVersion)
	if err != nil {
		return fmt.Errorf("read the API server's version %q: %w", info.GitVersion, err)
	}
	if found.LessThan(oldest) {
		return fmt.Errorf("Kubernetes %s is older than %s, the oldest on which the guards work", found, oldest) //nolint:staticcheck // Kubernetes is a name
	}
	return nil
}

func newManager(config *rest.Config, o options) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Metrics: metricsserver.Options{
			BindAddress: o.metricsAddr, SecureServing: true, FilterProvider: filters.WithAuthenticationAndAuthorization,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 }},
		},
		HealthProbeBindAddress: o.healthAddr,
		LeaderElection:         o.leaderElect, LeaderElectionID: "affineur", LeaderElectionNamespace: v1alpha1.SystemNamespace,
		// The process ends when the manager does, so that the other replica need not wait for the lease to expire.
		LeaderElectionReleaseOnCancel: true,
		Cache:                         cacheOptions(),
		Client: client.Options{Cache: &client.CacheOptions{
			// The operator may not list these cluster-wide, and some of them are secret.
			DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &appsv1.ControllerRevision{}},
		}},
	})
}

// barely leaves of an object what tells that it changed: the annotations of kubectl apply repeat what is in it.
func barely(object any) (any, error) {
	if o, ok := object.(metav1.Object); ok {
		o.SetManagedFields(nil)
		o.SetAnnotations(nil)
	}
	return object, nil
}

// located leaves of a node what says where it is and since when: it lists every image as well.
func located(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return barely(object)
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion},
		Spec:       corev1.NodeSpec{PodCIDR: node.Spec.PodCIDR, PodCIDRs: node.Spec.PodCIDRs},
		Status: corev1.NodeStatus{
			Addresses: node.Status.Addresses, NodeInfo: corev1.NodeSystemInfo{BootID: node.Status.NodeInfo.BootID},
		},
	}, nil
}

// ours selects what the operator made.
func ours() labels.Selector {
	return labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
}

// cacheOptions keep foreign objects out of the caches, and what nobody reads out of those that are in.
func cacheOptions() cache.Options {
	ours := cache.ByObject{Label: ours()}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}:                     ours,
			&corev1.Service{}:                        ours,
			&corev1.Pod{}:                            ours,
			&corev1.ServiceAccount{}:                 ours,
			&corev1.ResourceQuota{}:                  ours,
			&corev1.LimitRange{}:                     ours,
			&batchv1.Job{}:                           ours,
			&networkingv1.NetworkPolicy{}:            ours,
			&autoscalingv2.HorizontalPodAutoscaler{}: ours,
			&policyv1.PodDisruptionBudget{}:          ours,
			&rbacv1.RoleBinding{}:                    ours,
			&corev1.Node{}:                           {Transform: located},
			// Only watched, to hear when IT changes one: its values never get here.
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{v1alpha1.SystemNamespace: {}}, Transform: barely},
			// Only watched, to hear when the guards were measured; it is read live.
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{v1alpha1.RecordsNamespace: {
				FieldSelector: fields.OneTermEqualSelector("metadata.name", guard.ConfigMapName),
			}}},
		},
	}
}
