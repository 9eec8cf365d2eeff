package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// timeoutOfMaterial bounds all questions about what is kept beside one image.
const timeoutOfMaterial = 30 * time.Second

// maxFetched bounds all blobs together, in bytes.
const maxFetched = 8 << 20

// olderTags are the endings of the tags under which cosign keeps what it makes where a registry knows no referrers.
var olderTags = []string{".sig", ".att", ".sbom"}

// Material fetches what the registry keeps beside an image that is given by digest: what refers to it (by the referrers
// API, or the tag that stands in for it), and what is under cosign's older tags. The digest that counts is the given one,
// of an index for an image of several platforms: a signature on one platform's manifest does not speak for the others.
//
// It is all or an error: a part might leave out what takes another part back. Every error that is not the API server's is
// an *Error.
func (r Resolver) Material(ctx context.Context, image string, via v1alpha1.Registry) (evidence.Material, error) {
	reference, options, err := r.ask(ctx, image, via)
	if err != nil {
		return evidence.Material{}, err
	}
	digest, ok := reference.(name.Digest)
	if !ok {
		return evidence.Material{}, &Error{Reason: v1alpha1.ReasonImageNotPinned, Message: fmt.Sprintf("What is kept beside %s can't be asked for: it is named by tag.", image), Owner: v1alpha1.OwnerIT}
	}
	ctx, cancel := context.WithTimeout(ctx, timeoutOfMaterial)
	defer cancel()
	f := fetch{image: digest, options: append(options, remote.WithContext(ctx)), room: maxFetched}
	if err := errors.Join(f.itself(), f.referrers(), f.older()); err != nil {
		return evidence.Material{}, known(err, image, digest)
	}
	return evidence.Material{Image: digest.DigestStr(), Manifest: f.manifest, Attachments: f.found}, nil
}

// fetch of what is kept beside one image.
type fetch struct {
	image    name.Digest
	options  []remote.Option
	manifest []byte
	found    []evidence.Attachment
	// room is how many more bytes may be fetched.
	room int64
}

// itself takes in the image's own manifest; the library compares it with its digest.
func (f *fetch) itself() error {
	described, err := remote.Get(f.image, f.options...)
	if err != nil {
		return err
	}
	if f.room -= int64(len(described.Manifest)); f.room < 0 {
		return f.tooLarge()
	}
	f.manifest = described.Manifest
	return nil
}

func (f *fetch) referrers() error {
	index, err := remote.Referrers(f.image, f.options...)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) > evidence.MaxAttachments {
		return f.tooLarge()
	}
	for _, described := range manifest.Manifests {
		if described.MediaType.IsIndex() {
			continue
		}
		if err := f.take(f.image.Context().Digest(described.Digest.String()), true); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetch) older() error {
	for _, ending := range olderTags {
		tag := f.image.Context().Tag(strings.Replace(f.image.DigestStr(), ":", "-", 1) + ending)
		err := f.take(tag, false)
		var answered *transport.Error
		if errors.As(err, &answered) && answered.StatusCode == http.StatusNotFound {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take takes in the layers of one image that is kept beside ours. One that has to refer to ours by itself, and does
// not, is somebody else's.
func (f *fetch) take(at name.Reference, refers bool) error {
	kept, err := remote.Image(at, f.options...)
	if err != nil {
		return err
	}
	manifest, err := kept.Manifest()
	if err != nil {
		return err
	}
	if refers && (manifest.Subject == nil || manifest.Subject.Digest.String() != f.image.DigestStr()) {
		return nil
	}
	for _, layer := range manifest.Layers {
		if !evidence.IsMaterial(string(layer.MediaType)) {
			continue
		}
		if len(f.found) == evidence.MaxAttachments {
			return f.tooLarge()
		}
		content, err := f.blob(kept, layer)
		if err != nil {
			return err
		}
		f.found = append(f.found, evidence.Attachment{
			Place: evidence.Clean(at.Identifier(), 256), Type: evidence.Clean(string(layer.MediaType), 256), Annotations: layer.Annotations, Content: content,
		})
	}
	return nil
}

// blob of what is kept beside the image. One that is kept elsewhere can't be had, and a part is not enough.
func (f *fetch) blob(kept v1.Image, described v1.Descriptor) ([]byte, error) {
	content, err := readBlob(kept, described, f.room)
	if errors.Is(err, errTooLong) {
		return nil, f.tooLarge()
	}
	f.room -= int64(len(content))
	return content, err
}

func (f *fetch) tooLarge() error {
	return &Error{
		Reason: v1alpha1.ReasonMaterialTooLarge, Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("Registry %s keeps more beside %s than can be looked at: %d attachments and %d MiB are allowed.",
			f.image.RegistryStr(), f.image.Name(), evidence.MaxAttachments, maxFetched>>20),
	}
}
