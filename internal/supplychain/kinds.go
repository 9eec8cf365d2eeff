package supplychain

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
)

// Predicate types, by which an attestation says of what kind it is.
const (
	predicateRelease = "https://sigstore.dev/cosign/sign/v1"
	predicateSLSA02  = "https://slsa.dev/provenance/v0.2"
	predicateSLSA1   = "https://slsa.dev/provenance/v1"
	predicateSPDX    = "https://spdx.dev/Document"
	predicateBOM     = "https://cyclonedx.org/bom"
	predicateCDXVEX  = "https://cyclonedx.org/vex"
	predicateVuln    = "https://cosign.sigstore.dev/attestation/vuln/v1"
	predicateOpenVEX = "https://openvex.dev/ns"
)

// is compares a predicate type with one that may carry a version behind a slash.
func is(predicateType, known string) bool {
	return predicateType == known || strings.HasPrefix(predicateType, known+"/")
}

// provenanceOf reads SLSA provenance of version 0.2 or 1. What was built is the source that the build was told to take;
// where none is told, whatever it took that may be one.
func provenanceOf(predicateType string, predicate []byte) (builder string, sources []string, ok bool) {
	if predicateType == predicateSLSA02 {
		var p struct {
			Builder    struct{ ID string }
			Invocation struct{ ConfigSource struct{ URI string } }
			Materials  []struct{ URI string }
		}
		if json.Unmarshal(predicate, &p) != nil {
			return "", nil, false
		}
		if p.Invocation.ConfigSource.URI != "" {
			return p.Builder.ID, []string{p.Invocation.ConfigSource.URI}, p.Builder.ID != ""
		}
		for _, m := range p.Materials {
			sources = append(sources, m.URI)
		}
		return p.Builder.ID, repositories(sources), p.Builder.ID != ""
	}
	var p struct {
		BuildDefinition struct {
			ExternalParameters   map[string]json.RawMessage
			ResolvedDependencies []struct{ URI string }
		}
		RunDetails struct{ Builder struct{ ID string } }
	}
	if json.Unmarshal(predicate, &p) != nil {
		return "", nil, false
	}
	sources = told(p.BuildDefinition.ExternalParameters)
	if len(sources) == 0 {
		for _, d := range p.BuildDefinition.ResolvedDependencies {
			sources = append(sources, d.URI)
		}
		sources = repositories(sources)
	}
	return p.RunDetails.Builder.ID, sources, p.RunDetails.Builder.ID != ""
}

// told are the sources that a build was told to take: "source", which is an address or has one, and "workflow", which
// has a repository.
func told(parameters map[string]json.RawMessage) []string {
	var out []string
	var text string
	if json.Unmarshal(parameters["source"], &text) == nil && text != "" {
		out = append(out, text)
	}
	var source struct{ URI string }
	if json.Unmarshal(parameters["source"], &source) == nil && source.URI != "" {
		out = append(out, source.URI)
	}
	var workflow struct{ Repository string }
	if json.Unmarshal(parameters["workflow"], &workflow) == nil && workflow.Repository != "" {
		out = append(out, workflow.Repository)
	}
	return out
}

// repositories leaves out what is a package or an image, on which the source was built and which is none itself. Whatever
// else was taken may be the source: another repository, or an archive.
func repositories(addresses []string) []string {
	return slices.DeleteFunc(addresses, func(address string) bool {
		scheme, rest, _ := strings.Cut(strings.ToLower(address), ":")
		kind, _, _ := strings.Cut(rest, "/")
		switch scheme {
		case "", "docker", "docker-image", "oci":
			return true
		case "pkg":
			return !slices.Contains([]string{"github", "gitlab", "bitbucket"}, kind)
		}
		return false
	})
}

// listed is a package of a bill of materials: what has a name and a version.
type listed struct{ Name, Version, VersionInfo, Type, SPDXID, PrimaryPackagePurpose string }

// sbomOf reads a bill of materials in SPDX or CycloneDX, and nil where it lists nothing. The image itself, its files and its
// system as a whole are not what it is made of.
func sbomOf(raw []byte) *evidence.SBOM {
	var doc struct {
		SPDXVersion       string   `json:"spdxVersion"`
		Packages          []listed `json:"packages"`
		DocumentDescribes []string `json:"documentDescribes"`
		Relationships     []struct{ SPDXElementID, RelationshipType, RelatedSPDXElement string }
		BOMFormat         string   `json:"bomFormat"`
		Components        []listed `json:"components"`
	}
	if json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	roots := doc.DocumentDescribes
	for _, r := range doc.Relationships {
		if r.SPDXElementID == "SPDXRef-DOCUMENT" && r.RelationshipType == "DESCRIBES" {
			roots = append(roots, r.RelatedSPDXElement)
		}
	}
	count := func(all []listed) int {
		n := 0
		for _, p := range all {
			whole := slices.Contains([]string{"container", "operating-system", "file"}, strings.ToLower(p.Type+p.PrimaryPackagePurpose))
			if p.Name != "" && p.Version+p.VersionInfo != "" && !whole && (p.SPDXID == "" || !slices.Contains(roots, p.SPDXID)) {
				n++
			}
		}
		return n
	}
	format, n := "CycloneDX", 0
	switch {
	case strings.HasPrefix(doc.SPDXVersion, "SPDX-"):
		format, n = doc.SPDXVersion, count(doc.Packages)
	case doc.BOMFormat == "CycloneDX":
		n = count(doc.Components)
	}
	if n == 0 {
		return nil
	}
	return &evidence.SBOM{Format: format, Packages: n}
}

func sum(raw []byte) []byte {
	s := sha256.Sum256(raw)
	return s[:]
}

func unhex(text string) ([]byte, bool) {
	raw, err := hex.DecodeString(text)
	return raw, err == nil && len(raw) > 0
}
