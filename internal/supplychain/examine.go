package supplychain

import (
	"errors"
	"fmt"
	"slices"

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
		why = e.billOfMaterials(s, signer, made)
	case evidence.ClaimVulnerabilities:
		scan, refused := vulnAttestation(s.Predicate, e.order.Image)
		if why = refused; why == "" {
			scan.signer = signer
			e.scans = append(e.scans, scan)
		}
	case evidence.ClaimVEX:
		if !e.vex(s.Predicate, "signer "+signer, true) {
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
func (e *examination) billOfMaterials(s statement, signer string, made []evidence.Signer) evidence.Refusal {
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
			e.scans = append(e.scans, scan)
		}
	}
	if names := vouching(made, evidence.ClaimVEX); len(names) > 0 {
		e.vex(s.Predicate, "signer "+names[0], true)
	}
	return ""
}

func (e *examination) sbom(sbom evidence.SBOM) {
	sbom.Packages = min(sbom.Packages, evidence.MaxCount)
	if len(e.result.SBOMs) < evidence.MaxStated {
		e.result.SBOMs = append(e.result.SBOMs, sbom)
	}
}

// vex takes in a document, which may be attested of the image.
func (e *examination) vex(raw []byte, by string, attested bool) bool {
	excuses, ok := openVEX(raw)
	if !ok {
		excuses, ok = cdxVEX(raw, e.order.Image, attested)
	}
	for i := range excuses {
		excuses[i].by = by
	}
	if ok {
		e.excuses = append(e.excuses, excuses...)
	}
	return ok
}

// report of trivy-operator, which the operator found for this image.
func (e *examination) report(name string, raw []byte) {
	scan, why := trivyOperatorReport(raw, e.order.Image)
	if why != "" {
		e.refuse(name, evidence.ClaimVulnerabilities, why)
		return
	}
	e.scans = append(e.scans, scan)
}

// named is a document that IT named. One that can't be read is said aloud: IT believes that it counts.
func (e *examination) named(name string, raw []byte) error {
	if !e.vex(raw, name, false) {
		return fmt.Errorf("the VEX document %s can't be read", name)
	}
	return nil
}

// conclude counts the newest scan of each scanner, once all excuses are known.
func (e *examination) conclude() error {
	newest := map[string]*scanned{}
	var order []string
	for _, s := range e.scans {
		key := s.signer + "\x00" + s.scanner
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
