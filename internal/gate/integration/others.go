package integration

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Other is a place of the catalogue that a prototype did not declare, so that it must not reach it.
type Other struct {
	// Name says which entry it is.
	Name string
	// Host and Port of its address. Host is a name or an IP address.
	Host string
	Port int
}

// Others are the places of a catalogue from which a prototype must be kept, by name: gateways, integrations and their
// test instances. Places that may be one with a declared destination are left out, for reaching them is no fault.
func Others(catalogue v1alpha1.Catalogue, declared []v1alpha1.Destination) []Other {
	var out []Other
	add := func(name, address string, to v1alpha1.Destination) {
		if slices.ContainsFunc(declared, func(mine v1alpha1.Destination) bool { return mayMeet(mine, to) }) {
			return
		}
		if host, port, ok := place(address); ok && !slices.ContainsFunc(declared, func(mine v1alpha1.Destination) bool { return within(mine, host, port) }) {
			out = append(out, Other{Name: name, Host: host, Port: port})
		}
	}
	for _, gateway := range catalogue.ModelGateways {
		add("model gateway "+gateway.Name, gateway.Address, gateway.To)
	}
	for _, integration := range catalogue.Integrations {
		if at := integration.Production; at != nil {
			add("integration "+integration.Name, at.Address, at.To)
		}
		if at := integration.Sandbox; at != nil {
			add("test instance of "+integration.Name, at.Address, at.To)
		}
	}
	slices.SortFunc(out, func(a, b Other) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// mayMeet tells whether two destinations may be one: unless they are apart for sure, they may.
func mayMeet(a, b v1alpha1.Destination) bool {
	switch {
	case a.Pods != nil && b.Pods != nil:
		if a.Pods.Namespace != b.Pods.Namespace || a.Pods.Port != b.Pods.Port {
			return false
		}
		for key, value := range a.Pods.PodLabels {
			if other, both := b.Pods.PodLabels[key]; both && other != value {
				return false
			}
		}
		return true
	case a.CIDR != nil && b.CIDR != nil:
		mine, err := netip.ParsePrefix(a.CIDR.Range)
		theirs, wrong := netip.ParsePrefix(b.CIDR.Range)
		return a.CIDR.Port == b.CIDR.Port && (err != nil || wrong != nil || mine.Overlaps(theirs))
	}
	return false
}

// within tells whether an address is in a range that is declared.
func within(mine v1alpha1.Destination, host string, port int) bool {
	if mine.CIDR == nil || int(mine.CIDR.Port) != port {
		return false
	}
	prefix, err := netip.ParsePrefix(mine.CIDR.Range)
	address, wrong := netip.ParseAddr(host)
	return err == nil && wrong == nil && prefix.Contains(address.Unmap())
}

func place(address string) (host string, port int, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "", 0, false
	}
	switch {
	case u.Port() != "":
		port, err = strconv.Atoi(u.Port())
	case u.Scheme == "http":
		port = 80
	default:
		port = 443
	}
	return u.Hostname(), port, err == nil && port > 0 && port < 65536
}

// At is the place at an address that its name stands for.
func (o Other) At(address netip.Addr) string {
	return net.JoinHostPort(address.String(), strconv.Itoa(o.Port))
}
