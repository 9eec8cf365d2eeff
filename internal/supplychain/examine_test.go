package supplychain

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
)

func TestSignaturesByKey(t *testing.T) {
	key, pem := newKey(t)
	stranger, _ := newKey(t)
	for name, c := range map[string]struct {
		attachment evidence.Attachment
		claims     []evidence.Claim
		want       string
	}{
		"older form":                     {must(key.Image(image))(t), nil, ""},
		"one file":                       {must(key.Bundle(image))(t), nil, ""},
		"one file, as a statement":       {must(key.AttestBundle(image, predicateRelease, map[string]string{}))(t), nil, ""},
		"older form, another key":        {must(stranger.Image(image))(t), nil, "SignatureInvalid"},
		"one file, another key":          {must(stranger.Bundle(image))(t), nil, "SignatureInvalid"},
		"statement, another key":         {must(stranger.AttestBundle(image, predicateRelease, map[string]string{}))(t), nil, "SignatureInvalid"},
		"older form, another image":      {must(key.Image(other))(t), nil, "AnotherImage"},
		"one file, another image":        {must(key.Bundle(other))(t), nil, "AnotherImage"},
		"statement, another image":       {must(key.AttestBundle(other, predicateRelease, map[string]string{}))(t), nil, "AnotherImage"},
		"older form, digest put in":      {signing.Tamper(must(key.Image(other))(t), other, image), nil, "SignatureInvalid"},
		"older form, no signature":       {evidence.Attachment{Type: evidence.TypeSimpleSigning, Content: signing.SimpleText(image)}, nil, "Malformed"},
		"older form, another text":       {signed(t, key, []byte(`{"critical":{"type":"something else"}}`)), nil, "Malformed"},
		"one file, nothing in it":        {evidence.Attachment{Type: signing.BundleType, Content: []byte(`{}`)}, nil, "Malformed"},
		"a signer for other things":      {must(key.Image(image))(t), []evidence.Claim{evidence.ClaimSBOM}, "NotItsToVouchFor"},
		"statement for other things":     {must(key.AttestBundle(image, predicateRelease, map[string]string{}))(t), []evidence.Claim{evidence.ClaimVEX}, "NotItsToVouchFor"},
		"an attestation is no signature": {must(key.Attest(image, predicateSPDX, spdx))(t), nil, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			result := ask(t, []evidence.Signer{byKey("release", pem, c.claims...)}, c.attachment).answer(t)
			if signed := slices.Equal(result.SignedBy, []string{"release"}); signed != (c.want == "") {
				t.Errorf("signed by %q, refused %q, want %q", result.SignedBy, why(result), c.want)
			}
			if c.want != "none" && why(result) != c.want {
				t.Errorf("refused %q, want %q", why(result), c.want)
			}
		})
	}
	t.Run("nothing there", func(t *testing.T) {
		if result := ask(t, []evidence.Signer{byKey("release", pem)}).answer(t); len(result.SignedBy) > 0 || result.Found != 0 {
			t.Errorf("got %+v", result)
		}
	})
	t.Run("nobody named", func(t *testing.T) {
		if result := ask(t, nil, must(key.Image(image))(t)).answer(t); len(result.SignedBy) > 0 {
			t.Errorf("got %+v", result)
		}
	})
}

// An Ed25519 key signs in two ways, and tools differ in which; a signature over the image alone needs its manifest, since
// such keys don't sign a SHA-256.
func TestSignaturesByEd25519(t *testing.T) {
	manifest := []byte("image")
	pure := must(signing.NewEd25519())(t)
	stranger := must(signing.NewEd25519())(t)
	signers := []evidence.Signer{byKey("other", must(stranger.PEM())(t)), byKey("release", must(pure.PEM())(t))}
	for way, key := range map[string]signing.Key{"the message": pure, "its hash": pure.Prehashed()} {
		for name, c := range map[string]struct {
			attachment evidence.Attachment
			manifest   []byte
			want       string
		}{
			"older form":                  {must(key.Image(image))(t), nil, ""},
			"one file, as a statement":    {must(key.AttestBundle(image, predicateRelease, map[string]string{}))(t), nil, ""},
			"one file":                    {must(key.BundleOf(manifest))(t), manifest, ""},
			"one file, another image":     {must(key.BundleOf([]byte("another image")))(t), manifest, "AnotherImage"},
			"older form, digest put in":   {signing.Tamper(must(key.Image(other))(t), other, image), manifest, "SignatureInvalid"},
			"one file, another signature": {signing.Tamper(must(key.BundleOf(manifest))(t), `"signature":"`, `"signature":"AAAA`), manifest, "SignatureInvalid"},
		} {
			t.Run(way+", "+name, func(t *testing.T) {
				q := ask(t, signers, c.attachment)
				q.material.Manifest = c.manifest
				result := q.answer(t)
				if signed := slices.Equal(result.SignedBy, []string{"release"}); signed != (c.want == "") || why(result) != c.want {
					t.Errorf("signed by %q, refused %q, want %q", result.SignedBy, why(result), c.want)
				}
			})
		}
	}
	q := ask(t, signers, must(pure.BundleOf(manifest))(t))
	if result := q.answer(t); len(result.SignedBy) > 0 || why(result) != "SignatureInvalid" {
		t.Errorf("without a manifest: %+v", result)
	}
}

// Whoever is named first reads what was signed as well as whoever is named last.
func TestSignatureByTheLastOfSeveralKeys(t *testing.T) {
	var signers []evidence.Signer
	var last signing.Key
	for _, name := range []string{"first", "second", "release"} {
		key, pem := newKey(t)
		signers, last = append(signers, byKey(name, pem)), key
	}
	manifest := []byte("image")
	for name, a := range map[string]evidence.Attachment{
		"older form": must(last.Image(image))(t), "one file": must(last.Bundle(image))(t), "one file of the manifest": must(last.BundleOf(manifest))(t),
		"statement": must(last.AttestBundle(image, predicateRelease, map[string]string{}))(t),
	} {
		q := ask(t, signers, a)
		q.material.Manifest = manifest
		if result := q.answer(t); !slices.Equal(result.SignedBy, []string{"release"}) {
			t.Errorf("%s: signed by %q, refused %q", name, result.SignedBy, why(result))
		}
	}
}

// signed is any text in cosign's older form.
func signed(t *testing.T, key signing.Key, text []byte) evidence.Attachment {
	t.Helper()
	a := must(key.SignText(text))(t)
	return a
}

func TestSignaturesByIdentity(t *testing.T) {
	trusted, foreign := newAuthority(t), newAuthority(t)
	soon := time.Now().Add(5 * time.Minute)
	release := must(signing.Statement(image, predicateRelease, map[string]string{}))(t)
	ofOther := must(signing.Statement(other, predicateRelease, map[string]string{}))(t)
	exact := evidence.Signer{Name: "release", Issuer: issuer, Subject: person, VouchesFor: everything}
	pattern := evidence.Signer{Name: "release", Issuer: issuer, SubjectRegExp: `release@example\.org`, VouchesFor: everything}
	noLog := func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil }
	swapped := func(b *protobundle.Bundle) { b.GetDsseEnvelope().Payload = release }
	_, pem := newKey(t)
	for name, c := range map[string]struct {
		attachment evidence.Attachment
		signer     evidence.Signer
		want       string
	}{
		"one file":                        {trusted.attest(person, issuer, release, soon), exact, ""},
		"by an expression":                {trusted.attest(person, issuer, release, soon), pattern, ""},
		"older form":                      {trusted.older(person, signing.SimpleText(image)), exact, ""},
		"older form, another image":       {trusted.older(person, signing.SimpleText(other)), exact, "AnotherImage"},
		"older form, digest put in":       {signing.Tamper(trusted.older(person, signing.SimpleText(other)), other, image), exact, "NotInTheLog"},
		"another person":                  {trusted.attest("mallory@example.org", issuer, release, soon), exact, "AnotherSigner"},
		"a longer name":                   {trusted.attest("release@example.org.evil.example", issuer, release, soon), pattern, "AnotherSigner"},
		"a name that contains it":         {trusted.attest("pre-release@example.org", issuer, release, soon), pattern, "AnotherSigner"},
		"another issuer":                  {trusted.attest(person, "https://evil.example.org", release, soon), exact, "AnotherSigner"},
		"another authority":               {foreign.attest(person, issuer, release, soon), exact, "NotInTheLog"},
		"signed after the certificate":    {trusted.attest(person, issuer, release, time.Now().Add(time.Hour)), exact, "NotInTheLog"},
		"signed before the certificate":   {trusted.attest(person, issuer, release, time.Now().Add(-time.Hour)), exact, "NotInTheLog"},
		"no log entry":                    {trusted.attest(person, issuer, release, soon, noLog), exact, "NotInTheLog"},
		"another image":                   {trusted.attest(person, issuer, ofOther, soon), exact, "AnotherImage"},
		"another payload put in":          {trusted.attest(person, issuer, ofOther, soon, swapped), exact, "NotInTheLog"},
		"a certificate where keys count":  {trusted.attest(person, issuer, release, soon), byKey("release", pem), "AnotherSigner"},
		"an issuer that knows nobody new": {trusted.attest("", issuer, release, soon), pattern, "*"},
	} {
		t.Run(name, func(t *testing.T) {
			q := ask(t, []evidence.Signer{c.signer}, c.attachment)
			if c.signer.Key == "" {
				q = q.trusting(trusted.root())
			}
			result := q.answer(t)
			if signed := slices.Equal(result.SignedBy, []string{"release"}); signed != (c.want == "") {
				t.Errorf("signed by %q, refused %q, want %q", result.SignedBy, why(result), c.want)
			}
			if c.want != "*" && why(result) != c.want {
				t.Errorf("refused %q, want %q", why(result), c.want)
			}
		})
	}
}

// rooted is a trusted root with some of its parts changed.
func rooted(t *testing.T, raw []byte, change func(map[string]any)) []byte {
	t.Helper()
	var parts map[string]any
	if err := json.Unmarshal(raw, &parts); err != nil {
		t.Fatal(err)
	}
	change(parts)
	return text(t, parts)
}

// Whatever a trusted root can show is asked for: a time where it names no log, and that the certificate was logged where it
// names logs of certificates.
func TestWhatATrustedRootCanShow(t *testing.T) {
	trusted, foreign := newAuthority(t), newAuthority(t)
	release := must(signing.Statement(image, predicateRelease, map[string]string{}))(t)
	timeless := func(b *protobundle.Bundle) { b.VerificationMaterial.TimestampVerificationData = nil }
	noLog := func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil }
	clocks := func(root map[string]any) { delete(root, "tlogs") }
	certificates := func(root map[string]any) { root["ctlogs"] = root["tlogs"] }
	soon := time.Now().Add(5 * time.Minute)
	for name, c := range map[string]struct {
		attachment evidence.Attachment
		root       func(map[string]any)
		want       string
	}{
		"a time":                               {trusted.attest(person, issuer, release, soon, noLog), clocks, ""},
		"no time":                              {trusted.attest(person, issuer, release, soon, noLog, timeless), clocks, "NoTrustedTime"},
		"a time by a log that is not named":    {trusted.attest(person, issuer, release, soon, timeless), clocks, "NoTrustedTime"},
		"a time of nobody known":               {foreign.attest(person, issuer, release, soon, noLog), clocks, "NoTrustedTime"},
		"a time in place of an entry":          {trusted.attest(person, issuer, release, soon, noLog), func(map[string]any) {}, "NotInTheLog"},
		"a certificate that was not logged":    {trusted.attest(person, issuer, release, soon), certificates, "CertificateInvalid"},
		"a certificate that nobody has to log": {trusted.attest(person, issuer, release, soon), func(map[string]any) {}, ""},
	} {
		signer := evidence.Signer{Name: "release", Issuer: issuer, Subject: person, VouchesFor: everything}
		result := ask(t, []evidence.Signer{signer}, c.attachment).trusting(rooted(t, trusted.root(), c.root)).answer(t)
		if why(result) != c.want || (len(result.SignedBy) == 1) != (c.want == "") {
			t.Errorf("%s: signed by %q, refused %q, want %q", name, result.SignedBy, why(result), c.want)
		}
	}
}

// What is signed counts as a statement only if it is signed as one, and says that it is one.
func TestTextsThatAreNoStatements(t *testing.T) {
	key, pem := newKey(t)
	release := must(signing.Statement(image, predicateRelease, map[string]string{}))(t)
	for name, c := range map[string]struct {
		payloadType string
		text        []byte
		signed      bool
	}{
		"a statement":               {signing.StatementType, release, true},
		"signed as something else":  {"application/json", release, false},
		"a statement of other form": {signing.StatementType, bytes.Replace(release, []byte("https://in-toto.io/Statement/"), []byte("https://example.org/Note/"), 1), false},
		"of no kind":                {signing.StatementType, bytes.Replace(release, []byte(predicateRelease), nil, 1), false},
	} {
		result := ask(t, []evidence.Signer{byKey("release", pem)}, must(key.AttestText(c.payloadType, c.text))(t)).answer(t)
		if (len(result.SignedBy) == 1) != c.signed || (why(result) == "") != c.signed {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

func TestWhatCanNotBeExamined(t *testing.T) {
	key, pem := newKey(t)
	trusted := newAuthority(t)
	identity := evidence.Signer{Name: "release", Issuer: issuer, Subject: person, VouchesFor: everything}
	good := func() question { return ask(t, []evidence.Signer{byKey("release", pem)}, must(key.Image(image))(t)) }
	for name, change := range map[string]func(*question){
		"material of another":   func(q *question) { q.order.Image = other },
		"no key":                func(q *question) { q.order.Signers[0].Key = "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----" },
		"identity without root": func(q *question) { q.order.Signers = append(q.order.Signers, identity) },
		"trusted root of nobody": func(q *question) {
			q.order.Signers[0] = identity
			*q = q.trusting([]byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`))
		},
		"gathered nobody knows when": func(q *question) { q.order.At = time.Time{} },
		"VEX that says nothing":      func(q *question) { *q = q.with(t, "vex", []byte(`{}`)) },
	} {
		t.Run(name, func(t *testing.T) {
			q := good()
			change(&q)
			if result, err := q.examine(t); err == nil {
				t.Errorf("examined: %+v", result)
			}
		})
	}
	for name, file := range map[string][]byte{"no material": nil, "material not packed": []byte("{}")} {
		if result, err := Examine(good().order, map[string][]byte{"material": file}); err == nil {
			t.Errorf("%s: examined: %+v", name, result)
		}
	}
	if result := good().trusting(trusted.root()).answer(t); len(result.SignedBy) != 1 {
		t.Errorf("without a change: %+v", result)
	}
}

var spdx = map[string]any{"spdxVersion": "SPDX-2.3", "packages": []any{map[string]any{"name": "openssl", "versionInfo": "3.0.1"}}}

func TestStatements(t *testing.T) {
	key, pem := newKey(t)
	only := func(claims ...evidence.Claim) []evidence.Signer {
		return []evidence.Signer{byKey("ci", pem, claims...)}
	}
	slsa1 := map[string]any{
		"buildDefinition": map[string]any{"externalParameters": map[string]any{"workflow": map[string]any{"repository": "https://git.example.org/team/app", "ref": "refs/heads/main"}}},
		"runDetails":      map[string]any{"builder": map[string]any{"id": "https://ci.example.org/builder@v1"}},
	}
	slsa02 := map[string]any{"builder": map[string]any{"id": "https://ci.example.org/builder"}, "materials": []any{map[string]any{"uri": "git+https://git.example.org/team/app@refs/heads/main"}, map[string]any{"uri": "pkg:docker/golang"}}}
	cyclonedx := map[string]any{"bomFormat": "CycloneDX", "components": []any{map[string]any{"name": "openssl", "version": "3.0.1"}}}

	got := ask(t, only(evidence.ClaimProvenance), must(key.AttestBundle(image, predicateSLSA1, slsa1))(t), must(key.Attest(image, predicateSLSA02, slsa02))(t),
		must(key.Attest(other, predicateSLSA1, slsa1))(t), must(key.Attest(image, predicateSLSA1, map[string]any{}))(t)).answer(t)
	if len(got.Provenance) != 2 || got.Provenance[0].Builder != "https://ci.example.org/builder@v1" || got.Provenance[0].Sources[0] != "https://git.example.org/team/app" ||
		!slices.Equal(got.Provenance[1].Sources, []string{"git+https://git.example.org/team/app@refs/heads/main"}) || why(got) != "AnotherImage Malformed" {
		t.Errorf("provenance: %+v", got)
	}
	plain := evidence.Attachment{Type: "application/spdx+json", Content: []byte(`{"spdxVersion":"SPDX-2.3","packages":[{"name":"openssl","versionInfo":"3.0.1"}]}`)}
	hollow := evidence.Attachment{Type: "application/vnd.cyclonedx+json", Content: []byte(`{"bomFormat":"CycloneDX","components":[]}`)}
	got = ask(t, only(evidence.ClaimSBOM), must(key.Attest(image, predicateSPDX, spdx))(t), must(key.AttestBundle(image, predicateBOM+"/v1.6", cyclonedx))(t), plain, hollow).answer(t)
	if len(got.SBOMs) != 3 || got.SBOMs[0].Signer != "ci" || got.SBOMs[1].Format != "CycloneDX" || got.SBOMs[2].Signer != "" || why(got) != "Malformed" {
		t.Errorf("bills of materials: %+v", got)
	}
	got = ask(t, only(evidence.ClaimImage), must(key.Attest(image, predicateSPDX, spdx))(t), must(key.Attest(image, predicateSLSA1, slsa1))(t), must(key.Attest(image, "https://example.org/else", 1))(t)).answer(t)
	if len(got.SBOMs)+len(got.Provenance)+len(got.SignedBy) != 0 || why(got) != "NotItsToVouchFor NotItsToVouchFor" {
		t.Errorf("claims that are not the signer's: %+v", got)
	}
}

// An address that is too long to be told whole is not told in part: its way out may be at its end.
func TestSourcesThatAreTooLong(t *testing.T) {
	key, pem := newKey(t)
	source := "https://git.example.org/team/" + strings.Repeat("a", evidence.MaxStatement) + "/../../evil"
	built := map[string]any{"buildDefinition": map[string]any{"externalParameters": map[string]any{"source": source}}, "runDetails": map[string]any{"builder": map[string]any{"id": "b"}}}
	if got := ask(t, []evidence.Signer{byKey("ci", pem)}, must(key.AttestBundle(image, predicateSLSA1, built))(t)).answer(t); len(got.Provenance) > 0 || why(got) != "Malformed" {
		t.Errorf("got %+v", got)
	}
}
