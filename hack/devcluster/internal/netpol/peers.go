package netpol

import (
	"net/netip"
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
)

// party is a peer together with the pods behind it.
type party struct {
	peer Peer
	pods []Pod
}

// parties resolves the peers of one rule: all selected pods as one party, and each block as one. No peers
// at all means anybody; peers that select nothing mean nobody.
func (c compiler) parties(namespace string, peers []networkingv1.NetworkPolicyPeer) []party {
	if len(peers) == 0 {
		return []party{{pods: c.Pods}}
	}
	var parties []party
	var pods []Pod
	for _, peer := range peers {
		if peer.IPBlock != nil {
			if block, valid := blockPeer(peer.IPBlock, c.V6); valid {
				parties = append(parties, party{peer: block})
			}
			continue
		}
		pods = append(pods, c.selected(namespace, peer)...)
	}
	if len(pods) == 0 {
		return parties
	}
	addresses := make([]netip.Addr, 0, len(pods))
	for _, pod := range pods {
		addresses = append(addresses, pod.Address)
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return append([]party{{peer: Peer{Addresses: slices.Compact(addresses)}, pods: pods}}, parties...)
}

// selected are the pods that a peer's selectors name: without a namespace selector those of the policy's
// own namespace, without a pod selector all of the namespaces'.
func (c compiler) selected(namespace string, peer networkingv1.NetworkPolicyPeer) []Pod {
	var pods []Pod
	for _, pod := range c.Pods {
		inNamespace := pod.Namespace == namespace
		if peer.NamespaceSelector != nil {
			inNamespace = selects(peer.NamespaceSelector, c.Namespaces[pod.Namespace])
		}
		if inNamespace && (peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels)) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// blockPeer reads an address range. Those of the other family match nothing.
func blockPeer(block *networkingv1.IPBlock, v6 bool) (Peer, bool) {
	prefix, err := netip.ParsePrefix(block.CIDR)
	if err != nil || prefix.Addr().Is4() == v6 {
		return Peer{}, false
	}
	peer := Peer{Block: prefix.Masked()}
	for _, cidr := range block.Except {
		except, err := netip.ParsePrefix(cidr)
		if err != nil || except.Addr().Is4() == v6 {
			return Peer{}, false // allowing more than was meant is not an option
		}
		peer.Except = append(peer.Except, except.Masked())
	}
	return peer, true
}
