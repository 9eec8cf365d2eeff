package evidence

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// KindSupply verifies what a registry keeps beside an image, and counts what scanners found in it.
const KindSupply Kind = "supply"

// Claim is what a signer may vouch for.
type Claim string

const (
	// ClaimImage says that the image was released.
	ClaimImage Claim = "Image"
	// ClaimProvenance says how it was built.
	ClaimProvenance Claim = "Provenance"
	// ClaimSBOM says what is in it.
	ClaimSBOM Claim = "SBOM"
	// ClaimVulnerabilities says what a scanner found in it.
	ClaimVulnerabilities Claim = "Vulnerabilities"
	// ClaimVEX says what of that does no harm.
	ClaimVEX Claim = "VEX"
)

var claims = map[Claim]bool{ClaimImage: true, ClaimProvenance: true, ClaimSBOM: true, ClaimVulnerabilities: true, ClaimVEX: true}

// Bounds of a SupplyResult: entries of its lists, bytes of what a signer states, and numbers.
const (
	MaxListed    = 64
	MaxStated    = 32
	MaxScans     = 4
	MaxStatement = 1024
	MaxCount     = 1 << 20
)

// Bounds of a SupplyOrder.
const (
	maxSigners = 32
	maxKey     = 4 << 10
	maxPattern = 512
)

// Signer is a key, or an identity that a certificate authority vouches for, and what it may vouch for itself.
type Signer struct {
	Name string `json:"name"`
	// Key is a public key in PEM; the rest is empty then.
	Key string `json:"key,omitempty"`
	// Issuer that knows the identity, and the identity itself: exactly, or as a regular expression (RE2) that matches all
	// of it.
	Issuer        string  `json:"issuer,omitempty"`
	Subject       string  `json:"subject,omitempty"`
	SubjectRegExp string  `json:"subjectRegExp,omitempty"`
	VouchesFor    []Claim `json:"vouchesFor"`
}

// SupplyOrder asks what is known about an image.
type SupplyOrder struct {
	// Image is the digest that everything has to be about.
	Image string `json:"image"`
	// Material is the file with what was gathered, and At when: what is dated later was not known then.
	Material string    `json:"material"`
	At       time.Time `json:"at"`
	// Signers whose word counts. Those without a key need a trusted root in the material.
	Signers []Signer `json:"signers,omitempty"`
}

// Kind of the order.
func (SupplyOrder) Kind() Kind { return KindSupply }

// Validate says what is wrong with the order, or nil.
func (o SupplyOrder) Validate() error {
	switch {
	case !digestForm.MatchString(o.Image):
		return errors.New("image is not a sha256 digest")
	case !fileForm.MatchString(o.Material):
		return errors.New("material is not the name of a file")
	case len(o.Signers) > maxSigners:
		return errors.New("too many signers")
	}
	seen := map[string]bool{}
	for i, s := range o.Signers {
		if seen[s.Name] {
			return fmt.Errorf("signers[%d] repeats a name", i)
		}
		seen[s.Name] = true
		if err := s.validate(); err != nil {
			return fmt.Errorf("signers[%d]: %w", i, err)
		}
	}
	return nil
}

func (s Signer) validate() error {
	switch {
	case s.Name == "" || s.Name != Clean(s.Name, 63):
		return errors.New("no usable name")
	case len(s.Key) > maxKey || len(s.Issuer) > maxPattern || len(s.Subject) > maxPattern || len(s.SubjectRegExp) > maxPattern:
		return errors.New("a text is too long")
	case s.Key != "" && s.Issuer+s.Subject+s.SubjectRegExp != "":
		return errors.New("both a key and an identity")
	case s.Key == "" && s.Issuer == "":
		return errors.New("neither a key nor an issuer")
	case s.Key == "" && (s.Subject == "") == (s.SubjectRegExp == ""):
		return errors.New("not exactly one of subject and subjectRegExp")
	case len(s.VouchesFor) == 0 || len(s.VouchesFor) > len(claims):
		return errors.New("it vouches for nothing")
	}
	for _, c := range s.VouchesFor {
		if !claims[c] {
			return errors.New("an unknown claim")
		}
	}
	if _, err := regexp.Compile(s.SubjectRegExp); err != nil {
		return errors.New("subjectRegExp is no regular expression")
	}
	return nil
}

// Refusal is why something beside an image does not count.
type Refusal string

const (
	// RefusedMalformed means that it can't be read.
	RefusedMalformed Refusal = "Malformed"
	// RefusedSignature means that no signer's key made the signature over what is there.
	RefusedSignature Refusal = "SignatureInvalid"
	// RefusedLog means that no trusted transparency log has an entry for it.
	RefusedLog Refusal = "NotInTheLog"
	// RefusedTime means that nobody trusted says when it was signed.
	RefusedTime Refusal = "NoTrustedTime"
	// RefusedCertificate means that its certificate is of another authority, or was not valid when it signed.
	RefusedCertificate Refusal = "CertificateInvalid"
	// RefusedSigner means that the identity that signed is none that the policy names.
	RefusedSigner Refusal = "AnotherSigner"
	// RefusedClaim means that the policy does not let that signer vouch for such a thing.
	RefusedClaim Refusal = "NotItsToVouchFor"
	// RefusedImage means that it is about another image.
	RefusedImage Refusal = "AnotherImage"
	// RefusedSize means that it is too large to be looked at.
	RefusedSize Refusal = "TooLarge"
	// RefusedAhead means that it is dated later than it was found.
	RefusedAhead Refusal = "DatedAhead"
)

var refusals = map[Refusal]bool{
	RefusedMalformed: true, RefusedSignature: true, RefusedLog: true, RefusedTime: true, RefusedCertificate: true,
	RefusedSigner: true, RefusedClaim: true, RefusedImage: true, RefusedSize: true, RefusedAhead: true,
}

// Refused is something beside an image that does not count.
type Refused struct {
	Place string  `json:"place"`
	Claim Claim   `json:"claim,omitempty"`
	Why   Refusal `json:"why"`
}

// Provenance is how an image was built, as a signer says.
type Provenance struct {
	Signer  string   `json:"signer"`
	Builder string   `json:"builder"`
	Sources []string `json:"sources,omitempty"`
}

// SBOM is a bill of materials.
type SBOM struct {
	// Signer is empty for one that nobody signed.
	Signer   string `json:"signer,omitempty"`
	Format   string `json:"format"`
	Packages int    `json:"packages"`
}

// SupplyResult is what was found about an image.
type SupplyResult struct {
	// Image repeats the order's.
	Image string `json:"image"`
	// Found is how many attachments there were.
	Found int `json:"found"`
	// SignedBy are the signers that released the image.
	SignedBy   []string     `json:"signedBy,omitempty"`
	Provenance []Provenance `json:"provenance,omitempty"`
	SBOMs      []SBOM       `json:"sboms,omitempty"`
	// Scans hold the newest of each scanner.
	Scans []Scan `json:"scans,omitempty"`
	// Refused are attachments, reports and VEX documents that do not count.
	Refused []Refused `json:"refused,omitempty"`
	// RefusedMore is how many more there were.
	RefusedMore int `json:"refusedMore,omitempty"`
}

// Kind of the result.
func (SupplyResult) Kind() Kind { return KindSupply }

// Validate says what is wrong with the result by itself, or nil.
func (r SupplyResult) Validate() error {
	switch {
	case !digestForm.MatchString(r.Image):
		return errors.New("image is not a sha256 digest")
	case r.Found < 0 || r.Found > MaxAttachments || r.RefusedMore < 0 || r.RefusedMore > MaxCount:
		return errors.New("a number is out of range")
	case len(r.SignedBy) > maxSigners || len(r.Provenance) > MaxStated || len(r.SBOMs) > MaxStated || len(r.Scans) > MaxScans || len(r.Refused) > MaxListed:
		return errors.New("a list is too long")
	}
	for i, p := range r.Provenance {
		if p.Signer == "" || p.Builder == "" || len(p.Builder) > MaxStatement || len(p.Sources) > MaxStated {
			return fmt.Errorf("provenance[%d] is not usable", i)
		}
	}
	for i, s := range r.SBOMs {
		if s.Format == "" || s.Packages < 1 || s.Packages > MaxCount {
			return fmt.Errorf("sboms[%d] is not usable", i)
		}
	}
	for i, refused := range r.Refused {
		if !refusals[refused.Why] || refused.Claim != "" && !claims[refused.Claim] {
			return fmt.Errorf("refused[%d] is not usable", i)
		}
	}
	for i := range r.Scans {
		if err := r.Scans[i].validate(); err != nil {
			return fmt.Errorf("scans[%d]: %w", i, err)
		}
	}
	return nil
}

// Clean takes out of the result's strings what could harm a terminal or a status.
func (r *SupplyResult) Clean() {
	for i := range r.SignedBy {
		r.SignedBy[i] = Clean(r.SignedBy[i], 63)
	}
	for i := range r.Provenance {
		p := &r.Provenance[i]
		p.Signer, p.Builder = Clean(p.Signer, 63), Clean(p.Builder, MaxStatement)
		for k := range p.Sources {
			p.Sources[k] = Clean(p.Sources[k], MaxStatement)
		}
	}
	for i := range r.SBOMs {
		r.SBOMs[i].Signer, r.SBOMs[i].Format = Clean(r.SBOMs[i].Signer, 63), Clean(r.SBOMs[i].Format, maxText)
	}
	for i := range r.Refused {
		r.Refused[i].Place = Clean(r.Refused[i].Place, maxText)
	}
	for i := range r.Scans {
		r.Scans[i].clean()
	}
}

// Severity of a vulnerability, as the scanner rates it.
type Severity string

// Severities, the worst first. One that nobody rated counts as High: it may be anything.
const (
	SeverityCritical Severity = "Critical"
	SeverityHigh     Severity = "High"
	SeverityMedium   Severity = "Medium"
	SeverityLow      Severity = "Low"
	SeverityUnrated  Severity = "Unrated"
)

var severities = map[Severity]bool{SeverityCritical: true, SeverityHigh: true, SeverityMedium: true, SeverityLow: true, SeverityUnrated: true}

// Vulnerability of one package of an image.
type Vulnerability struct {
	ID       string   `json:"id"`
	Package  string   `json:"package"`
	Version  string   `json:"version,omitempty"`
	FixedIn  string   `json:"fixedIn,omitempty"`
	Severity Severity `json:"severity"`
}

// Gap is what a scan can't have seen. What it found counts; that it found nothing says little.
type Gap string

const (
	// GapEndOfLife means that nobody looks after the distribution any more: what is wrong with its packages is not reported.
	GapEndOfLife Gap = "EndOfLife"
	// GapFailed means that the scanner itself says that it failed.
	GapFailed Gap = "ScannerFailed"
	// GapSystem means that the packages of the operating system were left out.
	GapSystem Gap = "SystemPackages"
)

var gaps = map[Gap]bool{"": true, GapEndOfLife: true, GapFailed: true, GapSystem: true}

// Excused is a vulnerability that does no harm, as somebody with the right to says.
type Excused struct {
	Vulnerability
	// Status is not_affected or fixed.
	Status string `json:"status"`
	// Because is the justification.
	Because string `json:"because,omitempty"`
	// By is the signer, or the file that IT named.
	By string `json:"by"`
}

// Scan is what one scanner found, without what is excused.
type Scan struct {
	// Signer that attested it; empty for a report of trivy-operator.
	Signer  string `json:"signer,omitempty"`
	Scanner string `json:"scanner"`
	// ScannedAt by the scanner's clock, and DatabaseAt the age of what it knows, where it says so.
	ScannedAt  time.Time  `json:"scannedAt"`
	DatabaseAt *time.Time `json:"databaseAt,omitempty"`
	Gap        Gap        `json:"gap,omitempty"`
	Critical   int        `json:"critical"`
	High       int        `json:"high"`
	Medium     int        `json:"medium"`
	Low        int        `json:"low"`
	Unrated    int        `json:"unrated"`
	// Worst are the worst ones, at most 64; Excused likewise.
	Worst        []Vulnerability `json:"worst,omitempty"`
	Excused      []Excused       `json:"excused,omitempty"`
	ExcusedTotal int             `json:"excusedTotal"`
}

func (s *Scan) validate() error {
	if s.Scanner == "" || s.ScannedAt.IsZero() || len(s.Worst) > MaxListed || len(s.Excused) > MaxListed {
		return errors.New("no scanner, no time, or a list is too long")
	}
	if !gaps[s.Gap] {
		return errors.New("an unknown gap")
	}
	for _, n := range []int{s.Critical, s.High, s.Medium, s.Low, s.Unrated, s.ExcusedTotal} {
		if n < 0 || n > MaxCount {
			return errors.New("a number is out of range")
		}
	}
	// What is listed has been counted, and what was counted is listed as far as there is room.
	if len(s.Excused) != min(s.ExcusedTotal, MaxListed) {
		return errors.New("the list and the numbers contradict each other")
	}
	listed := map[Severity]int{}
	for _, v := range s.Worst {
		if v.ID == "" || !severities[v.Severity] {
			return errors.New("a vulnerability without a name or a severity")
		}
		listed[v.Severity]++
	}
	for severity, n := range map[Severity]int{SeverityCritical: s.Critical, SeverityHigh: s.High, SeverityMedium: s.Medium, SeverityLow: s.Low, SeverityUnrated: s.Unrated} {
		if listed[severity] > n || len(s.Worst) < MaxListed && listed[severity] != n {
			return errors.New("the list and the numbers contradict each other")
		}
	}
	for _, e := range s.Excused {
		if e.ID == "" || !severities[e.Severity] || e.Status != "not_affected" && e.Status != "fixed" || e.By == "" {
			return errors.New("an excuse without a name, a status or an author")
		}
	}
	return nil
}

func (s *Scan) clean() {
	s.Signer, s.Scanner = Clean(s.Signer, 63), Clean(s.Scanner, 128)
	for i := range s.Worst {
		s.Worst[i].clean()
	}
	for i := range s.Excused {
		e := &s.Excused[i]
		e.clean()
		e.Because, e.By = Clean(e.Because, maxText), Clean(e.By, maxText)
	}
}

func (v *Vulnerability) clean() {
	v.ID, v.Package = Clean(v.ID, 64), Clean(v.Package, 128)
	v.Version, v.FixedIn = Clean(v.Version, 64), Clean(v.FixedIn, 64)
}
