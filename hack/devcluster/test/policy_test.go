//go:build cluster

package test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	in  = networkingv1.PolicyTypeIngress
	out = networkingv1.PolicyTypeEgress
)

// enforced tells what the running mode makes of a direction.
func enforced(direction networkingv1.PolicyType) bool {
	return mode == "on" || mode == "ingress" && direction == in
}

func newPolicy(t *testing.T, namespace, name string, spec networkingv1.NetworkPolicySpec) {
	t.Helper()
	_, err := client.NetworkingV1().NetworkPolicies(namespace).Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec,
	}, metav1.CreateOptions{})
	must(t, err)
}

func app(name string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

func tcp(port intstr.IntOrString) networkingv1.NetworkPolicyPort {
	return networkingv1.NetworkPolicyPort{Protocol: ptr.To(corev1.ProtocolTCP), Port: &port}
}

// expect waits until a path is open or shut, and then that it stays so.
func expect(t *testing.T, from *corev1.Pod, network, address string, open bool) {
	t.Helper()
	took := eventually(t, 5*time.Second, fmt.Sprintf("%s to %s %s open=%v", from.Name, network, address, open), func() error {
		if got := reachable(t, from, network, address); got != open {
			return fmt.Errorf("open is %v", got)
		}
		return nil
	})
	if took > attempt+time.Second {
		t.Errorf("%s to %s: took %s to become open=%v", from.Name, address, took, open)
	}
	if reachable(t, from, network, address) != open {
		t.Errorf("%s to %s: open=%v did not last", from.Name, address, open)
	}
}

func TestIngressIsolation(t *testing.T) {
	namespace, other := newNamespace(t, nil), newNamespace(t, map[string]string{"team": "friends"})
	service := newService(t, namespace, "server")
	pods := start(t, newPod(namespace, "server"), newPod(namespace, "friend"), newPod(namespace, "stranger"), newPod(other, "foreigner"))
	server, friend, stranger, foreigner := pods[0], pods[1], pods[2], pods[3]
	direct := server.Status.PodIP + ":" + agentPort
	expect(t, stranger, "tcp", direct, true)

	newPolicy(t, namespace, "deny", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in}})
	for _, pod := range []*corev1.Pod{friend, stranger, foreigner} {
		expect(t, pod, "tcp", direct, !enforced(in))
		expect(t, pod, "tcp", service+":80", !enforced(in))
	}
	newPolicy(t, namespace, "friends", networkingv1.NetworkPolicySpec{
		PodSelector: app("server"),
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{
				{PodSelector: ptr.To(app("friend"))},
				{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "friends"}}, PodSelector: ptr.To(app("foreigner"))},
			},
			Ports: []networkingv1.NetworkPolicyPort{tcp(intstr.FromString("http"))},
		}},
	})
	expect(t, friend, "tcp", direct, true)
	expect(t, friend, "tcp", service+":80", true)
	expect(t, foreigner, "tcp", direct, true)
	expect(t, stranger, "tcp", direct, !enforced(in))
	expect(t, friend, "udp", server.Status.PodIP+":"+agentUDP, !enforced(in))

	// The kubelet's probes come from the node and pass: the pod stays ready over several of them.
	time.Sleep(3 * time.Second)
	current, err := client.CoreV1().Pods(namespace).Get(t.Context(), "server", metav1.GetOptions{})
	must(t, err)
	must(t, podReady(current))
}

func TestEgressIsolation(t *testing.T) {
	namespace := newNamespace(t, nil)
	service := newService(t, namespace, "server")
	pods := start(t, newPod(namespace, "server"), newPod(namespace, "client"))
	server, user := pods[0], pods[1]
	expect(t, user, "tcp", outsideHTTP, true)
	expect(t, user, "tcp", metadataHTTP, true)

	newPolicy(t, namespace, "deny", networkingv1.NetworkPolicySpec{
		PodSelector: app("client"), PolicyTypes: []networkingv1.PolicyType{out},
	})
	everywhere := []string{
		outsideHTTP, outsideEcho, metadataHTTP, apiService, apiServer,
		server.Status.PodIP + ":" + agentPort, service + ":80", "192.0.2.10:10250",
	}
	for _, address := range everywhere {
		expect(t, user, "tcp", address, !enforced(out))
	}
	expect(t, user, "udp", outsideDNS, !enforced(out))
	expect(t, server, "tcp", outsideHTTP, true)
	if o := ask(t, user, "resolve", map[string]string{"name": "server"}); o.OK != !enforced(out) {
		t.Errorf("names under a denied egress: %+v", o)
	}

	// What is allowed is named as people do: the DNS by its labels, the server by its labels and port, the
	// outside by a range without the exception.
	newPolicy(t, namespace, "allow", networkingv1.NetworkPolicySpec{
		PodSelector: app("client"),
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{
				To: []networkingv1.NetworkPolicyPeer{{
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "kube-system"}},
					PodSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": "kube-dns"}},
				}},
				Ports: []networkingv1.NetworkPolicyPort{{Protocol: ptr.To(corev1.ProtocolUDP), Port: ptr.To(intstr.FromInt32(53))}},
			},
			{
				To:    []networkingv1.NetworkPolicyPeer{{PodSelector: ptr.To(app("server"))}},
				Ports: []networkingv1.NetworkPolicyPort{tcp(intstr.FromInt32(8080))},
			},
			{
				To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{
					CIDR: "0.0.0.0/0", Except: []string{"169.254.0.0/16", "192.0.2.0/24"},
				}}},
				Ports: []networkingv1.NetworkPolicyPort{
					{Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(400)), EndPort: ptr.To[int32](500)},
				},
			},
		},
	})
	expect(t, user, "tcp", service+":80", true) // judged after translation, at the pod's port 8080
	expect(t, user, "tcp", outsideEcho, true)
	expect(t, user, "tcp", outsideHTTP, !enforced(out))
	expect(t, user, "tcp", metadataHTTP, !enforced(out))
	expect(t, user, "tcp", apiService, !enforced(out)) // port 443 before translation, 6443 after
	if o := ask(t, user, "resolve", map[string]string{"name": "server"}); !o.OK {
		t.Errorf("names with the DNS allowed: %+v", o)
	}
}

// A pod's very first act is to try what it may not: no start may win the race against its policies.
func TestPoliciesAreInForceBeforeThePodRuns(t *testing.T) {
	namespace := newNamespace(t, nil)
	newPolicy(t, namespace, "deny", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{in, out}})
	var eager []*corev1.Pod
	for i := range 12 {
		eager = append(eager, newPod(namespace, fmt.Sprintf("eager-%d", i), outsideHTTP))
	}
	for _, pod := range start(t, eager...) {
		if first := ask(t, pod, "first", nil); first.OK == enforced(out) {
			t.Errorf("%s: first try %+v", pod.Name, first)
		}
	}
}

func TestALabelOpensAndShutsThePath(t *testing.T) {
	if !enforced(in) {
		t.Skip("nothing is enforced")
	}
	namespace := newNamespace(t, nil)
	pods := start(t, newPod(namespace, "server"), newPod(namespace, "guest"))
	server, guest := pods[0], pods[1]
	newPolicy(t, namespace, "invited", networkingv1.NetworkPolicySpec{
		PodSelector: app("server"),
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"invited": "yes"}}}},
		}},
	})
	address := server.Status.PodIP + ":" + agentPort
	for _, invited := range []bool{false, true, false} {
		current, err := client.CoreV1().Pods(namespace).Get(t.Context(), guest.Name, metav1.GetOptions{})
		must(t, err)
		delete(current.Labels, "invited")
		if invited {
			current.Labels["invited"] = "yes"
		}
		if _, err := client.CoreV1().Pods(namespace).Update(t.Context(), current, metav1.UpdateOptions{}); err != nil {
			t.Fatal(errors.Join(err, errors.New("label the guest")))
		}
		expect(t, guest, "tcp", address, invited)
	}
}
