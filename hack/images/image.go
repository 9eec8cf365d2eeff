package main

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is nobody in particular, and never root.
const user = "65532:65532"

// layers are kept by binary: several images may hold the same program, and compressing takes longest.
type layers map[string]v1.Layer

func (l layers) of(binary string) (v1.Layer, error) {
	if layer, known := l[binary]; known {
		return layer, nil
	}
	archive := binary + ".tar"
	if err := pack(binary, archive); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromFile(archive, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	l[binary] = layer
	return layer, nil
}

// pack writes an archive that holds the program alone, at /<name>. Owner, time and mode are fixed,
// whatever the file's are: they would change the digest.
func pack(binary, archive string) error {
	program, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	var buffer bytes.Buffer
	writer := tar.NewWriter(&buffer)
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: filepath.Base(binary), Size: int64(len(program)), Mode: 0o555,
		ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	if _, err := writer.Write(program); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return os.WriteFile(archive, buffer.Bytes(), 0o600)
}

// newImage puts a layer with a program into an image for one platform.
func newImage(s spec, layer v1.Layer, platform v1.Platform) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: types.OCILayer})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = platform.OS, platform.Architecture
	config.Config = v1.Config{User: user, WorkingDir: "/", Entrypoint: []string{"/" + s.program()}, Cmd: s.args}
	return mutate.ConfigFile(image, config)
}

// newIndex gathers the images of all platforms. There is an index even for one platform, so that the
// digest that is reviewed stays of the same kind when a second platform comes.
func newIndex(images map[string]v1.Image, platforms []v1.Platform) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: images[platform.Architecture], Descriptor: v1.Descriptor{Platform: &platform},
		})
	}
	return index
}
