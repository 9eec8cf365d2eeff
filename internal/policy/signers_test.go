package policy

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
)

// inPEM writes any public key down.
func inPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A key with which nothing can be verified is told when the policy is applied.
func TestKeysOfSigners(t *testing.T) {
	curve := func(c elliptic.Curve) string {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return inPEM(t, key.Public())
	}
	modulus := func(bits int) string {
		t.Setenv("GODEBUG", "rsa1024min=0")
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return inPEM(t, key.Public())
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agrees, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := curve(elliptic.P256())
	for name, c := range map[string]struct{ key, says string }{
		"P-256":                {good, ""},
		"P-384":                {curve(elliptic.P384()), ""},
		"P-521":                {curve(elliptic.P521()), ""},
		"Ed25519":              {inPEM(t, edwards), ""},
		"RSA":                  {modulus(2048), ""},
		"a short RSA key":      {modulus(1024), "1024 bits"},
		"P-224":                {curve(elliptic.P224()), "curve P-224"},
		"X25519":               {inPEM(t, agrees.PublicKey()), "signs nothing"},
		"no key":               {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key"},
		"no PEM":               {"-----BEGIN PUBLIC KEY-----", "no public key in PEM"},
		"a certificate":        {strings.ReplaceAll(good, "PUBLIC KEY", "CERTIFICATE"), "no public key in PEM"},
		"two keys":             {good + good, "something follows"},
		"a key and a new line": {good + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			problem := checkSigners([]v1alpha1.Gate{{Name: "quiet"}, {Name: "security", Security: &v1alpha1.SecurityGate{Signatures: &v1alpha1.Signatures{
				Keys: []v1alpha1.SignerKey{{Name: "builder", PublicKey: good}, {Name: "release", PublicKey: c.key}},
			}}}})
			if c.says == "" {
				if problem != nil {
					t.Errorf("got %+v", problem)
				}
				return
			}
			if problem == nil || problem.Reason != v1alpha1.ReasonPolicyInvalid || !strings.Contains(problem.Message, c.says) ||
				!strings.Contains(problem.Message, "spec.gates[1].security.signatures.keys[1].publicKey") {
				t.Errorf("got %+v, want %q", problem, c.says)
			}
		})
	}
}
