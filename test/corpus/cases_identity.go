package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
)

const (
	// identified is the policy that asks who signed an image, of people who have no key.
	identified = "corpus-identified"
	// trustedRoot names the authority that vouches for them, without the internet.
	trustedRoot = "corpus-root"
	issuer      = "https://issuer.example.org"
	releaser    = "release@example.org"
	release     = "https://sigstore.dev/cosign/sign/v1"
)

func namesPeople(spec map[string]any) {
	for _, gate := range spec["gates"].([]any) {
		if gate := gate.(map[string]any); gate["name"] == "security" {
			gate["security"] = map[string]any{"signatures": map[string]any{
				"identities":  []any{map[string]any{"name": "release", "issuer": issuer, "subject": releaser, "vouchesFor": []any{"Image"}}},
				"trustedRoot": map[string]any{"name": trustedRoot},
			}}
		}
	}
}

// vouch puts the trusted root where the policy says.
func (g *ground) vouch(ctx context.Context) error {
	root, err := g.signers.trusted.Root()
	if err != nil {
		return err
	}
	return g.admin.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: trustedRoot}, Data: map[string]string{"trusted_root.json": string(root)},
	})
}

// identities are images that somebody signed with a certificate for a moment.
func identities() []sample {
	by := func(name, hole string, authority func(signers) signing.Authority, who, from, about string) sample {
		c := sample{name: "signed-" + name, hole: hole, policy: identified, edit: runs("signed-" + name), papers: &papers{
			image: func(s signers, digest string) (evidence.Attachment, error) {
				if about != "" {
					digest = about
				}
				statement, err := signing.Statement(digest, release, object{})
				if err != nil {
					return evidence.Attachment{}, err
				}
				return authority(s).Attest(who, from, statement, time.Now().Add(time.Minute))
			}}}
		if hole != "" {
			c.gate, c.reason = "security", v1alpha1.ReasonImageNotSigned
		}
		return c
	}
	trusted, foreign := func(s signers) signing.Authority { return s.trusted }, func(s signers) signing.Authority { return s.foreign }
	fine := by("by-name", "", trusted, releaser, issuer, "")
	fine.hole = "nobody has a key: its signer has a certificate of a moment, an entry in a log, and an authority that the policy trusts"
	return []sample{
		by("by-another", "somebody else signed it, whom the authority knows", trusted, "mallory@example.org", issuer, ""),
		by("by-namesake", "its signer's name begins like the right one", trusted, releaser+".evil.example", issuer, ""),
		by("elsewhere", "its signer has the right name, and another issuer says so", trusted, releaser, "https://issuer.evil.example.org", ""),
		by("by-forgers", "an authority that nobody trusts says that its signer is the right one", foreign, releaser, issuer, ""),
		by("for-another", "the right signer signed another image", trusted, releaser, issuer, anotherDigest),
		fine,
	}
}
