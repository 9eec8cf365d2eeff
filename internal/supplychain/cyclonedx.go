package supplychain

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// cdxComponent is a component of a CycloneDX document.
type cdxComponent struct {
	Ref     string `json:"bom-ref"`
	Type    string `json:"type"`
	PURL    string `json:"purl"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Hashes  []struct{ Alg, Content string }
}

// image is the digest that a component says it is, or "" where it says none: in its package address, in place of a
// version, or as its hash.
func (c cdxComponent) image() string {
	if digest := imageAddress(c.PURL); digest != "" {
		return digest
	}
	if strings.HasPrefix(c.Version, "sha256:") {
		return c.Version
	}
	for _, h := range c.Hashes {
		if h.Alg == "SHA-256" {
			return "sha256:" + strings.ToLower(h.Content)
		}
	}
	return ""
}

// cdxRating is how bad somebody thinks a vulnerability is.
type cdxRating struct {
	Severity, Method string
	Score            json.Number
}

// cdx is a CycloneDX document, as far as vulnerabilities go.
type cdx struct {
	BOMFormat    string
	SerialNumber string
	Metadata     struct {
		Timestamp time.Time
		// Component that the document is about.
		Component *cdxComponent
		Tools     json.RawMessage
	}
	Components      []cdxComponent
	Vulnerabilities []struct {
		ID         string
		References []struct{ ID string }
		Ratings    []cdxRating
		Analysis   *struct{ State, Justification, Detail string }
		Affects    []struct{ Ref string }
		Updated    time.Time
	}
}

// local is a reference without the BOM-Link in front (urn:cdx:serial/version#ref), and false where that points into another
// document, of which nothing is known here.
func (d cdx) local(ref string) (string, bool) {
	link, ok := strings.CutPrefix(ref, "urn:cdx:")
	if !ok {
		return ref, ref != ""
	}
	document, fragment, _ := strings.Cut(link, "#")
	serial, _, _ := strings.Cut(document, "/")
	return fragment, fragment != "" && serial != "" && strings.EqualFold(d.SerialNumber, "urn:uuid:"+serial)
}

// component of the document by its reference.
func (d cdx) component(ref string) (cdxComponent, bool) {
	for _, c := range d.Components {
		if c.Ref == ref {
			return c, true
		}
	}
	return cdxComponent{PURL: ref}, false
}

// about tells whether the document is about the image. One that names nothing is about what it is attested of.
func (d cdx) about(image string, attested bool) bool {
	if d.Metadata.Component == nil {
		return attested
	}
	return d.Metadata.Component.image() == image
}

// product that an analysis is about. Of a part of some product it says nothing about the same part of another one, in
// which other code may be reached: it counts for this image if the document is about it. A package by its address alone is
// meant wherever it is, in a document that is about no product; an image by its digest always.
func (d cdx) product(ref, image string, attested bool) product {
	ref, ok := d.local(ref)
	if !ok {
		return product{}
	}
	ours := d.about(image, attested)
	root := d.Metadata.Component
	part, listed := d.component(ref)
	switch {
	case root != nil && ref == root.Ref:
		if ours {
			return product{digest: strings.TrimPrefix(image, "sha256:")}
		}
	case imageAddress(ref) != "":
		return product{id: ref}
	case ours && part.PURL != "":
		return product{digest: strings.TrimPrefix(image, "sha256:"), within: []string{part.PURL}}
	case root == nil && (!listed || part.PURL == ref):
		return product{id: ref}
	}
	return product{}
}

// cdxVEX reads the analyses of a CycloneDX document, for an image, of which it may be attested.
func cdxVEX(raw []byte, image string, attested bool) ([]excuse, bool) {
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
			e.products = append(e.products, doc.product(a.Ref, image, attested))
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
func cdxResults(raw []byte, image string) (scanned, evidence.Refusal) {
	var doc cdx
	if json.Unmarshal(raw, &doc) != nil || doc.BOMFormat != "CycloneDX" || len(doc.Components) == 0 || len(doc.Vulnerabilities) == 0 {
		return scanned{}, evidence.RefusedMalformed
	}
	if root := doc.Metadata.Component; root != nil && root.image() != "" && root.image() != image {
		return scanned{}, evidence.RefusedImage
	}
	var out scanned
	for _, v := range doc.Vulnerabilities {
		if v.Analysis != nil || len(v.Affects) == 0 {
			return scanned{}, evidence.RefusedMalformed
		}
		severity := worst(v.Ratings)
		for _, a := range v.Affects {
			c, _ := doc.component(a.Ref)
			out.found = append(out.found, found{purl: c.PURL, Vulnerability: evidence.Vulnerability{ID: v.ID, Package: or(c.Name, c.PURL), Version: c.Version, Severity: severity}})
		}
	}
	return out, ""
}

// worst of all ratings, whoever gave them.
func worst(ratings []cdxRating) evidence.Severity {
	out := evidence.SeverityUnrated
	said := false
	for _, r := range ratings {
		for _, s := range r.severities() {
			if !said || rank[s] < rank[out] {
				out, said = s, true
			}
		}
	}
	return out
}

// severities that a rating says: by its word and by its score. A score of another method than CVSS may be on another scale;
// it can say that something is bad, and not that it is not.
func (r cdxRating) severities() []evidence.Severity {
	var out []evidence.Severity
	if r.Severity != "" {
		out = append(out, severityOf(r.Severity))
	}
	if s := severityOfScore(string(r.Score)); r.Score != "" && (strings.HasPrefix(r.Method, "CVSS") || rank[s] < rank[evidence.SeverityUnrated]) {
		out = append(out, s)
	}
	return out
}

// cdxScan is a scan in a CycloneDX document that says by what and when it was made.
func cdxScan(raw []byte, image string) *scanned {
	s, why := cdxResults(raw, image)
	if why != "" {
		return nil
	}
	tool, at := cdxTool(raw)
	if tool == "" || at.IsZero() {
		return nil
	}
	s.scanner, s.scannedAt = strings.TrimSpace(tool), at
	if usable(&s) != "" {
		return nil
	}
	return &s
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
