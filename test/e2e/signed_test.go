//go:build e2e

package e2e

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
	"github.com/affineur/affineur/test/story/quick"
)

// TestSignedImages: of two images in the cluster's own registry, one is signed. The operator fetches what is kept beside
// them, a runner without a network verifies it, and only the signed one passes.
func TestSignedImages(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	key, err := signing.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	g.sign(t, key, g.pushed(t, "churn-advisor-1.4"))
	if err := g.govern(t.Context(), "signed", func(spec map[string]any) {
		gate := spec["gates"].([]any)[0].(map[string]any)
		gate["security"] = map[string]any{"signatures": map[string]any{"keys": []any{map[string]any{"name": "release", "publicKey": public}}}}
		// Somebody has to approve, so that the review stays open while the test looks.
		spec["tiers"].([]any)[0].(map[string]any)["approvals"] = []any{map[string]any{"role": "security"}}
	}); err != nil {
		t.Fatal(err)
	}
	namespace := g.team(t, "signed")
	wanted := func(image string, more ...v1alpha1.EnvVar) func(*v1alpha1.AIPrototype) {
		return func(p *v1alpha1.AIPrototype) {
			p.Spec.Target = v1alpha1.TargetProduction
			p.Spec.Workload.Container.Image = image
			p.Spec.Workload.Container.Env = more
		}
	}
	signed := g.created(t, g.newPrototype(namespace, "signed", wanted(g.pushed(t, "churn-advisor-1.4"), v1alpha1.EnvVar{Name: "TONE", Value: "friendly"})))
	unsigned := g.created(t, g.newPrototype(namespace, "unsigned", wanted(g.pushed(t, "churn-advisor-1.5"))))

	review := g.judged(t, signed, map[string]string{"security": v1alpha1.ReasonNoHoles})
	t.Logf("signed: %s", gateOf(review, "security").Message)
	review = g.judged(t, unsigned, map[string]string{"security": v1alpha1.ReasonHolesFound})
	found := gateOf(review, "security")
	if len(found.Findings) != 1 || found.Findings[0].Reason != v1alpha1.ReasonImageNotSigned {
		t.Errorf("unsigned: %+v", found.Findings)
	}
}

// sign an image where it is kept, in both forms.
func (g *ground) sign(t *testing.T, key signing.Key, image string) {
	t.Helper()
	at, err := name.NewDigest(image)
	if err != nil {
		t.Fatal(err)
	}
	var plain []name.Option
	if quick.Setting(root, "REGISTRY_PLAIN_HTTP") != "" {
		plain = append(plain, name.Insecure)
	}
	if at.Registry, err = name.NewRegistry(cmp.Or(quick.Setting(root, "REGISTRY_PUSH"), at.RegistryStr()), plain...); err != nil {
		t.Fatal(err)
	}
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	if file := quick.Setting(root, "REGISTRY_CA"); file != "" {
		authority, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(authority)
	}
	older, err := key.Image(at.DigestStr())
	if err != nil {
		t.Fatal(err)
	}
	newer, err := key.Bundle(at.DigestStr())
	if err != nil {
		t.Fatal(err)
	}
	options := []remote.Option{remote.WithContext(t.Context()), remote.WithTransport(transport), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := signing.Push(at, []evidence.Attachment{older, newer}, options...); err != nil {
		t.Fatal(err)
	}
}
