package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
)

// Runs that read files and reach nothing: what they find comes back through the same door as any run's.
func TestRunsOverFiles(t *testing.T) {
	key, err := signing.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	released, err := key.Image(subject)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := evidence.PackMaterial(evidence.Material{Image: subject, Attachments: []evidence.Attachment{released}})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := evidence.EncodeTexts([]evidence.Text{{Field: "spec.a", Name: "TONE", Value: "ghp_" + "x7Kq2mZ9vLp4Rt8Wc1Yd" + "5Nf6Hj3Gb0QsTeUa"}})
	if err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, order evidence.Body, file string, content []byte) *evidence.Report {
		t.Helper()
		var log bytes.Buffer
		r := runner{guard: anywhere, stdout: &log, terminationPath: filepath.Join(t.TempDir(), "termination-log"), files: t.TempDir()}
		if err := os.WriteFile(filepath.Join(r.files, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
		spec := evidence.RunSpec{Order: order, Files: []evidence.File{{Name: file, Digest: evidence.Digest(content)}}}
		if err := r.run(t.Context(), encode(t, spec)); err != nil {
			t.Fatal(err)
		}
		opened, err := evidence.Open(contentOf(t, r.terminationPath), log.Bytes(), evidence.Expect{Nonce: nonce, Subject: subject, Kind: order.Kind()})
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(log.Bytes(), []byte("ghp_x7K")) {
			t.Error("the report gives the secret away")
		}
		return opened.Report
	}
	order := &evidence.SupplyOrder{Image: subject, Material: "material.gz", At: time.Now(), Signers: []evidence.Signer{{Name: "release", Key: public, VouchesFor: []evidence.Claim{evidence.ClaimImage}}}}
	found, err := evidence.Read[evidence.SupplyResult](run(t, order, "material.gz", packed).Result)
	if err != nil || len(found.SignedBy) != 1 || found.SignedBy[0] != "release" {
		t.Errorf("got %+v, %v", found, err)
	}
	secrets, err := evidence.Read[evidence.SecretsResult](run(t, &evidence.SecretsOrder{Texts: "texts.json", Count: 1}, "texts.json", texts).Result)
	if err != nil || len(secrets.Found) == 0 || secrets.Found[0].Field != "spec.a" {
		t.Errorf("got %+v, %v", secrets, err)
	}
	set := []byte("question,expected\nIs ghp_" + "x7Kq2mZ9vLp4Rt8Wc1Yd" + "5Nf6Hj3Gb0QsTeUa" + " a secret?,yes\n")
	searched := &evidence.SecretsOrder{Set: "examples", SetField: "spec.evaluation.examples", Count: 1}
	secrets, err = evidence.Read[evidence.SecretsResult](run(t, searched, "examples", set).Result)
	if err != nil || len(secrets.Found) == 0 || secrets.Found[0].Field != "spec.evaluation.examples" || secrets.Found[0].Line != 2 {
		t.Errorf("got %+v, %v", secrets, err)
	}
}

// A file that is there in place of the one that the operator bound to the run is not measured.
func TestFilesThatWereChanged(t *testing.T) {
	texts, err := evidence.EncodeTexts([]evidence.Text{{Field: "spec.a", Value: "friendly"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"another": bytes.Replace(texts, []byte("friendly"), []byte("harmless"), 1), "": nil} {
		var log bytes.Buffer
		r := runner{guard: anywhere, stdout: &log, terminationPath: filepath.Join(t.TempDir(), "termination-log"), files: t.TempDir()}
		if name != "" {
			if err := os.WriteFile(filepath.Join(r.files, "texts.json"), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		spec := evidence.RunSpec{Order: &evidence.SecretsOrder{Texts: "texts.json", Count: 1}, Files: []evidence.File{{Name: "texts.json", Digest: evidence.Digest(texts)}}}
		if err := r.run(t.Context(), encode(t, spec)); err == nil || log.Len() > 0 {
			t.Errorf("%q was searched: %v %s", name, err, log.String())
		}
	}
}
