package security

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// imageField is where a team says which image it is.
const imageField = workloadField + ".image"

// Supply is what was found out about the image beside the pod.
type Supply struct {
	// Asked are the policy's settings.
	Asked v1alpha1.SecurityGate
	// Image is the digest that everything has to be about.
	Image string
	// Gathered and Verified are the two steps: what is known beside the image, and what of it holds.
	Gathered, Verified gate.Measurement
	Frame              gate.Frame
}

// opinion is what one part of a gate says: holes, what stands in the way of a verdict, and what it can praise.
type opinion struct {
	holes     []gate.Finding
	unsettled []gate.Verdict
	praise    []string
}

func (o *opinion) add(other opinion) {
	o.holes = append(o.holes, other.holes...)
	o.unsettled = append(o.unsettled, other.unsettled...)
	o.praise = append(o.praise, other.praise...)
}

// AsksSupply tells whether a policy asks anything about the supply chain of an image.
func AsksSupply(asked *v1alpha1.SecurityGate) bool {
	return asked != nil && (asked.Signatures != nil || asked.Provenance != nil || asked.SBOM == v1alpha1.PresenceRequired || asked.Vulnerabilities != nil)
}

// signersOf are those whose word counts, for a runner.
func signersOf(asked v1alpha1.SecurityGate) []evidence.Signer {
	if asked.Signatures == nil {
		return nil
	}
	claimsOf := func(named []v1alpha1.Claim) []evidence.Claim {
		if len(named) == 0 {
			return []evidence.Claim{evidence.ClaimImage, evidence.ClaimProvenance, evidence.ClaimSBOM}
		}
		var out []evidence.Claim
		for _, c := range named {
			out = append(out, evidence.Claim(c))
		}
		return out
	}
	var out []evidence.Signer
	for _, k := range asked.Signatures.Keys {
		out = append(out, evidence.Signer{Name: k.Name, Key: k.PublicKey, VouchesFor: claimsOf(k.VouchesFor)})
	}
	for _, i := range asked.Signatures.Identities {
		out = append(out, evidence.Signer{Name: i.Name, Issuer: i.Issuer, Subject: i.Subject, SubjectRegExp: i.SubjectRegExp, VouchesFor: claimsOf(i.VouchesFor)})
	}
	return out
}

// vouchers are the names of those who vouch for a claim.
func vouchers(asked v1alpha1.SecurityGate, claim evidence.Claim) []string {
	var out []string
	for _, s := range signersOf(asked) {
		if slices.Contains(s.VouchesFor, claim) {
			out = append(out, s.Name)
		}
	}
	return out
}

// judgeSupply says what the image's supply chain lacks.
func judgeSupply(s Supply) opinion {
	if _, refused := gate.Open[evidence.MaterialResult](s.Frame, s.Gathered, "what is kept beside the image"); refused != nil {
		return opinion{unsettled: []gate.Verdict{*refused}}
	}
	result, refused := gate.Open[evidence.SupplyResult](s.Frame, s.Verified, "the verification of the image's supply chain")
	if refused != nil {
		return opinion{unsettled: []gate.Verdict{*refused}}
	}
	if result.Image != s.Image {
		return opinion{unsettled: []gate.Verdict{gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "another image was verified than the one under review", time.Time{})}}
	}
	var o opinion
	for _, part := range []func(v1alpha1.SecurityGate, evidence.SupplyResult) opinion{released, built, listed} {
		o.add(part(s.Asked, *result))
	}
	if rule := s.Asked.Vulnerabilities; rule != nil {
		o.add(scanned(s.Asked, *rule, *result, s.Frame.Now))
	}
	return o
}

// known keeps the signers that the policy lets vouch for a claim: a result can't name others.
func known(asked v1alpha1.SecurityGate, claim evidence.Claim, named ...string) []string {
	allowed := vouchers(asked, claim)
	return slices.DeleteFunc(slices.Clone(named), func(name string) bool { return !slices.Contains(allowed, name) })
}

func released(asked v1alpha1.SecurityGate, result evidence.SupplyResult) opinion {
	allowed := vouchers(asked, evidence.ClaimImage)
	if len(allowed) == 0 {
		return opinion{}
	}
	if by := known(asked, evidence.ClaimImage, result.SignedBy...); len(by) > 0 {
		return opinion{praise: []string{"signed by " + strings.Join(by, " and ")}}
	}
	return opinion{holes: []gate.Finding{{
		Reason: v1alpha1.ReasonImageNotSigned, Field: imageField, Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("nobody who may release images signed this one, so nobody knows whether it is what was built%s", beside(result, evidence.ClaimImage)),
		Hint:    "Have it signed by " + strings.Join(allowed, " or ") + ", by its digest (cosign sign IMAGE@sha256:…), and ask for another look; for an image of several platforms, the digest of the index.",
	}}}
}

// beside says what is there and does not count, so that whoever signed knows why it was of no use.
func beside(result evidence.SupplyResult, claim evidence.Claim) string {
	counts := map[evidence.Refusal]int{}
	var order []evidence.Refusal
	for _, r := range result.Refused {
		if r.Claim != claim && r.Claim != "" {
			continue
		}
		if counts[r.Why] == 0 {
			order = append(order, r.Why)
		}
		counts[r.Why]++
	}
	if len(order) == 0 {
		return "; its registry keeps no such thing beside it"
	}
	var said []string
	for _, why := range order {
		said = append(said, fmt.Sprintf("%d %s", counts[why], words[why]))
	}
	return "; beside it, what does not count: " + strings.Join(said, ", ")
}

// words for people, in place of a class.
var words = map[evidence.Refusal]string{
	evidence.RefusedMalformed:   "that can't be read",
	evidence.RefusedSignature:   "whose signature none of the keys made",
	evidence.RefusedLog:         "without an entry in a trusted log",
	evidence.RefusedTime:        "without a trusted time",
	evidence.RefusedCertificate: "with a certificate that is not valid",
	evidence.RefusedSigner:      "by somebody whom the policy does not name",
	evidence.RefusedClaim:       "by somebody who may not vouch for that",
	evidence.RefusedImage:       "about another image",
	evidence.RefusedSize:        "too large",
	evidence.RefusedAhead:       "dated later than it was found",
}

func built(asked v1alpha1.SecurityGate, result evidence.SupplyResult) opinion {
	rule := asked.Provenance
	if rule == nil {
		return opinion{}
	}
	finding := func(reason, message, hint string) opinion {
		return opinion{holes: []gate.Finding{{Reason: reason, Field: imageField, Owner: v1alpha1.OwnerBusiness, Message: message, Hint: hint}}}
	}
	var wrong []string
	for _, p := range result.Provenance {
		if len(known(asked, evidence.ClaimProvenance, p.Signer)) == 0 {
			continue
		}
		switch foreign := slices.IndexFunc(p.Sources, func(s string) bool { return !sourceAllowed(s, rule.Sources) }); {
		case !builderAllowed(p.Builder, rule.Builders):
			wrong = append(wrong, fmt.Sprintf("built by %q", p.Builder))
		case len(rule.Sources) > 0 && len(p.Sources) == 0:
			wrong = append(wrong, "built from nobody knows what")
		case len(rule.Sources) > 0 && foreign >= 0:
			wrong = append(wrong, fmt.Sprintf("built from %q", p.Sources[foreign]))
		default:
			return opinion{praise: []string{"built by " + p.Builder}}
		}
	}
	if len(wrong) > 0 {
		return finding(v1alpha1.ReasonProvenanceNotAllowed, "the image was "+wrong[0]+", which the policy does not name: its content may be anybody's",
			"Build it where the policy says ("+strings.Join(slices.Concat(rule.Builders, rule.Sources), ", ")+"), or ask IT to name the builder under provenance.")
	}
	return finding(v1alpha1.ReasonProvenanceMissing, "nobody who may says how the image was built"+beside(result, evidence.ClaimProvenance),
		"Have the pipeline attest SLSA provenance for the image's digest, signed by "+strings.Join(vouchers(asked, evidence.ClaimProvenance), " or ")+".")
}

// builderAllowed compares ids; a rule without a version (what follows an @) allows any.
func builderAllowed(builder string, allowed []string) bool {
	name, _, _ := strings.Cut(builder, "@")
	return slices.Contains(allowed, builder) || slices.Contains(allowed, name)
}

func listed(asked v1alpha1.SecurityGate, result evidence.SupplyResult) opinion {
	if asked.SBOM != v1alpha1.PresenceRequired {
		return opinion{}
	}
	allowed := vouchers(asked, evidence.ClaimSBOM)
	for _, s := range result.SBOMs {
		if len(allowed) == 0 || len(known(asked, evidence.ClaimSBOM, s.Signer)) > 0 {
			return opinion{praise: []string{fmt.Sprintf("a bill of materials of %d packages", s.Packages)}}
		}
	}
	hint := "Have the pipeline attach one to the image, in SPDX or CycloneDX (JSON)."
	if len(allowed) > 0 {
		hint = "Have the pipeline attest one for the image's digest, in SPDX or CycloneDX (JSON), signed by " + strings.Join(allowed, " or ") + "."
	}
	return opinion{holes: []gate.Finding{{
		Reason: v1alpha1.ReasonSBOMMissing, Field: imageField, Owner: v1alpha1.OwnerBusiness, Hint: hint,
		Message: "there is no bill of materials that counts, so nobody can tell whether the image is concerned when a package turns out bad" + beside(result, evidence.ClaimSBOM),
	}}}
}

// mostNamed is how many vulnerabilities of a scan become findings of their own.
const mostNamed = 8

// scanned judges the scans. Each scanner has to be content: one that finds nothing does not outvote one that does. An old
// scan of one that found too much is not forgotten beside a recent one of another: it has to be made anew.
func scanned(asked v1alpha1.SecurityGate, rule v1alpha1.VulnerabilityRule, result evidence.SupplyResult, now time.Time) opinion {
	var all []evidence.Scan
	for _, s := range result.Scans {
		attested := len(known(asked, evidence.ClaimVulnerabilities, s.Signer)) > 0
		if rule.Source == v1alpha1.SourceTrivyOperator && s.Signer != "" || rule.Source != v1alpha1.SourceTrivyOperator && !attested {
			continue
		}
		all = append(all, s)
	}
	var o opinion
	fresh := 0
	for _, s := range all {
		found := limited(rule, s)
		switch {
		case recent(s, rule.MaxAge.Duration, now):
			fresh++
			o.add(found)
		case len(found.holes) > 0:
			o.unsettled = append(o.unsettled, stale(rule, s))
		}
	}
	if fresh == 0 {
		return opinion{unsettled: []gate.Verdict{unscanned(rule, all, result)}}
	}
	return o
}

// recent tells whether a scan, and what its scanner knew, is of the time that the policy allows.
func recent(s evidence.Scan, maxAge time.Duration, now time.Time) bool {
	within := func(at time.Time) bool { return !at.After(now.Add(gate.ClockSkew)) && now.Sub(at) <= maxAge }
	return within(s.ScannedAt) && (s.DatabaseAt == nil || within(*s.DatabaseAt))
}

func unscanned(rule v1alpha1.VulnerabilityRule, all []evidence.Scan, result evidence.SupplyResult) gate.Verdict {
	f := gate.Finding{Reason: v1alpha1.ReasonScanMissing, Field: imageField, Owner: v1alpha1.OwnerIT,
		Message: "there is no scan of exactly this image by trivy-operator" + beside(result, evidence.ClaimVulnerabilities),
		Hint:    "trivy-operator has to scan the sandbox's namespace (its settings may leave namespaces out); then ask for another look."}
	if rule.Source == v1alpha1.SourceAttestations {
		f.Owner = v1alpha1.OwnerBusiness
		f.Message = "there is no attested scan of exactly this image" + beside(result, evidence.ClaimVulnerabilities)
		f.Hint = "Have the pipeline scan the image by its digest and attest what was found (cosign attest --type vuln), signed by one who vouches for Vulnerabilities."
	}
	if len(all) > 0 {
		return stale(rule, all[0])
	}
	return gate.Unknown(f.Reason, f.Message, time.Time{}, f)
}

// stale says which scan is too old to count. Times and not ages: a message that counts would make every look a write.
func stale(rule v1alpha1.VulnerabilityRule, s evidence.Scan) gate.Verdict {
	f := gate.Finding{Reason: v1alpha1.ReasonScanStale, Field: imageField, Owner: v1alpha1.OwnerIT,
		Message: fmt.Sprintf("the newest scan of this image by %s is of %s, by what its scanner knew; none older than %s counts, and what it found is not forgotten",
			s.Scanner, oldestOf(s).UTC().Format(time.RFC3339), rule.MaxAge.Duration),
		Hint: "trivy-operator has to scan the sandbox's namespace anew; then ask for another look."}
	if rule.Source == v1alpha1.SourceAttestations {
		f.Owner = v1alpha1.OwnerBusiness
		f.Hint = "Have the pipeline scan the image by its digest with it again and attest what was found; where it is used no more, take its old attestation away from the registry."
	}
	return gate.Unknown(f.Reason, f.Message, time.Time{}, f)
}

func oldestOf(s evidence.Scan) time.Time {
	if s.DatabaseAt != nil && s.DatabaseAt.Before(s.ScannedAt) {
		return *s.DatabaseAt
	}
	return s.ScannedAt
}

// blindness is why a scan that found nothing bad does not show that there is nothing.
var blindness = map[evidence.Gap]struct{ why, hint string }{
	evidence.GapEndOfLife: {"the distribution that the image is built on is at the end of its life: nobody reports any more what is wrong with its packages",
		"Build the image on a release that is still looked after."},
	evidence.GapFailed: {"the scanner says itself that it failed", "Have the image scanned anew."},
	evidence.GapSystem: {"the packages of its operating system were left out", "Have all packages scanned (for Trivy: no --pkg-types, and a distribution that it knows)."},
}

func limited(rule v1alpha1.VulnerabilityRule, s evidence.Scan) opinion {
	high := s.High + s.Unrated
	told := fmt.Sprintf("%d critical and %d high vulnerabilities by %s of %s", s.Critical, high, s.Scanner, s.ScannedAt.UTC().Format(time.RFC3339))
	if s.ExcusedTotal > 0 {
		told += fmt.Sprintf(", %d excused by VEX", s.ExcusedTotal)
	}
	if s.Critical <= int(rule.MaxCritical) && high <= int(rule.MaxHigh) {
		if blind, ok := blindness[s.Gap]; ok {
			return opinion{unsettled: []gate.Verdict{gate.Unknown(v1alpha1.ReasonScanIncomplete, told+", but "+blind.why, time.Time{}, gate.Finding{
				Reason: v1alpha1.ReasonScanIncomplete, Field: imageField, Owner: v1alpha1.OwnerBusiness, Message: told + ", but " + blind.why, Hint: blind.hint})}}
		}
		return opinion{praise: []string{told}}
	}
	holes := []gate.Finding{{
		Reason: v1alpha1.ReasonVulnerable, Field: imageField, Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("%s; %d and %d are allowed. Known holes are tried first by whoever breaks in", told, rule.MaxCritical, rule.MaxHigh),
		Hint:    "Build the image anew on packages that are mended. What does no harm here, IT may excuse in a VEX document.",
	}}
	for _, v := range s.Worst[:min(len(s.Worst), mostNamed)] {
		if v.Severity == evidence.SeverityMedium || v.Severity == evidence.SeverityLow {
			break
		}
		holes = append(holes, gate.Finding{
			Reason: v1alpha1.ReasonVulnerable, Field: imageField, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%s (%s) in %s %s", v.ID, v.Severity, cmp.Or(v.Package, "a package that the scanner does not name"), v.Version),
			Hint:    cmp.Or(mended(v), "No mended version is known. Do without the package, or ask IT whether it does harm here."),
		})
	}
	return opinion{holes: holes}
}

func mended(v evidence.Vulnerability) string {
	if v.FixedIn == "" {
		return ""
	}
	return "It is mended in " + v.FixedIn + "."
}
