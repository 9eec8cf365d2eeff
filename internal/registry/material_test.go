package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
)

// shelf is a registry with one index of one image.
type shelf struct {
	index, platform name.Digest
	// broken answers in place of the registry, where it says that it did.
	broken func(http.ResponseWriter, *http.Request) bool
}

func newShelf(t *testing.T, referrers bool) *shelf {
	t.Helper()
	return stock(t, ggcr.New(ggcr.WithReferrersSupport(referrers)))
}

// stock puts the index into a registry.
func stock(t *testing.T, content http.Handler) *shelf {
	t.Helper()
	s := &shelf{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.broken == nil || !s.broken(w, r) {
			content.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	repository, err := name.NewRepository(strings.TrimPrefix(server.URL, "http://")+"/team/app", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: empty.Image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	if err := remote.WriteIndex(repository.Tag("1"), index); err != nil {
		t.Fatal(err)
	}
	digest, _ := index.Digest()
	platform, _ := empty.Image.Digest()
	s.index, s.platform = repository.Digest(digest.String()), repository.Digest(platform.String())
	return s
}

func (s *shelf) ask(t *testing.T, image string) (evidence.Material, *Error) {
	t.Helper()
	got, err := resolver().Material(context.Background(), image, v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTP})
	var known *Error
	if errors.As(err, &known) != (err != nil) {
		t.Fatalf("not an *Error: %v", err)
	}
	return got, known
}

// signedThings are one of each form.
func signedThings(t *testing.T, digest string) []evidence.Attachment {
	t.Helper()
	key, err := signing.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	simple, err1 := key.Image(digest)
	single, err2 := key.Bundle(digest)
	older, err3 := key.Attest(digest, "https://spdx.dev/Document", map[string]string{"spdxVersion": "SPDX-2.3"})
	newer, err4 := key.AttestBundle(digest, "https://openvex.dev/ns", map[string]string{})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return []evidence.Attachment{simple, single, older, newer,
		{Type: "application/vnd.cyclonedx+json", Content: []byte(`{"bomFormat":"CycloneDX"}`)}, {Type: "application/vnd.example.unknown", Content: []byte("?")}}
}

func TestMaterial(t *testing.T) {
	for how, referrers := range map[string]bool{"by the referrers API": true, "by tags": false} {
		t.Run(how, func(t *testing.T) {
			s := newShelf(t, referrers)
			things := signedThings(t, s.index.DigestStr())
			if err := signing.Push(s.index, things); err != nil {
				t.Fatal(err)
			}
			if err := signing.Push(s.platform, signedThings(t, s.platform.DigestStr())); err != nil {
				t.Fatal(err)
			}
			got, err := s.ask(t, s.index.Name())
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range things[:5] {
				same := func(a evidence.Attachment) bool {
					return a.Type == want.Type && bytes.Equal(a.Content, want.Content) && a.Place != "" && (len(want.Annotations) == 0 || a.Annotations["dev.cosignproject.cosign/signature"] == want.Annotations["dev.cosignproject.cosign/signature"])
				}
				if !slices.ContainsFunc(got.Attachments, same) {
					t.Errorf("%s is not there", want.Type)
				}
			}
			if len(got.Attachments) != 5 || got.Image != s.index.DigestStr() || evidence.Digest(got.Manifest) != got.Image {
				t.Errorf("got %d attachments of %s", len(got.Attachments), got.Image)
			}
			if _, err := evidence.PackMaterial(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestMaterialThatIsNotThereOrNotWhole(t *testing.T) {
	for name, c := range map[string]struct {
		broken func(http.ResponseWriter, *http.Request) bool
		reason string
	}{
		"nothing beside it": {nil, ""},
		"refused": {func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		}, v1alpha1.ReasonRegistryRefused},
		"referrers broken": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/referrers/") {
				return false
			}
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}, v1alpha1.ReasonRegistryUnreachable},
		"an older tag refused": {func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, ".att") {
				return false
			}
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}, v1alpha1.ReasonRegistryRefused},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, true)
			s.broken = c.broken
			got, err := s.ask(t, s.index.Name())
			if c.reason == "" {
				if err != nil || len(got.Attachments) != 0 || got.Image != s.index.DigestStr() {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err == nil || err.Reason != c.reason {
				t.Errorf("got %+v, %v, want %s", got, err, c.reason)
			}
		})
	}
	s := newShelf(t, true)
	if _, err := s.ask(t, s.index.Context().Tag("1").Name()); err == nil || err.Reason != v1alpha1.ReasonImageNotPinned {
		t.Errorf("by tag: %v", err)
	}
}

// What a registry lists as being about the image says by itself what it is about.
func TestMaterialOfAnotherImage(t *testing.T) {
	s := newShelf(t, true)
	if err := signing.Push(s.platform, signedThings(t, s.platform.DigestStr())); err != nil {
		t.Fatal(err)
	}
	var lists atomic.Bool
	s.broken = func(_ http.ResponseWriter, r *http.Request) bool {
		if at := strings.Replace(r.URL.Path, "/referrers/"+s.index.DigestStr(), "/referrers/"+s.platform.DigestStr(), 1); at != r.URL.Path {
			r.URL.Path = at
			lists.Store(true)
		}
		return false
	}
	if got, err := s.ask(t, s.index.Name()); err != nil || len(got.Attachments) > 0 || !lists.Load() {
		t.Errorf("listed %v, got %+v, %v", lists.Load(), got.Attachments, err)
	}
}

func TestMaterialThatIsTooLarge(t *testing.T) {
	large := make([]byte, maxFetched/2+1)
	if _, err := rand.Read(large); err != nil {
		t.Fatal(err)
	}
	for name, push := range map[string]func(*shelf) error{
		"too many": func(s *shelf) error {
			for i := range evidence.MaxAttachments + 1 {
				if err := signing.Push(s.index, []evidence.Attachment{{Type: signing.BundleType, Content: []byte{byte(i)}}}); err != nil {
					return err
				}
			}
			return nil
		},
		"too many under one tag": func(s *shelf) error {
			var all []evidence.Attachment
			for i := range evidence.MaxAttachments + 1 {
				all = append(all, evidence.Attachment{Type: evidence.TypeSimpleSigning, Content: []byte{byte(i)}})
			}
			return signing.Push(s.index, all)
		},
		"too large together": func(s *shelf) error {
			return signing.Push(s.index, []evidence.Attachment{{Type: signing.BundleType, Content: large}, {Type: signing.BundleType, Content: large[1:]}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, true)
			if err := push(s); err != nil {
				t.Fatal(err)
			}
			if got, err := s.ask(t, s.index.Name()); err == nil || err.Reason != v1alpha1.ReasonMaterialTooLarge {
				t.Errorf("got %d attachments, %v", len(got.Attachments), err)
			}
		})
	}
}
