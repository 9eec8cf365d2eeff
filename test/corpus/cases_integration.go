package main

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// integrations that don't work where production will run.
func integrations() []sample {
	broken := func(name, hole, says string) sample {
		return sample{name: "needs-" + name, hole: hole, gate: "integration", reason: v1alpha1.ReasonIntegrationBroken, says: says, edit: uses(name)}
	}
	return []sample{
		broken("broken", "a system that answers with an error", "status 500"),
		broken("moved", "a system that leads somewhere else", "status 302"),
		broken("missing", "a path that the system does not have", "status 404"),
		broken("late", "a system that takes the question and never answers", "no answer in time"),
		broken("quiet", "a system that answers, though with another status than the catalogue says", "status 204"),
		broken("locked", "a credential that the system does not take", "status 401").fastly(),
		broken("keyless", "a system that wants a credential, and the catalogue names none", "status 401"),
		broken("nameless", "a name that does not resolve", "does not resolve"),
		broken("closed", "a port at which nobody listens", "refused"),
		broken("misrouted", "a network policy that opens the way to other pods", "no answer in time"),
		broken("unborn", "a system of which there is no production instance", "no production target"),
		broken("expired", "a certificate that has ended", "certificate").fastly(),
		broken("early", "a certificate that is not valid yet", "certificate"),
		broken("other", "a certificate for another name", "certificate"),
		broken("stranger", "a certificate of an authority that nobody knows", "certificate"),
		broken("untrusted", "a certificate of a private authority that the catalogue does not name", "certificate"),
		broken("old", "a system that speaks no newer TLS than 1.1", "TLS"),
		broken("stale-schema", "a system whose answer lacks a field that the catalogue promises", "its answer is not what the catalogue says"),
		broken("sign-in-page", "a system that answers with a page to sign in, and status 200", "its answer is not what the catalogue says"),
		{name: "needs-ending", hole: "a certificate that ends in two days", gate: "integration", reason: v1alpha1.ReasonCertificateEnds, says: "ending", edit: uses("ending")},
		{name: "opens-a-suite", hole: "a way to one system that leads to another as well, which is not declared", gate: "integration",
			reason: v1alpha1.ReasonForbiddenReached, says: "integration neighbour can be reached", edit: uses("suite")},
		broken("mutual", "a system that wants a certificate of whoever asks, of which production has none", ""),
		broken("mutual-handshake", "the same, where no more is asked than a handshake", ""),
		broken("bare", "a system whose answer is empty, and its status fine", ""),
		broken("cut", "a system whose answer ends in the middle", ""),
		broken("doubled", "a system that says two things, of which the second is wrong", ""),
		broken("contradicts", "a system that says the same thing twice and differently", ""),
		broken("drips", "a system whose answer comes a byte at a time and never ends", "no answer in time"),
		broken("cleartext", "a system that speaks no TLS where the catalogue says https", ""),
	}
}

// promises are prototypes that say what people see while a system is down, and do something else; and two that keep it.
func promises() []sample {
	of := func(name, hole, reason, does string, then v1alpha1.Promise) sample {
		c := sample{name: "down-" + name, hole: hole, reason: reason, edit: also(plays("needs="+does), func(p *v1alpha1.AIPrototype) {
			p.Spec.Demand.Request.Path = "/v1/member"
			p.Spec.Integrations = []v1alpha1.IntegrationUse{{Name: "health", Access: v1alpha1.AccessRead,
				WhenDown: &v1alpha1.WhenDown{Then: then, Within: &metav1.Duration{Duration: 3 * time.Second}}}}
		})}
		if reason != "" {
			c.gate = "integration"
		}
		return c
	}
	elsewhere := of("unasked", "the sample of a request needs no system, so nothing shows what people see", v1alpha1.ReasonNotExercised, "degrades", v1alpha1.PromiseDegrades)
	elsewhere.edit = also(elsewhere.edit, func(p *v1alpha1.AIPrototype) { p.Spec.Demand.Request.Path = "/" })
	watched := of("watched", "its health asks a system, and the sample of a request does not", v1alpha1.ReasonNotExercised, "watches", v1alpha1.PromiseDegrades)
	watched.edit = also(watched.edit, func(p *v1alpha1.AIPrototype) { p.Spec.Demand.Request.Path = "/" })
	return []sample{
		of("hangs", "it waits for a system that does not answer, for as long as it takes", v1alpha1.ReasonHangsWhenDown, "patient", v1alpha1.PromiseDegrades),
		of("breaks", "it promises a lesser answer and gives none", v1alpha1.ReasonBreaksWhenDown, "fails", v1alpha1.PromiseDegrades),
		of("sulks", "its health is bad while a system is down, so that it would be stopped", v1alpha1.ReasonDiesWhenDown, "sulks", v1alpha1.PromiseDegrades),
		elsewhere, watched,
		of("pretends", "it promises to say that there is no answer, and gives one", v1alpha1.ReasonBreaksWhenDown, "degrades", v1alpha1.PromiseFails),
		of("degrades", "it knows less while a system is down, as it declares", "", "degrades", v1alpha1.PromiseDegrades),
		of("fails", "it says that there is no answer while a system is down, as it declares", "", "fails", v1alpha1.PromiseFails),
	}
}
