package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
)

const (
	// released is the policy that asks where images come from.
	released = "corpus-released"
	// builder and source are allowed by it.
	builder, source = "https://ci.example.org/builder", "https://git.example.org/corpus"
	flaw            = "CVE-2026-0001"
)

// signers hold the keys. Release vouches for images, builder for how they were made and what is in them, scanner for
// scans, and security for what does no harm; nobody knows the stranger.
type signers struct {
	release, builder, scanner, security, stranger signing.Key
	// trusted is the authority that the policy trusts, for people who have no key; foreign is another.
	trusted, foreign signing.Authority
}

func newSigners() (signers, error) {
	var s signers
	var problems []error
	for _, key := range []*signing.Key{&s.release, &s.builder, &s.scanner, &s.security, &s.stranger} {
		made, err := signing.NewKey()
		*key = made
		problems = append(problems, err)
	}
	for _, authority := range []*signing.Authority{&s.trusted, &s.foreign} {
		made, err := signing.NewAuthority()
		*authority = made
		problems = append(problems, err)
	}
	return s, errors.Join(problems...)
}

// asksForPapers has the security gate ask for a signature, provenance, a bill of materials and a scan.
func (s signers) asksForPapers(spec map[string]any) {
	var keys []any
	for _, signer := range []struct {
		name   string
		key    signing.Key
		claims []any
	}{
		{"release", s.release, []any{"Image"}}, {"builder", s.builder, []any{"Provenance", "SBOM"}},
		{"scanner", s.scanner, []any{"Vulnerabilities"}}, {"security", s.security, []any{"VEX"}},
	} {
		public, err := signer.key.PEM()
		if err != nil {
			panic(err) // a key that was just made
		}
		keys = append(keys, map[string]any{"name": signer.name, "publicKey": public, "vouchesFor": signer.claims})
	}
	for _, gate := range spec["gates"].([]any) {
		if gate := gate.(map[string]any); gate["name"] == "security" {
			gate["security"] = map[string]any{
				"signatures": map[string]any{"keys": keys}, "sbom": string(v1alpha1.PresenceRequired),
				"provenance":      map[string]any{"builders": []any{builder}, "sources": []any{source}},
				"vulnerabilities": map[string]any{"source": string(v1alpha1.SourceAttestations), "maxAge": "48h"},
			}
		}
	}
}

// papers of an image: what each signer says about it. What is nil is not there.
type papers struct{ image, provenance, sbom, scan, vex paper }

// paper is made for an image of this digest.
type paper func(s signers, digest string) (evidence.Attachment, error)

type object = map[string]any

// anotherDigest is that of an image which is not this one.
const anotherDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// complete are papers with which nothing is wrong.
func complete() papers {
	return papers{
		image: func(s signers, digest string) (evidence.Attachment, error) { return s.release.Image(digest) }, provenance: built(builder, source+"/suspect"),
		sbom: contains, scan: scannedAt(-time.Hour),
	}
}

func built(by, from string) paper {
	return func(s signers, digest string) (evidence.Attachment, error) {
		return s.builder.AttestBundle(digest, "https://slsa.dev/provenance/v1", object{
			"buildDefinition": object{"externalParameters": object{"workflow": object{"repository": from, "ref": "refs/heads/main"}}},
			"runDetails":      object{"builder": object{"id": by}},
		})
	}
}

func contains(s signers, digest string) (evidence.Attachment, error) {
	return s.builder.Attest(digest, "https://spdx.dev/Document", object{"spdxVersion": "SPDX-2.3", "packages": []any{object{"name": "suspect", "versionInfo": "1.0"}}})
}

// scannedAt is a scan of so long ago that found flaws of these severities.
func scannedAt(ago time.Duration, severities ...string) paper {
	return func(s signers, digest string) (evidence.Attachment, error) {
		return scan(s.scanner, digest, ago, severities...)
	}
}

func scan(key signing.Key, digest string, ago time.Duration, severities ...string) (evidence.Attachment, error) {
	at := time.Now().Add(ago).UTC()
	var found []any
	for i, severity := range severities {
		found = append(found, object{"VulnerabilityID": fmt.Sprintf("%s%d", strings.TrimSuffix(flaw, "1"), i+1), "PkgName": "openssl", "InstalledVersion": "3.0.1", "Severity": severity,
			"PkgIdentifier": object{"PURL": "pkg:deb/debian/openssl@3.0.1"}})
	}
	return key.AttestBundle(digest, "https://cosign.sigstore.dev/attestation/vuln/v1", object{
		"scanner":  object{"uri": "pkg:github/aquasecurity/trivy@0.70.0", "db": object{"lastUpdate": at.Add(-time.Hour)}, "result": object{"SchemaVersion": 2, "ArtifactName": "suspect", "Results": []any{object{"Target": "suspect", "Class": "os-pkgs", "Vulnerabilities": found}}}},
		"metadata": object{"scanStartedOn": at, "scanFinishedOn": at},
	})
}

// excuses says that the flaw does no harm in this image.
func excuses(key func(signers) signing.Key) paper {
	return func(s signers, digest string) (evidence.Attachment, error) {
		return key(s).AttestBundle(digest, "https://openvex.dev/ns/v0.2.0", object{
			"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex/1", "author": "security", "timestamp": time.Now().UTC(), "version": 1,
			"statements": []any{object{
				"vulnerability": object{"name": flaw}, "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
				"products": []any{object{"@id": "pkg:oci/suspect", "hashes": object{"sha-256": strings.TrimPrefix(digest, "sha256:")}}},
			}},
		})
	}
}

// excusesAnother says that the flaw does no harm where its package is a part of another image.
func excusesAnother(s signers, digest string) (evidence.Attachment, error) {
	return s.security.AttestBundle(digest, "https://cyclonedx.org/vex", object{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": object{"timestamp": time.Now().UTC(), "component": object{"bom-ref": "app", "name": "another", "version": anotherDigest}},
		"components":      []any{object{"bom-ref": "openssl", "name": "openssl", "version": "3.0.1", "purl": "pkg:deb/debian/openssl@3.0.1"}},
		"vulnerabilities": []any{object{"id": flaw, "analysis": object{"state": "not_affected", "justification": "code_not_reachable"}, "affects": []any{object{"ref": "openssl"}}}},
	})
}

// searched is what Trivy writes when it looks for secrets alone.
func searched(s signers, digest string) (evidence.Attachment, error) {
	at := time.Now().Add(-time.Hour).UTC()
	return s.scanner.AttestBundle(digest, "https://cosign.sigstore.dev/attestation/vuln/v1", object{
		"scanner":  object{"uri": "pkg:github/aquasecurity/trivy@0.70.0", "result": object{"SchemaVersion": 2, "ArtifactName": "suspect", "Results": []any{object{"Target": "/settings", "Class": "secret"}}}},
		"metadata": object{"scanStartedOn": at, "scanFinishedOn": at},
	})
}

// publish pushes an image of its own for every case that has papers, with the papers beside it.
func (g *ground) publish(ctx context.Context, cases []sample) error {
	push, err := g.newPusher(ctx)
	if err != nil {
		return err
	}
	for _, c := range cases {
		if c.papers == nil {
			continue
		}
		image, err := push.variant("corpus/" + c.name)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		var beside []evidence.Attachment
		for _, make := range []paper{c.papers.image, c.papers.provenance, c.papers.sbom, c.papers.scan, c.papers.vex} {
			if make == nil {
				continue
			}
			attachment, err := make(g.signers, image.DigestStr())
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			beside = append(beside, attachment)
		}
		if err := signing.Push(image, beside, push.options...); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}
