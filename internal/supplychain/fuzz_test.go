package supplychain

import (
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// FuzzExamine looks for something that counts without a signature: with no signer named, nothing may but what needs none.
func FuzzExamine(f *testing.F) {
	f.Add(evidence.TypeSimpleSigning, []byte(`{"critical":{"image":{"docker-manifest-digest":"`+image+`"},"type":"cosign container image signature"}}`), "MEUCIQ==", "")
	f.Add(evidence.TypeBundlePrefix+".v0.3+json", []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":""}},"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]}}`), "", "")
	f.Add(evidence.TypeEnvelope, []byte(`{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AA=="}]}`), "", `{"Payload":{"body":"e30=","logID":"ab"}}`)
	f.Add("application/spdx+json", []byte(`{"spdxVersion":"SPDX-2.3","packages":[{"name":"openssl","versionInfo":"3.0.1"}]}`), "", "")
	f.Fuzz(func(t *testing.T, mediaType string, content []byte, signature, log string) {
		packed, err := evidence.PackMaterial(evidence.Material{Image: image, Attachments: []evidence.Attachment{{
			Type: mediaType, Content: content, Annotations: map[string]string{noteSignature: signature, noteLog: log},
		}}})
		if err != nil {
			t.Skip()
		}
		result, err := Examine(evidence.SupplyOrder{Image: image, Material: "material", At: scannedAt}, map[string][]byte{"material": packed})
		if err != nil {
			return
		}
		if err := result.Validate(); err != nil {
			t.Errorf("not valid: %v", err)
		}
		if len(result.SignedBy)+len(result.Provenance)+len(result.Scans) > 0 {
			t.Errorf("counts without a signature: %+v", result)
		}
		for _, sbom := range result.SBOMs {
			if sbom.Signer != "" {
				t.Errorf("signed by nobody: %+v", sbom)
			}
		}
	})
}

// FuzzScan looks for a scan that counts and can't be counted, and for a count that is none.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"report":{"updateTimestamp":"2026-03-01T12:00:00Z","scanner":{"name":"Trivy"},"artifact":{"digest":"` + image + `"},"vulnerabilities":[{"vulnerabilityID":"CVE-2026-0001","severity":"HIGH"}]}}`))
	f.Add([]byte(`{"scanner":{"uri":"x","result":{"SchemaVersion":2,"Results":[{"Class":"os-pkgs","Vulnerabilities":[{"VulnerabilityID":"CVE-2026-0001","Severity":"HIGH"}]}]}},"metadata":{"scanFinishedOn":"2026-03-01T12:00:00Z"}}`))
	f.Add([]byte(`{"scanner":{"uri":"x","result":{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"G","rules":[{"id":"CVE-2026-0001","properties":{"security-severity":"9.8"}}]}},"results":[{"ruleId":"CVE-2026-0001"}]}]}},"metadata":{"scanFinishedOn":"2026-03-01T12:00:00Z"}}`))
	f.Add([]byte(`{"bomFormat":"CycloneDX","metadata":{"timestamp":"2026-03-01T12:00:00Z","tools":[{"name":"x"}]},"components":[{"bom-ref":"a"}],"vulnerabilities":[{"id":"CVE-2026-0001","ratings":[{"severity":"high"}],"affects":[{"ref":"a"}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		scans := []*scanned{cdxScan(raw, image)}
		if s, why := trivyOperatorReport(raw, image); why == "" {
			scans = append(scans, s)
		}
		if s, why := vulnAttestation(raw, image); why == "" {
			scans = append(scans, s)
		}
		for _, s := range scans {
			if s == nil || s.scanner == "" {
				continue
			}
			result := evidence.SupplyResult{Image: image, Scans: []evidence.Scan{sumUp(s, nil, image)}}
			result.Clean()
			counted := result.Scans[0]
			if total := counted.Critical + counted.High + counted.Medium + counted.Low + counted.Unrated; total != len(distinct(s.found)) {
				t.Errorf("%d of %d counted", total, len(distinct(s.found)))
			}
		}
	})
}

// FuzzVEX looks for an excuse without a reason, or for a vulnerability that nobody spoke of.
func FuzzVEX(f *testing.F) {
	f.Add([]byte(`{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-03-01T12:00:00Z","statements":[{"vulnerability":{"name":"CVE-2026-0001"},"products":[{"@id":"pkg:deb/debian/openssl@3.0.1"}],"status":"not_affected","justification":"x"}]}`))
	f.Add([]byte(`{"bomFormat":"CycloneDX","metadata":{"timestamp":"2026-03-01T12:00:00Z"},"vulnerabilities":[{"id":"CVE-2026-0001","analysis":{"state":"resolved"},"affects":[{"ref":"pkg:deb/debian/openssl@3.0.1"}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		ofCycloneDX := func(raw []byte) ([]excuse, bool) { return cdxVEX(raw, image, true) }
		for _, form := range []func([]byte) ([]excuse, bool){openVEX, ofCycloneDX} {
			all, ok := form(raw)
			if !ok {
				continue
			}
			hit := excused(found{purl: "pkg:deb/debian/openssl@3.0.1", Vulnerability: evidence.Vulnerability{ID: "CVE-2026-0001"}}, all, image)
			if hit != nil && (hit.status != statusFixed && hit.because == "" || len(hit.products) == 0 || hit.at.Equal(time.Time{})) {
				t.Errorf("excused without a reason: %+v", hit)
			}
			if hit := excused(found{Vulnerability: evidence.Vulnerability{ID: "never spoken of \x00"}}, all, image); hit != nil && len(hit.names) == 0 {
				t.Errorf("excused what nobody spoke of: %+v", hit)
			}
		}
	})
}
