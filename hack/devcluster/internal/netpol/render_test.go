package netpol

import (
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/knftables"
)

// transcript is what would be fed to nft, after the fake kernel has taken it.
func transcript(t *testing.T, rules Ruleset) string {
	t.Helper()
	family := knftables.IPv4Family
	if rules.V6 {
		family = knftables.IPv6Family
	}
	kernel := knftables.NewFake(family, Table)
	tx := kernel.NewTransaction()
	render(tx, rules)
	if err := kernel.Run(t.Context(), tx); err != nil {
		t.Fatalf("refused: %v\n%s", err, tx)
	}
	return tx.String()
}

func TestRender(t *testing.T) {
	rules := Compile(world(policy("p", ingress(networkingv1.NetworkPolicyIngressRule{
		From: []networkingv1.NetworkPolicyPeer{{PodSelector: match("app", "db")}, block("10.0.0.0/8", "10.1.0.0/16")},
		Ports: []networkingv1.NetworkPolicyPort{
			port(corev1.ProtocolTCP, number(80), 0), port(corev1.ProtocolTCP, number(8000), 8010),
			port(corev1.ProtocolUDP, number(53), 0), port(corev1.ProtocolTCP, intstr.FromString("http"), 0),
		},
	})), policy("q", egress(networkingv1.NetworkPolicyEgressRule{}))))
	got := transcript(t, rules)
	for _, want := range []string{
		"ip saddr { 198.51.100.3 } tcp dport { 80, 8000-8010 } return",
		"ip saddr { 198.51.100.3 } udp dport { 53 } return",
		"ip saddr { 198.51.100.3 } ip daddr . tcp dport { 198.51.100.2 . 8080, 198.51.100.4 . 9090 } return",
		"ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 udp dport { 53 } return",
		"{ 198.51.100.2 : jump " + rules.Chains[0].Name + " }",
		"forward ct state established,related accept",
		"forward ip saddr vmap @egress",
		"forward ip daddr vmap @ingress",
		"to-node ip saddr vmap @egress",
		rules.Chains[0].Name + " drop",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if !strings.Contains(got, rules.Chains[1].Name+" return") {
		t.Errorf("an empty egress rule must allow everything:\n%s", got)
	}
}

func TestRenderOfTheOtherFamily(t *testing.T) {
	in := world(policy("p", ingress(networkingv1.NetworkPolicyIngressRule{
		From:  []networkingv1.NetworkPolicyPeer{{PodSelector: match("app", "db")}, block("10.0.0.0/8"), block("2001:db8:9::/64", "2001:db8:9::/80")},
		Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, intstr.FromString("http"), 0)},
	})), policy("q", egress()))
	in.V6 = true
	for i := range in.Pods {
		in.Pods[i].Address = netip.MustParseAddr(strings.ReplaceAll(in.Pods[i].Address.String(), "198.51.100.", "2001:db8:2::"))
	}
	rules := Compile(in)
	got := transcript(t, rules)
	for _, want := range []string{
		"ip6 saddr { 2001:db8:2::3 } ip6 daddr . tcp dport { 2001:db8:2::2 . 8080, 2001:db8:2::4 . 9090 } return",
		"ip6 saddr 2001:db8:9::/64 ip6 saddr != 2001:db8:9::/80 ip6 daddr . tcp dport",
		"type ipv6_addr : verdict",
		"{ 2001:db8:2::2 : jump " + rules.Chains[0].Name + " }",
		"forward ip6 saddr vmap @egress",
		"to-node ip6 saddr vmap @egress",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "10.0.0.0") {
		t.Errorf("a range of IPv4 among the rules of IPv6:\n%s", got)
	}
	if discovers, isolated := strings.Index(got, "nd-neighbor-solicit"), strings.Index(got, "to-node ip6 saddr"); discovers < 0 || discovers > isolated {
		t.Errorf("an isolated pod does not find its node:\n%s", got)
	}
}

func TestRenderReplacesEverythingInOneTransaction(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(transcript(t, Compile(world()))), "\n")
	for i, want := range []string{"add table ip " + Table, "delete table ip " + Table, "add table ip " + Table} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want %q", i+1, lines[i], want)
		}
	}
}
