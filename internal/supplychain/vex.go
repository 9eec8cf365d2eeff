package supplychain

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// excuse is one statement of a VEX document: what a vulnerability does in a product. It may also take an earlier one back.
type excuse struct {
	names    []string
	products []product
	// status in OpenVEX's words.
	status  string
	because string
	at      time.Time
	by      string
}

// product is what an excuse is about: an image with its digest, or a package.
type product struct {
	id, digest string
	// within are packages of the product that alone are meant.
	within []string
}

const (
	statusNotAffected = "not_affected"
	statusFixed       = "fixed"
)

// openVEX reads a document of https://openvex.dev/ns.
func openVEX(raw []byte) ([]excuse, bool) {
	type component struct {
		ID          string `json:"@id"`
		Identifiers map[string]string
		Hashes      map[string]string
	}
	var doc struct {
		Context    string `json:"@context"`
		Timestamp  time.Time
		Statements []struct {
			Vulnerability json.RawMessage
			Timestamp     time.Time
			Products      []struct {
				component
				Subcomponents []component
			}
			Status          string
			Justification   string
			ImpactStatement string `json:"impact_statement"`
		}
	}
	if json.Unmarshal(raw, &doc) != nil || !strings.HasPrefix(doc.Context, predicateOpenVEX) || len(doc.Statements) == 0 {
		return nil, false
	}
	var out []excuse
	for _, s := range doc.Statements {
		e := excuse{names: namesOf(s.Vulnerability), status: s.Status, at: s.Timestamp, because: s.Justification}
		if e.at.IsZero() {
			e.at = doc.Timestamp
		}
		if e.because == "" {
			e.because = s.ImpactStatement
		}
		for _, p := range s.Products {
			made := product{id: or(p.ID, p.Identifiers["purl"]), digest: p.Hashes["sha-256"]}
			for _, c := range p.Subcomponents {
				made.within = append(made.within, or(c.ID, c.Identifiers["purl"]))
			}
			e.products = append(e.products, made)
		}
		if len(e.names) == 0 || e.at.IsZero() {
			return nil, false
		}
		out = append(out, e)
	}
	return out, true
}

// namesOf reads a vulnerability, which older documents only name.
func namesOf(raw json.RawMessage) []string {
	var name string
	if json.Unmarshal(raw, &name) == nil && name != "" {
		return []string{name}
	}
	var v struct {
		Name    string
		Aliases []string
	}
	if json.Unmarshal(raw, &v) != nil || v.Name == "" {
		return nil
	}
	return append([]string{v.Name}, v.Aliases...)
}

// excused gives the statement that excuses a finding, or nil. The newest one about it counts; of two of the same time the
// one that does not excuse. A vulnerability is not excused without a reason.
func excused(f found, all []excuse, image string) *excuse {
	var best *excuse
	for i := range all {
		e := &all[i]
		if !e.concerns(f, image) {
			continue
		}
		if best == nil || e.at.After(best.at) || e.at.Equal(best.at) && !e.excuses() {
			best = e
		}
	}
	if best == nil || !best.excuses() {
		return nil
	}
	return best
}

func (e excuse) excuses() bool {
	return e.status == statusFixed || e.status == statusNotAffected && e.because != ""
}

func (e excuse) concerns(f found, image string) bool {
	named := slices.ContainsFunc(append([]string{f.ID}, f.aliases...), func(id string) bool {
		return slices.ContainsFunc(e.names, func(name string) bool { return strings.EqualFold(name, id) })
	})
	return named && slices.ContainsFunc(e.products, func(p product) bool { return p.covers(f, image) })
}

// covers tells whether a finding is in what the product is: the very image, by its digest, or the very package, by its
// address. A name without a digest or a version is neither.
func (p product) covers(f found, image string) bool {
	hex := strings.TrimPrefix(image, "sha256:")
	if strings.EqualFold(p.digest, hex) || imageAddress(p.id) == image {
		return len(p.within) == 0 || slices.ContainsFunc(p.within, func(id string) bool { return samePackage(id, f) })
	}
	return len(p.within) == 0 && samePackage(p.id, f)
}

// imageAddress is the digest in a package address of an image, pkg:oci/name@sha256:…
func imageAddress(id string) string {
	rest, ok := strings.CutPrefix(id, "pkg:oci/")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "?")
	_, version, _ := strings.Cut(rest, "@")
	digest, err := url.PathUnescape(version)
	if err != nil {
		return ""
	}
	return digest
}

// samePackage compares package addresses with their versions; what follows (qualifiers) says where it was found.
func samePackage(id string, f found) bool {
	if !strings.HasPrefix(id, "pkg:") || f.purl == "" {
		return false
	}
	a, _, _ := strings.Cut(id, "?")
	b, _, _ := strings.Cut(f.purl, "?")
	a, errA := url.PathUnescape(a)
	b, errB := url.PathUnescape(b)
	return errA == nil && errB == nil && a == b && strings.Contains(strings.TrimPrefix(a, "pkg:"), "@")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
