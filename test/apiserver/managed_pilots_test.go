package apiserver

import (
	"context"
	"testing"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
)

// invited is a prototype with pilots.
var invited = workload.Surroundings{Identity: names.Identity{Namespace: team, Name: "invited", UID: "9e0c"}, Purpose: v1alpha1.PurposeSandbox}

// pilotsRoute is the way of the pilots, as the operator makes it in a sandbox that is there.
func pilotsRoute() *gatewayv1.HTTPRoute {
	at := invited
	at.Namespace = at.Identity.Sandbox()
	return workload.PilotsRoute(at, v1alpha1.PilotGateway{Name: "people", Namespace: "gateways", Domain: "pilots.example.org"},
		gatewayv1.Listener{Name: "signed-in", Protocol: gatewayv1.HTTPSProtocolType, Port: 443}, []string{"volunteers"})
}

// Threat 26: of the ways in that the Gateway API knows, the operator's token makes the one of the pilots. It comes before
// TestEmergencyExit: an API server that lost all bindings of a kind of parameters at once hears of changed ones no more.
func TestTheWayOfPilotsIsNarrow(t *testing.T) {
	op := as(operator)
	namespace := managed(invited.Identity.Sandbox(), v1alpha1.PurposeSandbox)
	must(t, client.IgnoreAlreadyExists(op.Create(t.Context(), namespace)))
	must(t, client.IgnoreAlreadyExists(op.Create(t.Context(), bound("affineur-managed", namespace.Name, v1alpha1.SystemNamespace, "affineur"))))
	soon(t, func() error { return dry(op).Create(t.Context(), pilotsRoute()) })
	narrow := func(name, says string, edit func(*gatewayv1.HTTPRoute)) attack {
		return attack{name, "affineur-pilot-routes", says, op, func(ctx context.Context, c client.Client) error {
			route := pilotsRoute()
			edit(route)
			return c.Create(ctx, route)
		}}
	}
	hosts := func(names ...gatewayv1.Hostname) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) { r.Spec.Hostnames = names }
	}
	parent := func(edit func(*gatewayv1.ParentReference)) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) { edit(&r.Spec.ParentRefs[0]) }
	}
	backend := func(edit func(*gatewayv1.HTTPBackendRef)) func(*gatewayv1.HTTPRoute) {
		return func(r *gatewayv1.HTTPRoute) { edit(&r.Spec.Rules[0].BackendRefs[0]) }
	}
	own := pilotsRoute().Spec.Hostnames[0]
	redirect := gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterRequestRedirect, RequestRedirect: &gatewayv1.HTTPRequestRedirectFilter{Hostname: ptr.To[gatewayv1.PreciseHostname]("elsewhere.example.org")}}
	tryAll(t, []attack{
		narrow("another route", "there is no other", func(r *gatewayv1.HTTPRoute) { r.Name = "another" }),
		narrow("the organisation's own host", "ends in the hash", hosts("www.example.org")),
		narrow("another prototype's host", "ends in the hash", hosts("advisor-0a1b2c3d.pilots.example.org")),
		narrow("every host", "ends in the hash", hosts()),
		narrow("a host beside its own", "ends in the hash", hosts(own, "www.example.org")),
		narrow("every host of a domain", "ends in the hash", hosts("*.pilots.example.org")),
		narrow("its hash further behind", "ends in the hash", hosts("www."+own)),
		narrow("a gateway of its own", "one Gateway of another namespace", parent(func(p *gatewayv1.ParentReference) { p.Namespace = nil })),
		narrow("a mesh instead of a gateway", "one Gateway of another namespace", parent(func(p *gatewayv1.ParentReference) {
			p.Group, p.Kind = ptr.To[gatewayv1.Group](""), ptr.To[gatewayv1.Kind]("Service")
		})),
		narrow("two gateways", "one Gateway of another namespace", func(r *gatewayv1.HTTPRoute) {
			r.Spec.ParentRefs = append(r.Spec.ParentRefs, *r.Spec.ParentRefs[0].DeepCopy())
			r.Spec.ParentRefs[1].Name = "another"
		}),
		narrow("another Service", "and nowhere else", backend(func(b *gatewayv1.HTTPBackendRef) { b.Name = "another" })),
		narrow("a Service of another namespace", "and nowhere else", backend(func(b *gatewayv1.HTTPBackendRef) { b.Namespace = ptr.To[gatewayv1.Namespace](team) })),
		narrow("a redirect", "and nowhere else", func(r *gatewayv1.HTTPRoute) {
			r.Spec.Rules[0].BackendRefs, r.Spec.Rules[0].Filters = nil, []gatewayv1.HTTPRouteFilter{redirect}
		}),
	})
	// Where the installer names gateways, there are no others.
	changeParameters(t, func(data map[string]string) {
		data["pilotGateways"] = "gateways/other other.example.org\ngateways/people pilots.example.org"
	})
	for _, a := range []attack{
		narrow("a gateway that nobody named", "names with its domain", parent(func(p *gatewayv1.ParentReference) { p.Name = "public" })),
		narrow("a gateway of the same name", "names with its domain", parent(func(p *gatewayv1.ParentReference) { p.Namespace = ptr.To[gatewayv1.Namespace](team) })),
		narrow("another gateway's domain", "names with its domain", hosts(gatewayv1.Hostname(invited.Identity.Host("other.example.org")))),
	} {
		soon(t, func() error { return a.refused(t.Context(), dry) })
	}
	must(t, dry(op).Create(t.Context(), pilotsRoute()))
	if state := measure(t); !state.InPlace {
		t.Errorf("naming gateways counts as a change of the guards: %s: %s", state.Reason, state.Message)
	}
}
