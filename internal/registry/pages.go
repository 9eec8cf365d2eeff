package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

const (
	// maxPages is how many pages of referrers are read, some of which may be empty.
	maxPages = evidence.MaxAttachments
	// maxPage is how large one may be, in bytes: what the distribution specification asks registries to take of a manifest.
	maxPage = 4 << 20
)

// pages puts together what a registry tells on several pages: a list of referrers, whose next page is named in a Link
// (OCI distribution specification 1.1, Listing Referrers). The library reads the first alone, and would not know that
// there is more. A page that can't be had is an error: what it lists is not known to be absent.
type pages struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p pages) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := p.RoundTripper.RoundTrip(request)
	if err != nil || request.Method != http.MethodGet || response.StatusCode != http.StatusOK || !isIndex(response) {
		return response, err
	}
	// The library takes a list of any other spelling for no list.
	response.Header.Set("Content-Type", string(types.OCIImageIndex))
	at, err := following(response.Header, request.URL)
	if at == nil && err == nil {
		return response, nil
	}
	if err == nil {
		err = p.complete(request, response, at)
	}
	if err != nil {
		_ = response.Body.Close()
		return nil, &Error{
			Reason: v1alpha1.ReasonRegistryUnreachable, Owner: v1alpha1.OwnerIT, Passing: true,
			Message: fmt.Sprintf("Registry %s shows only a part of what it keeps beside the image: %v.", request.URL.Host, err),
		}
	}
	return response, nil
}

// complete reads the pages from the second on, with the credentials that the first was asked with, and puts the whole
// into the first one's response.
func (p pages) complete(request *http.Request, first *http.Response, at *url.URL) error {
	whole, err := page(first)
	for read := 1; err == nil && at != nil && len(whole.Manifests) <= evidence.MaxAttachments; read++ {
		if read == maxPages {
			return fmt.Errorf("there are more than %d pages", maxPages)
		}
		var more *v1.IndexManifest
		if more, at, err = p.next(request, at); err != nil {
			return fmt.Errorf("page %d: %w", read+1, err)
		}
		whole.Manifests = append(whole.Manifests, more.Manifests...)
	}
	if err != nil {
		return err
	}
	content, err := json.Marshal(whole)
	first.Body, first.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	first.Header.Del("Content-Length")
	return err
}

func (p pages) next(request *http.Request, at *url.URL) (*v1.IndexManifest, *url.URL, error) {
	asked := request.Clone(request.Context())
	asked.URL = at
	response, err := p.RoundTripper.RoundTrip(asked)
	if err != nil {
		return nil, nil, fmt.Errorf("%s", class(err))
	}
	if response.StatusCode != http.StatusOK || !isIndex(response) {
		_ = response.Body.Close()
		return nil, nil, fmt.Errorf("the answer is no list, and its status %d", response.StatusCode)
	}
	listed, err := page(response)
	if err != nil {
		return nil, nil, err
	}
	after, err := following(response.Header, at)
	return listed, after, err
}

// page reads one page to its end.
func page(response *http.Response) (*v1.IndexManifest, error) {
	content, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	_ = response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("%s", class(err))
	}
	if len(content) > maxPage {
		return nil, fmt.Errorf("it is larger than %d MiB", maxPage>>20)
	}
	listed, err := v1.ParseIndexManifest(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("it can't be read")
	}
	return listed, nil
}

func isIndex(response *http.Response) bool {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && kind == string(types.OCIImageIndex)
}

var (
	// linked is one target of a Link and its parameters (RFC 8288, section 3).
	linked = regexp.MustCompile(`<([^<>]*)>([^<>]*)`)
	// relation is the parameter that says what the target is.
	relation = regexp.MustCompile(`(?i);\s*rel\s*=\s*"?([^";,]*)`)
)

// following is the page that a response names as the next one, or nil. It is only looked for where the credentials may
// go: at the same registry.
func following(header http.Header, from *url.URL) (*url.URL, error) {
	for _, line := range header.Values("Link") {
		targets := linked.FindAllStringSubmatch(line, -1)
		if targets == nil {
			return nil, fmt.Errorf("where its next page is can't be read")
		}
		for _, target := range targets {
			// What says nothing of itself is what registries name: the next page.
			if rel := relation.FindStringSubmatch(target[2]); rel != nil && !strings.Contains(" "+strings.ToLower(rel[1])+" ", " next ") {
				continue
			}
			at, err := from.Parse(target[1])
			if err != nil || target[1] == "" {
				return nil, fmt.Errorf("where its next page is can't be read")
			}
			if at.Scheme != from.Scheme || at.Host != from.Host || at.User != nil {
				return nil, fmt.Errorf("its next page is at another place")
			}
			return at, nil
		}
	}
	return nil, nil
}
