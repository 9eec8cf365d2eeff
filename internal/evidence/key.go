package evidence

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// shortestRSA is how long an RSA key has to be, in bits: NIST SP 800-131A, revision 2, section 3.
const shortestRSA = 2048

// SignerKey reads the public key of a signer. The error says, for who wrote it down, why no signature can be verified with
// it.
func SignerKey(text string) (crypto.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	switch {
	case block == nil || block.Type != "PUBLIC KEY":
		return nil, errors.New("it is no public key in PEM")
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("something follows the key, which would not count")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("it is no public key, or of a kind that nobody here can verify with: ECDSA, Ed25519 and RSA are known")
	}
	switch key := key.(type) {
	case ed25519.PublicKey:
		return key, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() && key.Curve != elliptic.P521() {
			return nil, fmt.Errorf("it is an ECDSA key on the curve %s; P-256, P-384 and P-521 are known", key.Curve.Params().Name)
		}
		return key, nil
	case *rsa.PublicKey:
		if key.N.BitLen() < shortestRSA {
			return nil, fmt.Errorf("it is an RSA key of %d bits, and less than %d are no proof", key.N.BitLen(), shortestRSA)
		}
		return key, nil
	}
	return nil, fmt.Errorf("it is a key of a kind that signs nothing here (%s); ECDSA, Ed25519 and RSA are known", strings.TrimPrefix(fmt.Sprintf("%T", key), "*"))
}
