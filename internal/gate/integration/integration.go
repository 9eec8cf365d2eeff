// Package integration judges whether every system that a prototype declares works from a place under the policy that
// production would have, and whether nothing else can be reached from there.
package integration

import (
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// Entry is one integration that the prototype declares.
type Entry struct {
	// Name in the catalogue, and of its check.
	Name string
	// Field of the prototype that declares it, such as spec.integrations[0].
	Field string
	// TLS means that the check verifies a certificate.
	TLS bool
	// Expected says in words what the catalogue expects, such as "200 from https://lms.lms.svc:443/health".
	Expected string
}

// Evidence is what the verdict rests on.
type Evidence struct {
	gate.Frame
	// Declared are the prototype's integrations. Without any, and without Forbidden, there is nothing to measure.
	Declared []Entry
	// CertificateValidFor is for how long a certificate must be valid yet when it is seen; 0 takes any that is valid.
	CertificateValidFor time.Duration
	// Run is the measurement from the rehearsal namespace.
	Run gate.Measurement
	// Forbidden names targets that must be shown to be out of reach from there. Whatever else the run tried must not be
	// reached either, but need not be shown: what is down, or keeps the control out, looks blocked too.
	Forbidden []string
	// Control is an isolation measurement in which the forbidden targets were reached meanwhile, from a place that may.
	// It is needed only with Forbidden.
	Control gate.Measurement
}

// Judge says Passed when every declared integration answered as the catalogue says and every forbidden target is shown
// to be blocked; Failed when one did not or was reached; Inconclusive when one was not measured, or the runner could
// not ask. A prototype that declares none passes, and the reason says so.
func Judge(e Evidence) gate.Verdict {
	if len(e.Declared) == 0 && len(e.Forbidden) == 0 {
		return gate.Pass(v1alpha1.ReasonNoIntegrations, "the prototype declares no integration", e.Now)
	}
	run, refused := gate.Open[evidence.IntegrationReport](e.Frame, e.Run, "the integration measurement")
	if refused != nil {
		return *refused
	}
	var control *evidence.IsolationReport
	if len(e.Forbidden) > 0 {
		if control, refused = gate.Open[evidence.IsolationReport](e.Frame, e.Control, "the control of the integration measurement"); refused != nil {
			return *refused
		}
	}
	at := e.Run.Report.FinishedAt
	broken, unclear := checks(e, run)
	kept := keeping(e, run, control)
	broken, unclear = slices.Concat(broken, kept.reached), slices.Concat(unclear, kept.unproven)
	switch {
	case len(broken) > 0:
		return gate.Fail(broken[0].Reason, sumUp(broken), at, slices.Concat(broken, unclear)...)
	case len(unclear) > 0:
		return gate.Unknown(unclear[0].Reason, sumUp(unclear), at, unclear...)
	case len(e.Declared) == 0:
		return gate.Pass(v1alpha1.ReasonNoIntegrations, "the prototype declares no integration"+kept.words(), at)
	}
	return gate.Pass(v1alpha1.ReasonIntegrationsWork,
		fmt.Sprintf("%d of %d integrations work under the production policy%s", len(e.Declared), len(e.Declared), kept.words()), at)
}

func checks(e Evidence, run *evidence.IntegrationReport) (broken, unclear []gate.Finding) {
	for _, d := range e.Declared {
		r := run.Check(d.Name)
		switch {
		case r == nil:
			unclear = append(unclear, finding(v1alpha1.ReasonEvidenceUnverifiable, d, d.Name+" was not measured", "It is measured again."))
		case r.OK && d.TLS && r.CertificateExpires == nil:
			unclear = append(unclear, finding(v1alpha1.ReasonEvidenceUnverifiable, d, "the report does not say until when the certificate of "+d.Name+" is valid",
				"It is measured again."))
		case r.OK && d.TLS && r.CertificateExpires.Before(e.Run.Report.FinishedAt.Add(e.CertificateValidFor)):
			broken = append(broken, finding(v1alpha1.ReasonCertificateEnds, d, endsSoon(d, *r.CertificateExpires, e), "Renew its certificate, or an authority's in its chain, whichever ends first."))
		case r.OK:
		case r.Class == evidence.ClassLocal:
			unclear = append(unclear, finding(v1alpha1.ReasonMeasurementLost, d, fmt.Sprintf("%s could not be asked: %s", d.Name, localWords(r)),
				"Look whether the Secret and the certificate authority that the catalogue names are there and readable."))
		default:
			why, hint := words(r)
			message := fmt.Sprintf("%s does not work from production: %s", d.Name, why)
			if d.Expected != "" {
				message += "; expected is " + d.Expected
			}
			broken = append(broken, finding(v1alpha1.ReasonIntegrationBroken, d, message, hint))
		}
	}
	return broken, unclear
}

// endsSoon says when a certificate ends, and why that is too soon.
func endsSoon(d Entry, end time.Time, e Evidence) string {
	return fmt.Sprintf("the certificate of %s ends %s; the policy wants it valid for %s yet, so that it does not end shortly after the promotion",
		d.Name, end.UTC().Format(time.DateOnly), days(e.CertificateValidFor))
}

func days(d time.Duration) string {
	if d%(24*time.Hour) == 0 && d > 0 {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.String()
}

// finding is always IT's to mend: addresses, policies, credentials and certificates are the catalogue's.
func finding(reason string, d Entry, message, hint string) gate.Finding {
	return gate.Finding{Reason: reason, Field: d.Field, Message: message, Hint: hint, Owner: v1alpha1.OwnerIT}
}

func localWords(r *evidence.CheckResult) string {
	if r.Detail != "" {
		return r.Detail
	}
	return "the runner had no sockets or memory left"
}

// words says in words what is wrong with a system, and what to do.
func words(r *evidence.CheckResult) (why, hint string) {
	switch r.Class {
	case evidence.ClassTimeout:
		return "no answer in time", "Look whether it runs, and whether the catalogue's production.to names its pods and port."
	case evidence.ClassRefused:
		return "the connection was refused", "Look whether it listens on the catalogue's port, and whether a policy rejects the connection."
	case evidence.ClassNoRoute, evidence.ClassDenied:
		return "the network has no way there", "Look whether the catalogue's production.to names its pods and port."
	case evidence.ClassUnanswered:
		return "it took the connection and broke it off", "Look at its log, and whether it expects TLS."
	case evidence.ClassDNS:
		return "its name does not resolve", "Correct the host in the catalogue's production.address."
	case evidence.ClassForbiddenAddress:
		return r.Detail, "Correct the host in the catalogue's production.address, or its DNS entry."
	case evidence.ClassCertificate:
		return r.Detail + expiry(r), "Renew its certificate, or name the right authority under the catalogue's production.ca."
	case evidence.ClassIncompleteChain:
		return r.Detail + expiry(r), "Have the system send the certificates of all authorities between its own and a trusted one, or name the authority under the catalogue's production.ca."
	case evidence.ClassTLSVersion:
		return "it speaks no version of TLS that is new enough, at most " + r.TLSVersion, "Have it speak a newer one, or lower minTLSVersion of the policy's integration gate."
	case evidence.ClassAnswer:
		return "its answer is not what the catalogue says: " + r.Detail, "Look whether the system has changed, or correct answer of the catalogue's check."
	case evidence.ClassProtocol:
		return "it does not speak the expected protocol", "Look whether the catalogue's check says https where it is http, or the reverse."
	case evidence.ClassStatus:
		return fmt.Sprintf("it answered with status %d", r.Status), statusHint(r.Status)
	}
	return "an unexpected error", "Look at the log of the measuring pod."
}

func expiry(r *evidence.CheckResult) string {
	if r.CertificateExpires == nil {
		return ""
	}
	return " (it ends " + r.CertificateExpires.UTC().Format(time.DateOnly) + ")"
}

func statusHint(status int) string {
	switch {
	case status == 401 || status == 403:
		return "Look whether the credentials that the catalogue names are still valid."
	case status == 404:
		return "Correct the path of the catalogue's check."
	case status >= 300 && status < 400:
		return "Redirects are not followed: name the place itself in the catalogue."
	}
	return "Look at the system's own log; the check's expectStatus says what shows that it works."
}

func sumUp(findings []gate.Finding) string {
	if len(findings) == 1 {
		return findings[0].Message
	}
	return fmt.Sprintf("%s; and %d more", findings[0].Message, len(findings)-1)
}
