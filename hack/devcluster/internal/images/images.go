// Package images makes container images from the cluster's static programs, without a build tool and
// without a base image.
package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/compression"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

// UserID is the user and group that the programs run as: the number that distroless images use.
const UserID = 65532

// Names of the node's own images. Nothing pulls them: they are loaded at the start.
var names = map[string]string{
	"pause":    "localhost/affineur/pause:dev",
	"coredns":  "localhost/affineur/coredns:dev",
	"registry": "localhost/affineur/registry:dev",
}

// Name is the reference of the image that holds a program.
func Name(program string) string { return names[program] }

// Archive writes all of the node's own images to one file.
func Archive(l layout.Layout, path string) error {
	archive := map[name.Reference]v1.Image{}
	for program, image := range names {
		ref, err := name.NewTag(image)
		if err != nil {
			return err
		}
		built, err := fromProgram(l.Bin(program))
		if err != nil {
			return err
		}
		archive[ref] = built
	}
	return tarball.MultiRefWriteToFile(path, archive)
}

// fromProgram is an image of one file. It never leaves this machine, so nothing is compressed.
func fromProgram(path string) (v1.Image, error) {
	content, err := layerOf(path)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithCompression(compression.None))
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = []string{"/" + filepath.Base(path)}
	config.Config.User = fmt.Sprintf("%d:%d", UserID, UserID)
	return mutate.ConfigFile(image, config)
}

func layerOf(path string) ([]byte, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(path), Mode: 0o755, Size: int64(len(program))}
	if err := w.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return layer.Bytes(), nil
}
