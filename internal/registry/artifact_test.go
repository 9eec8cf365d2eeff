package registry

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

const golden = "question,expected\na,b\n"

// file is one layer as oras push writes it.
func file(mediaType types.MediaType, title, content string, annotations map[string]string) mutate.Addendum {
	all := map[string]string{annotationTitle: title}
	for key, value := range annotations {
		all[key] = value
	}
	return mutate.Addendum{Layer: static.NewLayer([]byte(content), mediaType), MediaType: mediaType, Annotations: all}
}

// artifact of some files, as oras push writes it.
func artifact(t *testing.T, files ...mutate.Addendum) v1.Image {
	t.Helper()
	made, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.oci.empty.v1+json"), files...)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// shelfOf starts a registry that shows what is put under team/set:TAG to those whom it lets in, and says where it is.
func shelfOf(t *testing.T, start func(http.Handler) *httptest.Server, lets func(http.ResponseWriter, *http.Request) bool, put map[string]remote.Taggable) (*httptest.Server, string) {
	t.Helper()
	content := ggcr.New()
	inner := httptest.NewServer(content)
	t.Cleanup(inner.Close)
	for tag, what := range put {
		at, err := name.NewTag(strings.TrimPrefix(inner.URL, "http://")+"/team/set:"+tag, name.Insecure)
		if err != nil {
			t.Fatal(err)
		}
		switch kept := what.(type) {
		case v1.Image:
			err = remote.Write(at, kept)
		case v1.ImageIndex:
			err = remote.WriteIndex(at, kept)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lets == nil || lets(w, r) {
			content.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server, server.Listener.Addr().String()
}

func TestArtifact(t *testing.T) {
	table := file("text/csv", "golden.csv", golden, nil)
	elsewhere, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.oci.empty.v1+json"), mutate.Addendum{
		Layer: static.NewLayer([]byte(golden), "text/csv"), MediaType: "text/csv", URLs: []string{"http://169.254.169.254/latest"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, at := shelfOf(t, httptest.NewServer, nil, map[string]remote.Taggable{
		"table": artifact(t, table), "lines": artifact(t, file("application/jsonl; charset=utf-8", "x", golden, nil)),
		"by-name": artifact(t, file(types.OCIUncompressedLayer, "golden.jsonl", golden, nil)), "unnamed": artifact(t, file(types.OCILayer, "golden", golden, nil)),
		"folder": artifact(t, file(types.OCILayer, "golden.csv", golden, map[string]string{annotationUnpack: "true"})),
		"none":   artifact(t), "two": artifact(t, table, file("text/csv", "other.csv", golden+"c,d\n", nil)),
		"long": artifact(t, file("text/csv", "golden.csv", strings.Repeat("x", 101), nil)), "program": artifact(t, file("application/wasm", "golden.csv", golden, nil)),
		"index": mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: empty.Image}), "elsewhere": elsewhere,
	})
	for tag, says := range map[string]string{
		"table": "", "lines": "", "by-name": "", "unnamed": "no table or lines", "folder": "no table or lines", "none": "holds 0 files", "two": "holds 2 files",
		"long": "more than 100 bytes", "program": "no table or lines", "index": "no artifact with one file", "elsewhere": "at another address", "absent": "does not have",
	} {
		t.Run(tag, func(t *testing.T) {
			got, err := resolver().Artifact(context.Background(), at+"/team/set:"+tag, v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTP}, 100)
			var known *Error
			if errors.As(err, &known) != (err != nil) {
				t.Fatalf("not an *Error: %v", err)
			}
			if says != "" {
				if known == nil || !strings.Contains(known.Message, says) {
					t.Errorf("got %+v, want %q", known, says)
				}
				return
			}
			if known != nil || string(got.Content) != golden || got.Guarded || !strings.HasPrefix(got.Pinned, at+"/team/set:"+tag+"@sha256:") {
				t.Fatalf("got %+v, %+v", got, known)
			}
			again, err := resolver().Artifact(context.Background(), got.Pinned, v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTP}, 100)
			if err != nil || again.Pinned != got.Pinned || string(again.Content) != golden {
				t.Errorf("by digest: %+v, %v", again, err)
			}
		})
	}
}

// A blob that is not what its digest says is no set, whatever the registry is.
func TestArtifactIsVerified(t *testing.T) {
	_, at := shelfOf(t, httptest.NewServer, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = w.Write([]byte(strings.Replace(golden, "b", "c", 1)))
			return false
		}
		return true
	}, map[string]remote.Taggable{"1": artifact(t, file("text/csv", "golden.csv", golden, nil))})
	if got, err := resolver().Artifact(context.Background(), at+"/team/set:1", v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTP}, 100); err == nil {
		t.Errorf("got %q", got.Content)
	}
}

// That a pull secret is there says nothing: the registry has to be seen to refuse strangers, over TLS.
func TestGuardedArtifacts(t *testing.T) {
	put := map[string]remote.Taggable{"1": artifact(t, file("text/csv", "golden.csv", golden, nil))}
	ca, pull := &v1alpha1.LocalName{Name: "ca"}, &v1alpha1.LocalName{Name: "pull"}
	hides := func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, given := r.BasicAuth(); !given && strings.Contains(r.URL.Path, "/manifests/") {
			w.WriteHeader(http.StatusNotFound)
			return false
		}
		return r.URL.Path != "/v2/" || guarded(w, r)
	}
	for name, c := range map[string]struct {
		start   func(http.Handler) *httptest.Server
		lets    func(http.ResponseWriter, *http.Request) bool
		scheme  v1alpha1.RegistryScheme
		secret  *v1alpha1.LocalName
		guarded bool
	}{
		"with a password":             {httptest.NewTLSServer, guarded, v1alpha1.RegistryHTTPS, pull, true},
		"a secret that nobody needs":  {httptest.NewTLSServer, nil, v1alpha1.RegistryHTTPS, pull, false},
		"hidden from strangers":       {httptest.NewTLSServer, hides, v1alpha1.RegistryHTTPS, pull, true},
		"without a secret":            {httptest.NewTLSServer, nil, v1alpha1.RegistryHTTPS, nil, false},
		"a password that all can see": {httptest.NewServer, guarded, v1alpha1.RegistryHTTP, pull, false},
	} {
		t.Run(name, func(t *testing.T) {
			server, at := shelfOf(t, c.start, c.lets, put)
			objects := []client.Object{pullSecret(at, password)}
			via := v1alpha1.Registry{Scheme: c.scheme, PullSecret: c.secret}
			if server.TLS != nil {
				objects, via.CA = append(objects, configMap(server)), ca
			}
			got, err := resolver(objects...).Artifact(context.Background(), at+"/team/set:1", via, 100)
			if err != nil || string(got.Content) != golden || got.Guarded != c.guarded {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// A registry that is only out of order for strangers has not refused them.
func TestArtifactsOfWhichStrangersLearnNothing(t *testing.T) {
	put := map[string]remote.Taggable{"1": artifact(t, file("text/csv", "golden.csv", golden, nil))}
	server, at := shelfOf(t, httptest.NewTLSServer, func(w http.ResponseWriter, r *http.Request) bool {
		if _, _, given := r.BasicAuth(); !given && strings.Contains(r.URL.Path, "/manifests/") {
			w.WriteHeader(http.StatusBadRequest)
			return false
		}
		return r.URL.Path != "/v2/" || guarded(w, r)
	}, put)
	via := v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTPS, PullSecret: &v1alpha1.LocalName{Name: "pull"}, CA: &v1alpha1.LocalName{Name: "ca"}}
	if got, err := resolver(pullSecret(at, password), configMap(server)).Artifact(context.Background(), at+"/team/set:1", via, 100); err == nil || got.Guarded {
		t.Errorf("got %+v, %v", got, err)
	}
}
