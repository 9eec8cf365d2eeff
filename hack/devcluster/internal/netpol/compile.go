package netpol

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Compile turns the cluster's state into the rules that the kernel is to enforce. The same state in any
// order gives the same rules.
func Compile(in Input) Ruleset {
	c := compiler{Input: sorted(in)}
	out := Ruleset{V6: in.V6, Ingress: map[netip.Addr]string{}, Egress: map[netip.Addr]string{}}
	out.Chains = append(out.Chains, c.chains(In, out.Ingress)...)
	if in.Mode == On {
		out.Chains = append(out.Chains, c.chains(Out, out.Egress)...)
	}
	return out
}

func sorted(in Input) Input {
	in.Pods = slices.Clone(in.Pods)
	slices.SortFunc(in.Pods, func(a, b Pod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	in.Policies = slices.Clone(in.Policies)
	slices.SortFunc(in.Policies, func(a, b *networkingv1.NetworkPolicy) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return in
}

type compiler struct{ Input }

// group is the pods that the same policies isolate: they share a chain.
type group struct {
	policies []*networkingv1.NetworkPolicy
	pods     []Pod
}

func (c compiler) chains(direction Direction, members map[netip.Addr]string) []Chain {
	var chains []Chain
	groups := c.groups(direction)
	for _, name := range sortedKeys(groups) {
		g := groups[name]
		chain := Chain{Name: name, Direction: direction}
		for _, policy := range g.policies {
			chain.Rules = append(chain.Rules, c.rules(policy, direction, g.pods)...)
		}
		chains = append(chains, chain)
		for _, pod := range g.pods {
			members[pod.Address] = name
		}
	}
	return chains
}

func (c compiler) groups(direction Direction) map[string]*group {
	groups := map[string]*group{}
	for _, pod := range c.Pods {
		var policies []*networkingv1.NetworkPolicy
		for _, policy := range c.Policies {
			if policy.Namespace == pod.Namespace && isolates(policy, direction) && selects(&policy.Spec.PodSelector, pod.Labels) {
				policies = append(policies, policy)
			}
		}
		if len(policies) == 0 {
			continue
		}
		name := chainName(direction, policies)
		if groups[name] == nil {
			groups[name] = &group{policies: policies}
		}
		groups[name].pods = append(groups[name].pods, pod)
	}
	return groups
}

func chainName(direction Direction, policies []*networkingv1.NetworkPolicy) string {
	sum := sha256.New()
	for _, policy := range policies {
		sum.Write([]byte(policy.Namespace + "/" + policy.Name + "\n"))
	}
	return string(direction) + "-" + hex.EncodeToString(sum.Sum(nil)[:8])
}

// isolates tells whether the policy governs the direction. Without explicit types a policy governs ingress
// always and egress when it has egress rules.
func isolates(policy *networkingv1.NetworkPolicy, direction Direction) bool {
	types := policy.Spec.PolicyTypes
	if direction == In {
		return len(types) == 0 || slices.Contains(types, networkingv1.PolicyTypeIngress)
	}
	if len(types) == 0 {
		return len(policy.Spec.Egress) > 0
	}
	return slices.Contains(types, networkingv1.PolicyTypeEgress)
}

// selects follows the API: a nil selector selects nothing, an empty one everything, a broken one nothing.
func selects(selector *metav1.LabelSelector, set map[string]string) bool {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set(set))
}

// rules of one policy for the pods of a group, which share it.
func (c compiler) rules(policy *networkingv1.NetworkPolicy, direction Direction, own []Pod) []Rule {
	var rules []Rule
	if direction == In {
		for _, rule := range policy.Spec.Ingress {
			rules = append(rules, c.rule(policy.Namespace, rule.From, rule.Ports, func(party) []Pod { return own })...)
		}
		return rules
	}
	for _, rule := range policy.Spec.Egress {
		rules = append(rules, c.rule(policy.Namespace, rule.To, rule.Ports, func(to party) []Pod { return to.pods })...)
	}
	return rules
}

// rule gives one Rule per peer that can match anything at all. destination tells which pods a named port
// is to be looked up in.
func (c compiler) rule(namespace string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort,
	destination func(party) []Pod,
) []Rule {
	var rules []Rule
	for _, p := range c.parties(namespace, peers) {
		if len(ports) == 0 {
			rules = append(rules, Rule{Peer: p.peer})
			continue
		}
		if ranges := numbered(ports); len(ranges) > 0 {
			rules = append(rules, Rule{Peer: p.peer, Ports: ranges})
		}
		if endpoints := named(ports, destination(p)); len(endpoints) > 0 {
			rules = append(rules, Rule{Peer: p.peer, Endpoints: endpoints})
		}
	}
	return rules
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
