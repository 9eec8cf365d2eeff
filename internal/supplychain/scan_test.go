package supplychain

import (
	"encoding/json"
	"fmt"
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
		"of the same time the longer":       {[]any{operatorReport(image, scannedAt), operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"))}, counted(1, 0, 0)},
		"another image":                     {[]any{operatorReport(other, scannedAt)}, "AnotherImage"},
		"by tag, with the image's ID":       {[]any{named(operatorReport(other, scannedAt), "1.4")}, "AnotherImage"},
		"by tag, without a digest":          {[]any{named(operatorReport("", scannedAt), "1.4")}, "AnotherImage"},
		"no digest":                         {[]any{operatorReport("", scannedAt)}, "AnotherImage"},
		"no time":                           {[]any{operatorReport(image, time.Time{})}, "Malformed"},
		"a list shorter than its summary":   {[]any{lying}, "Malformed"},
		"no list":                           {[]any{listless}, "Malformed"},
		"a flaw without a name":             {[]any{operatorReport(image, scannedAt, flaw("", "LOW"))}, "Malformed"},
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
		"Trivy, nothing found":              {predicateVuln, attested(trivy(object{"Target": "app"})), "0/0/0"},
		"Trivy, found":                      {predicateVuln, attested(trivy(object{"Target": "app", "Vulnerabilities": []object{critical}})), "1/0/0"},
		"Trivy, nothing that it could scan": {predicateVuln, attested(trivy()), "none"},
		"SARIF, nothing found":              {predicateVuln, attested(sarif()), "0/0/0"},
		"SARIF, found":                      {predicateVuln, attested(sarif(object{"ruleId": "CVE-2026-0001-openssl"}, object{"ruleId": "CVE-2026-0002"}, object{"ruleId": "CVE-2026-0003"})), "1/1/1"},
		"SARIF without runs":                {predicateVuln, attested(object{"version": "2.1.0", "runs": []object{}}), "none"},
		"CycloneDX as a result":             {predicateVuln, attested(bom(rated)), "1/0/0"},
		"CycloneDX as a bill of materials":  {predicateBOM, bom(rated), "1/0/0"},
		"CycloneDX that nobody scanned":     {predicateBOM, bom(), "none"},
		"CycloneDX with opinions":           {predicateBOM, bom(rated, opinion), "none"},
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

func TestExcuses(t *testing.T) {
	key, pem := newKey(t)
	hex := strings.TrimPrefix(image, "sha256:")
	imagePURL, packagePURL := "pkg:oci/app@sha256%3A"+hex+"?repository_url=registry.example.org/team/app", "pkg:deb/debian/openssl@3.0.1?arch=amd64"
	vex := func(statements ...object) object {
		return object{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex-1", "author": "it", "timestamp": scannedAt, "version": 1, "statements": statements}
	}
	says := func(status string, product any, extra ...object) object {
		s := object{"vulnerability": object{"name": "CVE-2026-0001"}, "products": []any{product}, "status": status, "justification": "vulnerable_code_not_in_execute_path"}
		for _, e := range extra {
			for k, v := range e {
				s[k] = v
			}
		}
		return s
	}
	of := func(id string) object { return object{"@id": id} }
	cdxVEX := func(state, ref string) object {
		return object{"bomFormat": "CycloneDX", "metadata": object{"timestamp": scannedAt},
			"vulnerabilities": []object{{"id": "CVE-2026-0001", "analysis": object{"state": state, "justification": "code_not_reachable"}, "affects": []object{{"ref": ref}}}}}
	}
	for name, c := range map[string]struct {
		doc     object
		excused bool
	}{
		"image by digest":                 {vex(says("not_affected", of(imagePURL))), true},
		"image by hash":                   {vex(says("not_affected", object{"@id": "app", "hashes": object{"sha-256": hex}})), true},
		"package":                         {vex(says("not_affected", of(packagePURL))), true},
		"image and its package":           {vex(says("not_affected", object{"@id": imagePURL, "subcomponents": []object{of(packagePURL)}})), true},
		"fixed":                           {vex(says("fixed", of(imagePURL), object{"justification": ""})), true},
		"impact in place of a reason":     {vex(says("not_affected", of(imagePURL), object{"justification": "", "impact_statement": "never called"})), true},
		"alias":                           {vex(says("not_affected", of(imagePURL), object{"vulnerability": object{"name": "GHSA-x", "aliases": []string{"cve-2026-0001"}}})), true},
		"older form of a name":            {vex(says("not_affected", of(imagePURL), object{"vulnerability": "CVE-2026-0001"})), true},
		"CycloneDX":                       {cdxVEX("not_affected", packagePURL), true},
		"CycloneDX by link to another":    {cdxVEX("false_positive", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#"+packagePURL), false},
		"CycloneDX, still looked into":    {cdxVEX("in_triage", packagePURL), false},
		"no reason":                       {vex(says("not_affected", of(imagePURL), object{"justification": ""})), false},
		"affected":                        {vex(says("affected", of(imagePURL))), false},
		"still looked into":               {vex(says("under_investigation", of(imagePURL))), false},
		"another vulnerability":           {vex(says("not_affected", of(imagePURL), object{"vulnerability": object{"name": "CVE-2026-00011"}})), false},
		"another image":                   {vex(says("not_affected", of(strings.ReplaceAll(imagePURL, hex, strings.TrimPrefix(other, "sha256:"))))), false},
		"image by name alone":             {vex(says("not_affected", of("pkg:oci/app?repository_url=registry.example.org/team/app"))), false},
		"another version of the package":  {vex(says("not_affected", of("pkg:deb/debian/openssl@3.0.10"))), false},
		"package by name alone":           {vex(says("not_affected", of("pkg:deb/debian/openssl"))), false},
		"another package of the image":    {vex(says("not_affected", object{"@id": imagePURL, "subcomponents": []object{of("pkg:deb/debian/zlib@1.3")}})), false},
		"package of another image":        {vex(says("not_affected", object{"@id": "pkg:oci/else@sha256%3Aab", "subcomponents": []object{of(packagePURL)}})), false},
		"no product":                      {vex(object{"vulnerability": object{"name": "CVE-2026-0001"}, "status": "not_affected", "justification": "x"}), false},
		"taken back later":                {vex(says("not_affected", of(imagePURL)), says("affected", of(imagePURL), object{"timestamp": scannedAt.Add(time.Hour)})), false},
		"taken back before":               {vex(says("not_affected", of(imagePURL)), says("affected", of(imagePURL), object{"timestamp": scannedAt.Add(-time.Hour)})), true},
		"contradicts itself":              {vex(says("not_affected", of(imagePURL)), says("affected", of(imagePURL))), false},
		"contradicts itself, other order": {vex(says("affected", of(imagePURL)), says("not_affected", of(imagePURL))), false},
	} {
		t.Run(name, func(t *testing.T) {
			report := operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"), flaw("CVE-2026-0002", "HIGH"))
			predicateType := predicateOpenVEX
			if c.doc["bomFormat"] != nil {
				predicateType = predicateCDXVEX
			}
			signed := must(key.AttestBundle(image, predicateType, c.doc))(t)
			for how, q := range map[string]question{
				"named by IT": ask(t, nil).with(t, "vex", c.doc),
				"signed":      ask(t, []evidence.Signer{byKey("it", pem, evidence.ClaimVEX)}, signed),
			} {
				s := q.with(t, "report", report).answer(t).Scans[0]
				if excused := s.Critical == 0 && s.ExcusedTotal == 1 && s.Excused[0].ID == "CVE-2026-0001"; excused != c.excused || s.High != 1 {
					t.Errorf("%s: %+v", how, s)
				}
				if c.excused && (s.Excused[0].By == "" || s.Excused[0].Status != "fixed" && s.Excused[0].Because == "") {
					t.Errorf("%s: nobody is told why: %+v", how, s.Excused[0])
				}
			}
			for how, q := range map[string]question{
				"not its to vouch for":     ask(t, []evidence.Signer{byKey("team", pem, evidence.ClaimImage, evidence.ClaimSBOM, evidence.ClaimVulnerabilities)}, signed),
				"signed for another image": ask(t, []evidence.Signer{byKey("it", pem)}, must(key.AttestBundle(other, predicateType, c.doc))(t)),
				"signed by nobody known":   ask(t, nil, signed),
			} {
				if s := q.with(t, "report", report).answer(t).Scans[0]; s.Critical != 1 || s.ExcusedTotal != 0 {
					t.Errorf("%s: %+v", how, s)
				}
			}
		})
	}
}

// What is said of a part of a product is said of that product: the same package may be reached in another one.
func TestExcusesOfCycloneDXAreOfTheirProduct(t *testing.T) {
	key, pem := newKey(t)
	const packagePURL, serial = "pkg:deb/debian/openssl@3.0.1", "3e671687-395b-41f5-a30f-a58921a69b79"
	purlOf := func(digest string) string {
		return "pkg:oci/app@" + strings.Replace(digest, ":", "%3A", 1) + "?arch=amd64"
	}
	doc := func(product object, ref string) object {
		d := object{"bomFormat": "CycloneDX", "serialNumber": "urn:uuid:" + serial, "metadata": object{"timestamp": scannedAt},
			"components":      []object{{"bom-ref": "ossl", "name": "openssl", "purl": packagePURL}, {"bom-ref": packagePURL, "name": "openssl", "purl": packagePURL}},
			"vulnerabilities": []object{{"id": "CVE-2026-0001", "analysis": object{"state": "not_affected", "justification": "code_not_reachable"}, "affects": []object{{"ref": ref}}}}}
		if product != nil {
			d["metadata"].(object)["component"] = product
		}
		return d
	}
	ours, theirs := object{"bom-ref": "root", "purl": purlOf(image)}, object{"bom-ref": "root", "purl": purlOf(other)}
	for name, c := range map[string]struct {
		doc             object
		named, attested bool
	}{
		"a part of this image":                         {doc(ours, "ossl"), true, true},
		"a part of this image, by its address":         {doc(ours, packagePURL), true, true},
		"a part of this image, by a link within":       {doc(ours, "urn:cdx:"+serial+"/1#ossl"), true, true},
		"a part of this image, by a link elsewhere":    {doc(ours, "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b7a/1#ossl"), false, false},
		"a link to nothing":                            {doc(ours, "urn:cdx:"+serial+"/1"), false, false},
		"this image":                                   {doc(ours, "root"), true, true},
		"this image, by version":                       {doc(object{"bom-ref": "root", "version": image}, "ossl"), true, true},
		"this image, by hash":                          {doc(object{"hashes": []object{{"alg": "SHA-256", "content": strings.TrimPrefix(image, "sha256:")}}}, "ossl"), true, true},
		"a part of another image":                      {doc(theirs, "ossl"), false, false},
		"a part of another image, by its address":      {doc(theirs, packagePURL), false, false},
		"a part of another image, unlisted":            {doc(theirs, packagePURL+"?arch=amd64"), false, false},
		"another image":                                {doc(theirs, "root"), false, false},
		"another product, of no digest":                {doc(object{"bom-ref": "root", "name": "other", "version": "1.4"}, "ossl"), false, false},
		"this image, in a document about another":      {doc(theirs, purlOf(image)), true, true},
		"a part of nobody knows what":                  {doc(nil, "ossl"), false, true},
		"a package, wherever it is":                    {doc(nil, packagePURL), true, true},
		"a package, wherever it is, though not listed": {doc(nil, packagePURL+"?arch=amd64"), true, true},
	} {
		signed := must(key.AttestBundle(image, predicateCDXVEX, c.doc))(t)
		for how, q := range map[string]struct {
			question
			want bool
		}{
			"named by IT": {ask(t, nil).with(t, "vex", c.doc), c.named},
			"attested":    {ask(t, []evidence.Signer{byKey("it", pem, evidence.ClaimVEX)}, signed), c.attested},
		} {
			s := q.with(t, "report", operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"))).answer(t).Scans[0]
			if excused := s.Critical == 0 && s.ExcusedTotal == 1; excused != q.want {
				t.Errorf("%s, %s: %+v", name, how, s)
			}
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
