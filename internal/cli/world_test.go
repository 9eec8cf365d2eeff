package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	prototypeName = "course-outliner"
	reviewName    = "course-outliner-3"
)

// world is a cluster with one prototype, one review and one person, and the terminal in front of it.
type world struct {
	t      *testing.T
	client client.WithWatch
	clock  *clocktesting.FakeClock
	in     string
	out    *output
	errOut *output

	person string
	roles  map[string]bool
	// create, get and patch stand before the cluster; each may be nil.
	create func(context.Context, client.WithWatch, client.Object) error
	get    func(client.ObjectKey, client.Object) error
	patch  func(client.WithWatch, client.Object) error
}

// newWorld takes the objects of one of describe's cases.
func newWorld(t *testing.T, name string) *world {
	t.Helper()
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, out: newOutput(), errOut: newOutput(), person: "security-reviewer@example.org",
		clock: clocktesting.NewFakeClock(time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)),
	}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(newMapper()).
		WithStatusSubresource(&v1alpha1.AIPrototype{}, &v1alpha1.HardeningReview{})
	if name != "" {
		builder.WithObjects(read(t, name, "prototype.yaml", &v1alpha1.AIPrototype{}))
		if _, err := os.Stat(filepath.Join("describe/testdata", name, "review.yaml")); err == nil {
			builder.WithObjects(read(t, name, "review.yaml", &v1alpha1.HardeningReview{}))
		}
	}
	w.client = builder.WithInterceptorFuncs(interceptor.Funcs{Create: w.created, Get: w.got, Patch: w.patched}).Build()
	return w
}

func read[T client.Object](t *testing.T, name, file string, into T) T {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("describe/testdata", name, file))
	if err == nil {
		err = yaml.UnmarshalStrict(content, into)
	}
	if err != nil {
		t.Fatal(err)
	}
	return into
}

// created answers who one is and what one may, as an API server does, and passes everything else on.
func (w *world) created(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
	switch question := object.(type) {
	case *authenticationv1.SelfSubjectReview:
		question.Status.UserInfo.Username = w.person
		return nil
	case *authorizationv1.SelfSubjectAccessReview:
		asked := question.Spec.ResourceAttributes
		question.Status.Allowed = asked.Verb == "approve" && asked.Group == "affineur.dev" &&
			asked.Resource == "hardeningroles" && asked.Namespace == "education" && w.roles[asked.Name]
		return nil
	}
	if w.create != nil {
		return w.create(ctx, c, object)
	}
	return c.Create(ctx, object, options...)
}

func (w *world) got(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if err := c.Get(ctx, key, object, options...); err != nil {
		return err
	}
	if w.get != nil {
		return w.get(key, object)
	}
	return nil
}

func (w *world) patched(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
	if w.patch != nil {
		if err := w.patch(c, object); err != nil {
			return err
		}
	}
	return c.Patch(ctx, object, patch, options...)
}

func (w *world) environment() Environment {
	return Environment{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(w.in), Out: w.out, ErrOut: w.errOut},
		Clock:     w.clock,
		Connect:   func() (Session, error) { return Session{Client: w.client, Namespace: "education"}, nil },
	}
}

// play types a command and returns its exit code.
func (w *world) play(ctx context.Context, args ...string) int {
	w.t.Helper()
	return run(ctx, args, w.environment(), genericclioptions.NewConfigFlags(true))
}

func (w *world) prototype() *v1alpha1.AIPrototype {
	w.t.Helper()
	prototype := &v1alpha1.AIPrototype{}
	w.fetch(prototypeName, prototype)
	return prototype
}

func (w *world) review() *v1alpha1.HardeningReview {
	w.t.Helper()
	review := &v1alpha1.HardeningReview{}
	w.fetch(reviewName, review)
	return review
}

func (w *world) fetch(name string, into client.Object) {
	w.t.Helper()
	if err := w.client.Get(context.Background(), client.ObjectKey{Namespace: "education", Name: name}, into); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) decisions() []v1alpha1.HardeningDecision {
	w.t.Helper()
	list := &v1alpha1.HardeningDecisionList{}
	if err := w.client.List(context.Background(), list); err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// report writes a status, as the operator does.
func (w *world) report(object client.Object) {
	w.t.Helper()
	if err := w.client.Status().Update(context.Background(), object); err != nil {
		w.t.Error(err)
	}
}

// expect checks the exit code and that each text was said on out or errOut.
func (w *world) expect(code, want int, texts ...string) {
	w.t.Helper()
	if code != want {
		w.t.Errorf("exit code %d, want %d", code, want)
	}
	for _, text := range texts {
		if !strings.Contains(w.out.String()+w.errOut.String(), text) {
			w.t.Errorf("nothing says %q", text)
		}
	}
	if w.t.Failed() {
		w.t.Logf("out:\n%s\nerr:\n%s", w.out, w.errOut)
	}
}

// output is a buffer that tells of each write.
type output struct {
	lock    sync.Mutex
	content bytes.Buffer
	writes  chan string
}

func newOutput() *output { return &output{writes: make(chan string, 100)} }

func (o *output) Write(p []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.writes <- string(p)
	return o.content.Write(p)
}

func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.content.String()
}

// next waits for a write.
func (o *output) next(t *testing.T) string {
	t.Helper()
	select {
	case text := <-o.writes:
		return text
	case <-time.After(20 * time.Second):
		t.Fatal("nothing more was written")
		return ""
	}
}
