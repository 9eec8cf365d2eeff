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
	gap                   evidence.Gap
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
			OS              struct{ EOSL bool }
			Summary         struct{ CriticalCount, HighCount, MediumCount, LowCount, UnknownCount int }
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
	if r.Report.OS.EOSL {
		s.gap = evidence.GapEndOfLife
	}
	listed := map[evidence.Severity]int{}
	for _, v := range r.Report.Vulnerabilities {
		severity := severityOf(v.Severity)
		listed[severity]++
		s.found = append(s.found, found{purl: v.PackagePURL, Vulnerability: evidence.Vulnerability{
			ID: v.VulnerabilityID, Package: v.Resource, Version: v.InstalledVersion, FixedIn: v.FixedVersion, Severity: severity}})
	}
	// A list that leaves out what the summary counts was cut.
	told := r.Report.Summary
	for severity, n := range map[evidence.Severity]int{evidence.SeverityCritical: told.CriticalCount, evidence.SeverityHigh: told.HighCount,
		evidence.SeverityMedium: told.MediumCount, evidence.SeverityLow: told.LowCount, evidence.SeverityUnrated: told.UnknownCount} {
		if listed[severity] < n {
			return nil, evidence.RefusedMalformed
		}
	}
	return s, usable(s)
}

// vulnAttestation reads cosign's vulnerability predicate, whose result is a report in the scanner's own form.
func vulnAttestation(predicate []byte, image string) (*scanned, evidence.Refusal) {
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
	for _, form := range []func([]byte, string) (scanned, evidence.Refusal){trivyResults, sarifResults, cdxResults} {
		s, why := form(p.Scanner.Result, image)
		if why == evidence.RefusedMalformed {
			continue
		}
		if why != "" {
			return nil, why
		}
		s.scanner, s.scannedAt = p.Scanner.URI, p.Metadata.ScanFinishedOn
		if p.Scanner.DB.LastUpdate != nil {
			s.databaseAt = *p.Scanner.DB.LastUpdate
		}
		return &s, usable(&s)
	}
	return nil, evidence.RefusedMalformed
}

// trivyResults reads Trivy's own JSON. Where no result is of packages, it looked for something else, such as secrets, or
// found nothing that it could scan: that is no scan.
func trivyResults(raw []byte, image string) (scanned, evidence.Refusal) {
	var r struct {
		SchemaVersion int
		Metadata      struct {
			OS struct {
				Family string
				EOSL   bool
			}
			RepoDigests []string
		}
		Results []struct {
			Target, Class   string
			Vulnerabilities []struct {
				VulnerabilityID, PkgName, InstalledVersion, FixedVersion, Severity string
				VendorIDs                                                          []string
				PkgIdentifier                                                      struct{ PURL string }
			}
		}
	}
	if json.Unmarshal(raw, &r) != nil || r.SchemaVersion == 0 {
		return scanned{}, evidence.RefusedMalformed
	}
	if !among(r.Metadata.RepoDigests, image) {
		return scanned{}, evidence.RefusedImage
	}
	var out scanned
	classes := map[string]bool{}
	for _, result := range r.Results {
		classes[result.Class] = true
		for _, v := range result.Vulnerabilities {
			out.found = append(out.found, found{purl: v.PkgIdentifier.PURL, aliases: v.VendorIDs, Vulnerability: evidence.Vulnerability{
				ID: v.VulnerabilityID, Package: v.PkgName, Version: v.InstalledVersion, FixedIn: v.FixedVersion, Severity: severityOf(v.Severity)}})
		}
	}
	switch system := classes["os-pkgs"]; {
	case !system && !classes["lang-pkgs"]:
		return scanned{}, evidence.RefusedMalformed
	case r.Metadata.OS.EOSL:
		out.gap = evidence.GapEndOfLife
	case !system && r.Metadata.OS.Family != "" && r.Metadata.OS.Family != "none":
		out.gap = evidence.GapSystem
	}
	return out, ""
}

// among tells whether what a scanner says it scanned is the image, or that it does not say.
func among(repoDigests []string, image string) bool {
	return len(repoDigests) == 0 || slices.ContainsFunc(repoDigests, func(name string) bool {
		_, digest, ok := strings.Cut(name, "@")
		return ok && digest == image
	})
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
	out := evidence.Scan{Signer: s.signer, Scanner: s.scanner, ScannedAt: s.scannedAt.UTC(), Gap: s.gap}
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
