package ask

import (
	"compress/gzip"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/affineur/affineur/internal/evidence"
)

// read the body of an answer, of what is too long one byte more than is looked at. Some servers pack whether they are asked
// to or not: gzip is unpacked within the same bound, and of another packing the bytes are not readable.
func read(response *http.Response) (raw []byte, readable bool, err error) {
	body, readable := io.Reader(response.Body), true
	switch strings.ToLower(strings.Join(response.Header.Values("Content-Encoding"), ",")) {
	case "", "identity":
	case "gzip", "x-gzip":
		packed, err := gzip.NewReader(response.Body)
		switch {
		case errors.Is(err, io.EOF):
			return nil, true, nil
		case err != nil:
			return nil, false, nil
		}
		body = packed
	default:
		readable = false
	}
	raw, err = io.ReadAll(io.LimitReader(body, evidence.MaxAnswerBytes+1))
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		readable = false
	}
	return raw, readable && isText(raw), err
}

// isText tells text, in UTF-8 or an older encoding, from bytes that are none.
func isText(raw []byte) bool {
	return utf8.Valid(raw) || !slices.ContainsFunc(raw, func(b byte) bool { return b < ' ' && !unicode.IsSpace(rune(b)) })
}

// head is what an answer says besides its body. The transport bounds it.
func head(response *http.Response) string {
	var b strings.Builder
	b.WriteString(response.Status + "\n")
	for _, headers := range []http.Header{response.Header, response.Trailer} {
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			for _, value := range headers[name] {
				b.WriteString(name + ": " + value + "\n")
			}
		}
	}
	return b.String()
}
