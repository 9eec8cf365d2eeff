package supplychain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

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
		order:    evidence.SupplyOrder{Image: image, Material: "material", At: scannedAt.Add(24 * time.Hour), Signers: signers},
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
	signing.Authority
	t *testing.T
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	return authority{must(signing.NewAuthority())(t), t}
}

func (a authority) root() []byte {
	a.t.Helper()
	return must(a.Root())(a.t)
}

// attest signs a statement and gives it as one file. A change may break it.
func (a authority) attest(who, from string, statement []byte, at time.Time, changes ...func(*protobundle.Bundle)) evidence.Attachment {
	a.t.Helper()
	return must(a.Attest(who, from, statement, at, changes...))(a.t)
}

// older signs a text in cosign's older form.
func (a authority) older(who string, text []byte) evidence.Attachment {
	a.t.Helper()
	return must(a.SignText(who, issuer, text))(a.t)
}

func why(result evidence.SupplyResult) string {
	var out []string
	for _, r := range result.Refused {
		out = append(out, string(r.Why))
	}
	return strings.Join(out, " ")
}
