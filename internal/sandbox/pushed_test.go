package sandbox

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// shelf is a registry for sets.
type shelf struct {
	t       *testing.T
	address string
	// down answers nothing but errors.
	down  atomic.Bool
	asked atomic.Int32
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t: t}
	content := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") && r.Method == http.MethodGet {
			s.asked.Add(1)
		}
		if s.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		content.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// push a set as oras does.
func (s *shelf) push(tag, set string) {
	s.t.Helper()
	made, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.oci.empty.v1+json"),
		mutate.Addendum{Layer: static.NewLayer([]byte(set), "text/csv"), MediaType: "text/csv"})
	if err != nil {
		s.t.Fatal(err)
	}
	at, err := name.NewTag(s.address+"/golden/set:"+tag, name.Insecure)
	if err == nil {
		err = remote.Write(at, made)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// shown is a policy that names the registry too.
func (s *shelf) shown() *v1alpha1.HardeningPolicy {
	policy := strict()
	policy.Spec.Sandbox.Registries = append(policy.Spec.Sandbox.Registries, v1alpha1.Registry{Prefix: s.address + "/golden/", Scheme: v1alpha1.RegistryHTTP})
	return policy
}

// pushed is a prototype whose examples are there.
func (s *shelf) pushed(tag string) func(*v1alpha1.AIPrototype) {
	return func(p *v1alpha1.AIPrototype) {
		evaluated(p)
		p.Spec.Evaluation.Examples = v1alpha1.ExamplesSource{Artifact: s.address + "/golden/set:" + tag}
	}
}

func table(n int) string { return golden(n).Data["examples.csv"] }

// reviewedSet runs a world with a set behind a tag until its review is open.
func reviewedSet(t *testing.T, s *shelf) *world {
	t.Helper()
	s.push("1", table(100))
	w := newWorld(t, aPrototype().inProduction().with(s.pushed("1")).obj(), s.shown())
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	return w
}

func TestPushedExamplesAreFrozen(t *testing.T) {
	s := newShelf(t)
	w := reviewedSet(t, s)
	first := w.records().Newest
	kept, err := first.EvaluationSet()
	frozen := first.Subject.Evaluation
	if err != nil || string(kept) != table(100) || frozen.Digest != evidence.Digest(kept) || frozen.Guarded ||
		!strings.HasPrefix(frozen.Artifact, s.address+"/golden/set:1@sha256:") {
		t.Fatalf("kept %+v, %d bytes: %v", frozen, len(kept), err)
	}
	// A tag that moves is no change of the prototype; a request for a new look is.
	asked := s.asked.Load()
	s.push("1", table(101))
	w.advance(referencesFresh + time.Second)
	w.settle()
	if w.records().Newest.Ordinal != 1 || s.asked.Load() != asked {
		t.Fatalf("review %d, the registry was asked %d times more", w.records().Newest.Ordinal, s.asked.Load()-asked)
	}
	w.edit(func(p *v1alpha1.AIPrototype) { p.Annotations[v1alpha1.AnnotationRequestedAt] = "2026-03-02T10:00:00Z" })
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	if second := w.records().Newest; second.Ordinal != 2 || second.Subject.Evaluation.Artifact == frozen.Artifact {
		t.Errorf("review %d of %+v", second.Ordinal, second.Subject.Evaluation)
	}
}

// A registry that is away makes no other subject, not even when the operator starts anew meanwhile.
func TestRegistryAwayLeavesTheReview(t *testing.T) {
	s := newShelf(t)
	w := reviewedSet(t, s)
	s.down.Store(true)
	w.memory = memory{}
	w.advance(time.Minute)
	w.settle()
	if w.records().Last != 1 || w.gap(v1alpha1.ReasonExamplesInvalid) != nil {
		t.Errorf("%d reviews, gaps %+v", w.records().Last, w.prototype().Status.Gaps)
	}
	// What is named anew was never seen.
	w.edit(s.pushed("2"))
	w.settle()
	if gap := w.gap(v1alpha1.ReasonExamplesInvalid); gap == nil || !strings.Contains(gap.Message, "status 502") {
		t.Errorf("gaps %+v", w.prototype().Status.Gaps)
	}
}

func TestPushedExamplesThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*shelf, *v1alpha1.AIPrototype)
		says string
	}{
		"not there": {func(s *shelf, p *v1alpha1.AIPrototype) { s.pushed("2")(p) }, "does not have"},
		"not named by policy": {func(_ *shelf, p *v1alpha1.AIPrototype) {
			p.Spec.Evaluation.Examples.Artifact = "registry.evil.org/golden/set:1"
		}, "names no registry"},
		"no set": {func(s *shelf, p *v1alpha1.AIPrototype) { s.push("3", "a,b\n"); s.pushed("3")(p) }, "column"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			w := newWorld(t, aPrototype().with(s.pushed("1")).with(func(p *v1alpha1.AIPrototype) { c.edit(s, p) }).obj(), s.shown())
			w.settle()
			gap := w.gap(v1alpha1.ReasonExamplesInvalid)
			if gap == nil || gap.Owner != v1alpha1.OwnerBusiness || !strings.Contains(gap.Message, c.says) {
				t.Fatalf("gaps %+v", w.prototype().Status.Gaps)
			}
			s.push("2", table(100))
			s.push("3", table(100))
			w.advance(referencesRetry + time.Second)
			w.settle()
			if mended := w.gap(v1alpha1.ReasonExamplesInvalid) == nil; mended != (name != "not named by policy") {
				t.Errorf("mended %v: %+v", mended, w.prototype().Status.Gaps)
			}
		})
	}
}
