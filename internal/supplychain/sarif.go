package supplychain

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
)

// sarifRun is one run of a tool in SARIF 2.1.0.
type sarifRun struct {
	Tool struct {
		Driver struct {
			Name  string
			Rules []struct {
				ID         string
				Properties map[string]json.RawMessage
			}
		}
	}
	Invocations []struct{ ExecutionSuccessful *bool }
	Results     []struct{ RuleID string }
	// Properties, of which Trivy's name the image.
	Properties struct{ RepoDigests []string }
}

// sarifResults reads SARIF, in which a rule carries its score in the property "security-severity". Linters write SARIF as
// well: each run has to be one of a scanner for vulnerabilities.
func sarifResults(raw []byte, image string) (scanned, evidence.Refusal) {
	var doc struct {
		Version string
		Runs    []sarifRun
	}
	if json.Unmarshal(raw, &doc) != nil || !strings.HasPrefix(doc.Version, "2.") || len(doc.Runs) == 0 {
		return scanned{}, evidence.RefusedMalformed
	}
	var out scanned
	for _, run := range doc.Runs {
		if !among(run.Properties.RepoDigests, image) {
			return scanned{}, evidence.RefusedImage
		}
		if run.Results == nil || !run.looksForVulnerabilities() {
			return scanned{}, evidence.RefusedMalformed
		}
		for _, i := range run.Invocations {
			if i.ExecutionSuccessful != nil && !*i.ExecutionSuccessful {
				out.gap = evidence.GapFailed
			}
		}
		out.found = append(out.found, run.found()...)
	}
	return out, ""
}

// vulnerabilityID matches the identifiers of databases of vulnerabilities.
var vulnerabilityID = regexp.MustCompile(`(?i)^(?:CVE|GHSA|OSV|GO|GMS|PYSEC|RUSTSEC|MAL|SNYK|DSA|DLA|TEMP|USN|RHSA|RHBA|RHEA|RLSA|ALSA|ALAS[0-9A-Z]*|ELSA|SUSE-SU|OPENSUSE-SU|CGA|EUVD|BIT|NSWG|PRISMA)-[0-9A-Z]`)

// scanners for vulnerabilities by the names that they give themselves: who finds nothing lists no rule either.
var scanners = []string{"trivy", "grype", "docker scout", "osv-scanner", "snyk container"}

// looksForVulnerabilities tells whether a run speaks of vulnerabilities at all, or of nothing and is a known scanner's.
func (r sarifRun) looksForVulnerabilities() bool {
	name := r.Tool.Driver.Name
	if name == "" {
		return false
	}
	var ids []string
	for _, rule := range r.Tool.Driver.Rules {
		ids = append(ids, rule.ID)
	}
	for _, result := range r.Results {
		ids = append(ids, result.RuleID)
	}
	if len(ids) == 0 {
		return slices.Contains(scanners, strings.ToLower(name))
	}
	return slices.ContainsFunc(ids, vulnerabilityID.MatchString)
}

func (r sarifRun) found() []found {
	scores := map[string]evidence.Severity{}
	for _, rule := range r.Tool.Driver.Rules {
		var score string
		if json.Unmarshal(rule.Properties["security-severity"], &score) != nil {
			score = string(rule.Properties["security-severity"])
		}
		scores[rule.ID] = severityOfScore(score)
	}
	var out []found
	for _, result := range r.Results {
		severity, rated := scores[result.RuleID]
		if !rated {
			severity = evidence.SeverityUnrated
		}
		// Grype's rules are named "CVE-…-package"; the identifier is what excuses speak of.
		id, rest := identifier(result.RuleID)
		out = append(out, found{Vulnerability: evidence.Vulnerability{ID: id, Package: rest, Severity: severity}})
	}
	return out
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
