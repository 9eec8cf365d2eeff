package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/affineur/affineur/api/v1alpha1"
	generated "github.com/affineur/affineur/api/v1alpha1/applyconfiguration"
	"github.com/affineur/affineur/internal/names"
)

const space = "affx-education-outliner-12345678"

var (
	ours   = names.Identity{Namespace: "education", Name: "outliner", UID: "uid-1"}
	theirs = names.Identity{Namespace: "education", Name: "outliner", UID: "uid-2"}
)

// server is a fake API server that logs every write and can fill in defaults as a real one does.
type server struct {
	*testing.T
	client.WithWatch
	writes   []string
	defaults func(o client.Object)
}

func newServer(t *testing.T, objects ...client.Object) (*server, *Writer) {
	t.Helper()
	return serve(t, fake.NewClientBuilder().WithObjects(objects...))
}

func serve(t *testing.T, builder *fake.ClientBuilder) (*server, *Writer) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	s := &server{T: t, defaults: func(client.Object) {}}
	log := func(verb string, o client.Object) {
		s.writes = append(s.writes, fmt.Sprintf("%s %T %s", verb, o, o.GetName()))
	}
	s.WithWatch = builder.WithScheme(scheme).
		WithStatusSubresource(&v1alpha1.HardeningReview{}).
		WithTypeConverters(generated.NewTypeConverter(scheme), managedfields.NewDeducedTypeConverter()).
		WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				log("create", o)
				s.defaults(o)
				return c.Create(ctx, o, opts...)
			},
			Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
				log("update", o)
				s.defaults(o)
				return c.Update(ctx, o, opts...)
			},
			Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
				log("delete", o)
				return c.Delete(ctx, o, opts...)
			},
		}).Build()
	return s, &Writer{Client: s, Live: s}
}

func (s *server) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// wrote checks and forgets the writes since the last look.
func (s *server) wrote(want ...string) {
	s.Helper()
	if !slices.Equal(s.writes, want) {
		s.Errorf("wrote %q, want %q", s.writes, want)
	}
	s.writes = nil
}

func service(identity names.Identity) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: "prototype", Labels: identity.Labels("prototype"), Annotations: map[string]string{"affineur.dev/subject": "sha256:1"}},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"a": "b"}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

func (s *server) ensure(w *Writer, o client.Object, want Outcome) {
	s.Helper()
	got, err := w.Ensure(s.Context(), o)
	s.must(err)
	if got != want {
		s.Errorf("%s, want %s", got, want)
	}
}

func TestEnsure(t *testing.T) {
	s, w := newServer(t)
	// A real server fills in what nobody asked for.
	s.defaults = func(o client.Object) {
		if service, ok := o.(*corev1.Service); ok {
			service.Spec.ClusterIP = "203.0.113.9"
			service.Spec.Ports[0].Protocol = corev1.ProtocolTCP
		}
	}
	s.ensure(w, service(ours), Created)
	s.wrote("create *v1.Service prototype")
	s.ensure(w, service(ours), Unchanged)
	s.wrote()

	var live corev1.Service
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(service(ours)), &live))
	live.Spec.Selector = map[string]string{"somebody": "else"}
	live.Labels[v1alpha1.LabelPrototype] = "renamed"
	live.Labels["tracker"] = "another's"
	s.must(s.Update(t.Context(), &live))
	s.writes = nil
	s.ensure(w, service(ours), Updated)
	s.wrote("update *v1.Service prototype")
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(&live), &live))
	if live.Spec.Selector["a"] != "b" || live.Labels[v1alpha1.LabelPrototype] != "outliner" {
		t.Errorf("drift was not put back: %+v", live)
	}
	if live.Labels["tracker"] != "another's" {
		t.Error("another's label was taken away")
	}

	live.Annotations["somebody.example.org/note"] = "x"
	s.must(s.Update(t.Context(), &live))
	s.writes = nil
	s.ensure(w, service(ours), Unchanged)
	s.wrote()

	wanted := service(ours)
	wanted.Spec.Ports[0].Port = 81
	s.ensure(w, wanted, Updated)
	s.must(s.Delete(t.Context(), wanted))
	s.ensure(w, wanted, Created)
}

// TestEnsureAfterRestart: nothing is remembered, and a write that changes nothing is no change.
func TestEnsureAfterRestart(t *testing.T) {
	s, w := newServer(t)
	s.ensure(w, service(ours), Created)
	again := &Writer{Client: s, Live: s}
	s.writes = nil
	if _, err := again.Ensure(t.Context(), service(ours)); err != nil {
		t.Fatal(err)
	}
	s.writes = nil
	s.ensure(again, service(ours), Unchanged)
	s.wrote()
}

func TestEnsureNeverAdopts(t *testing.T) {
	unlabelled := service(ours)
	unlabelled.Labels = nil
	for name, squatter := range map[string]*corev1.Service{"another prototype's": service(theirs), "nobody's": unlabelled} {
		squatter.Spec.Selector = map[string]string{"squats": "here"}
		s, w := newServer(t, squatter)
		for _, try := range []func() (Outcome, error){
			func() (Outcome, error) { return w.Ensure(t.Context(), service(ours)) },
			func() (Outcome, error) { return w.CreateOnce(t.Context(), service(ours)) },
		} {
			_, err := try()
			var conflict *ConflictError
			if !errors.As(err, &conflict) || conflict.Kind != "Service" || conflict.Name != "prototype" || !strings.Contains(err.Error(), space) {
				t.Errorf("%s: %v", name, err)
			}
		}
		var live corev1.Service
		s.must(s.Get(t.Context(), client.ObjectKeyFromObject(squatter), &live))
		if live.Spec.Selector["squats"] != "here" {
			t.Errorf("%s was overwritten", name)
		}
	}
}

// blind is a cache that does not show what is there: it lags, or its filter leaves it out.
type blind struct{ client.Client }

func (blind) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(corev1.Resource("services"), key.Name)
}

func TestEnsureLooksPastTheCache(t *testing.T) {
	s, w := newServer(t)
	s.ensure(w, service(ours), Created)
	lagging := &Writer{Client: blind{s}, Live: s}
	changed := service(ours)
	changed.Spec.Ports[0].Port = 81
	s.ensure(lagging, changed, Updated)

	s, _ = newServer(t, service(theirs))
	_, err := (&Writer{Client: blind{s}, Live: s}).Ensure(t.Context(), service(ours))
	var conflict *ConflictError
	if !errors.As(err, &conflict) {
		t.Errorf("a foreign object behind the cache: %v", err)
	}
}

func TestEnsureAll(t *testing.T) {
	s, w := newServer(t)
	second := service(ours)
	second.Name = "second"
	s.ensure(w, second, Created)
	got, err := w.EnsureAll(t.Context(), service(ours), second)
	s.must(err)
	if !slices.Equal(got, []Outcome{Created, Unchanged}) {
		t.Errorf("outcomes %v", got)
	}
}

// What can't be written keeps nothing else from being written, and each is told.
func TestEnsureAllGoesOn(t *testing.T) {
	s, w := newServer(t, service(theirs))
	w.FanOut = 1
	second := service(ours)
	second.Name = "second"
	got, err := w.EnsureAll(t.Context(), service(ours), second)
	var conflict *ConflictError
	if !errors.As(err, &conflict) || conflict.Name != "prototype" {
		t.Errorf("the conflict is not told: %v", err)
	}
	if !slices.Equal(got, []Outcome{"", Created}) {
		t.Errorf("outcomes %q", got)
	}
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(second), &corev1.Service{}))
}

func TestCreateOnce(t *testing.T) {
	s, w := newServer(t)
	for _, want := range []Outcome{Created, Unchanged} {
		wanted := service(ours)
		if want == Unchanged {
			wanted.Spec.Ports[0].Port = 9
		}
		got, err := w.CreateOnce(t.Context(), wanted)
		s.must(err)
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	var live corev1.Service
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(service(ours)), &live))
	if live.Spec.Ports[0].Port != 80 {
		t.Error("what is made once was changed")
	}
}

func secret(value string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: space, Name: "key", Labels: ours.Labels("credential")},
		Data:       map[string][]byte{"key": []byte(value)},
	}
}

// TestSecretsAreLookedAtSparingly: no request for one that was written a moment ago, one for another value, and one
// after a while, because no watch tells.
func TestSecretsAreLookedAtSparingly(t *testing.T) {
	s, w := newServer(t)
	now := time.Unix(1e9, 0)
	w.Now = func() time.Time { return now }
	s.ensure(w, secret("one"), Created)
	changed := secret("forged")
	s.must(s.Update(t.Context(), changed))
	s.writes = nil
	s.ensure(w, secret("one"), Unchanged)
	s.wrote()
	s.ensure(w, secret("two"), Updated)

	s.must(s.Update(t.Context(), secret("forged")))
	now = now.Add(secretsFresh)
	s.ensure(w, secret("two"), Updated)
	var live corev1.Secret
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(changed), &live))
	if string(live.Data["key"]) != "two" {
		t.Errorf("holds %s", live.Data["key"])
	}
}

// A Secret that was removed is made again when it is wanted again, however recently it was looked at.
func TestRemovedSecretIsMadeAgain(t *testing.T) {
	s, w := newServer(t)
	s.ensure(w, secret("one"), Created)
	s.must(w.Remove(t.Context(), secret("one")))
	s.ensure(w, secret("one"), Created)
}

// What was written into a namespace is gone with it, also where another took its name unseen.
func TestSecretsAreMadeAgainInANewNamespace(t *testing.T) {
	for name, seen := range map[string]Outcome{"made by the writer": Created, "made by a write whose answer was lost": Updated} {
		s, w := newServer(t)
		made := func(uid types.UID) *corev1.Namespace {
			out := managed(ours)
			out.UID = uid
			return out
		}
		s.ensure(w, made("first"), Created)
		s.ensure(w, secret("one"), Created)
		s.must(s.Delete(t.Context(), secret("one")))
		s.must(s.Delete(t.Context(), managed(ours)))
		if seen == Updated {
			s.must(s.Create(t.Context(), made("second")))
		}
		s.ensure(w, made("second"), seen)
		if got, err := w.Ensure(t.Context(), secret("one")); err != nil || got != Created {
			t.Errorf("%s: the Secret is %s, %v", name, got, err)
		}
	}
}

// An update whose answer is an error may have been made: nothing is known of the object until it is looked at.
func TestNothingIsKnownAfterAFailedUpdate(t *testing.T) {
	s, w := newServer(t)
	s.ensure(w, service(ours), Created)
	lost, cached := w.Client, &corev1.Service{}
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(service(ours)), cached))
	w.Client = interceptor.NewClient(s, interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return errors.Join(c.Update(ctx, o, opts...), errors.New("the answer was lost"))
		},
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
			cached.DeepCopyInto(o.(*corev1.Service))
			return nil
		},
	})
	other := service(ours)
	other.Annotations["affineur.dev/subject"] = "sha256:2"
	if _, err := w.Ensure(t.Context(), other); err == nil {
		t.Fatal("the lost answer is not told")
	}
	if outcome, err := w.Ensure(t.Context(), service(ours)); outcome == Unchanged {
		t.Errorf("a lagging cache passes for the present: %s, %v", outcome, err)
	}
	w.Client = lost
	s.ensure(w, service(ours), Updated)
}

func managed(identity names.Identity) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: space, UID: "namespace-uid", Labels: identity.Labels("sandbox")}}
}

func inside(o client.Object, name string) client.Object {
	o.SetNamespace(space)
	o.SetName(name)
	o.SetLabels(ours.Labels("prototype"))
	return o
}

// TestStatus: an owner sets its own fields, and takes its own back; what others wrote stays.
func TestStatus(t *testing.T) {
	review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: "education", Name: "outliner-1", UID: "review-uid"}}
	s, _ := newServer(t, review)
	condition := func(kind string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "Test", LastTransitionTime: metav1.NewTime(time.Unix(1e9, 0))}
	}
	write := func(owner string, status v1alpha1.HardeningReviewStatus) {
		t.Helper()
		object := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: "education", Name: "outliner-1"}, Status: status}
		s.must(Status(t.Context(), s, object, owner))
	}
	read := func() v1alpha1.HardeningReviewStatus {
		t.Helper()
		var live v1alpha1.HardeningReview
		s.must(s.Get(t.Context(), client.ObjectKeyFromObject(review), &live))
		return live.Status
	}
	write("one", v1alpha1.HardeningReviewStatus{
		Outcome: v1alpha1.OutcomePromoted, Summary: &v1alpha1.Summary{Gates: "3/3"}, Conditions: []metav1.Condition{condition("Ready"), condition("Approved")},
	})
	write("two", v1alpha1.HardeningReviewStatus{
		Promotion: &v1alpha1.PromotionStatus{Step: v1alpha1.StepServing, URL: "http://x"}, Conditions: []metav1.Condition{condition("Promoted")},
	})
	got := read()
	if got.Outcome != v1alpha1.OutcomePromoted || got.Promotion == nil || len(got.Conditions) != 3 {
		t.Fatalf("one owner took the other's fields: %+v", got)
	}
	write("one", v1alpha1.HardeningReviewStatus{Outcome: v1alpha1.OutcomePromoted, Conditions: []metav1.Condition{condition("Ready")}})
	write("two", v1alpha1.HardeningReviewStatus{Promotion: &v1alpha1.PromotionStatus{Step: v1alpha1.StepRetired}, Conditions: []metav1.Condition{condition("Promoted")}})
	got = read()
	if got.Summary != nil || apimeta.FindStatusCondition(got.Conditions, "Approved") != nil || got.Promotion.URL != "" {
		t.Errorf("what an owner no longer says stays: %+v", got)
	}
	if apimeta.FindStatusCondition(got.Conditions, "Promoted") == nil || got.Outcome != v1alpha1.OutcomePromoted {
		t.Errorf("what others say went: %+v", got)
	}
}
