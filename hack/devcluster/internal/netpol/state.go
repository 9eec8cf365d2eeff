package netpol

import (
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
		delete(c.bySandbox, latest.Sandbox)
		return
	}
	for sandbox, old := range c.bySandbox {
		if old.Address == latest.Address { // the address was given away again: its former owner is gone
			delete(c.bySandbox, sandbox)
		}
	}
	c.bySandbox[latest.Sandbox] = latest
}

// owners maps addresses to pods, and pods to addresses.
func (c *claims) owners() (byAddress map[netip.Addr]types.UID, byPod map[types.UID]netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	byAddress, byPod = map[netip.Addr]types.UID{}, map[types.UID]netip.Addr{}
	for _, held := range c.bySandbox {
		byAddress[held.Address] = types.UID(held.PodUID)
		byPod[types.UID(held.PodUID)] = held.Address
	}
	return byAddress, byPod
}

// podsOf picks the pods that have an address of their own now. A claim is newer than the API's word.
func podsOf(all []*corev1.Pod, byAddress map[netip.Addr]types.UID, byPod map[types.UID]netip.Addr) []Pod {
	var pods []Pod
	for _, pod := range all {
		if pod.Spec.HostNetwork || ended(pod) {
			continue
		}
		address, claimed := byPod[pod.UID]
		if !claimed {
			parsed, err := netip.ParseAddr(pod.Status.PodIP)
			if err != nil {
				continue // none yet
			}
			if _, taken := byAddress[parsed]; taken {
				continue // another pod has it by now
			}
			address = parsed
		}
		if address.Is4() {
			pods = append(pods, describe(pod, address))
		}
	}
	return pods
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
