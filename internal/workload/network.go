package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
)

// labelNamespaceName is the label that Kubernetes sets on every namespace; nobody else can.
const labelNamespaceName = "kubernetes.io/metadata.name"

// NetworkPolicies close the namespace both ways and open what the requirements name: the resolver, the
// destinations of the catalogue, and, towards the workload's port, the load generator or production's callers. Where
// all is severed the same policies stand and open nothing.
func NetworkPolicies(s Surroundings, port int32) []*networkingv1.NetworkPolicy {
	policies := []*networkingv1.NetworkPolicy{denyAll(s), egress(s)}
	if from := callers(s); len(from) > 0 {
		policies = append(policies, ingress(s, from, port))
	}
	if s.Severed.All {
		for _, p := range policies {
			p.Spec.Ingress, p.Spec.Egress = nil, nil
		}
	}
	return policies
}

// Opens tells whether a policy lets anything through.
func Opens(p *networkingv1.NetworkPolicy) bool { return len(p.Spec.Ingress)+len(p.Spec.Egress) > 0 }

// Lets tells whether a policy lets pods go to a destination of the catalogue.
func Lets(p *networkingv1.NetworkPolicy, to v1alpha1.Destination) bool {
	wanted := destination(to)
	return slices.ContainsFunc(p.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		return equality.Semantic.DeepEqual(rule, wanted)
	})
}

// Without is the policy without its ways to destinations of the catalogue; nil where it has none.
func Without(p *networkingv1.NetworkPolicy, to ...v1alpha1.Destination) *networkingv1.NetworkPolicy {
	next := p.DeepCopy()
	next.Spec.Egress = slices.DeleteFunc(next.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		return slices.ContainsFunc(to, func(d v1alpha1.Destination) bool { return equality.Semantic.DeepEqual(rule, destination(d)) })
	})
	if len(next.Spec.Egress) == len(p.Spec.Egress) {
		return nil
	}
	return next
}

// Closed is the policy without its ways to the destinations, or without any; nil where it has none. What is left denies:
// a policy that opens nothing closes its pods.
func Closed(p *networkingv1.NetworkPolicy, all bool, to []v1alpha1.Destination) *networkingv1.NetworkPolicy {
	switch {
	case !all:
		return Without(p, to...)
	case !Opens(p):
		return nil
	}
	next := p.DeepCopy()
	next.Spec.Ingress, next.Spec.Egress = nil, nil
	return next
}

func denyAll(s Surroundings) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: s.meta("deny-all", s.Purpose),
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}
}

// egress is for every pod of the namespace, so that a probe measures exactly what the workload has.
func egress(s Surroundings) *networkingv1.NetworkPolicy {
	var rules []networkingv1.NetworkPolicyEgressRule
	if s.Requirements.DNS != "None" {
		rules = append(rules, resolver())
	}
	for _, to := range s.Destinations() {
		rules = append(rules, destination(to))
	}
	return &networkingv1.NetworkPolicy{
		ObjectMeta: s.meta("allow-catalogue", s.Purpose),
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, Egress: rules,
		},
	}
}

func resolver() networkingv1.NetworkPolicyEgressRule {
	return networkingv1.NetworkPolicyEgressRule{
		To: []networkingv1.NetworkPolicyPeer{peer("kube-system", map[string]string{"k8s-app": "kube-dns"})},
		Ports: []networkingv1.NetworkPolicyPort{
			policyPort(corev1.ProtocolUDP, 53), policyPort(corev1.ProtocolTCP, 53),
		},
	}
}

func destination(to v1alpha1.Destination) networkingv1.NetworkPolicyEgressRule {
	if to.Pods != nil {
		return networkingv1.NetworkPolicyEgressRule{
			To:    []networkingv1.NetworkPolicyPeer{peer(to.Pods.Namespace, to.Pods.PodLabels)},
			Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, to.Pods.Port)},
		}
	}
	return networkingv1.NetworkPolicyEgressRule{
		To:    []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: to.CIDR.Range}}},
		Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, to.CIDR.Port)},
	}
}

// callers are those who may call the workload: the gates' runs in a sandbox, the policy's sources in production.
func callers(s Surroundings) []networkingv1.NetworkPolicyPeer {
	switch s.Purpose {
	case v1alpha1.PurposeSandbox:
		return []networkingv1.NetworkPolicyPeer{peer(v1alpha1.GatesNamespace, map[string]string{
			v1alpha1.LabelComponent: ComponentCaller, v1alpha1.LabelPrototypeUID: s.Identity.UID,
		})}
	case v1alpha1.PurposeProduction:
		var out []networkingv1.NetworkPolicyPeer
		for _, from := range s.Requirements.Production.Ingress.From {
			out = append(out, peer(from.Pods.Namespace, from.Pods.PodLabels))
		}
		return out
	}
	return nil
}

func ingress(s Surroundings, from []networkingv1.NetworkPolicyPeer, port int32) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: s.meta("allow-callers", s.Purpose),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: Selector(s.Identity)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: from, Ports: []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, port)},
			}},
		},
	}
}

func peer(namespace string, pods map[string]string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{labelNamespaceName: namespace}},
		PodSelector:       &metav1.LabelSelector{MatchLabels: pods},
	}
}

func policyPort(protocol corev1.Protocol, port int32) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(port))}
}
