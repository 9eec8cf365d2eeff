package main

import "github.com/affineur/affineur/api/v1alpha1"

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
		broken("cleartext", "a system that speaks no TLS where the catalogue says https", ""),
	}
}
