package netpol

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The world of these tests: two namespaces, three pods in one and one in the other.
const (
	web   = "198.51.100.2" // team-a: app=web, port http=8080
	db    = "198.51.100.3" // team-a: app=db
	other = "198.51.100.4" // team-a: app=web as well, but there http=9090
	far   = "198.51.100.5" // team-b: app=web
)

func world(policies ...*networkingv1.NetworkPolicy) Input {
	pod := func(namespace, name, app, address string, http int32) Pod {
		p := Pod{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}, Address: netip.MustParseAddr(address)}
		if http > 0 {
			p.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: http, Protocol: corev1.ProtocolTCP}}
		}
		return p
	}
	return Input{
		Mode: On,
		Pods: []Pod{
			pod("team-a", "web", "web", web, 8080), pod("team-a", "db", "db", db, 0),
			pod("team-a", "other", "web", other, 9090), pod("team-b", "far", "web", far, 8080),
		},
		Namespaces: map[string]map[string]string{"team-a": {"team": "a"}, "team-b": {"team": "b"}},
		Policies:   policies,
	}
}

func policy(name string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: name}, Spec: spec}
}

func match(key, value string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
}

func ingress(rules ...networkingv1.NetworkPolicyIngressRule) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{
		PodSelector: *match("app", "web"), Ingress: rules, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
	}
}

func egress(rules ...networkingv1.NetworkPolicyEgressRule) networkingv1.NetworkPolicySpec {
	return networkingv1.NetworkPolicySpec{
		PodSelector: *match("app", "db"), Egress: rules, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
	}
}

func from(peers ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicyIngressRule {
	return networkingv1.NetworkPolicyIngressRule{From: peers}
}

func to(peers ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicyEgressRule {
	return networkingv1.NetworkPolicyEgressRule{To: peers}
}

func block(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
	return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
}

func port(protocol corev1.Protocol, p intstr.IntOrString, end int32) networkingv1.NetworkPolicyPort {
	made := networkingv1.NetworkPolicyPort{Protocol: &protocol, Port: &p}
	if end > 0 {
		made.EndPort = &end
	}
	return made
}

func number(p int32) intstr.IntOrString { return intstr.FromInt32(p) }

// flow is one try to send something; after says whether it gets through.
type flow struct {
	from, to string
	protocol corev1.Protocol
	port     uint16
}

func (f flow) String() string { return fmt.Sprintf("%s to %s %s %d", f.from, f.to, f.protocol, f.port) }

func open(from, to string, port uint16) flow { return flow{from, to, corev1.ProtocolTCP, port} }

// passes judges a flow by the rules, as the kernel would.
func passes(r Ruleset, f flow) bool {
	source, destination := netip.MustParseAddr(f.from), netip.MustParseAddr(f.to)
	return allowed(r, r.Egress[source], destination, f) && allowed(r, r.Ingress[destination], source, f)
}

func allowed(r Ruleset, chain string, peer netip.Addr, f flow) bool {
	if chain == "" {
		return true
	}
	i := slices.IndexFunc(r.Chains, func(c Chain) bool { return c.Name == chain })
	return slices.ContainsFunc(r.Chains[i].Rules, func(rule Rule) bool {
		return fitsPeer(rule.Peer, peer) && fitsPort(rule, f)
	})
}

func fitsPeer(p Peer, address netip.Addr) bool {
	if len(p.Addresses) > 0 {
		return slices.Contains(p.Addresses, address)
	}
	excepted := slices.ContainsFunc(p.Except, func(e netip.Prefix) bool { return e.Contains(address) })
	return !p.Block.IsValid() || p.Block.Contains(address) && !excepted
}

func fitsPort(r Rule, f flow) bool {
	if r.Ports == nil && r.Endpoints == nil {
		return true
	}
	inRange := func(p PortRange) bool { return p.Protocol == f.protocol && p.First <= f.port && f.port <= p.Last }
	endpoint := Endpoint{netip.MustParseAddr(f.to), f.protocol, f.port}
	return slices.ContainsFunc(r.Ports, inRange) || slices.Contains(r.Endpoints, endpoint)
}

func TestCompile(t *testing.T) {
	const outside = "198.18.0.10"
	everywhere := []flow{open(web, db, 80), open(db, web, 80), open(far, web, 80), open(outside, web, 80), open(db, outside, 443)}
	tests := []struct {
		name       string
		policies   []*networkingv1.NetworkPolicy
		mode       Mode
		open, shut []flow
	}{
		{name: "no policy, all open", open: everywhere},
		{
			name:     "default deny of ingress isolates exactly the selected pods",
			policies: []*networkingv1.NetworkPolicy{policy("deny", ingress())},
			open:     []flow{open(web, db, 80), open(db, far, 80), open(web, outside, 80)},
			shut:     []flow{open(db, web, 80), open(far, web, 80), open(outside, other, 80)},
		},
		{
			name:     "default deny of egress",
			policies: []*networkingv1.NetworkPolicy{policy("deny", egress())},
			open:     []flow{open(web, db, 80), open(web, outside, 80)},
			shut:     []flow{open(db, web, 80), open(db, outside, 443), open(db, "192.0.2.10", 6443)},
		},
		{
			name: "without types a policy governs ingress, and egress only if it has egress rules",
			policies: []*networkingv1.NetworkPolicy{
				policy("plain", networkingv1.NetworkPolicySpec{PodSelector: *match("app", "web")}),
				policy("both", networkingv1.NetworkPolicySpec{
					PodSelector: *match("app", "db"), Egress: []networkingv1.NetworkPolicyEgressRule{to(block("198.18.0.0/15"))},
				}),
			},
			open: []flow{open(web, outside, 80), open(db, outside, 80)},
			shut: []flow{open(db, web, 80), open(web, db, 80), open(db, far, 80)},
		},
		{
			name:     "an empty rule allows everybody",
			policies: []*networkingv1.NetworkPolicy{policy("all", ingress(from()))},
			open:     everywhere,
		},
		{
			name: "policies add up",
			policies: []*networkingv1.NetworkPolicy{
				policy("deny", ingress()), policy("db", ingress(from(networkingv1.NetworkPolicyPeer{PodSelector: match("app", "db")}))),
			},
			open: []flow{open(db, web, 80)},
			shut: []flow{open(other, web, 80), open(far, web, 80)},
		},
		{
			name:     "a pod selector alone means the policy's namespace",
			policies: []*networkingv1.NetworkPolicy{policy("p", ingress(from(networkingv1.NetworkPolicyPeer{PodSelector: match("app", "web")})))},
			open:     []flow{open(other, web, 80)},
			shut:     []flow{open(far, web, 80), open(db, web, 80)},
		},
		{
			name:     "a namespace selector alone means all its pods",
			policies: []*networkingv1.NetworkPolicy{policy("p", ingress(from(networkingv1.NetworkPolicyPeer{NamespaceSelector: match("team", "b")})))},
			open:     []flow{open(far, web, 80)},
			shut:     []flow{open(other, web, 80), open(outside, web, 80)},
		},
		{
			name: "both selectors together mean both",
			policies: []*networkingv1.NetworkPolicy{policy("p", ingress(from(networkingv1.NetworkPolicyPeer{
				NamespaceSelector: &metav1.LabelSelector{}, PodSelector: match("app", "db"),
			})))},
			open: []flow{open(db, web, 80)},
			shut: []flow{open(far, web, 80), open(other, web, 80)},
		},
		{
			name:     "a selector that matches no pod allows nobody",
			policies: []*networkingv1.NetworkPolicy{policy("p", ingress(from(networkingv1.NetworkPolicyPeer{PodSelector: match("app", "none")})))},
			shut:     []flow{open(db, web, 80), open(outside, web, 80)},
		},
		{
			name:     "a block without its exceptions",
			policies: []*networkingv1.NetworkPolicy{policy("p", egress(to(block("0.0.0.0/0", "169.254.0.0/16", "198.51.100.0/24"))))},
			open:     []flow{open(db, outside, 443), open(db, "192.0.2.10", 6443)},
			shut:     []flow{open(db, "169.254.169.254", 80), open(db, web, 80)},
		},
		{
			name:     "a block of another family or with a broken exception allows nothing",
			policies: []*networkingv1.NetworkPolicy{policy("p", egress(to(block("::/0"), block("0.0.0.0/0", "nonsense"))))},
			shut:     []flow{open(db, outside, 443), open(db, web, 80)},
		},
		{
			name: "ports, ranges and protocols",
			policies: []*networkingv1.NetworkPolicy{policy("p", ingress(networkingv1.NetworkPolicyIngressRule{
				Ports: []networkingv1.NetworkPolicyPort{
					port(corev1.ProtocolTCP, number(80), 0), port(corev1.ProtocolTCP, number(8000), 8010), port(corev1.ProtocolUDP, number(53), 0),
				},
			}))},
			open: []flow{open(db, web, 80), open(db, web, 8000), open(db, web, 8010), {db, web, corev1.ProtocolUDP, 53}},
			shut: []flow{open(db, web, 81), open(db, web, 8011), open(db, web, 53), {db, web, corev1.ProtocolUDP, 80}, {db, web, corev1.ProtocolSCTP, 80}},
		},
		{
			name: "a protocol without a port means all its ports",
			policies: []*networkingv1.NetworkPolicy{policy("p", ingress(networkingv1.NetworkPolicyIngressRule{
				Ports: []networkingv1.NetworkPolicyPort{{}},
			}))},
			open: []flow{open(db, web, 1), open(db, web, 65535)},
			shut: []flow{{db, web, corev1.ProtocolUDP, 1}},
		},
		{
			name: "a named port is each destination's own",
			policies: []*networkingv1.NetworkPolicy{policy("p", ingress(networkingv1.NetworkPolicyIngressRule{
				Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, intstr.FromString("http"), 0)},
			}))},
			open: []flow{open(db, web, 8080), open(db, other, 9090)},
			shut: []flow{open(db, web, 9090), open(db, other, 8080)},
		},
		{
			name: "a named port of egress is looked up in the peers",
			policies: []*networkingv1.NetworkPolicy{policy("p", egress(networkingv1.NetworkPolicyEgressRule{
				To:    []networkingv1.NetworkPolicyPeer{{PodSelector: match("app", "web")}},
				Ports: []networkingv1.NetworkPolicyPort{port(corev1.ProtocolTCP, intstr.FromString("http"), 0)},
			}))},
			open: []flow{open(db, web, 8080), open(db, other, 9090)},
			shut: []flow{open(db, other, 8080), open(db, far, 8080), open(db, outside, 8080)},
		},
		{
			name:     "mode ingress leaves egress free",
			mode:     Ingress,
			policies: []*networkingv1.NetworkPolicy{policy("in", ingress()), policy("out", egress())},
			open:     []flow{open(db, outside, 443), open(db, far, 80)},
			shut:     []flow{open(db, web, 80)},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := world(test.policies...)
			if test.mode != "" {
				in.Mode = test.mode
			}
			rules := Compile(in)
			for _, f := range test.open {
				if !passes(rules, f) {
					t.Errorf("%s is shut", f)
				}
			}
			for _, f := range test.shut {
				if passes(rules, f) {
					t.Errorf("%s is open", f)
				}
			}
		})
	}
}

func TestOrderOfTheWorldDoesNotMatter(t *testing.T) {
	a := policy("a", ingress(from(block("10.0.0.0/8"))))
	b := policy("b", ingress(from(networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{}})))
	forward, backward := world(a, b), world(b, a)
	slices.Reverse(backward.Pods)
	if x, y := transcript(t, Compile(forward)), transcript(t, Compile(backward)); x != y {
		t.Errorf("the same world, two rule sets:\n%s\n%s", x, y)
	}
}

func TestPodsUnderTheSamePoliciesShareAChain(t *testing.T) {
	rules := Compile(world(policy("deny", ingress())))
	if n := len(rules.Chains); n != 1 || len(rules.Ingress) != 2 {
		t.Errorf("%d chains for %d pods", n, len(rules.Ingress))
	}
	if !strings.HasPrefix(rules.Chains[0].Name, "in-") {
		t.Errorf("chain %q", rules.Chains[0].Name)
	}
}

func TestMergeLeavesNoOverlap(t *testing.T) {
	tcp := func(first, last uint16) PortRange { return PortRange{corev1.ProtocolTCP, first, last} }
	got := merge([]PortRange{tcp(80, 80), tcp(8000, 9000), tcp(80, 90), tcp(8500, 8600), tcp(91, 91), {corev1.ProtocolUDP, 80, 80}})
	want := []PortRange{tcp(80, 91), tcp(8000, 9000), {corev1.ProtocolUDP, 80, 80}}
	if !slices.Equal(got, want) {
		t.Errorf("merged %v, want %v", got, want)
	}
}
