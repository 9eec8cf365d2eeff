package supplychain

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// excuse is one statement of a VEX document: what a vulnerability does in a product. It may also take an earlier one back.
type excuse struct {
	names    []string
	products []product
	// status in OpenVEX's words.
	status  string
	because string
	at      time.Time
	by      string
}

// product is what an excuse is about: an image with its digest, or a package.
type product struct {
	id, digest string
	// within are packages of the product that alone are meant.
	within []string
}

const (
	statusNotAffected = "not_affected"
	statusFixed       = "fixed"
)

// openVEX reads a document of https://openvex.dev/ns.
func openVEX(raw []byte) ([]excuse, bool) {
	type component struct {
		ID          string `json:"@id"`
		Identifiers map[string]string
		Hashes      map[string]string
	}
	var doc struct {
		Context    string `json:"@context"`
		Timestamp  time.Time
		Statements []struct {
			Vulnerability json.RawMessage
			Timestamp     time.Time
			Products      []struct {
				component
				Subcomponents []component
			}
			Status          string
			Justification   string
			ImpactStatement string `json:"impact_statement"`
		}
	}
	if json.Unmarshal(raw, &doc) != nil || !strings.HasPrefix(doc.Context, predicateOpenVEX) || len(doc.Statements) == 0 {
		return nil, false
	}
	var out []excuse
	for _, s := range doc.Statements {
		e := excuse{names: namesOf(s.Vulnerability), status: s.Status, at: s.Timestamp, because: s.Justification}
		if e.at.IsZero() {
			e.at = doc.Timestamp
		}
		if e.because == "" {
			e.because = s.ImpactStatement
		}
		for _, p := range s.Products {
			made := product{id: or(p.ID, p.Identifiers["purl"]), digest: p.Hashes["sha-256"]}
			for _, c := range p.Subcomponents {
				made.within = append(made.within, or(c.ID, c.Identifiers["purl"]))
			}
			e.products = append(e.products, made)
		}
		if len(e.names) == 0 || e.at.IsZero() {
			return nil, false
		}
		out = append(out, e)
	}
	return out, true
}

// namesOf reads a vulnerability, which older documents only name.
func namesOf(raw json.RawMessage) []string {
	var name string
	if json.Unmarshal(raw, &name) == nil && name != "" {
		return []string{name}
	}
	var v struct {
		Name    string
		Aliases []string
	}
	if json.Unmarshal(raw, &v) != nil || v.Name == "" {
		return nil
	}
	return append([]string{v.Name}, v.Aliases...)
}

// cdxComponent is a component of a CycloneDX document.
type cdxComponent struct {
	Ref     string `json:"bom-ref"`
	PURL    string `json:"purl"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// cdx is a CycloneDX document, as far as vulnerabilities go.
type cdx struct {
	BOMFormat string
	Metadata  struct {
		Timestamp time.Time
		Component cdxComponent
		Tools     json.RawMessage
	}
	Components      []cdxComponent
	Vulnerabilities []struct {
		ID         string
		References []struct{ ID string }
		Ratings    []struct {
			Severity string
			Score    *float64
		}
		Analysis *struct{ State, Justification, Detail string }
		Affects  []struct{ Ref string }
		Updated  time.Time
	}
}

func (d cdx) component(ref string) cdxComponent {
	// A document of its own points into the bill of materials by a BOM-Link, urn:cdx:serial/version#ref.
	if link, fragment, ok := strings.Cut(ref, "#"); ok && strings.HasPrefix(link, "urn:cdx:") {
		ref = fragment
	}
	for _, c := range append(d.Components, d.Metadata.Component) {
		if c.Ref == ref && ref != "" {
			return c
		}
	}
	return cdxComponent{PURL: ref}
}

// cdxVEX reads the analyses of a CycloneDX document.
func cdxVEX(raw []byte) ([]excuse, bool) {
	var doc cdx
	if json.Unmarshal(raw, &doc) != nil || doc.BOMFormat != "CycloneDX" {
		return nil, false
	}
	var out []excuse
	for _, v := range doc.Vulnerabilities {
		if v.Analysis == nil {
			continue
		}
		e := excuse{names: []string{v.ID}, because: or(v.Analysis.Justification, v.Analysis.Detail), at: v.Updated, status: "affected"}
		switch v.Analysis.State {
		case "not_affected", "false_positive":
			e.status = statusNotAffected
		case "resolved", "resolved_with_pedigree":
			e.status = statusFixed
		}
		if e.at.IsZero() {
			e.at = doc.Metadata.Timestamp
		}
		for _, r := range v.References {
			e.names = append(e.names, r.ID)
		}
		for _, a := range v.Affects {
			e.products = append(e.products, product{id: doc.component(a.Ref).PURL})
		}
		if v.ID == "" || e.at.IsZero() {
			return nil, false
		}
		out = append(out, e)
	}
	return out, len(out) > 0
}

// cdxResults reads a CycloneDX document as a scan. One that lists no vulnerability may be a bill of materials that
// nobody scanned, and one with analyses is an opinion on some vulnerabilities and not a list of all: neither is a scan.
func cdxResults(raw []byte) ([]found, bool) {
	var doc cdx
	if json.Unmarshal(raw, &doc) != nil || doc.BOMFormat != "CycloneDX" || len(doc.Components) == 0 || len(doc.Vulnerabilities) == 0 {
		return nil, false
	}
	var out []found
	for _, v := range doc.Vulnerabilities {
		if v.Analysis != nil || len(v.Affects) == 0 {
			return nil, false
		}
		severity := evidence.SeverityUnrated
		for _, r := range v.Ratings {
			if s := severityOf(r.Severity); rank[s] < rank[severity] || severity == evidence.SeverityUnrated {
				severity = s
			}
		}
		for _, a := range v.Affects {
			c := doc.component(a.Ref)
			out = append(out, found{purl: c.PURL, Vulnerability: evidence.Vulnerability{ID: v.ID, Package: or(c.Name, c.PURL), Version: c.Version, Severity: severity}})
		}
	}
	return out, true
}

// excused gives the statement that excuses a finding, or nil. The newest one about it counts; of two of the same time the
// one that does not excuse. A vulnerability is not excused without a reason.
func excused(f found, all []excuse, image string) *excuse {
	var best *excuse
	for i := range all {
		e := &all[i]
		if !e.concerns(f, image) {
			continue
		}
		if best == nil || e.at.After(best.at) || e.at.Equal(best.at) && !e.excuses() {
			best = e
		}
	}
	if best == nil || !best.excuses() {
		return nil
	}
	return best
}

func (e excuse) excuses() bool {
	return e.status == statusFixed || e.status == statusNotAffected && e.because != ""
}

func (e excuse) concerns(f found, image string) bool {
	named := slices.ContainsFunc(append([]string{f.ID}, f.aliases...), func(id string) bool {
		return slices.ContainsFunc(e.names, func(name string) bool { return strings.EqualFold(name, id) })
	})
	return named && slices.ContainsFunc(e.products, func(p product) bool { return p.covers(f, image) })
}

// covers tells whether a finding is in what the product is: the very image, by its digest, or the very package, by its
// address. A name without a digest or a version is neither.
func (p product) covers(f found, image string) bool {
	hex := strings.TrimPrefix(image, "sha256:")
	if strings.EqualFold(p.digest, hex) || imageAddress(p.id) == image {
		return len(p.within) == 0 || slices.ContainsFunc(p.within, func(id string) bool { return samePackage(id, f) })
	}
	return len(p.within) == 0 && samePackage(p.id, f)
}

// imageAddress is the digest in a package address of an image, pkg:oci/name@sha256:…
func imageAddress(id string) string {
	rest, ok := strings.CutPrefix(id, "pkg:oci/")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "?")
	_, version, _ := strings.Cut(rest, "@")
	digest, err := url.PathUnescape(version)
	if err != nil {
		return ""
	}
	return digest
}

// samePackage compares package addresses with their versions; what follows (qualifiers) says where it was found.
func samePackage(id string, f found) bool {
	if !strings.HasPrefix(id, "pkg:") || f.purl == "" {
		return false
	}
	a, _, _ := strings.Cut(id, "?")
	b, _, _ := strings.Cut(f.purl, "?")
	a, errA := url.PathUnescape(a)
	b, errB := url.PathUnescape(b)
	return errA == nil && errB == nil && a == b && strings.Contains(strings.TrimPrefix(a, "pkg:"), "@")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// cdxTool is the first tool that a CycloneDX document names, in the form of version 1.5 or the one before.
func cdxTool(raw []byte) (name string, at time.Time) {
	var doc cdx
	if json.Unmarshal(raw, &doc) != nil {
		return "", at
	}
	var older []struct{ Name string }
	if json.Unmarshal(doc.Metadata.Tools, &older) == nil && len(older) > 0 {
		return older[0].Name, doc.Metadata.Timestamp
	}
	var newer struct{ Components []struct{ Name string } }
	if json.Unmarshal(doc.Metadata.Tools, &newer) == nil && len(newer.Components) > 0 {
		return newer.Components[0].Name, doc.Metadata.Timestamp
	}
	return "", at
}
