package supplychain

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// found is a vulnerability as a scanner reports it, with what tells which package it is in.
type found struct {
	evidence.Vulnerability
	aliases []string
	purl    string
}

// scanned is what one scanner found in the image.
type scanned struct {
	signer, scanner       string
	scannedAt, databaseAt time.Time
	found                 []found
}

// maxFound is how many findings of one scan are read.
const maxFound = 50_000

// severityOf reads the words that scanners use. What is none of them was not rated.
func severityOf(word string) evidence.Severity {
	switch strings.ToLower(word) {
	case "critical":
		return evidence.SeverityCritical
	case "high", "important":
		return evidence.SeverityHigh
	case "medium", "moderate":
		return evidence.SeverityMedium
	case "low", "negligible", "none", "info":
		return evidence.SeverityLow
	}
	return evidence.SeverityUnrated
}

// severityOfScore is the qualitative scale of CVSS v3.1, section 5.
func severityOfScore(text string) evidence.Severity {
	score, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !(score >= 0 && score <= 10):
		return evidence.SeverityUnrated
	case score >= 9:
		return evidence.SeverityCritical
	case score >= 7:
		return evidence.SeverityHigh
	case score >= 4:
		return evidence.SeverityMedium
	}
	return evidence.SeverityLow
}

// trivyOperatorReport reads a VulnerabilityReport of aquasecurity.github.io/v1alpha1. Its artifact.digest is the one in the
// pod's image reference, where that has one, as every pod of the operator's does: the index's, for an image of several
// platforms, although the platform of the node is what was scanned. Of a pod that names a tag it is something else, which
// differs between releases (the image's ID, which is the digest of its configuration; a digest of the platform's manifest;
// nothing), and is not taken for it.
func trivyOperatorReport(raw []byte, image string) (*scanned, evidence.Refusal) {
	var r struct {
		Report struct {
			UpdateTimestamp time.Time
			Scanner         struct{ Name, Version string }
			Artifact        struct{ Digest string }
			Summary         struct{ CriticalCount, HighCount int }
			Vulnerabilities []struct {
				VulnerabilityID, Resource, InstalledVersion, FixedVersion, Severity, PackagePURL string
			}
		}
	}
	if json.Unmarshal(raw, &r) != nil || r.Report.UpdateTimestamp.IsZero() || r.Report.Scanner.Name == "" || r.Report.Vulnerabilities == nil {
		return nil, evidence.RefusedMalformed
	}
	if r.Report.Artifact.Digest != image {
		return nil, evidence.RefusedImage
	}
	s := &scanned{scanner: r.Report.Scanner.Name, scannedAt: r.Report.UpdateTimestamp}
	critical, high := 0, 0
	for _, v := range r.Report.Vulnerabilities {
		severity := severityOf(v.Severity)
		switch severity {
		case evidence.SeverityCritical:
			critical++
		case evidence.SeverityHigh:
			high++
		}
		s.found = append(s.found, found{purl: v.PackagePURL, Vulnerability: evidence.Vulnerability{
			ID: v.VulnerabilityID, Package: v.Resource, Version: v.InstalledVersion, FixedIn: v.FixedVersion, Severity: severity}})
	}
	// A list that leaves out what the summary counts was cut.
	if critical < r.Report.Summary.CriticalCount || high < r.Report.Summary.HighCount {
		return nil, evidence.RefusedMalformed
	}
	return s, usable(s)
}

// vulnAttestation reads cosign's vulnerability predicate, whose result is a report in the scanner's own form.
func vulnAttestation(predicate []byte) (*scanned, evidence.Refusal) {
	var p struct {
		Scanner struct {
			URI    string
			DB     struct{ LastUpdate *time.Time }
			Result json.RawMessage
		}
		Metadata struct{ ScanFinishedOn time.Time }
	}
	if json.Unmarshal(predicate, &p) != nil || p.Scanner.URI == "" || p.Metadata.ScanFinishedOn.IsZero() {
		return nil, evidence.RefusedMalformed
	}
	s := &scanned{scanner: p.Scanner.URI, scannedAt: p.Metadata.ScanFinishedOn}
	if p.Scanner.DB.LastUpdate != nil {
		s.databaseAt = *p.Scanner.DB.LastUpdate
	}
	var ok bool
	for _, form := range []func([]byte) ([]found, bool){trivyResults, sarifResults} {
		if s.found, ok = form(p.Scanner.Result); ok {
			return s, usable(s)
		}
	}
	if s.found, ok = cdxResults(p.Scanner.Result); ok {
		return s, usable(s)
	}
	return nil, evidence.RefusedMalformed
}

// trivyResults reads Trivy's own JSON. Where it lists no target at all, the scanner found nothing that it could scan,
// which is no scan.
func trivyResults(raw []byte) ([]found, bool) {
	var r struct {
		SchemaVersion int
		Results       []struct {
			Target          string
			Vulnerabilities []struct {
				VulnerabilityID, PkgName, InstalledVersion, FixedVersion, Severity string
				VendorIDs                                                          []string
				PkgIdentifier                                                      struct{ PURL string }
			}
		}
	}
	if json.Unmarshal(raw, &r) != nil || r.SchemaVersion == 0 || len(r.Results) == 0 {
		return nil, false
	}
	var out []found
	for _, result := range r.Results {
		for _, v := range result.Vulnerabilities {
			out = append(out, found{purl: v.PkgIdentifier.PURL, aliases: v.VendorIDs, Vulnerability: evidence.Vulnerability{
				ID: v.VulnerabilityID, Package: v.PkgName, Version: v.InstalledVersion, FixedIn: v.FixedVersion, Severity: severityOf(v.Severity)}})
		}
	}
	return out, true
}

// sarifResults reads SARIF 2.1.0, in which a rule carries its score in the property "security-severity".
func sarifResults(raw []byte) ([]found, bool) {
	var doc struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID         string
						Properties map[string]json.RawMessage
					}
				}
			}
			Results []struct {
				RuleID  string
				Message struct{ Text string }
			}
		}
	}
	if json.Unmarshal(raw, &doc) != nil || !strings.HasPrefix(doc.Version, "2.") || len(doc.Runs) == 0 {
		return nil, false
	}
	var out []found
	for _, run := range doc.Runs {
		if run.Tool.Driver.Name == "" || run.Results == nil {
			return nil, false
		}
		scores := map[string]evidence.Severity{}
		for _, rule := range run.Tool.Driver.Rules {
			var score string
			if json.Unmarshal(rule.Properties["security-severity"], &score) != nil {
				score = string(rule.Properties["security-severity"])
			}
			scores[rule.ID] = severityOfScore(score)
		}
		for _, r := range run.Results {
			severity, rated := scores[r.RuleID]
			if !rated {
				severity = evidence.SeverityUnrated
			}
			// Grype's rules are named "CVE-…-package"; the identifier is what excuses speak of.
			id, rest := identifier(r.RuleID)
			out = append(out, found{Vulnerability: evidence.Vulnerability{ID: id, Package: rest, Severity: severity}})
		}
	}
	return out, true
}

// identifier cuts the package off a rule's name: CVE-2026-0001-openssl is CVE-2026-0001 in openssl.
func identifier(rule string) (id, rest string) {
	parts := strings.Split(rule, "-")
	switch {
	case len(parts) > 3 && parts[0] == "CVE":
		return strings.Join(parts[:3], "-"), strings.Join(parts[3:], "-")
	case len(parts) > 4 && parts[0] == "GHSA":
		return strings.Join(parts[:4], "-"), strings.Join(parts[4:], "-")
	}
	return rule, ""
}

// usable refuses a scan that can't be counted.
func usable(s *scanned) evidence.Refusal {
	if len(s.found) > maxFound {
		return evidence.RefusedSize
	}
	for _, f := range s.found {
		if f.ID == "" {
			return evidence.RefusedMalformed
		}
	}
	return ""
}

// sumUp counts what is left of a scan when what is excused is taken out. The same vulnerability in the same version of a
// package counts once, with its worst rating.
func sumUp(s *scanned, excuses []excuse, image string) evidence.Scan {
	out := evidence.Scan{Signer: s.signer, Scanner: s.scanner, ScannedAt: s.scannedAt.UTC()}
	if !s.databaseAt.IsZero() {
		at := s.databaseAt.UTC()
		out.DatabaseAt = &at
	}
	for _, f := range distinct(s.found) {
		if e := excused(f, excuses, image); e != nil {
			out.ExcusedTotal++
			out.Excused = append(out.Excused, evidence.Excused{Vulnerability: f.Vulnerability, Status: e.status, Because: e.because, By: e.by})
			continue
		}
		switch f.Severity {
		case evidence.SeverityCritical:
			out.Critical++
		case evidence.SeverityHigh:
			out.High++
		case evidence.SeverityMedium:
			out.Medium++
		case evidence.SeverityLow:
			out.Low++
		default:
			out.Unrated++
		}
		out.Worst = append(out.Worst, f.Vulnerability)
	}
	out.Worst = out.Worst[:min(len(out.Worst), evidence.MaxListed)]
	out.Excused = out.Excused[:min(len(out.Excused), evidence.MaxListed)]
	return out
}

var rank = map[evidence.Severity]int{evidence.SeverityCritical: 0, evidence.SeverityHigh: 1, evidence.SeverityUnrated: 2, evidence.SeverityMedium: 3, evidence.SeverityLow: 4}

func distinct(all []found) []found {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b found) int {
		return cmp.Or(rank[a.Severity]-rank[b.Severity], strings.Compare(a.ID, b.ID), strings.Compare(a.Package, b.Package), strings.Compare(a.Version, b.Version))
	})
	seen := map[string]bool{}
	return slices.DeleteFunc(sorted, func(f found) bool {
		key, _ := json.Marshal([]string{f.ID, f.Package, f.Version, f.purl})
		again := seen[string(key)]
		seen[string(key)] = true
		return again
	})
}
