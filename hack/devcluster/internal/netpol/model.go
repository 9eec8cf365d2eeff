// Package netpol enforces NetworkPolicies in the development cluster. It stands in for the network plugin
// that a user's cluster has, and never ships.
//
// Compile is pure: it turns pods, namespaces and policies into a Ruleset. Everything else is moving that
// Ruleset into the kernel, and moving it soon enough.
package netpol

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Mode says what the engine enforces.
type Mode string

// The modes. Ingress is for a cluster whose network plugin enforces one direction only.
const (
	On      Mode = "on"
	Ingress Mode = "ingress"
	Off     Mode = "off"
)

// Valid tells whether m is one of the modes.
func (m Mode) Valid() bool { return m == On || m == Ingress || m == Off }

// Direction of traffic as the pod sees it.
type Direction string

// The directions.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Pod is what policies can know of a pod on the pod network.
type Pod struct {
	Namespace string
	Name      string
	Labels    map[string]string
	Address   netip.Addr
	Ports     []corev1.ContainerPort
}

// Input is the state of the cluster that decides the rules.
type Input struct {
	// Pods that have an address of their own in the family, in any order.
	Pods []Pod
	// Namespaces maps a namespace's name to its labels.
	Namespaces map[string]map[string]string
	Policies   []*networkingv1.NetworkPolicy
	Mode       Mode
	// V6 is true for the rules of IPv6; those of IPv4 are compiled apart.
	V6 bool
}

// Ruleset is what the kernel is to enforce. Addresses in neither map are free.
type Ruleset struct {
	V6     bool
	Chains []Chain
	// Ingress and Egress map an isolated pod's address to the name of its chain.
	Ingress map[netip.Addr]string
	Egress  map[netip.Addr]string
}

// Chain holds what pods under the same policies may do in one direction; what no rule allows is dropped.
type Chain struct {
	Name      string
	Direction Direction
	Rules     []Rule
}

// Rule allows traffic that fits both Peer and the ports.
type Rule struct {
	Peer Peer
	// Ports limits the rule to these, unless nil, which is every port of every protocol.
	Ports []PortRange
	// Endpoints limits the rule to these destinations instead: named ports, looked up pod by pod.
	Endpoints []Endpoint
}

// Peer is the other side. The zero value is anybody.
type Peer struct {
	// Addresses, when not empty, are the pods that the peer may be.
	Addresses []netip.Addr
	// Block, when valid, is the range that the peer may be in, but not in Except.
	Block  netip.Prefix
	Except []netip.Prefix
}

// PortRange is inclusive on both ends. The zero range is every port of the protocol.
type PortRange struct {
	Protocol corev1.Protocol
	First    uint16
	Last     uint16
}

// Endpoint is one port of one pod.
type Endpoint struct {
	Address  netip.Addr
	Protocol corev1.Protocol
	Port     uint16
}
