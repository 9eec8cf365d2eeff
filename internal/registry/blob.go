package registry

import (
	"errors"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

var (
	errTooLong = errors.New("the blob is too long")
	// errElsewhere refuses a blob that names addresses of its own: whoever pushed it would choose where the operator asks.
	errElsewhere = errors.New("the blob is kept elsewhere")
)

// readBlob reads one blob of at most so many bytes; the library compares it with its digest and its length.
func readBlob(kept v1.Image, described v1.Descriptor, most int64) ([]byte, error) {
	switch {
	case len(described.URLs) > 0:
		return nil, errElsewhere
	case described.Size > most:
		return nil, errTooLong
	}
	layer, err := kept.LayerByDigest(described.Digest)
	if err != nil {
		return nil, err
	}
	body, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(body, most+1))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, errTooLong
	}
	return content, nil
}
