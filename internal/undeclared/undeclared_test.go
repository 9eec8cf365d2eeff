package undeclared

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/policy"
)

func pods(port int32, labels ...string) v1alpha1.Destination {
	d := v1alpha1.PodDestination{Namespace: "apps", Port: port, PodLabels: map[string]string{}}
	for i := 0; i+1 < len(labels); i += 2 {
		d.PodLabels[labels[i]] = labels[i+1]
	}
	return v1alpha1.Destination{Pods: &d}
}

func cidr(prefix string) v1alpha1.Destination {
	return v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: prefix, Port: 443}}
}

func entry(name, address string, to v1alpha1.Destination) v1alpha1.Integration {
	return v1alpha1.Integration{Name: name, Production: &v1alpha1.Endpoint{Address: address, To: to}}
}

// world is where hosts lead. Services select the pods of their own name.
func world() map[string]Seen {
	seen := map[string]Seen{"nowhere.example.org": {Problem: "its name does not resolve"}}
	for i, name := range []string{"lms", "lms-alias", "lms-front", "erp", "lms-test"} {
		seen[name+".apps.svc"] = Seen{Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}, Service: &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name},
			Spec: corev1.ServiceSpec{Selector: map[string]string{"app": strings.TrimSuffix(name, "-alias")},
				Ports: []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromInt32(8443)}, {Port: 9443, TargetPort: intstr.FromString("admin")}}},
		}}
	}
	seen["lms-front.apps.svc"].Service.Spec.Selector = map[string]string{"tier": "front"}
	for name, addresses := range map[string][]string{
		"crm.example.org": {"203.0.113.4"}, "crm2.example.org": {"203.0.113.4"}, "hr.example.org": {"203.0.113.9", "2001:db8::9"}, "hr6.example.org": {"2001:db8::9"},
	} {
		var at []netip.Addr
		for _, address := range addresses {
			at = append(at, netip.MustParseAddr(address))
		}
		seen[name] = Seen{Addresses: at}
	}
	return seen
}

// What can be one with a declared place is no fault to reach; what is opened only because the way to another is too wide is.
func TestOthers(t *testing.T) {
	lms := entry("lms", "https://lms.apps.svc:443", pods(8443, "app", "lms"))
	suite := entry("lms", "https://lms.apps.svc:443", pods(8443, "part-of", "suite"))
	crm := entry("crm", "https://crm.example.org:443", cidr("203.0.113.0/24"))
	for name, c := range map[string]struct {
		declared, other v1alpha1.Integration
		want            string
	}{
		"itself":                      {lms, lms, ""},
		"itself, its way changed":     {lms, suite, ""},
		"the same address":            {lms, entry("x", "https://LMS.apps.svc:443", pods(8443, "app", "other")), "- integration x (may be one with integration lms)"},
		"the same pods":               {lms, entry("x", "https://lms-alias.apps.svc:443", pods(8443, "app", "lms")), "- integration x (may be one with integration lms)"},
		"the same pods, other labels": {lms, entry("x", "https://lms-alias.apps.svc:443", pods(8443, "part-of", "suite")), "- integration x (may be one with integration lms)"},
		"pods that may be the same":   {lms, entry("x", "https://lms-front.apps.svc:443", pods(8443, "tier", "front")), "- integration x (may be one with integration lms)"},
		"another port":                {lms, entry("x", "https://lms.apps.svc:80", pods(8080, "app", "lms")), "- integration x (may be one with integration lms)"},
		"another port by name":        {lms, entry("x", "https://lms.apps.svc:9443", pods(9443, "app", "lms")), "- integration x (may be one with integration lms)"},
		"other pods":                  {lms, entry("x", "https://erp.apps.svc:443", pods(8443, "app", "erp")), "integration x 10.0.0.4:443"},
		"other pods, in a wide way":   {suite, entry("x", "https://erp.apps.svc:443", pods(8443, "app", "erp")), "integration x 10.0.0.4:443"},
		"a host in a wide range":      {crm, entry("x", "https://hr.example.org:443", cidr("203.0.113.9/32")), "integration x 203.0.113.9:443; integration x, second family [2001:db8::9]:443"},
		"a host of the same range":    {crm, entry("x", "https://hr.example.org:443", cidr("203.0.113.0/24")), "- integration x (may be one with integration crm)"},
		"another name of a host":      {crm, entry("x", "https://crm2.example.org:443", cidr("203.0.113.4/32")), "- integration x (may be one with integration crm)"},
		"a host on another port":      {crm, entry("x", "https://crm2.example.org:8443", cidr("203.0.113.4/32")), "integration x 203.0.113.4:8443"},
		"no such name":                {lms, entry("x", "https://nowhere.example.org:443", cidr("203.0.113.4/32")), "- integration x (its name does not resolve)"},
	} {
		spec := v1alpha1.HardeningPolicySpec{Catalogue: v1alpha1.Catalogue{Integrations: []v1alpha1.Integration{c.other}}}
		others, untried := Others(Places(spec), Declared(policy.Requirements{Integrations: []v1alpha1.Integration{c.declared}}), world())
		if got := told(others, untried); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func told(others []gate.Other, untried []string) string {
	var out []string
	for _, o := range others {
		out = append(out, o.Name+" "+o.Address)
	}
	for _, why := range untried {
		out = append(out, "- "+why)
	}
	return strings.Join(out, "; ")
}

// Everything that a policy names is tried: gateways, both instances of integrations, and registries once each.
func TestPlaces(t *testing.T) {
	spec := v1alpha1.HardeningPolicySpec{
		Catalogue: v1alpha1.Catalogue{
			ModelGateways: []v1alpha1.ModelGateway{{Name: "default", Address: "http://gateway.models.svc/v1", To: pods(8080, "app", "gateway")}},
			Integrations: []v1alpha1.Integration{{Name: "lms", Production: &v1alpha1.Endpoint{Address: "tls://lms.apps.svc:8443"},
				Sandbox: &v1alpha1.Endpoint{Address: "https://lms-test.apps.svc:443"}}, {Name: "none"}},
		},
		Sandbox: v1alpha1.SandboxPolicy{Registries: []v1alpha1.Registry{{Prefix: "registry.example.org/team-a/"}, {Prefix: "registry.example.org/team-b/"},
			{Prefix: "images.example.org:5000/", Scheme: v1alpha1.RegistryHTTP}}},
	}
	var got []string
	for _, p := range Places(spec) {
		got = append(got, fmt.Sprintf("%s %s:%d", p.Name, p.Host, p.Port))
	}
	want := []string{"integration lms lms.apps.svc:8443", "model gateway default gateway.models.svc:80", "registry registry.example.org registry.example.org:443",
		"registry images.example.org:5000 images.example.org:5000", "test instance of lms lms-test.apps.svc:443"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// Production reaches no test instance, also of what is declared.
	requirements := policy.Requirements{ModelGateway: &spec.Catalogue.ModelGateways[0], Integrations: spec.Catalogue.Integrations}
	for _, p := range Declared(requirements) {
		if p.Name != "integration lms" && p.Name != "model gateway default" {
			t.Errorf("%s counts as declared", p.Name)
		}
	}
	if spec.Catalogue.Integrations[0].Sandbox == nil {
		t.Error("the catalogue was changed")
	}
}

func TestWhere(t *testing.T) {
	for target, want := range map[string]string{
		"integration crm": "catalogue.integrations[name=crm].production", "test instance of crm": "catalogue.integrations[name=crm].sandbox",
		"integration crm, second family": "catalogue.integrations[name=crm].production", "model gateway main": "catalogue.modelGateways[name=main]",
		"registry registry.example.org": "sandbox.registries[prefix=registry.example.org/]", "api-server": "", "sandbox affx-a": "", Resolver: "",
	} {
		if got := Where(target); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

// A run tries so many and no more, each address once, and says how many it leaves out.
func TestBounds(t *testing.T) {
	var all []Place
	seen := map[string]Seen{}
	for i := range 50 {
		host := fmt.Sprintf("h%d.example.org", i)
		seen[host] = Seen{Addresses: []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})}}
		all = append(all, Place{Name: fmt.Sprintf("integration i%d", i), Host: host, Port: 443}, Place{Name: fmt.Sprintf("test instance of i%d", i), Host: host, Port: 443})
	}
	others, untried := Others(all, nil, seen)
	if len(others) != placesAtMost || len(untried) != 28 || !strings.Contains(untried[0], "too many") {
		t.Errorf("%d tried, %d not: %v", len(others), len(untried), untried)
	}
	var services []Neighbour
	for i := range 12 {
		services = append(services, Neighbour{Namespace: fmt.Sprintf("affx-%02d", i), Address: fmt.Sprintf("10.0.0.%d:80", i)})
	}
	services = append([]Neighbour{{"affp-own", "10.0.1.1:80"}, {"affp-other", "10.0.1.2:80"}}, services...)
	others, untried = Neighbours(services, "affp-own")
	if len(others) != neighboursAtMost || others[0].Name != "production affp-other" || others[1].Name != "sandbox affx-00" || len(untried) != 1 ||
		!strings.HasPrefix(untried[0], "5 more") {
		t.Errorf("%v, %v", others, untried)
	}
	if slices.ContainsFunc(others, func(o gate.Other) bool { return o.Address == "10.0.1.1:80" }) {
		t.Error("its own production is tried")
	}
}
