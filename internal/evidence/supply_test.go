package evidence

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

func goodMaterial() Material {
	return Material{Image: Digest([]byte("image")), Attachments: []Attachment{{Place: "sha256-x.sig", Type: TypeSimpleSigning, Annotations: map[string]string{"a": "b"}, Content: []byte("{}")},
		{Type: TypeEnvelope, Content: []byte(`{"payload" : "aGVsbG8=", "x": 1}`)}, {Type: TypeEnvelope, Content: []byte(`{"payload":"aGVsbG9="}`)}},
		TrustedRoot: []byte("root"), Reports: []Document{{"a report", []byte("[]")}}, VEX: []Document{{"a paper", nil}, {"another", []byte("\n")}}}
}

func TestMaterialSurvivesPacking(t *testing.T) {
	packed, err := PackMaterial(goodMaterial())
	if err != nil {
		t.Fatal(err)
	}
	again, err := PackMaterial(goodMaterial())
	if err != nil || !bytes.Equal(packed, again) {
		t.Error("the same material has two forms")
	}
	got, err := UnpackMaterial(packed)
	for i, a := range goodMaterial().Attachments {
		if err != nil || !bytes.Equal(got.Attachments[i].Content, a.Content) {
			t.Fatalf("attachment %d: %+v, %v", i, got, err)
		}
	}
	if string(got.TrustedRoot) != "root" || string(got.Reports[0].Content) != "[]" || len(got.VEX[0].Content) != 0 || string(got.VEX[1].Content) != "\n" {
		t.Errorf("documents: %+v", got)
	}
	if err != nil || got.Image != goodMaterial().Image || string(got.Attachments[0].Content) != "{}" || got.Attachments[0].Annotations["a"] != "b" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := UnpackMaterial(packed[:len(packed)-4]); err == nil {
		t.Error("a part was taken for the whole")
	}
	opened, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(opened)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"more": append(text, 'x'), "less": text[:len(text)-1]} {
		packed, err := squeeze(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := UnpackMaterial(packed); err == nil {
			t.Errorf("%s than it says was taken: %+v", name, got)
		}
	}
}

func TestMaterialThatIsTooMuch(t *testing.T) {
	random := make([]byte, 2*MaxPackedBytes)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Material){
		"too many":        func(m *Material) { m.Attachments = make([]Attachment, MaxAttachments+1) },
		"too long":        func(m *Material) { m.Attachments[0].Content = make([]byte, MaxMaterialBytes+1) },
		"too many papers": func(m *Material) { m.VEX = make([]Document, maxDocuments+1) },
		"a nameless one":  func(m *Material) { m.Reports = make([]Document, 1) },
		"packed too long": func(m *Material) { m.Attachments[0].Content = random },
		"no digest":       func(m *Material) { m.Image = "latest" },
		"another's":       func(m *Material) { m.Manifest = []byte("another image") },
		"a place to hide": func(m *Material) { m.Attachments[0].Place = "a\x1b[2J" },
		"long annotation": func(m *Material) { m.Attachments[0].Annotations["a"] = strings.Repeat("b", 65<<10) },
	} {
		m := goodMaterial()
		change(&m)
		if packed, err := PackMaterial(m); err == nil {
			t.Errorf("%s: packed to %d bytes", name, len(packed))
		}
	}
}

func FuzzUnpackMaterial(f *testing.F) {
	packed, err := PackMaterial(goodMaterial())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := UnpackMaterial(raw)
		if err != nil {
			return
		}
		if err := m.validate(); err != nil {
			t.Errorf("not valid: %v", err)
		}
		if _, err := PackMaterial(m); err != nil && len(raw) < MaxPackedBytes/2 {
			t.Errorf("can't be packed again: %v", err)
		}
	})
}

func goodSupply() SupplyResult {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	flaw := Vulnerability{ID: "CVE-2026-0001", Package: "openssl", Severity: SeverityHigh}
	return SupplyResult{
		Image: Digest([]byte("image")), Found: 3, SignedBy: []string{"release"},
		Provenance: []Provenance{{Signer: "ci", Builder: "https://ci.example.org", Sources: []string{"https://git.example.org/a"}}},
		SBOMs:      []SBOM{{Format: "SPDX-2.3", Packages: 4}},
		Scans: []Scan{{Scanner: "Trivy", ScannedAt: at, DatabaseAt: &at, High: 1, Worst: []Vulnerability{flaw},
			ExcusedTotal: 1, Excused: []Excused{{Vulnerability: flaw, Status: "not_affected", Because: "x", By: "it"}}}},
		Refused: []Refused{{Place: "sha256-x.sig", Claim: ClaimImage, Why: RefusedImage}},
	}
}

// What comes from a pod that was taken over must not contradict itself.
func TestSupplyResults(t *testing.T) {
	for name, change := range map[string]func(*SupplyResult){
		"no image":                  func(r *SupplyResult) { r.Image = "" },
		"fewer than none":           func(r *SupplyResult) { r.Found = -1 },
		"more than there can be":    func(r *SupplyResult) { r.Found = MaxAttachments + 1 },
		"too many signers":          func(r *SupplyResult) { r.SignedBy = make([]string, 33) },
		"no builder":                func(r *SupplyResult) { r.Provenance[0].Builder = "" },
		"a bill of nothing":         func(r *SupplyResult) { r.SBOMs[0].Packages = 0 },
		"an unknown refusal":        func(r *SupplyResult) { r.Refused[0].Why = "Whatever" },
		"an unknown claim":          func(r *SupplyResult) { r.Refused[0].Claim = "Whatever" },
		"no scanner":                func(r *SupplyResult) { r.Scans[0].Scanner = "" },
		"no time":                   func(r *SupplyResult) { r.Scans[0].ScannedAt = time.Time{} },
		"an unknown gap":            func(r *SupplyResult) { r.Scans[0].Gap = "Whatever" },
		"counted and not listed":    func(r *SupplyResult) { r.Scans[0].Critical = 1 },
		"listed and not counted":    func(r *SupplyResult) { r.Scans[0].High = 0 },
		"counted as another":        func(r *SupplyResult) { r.Scans[0].High, r.Scans[0].Low = 0, 1 },
		"fewer than none found":     func(r *SupplyResult) { r.Scans[0].High = -1 },
		"an unknown severity":       func(r *SupplyResult) { r.Scans[0].Worst[0].Severity = "Fine" },
		"excused and not listed":    func(r *SupplyResult) { r.Scans[0].ExcusedTotal = 2 },
		"excused by nobody":         func(r *SupplyResult) { r.Scans[0].Excused[0].By = "" },
		"excused though affected":   func(r *SupplyResult) { r.Scans[0].Excused[0].Status = "affected" },
		"listed beyond all bounds":  func(r *SupplyResult) { r.Scans[0].Worst = make([]Vulnerability, MaxListed+1) },
		"scans beyond all bounds":   func(r *SupplyResult) { r.Scans = make([]Scan, MaxScans+1) },
		"refused beyond all bounds": func(r *SupplyResult) { r.Refused = make([]Refused, MaxListed+1) },
	} {
		r := goodSupply()
		change(&r)
		if r.Validate() == nil {
			t.Errorf("%s: taken for a result: %+v", name, r)
		}
	}
	r := goodSupply()
	r.Scans[0].Worst[0].Package = "open\x1b[2Jssl"
	r.Clean()
	if err := r.Validate(); err != nil || strings.Contains(r.Scans[0].Worst[0].Package, "\x1b") {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestSupplyOrders(t *testing.T) {
	good := func() SupplyOrder {
		return SupplyOrder{Image: Digest(nil), Material: "material.gz",
			Signers: []Signer{{Name: "release", Key: "PEM", VouchesFor: []Claim{ClaimImage}}, {Name: "ci", Issuer: "i", SubjectRegExp: "a.*", VouchesFor: []Claim{ClaimSBOM}}}}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*SupplyOrder){
		"no image":              func(o *SupplyOrder) { o.Image = "" },
		"no material":           func(o *SupplyOrder) { o.Material = "" },
		"a path":                func(o *SupplyOrder) { o.Material = "../../etc/passwd" },
		"two of one name":       func(o *SupplyOrder) { o.Signers[1].Name = "release" },
		"key and identity":      func(o *SupplyOrder) { o.Signers[0].Issuer = "i" },
		"neither":               func(o *SupplyOrder) { o.Signers[0].Key = "" },
		"an issuer's anybody":   func(o *SupplyOrder) { o.Signers[1].SubjectRegExp = "" },
		"both exact and not":    func(o *SupplyOrder) { o.Signers[1].Subject = "a" },
		"no expression":         func(o *SupplyOrder) { o.Signers[1].SubjectRegExp = "(" },
		"vouches for nothing":   func(o *SupplyOrder) { o.Signers[0].VouchesFor = nil },
		"vouches for something": func(o *SupplyOrder) { o.Signers[0].VouchesFor = []Claim{"Weather"} },
	} {
		o := good()
		change(&o)
		if o.Validate() == nil {
			t.Errorf("%s: taken for an order", name)
		}
	}
}

func TestTextsAndLeaks(t *testing.T) {
	raw, err := EncodeTexts([]Text{{Field: "spec.x", Name: "A", Value: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if texts, err := DecodeTexts(raw); err != nil || len(texts) != 1 || texts[0].Value != "b" {
		t.Errorf("got %+v, %v", texts, err)
	}
	for _, bad := range []string{"", "[]", "{}", `[{"field":"a","value":"b","value":"c"}]`, `[{"field":"a"}] []`} {
		if texts, err := DecodeTexts([]byte(bad)); err == nil {
			t.Errorf("%s: read as %+v", bad, texts)
		}
	}
	if _, err := EncodeTexts(make([]Text, 257)); err == nil {
		t.Error("too many texts")
	}
	if (SecretsOrder{Texts: "texts", Count: 1}).Validate() != nil || (SecretsOrder{Texts: "texts"}).Validate() == nil || (SecretsOrder{Texts: "/a", Count: 1}).Validate() == nil {
		t.Error("an order is not what it should be")
	}
	for _, bad := range []SecretsResult{{}, {Searched: 1}, {Rules: 1}, {Searched: 1, Rules: 1, Found: []FoundSecret{{}}}, {Searched: 1, Rules: 1, FoundMore: -1}} {
		if bad.Validate() == nil {
			t.Errorf("taken for a result: %+v", bad)
		}
	}
}

func TestSupplyResultsFitIntoAReport(t *testing.T) {
	r := goodSupply()
	long := strings.Repeat("x", 5000)
	flaw := Vulnerability{ID: long, Package: long, Version: long, FixedIn: long, Severity: SeverityHigh}
	scan := Scan{Signer: long, Scanner: long, ScannedAt: time.Now(), High: MaxListed, ExcusedTotal: MaxListed}
	for range MaxListed {
		scan.Worst = append(scan.Worst, flaw)
		scan.Excused = append(scan.Excused, Excused{Vulnerability: flaw, Status: "fixed", Because: long, By: long})
	}
	r.Scans = nil
	for range 4 {
		s := scan
		s.Worst, s.Excused = append([]Vulnerability{}, scan.Worst...), append([]Excused{}, scan.Excused...)
		r.Scans = append(r.Scans, s)
	}
	r.Clean()
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	if raw, err := json.Marshal(r); err != nil || len(raw) > MaxReportBytes-2048 {
		t.Errorf("%d bytes, %v", len(raw), err)
	}
}
