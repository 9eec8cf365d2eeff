package run

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ServiceAddresses are the IP addresses of a Service, the first family first; none where it is not there or has none.
// A run is given no name: one that does not resolve looks like a blocked target.
func ServiceAddresses(ctx context.Context, live client.Reader, namespace, name string) ([]string, error) {
	var service corev1.Service
	if err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &service); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if _, err := netip.ParseAddr(service.Spec.ClusterIP); err != nil {
		return nil, nil
	}
	out := []string{service.Spec.ClusterIP}
	// The first of ClusterIPs is ClusterIP again.
	if all := service.Spec.ClusterIPs; len(all) > 1 {
		out = append(out, all[1:]...)
	}
	return out, nil
}
