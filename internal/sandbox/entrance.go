package sandbox

import (
	"fmt"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// entrance is the listener through which pilots come, or what is wrong with what the policy names.
type entrance struct {
	listener *gatewayv1.Listener
	// reason and why, where there is none.
	reason, why string
}

// entrance is the listener that the policy names; where it names none, the only one that speaks HTTPS. Anything else is
// refused: over plain HTTP, whoever listens on the way has the pilots' credentials.
func (s Snapshot) entrance() entrance {
	at := s.gateway()
	if s.Gateway == nil {
		return entrance{reason: v1alpha1.ReasonNoPilotListener, why: "it is not there."}
	}
	var fit []*gatewayv1.Listener
	for i := range s.Gateway.Spec.Listeners {
		listener := &s.Gateway.Spec.Listeners[i]
		if string(listener.Name) == at.SectionName || at.SectionName == "" && listener.Protocol == gatewayv1.HTTPSProtocolType {
			fit = append(fit, listener)
		}
	}
	switch {
	case len(fit) == 0 && at.SectionName != "":
		return entrance{reason: v1alpha1.ReasonNoPilotListener, why: fmt.Sprintf("it has no listener %q.", at.SectionName)}
	case len(fit) == 0:
		return entrance{reason: v1alpha1.ReasonListenerNotEncrypted, why: "none of its listeners speaks HTTPS."}
	case len(fit) > 1:
		return entrance{reason: v1alpha1.ReasonNoPilotListener, why: "several of its listeners speak HTTPS, and the policy names none (sectionName)."}
	case fit[0].Protocol != gatewayv1.HTTPSProtocolType:
		return entrance{reason: v1alpha1.ReasonListenerNotEncrypted,
			why: fmt.Sprintf("its listener %q speaks %s; people sign in over HTTPS only.", fit[0].Name, fit[0].Protocol)}
	}
	return entrance{listener: fit[0]}
}
