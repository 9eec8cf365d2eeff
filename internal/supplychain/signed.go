package supplychain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/affineur/affineur/internal/evidence"
)

// Cosign's annotations on a layer of its older form.
const (
	noteSignature   = "dev.cosignproject.cosign/signature"
	noteCertificate = "dev.sigstore.cosign/certificate"
	noteLog         = "dev.sigstore.cosign/bundle"
	noteTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
)

// read turns an attachment into a bundle, and for the older form of a signature also into the text that was signed.
func read(a evidence.Attachment) (signed *bundle.Bundle, payload []byte, ok bool) {
	switch {
	case strings.HasPrefix(a.Type, evidence.TypeBundlePrefix):
		signed = &bundle.Bundle{}
		if signed.UnmarshalJSON(a.Content) != nil {
			return nil, nil, false
		}
		return signed, nil, true
	case a.Type == evidence.TypeSimpleSigning:
		signed, ok = readSimpleSigning(a)
		return signed, a.Content, ok
	case a.Type == evidence.TypeEnvelope:
		signed, ok = readEnvelope(a)
		return signed, nil, ok
	}
	return nil, nil, false
}

func readSimpleSigning(a evidence.Attachment) (*bundle.Bundle, bool) {
	raw, err := base64.StdEncoding.DecodeString(a.Annotations[noteSignature])
	if err != nil || len(raw) == 0 {
		return nil, false
	}
	return older(a, &protobundle.Bundle{Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: sum(a.Content)}, Signature: raw,
	}}})
}

func readEnvelope(a evidence.Attachment) (*bundle.Bundle, bool) {
	var envelope protodsse.Envelope
	if protojson.Unmarshal(a.Content, &envelope) != nil {
		return nil, false
	}
	return older(a, &protobundle.Bundle{Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &envelope}})
}

// older completes a bundle with what cosign's older form keeps in annotations: without a certificate it was signed by a
// key.
func older(a evidence.Attachment, b *protobundle.Bundle) (*bundle.Bundle, bool) {
	// Version 0.1 is the one whose log entries have a promise of inclusion, as those of cosign's older form.
	b.MediaType = evidence.TypeBundlePrefix + "+json;version=0.1"
	b.VerificationMaterial = &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{}},
	}
	if text := a.Annotations[noteCertificate]; text != "" {
		block, _ := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, false
		}
		b.VerificationMaterial.Content = &protobundle.VerificationMaterial_X509CertificateChain{X509CertificateChain: &protocommon.X509CertificateChain{
			Certificates: []*protocommon.X509Certificate{{RawBytes: block.Bytes}},
		}}
	}
	if text := a.Annotations[noteLog]; text != "" {
		entry, ok := logEntry(text)
		if !ok {
			return nil, false
		}
		b.VerificationMaterial.TlogEntries = []*protorekor.TransparencyLogEntry{entry}
	}
	if text := a.Annotations[noteTimestamp]; text != "" {
		var stamp struct{ SignedRFC3161Timestamp []byte }
		if json.Unmarshal([]byte(text), &stamp) != nil {
			return nil, false
		}
		b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
			Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp.SignedRFC3161Timestamp}},
		}
	}
	made, err := bundle.NewBundle(b)
	return made, err == nil
}

// logEntry reads cosign's proof that a signature was logged.
func logEntry(text string) (*protorekor.TransparencyLogEntry, bool) {
	var proof struct {
		SignedEntryTimestamp []byte
		Payload              struct {
			Body           []byte `json:"body"`
			IntegratedTime int64  `json:"integratedTime"`
			LogIndex       int64  `json:"logIndex"`
			LogID          string `json:"logID"`
		}
	}
	if json.Unmarshal([]byte(text), &proof) != nil {
		return nil, false
	}
	var kind struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
	}
	id, ok := unhex(proof.Payload.LogID)
	if json.Unmarshal(proof.Payload.Body, &kind) != nil || !ok {
		return nil, false
	}
	return &protorekor.TransparencyLogEntry{
		LogIndex: proof.Payload.LogIndex, LogId: &protocommon.LogId{KeyId: id},
		KindVersion:       &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion},
		IntegratedTime:    proof.Payload.IntegratedTime,
		InclusionPromise:  &protorekor.InclusionPromise{SignedEntryTimestamp: proof.SignedEntryTimestamp},
		CanonicalizedBody: proof.Payload.Body,
	}, true
}

// simpleSigning is the text that cosign's older form signs.
type simpleSigning struct {
	Critical struct {
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
}

// released tells whether a signed text releases the image.
func released(payload []byte, image string) (bool, evidence.Refusal) {
	var text simpleSigning
	decoder := json.NewDecoder(bytes.NewReader(payload))
	if decoder.Decode(&text) != nil || text.Critical.Type != "cosign container image signature" {
		return false, evidence.RefusedMalformed
	}
	if text.Critical.Image.Digest != image {
		return false, evidence.RefusedImage
	}
	return true, ""
}

// statement is an attestation: what it says about what.
type statement struct {
	Type    string `json:"_type"`
	Subject []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// statementOf reads the statement of an envelope whose signature was verified, by a library that takes no other type of
// payload for one.
func statementOf(signed *bundle.Bundle) (statement, bool) {
	var s statement
	envelope := signed.GetDsseEnvelope()
	if envelope == nil || json.Unmarshal(envelope.Payload, &s) != nil {
		return s, false
	}
	return s, strings.HasPrefix(s.Type, "https://in-toto.io/Statement/") && s.PredicateType != "" && len(s.Predicate) > 0
}

// about tells whether the statement speaks of the image.
func (s statement) about(image string) bool {
	for _, subject := range s.Subject {
		if "sha256:"+subject.Digest["sha256"] == image {
			return true
		}
	}
	return false
}
