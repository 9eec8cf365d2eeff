package signing

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/affineur/affineur/internal/evidence"
)

// Authority is a certificate authority with a log and a clock of its own, for signers who have an identity and no key.
type Authority struct{ virtual *ca.VirtualSigstore }

// NewAuthority makes one that nobody trusts yet.
func NewAuthority() (Authority, error) {
	made, err := ca.NewVirtualSigstore()
	return Authority{made}, err
}

// Root is the trusted root that says so, in Sigstore's form.
func (a Authority) Root() ([]byte, error) {
	logs := a.virtual.RekorLogs()
	for id, log := range logs {
		raw, err := hex.DecodeString(id)
		if err != nil {
			return nil, err
		}
		log.ID = raw
	}
	made, err := root.NewTrustedRoot(root.TrustedRootMediaType01, a.virtual.FulcioCertificateAuthorities(), nil, a.virtual.TimestampingAuthorities(), logs)
	if err != nil {
		return nil, err
	}
	return made.MarshalJSON()
}

// Attest has somebody sign a statement, and gives it as one file. A change may break it.
func (a Authority) Attest(who, issuer string, statement []byte, at time.Time, changes ...func(*protobundle.Bundle)) (evidence.Attachment, error) {
	entity, err := a.virtual.AttestAtTime(who, issuer, statement, at, true)
	if err != nil {
		return evidence.Attachment{}, err
	}
	packed, err := a.pack(entity)
	if err != nil {
		return evidence.Attachment{}, err
	}
	for _, change := range changes {
		change(packed)
	}
	content, err := protojson.Marshal(packed)
	return evidence.Attachment{Type: BundleType, Content: content}, err
}

func (a Authority) pack(entity *ca.TestEntity) (*protobundle.Bundle, error) {
	content, err := entity.VerificationContent()
	if err != nil {
		return nil, err
	}
	signature, err := entity.SignatureContent()
	if err != nil {
		return nil, err
	}
	entries, err := a.entries(entity)
	if err != nil {
		return nil, err
	}
	stamps, err := entity.Timestamps()
	if err != nil {
		return nil, err
	}
	times := &protobundle.TimestampVerificationData{}
	for _, stamp := range stamps {
		times.Rfc3161Timestamps = append(times.Rfc3161Timestamps, &protocommon.RFC3161SignedTimestamp{SignedTimestamp: stamp})
	}
	packed := &protobundle.Bundle{MediaType: BundleType, VerificationMaterial: &protobundle.VerificationMaterial{
		Content:     &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw}},
		TlogEntries: entries, TimestampVerificationData: times,
	}}
	envelope := signature.EnvelopeContent().RawEnvelope()
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil {
		return nil, err
	}
	made, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	packed.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
		PayloadType: envelope.PayloadType, Payload: payload, Signatures: []*protodsse.Signature{{Sig: made}},
	}}
	return packed, err
}

// entries of the log, completed with what the library's own tests do not need: their kind and the log's promise.
func (a Authority) entries(entity *ca.TestEntity) ([]*protorekor.TransparencyLogEntry, error) {
	logged, err := entity.TlogEntries()
	if err != nil {
		return nil, err
	}
	var out []*protorekor.TransparencyLogEntry
	for _, of := range logged {
		entry := of.TransparencyLogEntry()
		var kind struct{ Kind, APIVersion string }
		if err := json.Unmarshal(entry.CanonicalizedBody, &kind); err != nil {
			return nil, err
		}
		entry.KindVersion = &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion}
		promise, err := a.virtual.RekorSignPayload(tlog.RekorPayload{
			Body: base64.StdEncoding.EncodeToString(entry.CanonicalizedBody), IntegratedTime: entry.IntegratedTime,
			LogIndex: entry.LogIndex, LogID: hex.EncodeToString(entry.LogId.KeyId),
		})
		if err != nil {
			return nil, err
		}
		entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
		out = append(out, entry)
	}
	return out, nil
}

// SignText has somebody sign a text in cosign's older form, with the certificate and the proof of the log in annotations.
func (a Authority) SignText(who, issuer string, text []byte) (evidence.Attachment, error) {
	entity, err := a.virtual.Sign(who, issuer, text)
	if err != nil {
		return evidence.Attachment{}, err
	}
	content, err := entity.VerificationContent()
	if err != nil {
		return evidence.Attachment{}, err
	}
	signature, err := entity.SignatureContent()
	if err != nil {
		return evidence.Attachment{}, err
	}
	entries, err := a.entries(entity)
	if err != nil {
		return evidence.Attachment{}, err
	}
	entry := entries[0]
	proof, err := json.Marshal(map[string]any{
		"SignedEntryTimestamp": entry.GetInclusionPromise().GetSignedEntryTimestamp(),
		"Payload": map[string]any{"body": entry.GetCanonicalizedBody(), "integratedTime": entry.GetIntegratedTime(), "logIndex": entry.GetLogIndex(),
			"logID": fmt.Sprintf("%x", entry.GetLogId().GetKeyId())},
	})
	certificate := "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(content.Certificate().Raw) + "\n-----END CERTIFICATE-----\n"
	return evidence.Attachment{Type: evidence.TypeSimpleSigning, Content: text, Annotations: map[string]string{
		noteSignature: base64.StdEncoding.EncodeToString(signature.Signature()), "dev.sigstore.cosign/certificate": certificate, "dev.sigstore.cosign/bundle": string(proof),
	}}, err
}
