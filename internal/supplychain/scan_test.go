package supplychain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

var scannedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type object = map[string]any

func text(t *testing.T, value any) []byte { t.Helper(); return must(json.Marshal(value))(t) }

// operatorReport is a VulnerabilityReport as trivy-operator writes it.
func operatorReport(digest string, at time.Time, vulnerabilities ...object) object {
	if vulnerabilities == nil {
		vulnerabilities = []object{}
	}
	return object{
		"apiVersion": "aquasecurity.github.io/v1alpha1", "kind": "VulnerabilityReport", "metadata": object{"name": "replicaset-app"},
		"report": object{
			"updateTimestamp": at.Format(time.RFC3339), "scanner": object{"name": "Trivy", "vendor": "Aqua Security", "version": "0.70.0"},
			"artifact": object{"repository": "team/app", "digest": digest}, "summary": object{"criticalCount": 0, "highCount": 0},
			"vulnerabilities": vulnerabilities,
		},
	}
}

// named is what the report of a pod says whose image was referenced by tag.
func named(report object, tag string) object {
	artifact := report["report"].(object)["artifact"].(object)
	artifact["tag"] = tag
	if artifact["digest"] == "" {
		delete(artifact, "digest")
	}
	return report
}

func flaw(id, severity string) object {
	return object{"vulnerabilityID": id, "resource": "openssl", "installedVersion": "3.0.1", "fixedVersion": "3.0.2", "severity": severity, "packagePURL": "pkg:deb/debian/openssl@3.0.1?arch=amd64"}
}

func (q question) with(t *testing.T, kind string, docs ...any) question {
	t.Helper()
	for i, doc := range docs {
		raw, ok := doc.([]byte)
		if !ok {
			raw = text(t, doc)
		}
		document := evidence.Document{Name: fmt.Sprintf("%s %d", kind, i), Content: raw}
		if kind == "vex" {
			q.material.VEX = append(q.material.VEX, document)
		} else {
			q.material.Reports = append(q.material.Reports, document)
		}
	}
	return q
}

func TestReportsOfTrivyOperator(t *testing.T) {
	counted := func(critical, high, unrated int) string {
		return fmt.Sprintf("%d critical, %d high, %d unrated", critical, high, unrated)
	}
	lying := operatorReport(image, scannedAt)
	lying["report"].(object)["summary"] = object{"criticalCount": 3}
	unrated := operatorReport(image, scannedAt)
	unrated["report"].(object)["summary"] = object{"unknownCount": 9}
	listless := operatorReport(image, scannedAt)
	delete(listless["report"].(object), "vulnerabilities")
	for name, c := range map[string]struct {
		reports []any
		want    string
	}{
		"nothing found":                     {[]any{operatorReport(image, scannedAt)}, counted(0, 0, 0)},
		"found":                             {[]any{operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"), flaw("CVE-2026-0002", "HIGH"), flaw("CVE-2026-0003", "UNKNOWN"), flaw("CVE-2026-0004", "LOW"))}, counted(1, 1, 1)},
		"found twice":                       {[]any{operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"), flaw("CVE-2026-0001", "CRITICAL"))}, counted(1, 0, 0)},
		"a word of its own is not rated":    {[]any{operatorReport(image, scannedAt, flaw("CVE-2026-0001", "Catastrophic"))}, counted(0, 0, 1)},
		"the newest of a scanner":           {[]any{operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL")), operatorReport(image, scannedAt.Add(time.Hour))}, counted(0, 0, 0)},
		"none of the future":                {[]any{operatorReport(image, scannedAt.AddDate(73, 0, 0)), operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"))}, counted(1, 0, 0)},
		"of the future":                     {[]any{operatorReport(image, scannedAt.AddDate(73, 0, 0))}, "DatedAhead"},
		"of the same time the longer":       {[]any{operatorReport(image, scannedAt), operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"))}, counted(1, 0, 0)},
		"another image":                     {[]any{operatorReport(other, scannedAt)}, "AnotherImage"},
		"by tag, with the image's ID":       {[]any{named(operatorReport(other, scannedAt), "1.4")}, "AnotherImage"},
		"by tag, without a digest":          {[]any{named(operatorReport("", scannedAt), "1.4")}, "AnotherImage"},
		"no digest":                         {[]any{operatorReport("", scannedAt)}, "AnotherImage"},
		"no time":                           {[]any{operatorReport(image, time.Time{})}, "Malformed"},
		"a list shorter than its summary":   {[]any{lying}, "Malformed"},
		"a list without what nobody rated":  {[]any{unrated}, "Malformed"},
		"no list":                           {[]any{listless}, "Malformed"},
		"a flaw without a name":             {[]any{operatorReport(image, scannedAt, flaw("", "LOW"))}, "Malformed"},
		"more flaws than are read":          {[]any{operatorReport(image, scannedAt, slices.Repeat([]object{{"vulnerabilityID": "CVE-2026-0001", "severity": "LOW"}}, maxFound+1)...)}, "TooLarge"},
		"no JSON":                           {[]any{[]byte("{")}, "Malformed"},
		"something else":                    {[]any{object{"kind": "ConfigMap"}}, "Malformed"},
		"one that is broken hides no other": {[]any{[]byte("{"), operatorReport(image, scannedAt)}, counted(0, 0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			result := ask(t, nil).with(t, "report", c.reports...).answer(t)
			got := why(result)
			if len(result.Scans) == 1 {
				s := result.Scans[0]
				got = counted(s.Critical, s.High, s.Unrated)
			}
			if got != c.want {
				t.Errorf("got %q, want %q: %+v", got, c.want, result)
			}
		})
	}
}

// attested wraps a scanner's result as cosign does.
func attested(result any) object {
	return object{"scanner": object{"uri": "pkg:github/aquasecurity/trivy@0.70.0", "db": object{"lastUpdate": scannedAt.Add(-time.Hour)}, "result": result},
		"metadata": object{"scanStartedOn": scannedAt, "scanFinishedOn": scannedAt}}
}

func trivy(results ...object) object {
	return object{"SchemaVersion": 2, "ArtifactName": "app", "Results": results}
}

func TestAttestedScans(t *testing.T) {
	key, pem := newKey(t)
	stranger, _ := newKey(t)
	critical := object{"VulnerabilityID": "CVE-2026-0001", "PkgName": "openssl", "InstalledVersion": "3.0.1", "Severity": "CRITICAL"}
	sarif := func(results ...object) object {
		if results == nil {
			results = []object{}
		}
		rules := []object{{"id": "CVE-2026-0001-openssl", "properties": object{"security-severity": "9.8"}}, {"id": "CVE-2026-0002", "properties": object{"security-severity": 7.5}}}
		return object{"version": "2.1.0", "runs": []object{{"tool": object{"driver": object{"name": "Grype", "rules": rules}}, "results": results}}}
	}
	bom := func(vulnerabilities ...object) object {
		return object{"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": object{"timestamp": scannedAt, "tools": object{"components": []object{{"name": "trivy"}}}},
			"components": []object{{"bom-ref": "a", "name": "openssl", "version": "3.0.1", "purl": "pkg:deb/debian/openssl@3.0.1"}}, "vulnerabilities": vulnerabilities}
	}
	rated := object{"id": "CVE-2026-0001", "ratings": []object{{"severity": "medium"}, {"severity": "critical"}}, "affects": []object{{"ref": "a"}}}
	opinion := object{"id": "CVE-2026-0001", "analysis": object{"state": "not_affected", "justification": "code_not_reachable"}, "affects": []object{{"ref": "a"}}}
	for name, c := range map[string]struct {
		predicateType string
		predicate     any
		want          string
	}{
		"Trivy, nothing found":              {predicateVuln, attested(trivy(object{"Target": "app", "Class": "lang-pkgs"})), "0/0/0"},
		"Trivy, found":                      {predicateVuln, attested(trivy(object{"Target": "app", "Class": "os-pkgs", "Vulnerabilities": []object{critical}})), "1/0/0"},
		"Trivy, nothing that it could scan": {predicateVuln, attested(trivy()), "none"},
		"SARIF, nothing found":              {predicateVuln, attested(sarif()), "0/0/0"},
		"SARIF, found":                      {predicateVuln, attested(sarif(object{"ruleId": "CVE-2026-0001-openssl"}, object{"ruleId": "CVE-2026-0002"}, object{"ruleId": "CVE-2026-0003"})), "1/1/1"},
		"SARIF without runs":                {predicateVuln, attested(object{"version": "2.1.0", "runs": []object{}}), "none"},
		"CycloneDX as a result":             {predicateVuln, attested(bom(rated)), "1/0/0"},
		"CycloneDX as a bill of materials":  {predicateBOM, bom(rated), "1/0/0"},
		"CycloneDX that nobody scanned":     {predicateBOM, bom(), "none"},
		"CycloneDX with opinions":           {predicateBOM, bom(rated, opinion), "none"},
		"a scan of no time":                 {predicateVuln, object{"scanner": attested(trivy(object{"Class": "lang-pkgs"}))["scanner"], "metadata": object{}}, "none"},
		"a result of no known form":         {predicateVuln, attested(object{"hello": 1}), "none"},
		"no result":                         {predicateVuln, attested(nil), "none"},
		"SPDX":                              {predicateSPDX, spdx, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			good := must(key.AttestBundle(image, c.predicateType, c.predicate))(t)
			result := ask(t, []evidence.Signer{byKey("scanner", pem)}, good).answer(t)
			got := "none"
			if len(result.Scans) == 1 {
				s := result.Scans[0]
				got = fmt.Sprintf("%d/%d/%d", s.Critical, s.High, s.Unrated)
				if s.Signer != "scanner" || !s.ScannedAt.Equal(scannedAt) {
					t.Errorf("by %q at %s", s.Signer, s.ScannedAt)
				}
				if c.predicateType == predicateVuln && (s.DatabaseAt == nil || !s.DatabaseAt.Equal(scannedAt.Add(-time.Hour))) {
					t.Errorf("nobody can tell how old what it knew was: %+v", s)
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, result)
			}
			for what, q := range map[string]question{
				"a stranger":         ask(t, []evidence.Signer{byKey("scanner", pem)}, must(stranger.AttestBundle(image, c.predicateType, c.predicate))(t)),
				"about another":      ask(t, []evidence.Signer{byKey("scanner", pem)}, must(key.AttestBundle(other, c.predicateType, c.predicate))(t)),
				"not its to vouch":   ask(t, []evidence.Signer{byKey("scanner", pem, evidence.ClaimImage, evidence.ClaimSBOM, evidence.ClaimVEX)}, good),
				"changed afterwards": ask(t, []evidence.Signer{byKey("scanner", pem)}, evidence.Attachment{Type: good.Type, Content: []byte(strings.Replace(string(good.Content), "payload\":\"", "payload\":\"AAAA", 1))}),
			} {
				if result := q.answer(t); len(result.Scans) > 0 {
					t.Errorf("%s: %+v", what, result)
				}
			}
		})
	}
}

// What is no scan for vulnerabilities of this image must not be taken for one that found none, and what can't have seen all
// of them says so.
func TestNoScans(t *testing.T) {
	system, libraries := object{"Target": "app (debian 12)", "Class": "os-pkgs"}, object{"Target": "app", "Class": "lang-pkgs"}
	with := func(metadata object, results ...object) object {
		out := trivy(results...)
		out["Metadata"] = metadata
		return out
	}
	at := func(digests ...string) object {
		var names []string
		for _, d := range digests {
			names = append(names, "registry.example.org/app@"+d)
		}
		return object{"RepoDigests": names}
	}
	run := func(tool string, parts object) object {
		out := object{"tool": object{"driver": object{"name": tool}}, "results": []object{}}
		for k, v := range parts {
			out[k] = v
		}
		return object{"version": "2.1.0", "runs": []object{out}}
	}
	rule := func(id string) object {
		return object{"name": "x", "rules": []object{{"id": id, "properties": object{"security-severity": "2.0"}}}}
	}
	failed := object{"invocations": []object{{"executionSuccessful": false}}}
	bom := func(root object) object {
		return object{"bomFormat": "CycloneDX", "metadata": object{"component": root}, "components": []object{{"bom-ref": "a", "name": "a"}},
			"vulnerabilities": []object{{"id": "CVE-2026-0001", "ratings": []object{{"severity": "low"}}, "affects": []object{{"ref": "a"}}}}}
	}
	for name, c := range map[string]struct {
		result object
		want   string
	}{
		"Trivy, for secrets":                    {trivy(object{"Target": "app.py", "Class": "secret"}), "Malformed"},
		"Trivy, for settings":                   {trivy(object{"Target": "Dockerfile", "Class": "config"}), "Malformed"},
		"Trivy, of no class":                    {trivy(object{"Target": "app"}), "Malformed"},
		"Trivy, of this image":                  {with(at(other, image), system), "counts"},
		"Trivy, of another image":               {with(at(other), system), "AnotherImage"},
		"Trivy, at the distribution's end":      {with(object{"OS": object{"Family": "debian", "Name": "8", "EOSL": true}}, system), "counts EndOfLife"},
		"Trivy, of both kinds":                  {with(object{"OS": object{"Family": "debian"}}, system, libraries), "counts"},
		"Trivy, of libraries alone":             {with(object{"OS": object{"Family": "debian"}}, libraries), "counts SystemPackages"},
		"Trivy, of libraries, without a system": {with(object{"OS": object{}}, libraries), "counts"},
		"SARIF of a linter":                     {run("hadolint", nil), "Malformed"},
		"SARIF of a linter that found":          {run("", object{"tool": object{"driver": rule("DL3008")}}), "Malformed"},
		"SARIF of a search through code":        {run("", object{"tool": object{"driver": rule("go/sql-injection")}}), "Malformed"},
		"SARIF of a scanner":                    {run("Grype", nil), "counts"},
		"SARIF of a scanner by its rules":       {run("", object{"tool": object{"driver": rule("GHSA-aaaa-bbbb-cccc")}}), "counts"},
		"SARIF of nobody":                       {run("", nil), "Malformed"},
		"SARIF of a run that failed":            {run("Grype", failed), "counts ScannerFailed"},
		"SARIF of another image":                {run("Trivy", object{"properties": at(other)}), "AnotherImage"},
		"CycloneDX of this image":               {bom(object{"version": image}), "counts"},
		"CycloneDX of another image":            {bom(object{"version": other}), "AnotherImage"},
		"CycloneDX of a name":                   {bom(object{"name": "app", "version": "1.4"}), "counts"},
	} {
		s, refused := vulnAttestation(text(t, attested(c.result)), image)
		got := string(refused)
		if s != nil {
			got = strings.TrimSpace("counts " + string(sumUp(s, nil, image).Gap))
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// The worst rating counts, whoever gave it and in whatever order.
func TestRatingsOfCycloneDX(t *testing.T) {
	for ratings, want := range map[string]evidence.Severity{
		`[]`:                                 evidence.SeverityUnrated,
		`[{"severity":"low"}]`:               evidence.SeverityLow,
		`[{"score":9.8}]`:                    evidence.SeverityCritical,
		`[{"score":0.9}]`:                    evidence.SeverityUnrated,
		`[{"score":9.8,"method":"CVSSv31"}]`: evidence.SeverityCritical,
		`[{"score":3.1,"method":"CVSSv4"}]`:  evidence.SeverityLow,
		`[{"score":11,"method":"CVSSv31"}]`:  evidence.SeverityUnrated,
		`[{"severity":"low","score":9.8}]`:   evidence.SeverityCritical,
		`[{"severity":"low"},{"score":0.01,"method":"other"}]`: evidence.SeverityLow,
		`[{"severity":"low"},{"vector":"AV:N"}]`:               evidence.SeverityLow,
		`[{"severity":"low"},{"severity":"unknown"}]`:          evidence.SeverityUnrated,
		`[{"severity":"unknown"},{"severity":"low"}]`:          evidence.SeverityUnrated,
		`[{"severity":"medium"},{"severity":"critical"}]`:      evidence.SeverityCritical,
		`[{"severity":"critical"},{"severity":"medium"}]`:      evidence.SeverityCritical,
	} {
		raw := `{"bomFormat":"CycloneDX","components":[{"bom-ref":"a","name":"a"}],"vulnerabilities":[{"id":"CVE-2026-0001","ratings":` + ratings + `,"affects":[{"ref":"a"}]}]}`
		s, why := cdxResults([]byte(raw), image)
		if why != "" || s.found[0].Severity != want {
			t.Errorf("%s: got %+v %s, want %s", ratings, s.found, why, want)
		}
	}
}

func TestLongScansAreCountedWhole(t *testing.T) {
	var many []object
	for i := range 3 * evidence.MaxListed {
		many = append(many, flaw(fmt.Sprintf("CVE-2026-%04d", i), map[bool]string{true: "HIGH", false: "LOW"}[i%2 == 0]))
	}
	s := ask(t, nil).with(t, "report", operatorReport(image, scannedAt, many...)).answer(t).Scans[0]
	if s.High != len(many)/2 || s.Low != len(many)/2 || len(s.Worst) != evidence.MaxListed || s.Worst[evidence.MaxListed-1].Severity != evidence.SeverityHigh {
		t.Errorf("got %+v", s)
	}
}

func TestReportsOfADistributionAtItsEnd(t *testing.T) {
	report := operatorReport(image, scannedAt, flaw("CVE-2026-0001", "HIGH"))
	report["report"].(object)["os"] = object{"family": "debian", "name": "8", "eosl": true}
	if s := ask(t, nil).with(t, "report", report).answer(t).Scans[0]; s.Gap != evidence.GapEndOfLife || s.High != 1 {
		t.Errorf("got %+v", s)
	}
}

// A newer release of a scanner takes the place of an older one: what that found would stay beside the image for ever.
func TestReleasesOfAScannerAreOneScanner(t *testing.T) {
	key, pem := newKey(t)
	for names, want := range map[[2]string]int{
		{"pkg:github/aquasecurity/trivy@0.70.0", "pkg:github/aquasecurity/trivy@0.71.0?os=linux"}:                        1,
		{"https://github.com/anchore/grype/releases/tag/v0.74.1", "https://github.com/anchore/grype/releases/tag/v0.80"}: 1,
		{"trivy", "Trivy 0.70.0"}: 1,
		{"pkg:github/aquasecurity/trivy@0.70.0", "pkg:github/anchore/grype@0.70.0"}: 2,
		{"scanner-1", "scanner-2"}: 2,
	} {
		var attachments []evidence.Attachment
		for i, name := range names {
			at := scannedAt.Add(time.Duration(i) * time.Hour)
			attachments = append(attachments, must(key.AttestBundle(image, predicateVuln, object{"scanner": object{"uri": name, "result": trivy(object{"Class": "os-pkgs"})}, "metadata": object{"scanFinishedOn": at}}))(t))
		}
		scans := ask(t, []evidence.Signer{byKey("scanner", pem)}, attachments...).answer(t).Scans
		if len(scans) != want || !scans[0].ScannedAt.Equal(scannedAt.Add(time.Hour)) {
			t.Errorf("%q: got %+v", names, scans)
		}
	}
}

func TestMoreScannersThanCanBeJudged(t *testing.T) {
	q := ask(t, nil)
	var reports []any
	for i := range evidence.MaxScans + 1 {
		r := operatorReport(image, scannedAt)
		r["report"].(object)["scanner"] = object{"name": fmt.Sprintf("scanner %d", i)}
		reports = append(reports, r)
	}
	q = q.with(t, "report", reports...)
	if result, err := q.examine(t); err == nil {
		t.Errorf("examined: %+v", result)
	}
}
