package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Artifact is one file that was pushed to a registry, as oras push does.
type Artifact struct {
	// Pinned is the reference that was asked for, and the digest behind it.
	Pinned  string
	Content []byte
	// Guarded means that the registry was seen to refuse it to who shows no credential, over TLS.
	Guarded bool
}

const (
	annotationTitle = "org.opencontainers.image.title"
	// annotationUnpack marks a layer that is a packed directory.
	annotationUnpack = "io.deis.oras.content.unpack"
)

// textTypes are media types of a layer that is a table or lines.
var textTypes = []types.MediaType{"text/csv", "text/plain", "application/jsonl", "application/json-lines", "application/x-ndjson", "application/x-jsonlines"}

// untyped is what oras gives a file whose media type nobody says; then its name has to tell.
var untyped = []types.MediaType{types.OCIUncompressedLayer, types.OCILayer, "application/octet-stream"}

// textNames are the endings of such a file's name.
var textNames = []string{".csv", ".jsonl", ".ndjson"}

// Artifact fetches the one file of an artifact, of at most so many bytes. Every error that is not the API server's is an
// *Error.
func (r Resolver) Artifact(ctx context.Context, reference string, via v1alpha1.Registry, most int64) (Artifact, error) {
	at, options, err := r.ask(ctx, reference, via)
	if err != nil {
		return Artifact{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeoutOfMaterial)
	defer cancel()
	options = append(options, remote.WithContext(ctx))
	described, err := remote.Get(at, options...)
	if err != nil {
		return Artifact{}, explain(reference, at.Context().RegistryStr(), err)
	}
	content, err := fileOf(described, reference, most)
	if err != nil {
		return Artifact{}, known(err, reference, at)
	}
	pinned := at.Context().Digest(described.Digest.String())
	found := Artifact{Pinned: pinnedAs(reference, described.Digest), Content: content}
	if via.PullSecret != nil && via.Scheme != v1alpha1.RegistryHTTP {
		found.Guarded, err = r.refusesStrangers(ctx, pinned, via)
	}
	return found, known(err, reference, at)
}

// pinnedAs writes the digest behind a reference that does not have it.
func pinnedAs(reference string, digest v1.Hash) string {
	if strings.Contains(reference, "@") {
		return reference
	}
	return reference + "@" + digest.String()
}

// known makes an *Error of what a registry or the network said.
func known(err error, reference string, at name.Reference) error {
	var already *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &already):
		return already
	}
	return explain(reference, at.Context().RegistryStr(), err)
}

// fileOf an artifact: its only layer, if that is text.
func fileOf(described *remote.Descriptor, reference string, most int64) ([]byte, error) {
	if !described.MediaType.IsImage() {
		return nil, unfit(reference, "it is no artifact with one file, but "+fmt.Sprintf("%q", described.MediaType))
	}
	kept, err := described.Image()
	if err != nil {
		return nil, err
	}
	manifest, err := kept.Manifest()
	if err != nil {
		return nil, unfit(reference, "its manifest can't be read")
	}
	if len(manifest.Layers) != 1 {
		return nil, unfit(reference, fmt.Sprintf("it holds %d files, and one is wanted", len(manifest.Layers)))
	}
	layer := manifest.Layers[0]
	if !isText(layer) {
		return nil, unfit(reference, "its file is no table or lines by its media type, nor by the name that it was pushed under")
	}
	content, err := readBlob(kept, layer, most)
	switch {
	case errors.Is(err, errTooLong):
		return nil, unfit(reference, fmt.Sprintf("its file has more than %d bytes", most))
	case errors.Is(err, errElsewhere):
		return nil, unfit(reference, "its file is kept at another address")
	}
	return content, err
}

func isText(layer v1.Descriptor) bool {
	base, _, _ := strings.Cut(string(layer.MediaType), ";")
	switch {
	case layer.Annotations[annotationUnpack] == "true":
		return false
	case slices.Contains(textTypes, types.MediaType(strings.TrimSpace(base))):
		return true
	}
	return slices.Contains(untyped, layer.MediaType) && slices.Contains(textNames, path.Ext(layer.Annotations[annotationTitle]))
}

// refusesStrangers asks as somebody without a credential. That a pull secret is there does not show that one is needed.
func (r Resolver) refusesStrangers(ctx context.Context, at name.Digest, via v1alpha1.Registry) (bool, error) {
	bare, err := r.transport(ctx, via)
	if err != nil {
		return false, err
	}
	_, err = remote.Get(at, remote.WithContext(ctx), remote.WithTransport(bare), remote.WithAuth(authn.Anonymous))
	var answered *transport.Error
	if !errors.As(err, &answered) {
		return false, err
	}
	switch answered.StatusCode {
	// Some hide what they don't show.
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return true, nil
	}
	return false, err
}

func unfit(reference, why string) *Error {
	return &Error{Reason: v1alpha1.ReasonExamplesInvalid, Message: fmt.Sprintf("%s can't be used: %s.", reference, why), Owner: v1alpha1.OwnerBusiness}
}
