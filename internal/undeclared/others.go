package undeclared

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
)

const (
	// placesAtMost and neighboursAtMost bound what one run tries of the catalogue, and of other prototypes.
	placesAtMost     = 36
	neighboursAtMost = 8
	// second marks the address of the other family, IPv6 beside IPv4.
	second = ", second family"
)

// Others are the places from which a prototype must be kept, by IP address, and words about those that are not tried.
func Others(all, declared []Place, seen map[string]Seen) (others []gate.Other, untried []string) {
	var tried []string
	skip := func(p Place, why string) { untried = append(untried, p.Name+" ("+why+")") }
	for _, p := range all {
		one := oneWith(p, declared, seen)
		if one != "" {
			// What is declared itself needs no words.
			if one != p.Name {
				skip(p, "may be one with "+one)
			}
			continue
		}
		found := at(p, seen)
		fresh := slices.DeleteFunc(slices.Clone(found), func(o gate.Other) bool { return slices.Contains(tried, o.Address) })
		switch {
		case len(found) == 0:
			skip(p, seen[p.Host].Problem)
		case len(others)+len(fresh) > placesAtMost:
			skip(p, "too many to try")
		default:
			for _, o := range fresh {
				tried, others = append(tried, o.Address), append(others, o)
			}
		}
	}
	return others, untried
}

// oneWith names what is declared and may be this place; itself, where that is.
func oneWith(p Place, declared []Place, seen map[string]Seen) (name string) {
	for _, d := range declared {
		if same(p, d, seen) && (name == "" || d.Name == p.Name) {
			name = d.Name
		}
	}
	return name
}

// at is a place by the first of its addresses, and the first of the other family.
func at(p Place, seen map[string]Seen) []gate.Other {
	var out []gate.Other
	for i, address := range seen[p.Host].Addresses {
		name := p.Name
		if i > 0 {
			name += second
		}
		if len(out) == 0 || len(out) == 1 && seen[p.Host].Addresses[0].Is4() != address.Is4() {
			out = append(out, gate.Other{Name: name, Address: netip.AddrPortFrom(address, p.Port).String()})
		}
	}
	return out
}

// Neighbour is the Service of a prototype.
type Neighbour struct{ Namespace, Address string }

// Neighbouring tells whether a target is one of another prototype's, or its own sandbox.
func Neighbouring(target string) bool {
	return strings.HasPrefix(target, production) || strings.HasPrefix(target, sandbox)
}

// Neighbours are other prototypes from which one must be kept, in their sandboxes and in production, and its own sandbox.
func Neighbours(services []Neighbour, own string) (others []gate.Other, untried []string) {
	left := 0
	for _, s := range services {
		name := production + s.Namespace
		switch {
		case s.Namespace == own:
			continue
		case strings.HasPrefix(s.Namespace, v1alpha1.SandboxPrefix):
			name = sandbox + s.Namespace
		}
		if len(others) == neighboursAtMost {
			left++
			continue
		}
		others = append(others, gate.Other{Name: name, Address: s.Address})
	}
	if left > 0 {
		untried = []string{fmt.Sprintf("%d more of other prototypes (too many to try)", left)}
	}
	return others, untried
}
