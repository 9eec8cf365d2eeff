package evidence

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// MaterialSchema names the form of a Material.
	MaterialSchema = "affineur.dev/material/v1"
	// MaxAttachments is how many things a registry may keep beside an image.
	MaxAttachments = 64
	// MaxMaterialBytes is how large they may be together.
	MaxMaterialBytes = 8 << 20
	// MaxPackedBytes bounds what PackMaterial writes: it has to fit into an object of the API server.
	MaxPackedBytes = 768 << 10

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

// Attachment is one blob that a registry keeps beside an image: a signature, an attestation, a bill of materials.
type Attachment struct {
	// Place is where it was found, for people: a tag, or the digest of a referrer.
	Place string `json:"place"`
	// Type is the media type of the blob.
	Type string `json:"type"`
	// Annotations are the blob's own; cosign keeps signatures and certificates in them.
	Annotations map[string]string `json:"annotations,omitempty"`
	Content     []byte            `json:"content"`
}

// Material is everything that a registry keeps beside one image, as it was found: nothing in it was verified.
type Material struct {
	// Schema is MaterialSchema.
	Schema string `json:"schema"`
	// Image is the digest under which it was found.
	Image       string       `json:"image"`
	Attachments []Attachment `json:"attachments"`
}

func (m Material) validate() error {
	switch {
	case m.Schema != MaterialSchema:
		return errors.New("schema is not " + MaterialSchema)
	case !digestForm.MatchString(m.Image):
		return errors.New("image is not a sha256 digest")
	case len(m.Attachments) > MaxAttachments:
		return fmt.Errorf("%d attachments, %d are allowed", len(m.Attachments), MaxAttachments)
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
	return nil
}

// PackMaterial writes a Material for a runner. One that is too large is an error: a part of it would be no evidence.
func PackMaterial(m Material) ([]byte, error) {
	m.Schema = MaterialSchema
	if err := m.validate(); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if len(raw) > 2*MaxMaterialBytes {
		return nil, fmt.Errorf("the material is %d bytes long, %d are allowed", len(raw), 2*MaxMaterialBytes)
	}
	var out bytes.Buffer
	// Without a name or a time, so that the same material has the same digest.
	packed, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := packed.Write(raw); err != nil {
		return nil, err
	}
	if err := packed.Close(); err != nil {
		return nil, err
	}
	if out.Len() > MaxPackedBytes {
		return nil, fmt.Errorf("the material is %d bytes long when packed, %d are allowed", out.Len(), MaxPackedBytes)
	}
	return out.Bytes(), nil
}

// UnpackMaterial reads what PackMaterial wrote, strictly and never more than that writes.
func UnpackMaterial(packed []byte) (Material, error) {
	var m Material
	if len(packed) > MaxPackedBytes {
		return m, errors.New("the material is too long")
	}
	opened, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return m, errors.New("the material is not packed")
	}
	raw, err := io.ReadAll(io.LimitReader(opened, 2*MaxMaterialBytes+1))
	if err != nil || len(raw) > 2*MaxMaterialBytes {
		return m, errors.New("the material is broken or too long")
	}
	if err := decodeStrict(raw, &m); err != nil {
		return m, err
	}
	return m, m.validate()
}
