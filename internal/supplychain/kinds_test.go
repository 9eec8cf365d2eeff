package supplychain

import (
	"slices"
	"strings"
	"testing"
)

// A bill of materials lists what the image is made of, and not the image.
func TestBillsOfNothing(t *testing.T) {
	const openssl = `{"name":"openssl","versionInfo":"3.0.1","SPDXID":"SPDXRef-a"}`
	for raw, want := range map[string]int{
		`{"spdxVersion":"SPDX-2.3","packages":[` + openssl + `]}`:                                                      1,
		`{"spdxVersion":"SPDX-2.3","packages":[{}]}`:                                                                   0,
		`{"spdxVersion":"SPDX-2.3","packages":[null]}`:                                                                 0,
		`{"spdxVersion":"SPDX-2.3","packages":[{"name":"openssl"}]}`:                                                   0,
		`{"spdxVersion":"SPDX-2.3","packages":[{"name":"app","versionInfo":"1","primaryPackagePurpose":"CONTAINER"}]}`: 0,
		`{"spdxVersion":"SPDX-2.3","documentDescribes":["SPDXRef-a"],"packages":[` + openssl + `]}`:                    0,
		`{"spdxVersion":"SPDX-2.3","packages":[` + openssl + `,{"name":"zlib","versionInfo":"1.3"}],"relationships":[{"spdxElementId":"SPDXRef-DOCUMENT","relationshipType":"DESCRIBES","relatedSpdxElement":"SPDXRef-a"}]}`: 1,
		`{"bomFormat":"CycloneDX","components":[{"type":"library","name":"openssl","version":"3.0.1"}]}`:                                                                                                                     1,
		`{"bomFormat":"CycloneDX","components":[{}]}`:                                                         0,
		`{"bomFormat":"CycloneDX","components":[{"type":"operating-system","name":"debian","version":"12"}]}`: 0,
		`{"bomFormat":"CycloneDX","components":[{"type":"container","name":"app","version":"sha256:00"}]}`:    0,
	} {
		got := 0
		if sbom := sbomOf([]byte(raw)); sbom != nil {
			got = sbom.Packages
		}
		if got != want {
			t.Errorf("%s: got %d, want %d", raw, got, want)
		}
	}
}

// Where a build was not told what to take, whatever it took may be the source, whatever stands beside it.
func TestSourcesThatNobodyToldOf(t *testing.T) {
	taken := []string{"git+https://git.example.org/team/app", "https://evil.example.net/src.tar.gz", "hg+https://evil.example.net/x", "pkg:github/evil/app@v1"}
	all := append([]string{"pkg:docker/golang@1.26", "docker://golang", "pkg:npm/left-pad@1.0.0", ""}, taken...)
	var dependencies []string
	for _, uri := range all {
		dependencies = append(dependencies, `{"uri":"`+uri+`"}`)
	}
	for predicateType, predicate := range map[string]string{
		predicateSLSA1:  `{"buildDefinition":{"resolvedDependencies":[` + strings.Join(dependencies, ",") + `]},"runDetails":{"builder":{"id":"b"}}}`,
		predicateSLSA02: `{"builder":{"id":"b"},"materials":[` + strings.Join(dependencies, ",") + `]}`,
	} {
		if _, sources, ok := provenanceOf(predicateType, []byte(predicate)); !ok || !slices.Equal(sources, taken) {
			t.Errorf("%s: got %q", predicateType, sources)
		}
	}
}

// What a build was told to take is its source, and what it took beside that is none.
func TestSourcesThatABuildWasTold(t *testing.T) {
	const told = "git+https://git.example.org/team/app"
	for predicate, predicateType := range map[string]string{
		`{"buildDefinition":{"externalParameters":{"source":"` + told + `"},"resolvedDependencies":[{"uri":"git+https://git.example.org/else"}]},"runDetails":{"builder":{"id":"b"}}}`:         predicateSLSA1,
		`{"buildDefinition":{"externalParameters":{"source":{"uri":"` + told + `"}},"resolvedDependencies":[{"uri":"git+https://git.example.org/else"}]},"runDetails":{"builder":{"id":"b"}}}`: predicateSLSA1,
		`{"builder":{"id":"b"},"invocation":{"configSource":{"uri":"` + told + `"}},"materials":[{"uri":"git+https://git.example.org/else"}]}`:                                                 predicateSLSA02,
	} {
		if _, sources, ok := provenanceOf(predicateType, []byte(predicate)); !ok || !slices.Equal(sources, []string{told}) {
			t.Errorf("%s: got %q", predicate, sources)
		}
	}
}
