// Package undeclared says what a prototype did not declare and must not reach from production: everything else of the
// catalogue, and the registries. It is pure: where names lead, it is told.
package undeclared

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
)

// Beginnings of the names of targets, by what they are.
const (
	integration = "integration "
	gateway     = "model gateway "
	instance    = "test instance of "
	images      = "registry "
	sandbox     = "sandbox "
	production  = "production "
	// Resolver is the cluster's own, where the policy closes it.
	Resolver = "the cluster's resolver"
)

// longestHost is what fits into the name of a target; no host of a registry that resolves is longer.
const longestHost = 200

// Place of the catalogue.
type Place struct {
	// Name of the target.
	Name string
	// Host is a name or an IP address.
	Host string
	Port uint16
	// To is where the catalogue lets prototypes go for it; zero for a registry.
	To v1alpha1.Destination
}

// Places of a policy in the order in which they are worth trying: what production uses first.
func Places(spec v1alpha1.HardeningPolicySpec) []Place {
	var out []Place
	add := func(name, address string, to v1alpha1.Destination) {
		if host, port, ok := hostPort(address); ok {
			out = append(out, Place{Name: name, Host: host, Port: port, To: to})
		}
	}
	for _, i := range spec.Catalogue.Integrations {
		if i.Production != nil {
			add(integration+i.Name, i.Production.Address, i.Production.To)
		}
	}
	for _, g := range spec.Catalogue.ModelGateways {
		add(gateway+g.Name, g.Address, g.To)
	}
	for _, r := range spec.Sandbox.Registries {
		host, _, _ := strings.Cut(r.Prefix, "/")
		host = host[:min(len(host), longestHost)]
		scheme := "https://"
		if r.Scheme == v1alpha1.RegistryHTTP {
			scheme = "http://"
		}
		if !slices.ContainsFunc(out, func(p Place) bool { return p.Name == images+host }) {
			add(images+host, scheme+host, v1alpha1.Destination{})
		}
	}
	for _, i := range spec.Catalogue.Integrations {
		if i.Sandbox != nil {
			add(instance+i.Name, i.Sandbox.Address, i.Sandbox.To)
		}
	}
	return out
}

// Declared are the places that production may reach.
func Declared(r policy.Requirements) []Place {
	var spec v1alpha1.HardeningPolicySpec
	if r.ModelGateway != nil {
		spec.Catalogue.ModelGateways = []v1alpha1.ModelGateway{*r.ModelGateway}
	}
	for _, i := range r.Integrations {
		i.Sandbox = nil
		spec.Catalogue.Integrations = append(spec.Catalogue.Integrations, i)
	}
	return Places(spec)
}

// Hosts of places, each once.
func Hosts(places ...Place) []string {
	var out []string
	for _, p := range places {
		if !slices.Contains(out, p.Host) {
			out = append(out, p.Host)
		}
	}
	return out
}

// Where names the field of the policy that a target is from; "" for what is from no policy.
func Where(target string) string {
	target = strings.TrimSuffix(target, second)
	for beginning, field := range map[string]string{
		integration: "catalogue.integrations[name=%].production", instance: "catalogue.integrations[name=%].sandbox",
		gateway: "catalogue.modelGateways[name=%]", images: "sandbox.registries[prefix=%/]",
	} {
		if name, ok := strings.CutPrefix(target, beginning); ok {
			return strings.Replace(field, "%", name, 1)
		}
	}
	return ""
}

// Seen is where a host leads.
type Seen struct {
	// Addresses that a runner may touch.
	Addresses []netip.Addr
	// Service that the host names; nil where it names none.
	Service *corev1.Service
	// Problem says why there is no address.
	Problem string
}

// same tells whether a place is, or may be, one with another: then the network can't let a prototype go to one of them
// alone, and reaching it is no fault. They are apart for sure where they have other addresses and either lead to pods
// whose labels contradict each other, or are opened by other destinations outside.
func same(a, b Place, seen map[string]Seen) bool {
	if a.Port == b.Port && (a.Host == b.Host || slices.ContainsFunc(seen[a.Host].Addresses, func(at netip.Addr) bool { return slices.Contains(seen[b.Host].Addresses, at) })) {
		return true
	}
	mine, theirs := served(a, seen[a.Host].Service), served(b, seen[b.Host].Service)
	if mine != nil && theirs != nil {
		return mayBeOne(*mine, *theirs)
	}
	return a.To != v1alpha1.Destination{} && equality.Semantic.DeepEqual(a.To, b.To)
}

// served are the pods behind a place: those that its Service selects, which may be others than the catalogue opens the
// way to. Port 0 is not known.
func served(p Place, service *corev1.Service) *v1alpha1.PodDestination {
	if service == nil || len(service.Spec.Selector) == 0 {
		return p.To.Pods
	}
	out := &v1alpha1.PodDestination{Namespace: service.Namespace, PodLabels: service.Spec.Selector}
	for _, port := range service.Spec.Ports {
		switch {
		case port.Port != int32(p.Port):
		case port.TargetPort.IntVal != 0:
			out.Port = port.TargetPort.IntVal
		case port.TargetPort.StrVal == "":
			out.Port = port.Port
		}
	}
	return out
}

// mayBeOne is false only where no pod can be both.
func mayBeOne(a, b v1alpha1.PodDestination) bool {
	if a.Namespace != b.Namespace || a.Port != b.Port && a.Port != 0 && b.Port != 0 {
		return false
	}
	for key, value := range a.PodLabels {
		if other, both := b.PodLabels[key]; both && other != value {
			return false
		}
	}
	return true
}

func hostPort(address string) (host string, port uint16, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "", 0, false
	}
	text := u.Port()
	switch {
	case text != "":
	case u.Scheme == "http":
		text = "80"
	default:
		text = "443"
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return strings.ToLower(u.Hostname()), uint16(n), err == nil && n > 0
}
