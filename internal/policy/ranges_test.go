package policy

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestCatalogueDoesNotOpenTheCluster(t *testing.T) {
	own := ownRanges([]corev1.Node{{
		ObjectMeta: metav1.ObjectMeta{Name: "node1"},
		Spec:       corev1.NodeSpec{PodCIDRs: []string{"198.51.100.0/24", "2001:db8:1::/64"}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: "node1"}, {Type: corev1.NodeInternalIP, Address: "192.0.2.10"}, {Type: corev1.NodeExternalIP, Address: "2001:db8::10"},
		}},
	}}, []networkingv1.ServiceCIDR{{Spec: networkingv1.ServiceCIDRSpec{CIDRs: []string{"203.0.113.0/25"}}}})
	for _, c := range []struct{ opened, touches string }{
		{"198.18.0.0/24", ""},
		{"192.0.2.11/32", ""},
		{"203.0.113.128/25", ""},
		{"2001:db8:2::/64", ""},
		{"192.0.2.10/32", "192.0.2.10/32, an address of node node1"},
		{"192.0.2.0/24", "192.0.2.10/32, an address of node node1"},
		{"198.51.100.7/32", "198.51.100.0/24, from which pods on node node1 get their addresses"},
		{"203.0.113.0/24", "203.0.113.0/25, from which Services get their addresses"},
		{"203.0.113.1/32", "203.0.113.0/25, from which Services get their addresses"},
		{"2001:db8::/64", "2001:db8::10/128, an address of node node1"},
		{"2001:db8:1::7/128", "2001:db8:1::/64, from which pods"},
	} {
		to := v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: c.opened, Port: 443}}
		for field, edit := range map[string]func(*v1alpha1.HardeningPolicySpec){
			"spec.catalogue.modelGateways[0].to.cidr.range": func(p *v1alpha1.HardeningPolicySpec) { p.Catalogue.ModelGateways[0].To = to },
			"spec.catalogue.integrations[0].sandbox.to.cidr.range": func(p *v1alpha1.HardeningPolicySpec) {
				p.Catalogue.Integrations[0].Sandbox = &v1alpha1.Endpoint{To: to}
			},
			"spec.catalogue.integrations[0].production.to.cidr.range": func(p *v1alpha1.HardeningPolicySpec) {
				p.Catalogue.Integrations[0].Production = &v1alpha1.Endpoint{To: to}
			},
		} {
			problem := Check(organisation(edit).Spec, own)
			if (problem != nil) != (c.touches != "") {
				t.Errorf("%s %s: %+v", field, c.opened, problem)
			}
			if problem != nil && (problem.Reason != v1alpha1.ReasonRangeOfCluster || problem.Field != field || !strings.Contains(problem.Message, c.touches)) {
				t.Errorf("%s %s: %+v", field, c.opened, problem)
			}
		}
	}
}
