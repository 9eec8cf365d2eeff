package workload

import (
	"net/url"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// PilotsName is the name of the route through which pilots come, and of the network policy that lets it in.
const PilotsName = "allow-pilots"

// PilotsURL is where pilots try the prototype, through a listener that speaks HTTPS: a sign-in without TLS is none, so
// there is no other scheme.
func PilotsURL(at Surroundings, gateway v1alpha1.PilotGateway, listener gatewayv1.Listener) string {
	address := url.URL{Scheme: "https", Host: at.Identity.Host(gateway.Domain), Path: "/"}
	if listener.Port != 443 {
		address.Host += ":" + strconv.Itoa(int(listener.Port))
	}
	return address.String()
}

// PilotsRoute leads from one listener of the organisation's gateway to the prototype's Service, under a host name of its
// own. It names the groups that the sign-in in front of the gateway has to ask for; a gateway knows no people.
func PilotsRoute(at Surroundings, gateway v1alpha1.PilotGateway, listener gatewayv1.Listener, groups []string) *gatewayv1.HTTPRoute {
	parent := gatewayv1.ParentReference{
		Name: gatewayv1.ObjectName(gateway.Name), Namespace: ptr.To(gatewayv1.Namespace(gateway.Namespace)),
		SectionName: ptr.To(listener.Name),
	}
	meta := at.meta(PilotsName, at.Purpose)
	meta.Annotations = map[string]string{v1alpha1.AnnotationPilots: strings.Join(groups, "\n")}
	return &gatewayv1.HTTPRoute{
		ObjectMeta: meta,
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{parent}},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(at.Identity.Host(gateway.Domain))},
			Rules: []gatewayv1.HTTPRouteRule{{
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{Name: Name, Port: ptr.To(gatewayv1.PortNumber(ServicePort))},
				}}},
			}},
		},
	}
}

// AllowPilots lets the gateway's pods, and nobody else, call the prototype on its port.
func AllowPilots(at Surroundings, gateway v1alpha1.PilotGateway, port int32) *networkingv1.NetworkPolicy {
	policy := ingress(at, []networkingv1.NetworkPolicyPeer{peer(gateway.From.Namespace, gateway.From.PodLabels)}, port)
	policy.Name = PilotsName
	return policy
}
