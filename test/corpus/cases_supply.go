package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
)

// supplies are images with papers, of which one is not in order.
func supplies() []sample {
	of := func(name, hole, reason string, change func(*papers)) sample {
		p := complete()
		change(&p)
		c := sample{name: "image-" + name, hole: hole, reason: reason, policy: released, papers: &p, edit: runs("image-" + name)}
		if reason != "" {
			c.gate = "security"
		}
		return c
	}
	const unsigned, vulnerable = v1alpha1.ReasonImageNotSigned, v1alpha1.ReasonVulnerable
	return []sample{
		of("unsigned", "nobody signed it", unsigned, func(p *papers) { p.image = nil }).fastly(),
		of("strange", "somebody signed it whom nobody knows", unsigned, func(p *papers) {
			p.image = func(s signers, digest string) (evidence.Attachment, error) { return s.stranger.Image(digest) }
		}),
		of("replayed", "its signature is another image's", unsigned, func(p *papers) {
			p.image = func(s signers, _ string) (evidence.Attachment, error) { return s.release.Image(anotherDigest) }
		}),
		of("tampered", "its signature was made for another image, and this one's digest put in", unsigned, func(p *papers) {
			p.image = func(s signers, digest string) (evidence.Attachment, error) {
				made, err := s.release.Image(anotherDigest)
				return signing.Tamper(made, anotherDigest, digest), err
			}
		}),
		of("unauthorised", "its builder signed it, whose word does not count for that", unsigned, func(p *papers) {
			p.image = func(s signers, digest string) (evidence.Attachment, error) { return s.builder.Bundle(digest) }
		}),
		of("of-nowhere", "nobody says how it was built", v1alpha1.ReasonProvenanceMissing, func(p *papers) { p.provenance = nil }),
		of("of-a-laptop", "it was built by something that the policy does not name", v1alpha1.ReasonProvenanceNotAllowed,
			func(p *papers) { p.provenance = built("https://laptop.example.org", source+"/suspect") }),
		of("of-a-fork", "it was built from a place whose name begins like an allowed one", v1alpha1.ReasonProvenanceNotAllowed,
			func(p *papers) { p.provenance = built(builder, source+"-fork/suspect") }),
		of("unlisted", "nobody says what is in it", v1alpha1.ReasonSBOMMissing, func(p *papers) { p.sbom = nil }),
		of("vulnerable", "a scanner found a critical vulnerability", vulnerable, func(p *papers) { p.scan = scannedAt(-time.Hour, "CRITICAL") }).fastly(),
		of("unrated", "a scanner found a vulnerability that nobody rated", vulnerable, func(p *papers) { p.scan = scannedAt(-time.Hour, "UNKNOWN") }),
		of("excused-by-anybody", "a critical vulnerability, excused by somebody whom nobody knows", vulnerable, func(p *papers) {
			p.scan, p.vex = scannedAt(-time.Hour, "CRITICAL"), excuses(func(s signers) signing.Key { return s.stranger })
		}),
		of("excused-by-its-builder", "a critical vulnerability, excused by who has it", vulnerable, func(p *papers) {
			p.scan, p.vex = scannedAt(-time.Hour, "CRITICAL"), excuses(func(s signers) signing.Key { return s.builder })
		}),
		of("excused-in-part", "two critical vulnerabilities, of which one is excused", vulnerable, func(p *papers) {
			p.scan, p.vex = scannedAt(-time.Hour, "CRITICAL", "CRITICAL"), excuses(func(s signers) signing.Key { return s.security })
		}),
		of("excused-elsewhere", "a critical vulnerability in a package that security excused in another product", vulnerable, func(p *papers) {
			p.scan, p.vex = scannedAt(-time.Hour, "CRITICAL"), excusesAnother
		}),
		of("searched", "somebody searched it for secrets, and not for vulnerabilities", v1alpha1.ReasonScanMissing, func(p *papers) { p.scan = searched }),
		of("unscanned", "nobody scanned it", v1alpha1.ReasonScanMissing, func(p *papers) { p.scan = nil }),
		of("scanned-by-anybody", "somebody scanned it whom nobody knows", v1alpha1.ReasonScanMissing, func(p *papers) {
			p.scan = func(s signers, digest string) (evidence.Attachment, error) {
				return scan(s.stranger, digest, -time.Hour)
			}
		}),
		of("scanned-another", "its scan is another image's", v1alpha1.ReasonScanMissing, func(p *papers) {
			p.scan = func(s signers, _ string) (evidence.Attachment, error) {
				return scan(s.scanner, anotherDigest, -time.Hour)
			}
		}),
		of("scanned-long-ago", "it was scanned last week", v1alpha1.ReasonScanStale, func(p *papers) { p.scan = scannedAt(-7 * 24 * time.Hour) }),
		of("complete", "all papers are in order, in three forms", "", func(*papers) {}).fastly(),
		of("excused", "a critical vulnerability that security excused", "", func(p *papers) {
			p.scan, p.vex = scannedAt(-time.Hour, "CRITICAL"), excuses(func(s signers) signing.Key { return s.security })
		}),
		of("harmless", "vulnerabilities of which none is high", "", func(p *papers) { p.scan = scannedAt(-time.Hour, "MEDIUM", "LOW") }),
		{name: "secret-in-sample", hole: "the sample of a request holds a token", gate: "security", reason: v1alpha1.ReasonSecretInConfiguration, edit: func(p *v1alpha1.AIPrototype) {
			p.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/v1/ask", Body: &v1alpha1.RequestBody{ConfigMap: &v1alpha1.ConfigMapKey{Name: "samples", Key: "token.json"}}}
		}},
		{name: "secret-in-path", hole: "the path of its health holds a key", gate: "security", reason: v1alpha1.ReasonSecretInConfiguration, edit: func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Health.Path += "?api_key=" + "hunter2hunter"
		}},
	}
}

// requests are the samples of the team.
func requests() client.Object {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "samples"}, Data: map[string]string{
		"token.json": `{"question": "3+20", "headers": "Authorization: Bearer ghp_` + `x7Kq2mZp9RtV4wYb8NcJ5hLd3FsG6aEu1TiO"}`,
	}}
}
