package netpol

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/knftables"
)

// Table is the engine's, and nobody else's.
const Table = "affineur-netpol"

// render writes the transaction that replaces whatever rules there were. The kernel takes it as a whole or
// not at all: at no moment is a pod without rules.
func render(tx *knftables.Transaction, rules Ruleset) {
	tx.Add(&knftables.Table{})
	tx.Delete(&knftables.Table{})
	tx.Add(&knftables.Table{Comment: knftables.PtrTo("NetworkPolicies of the development cluster")})
	for _, chain := range rules.Chains {
		tx.Add(&knftables.Chain{Name: chain.Name})
		for _, rule := range chain.Rules {
			for _, match := range rule.matches(chain.Direction, word(rules.V6)) {
				tx.Add(&knftables.Rule{Chain: chain.Name, Rule: strings.TrimSpace(match + " return")})
			}
		}
		tx.Add(&knftables.Rule{Chain: chain.Name, Rule: "drop"})
	}
	ip := word(rules.V6)
	renderMembers(tx, "egress", ip, rules.Egress)
	renderMembers(tx, "ingress", ip, rules.Ingress)

	// kube-proxy translates service addresses before routing; these hooks come after it, so that a policy
	// is held against the pod that is really reached. Traffic from the node to its pods, such as probes,
	// passes neither hook; a pod's traffic to its node passes the second.
	renderHook(tx, "forward", knftables.ForwardHook, ip+" saddr vmap @egress", ip+" daddr vmap @ingress")
	toNode := []string{ip + " saddr vmap @egress"}
	if rules.V6 {
		// By these a pod finds the way to its node, as by ARP over IPv4, which no policy concerns either.
		toNode = append([]string{"icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept"}, toNode...)
	}
	renderHook(tx, "to-node", knftables.InputHook, toNode...)
}

// word is the family's in expressions.
func word(v6 bool) string {
	if v6 {
		return "ip6"
	}
	return "ip"
}

func renderMembers(tx *knftables.Transaction, name, ip string, members map[netip.Addr]string) {
	kind := map[string]string{"ip": "ipv4_addr", "ip6": "ipv6_addr"}[ip]
	tx.Add(&knftables.Map{Name: name, Type: kind + " : verdict"})
	addresses := make([]netip.Addr, 0, len(members))
	for address := range members {
		addresses = append(addresses, address)
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	for _, address := range addresses {
		tx.Add(&knftables.Element{Map: name, Key: []string{address.String()}, Value: []string{"jump " + members[address]}})
	}
}

func renderHook(tx *knftables.Transaction, name string, hook knftables.BaseChainHook, rules ...string) {
	tx.Add(&knftables.Chain{
		Name:     name,
		Type:     knftables.PtrTo(knftables.FilterType),
		Hook:     knftables.PtrTo(hook),
		Priority: knftables.PtrTo(knftables.FilterPriority),
	})
	tx.Add(&knftables.Rule{Chain: name, Rule: "ct state established,related accept"})
	for _, rule := range rules {
		tx.Add(&knftables.Rule{Chain: name, Rule: rule})
	}
}

// matches are the expressions that together cover a rule: one, or one per protocol.
func (r Rule) matches(direction Direction, ip string) []string {
	peer := r.Peer.match(direction, ip)
	if r.Ports == nil && r.Endpoints == nil {
		return []string{peer}
	}
	var matches []string
	for _, protocol := range []corev1.Protocol{corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP} {
		name := strings.ToLower(string(protocol))
		if ports := portElements(r.Ports, protocol); len(ports) > 0 {
			matches = append(matches, join(peer, fmt.Sprintf("%s dport { %s }", name, strings.Join(ports, ", "))))
		}
		if endpoints := endpointElements(r.Endpoints, protocol); len(endpoints) > 0 {
			matches = append(matches, join(peer, fmt.Sprintf("%s daddr . %s dport { %s }", ip, name, strings.Join(endpoints, ", "))))
		}
	}
	return matches
}

func (p Peer) match(direction Direction, ip string) string {
	side := ip + " saddr"
	if direction == Out {
		side = ip + " daddr"
	}
	var parts []string
	if len(p.Addresses) > 0 {
		elements := make([]string, 0, len(p.Addresses))
		for _, address := range p.Addresses {
			elements = append(elements, address.String())
		}
		parts = append(parts, fmt.Sprintf("%s { %s }", side, strings.Join(elements, ", ")))
	}
	if p.Block.IsValid() && p.Block.Bits() > 0 {
		parts = append(parts, side+" "+p.Block.String())
	}
	for _, except := range p.Except {
		parts = append(parts, side+" != "+except.String())
	}
	return strings.Join(parts, " ")
}

func portElements(ports []PortRange, protocol corev1.Protocol) []string {
	var elements []string
	for _, p := range ports {
		switch {
		case p.Protocol != protocol:
		case p.First == p.Last:
			elements = append(elements, fmt.Sprint(p.First))
		default:
			elements = append(elements, fmt.Sprintf("%d-%d", p.First, p.Last))
		}
	}
	return elements
}

func endpointElements(endpoints []Endpoint, protocol corev1.Protocol) []string {
	var elements []string
	for _, e := range endpoints {
		if e.Protocol == protocol {
			elements = append(elements, fmt.Sprintf("%s . %d", e.Address, e.Port))
		}
	}
	return elements
}

func join(a, b string) string { return cmp.Or(strings.TrimSpace(a+" "+b), a) }
