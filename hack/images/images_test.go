package main

import (
	"archive/tar"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// bench is a registry of its own over TLS, which counts what is uploaded.
type bench struct {
	*httptest.Server
	host, caFile string
	uploads      atomic.Int64
}

func newBench(t *testing.T, start func(http.Handler) *httptest.Server) *bench {
	t.Helper()
	b := &bench{}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	b.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			b.uploads.Add(1)
		}
		store.ServeHTTP(w, r)
	}))
	b.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(b.Close)
	_, b.host, _ = strings.Cut(b.URL, "://")
	if certificate := b.Certificate(); certificate != nil {
		b.caFile = writeCA(t, certificate)
	}
	return b
}

func writeCA(t *testing.T, certificate *x509.Certificate) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// fakePrograms lays a file for every program, so that images can be made without compiling.
func fakePrograms(t *testing.T, mode os.FileMode, arches ...string) binaries {
	t.Helper()
	built, dir := binaries{}, t.TempDir()
	for _, arch := range arches {
		built[arch] = map[string]string{}
		for _, s := range specs {
			file := filepath.Join(dir, arch, "revision"+s.revision, s.program())
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(s.program()+" "+s.revision+" "+arch), mode); err != nil {
				t.Fatal(err)
			}
			built[arch][s.name] = file
		}
	}
	return built
}

const reference = "registry.example.org:5000/project"

func newPublisher(t *testing.T, target *destination, platforms string) publisher {
	t.Helper()
	tags, err := references(reference, "v9", specs)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parsePlatforms(platforms)
	if err != nil {
		t.Fatal(err)
	}
	return publisher{target: target, tags: tags, platforms: parsed, log: io.Discard}
}

func publishAll(t *testing.T, built binaries, registry *bench, platforms string) map[string]pushed {
	t.Helper()
	target, err := newDestination(registry.host, registry.caFile, false)
	if err != nil {
		t.Fatal(err)
	}
	digests, err := newPublisher(t, target, platforms).publish(t.Context(), built, specs)
	if err != nil {
		t.Fatal(err)
	}
	return digests
}

func TestEveryImageCanBePulled(t *testing.T) {
	registry := newBench(t, httptest.NewTLSServer)
	digests := publishAll(t, fakePrograms(t, 0o700, "amd64", "arm64"), registry, "linux/amd64,linux/arm64")
	if len(digests) != len(specs) {
		t.Fatalf("%d images were pushed, want %d", len(digests), len(specs))
	}
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			tag := s.tag
			if tag == "" {
				tag = "v9"
			}
			path := "/project/" + s.repository + ":" + tag
			if want := "registry.example.org:5000" + path; digests[s.name].Image != want {
				t.Errorf("image = %s, want %s", digests[s.name].Image, want)
			}
			index, descriptor := pull(t, registry, path)
			if descriptor.Digest.String() != digests[s.name].Digest || descriptor.MediaType != types.OCIImageIndex {
				t.Errorf("pulled %s of type %s, want %s", descriptor.Digest, descriptor.MediaType, digests[s.name].Digest)
			}
			manifest, err := index.IndexManifest()
			if err != nil {
				t.Fatal(err)
			}
			if len(manifest.Manifests) != 2 {
				t.Fatalf("%d platforms, want 2", len(manifest.Manifests))
			}
			for i, arch := range []string{"amd64", "arm64"} {
				if platform := manifest.Manifests[i].Platform; platform == nil || platform.OS != "linux" || platform.Architecture != arch {
					t.Errorf("platform %d = %v, want linux/%s", i, platform, arch)
				}
				image, err := index.Image(manifest.Manifests[i].Digest)
				if err != nil {
					t.Fatal(err)
				}
				checkImage(t, s, arch, image)
			}
		})
	}
}

func pull(t *testing.T, registry *bench, path string) (v1.ImageIndex, *remote.Descriptor) {
	t.Helper()
	tag, err := name.NewTag(registry.host + path)
	if err != nil {
		t.Fatal(err)
	}
	descriptor, err := remote.Get(tag, remote.WithTransport(registry.Client().Transport))
	if err != nil {
		t.Fatal(err)
	}
	index, err := descriptor.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	return index, descriptor
}

func checkImage(t *testing.T, s spec, arch string, image v1.Image) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{User: "65532:65532", WorkingDir: "/", Entrypoint: []string{"/" + s.program()}, Cmd: s.args}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if config.Architecture != arch || config.OS != "linux" || !config.Created.IsZero() {
		t.Errorf("%s/%s created %s, want linux/%s and no time", config.OS, config.Architecture, config.Created, arch)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	archive := tar.NewReader(content)
	header, err := archive.Next()
	if err != nil {
		t.Fatal(err)
	}
	if header.Name != s.program() || header.Mode != 0o555 || header.Uid != 0 || header.ModTime.Unix() != 0 {
		t.Errorf("file = %+v", header)
	}
	program, err := io.ReadAll(archive)
	if want := s.program() + " " + s.revision + " " + arch; err != nil || string(program) != want {
		t.Errorf("program = %q, %v, want %q", program, err, want)
	}
	if _, err := archive.Next(); err != io.EOF {
		t.Errorf("the layer holds more than the program: %v", err)
	}
}

// Another folder, other file modes, another day: the same digests. One is pinned, so that a library
// that writes images differently is noticed before every digest in every cluster changes.
func TestDigestsAreReproducible(t *testing.T) {
	first := publishAll(t, fakePrograms(t, 0o700, "amd64"), newBench(t, httptest.NewTLSServer), "linux/amd64")
	second := publishAll(t, fakePrograms(t, 0o644, "amd64"), newBench(t, httptest.NewTLSServer), "linux/amd64")
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the digests differ:\n%s", diff)
	}
	const want = "sha256:f91e0529a755b6f739c259eb14e37240fc9383661c904c8c2898615e369d9616"
	if got := first["holey-slow"].Digest; got != want {
		t.Errorf("digest = %s, want %s", got, want)
	}
	seen := map[string]string{}
	for name, image := range first {
		if other, known := seen[image.Digest]; known {
			t.Errorf("%s and %s are the same image", name, other)
		}
		seen[image.Digest] = name
	}
}

func TestNothingIsPushedTwice(t *testing.T) {
	registry := newBench(t, httptest.NewTLSServer)
	programs := fakePrograms(t, 0o700, "amd64")
	publishAll(t, programs, registry, "linux/amd64")
	if registry.uploads.Load() == 0 {
		t.Fatal("the first time nothing was uploaded")
	}
	registry.uploads.Store(0)
	publishAll(t, programs, registry, "linux/amd64")
	if got := registry.uploads.Load(); got != 0 {
		t.Errorf("the second time %d uploads", got)
	}
}

func TestTransportIsChecked(t *testing.T) {
	secure, plain := newBench(t, httptest.NewTLSServer), newBench(t, httptest.NewServer)
	stranger := newStranger(t)
	built := fakePrograms(t, 0o700, "amd64")
	for name, tc := range map[string]struct {
		to, ca   string
		insecure bool
		works    bool
	}{
		"TLS with its authority":            {secure.host, secure.caFile, false, true},
		"TLS with the system's authorities": {secure.host, "", false, false},
		"TLS with another authority":        {secure.host, stranger, false, false},
		"plain HTTP":                        {plain.host, "", false, false},
		"plain HTTP, allowed":               {plain.host, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			target, err := newDestination(tc.to, tc.ca, tc.insecure)
			if err != nil {
				t.Fatal(err)
			}
			_, err = newPublisher(t, target, "linux/amd64").publish(t.Context(), built, specs[:1])
			if (err == nil) != tc.works {
				t.Errorf("error = %v, want success: %v", err, tc.works)
			}
		})
	}
	if plain.uploads.Load() == 0 {
		t.Error("nothing came over plain HTTP where it was allowed")
	}
	if _, err := newDestination("", filepath.Join(t.TempDir(), "none"), false); err == nil {
		t.Error("a missing authority file is no error")
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newDestination("", empty, false); err == nil {
		t.Error("an authority file without a certificate is no error")
	}
}

// The real compiler, on the smallest of the programs: twice the same bytes, whatever is built along.
func TestBuildIsReproducible(t *testing.T) {
	registry := newBench(t, httptest.NewTLSServer)
	outputs := make([]map[string]pushed, 2)
	for i, only := range []string{"lms", "lms,churn-advisor-*,holey-crash"} {
		file := filepath.Join(t.TempDir(), "digests.json")
		args := []string{"--registry", reference, "--push-to", registry.host, "--ca", registry.caFile, "--only", only, "--output", file, "--platform", "linux/" + runtime.GOARCH}
		o, err := parse(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var progress strings.Builder
		if err := run(t.Context(), o, specs, &progress); err != nil {
			t.Fatalf("%v\n%s", err, progress.String())
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &outputs[i]); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(progress.String(), "pushed "); got != len(outputs[i]) {
			t.Errorf("%d lines for %d images:\n%s", got, len(outputs[i]), progress.String())
		}
	}
	if outputs[0]["lms"] != outputs[1]["lms"] || outputs[0]["lms"].Digest == "" {
		t.Errorf("two builds of the same source: %+v, %+v", outputs[0]["lms"], outputs[1]["lms"])
	}
	if outputs[1]["churn-advisor-1.4"].Digest == outputs[1]["churn-advisor-1.5"].Digest {
		t.Error("two revisions have the same digest")
	}
	index, _ := pull(t, registry, "/project/holey/crash:1")
	checkRuns(t, index)
}

// checkRuns sees that what was pulled is a program that does what it was built for.
func checkRuns(t *testing.T, index v1.ImageIndex) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	archive := tar.NewReader(content)
	if _, err := archive.Next(); err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), config.Config.Entrypoint[0])
	binary, err := io.ReadAll(archive)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, binary, 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, config.Config.Cmd...)
	command.Env = []string{}
	output, _ := command.CombinedOutput()
	if command.ProcessState.ExitCode() != 1 || !strings.Contains(string(output), "can't start without its settings") {
		t.Errorf("%s = %s, %q", command, command.ProcessState, output)
	}
}

// newStranger is an authority that signed nothing here.
func newStranger(t *testing.T) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	return writeCA(t, &x509.Certificate{Raw: der})
}
