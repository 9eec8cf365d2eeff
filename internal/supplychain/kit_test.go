package supplychain

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
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
	"github.com/affineur/affineur/test/signing"
)

var (
	image = evidence.Digest([]byte("image"))
	other = evidence.Digest([]byte("another image"))
)

const (
	issuer = "https://issuer.example.org"
	person = "release@example.org"
)

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func newKey(t *testing.T) (signing.Key, string) {
	t.Helper()
	key := must(signing.NewKey())(t)
	return key, must(key.PEM())(t)
}

var everything = []evidence.Claim{evidence.ClaimImage, evidence.ClaimProvenance, evidence.ClaimSBOM, evidence.ClaimVulnerabilities, evidence.ClaimVEX}

func byKey(name, pem string, claims ...evidence.Claim) evidence.Signer {
	if len(claims) == 0 {
		claims = everything
	}
	return evidence.Signer{Name: name, Key: pem, VouchesFor: claims}
}

// question is an examination with what was gathered for it.
type question struct {
	order    evidence.SupplyOrder
	material evidence.Material
}

func ask(t *testing.T, signers []evidence.Signer, attachments ...evidence.Attachment) question {
	t.Helper()
	for i := range attachments {
		attachments[i].Place = fmt.Sprintf("attachment %d", i)
	}
	return question{
		order:    evidence.SupplyOrder{Image: image, Material: "material", Signers: signers},
		material: evidence.Material{Image: image, Attachments: attachments},
	}
}

func (q question) trusting(root []byte) question {
	q.material.TrustedRoot = root
	return q
}

func (q question) examine(t *testing.T) (evidence.SupplyResult, error) {
	t.Helper()
	packed := must(evidence.PackMaterial(q.material))(t)
	return Examine(q.order, map[string][]byte{"material": packed})
}

func (q question) answer(t *testing.T) evidence.SupplyResult {
	t.Helper()
	result := must(q.examine(t))(t)
	if err := result.Validate(); err != nil {
		t.Fatalf("the result is not valid: %v: %+v", err, result)
	}
	return result
}

// authority is a certificate authority with a log and a clock of its own.
type authority struct {
	*ca.VirtualSigstore
	t *testing.T
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	return authority{must(ca.NewVirtualSigstore())(t), t}
}

func (a authority) root() []byte {
	a.t.Helper()
	logs := a.RekorLogs()
	for id, log := range logs {
		log.ID = must(hex.DecodeString(id))(a.t)
	}
	made := must(root.NewTrustedRoot(root.TrustedRootMediaType01, a.FulcioCertificateAuthorities(), nil, a.TimestampingAuthorities(), logs))(a.t)
	return must(made.MarshalJSON())(a.t)
}

// attest signs a statement and gives it as one file. A change may break it.
func (a authority) attest(who, from string, statement []byte, at time.Time, changes ...func(*protobundle.Bundle)) evidence.Attachment {
	a.t.Helper()
	return a.pack(must(a.AttestAtTime(who, from, statement, at, true))(a.t), changes)
}

func (a authority) pack(entity *ca.TestEntity, changes []func(*protobundle.Bundle)) evidence.Attachment {
	a.t.Helper()
	content := must(entity.VerificationContent())(a.t)
	signature := must(entity.SignatureContent())(a.t)
	var entries []*protorekor.TransparencyLogEntry
	for _, e := range must(entity.TlogEntries())(a.t) {
		entries = append(entries, a.promised(e.TransparencyLogEntry()))
	}
	b := &protobundle.Bundle{MediaType: signing.BundleType, VerificationMaterial: &protobundle.VerificationMaterial{
		Content:     &protobundle.VerificationMaterial_Certificate{Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw}},
		TlogEntries: entries,
	}}
	if raw := signature.EnvelopeContent(); raw != nil {
		envelope := raw.RawEnvelope()
		b.Content = &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			PayloadType: envelope.PayloadType, Payload: must(base64.StdEncoding.DecodeString(envelope.Payload))(a.t),
			Signatures: []*protodsse.Signature{{Sig: must(base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig))(a.t)}},
		}}
	}
	for _, change := range changes {
		change(b)
	}
	return evidence.Attachment{Type: signing.BundleType, Content: must(protojson.Marshal(b))(a.t)}
}

// promised completes a log entry with what the library's own tests do not need: its kind and the log's promise.
func (a authority) promised(entry *protorekor.TransparencyLogEntry) *protorekor.TransparencyLogEntry {
	a.t.Helper()
	var kind struct{ Kind, APIVersion string }
	if err := json.Unmarshal(entry.CanonicalizedBody, &kind); err != nil {
		a.t.Fatal(err)
	}
	entry.KindVersion = &protorekor.KindVersion{Kind: kind.Kind, Version: kind.APIVersion}
	promise := must(a.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(entry.CanonicalizedBody), IntegratedTime: entry.IntegratedTime,
		LogIndex: entry.LogIndex, LogID: hex.EncodeToString(entry.LogId.KeyId),
	}))(a.t)
	entry.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return entry
}

// older signs a text in cosign's older form, with certificate and proof of the log in annotations.
func (a authority) older(who string, text []byte) evidence.Attachment {
	a.t.Helper()
	entity := must(a.Sign(who, issuer, text))(a.t)
	content := must(entity.VerificationContent())(a.t)
	signature := must(entity.SignatureContent())(a.t)
	entry := a.promised(must(entity.TlogEntries())(a.t)[0].TransparencyLogEntry())
	proof := must(json.Marshal(map[string]any{
		"SignedEntryTimestamp": entry.GetInclusionPromise().GetSignedEntryTimestamp(),
		"Payload": map[string]any{"body": entry.GetCanonicalizedBody(), "integratedTime": entry.GetIntegratedTime(), "logIndex": entry.GetLogIndex(),
			"logID": fmt.Sprintf("%x", entry.GetLogId().GetKeyId())},
	}))(a.t)
	certificate := "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(content.Certificate().Raw) + "\n-----END CERTIFICATE-----\n"
	return evidence.Attachment{Type: evidence.TypeSimpleSigning, Content: text, Annotations: map[string]string{
		noteSignature: base64.StdEncoding.EncodeToString(signature.Signature()), noteCertificate: certificate, noteLog: string(proof),
	}}
}

func why(result evidence.SupplyResult) string {
	var out []string
	for _, r := range result.Refused {
		out = append(out, string(r.Why))
	}
	return strings.Join(out, " ")
}
