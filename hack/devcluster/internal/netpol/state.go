package netpol

import (
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/hack/devcluster/internal/claim"
)

// claims are the addresses of pods that the network plugin told of, before the API knows them.
type claims struct {
	mu        sync.Mutex
	bySandbox map[string]claim.Claim
}

func (c *claims) record(latest claim.Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if latest.Release {
		for key, held := range c.bySandbox {
			if held.Sandbox == latest.Sandbox {
				delete(c.bySandbox, key)
			}
		}
		return
	}
	for sandbox, old := range c.bySandbox {
		if old.Address == latest.Address { // the address was given away again: its former owner is gone
			delete(c.bySandbox, sandbox)
		}
	}
	c.bySandbox[fmt.Sprint(latest.Sandbox, latest.Address.Is6())] = latest
}

// owners maps addresses of one family to pods, and pods to addresses.
func (c *claims) owners(v6 bool) (byAddress map[netip.Addr]types.UID, byPod map[types.UID]netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	byAddress, byPod = map[netip.Addr]types.UID{}, map[types.UID]netip.Addr{}
	for _, held := range c.bySandbox {
		if held.Address.Is6() != v6 {
			continue
		}
		byAddress[held.Address] = types.UID(held.PodUID)
		byPod[types.UID(held.PodUID)] = held.Address
	}
	return byAddress, byPod
}

// podsOf picks the pods that have an address of their own in one family now. A claim is newer than the API's word.
func podsOf(all []*corev1.Pod, byAddress map[netip.Addr]types.UID, byPod map[types.UID]netip.Addr, v6 bool) []Pod {
	var pods []Pod
	for _, pod := range all {
		if pod.Spec.HostNetwork || ended(pod) {
			continue
		}
		address, claimed := byPod[pod.UID]
		if !claimed {
			parsed := toldAddress(pod, v6)
			if !parsed.IsValid() {
				continue // none yet
			}
			if _, taken := byAddress[parsed]; taken {
				continue // another pod has it by now
			}
			address = parsed
		}
		pods = append(pods, describe(pod, address))
	}
	return pods
}

// toldAddress is the API's word on a pod's address in one family.
func toldAddress(pod *corev1.Pod, v6 bool) netip.Addr {
	for _, ip := range append([]corev1.PodIP{{IP: pod.Status.PodIP}}, pod.Status.PodIPs...) {
		if address, err := netip.ParseAddr(ip.IP); err == nil && address.Is6() == v6 {
			return address
		}
	}
	return netip.Addr{}
}

func ended(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

func describe(pod *corev1.Pod, address netip.Addr) Pod {
	described := Pod{Namespace: pod.Namespace, Name: pod.Name, Labels: pod.Labels, Address: address}
	for _, container := range pod.Spec.Containers {
		described.Ports = append(described.Ports, container.Ports...)
	}
	for _, container := range pod.Spec.InitContainers {
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			described.Ports = append(described.Ports, container.Ports...)
		}
	}
	return described
}
