// Package signing signs images and what is said about them as the common tools do, with real keys, and keeps the result
// where those tools keep it: for tests that need something to verify.
package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // what keys sign
	_ "crypto/sha512" // what Ed25519ph signs
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/affineur/affineur/internal/evidence"
)

// BundleType is the media type of a signature or an attestation in one file.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// noteSignature is the annotation in which cosign's older form keeps a signature.
const noteSignature = "dev.cosignproject.cosign/signature"

// Key signs.
type Key struct {
	private crypto.Signer
	// hash is what it signs of a message; 0 is the message itself.
	hash crypto.Hash
}

// NewKey makes a key.
func NewKey() (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return Key{private, crypto.SHA256}, err
}

// NewEd25519 makes a key that signs messages themselves (RFC 8032, Ed25519).
func NewEd25519() (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return Key{private: private}, err
}

// Prehashed is the same key signing their SHA-512 instead (Ed25519ph).
func (k Key) Prehashed() Key { return Key{k.private, crypto.SHA512} }

// PEM is the public half.
func (k Key) PEM() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), err
}

func (k Key) sign(message []byte) (string, error) {
	raw, err := k.private.Sign(rand.Reader, hashed(k.hash, message), k.hash)
	return base64.StdEncoding.EncodeToString(raw), err
}

func hashed(hash crypto.Hash, message []byte) []byte {
	if hash == 0 {
		return message
	}
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// SimpleText is the text that releases an image in cosign's older form.
func SimpleText(digest string) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
}

// Image releases an image, in cosign's older form.
func (k Key) Image(digest string) (evidence.Attachment, error) { return k.SignText(SimpleText(digest)) }

// Bundle releases an image, as a signature over its digest in one file.
func (k Key) Bundle(digest string) (evidence.Attachment, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil {
		return evidence.Attachment{}, err
	}
	made, err := k.private.Sign(rand.Reader, raw, crypto.SHA256)
	if err != nil {
		return evidence.Attachment{}, err
	}
	return message("SHA2_256", raw, made)
}

// BundleOf releases an image, as a signature over its manifest in one file.
func (k Key) BundleOf(manifest []byte) (evidence.Attachment, error) {
	made, err := k.private.Sign(rand.Reader, hashed(k.hash, manifest), k.hash)
	if err != nil {
		return evidence.Attachment{}, err
	}
	if k.hash == crypto.SHA512 {
		return message("SHA2_512", hashed(crypto.SHA512, manifest), made)
	}
	return message("SHA2_256", hashed(crypto.SHA256, manifest), made)
}

func message(algorithm string, digest, signature []byte) (evidence.Attachment, error) {
	content, err := json.Marshal(map[string]any{
		"mediaType": BundleType, "verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": ""}},
		"messageSignature": map[string]any{"messageDigest": map[string]any{"algorithm": algorithm, "digest": digest}, "signature": signature},
	})
	return evidence.Attachment{Type: BundleType, Content: content}, err
}

// Statement says something about an image, as in-toto puts it.
func Statement(digest, predicateType string, predicate any) ([]byte, error) {
	return json.Marshal(map[string]any{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": predicateType, "predicate": predicate,
		"subject": []any{map[string]any{"name": "image", "digest": map[string]string{"sha256": strings.TrimPrefix(digest, "sha256:")}}},
	})
}

// Attest signs what is said about an image, in cosign's older form.
func (k Key) Attest(digest, predicateType string, predicate any) (evidence.Attachment, error) {
	envelope, err := k.envelope(digest, predicateType, predicate)
	if err != nil {
		return evidence.Attachment{}, err
	}
	return older(envelope)
}

// AttestText signs any text in that form, as being of any type.
func (k Key) AttestText(payloadType string, text []byte) (evidence.Attachment, error) {
	envelope, err := k.seal(payloadType, text)
	if err != nil {
		return evidence.Attachment{}, err
	}
	return older(envelope)
}

func older(envelope map[string]any) (evidence.Attachment, error) {
	content, err := json.Marshal(envelope)
	return evidence.Attachment{Type: evidence.TypeEnvelope, Content: content, Annotations: map[string]string{noteSignature: ""}}, err
}

// AttestBundle signs the same in one file.
func (k Key) AttestBundle(digest, predicateType string, predicate any) (evidence.Attachment, error) {
	envelope, err := k.envelope(digest, predicateType, predicate)
	if err != nil {
		return evidence.Attachment{}, err
	}
	content, err := json.Marshal(map[string]any{
		"mediaType": BundleType, "dsseEnvelope": envelope,
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": ""}},
	})
	return evidence.Attachment{Type: BundleType, Content: content}, err
}

// StatementType is the payload type of a statement.
const StatementType = "application/vnd.in-toto+json"

func (k Key) envelope(digest, predicateType string, predicate any) (map[string]any, error) {
	payload, err := Statement(digest, predicateType, predicate)
	if err != nil {
		return nil, err
	}
	return k.seal(StatementType, payload)
}

// seal signs as DSSE says: over the type and the content with their lengths.
func (k Key) seal(payloadType string, payload []byte) (map[string]any, error) {
	signature, err := k.sign(fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload))
	return map[string]any{"payloadType": payloadType, "payload": payload, "signatures": []any{map[string]any{"sig": signature}}}, err
}

// Push keeps attachments beside the image where the common tools do: those of cosign's older form under the tag that the
// image's digest makes, everything else as a referrer.
func Push(image name.Digest, attachments []evidence.Attachment, options ...remote.Option) error {
	older := map[string][]evidence.Attachment{}
	for _, a := range attachments {
		switch a.Type {
		case evidence.TypeSimpleSigning:
			older["sig"] = append(older["sig"], a)
		case evidence.TypeEnvelope:
			older["att"] = append(older["att"], a)
		default:
			if err := refer(image, a, options); err != nil {
				return err
			}
		}
	}
	for suffix, under := range older {
		made, err := withLayers(empty.Image, under)
		if err != nil {
			return err
		}
		tag := image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1) + "." + suffix)
		if err := remote.Write(tag, made, options...); err != nil {
			return err
		}
	}
	return nil
}

func withLayers(base v1.Image, attachments []evidence.Attachment) (v1.Image, error) {
	var layers []mutate.Addendum
	for _, a := range attachments {
		layers = append(layers, mutate.Addendum{Layer: static.NewLayer(a.Content, types.MediaType(a.Type)), Annotations: a.Annotations})
	}
	return mutate.Append(mutate.MediaType(base, types.OCIManifestSchema1), layers...)
}

func refer(image name.Digest, a evidence.Attachment, options []remote.Option) error {
	subject, err := remote.Head(image, options...)
	if err != nil {
		return err
	}
	made, err := withLayers(mutate.ConfigMediaType(empty.Image, types.MediaType(a.Type)), []evidence.Attachment{a})
	if err != nil {
		return err
	}
	referring := mutate.Subject(made, *subject).(v1.Image)
	digest, err := referring.Digest()
	if err != nil {
		return err
	}
	return remote.Write(image.Context().Digest(digest.String()), referring, options...)
}

// Tamper changes one byte of what was signed and leaves the signature.
func Tamper(a evidence.Attachment, from, to string) evidence.Attachment {
	a.Content = bytes.Replace(a.Content, []byte(from), []byte(to), 1)
	return a
}

// SignText signs any text in the form in which cosign's older form signs the one that releases an image.
func (k Key) SignText(text []byte) (evidence.Attachment, error) {
	signature, err := k.sign(text)
	return evidence.Attachment{Type: evidence.TypeSimpleSigning, Content: text, Annotations: map[string]string{noteSignature: signature}}, err
}
