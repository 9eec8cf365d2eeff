package evidence

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// KindMaterial gathers what is known beside an image. The operator does so itself: it may ask registries.
const KindMaterial Kind = "material"

const (
	// MaterialSchema names the form of a Material.
	MaterialSchema = "affineur.dev/material/v1"
	// MaxAttachments is how many things a registry may keep beside an image.
	MaxAttachments = 64
	// MaxMaterialBytes is how large all of it may be together.
	MaxMaterialBytes = 16 << 20
	// MaxPackedBytes bounds what PackMaterial writes: in base64 it has to fit into a report.
	MaxPackedBytes = 376 << 10

	maxDocuments  = 16
	maxAnnotation = 64 << 10
)

// Media types of what is looked at. Everything else beside an image is somebody else's.
const (
	TypeBundlePrefix  = "application/vnd.dev.sigstore.bundle"
	TypeSimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	TypeEnvelope      = "application/vnd.dsse.envelope.v1+json"
)

// PlainSBOM tells whether a media type is that of a bill of materials that nobody signed.
func PlainSBOM(mediaType string) bool {
	switch mediaType {
	case "application/spdx+json", "text/spdx+json", "application/vnd.cyclonedx+json":
		return true
	}
	return false
}

// IsMaterial tells whether a blob of a media type is looked at.
func IsMaterial(mediaType string) bool {
	return strings.HasPrefix(mediaType, TypeBundlePrefix) || mediaType == TypeSimpleSigning || mediaType == TypeEnvelope || PlainSBOM(mediaType)
}

// MaterialOrder asks for what is known beside an image.
type MaterialOrder struct {
	// Image is the digest.
	Image string `json:"image"`
}

// Kind of the order.
func (MaterialOrder) Kind() Kind { return KindMaterial }

// Validate says what is wrong with the order, or nil.
func (o MaterialOrder) Validate() error {
	if !digestForm.MatchString(o.Image) {
		return errors.New("image is not a sha256 digest")
	}
	return nil
}

// MaterialResult is what was gathered. It is kept with the review, so that what was verified can be verified again.
type MaterialResult struct {
	Image string `json:"image"`
	// Packed is a Material as PackMaterial writes it.
	Packed []byte `json:"packed"`
}

// Kind of the result.
func (MaterialResult) Kind() Kind { return KindMaterial }

// Validate says what is wrong with the result by itself, or nil. Whether it can be unpacked is for the runner to say.
func (r MaterialResult) Validate() error {
	if !digestForm.MatchString(r.Image) || len(r.Packed) == 0 || len(r.Packed) > MaxPackedBytes {
		return errors.New("no image, or nothing that was packed")
	}
	return nil
}

// Clean implements Result: none of it is shown.
func (MaterialResult) Clean() {}

// Attachment is one blob that a registry keeps beside an image: a signature, an attestation, a bill of materials.
type Attachment struct {
	// Place is where it was found, for people: a tag, or the digest of a referrer.
	Place string
	// Type is the media type of the blob.
	Type string
	// Annotations are the blob's own; cosign keeps signatures and certificates in them.
	Annotations map[string]string
	Content     []byte
}

// Document is something about an image that is not kept in its registry.
type Document struct {
	// Name is where it was found, for people.
	Name    string
	Content []byte
}

// Material is everything that is known beside one image, as it was found: nothing in it was verified.
type Material struct {
	// Image is the digest under which it was found.
	Image string
	// Manifest is what has that digest: some keys sign it, and not its SHA-256. It may be missing.
	Manifest    []byte
	Attachments []Attachment
	// TrustedRoot names certificate authorities and logs; empty where the policy names none.
	TrustedRoot []byte
	// Reports are what trivy-operator found, and VEX the documents that IT named.
	Reports, VEX []Document
}

// materialWire is a Material without its contents, which follow it one behind the other, as long as is told here.
type materialWire struct {
	Schema      string           `json:"schema"`
	Image       string           `json:"image"`
	Manifest    int              `json:"manifest,omitempty"`
	Attachments []attachmentWire `json:"attachments"`
	TrustedRoot int              `json:"trustedRoot"`
	Reports     []documentWire   `json:"reports"`
	VEX         []documentWire   `json:"vex"`
}

type attachmentWire struct {
	Place       string            `json:"place"`
	Type        string            `json:"type"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Before, Payload and After are the lengths of three parts. Payload was written in base64, which hardly packs.
	Before  int `json:"before"`
	Payload int `json:"payload"`
	After   int `json:"after"`
}

type documentWire struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

func (m Material) validate() error {
	switch {
	case !digestForm.MatchString(m.Image):
		return errors.New("image is not a sha256 digest")
	case len(m.Manifest) > 0 && Digest(m.Manifest) != m.Image:
		return errors.New("the manifest is another image's")
	case len(m.Attachments) > MaxAttachments || len(m.Reports) > maxDocuments || len(m.VEX) > maxDocuments:
		return fmt.Errorf("more than %d attachments or %d documents", MaxAttachments, maxDocuments)
	}
	for i, a := range m.Attachments {
		if a.Place != Clean(a.Place, maxText) || a.Type != Clean(a.Type, maxText) {
			return fmt.Errorf("attachments[%d]: place or type is not usable", i)
		}
		for _, value := range a.Annotations {
			if len(value) > maxAnnotation {
				return fmt.Errorf("attachments[%d]: an annotation is too long", i)
			}
		}
	}
	for _, documents := range [][]Document{m.Reports, m.VEX} {
		for _, d := range documents {
			if d.Name == "" || d.Name != Clean(d.Name, maxText) {
				return errors.New("a document has no usable name")
			}
		}
	}
	return nil
}

// payload finds the content of an envelope.
var payload = regexp.MustCompile(`"payload"\s*:\s*"([A-Za-z0-9+/]+={0,2})"`)

// split takes an envelope's content out of its base64, if that gives the same text again.
func split(content []byte) (before, inner, after []byte) {
	at := payload.FindSubmatchIndex(content)
	if at == nil {
		return content, nil, nil
	}
	text := string(content[at[2]:at[3]])
	inner, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(inner) != text {
		return content, nil, nil
	}
	return content[:at[2]], inner, content[at[3]:]
}

// PackMaterial writes a Material for a runner, the same one always in the same way. One that is too large is an error: a
// part of it would be no evidence.
func PackMaterial(m Material) ([]byte, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	wire := materialWire{Schema: MaterialSchema, Image: m.Image, Manifest: len(m.Manifest), TrustedRoot: len(m.TrustedRoot)}
	contents := bytes.Clone(m.Manifest)
	for _, a := range m.Attachments {
		before, inner, after := split(a.Content)
		wire.Attachments = append(wire.Attachments, attachmentWire{Place: a.Place, Type: a.Type, Annotations: a.Annotations,
			Before: len(before), Payload: len(inner), After: len(after)})
		contents = append(append(append(contents, before...), inner...), after...)
	}
	contents = append(contents, m.TrustedRoot...)
	for _, d := range m.Reports {
		wire.Reports = append(wire.Reports, documentWire{d.Name, len(d.Content)})
		contents = append(contents, d.Content...)
	}
	for _, d := range m.VEX {
		wire.VEX = append(wire.VEX, documentWire{d.Name, len(d.Content)})
		contents = append(contents, d.Content...)
	}
	if len(contents) > MaxMaterialBytes {
		return nil, fmt.Errorf("what is known beside the image is %d bytes long, %d are allowed", len(contents), MaxMaterialBytes)
	}
	head, err := json.Marshal(wire)
	if err != nil {
		return nil, err
	}
	return squeeze(append(append(head, '\n'), contents...))
}

func squeeze(text []byte) ([]byte, error) {
	var out bytes.Buffer
	// Without a name or a time, so that the same text has the same digest.
	packed, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := packed.Write(text); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	if out.Len() > MaxPackedBytes {
		return nil, fmt.Errorf("what is known beside the image is %d bytes long when packed, %d are allowed", out.Len(), MaxPackedBytes)
	}
	return out.Bytes(), nil
}

// UnpackMaterial reads what PackMaterial wrote, strictly and never more than that writes.
func UnpackMaterial(packed []byte) (Material, error) {
	if len(packed) > MaxPackedBytes {
		return Material{}, errors.New("the material is too long")
	}
	opened, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return Material{}, errors.New("the material is not packed")
	}
	const most = MaxMaterialBytes + MaxMaterialBytes/2
	text, err := io.ReadAll(io.LimitReader(opened, most+1))
	if err != nil || len(text) > most {
		return Material{}, errors.New("the material is broken or too long")
	}
	head, contents, _ := bytes.Cut(text, []byte("\n"))
	var wire materialWire
	if err := decodeStrict(head, &wire); err != nil {
		return Material{}, err
	}
	if wire.Schema != MaterialSchema {
		return Material{}, errors.New("schema is not " + MaterialSchema)
	}
	m, err := wire.fill(contents)
	if err != nil {
		return Material{}, err
	}
	return m, m.validate()
}

// fill gives every part its content. All of it has to be used up.
func (w materialWire) fill(contents []byte) (Material, error) {
	m := Material{Image: w.Image}
	short := false
	take := func(n int) []byte {
		if n < 0 || n > len(contents) {
			short = true
			return nil
		}
		out := contents[:n:n]
		contents = contents[n:]
		return out
	}
	m.Manifest = take(w.Manifest)
	for _, a := range w.Attachments {
		content := bytes.Clone(take(a.Before))
		content = base64.StdEncoding.AppendEncode(content, take(a.Payload))
		m.Attachments = append(m.Attachments, Attachment{Place: a.Place, Type: a.Type, Annotations: a.Annotations, Content: append(content, take(a.After)...)})
	}
	m.TrustedRoot = take(w.TrustedRoot)
	for _, d := range w.Reports {
		m.Reports = append(m.Reports, Document{d.Name, take(d.Size)})
	}
	for _, d := range w.VEX {
		m.VEX = append(m.VEX, Document{d.Name, take(d.Size)})
	}
	if short || len(contents) > 0 {
		return m, errors.New("the material is not as long as it says")
	}
	return m, nil
}
