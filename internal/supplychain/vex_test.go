package supplychain

import (
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

func TestExcuses(t *testing.T) {
	key, pem := newKey(t)
	hex := strings.TrimPrefix(image, "sha256:")
	imagePURL, packagePURL := "pkg:oci/app@sha256%3A"+hex+"?repository_url=registry.example.org/team/app", "pkg:deb/debian/openssl@3.0.1?arch=amd64"
	vex := func(statements ...object) object {
		return object{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex-1", "author": "it", "timestamp": scannedAt, "version": 1, "statements": statements}
	}
	says := func(status string, product any, extra ...object) object {
		s := object{"vulnerability": object{"name": "CVE-2026-0001"}, "products": []any{product}, "status": status, "justification": "vulnerable_code_not_in_execute_path"}
		for _, e := range extra {
			for k, v := range e {
				s[k] = v
			}
		}
		return s
	}
	of := func(id string) object { return object{"@id": id} }
	cdxVEX := func(state, ref string) object {
		return object{"bomFormat": "CycloneDX", "metadata": object{"timestamp": scannedAt},
			"vulnerabilities": []object{{"id": "CVE-2026-0001", "analysis": object{"state": state, "justification": "code_not_reachable"}, "affects": []object{{"ref": ref}}}}}
	}
	for name, c := range map[string]struct {
		doc     object
		excused bool
	}{
		"image by digest":                 {vex(says("not_affected", of(imagePURL))), true},
		"image by hash":                   {vex(says("not_affected", object{"@id": "app", "hashes": object{"sha-256": hex}})), true},
		"package":                         {vex(says("not_affected", of(packagePURL))), true},
		"image and its package":           {vex(says("not_affected", object{"@id": imagePURL, "subcomponents": []object{of(packagePURL)}})), true},
		"fixed":                           {vex(says("fixed", of(imagePURL), object{"justification": ""})), true},
		"impact in place of a reason":     {vex(says("not_affected", of(imagePURL), object{"justification": "", "impact_statement": "never called"})), true},
		"alias":                           {vex(says("not_affected", of(imagePURL), object{"vulnerability": object{"name": "GHSA-x", "aliases": []string{"cve-2026-0001"}}})), true},
		"older form of a name":            {vex(says("not_affected", of(imagePURL), object{"vulnerability": "CVE-2026-0001"})), true},
		"CycloneDX":                       {cdxVEX("not_affected", packagePURL), true},
		"CycloneDX by link to another":    {cdxVEX("false_positive", "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#"+packagePURL), false},
		"CycloneDX, still looked into":    {cdxVEX("in_triage", packagePURL), false},
		"no reason":                       {vex(says("not_affected", of(imagePURL), object{"justification": ""})), false},
		"affected":                        {vex(says("affected", of(imagePURL))), false},
		"still looked into":               {vex(says("under_investigation", of(imagePURL))), false},
		"another vulnerability":           {vex(says("not_affected", of(imagePURL), object{"vulnerability": object{"name": "CVE-2026-00011"}})), false},
		"another image":                   {vex(says("not_affected", of(strings.ReplaceAll(imagePURL, hex, strings.TrimPrefix(other, "sha256:"))))), false},
		"image by name alone":             {vex(says("not_affected", of("pkg:oci/app?repository_url=registry.example.org/team/app"))), false},
		"another version of the package":  {vex(says("not_affected", of("pkg:deb/debian/openssl@3.0.10"))), false},
		"package by name alone":           {vex(says("not_affected", of("pkg:deb/debian/openssl"))), false},
		"another package of the image":    {vex(says("not_affected", object{"@id": imagePURL, "subcomponents": []object{of("pkg:deb/debian/zlib@1.3")}})), false},
		"package of another image":        {vex(says("not_affected", object{"@id": "pkg:oci/else@sha256%3Aab", "subcomponents": []object{of(packagePURL)}})), false},
		"no product":                      {vex(object{"vulnerability": object{"name": "CVE-2026-0001"}, "status": "not_affected", "justification": "x"}), false},
		"taken back later":                {vex(says("not_affected", of(imagePURL)), says("affected", of(imagePURL), object{"timestamp": scannedAt.Add(time.Hour)})), false},
		"taken back before":               {vex(says("not_affected", of(imagePURL)), says("affected", of(imagePURL), object{"timestamp": scannedAt.Add(-time.Hour)})), true},
		"of the future":                   {vex(says("not_affected", of(imagePURL), object{"timestamp": scannedAt.AddDate(73, 0, 0)})), false},
		"of the future, taken back":       {vex(says("not_affected", of(imagePURL), object{"timestamp": scannedAt.AddDate(73, 0, 0)}), says("affected", of(imagePURL))), false},
		"taken back in the future":        {vex(says("not_affected", of(imagePURL)), says("affected", of(imagePURL), object{"timestamp": scannedAt.AddDate(73, 0, 0)})), false},
		"contradicts itself":              {vex(says("not_affected", of(imagePURL)), says("affected", of(imagePURL))), false},
		"contradicts itself, other order": {vex(says("affected", of(imagePURL)), says("not_affected", of(imagePURL))), false},
	} {
		t.Run(name, func(t *testing.T) {
			report := operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"), flaw("CVE-2026-0002", "HIGH"))
			predicateType := predicateOpenVEX
			if c.doc["bomFormat"] != nil {
				predicateType = predicateCDXVEX
			}
			signed := must(key.AttestBundle(image, predicateType, c.doc))(t)
			for how, q := range map[string]question{
				"named by IT": ask(t, nil).with(t, "vex", c.doc),
				"signed":      ask(t, []evidence.Signer{byKey("it", pem, evidence.ClaimVEX)}, signed),
			} {
				s := q.with(t, "report", report).answer(t).Scans[0]
				if excused := s.Critical == 0 && s.ExcusedTotal == 1 && s.Excused[0].ID == "CVE-2026-0001"; excused != c.excused || s.High != 1 {
					t.Errorf("%s: %+v", how, s)
				}
				if c.excused && (s.Excused[0].By == "" || s.Excused[0].Status != "fixed" && s.Excused[0].Because == "") {
					t.Errorf("%s: nobody is told why: %+v", how, s.Excused[0])
				}
			}
			for how, q := range map[string]question{
				"not its to vouch for":     ask(t, []evidence.Signer{byKey("team", pem, evidence.ClaimImage, evidence.ClaimSBOM, evidence.ClaimVulnerabilities)}, signed),
				"signed for another image": ask(t, []evidence.Signer{byKey("it", pem)}, must(key.AttestBundle(other, predicateType, c.doc))(t)),
				"signed by nobody known":   ask(t, nil, signed),
			} {
				if s := q.with(t, "report", report).answer(t).Scans[0]; s.Critical != 1 || s.ExcusedTotal != 0 {
					t.Errorf("%s: %+v", how, s)
				}
			}
		})
	}
}

// What is said of a part of a product is said of that product: the same package may be reached in another one.
func TestExcusesOfCycloneDXAreOfTheirProduct(t *testing.T) {
	key, pem := newKey(t)
	const packagePURL, serial = "pkg:deb/debian/openssl@3.0.1", "3e671687-395b-41f5-a30f-a58921a69b79"
	purlOf := func(digest string) string {
		return "pkg:oci/app@" + strings.Replace(digest, ":", "%3A", 1) + "?arch=amd64"
	}
	doc := func(product object, ref string) object {
		d := object{"bomFormat": "CycloneDX", "serialNumber": "urn:uuid:" + serial, "metadata": object{"timestamp": scannedAt},
			"components":      []object{{"bom-ref": "ossl", "name": "openssl", "purl": packagePURL}, {"bom-ref": packagePURL, "name": "openssl", "purl": packagePURL}},
			"vulnerabilities": []object{{"id": "CVE-2026-0001", "analysis": object{"state": "not_affected", "justification": "code_not_reachable"}, "affects": []object{{"ref": ref}}}}}
		if product != nil {
			d["metadata"].(object)["component"] = product
		}
		return d
	}
	ours, theirs := object{"bom-ref": "root", "purl": purlOf(image)}, object{"bom-ref": "root", "purl": purlOf(other)}
	for name, c := range map[string]struct {
		doc             object
		named, attested bool
	}{
		"a part of this image":                         {doc(ours, "ossl"), true, true},
		"a part of this image, by its address":         {doc(ours, packagePURL), true, true},
		"a part of this image, by a link within":       {doc(ours, "urn:cdx:"+serial+"/1#ossl"), true, true},
		"a part of this image, by a link elsewhere":    {doc(ours, "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b7a/1#ossl"), false, false},
		"a link to nothing":                            {doc(ours, "urn:cdx:"+serial+"/1"), false, false},
		"this image":                                   {doc(ours, "root"), true, true},
		"this image, by version":                       {doc(object{"bom-ref": "root", "version": image}, "ossl"), true, true},
		"this image, by hash":                          {doc(object{"hashes": []object{{"alg": "SHA-256", "content": strings.TrimPrefix(image, "sha256:")}}}, "ossl"), true, true},
		"a part of another image":                      {doc(theirs, "ossl"), false, false},
		"a part of another image, by its address":      {doc(theirs, packagePURL), false, false},
		"a part of another image, unlisted":            {doc(theirs, packagePURL+"?arch=amd64"), false, false},
		"another image":                                {doc(theirs, "root"), false, false},
		"another product, of no digest":                {doc(object{"bom-ref": "root", "name": "other", "version": "1.4"}, "ossl"), false, false},
		"this image, in a document about another":      {doc(theirs, purlOf(image)), true, true},
		"a part of nobody knows what":                  {doc(nil, "ossl"), false, true},
		"a package, wherever it is":                    {doc(nil, packagePURL), true, true},
		"a package, wherever it is, though not listed": {doc(nil, packagePURL+"?arch=amd64"), true, true},
	} {
		signed := must(key.AttestBundle(image, predicateCDXVEX, c.doc))(t)
		for how, q := range map[string]struct {
			question
			want bool
		}{
			"named by IT": {ask(t, nil).with(t, "vex", c.doc), c.named},
			"attested":    {ask(t, []evidence.Signer{byKey("it", pem, evidence.ClaimVEX)}, signed), c.attested},
		} {
			s := q.with(t, "report", operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"))).answer(t).Scans[0]
			if excused := s.Critical == 0 && s.ExcusedTotal == 1; excused != q.want {
				t.Errorf("%s, %s: %+v", name, how, s)
			}
		}
	}
}

// A bill of materials may excuse what is in it. Who vouches for bills alone excuses nothing by one.
func TestExcusesInABillOfMaterials(t *testing.T) {
	key, pem := newKey(t)
	bill := must(key.AttestBundle(image, predicateBOM, object{"bomFormat": "CycloneDX", "metadata": object{"timestamp": scannedAt},
		"components":      []object{{"bom-ref": "ossl", "name": "openssl", "version": "3.0.1", "purl": "pkg:deb/debian/openssl@3.0.1"}},
		"vulnerabilities": []object{{"id": "CVE-2026-0001", "analysis": object{"state": "not_affected", "justification": "code_not_reachable"}, "affects": []object{{"ref": "ossl"}}}}}))(t)
	for claim, excused := range map[evidence.Claim]int{evidence.ClaimVulnerabilities: 0, evidence.ClaimVEX: 1} {
		got := ask(t, []evidence.Signer{byKey("team", pem, evidence.ClaimSBOM, claim)}, bill).
			with(t, "report", operatorReport(image, scannedAt, flaw("CVE-2026-0001", "CRITICAL"))).answer(t)
		if len(got.SBOMs) != 1 || len(got.Scans) != 1 || got.Scans[0].ExcusedTotal != excused || got.Scans[0].Critical != 1-excused {
			t.Errorf("a signer for bills and %s: %+v", claim, got)
		}
	}
}

// Of a package whose version the scanner does not know, an address without one does not say that it is this version's.
func TestExcusesWithoutAVersion(t *testing.T) {
	const name = "pkg:deb/debian/openssl"
	vague := flaw("CVE-2026-0001", "CRITICAL")
	vague["packagePURL"] = name
	excuses := object{"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": scannedAt, "statements": []object{{"vulnerability": object{"name": "CVE-2026-0001"},
		"products": []object{{"@id": name}}, "status": "not_affected", "justification": "vulnerable_code_not_present"}}}
	if s := ask(t, nil).with(t, "vex", excuses).with(t, "report", operatorReport(image, scannedAt, vague)).answer(t).Scans[0]; s.Critical != 1 {
		t.Errorf("excused: %+v", s)
	}
}
