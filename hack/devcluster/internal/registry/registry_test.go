package registry

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func serve(t *testing.T, dir string) string {
	t.Helper()
	handler, err := New(dir, Credentials{User: "puller", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address.Host
}

func reference(t *testing.T, host, image string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(host + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestContentsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	host := serve(t, dir)
	index, err := random.Index(64, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(reference(t, host, "app:v1"), index); err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference(t, host, "gone:v1"), gone); err != nil {
		t.Fatal(err)
	}
	if err := remote.Delete(reference(t, host, "gone:v1")); err != nil {
		t.Fatal(err)
	}

	again := serve(t, dir)
	read, err := remote.Index(reference(t, again, "app:v1"))
	if err != nil {
		t.Fatal(err)
	}
	sameDigest(t, read, index)
	if _, err := remote.Head(reference(t, again, "gone:v1")); err == nil {
		t.Error("a deleted image came back")
	}
}

type digested interface{ Digest() (v1.Hash, error) }

func sameDigest(t *testing.T, got, want digested) {
	t.Helper()
	a, err := got.Digest()
	if err != nil {
		t.Fatal(err)
	}
	b, err := want.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Errorf("digest %s, want %s", a, b)
	}
}

func TestPrivatePartAsksForCredentials(t *testing.T) {
	host := serve(t, t.TempDir())
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	puller := remote.WithAuth(&authn.Basic{Username: "puller", Password: "secret"})
	wrong := remote.WithAuth(&authn.Basic{Username: "puller", Password: "guess"})
	tests := []struct {
		name, image string
		auth        remote.Option
		allowed     bool
	}{
		{"public, nobody", "app:v1", remote.WithAuth(authn.Anonymous), true},
		{"public, logged in", "app:v1", puller, true},
		{"private, nobody", "private/app:v1", remote.WithAuth(authn.Anonymous), false},
		{"private, wrong password", "private/app:v1", wrong, false},
		{"private, logged in", "private/app:v1", puller, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := remote.Write(reference(t, host, test.image), image, test.auth)
			if (err == nil) != test.allowed {
				t.Errorf("push: %v, want allowed = %v", err, test.allowed)
			}
		})
	}
}

func TestReadinessNeedsNoCredentials(t *testing.T) {
	response, err := http.Get("http://" + serve(t, t.TempDir()) + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}
