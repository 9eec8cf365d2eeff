package stop

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
)

// Names of targets. Those of places are the place's name, # and a number.
const (
	canaryTarget  = "the canary"
	allowedTarget = "what only probes may reach"
	dnsTarget     = "the resolver"
	overUDP       = " over UDP"
)

// Kinds of runs, in their label.
const (
	gateInside  = "stop"
	gateControl = "stop-control"
)

const (
	// perPlace is how many addresses of one place are tried, if not fewer because there are many places.
	perPlace = 6
	// podsPerPlace is how many of a place's pods are tried.
	podsPerPlace = 2
	// maxTargets of one run.
	maxTargets = 64
)

// placeOf is the place that a target's name speaks of.
func placeOf(target string) string {
	name, _, _ := strings.Cut(target, "#")
	return name
}

// Addresses are what was looked up for a measurement.
type Addresses struct {
	// Canary are the addresses of the isolation canary, one of every family that the cluster has.
	Canary []string
	// Resolver are the host:port of the cluster's resolver; none where it is not known.
	Resolver []string
	// Places are host:port by the name of the place, all IPs, those to be tried first at the head.
	Places map[string][]string
}

// targets of both runs; the control reaches what it can.
func (s Scene) targets(at Addresses, inside bool) []evidence.Target {
	settle := evidence.SettleAny
	if inside {
		settle = evidence.SettleBlocked
	}
	var out []evidence.Target
	add := func(name string, network evidence.Network, address string, mode evidence.Mode, settle evidence.Settle) {
		out = append(out, evidence.Target{
			Name: name, Network: network, Address: address, Mode: mode, Settle: settle, Timeout: evidence.Duration(time.Second),
		})
	}
	witness := settle
	if !inside {
		witness = evidence.SettleReached
	}
	// Only the first family and TCP are there for certain: what else the control finds it does not wait for.
	echo := func(target string, port int) {
		for i, canary := range at.Canary {
			address := net.JoinHostPort(canary, strconv.Itoa(port))
			add(nth(target, i), evidence.NetworkTCP, address, evidence.ModeEcho, witness)
			witness = settle
			add(nth(target+overUDP, i), evidence.NetworkUDP, address, evidence.ModeEcho, settle)
		}
	}
	echo(canaryTarget, v1alpha1.CanaryDeniedPort)
	if s.Effects.Cut {
		echo(allowedTarget, v1alpha1.CanaryAllowedPort)
		for i, resolver := range at.Resolver {
			add(nth(dnsTarget, i), evidence.NetworkTCP, resolver, evidence.ModeConnect, settle)
		}
	}
	each := max(1, min(perPlace, (maxTargets-len(out))/max(1, len(at.Places))))
	for _, name := range slices.Sorted(maps.Keys(at.Places)) {
		addresses := at.Places[name]
		for i, address := range addresses[:min(len(addresses), each)] {
			add(fmt.Sprintf("%s#%d", name, i+1), evidence.NetworkTCP, address, evidence.ModeConnect, settle)
		}
	}
	return out
}

// nth is the name of a target at the address of the cluster's first family, or of its second.
func nth(target string, family int) string {
	if family == 0 {
		return target
	}
	return fmt.Sprintf("%s#%d", target, family+1)
}

// spread has one address of every group come before the second of any: of pods and Services, every family.
func spread(groups ...[]string) []string {
	var out []string
	for i, more := 0, true; more; i++ {
		more = false
		for _, group := range groups {
			if i >= len(group) {
				continue
			}
			more = true
			if !slices.Contains(out, group[i]) {
				out = append(out, group[i])
			}
		}
	}
	return out
}

// direct are the addresses of a place that need no looking up: of a range, its own, and of the entry's address, if that
// is one. A name of a Service is returned as its namespace and name.
func direct(place Place) (addresses []string, service [2]string, port string) {
	if u, err := url.Parse(place.Address); err == nil && u.Hostname() != "" {
		port = u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil && port != "" {
			addresses = append(addresses, net.JoinHostPort(ip.String(), port))
		} else if parts := strings.Split(u.Hostname(), "."); len(parts) >= 3 && parts[2] == "svc" {
			service = [2]string{parts[1], parts[0]}
		}
	}
	if place.To.CIDR != nil {
		if prefix, err := netip.ParsePrefix(place.To.CIDR.Range); err == nil {
			for _, end := range ends(prefix) {
				addresses = append(addresses, net.JoinHostPort(end.String(), strconv.Itoa(int(place.To.CIDR.Port))))
			}
		}
	}
	return addresses, service, port
}

// ends are the first and the last address of a range that somebody can have: neither that of the network nor the one for
// all.
func ends(prefix netip.Prefix) []netip.Addr {
	first := prefix.Masked().Addr()
	bytes := first.AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes) // as long as those of the first
	if width := len(bytes)*8 - prefix.Bits(); width > 1 {
		first, last = first.Next(), last.Prev()
	}
	if first == last {
		return []netip.Addr{first}
	}
	return []netip.Addr{first, last}
}

// series is what begins the names of all attempts at the run inside, or at its control, and where they are made.
func (s Scene) series(inside bool) client.ObjectKey {
	if inside {
		return client.ObjectKey{Namespace: s.Namespace.Name, Name: s.Identity.Series("stop", s.purpose())}
	}
	return client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: s.Identity.Series("stop", s.purpose()+"-control")}
}

// probe is a run without its name and its order. To the network the one inside is a pod of the workload: it may what those may, and is
// where the newest of them is, under the same runtime. In a
// sandbox whose whole network is cut it is an isolation probe, which once could do more.
func (s Scene) probe(image string, inside bool) workload.Run {
	r := workload.Run{
		Identity: s.Identity, Namespace: s.series(inside).Namespace, Component: workload.ComponentPrototype, Gate: gateInside,
		Image: image, ServiceAccount: workload.Name, DeadlineSeconds: 180, CPU: "100m", Memory: "64Mi",
	}
	if s.purpose() == v1alpha1.PurposeSandbox {
		r.Component = workload.ComponentProbe
		if s.Effects.Cut {
			r.Gate = assess.ReportIsolation
		}
	}
	r.Node, r.RuntimeClass = s.where()
	if !inside {
		r.Node, r.RuntimeClass = "", ""
		r.Component, r.Gate, r.ServiceAccount = workload.ComponentProbe, gateControl, v1alpha1.RunnerAccount
	}
	return r
}

// witnessTime is for how long a control waits at most to be told that the run inside has ended.
const witnessTime = time.Minute

// job is a whole run. The control begins first and stays at work until the run inside has ended.
func (s Scene) job(image, nonce string, at Addresses, inside bool) (*batchv1.Job, error) {
	spec := &evidence.IsolationSpec{Targets: s.targets(at, inside), Deadline: evidence.Duration(10 * time.Second)}
	if !inside {
		spec.Told, spec.Window, spec.Deadline = true, evidence.Duration(witnessTime), evidence.Duration(witnessTime+5*time.Second)
	}
	r := s.probe(image, inside)
	r.Name = names.Attempt(s.series(inside).Name, nonce)
	r.Order = evidence.RunSpec{Nonce: nonce, Subject: s.inputs(), Order: spec}
	job, err := r.Job()
	if err != nil {
		return nil, err
	}
	if inside && s.Reach.Review != "" {
		labels := maps.Clone(job.Spec.Template.Labels)
		labels[v1alpha1.LabelReview] = s.Reach.Review
		job.Spec.Template.Labels = labels
	}
	return job, nil
}
