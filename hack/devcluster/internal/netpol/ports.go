package netpol

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const highestPort = 65535

func protocolOf(p *corev1.Protocol) corev1.Protocol {
	if p == nil {
		return corev1.ProtocolTCP
	}
	return *p
}

// numbered are the ports given as numbers, as ranges that do not overlap: the kernel refuses a set whose
// ranges do.
func numbered(ports []networkingv1.NetworkPolicyPort) []PortRange {
	var ranges []PortRange
	for _, port := range ports {
		r := PortRange{Protocol: protocolOf(port.Protocol)}
		switch {
		case port.Port == nil:
			r.First, r.Last = 0, highestPort
		case port.Port.Type == intstr.String:
			continue
		default:
			r.First = uint16(port.Port.IntVal)
			r.Last = r.First
			if port.EndPort != nil {
				r.Last = uint16(*port.EndPort)
			}
		}
		if r.First <= r.Last {
			ranges = append(ranges, r)
		}
	}
	return merge(ranges)
}

func merge(ranges []PortRange) []PortRange {
	slices.SortFunc(ranges, func(a, b PortRange) int {
		return cmp.Or(strings.Compare(string(a.Protocol), string(b.Protocol)), cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	var merged []PortRange
	for _, r := range ranges {
		if n := len(merged); n > 0 && merged[n-1].Protocol == r.Protocol && int(r.First) <= int(merged[n-1].Last)+1 {
			merged[n-1].Last = max(merged[n-1].Last, r.Last)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

// named looks up the ports given as names in the pods that the traffic goes to: each may mean another
// number by the same name.
func named(ports []networkingv1.NetworkPolicyPort, destinations []Pod) []Endpoint {
	var endpoints []Endpoint
	for _, port := range ports {
		if port.Port == nil || port.Port.Type != intstr.String {
			continue
		}
		for _, pod := range destinations {
			for _, declared := range pod.Ports {
				protocol := cmp.Or(declared.Protocol, corev1.ProtocolTCP)
				if declared.Name == port.Port.StrVal && protocol == protocolOf(port.Protocol) {
					endpoints = append(endpoints, Endpoint{pod.Address, protocol, uint16(declared.ContainerPort)})
				}
			}
		}
	}
	slices.SortFunc(endpoints, func(a, b Endpoint) int {
		return cmp.Or(strings.Compare(string(a.Protocol), string(b.Protocol)), a.Address.Compare(b.Address), cmp.Compare(a.Port, b.Port))
	})
	return slices.Compact(endpoints)
}
