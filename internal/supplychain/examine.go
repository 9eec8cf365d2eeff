package supplychain

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/affineur/affineur/internal/evidence"
)

// Examine does what the order asks with the files that it names. The error is why nothing can be said at all; what is
// wrong with one attachment is in the result.
func Examine(order evidence.SupplyOrder, files map[string][]byte) (evidence.SupplyResult, error) {
	none := evidence.SupplyResult{}
	if err := order.Validate(); err != nil {
		return none, err
	}
	if order.At.IsZero() {
		return none, errors.New("the order does not say when the material was gathered")
	}
	material, err := evidence.UnpackMaterial(files[order.Material])
	if err != nil {
		return none, err
	}
	if material.Image != order.Image {
		return none, errors.New("the material is another image's")
	}
	who, err := newSigners(order.Signers, material.TrustedRoot)
	if err != nil {
		return none, err
	}
	e := examination{order: order, signers: who}
	if e.artifact, e.digests, err = imageArtifact(order.Image, material.Manifest); err != nil {
		return none, err
	}
	e.result = evidence.SupplyResult{Image: order.Image, Found: len(material.Attachments)}
	for _, a := range material.Attachments {
		e.attachment(a)
	}
	for _, d := range material.Reports {
		e.report(d.Name, d.Content)
	}
	for _, d := range material.VEX {
		if err := e.named(d.Name, d.Content); err != nil {
			return none, err
		}
	}
	if err := e.conclude(); err != nil {
		return none, err
	}
	return e.result, nil
}

// examination of one image.
type examination struct {
	order    evidence.SupplyOrder
	signers  *signers
	artifact artifact
	digests  [][]byte
	result   evidence.SupplyResult
	scans    []*scanned
	excuses  []excuse
}

func (e *examination) refuse(place string, claim evidence.Claim, why evidence.Refusal) {
	if len(e.result.Refused) == evidence.MaxListed {
		e.result.RefusedMore++
		return
	}
	e.result.Refused = append(e.result.Refused, evidence.Refused{Place: place, Claim: claim, Why: why})
}

func (e *examination) attachment(a evidence.Attachment) {
	if evidence.PlainSBOM(a.Type) {
		if sbom := sbomOf(a.Content); sbom != nil {
			e.sbom(*sbom)
			return
		}
		e.refuse(a.Place, evidence.ClaimSBOM, evidence.RefusedMalformed)
		return
	}
	signed, payload, ok := read(a)
	switch {
	case !ok:
		e.refuse(a.Place, "", evidence.RefusedMalformed)
	case signed.GetDsseEnvelope() != nil:
		e.attestation(a.Place, signed)
	default:
		e.signature(a.Place, signed, payload)
	}
}

// signature over the image's digest, or over a text that names it.
func (e *examination) signature(place string, signed *bundle.Bundle, payload []byte) {
	artifact := e.artifact
	if payload != nil {
		artifact = bytesArtifact(payload)
	} else if digest := signed.GetMessageSignature().GetMessageDigest().GetDigest(); !slices.ContainsFunc(e.digests, func(d []byte) bool { return slices.Equal(d, digest) }) {
		e.refuse(place, evidence.ClaimImage, evidence.RefusedImage)
		return
	}
	made, why := e.signers.check(signed, artifact)
	if why == "" && payload != nil {
		_, why = released(payload, e.order.Image)
	}
	if why != "" {
		e.refuse(place, evidence.ClaimImage, why)
		return
	}
	e.release(place, made)
}

func (e *examination) release(place string, made []evidence.Signer) {
	names := vouching(made, evidence.ClaimImage)
	if len(names) == 0 {
		e.refuse(place, evidence.ClaimImage, evidence.RefusedClaim)
	}
	for _, name := range names {
		if !slices.Contains(e.result.SignedBy, name) {
			e.result.SignedBy = append(e.result.SignedBy, name)
		}
	}
}

// attestation in an envelope: its signature is verified first, and only then is read what it says and about what.
func (e *examination) attestation(place string, signed *bundle.Bundle) {
	made, why := e.signers.check(signed, verify.WithoutArtifactUnsafe)
	if why != "" {
		e.refuse(place, "", why)
		return
	}
	s, ok := statementOf(signed)
	switch {
	case !ok:
		e.refuse(place, "", evidence.RefusedMalformed)
	case !s.about(e.order.Image):
		e.refuse(place, claimOf(s.PredicateType), evidence.RefusedImage)
	case s.PredicateType == predicateRelease:
		e.release(place, made)
	default:
		e.claim(place, s, made)
	}
}

func claimOf(predicateType string) evidence.Claim {
	switch {
	case predicateType == predicateRelease:
		return evidence.ClaimImage
	case predicateType == predicateSLSA02 || predicateType == predicateSLSA1:
		return evidence.ClaimProvenance
	case is(predicateType, predicateSPDX) || is(predicateType, predicateBOM):
		return evidence.ClaimSBOM
	case predicateType == predicateVuln:
		return evidence.ClaimVulnerabilities
	case is(predicateType, predicateOpenVEX) || is(predicateType, predicateCDXVEX):
		return evidence.ClaimVEX
	}
	return ""
}

// claim takes in what an attestation says, if somebody who signed it may vouch for such things. Statements of other kinds
// are nobody's business here.
func (e *examination) claim(place string, s statement, made []evidence.Signer) {
	claim := claimOf(s.PredicateType)
	if claim == "" {
		return
	}
	names := vouching(made, claim)
	if len(names) == 0 {
		e.refuse(place, claim, evidence.RefusedClaim)
		return
	}
	signer, why := names[0], evidence.Refusal("")
	switch claim {
	case evidence.ClaimProvenance:
		why = e.provenance(s, signer)
	case evidence.ClaimSBOM:
		why = e.billOfMaterials(place, s, signer, made)
	case evidence.ClaimVulnerabilities:
		scan, refused := vulnAttestation(s.Predicate, e.order.Image)
		if why = refused; why == "" {
			scan.signer = signer
			e.scan(place, scan)
		}
	case evidence.ClaimVEX:
		if !e.vex(place, s.Predicate, "signer "+signer, true) {
			why = evidence.RefusedMalformed
		}
	}
	if why != "" {
		e.refuse(place, claim, why)
	}
}

func (e *examination) provenance(s statement, signer string) evidence.Refusal {
	builder, sources, ok := provenanceOf(s.PredicateType, s.Predicate)
	if !ok || len(builder) > evidence.MaxStatement || len(sources) > evidence.MaxStated || len(e.result.Provenance) == evidence.MaxStated {
		return evidence.RefusedMalformed
	}
	for _, source := range sources {
		if len(source) > evidence.MaxStatement {
			return evidence.RefusedMalformed
		}
	}
	e.result.Provenance = append(e.result.Provenance, evidence.Provenance{Signer: signer, Builder: builder, Sources: sources})
	return ""
}

// billOfMaterials may hold a scan and excuses too, in CycloneDX: they count if the signer may vouch for those as well.
func (e *examination) billOfMaterials(place string, s statement, signer string, made []evidence.Signer) evidence.Refusal {
	sbom := sbomOf(s.Predicate)
	if sbom == nil {
		return evidence.RefusedMalformed
	}
	sbom.Signer = signer
	e.sbom(*sbom)
	if !is(s.PredicateType, predicateBOM) {
		return ""
	}
	if names := vouching(made, evidence.ClaimVulnerabilities); len(names) > 0 {
		if scan := cdxScan(s.Predicate, e.order.Image); scan != nil {
			scan.signer = names[0]
			e.scan(place, scan)
		}
	}
	if names := vouching(made, evidence.ClaimVEX); len(names) > 0 {
		e.vex(place, s.Predicate, "signer "+names[0], true)
	}
	return ""
}

func (e *examination) sbom(sbom evidence.SBOM) {
	sbom.Packages = min(sbom.Packages, evidence.MaxCount)
	if len(e.result.SBOMs) < evidence.MaxStated {
		e.result.SBOMs = append(e.result.SBOMs, sbom)
	}
}

// skew is by how much the clock of a signer may be ahead, who is not of this cluster.
const skew = time.Minute

func (e *examination) ahead(at time.Time) bool { return at.After(e.order.At.Add(skew)) }

// scan is taken in unless it is dated ahead: it would be the newest one for ever.
func (e *examination) scan(place string, s *scanned) {
	if e.ahead(s.scannedAt) {
		e.refuse(place, evidence.ClaimVulnerabilities, evidence.RefusedAhead)
		return
	}
	e.scans = append(e.scans, s)
}

// vex takes in a document, which may be attested of the image. What it excuses ahead of its time does not count, since
// nothing could take it back.
func (e *examination) vex(place string, raw []byte, by string, attested bool) bool {
	said, ok := openVEX(raw)
	if !ok {
		said, ok = cdxVEX(raw, e.order.Image, attested)
	}
	if !ok {
		return false
	}
	told := false
	for _, one := range said {
		if e.ahead(one.at) && one.excuses() {
			if !told {
				e.refuse(place, evidence.ClaimVEX, evidence.RefusedAhead)
			}
			told = true
			continue
		}
		one.by = by
		e.excuses = append(e.excuses, one)
	}
	return true
}

// report of trivy-operator, which the operator found for this image.
func (e *examination) report(name string, raw []byte) {
	scan, why := trivyOperatorReport(raw, e.order.Image)
	if why != "" {
		e.refuse(name, evidence.ClaimVulnerabilities, why)
		return
	}
	e.scan(name, scan)
}

// named is a document that IT named. One that can't be read is said aloud: IT believes that it counts.
func (e *examination) named(name string, raw []byte) error {
	if !e.vex(name, raw, name, false) {
		return fmt.Errorf("the VEX document %s can't be read", name)
	}
	return nil
}

// release of a scanner, behind its name.
var release = regexp.MustCompile(`[@:/ _-]v?[0-9]+(?:\.[0-9]+)+.*$`)

// scannerOf is a scanner whatever its release, by which a newer one takes the place of an older one.
func scannerOf(name string) string { return strings.ToLower(release.ReplaceAllString(name, "")) }

// conclude counts the newest scan of each scanner, once all excuses are known.
func (e *examination) conclude() error {
	newest := map[string]*scanned{}
	var order []string
	for _, s := range e.scans {
		key := s.signer + "\x00" + scannerOf(s.scanner)
		switch best := newest[key]; {
		case best == nil:
			order = append(order, key)
			newest[key] = s
		case s.scannedAt.After(best.scannedAt) || s.scannedAt.Equal(best.scannedAt) && len(s.found) > len(best.found):
			newest[key] = s
		}
	}
	// To leave one out could mean to leave out the one that found something.
	if len(order) > evidence.MaxScans {
		return fmt.Errorf("%d scanners looked at the image, %d can be judged", len(order), evidence.MaxScans)
	}
	slices.SortStableFunc(order, func(a, b string) int { return newest[b].scannedAt.Compare(newest[a].scannedAt) })
	for _, key := range order {
		e.result.Scans = append(e.result.Scans, sumUp(newest[key], e.excuses, e.order.Image))
	}
	e.result.Clean()
	return nil
}
