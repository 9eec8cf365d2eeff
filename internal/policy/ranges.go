package policy

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Own is a range of the cluster's own. The catalogue names pods by their labels, and nodes and Services never.
type Own struct {
	Range netip.Prefix
	// What it is, in words.
	What string
}

// checkRanges refuses a catalogue that opens addresses of the cluster itself.
func checkRanges(catalogue v1alpha1.Catalogue, own []Own) *Problem {
	for i, gateway := range catalogue.ModelGateways {
		if problem := checkRange(fmt.Sprintf("spec.catalogue.modelGateways[%d].to", i), gateway.To, own); problem != nil {
			return problem
		}
	}
	for i, integration := range catalogue.Integrations {
		for _, at := range []struct {
			purpose  string
			endpoint *v1alpha1.Endpoint
		}{{"sandbox", integration.Sandbox}, {"production", integration.Production}} {
			if at.endpoint == nil {
				continue
			}
			if problem := checkRange(fmt.Sprintf("spec.catalogue.integrations[%d].%s.to", i, at.purpose), at.endpoint.To, own); problem != nil {
				return problem
			}
		}
	}
	return nil
}

func checkRange(field string, to v1alpha1.Destination, own []Own) *Problem {
	if to.CIDR == nil {
		return nil
	}
	field += ".cidr.range"
	opened, err := netip.ParsePrefix(to.CIDR.Range)
	if err != nil {
		return broken(v1alpha1.ReasonPolicyInvalid, field, "can't be read")
	}
	for _, o := range own {
		if opened.Overlaps(o.Range) {
			return broken(v1alpha1.ReasonRangeOfCluster, field, fmt.Sprintf(
				"%s touches %s, %s. A range leads out of the cluster; what is in it is named by pods.", opened, o.Range, o.What))
		}
	}
	return nil
}

// ownRanges are what the cluster tells of itself: the ranges of its Services, and the pods' ranges and addresses of its
// nodes.
func ownRanges(nodes []corev1.Node, services []networkingv1.ServiceCIDR) []Own {
	var out []Own
	add := func(text, what string) {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			out = append(out, Own{Range: prefix.Masked(), What: what})
		}
	}
	for _, service := range services {
		for _, text := range service.Spec.CIDRs {
			add(text, "from which Services get their addresses")
		}
	}
	for _, node := range nodes {
		for _, text := range append(slices.Clone(node.Spec.PodCIDRs), node.Spec.PodCIDR) {
			add(text, "from which pods on node "+node.Name+" get their addresses")
		}
		for _, address := range node.Status.Addresses {
			if at, err := netip.ParseAddr(address.Address); err == nil {
				add(netip.PrefixFrom(at.Unmap(), at.Unmap().BitLen()).String(), "an address of node "+node.Name)
			}
		}
	}
	slices.SortFunc(out, func(a, b Own) int { return cmp.Or(a.Range.Compare(b.Range), cmp.Compare(a.What, b.What)) })
	return slices.Compact(out)
}

// own reads what the cluster tells of itself, and adds what the installation says.
func (r *Reconciler) own(ctx context.Context) ([]Own, error) {
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes); err != nil {
		return nil, err
	}
	var services networkingv1.ServiceCIDRList
	if err := r.Client.List(ctx, &services); err != nil {
		return nil, err
	}
	out := ownRanges(nodes.Items, services.Items)
	for _, prefix := range r.Ranges {
		out = append(out, Own{Range: prefix.Masked(), What: "which the operator's --cluster-ranges names"})
	}
	return out, nil
}

// located leaves out what a node says all the time.
func located() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*corev1.Node), e.ObjectNew.(*corev1.Node)
		return !equality.Semantic.DeepEqual(before.Spec.PodCIDRs, after.Spec.PodCIDRs) || before.Spec.PodCIDR != after.Spec.PodCIDR ||
			!equality.Semantic.DeepEqual(before.Status.Addresses, after.Status.Addresses)
	}}
}
