package integration

import (
	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
)

// unproven are remarks about credentials of which the checks show nothing: IT can choose better ones. They are no holes:
// whether production's credential is right stays open.
func unproven(c gate.Case, taken gate.Taken) []gate.Finding {
	report := reported(taken)
	var out []gate.Finding
	for _, entry := range c.Record.Requirements.Integrations {
		if entry.Production == nil || entry.Production.Credentials == nil {
			continue
		}
		overHTTP := entry.Check.HTTP != nil || entry.Check.HTTPS != nil
		message := "the check of " + entry.Name + " does not use its credential, so it shows nothing about it"
		if r := report.Check(entry.Name); overHTTP && r != nil && r.WithoutCredential {
			message = "the check of " + entry.Name + " shows nothing about its credential: the answer is as good without it"
		} else if overHTTP {
			continue
		}
		out = append(out, gate.Finding{Reason: v1alpha1.ReasonCredentialNotShown, Field: "catalogue.integrations[name=" + entry.Name + "].check",
			Message: message, Hint: "Choose a check over http or https, with a path that answers only to who shows the credential.", Owner: v1alpha1.OwnerIT})
	}
	return out
}
