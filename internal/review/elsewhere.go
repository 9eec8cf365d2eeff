package review

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"golang.org/x/sync/errgroup"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/probe"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/undeclared"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// lookupFresh is for how long it is remembered where a host leads, lookupWithin how long a resolver may take, and
	// lookupsAtOnce how many are asked about side by side.
	lookupFresh   = time.Minute
	lookupWithin  = 2 * time.Second
	lookupsAtOnce = 16
	// nodesAtMost bounds the nodes that a control tries, and untriedAtMost the words about what is not tried.
	nodesAtMost   = 12
	untriedAtMost = 192
	// resolverService is the cluster's resolver in kube-system, under the name that every cluster gives it.
	resolverService = "kube-dns"
)

// Elsewhere is what a rehearsal must not reach, by IP address: one that does not resolve would look like one that is out
// of reach.
type Elsewhere struct {
	Nodes   []string
	Others  []gate.Other
	Untried []string
}

// Lookup says where a host name leads.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// hosts remembers where hosts lead, for all reviews: each is looked at often, and few change.
type hosts struct {
	mutex sync.Mutex
	known map[string]remembered
}

type remembered struct {
	seen  undeclared.Seen
	until time.Time
}

// rehearses tells whether the run that is made next, or at work, is one under production's network policies.
func (m Measuring) rehearses() bool { return m.Current != nil && m.Current.Site == gate.SiteRehearsal }

// rehearses tells whether any is.
func (s Snapshot) rehearses() bool {
	return slices.ContainsFunc(s.Measured, Measuring.rehearses)
}

// elsewhere looks at the policy as it is now: what is undeclared is not frozen, and the record holds only what is.
func (o observer) elsewhere(ctx context.Context, s *Snapshot) error {
	var policy v1alpha1.HardeningPolicy
	if err := o.Reader.Get(ctx, client.ObjectKey{Name: s.Record.PolicyName}, &policy); client.IgnoreNotFound(err) != nil {
		return err
	}
	all, declared := undeclared.Places(policy.Spec), undeclared.Declared(s.Record.Requirements)
	seen, err := o.lookUp(ctx, undeclared.Hosts(slices.Concat(all, declared)...))
	if err != nil {
		return err
	}
	e := &s.Elsewhere
	e.Others, e.Untried = undeclared.Others(all, declared, seen)
	if s.Record.Requirements.DNS == "None" {
		if err := o.resolver(ctx, e); err != nil {
			return err
		}
	}
	s.beyond()
	return errors.Join(o.neighbours(ctx, s.Record.Prototype.Production(), e), o.nodes(ctx, e))
}

// beyond the cluster is one address that stands for all of them, unless the catalogue leads there.
func (s *Snapshot) beyond() {
	e, at := &s.Elsewhere, s.Settings.Beyond
	production := workload.Surroundings{Purpose: v1alpha1.PurposeProduction, Requirements: s.Record.Requirements}
	switch {
	case !at.IsValid():
	case production.MayReach(at):
		e.Untried = append(e.Untried, isolation.TargetBeyond+" (what is declared leads there)")
	case probe.RefuseSpecial(at.Addr()) != nil:
		e.Untried = append(e.Untried, isolation.TargetBeyond+" (an address that no runner touches)")
	default:
		e.Others = append(e.Others, gate.Other{Name: isolation.TargetBeyond, Address: at.String()})
	}
}

// resolver must be out of reach where the policy closes it.
func (o observer) resolver(ctx context.Context, e *Elsewhere) error {
	found, err := run.ServiceAddresses(ctx, o.Live, "kube-system", resolverService)
	if len(found) > 0 {
		e.Others = append(e.Others, gate.Other{Name: undeclared.Resolver, Address: net.JoinHostPort(found[0], "53")})
	} else {
		e.Untried = append(e.Untried, undeclared.Resolver+" (it is not found)")
	}
	return err
}

// neighbours are the Services of other prototypes. Their own policies keep the control out, too, so that silence shows
// nothing; an answer does.
func (o observer) neighbours(ctx context.Context, own string, e *Elsewhere) error {
	var services corev1.ServiceList
	if err := o.Reader.List(ctx, &services, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}); err != nil {
		return err
	}
	var found []undeclared.Neighbour
	for _, service := range services.Items {
		prototype := strings.HasPrefix(service.Namespace, v1alpha1.SandboxPrefix) || strings.HasPrefix(service.Namespace, v1alpha1.ProductionPrefix)
		if _, err := netip.ParseAddr(service.Spec.ClusterIP); err == nil && prototype && service.Name == workload.Name {
			found = append(found, undeclared.Neighbour{
				Namespace: service.Namespace, Address: net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(workload.ServicePort)),
			})
		}
	}
	slices.SortFunc(found, func(a, b undeclared.Neighbour) int { return cmp.Compare(a.Namespace, b.Namespace) })
	others, untried := undeclared.Neighbours(found, own)
	e.Others, e.Untried = append(e.Others, others...), append(e.Untried, untried...)
	if len(e.Untried) > untriedAtMost {
		e.Untried = append(e.Untried[:untriedAtMost-1], "and more of them")
	}
	return nil
}

func (o observer) nodes(ctx context.Context, e *Elsewhere) error {
	var nodes corev1.NodeList
	if err := o.Reader.List(ctx, &nodes); err != nil {
		return err
	}
	found := sets.New[string]()
	for _, node := range nodes.Items {
		for _, address := range node.Status.Addresses {
			if at, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeInternalIP && probe.RefuseSpecial(at) == nil {
				found.Insert(at.String())
				break
			}
		}
	}
	e.Nodes = sets.List(found)
	e.Nodes = e.Nodes[:min(len(e.Nodes), nodesAtMost)]
	return nil
}

// lookUp says where hosts lead. What can't be resolved is a value; an error is the API server's.
func (o observer) lookUp(ctx context.Context, names []string) (map[string]undeclared.Seen, error) {
	out, now := make(map[string]undeclared.Seen, len(names)), o.Now()
	var mutex sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookupsAtOnce)
	for _, name := range names {
		if seen, ok := o.Hosts.recall(name, now); ok {
			mutex.Lock()
			out[name] = seen
			mutex.Unlock()
			continue
		}
		g.Go(func() error {
			seen, err := o.host(ctx, name)
			if err != nil {
				return err
			}
			o.Hosts.keep(name, remembered{seen: seen, until: now.Add(lookupFresh)}, now)
			mutex.Lock()
			out[name] = seen
			mutex.Unlock()
			return nil
		})
	}
	return out, g.Wait()
}

// host asks the API server about a Service and the resolver about everything else.
func (o observer) host(ctx context.Context, name string) (undeclared.Seen, error) {
	var seen undeclared.Seen
	var found []netip.Addr
	if parts := strings.Split(name, "."); len(parts) > 2 && parts[2] == "svc" {
		var service corev1.Service
		err := o.Live.Get(ctx, client.ObjectKey{Namespace: parts[1], Name: parts[0]}, &service)
		if client.IgnoreNotFound(err) != nil {
			return seen, err
		}
		if err == nil {
			seen.Service = &service
		}
		for _, text := range service.Spec.ClusterIPs {
			if at, err := netip.ParseAddr(text); err == nil {
				found = append(found, at)
			}
		}
	}
	if len(found) == 0 {
		lookup := o.Lookup
		if lookup == nil {
			lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
				return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			}
		}
		bounded, stop := context.WithTimeout(ctx, lookupWithin)
		defer stop()
		// Whatever went wrong, there is no address to try, and the report says so.
		found, _ = lookup(bounded, name)
	}
	return touchable(seen, found), ctx.Err()
}

// touchable leaves out addresses that no runner may touch.
func touchable(seen undeclared.Seen, found []netip.Addr) undeclared.Seen {
	seen.Problem = "its name does not resolve"
	for _, at := range found {
		if at = at.Unmap(); probe.RefuseSpecial(at) == nil {
			seen.Addresses = append(seen.Addresses, at)
			continue
		}
		seen.Problem = "its name leads to an address that no runner touches"
	}
	slices.SortFunc(seen.Addresses, netip.Addr.Compare)
	return seen
}

func (h *hosts) recall(name string, now time.Time) (undeclared.Seen, bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	found, ok := h.known[name]
	return found.seen, ok && now.Before(found.until)
}

// keep remembers a host, and forgets those that are out of date.
func (h *hosts) keep(name string, what remembered, now time.Time) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.known == nil {
		h.known = map[string]remembered{}
	}
	for other, old := range h.known {
		if !now.Before(old.until) {
			delete(h.known, other)
		}
	}
	h.known[name] = what
}
