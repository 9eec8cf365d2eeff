package supplychain

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/affineur/affineur/internal/evidence"
)

// signers are those whose word counts, ready to verify.
type signers struct {
	keys       []keySigner
	identities []identitySigner
	// authority verifies certificates, times and log entries; nil without a trusted root.
	authority *verify.Verifier
}

type keySigner struct {
	evidence.Signer
	// verifiers of the ways in which such a key signs.
	verifiers []*verify.Verifier
}

// artifact is what was signed, where a signature does not carry it. It is made anew for every look at it, because a look
// reads it to its end.
type artifact func() verify.ArtifactPolicyOption

type identitySigner struct {
	evidence.Signer
	subject *regexp.Regexp
}

func newSigners(listed []evidence.Signer, trustedRoot []byte) (*signers, error) {
	s := &signers{}
	for _, signer := range listed {
		if signer.Key == "" {
			identity := identitySigner{Signer: signer}
			if signer.SubjectRegExp != "" {
				// All of it: an expression for one repository must not match a longer name that contains it.
				pattern, err := regexp.Compile(`^(?:` + signer.SubjectRegExp + `)$`)
				if err != nil {
					return nil, fmt.Errorf("signer %s: its expression can't be used", signer.Name)
				}
				identity.subject = pattern
			}
			s.identities = append(s.identities, identity)
			continue
		}
		verifiers, err := keyVerifiers(signer.Key)
		if err != nil {
			return nil, fmt.Errorf("signer %s: its key can't be used: %w", signer.Name, err)
		}
		s.keys = append(s.keys, keySigner{Signer: signer, verifiers: verifiers})
	}
	if len(s.identities) == 0 {
		return s, nil
	}
	authority, err := authorityOf(trustedRoot)
	s.authority = authority
	return s, err
}

// keyVerifiers verify what a key signs. An Ed25519 key signs messages themselves or their SHA-512 (RFC 8032, section 5.1),
// which tools do at their own choice; neither is ever taken for the other.
func keyVerifiers(pem string) ([]*verify.Verifier, error) {
	key, err := evidence.SignerKey(pem)
	if err != nil {
		return nil, err
	}
	ways := [][]signature.LoadOption{{options.WithHash(crypto.SHA256)}}
	if _, ed := key.(ed25519.PublicKey); ed {
		ways = append(ways, []signature.LoadOption{options.WithED25519ph()})
	}
	var out []*verify.Verifier
	for _, way := range ways {
		loaded, err := signature.LoadVerifierWithOpts(key, way...)
		if err != nil {
			return nil, err
		}
		verifier, err := verifierOf(loaded)
		if err != nil {
			return nil, err
		}
		out = append(out, verifier)
	}
	return out, nil
}

func verifierOf(loaded signature.Verifier) (*verify.Verifier, error) {
	// Whatever hint the signature gives: the key is the policy's and not the signature's to choose.
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(loaded, time.Time{}, time.Time{}), nil
	})
	return verify.NewVerifier(material, verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate())
}

// authorityOf demands whatever the trusted root can show: a log entry where it names transparency logs, a timestamp in any
// case, and that the certificate was logged where it names logs of certificates.
func authorityOf(trustedRoot []byte) (*verify.Verifier, error) {
	trusted, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return nil, errors.New("the trusted root can't be read")
	}
	demands := []verify.VerifierOption{verify.WithoutStatementPredicate()}
	switch {
	case len(trusted.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("the trusted root names no certificate authority")
	case len(trusted.RekorLogs()) > 0:
		demands = append(demands, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	case len(trusted.TimestampingAuthorities()) > 0:
		demands = append(demands, verify.WithSignedTimestamps(1))
	default:
		return nil, errors.New("the trusted root names neither a transparency log nor a timestamp authority")
	}
	if len(trusted.CTLogs()) > 0 {
		demands = append(demands, verify.WithSignedCertificateTimestamps(1))
	}
	return verify.NewVerifier(trusted, demands...)
}

// check verifies one signature and returns everybody among the signers who made it. An artifact is what was signed,
// where the signature does not carry it.
func (s *signers) check(signed *bundle.Bundle, of artifact) ([]evidence.Signer, evidence.Refusal) {
	content, err := signed.VerificationContent()
	if err != nil {
		return nil, evidence.RefusedMalformed
	}
	if content.Certificate() == nil {
		return s.checkKeys(signed, of)
	}
	if s.authority == nil {
		return nil, evidence.RefusedSigner
	}
	result, err := s.authority.Verify(signed, verify.NewPolicy(of(), verify.WithoutIdentitiesUnsafe()))
	if err != nil {
		return nil, refusalOf(err)
	}
	var made []evidence.Signer
	for _, identity := range s.identities {
		if identity.made(result) {
			made = append(made, identity.Signer)
		}
	}
	if len(made) == 0 {
		return nil, evidence.RefusedSigner
	}
	return made, ""
}

func (s *signers) checkKeys(signed *bundle.Bundle, of artifact) ([]evidence.Signer, evidence.Refusal) {
	var made []evidence.Signer
	for _, key := range s.keys {
		verified := func(v *verify.Verifier) bool {
			_, err := v.Verify(signed, verify.NewPolicy(of(), verify.WithKey()))
			return err == nil
		}
		if slices.ContainsFunc(key.verifiers, verified) {
			made = append(made, key.Signer)
		}
	}
	if len(made) == 0 {
		return nil, evidence.RefusedSignature
	}
	return made, ""
}

func (i identitySigner) made(result *verify.VerificationResult) bool {
	if result.Signature == nil || result.Signature.Certificate == nil {
		return false
	}
	certificate := result.Signature.Certificate
	if certificate.Issuer != i.Issuer || certificate.SubjectAlternativeName == "" {
		return false
	}
	if i.subject != nil {
		return i.subject.MatchString(certificate.SubjectAlternativeName)
	}
	return certificate.SubjectAlternativeName == i.Subject
}

// refusalOf puts the library's error into a class by the step at which it arose. It only explains: an error is a refusal
// whatever its class.
func refusalOf(err error) evidence.Refusal {
	for prefix, class := range map[string]evidence.Refusal{
		"failed to verify log inclusion":                evidence.RefusedLog,
		"failed to verify timestamps":                   evidence.RefusedTime,
		"failed to verify leaf certificate":             evidence.RefusedCertificate,
		"failed to verify signed certificate timestamp": evidence.RefusedCertificate,
	} {
		if strings.HasPrefix(err.Error(), prefix) {
			return class
		}
	}
	return evidence.RefusedSignature
}

// vouching keeps the names of those who may vouch for a claim.
func vouching(made []evidence.Signer, claim evidence.Claim) []string {
	var names []string
	for _, signer := range made {
		if slices.Contains(signer.VouchesFor, claim) {
			names = append(names, signer.Name)
		}
	}
	return names
}

// imageArtifact is the image as what a signature is over: its manifest, or its digest alone where that is all that is
// known. And its digests, of which a signature names one.
func imageArtifact(digest string, manifest []byte) (artifact, [][]byte, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil {
		return nil, nil, err
	}
	if len(manifest) == 0 {
		return func() verify.ArtifactPolicyOption { return verify.WithArtifactDigest("sha256", raw) }, [][]byte{raw}, nil
	}
	longer := sha512.Sum512(manifest)
	return bytesArtifact(manifest), [][]byte{raw, longer[:]}, nil
}

func bytesArtifact(raw []byte) artifact {
	return func() verify.ArtifactPolicyOption { return verify.WithArtifact(bytes.NewReader(raw)) }
}
