package sandbox

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// anEntrance is the Gateway of that name, with a listener per protocol and port.
func anEntrance(listeners ...gatewayv1.Listener) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: "gateways", Name: "people"},
		Spec:       gatewayv1.GatewaySpec{GatewayClassName: "any", Listeners: listeners},
	}
}

func speaking(protocol gatewayv1.ProtocolType, name gatewayv1.SectionName, port gatewayv1.PortNumber) gatewayv1.Listener {
	return gatewayv1.Listener{Name: name, Protocol: protocol, Port: port}
}

// Pilots come through a listener that is there and speaks HTTPS, and through no other; the address follows it.
func TestTheListenerOfPilots(t *testing.T) {
	const plain, safe, passed = gatewayv1.HTTPProtocolType, gatewayv1.HTTPSProtocolType, gatewayv1.TLSProtocolType
	for name, test := range map[string]struct {
		section   string
		listeners []gatewayv1.Listener
		// through and port are where pilots come in; else reason and says tell why they can't.
		through      gatewayv1.SectionName
		port         string
		reason, says string
	}{
		"the usual port":         {"signed-in", []gatewayv1.Listener{speaking(safe, "signed-in", 443)}, "signed-in", "", "", ""},
		"another port":           {"signed-in", []gatewayv1.Listener{speaking(safe, "signed-in", 8443)}, "signed-in", ":8443", "", ""},
		"among others":           {"signed-in", []gatewayv1.Listener{speaking(safe, "staff", 443), speaking(safe, "signed-in", 444)}, "signed-in", ":444", "", ""},
		"not named, the only":    {"", []gatewayv1.Listener{speaking(plain, "open", 80), speaking(safe, "staff", 443)}, "staff", "", "", ""},
		"not named, one of many": {"", []gatewayv1.Listener{speaking(safe, "staff", 443), speaking(safe, "signed-in", 444)}, "", "", v1alpha1.ReasonNoPilotListener, "several of its listeners"},
		"not named, plain":       {"", []gatewayv1.Listener{speaking(plain, "open", 80)}, "", "", v1alpha1.ReasonListenerNotEncrypted, "none of its listeners"},
		"not there":              {"signed-in", []gatewayv1.Listener{speaking(safe, "staff", 443)}, "", "", v1alpha1.ReasonNoPilotListener, `no listener "signed-in"`},
		"plain":                  {"signed-in", []gatewayv1.Listener{speaking(plain, "signed-in", 443)}, "", "", v1alpha1.ReasonListenerNotEncrypted, `"signed-in" speaks HTTP;`},
		"passed through":         {"signed-in", []gatewayv1.Listener{speaking(passed, "signed-in", 443)}, "", "", v1alpha1.ReasonListenerNotEncrypted, "speaks TLS;"},
		"no gateway at all":      {"signed-in", nil, "", "", v1alpha1.ReasonNoPilotListener, "it is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			w := invites(t)
			w.answers(accepted(), resolved())
			w.must(w.client.Delete(t.Context(), anEntrance()))
			if test.listeners != nil {
				w.must(w.client.Create(t.Context(), anEntrance(test.listeners...)))
			}
			w.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Access.Gateway.SectionName = test.section })
			w.settle()
			if test.through == "" {
				w.expect(v1alpha1.ConditionOpenToPilots, metav1.ConditionFalse, test.reason)
				if gap := w.gap(test.reason); gap == nil || !strings.Contains(gap.Message, test.says) || gap.Owner != v1alpha1.OwnerIT {
					t.Errorf("gap %+v", gap)
				}
				if w.route() != nil || w.pilotPolicy() != nil || w.pilotURL() != "" {
					t.Errorf("still open: route %v, network %v, at %q", w.route(), w.pilotPolicy(), w.pilotURL())
				}
				return
			}
			w.answers(accepted(), resolved())
			if got := *w.route().Spec.ParentRefs[0].SectionName; got != test.through {
				t.Errorf("leads from %q", got)
			}
			if want := "https://churn-advisor-" + w.identity.Hash() + ".pilots.example.org" + test.port + "/"; w.pilotURL() != want {
				t.Errorf("pilots find it at %q, want %q", w.pilotURL(), want)
			}
		})
	}
}

// The address of another listener is named only when the gateway took the route there.
func TestTheListenerOfPilotsChanges(t *testing.T) {
	w := invites(t)
	w.answers(accepted(), resolved())
	var gateway gatewayv1.Gateway
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(anEntrance()), &gateway))
	gateway.Spec.Listeners = append(gateway.Spec.Listeners, speaking(gatewayv1.HTTPSProtocolType, "staff", 8443))
	w.must(w.client.Update(t.Context(), &gateway))
	w.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Access.Gateway.SectionName = "staff" })
	_, err := w.reconcile()
	w.must(err)
	if w.pilotURL() != "" {
		t.Errorf("found at %q before the gateway took the route there", w.pilotURL())
	}
}

// A Gateway has those look again whose policy names it, and nobody else.
func TestAGatewayThatChanges(t *testing.T) {
	w := invites(t)
	if got := w.through(t.Context(), anEntrance()); len(got) != 1 || got[0].NamespacedName != w.key {
		t.Errorf("look again: %v", got)
	}
	other := anEntrance()
	other.Namespace = "elsewhere"
	if got := w.through(t.Context(), other); len(got) != 0 {
		t.Errorf("a gateway elsewhere has look again: %v", got)
	}
}
