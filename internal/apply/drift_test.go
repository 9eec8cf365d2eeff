package apply

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/affineur/affineur/api/v1alpha1"
)

// naming is a server that tells who wrote.
func naming(t *testing.T, objects ...client.Object) (*server, *Writer) {
	t.Helper()
	return serve(t, fake.NewClientBuilder().WithObjects(objects...).WithReturnManagedFields())
}

// tells checks what drifted since the last look.
func (s *server) tells(w *Writer, want ...string) {
	s.Helper()
	var got []string
	for _, d := range w.Drifts(space) {
		got = append(got, d.String())
	}
	if !slices.Equal(got, want) {
		s.Errorf("tells %q, want %q", got, want)
	}
}

// meddle changes the live Service as somebody else.
func (s *server) meddle(edit func(*corev1.Service)) {
	s.Helper()
	var live corev1.Service
	s.must(s.Get(s.Context(), client.ObjectKeyFromObject(service(ours)), &live))
	edit(&live)
	s.must(s.Update(s.Context(), &live, client.FieldOwner("kubectl-edit")))
}

func redirect(live *corev1.Service) { live.Spec.Selector = map[string]string{"somebody": "else"} }

func TestDriftIsToldOnce(t *testing.T) {
	s, w := naming(t)
	s.ensure(w, service(ours), Created)
	s.tells(w)
	s.meddle(redirect)
	s.ensure(w, service(ours), Updated)
	s.tells(w, "Service prototype was changed by field manager kubectl-edit, and is as it was again")
	s.ensure(w, service(ours), Unchanged)
	s.tells(w)
	s.must(s.Delete(t.Context(), service(ours)))
	s.ensure(w, service(ours), Created)
	s.tells(w, "Service prototype was deleted, and is there again")
}

// Somebody else may write in between, as a controller does into what was made a moment ago: the drift is told all the same.
func TestDriftIsToldAfterAConflict(t *testing.T) {
	s, w := naming(t)
	s.ensure(w, service(ours), Created)
	s.meddle(redirect)
	server := w.Client
	w.Client = interceptor.NewClient(s, interceptor.Funcs{
		Update: func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.UpdateOption) error {
			return apierrors.NewConflict(corev1.Resource("services"), o.GetName(), errors.New("somebody was faster"))
		},
	})
	if _, err := w.Ensure(t.Context(), service(ours)); !apierrors.IsConflict(err) {
		t.Fatalf("no conflict: %v", err)
	}
	w.Client = server
	s.ensure(w, service(ours), Updated)
	s.tells(w, "Service prototype was changed by field manager kubectl-edit, and is as it was again")
}

// An answer can get lost, whether or not what was asked was done: the drift is told all the same, and once.
func TestDriftIsToldAfterALostAnswer(t *testing.T) {
	errLost := errors.New("the connection was closed")
	for name, test := range map[string]struct {
		meddle func(*server)
		done   bool
		want   string
	}{
		"changed, put back":       {func(s *server) { s.meddle(redirect) }, true, "Service prototype was changed by field manager kubectl-edit, and is as it was again"},
		"changed, not put back":   {func(s *server) { s.meddle(redirect) }, false, "Service prototype was changed by field manager kubectl-edit, and is as it was again"},
		"deleted, made again":     {func(s *server) { s.must(s.Delete(t.Context(), service(ours))) }, true, "Service prototype was deleted, and is there again"},
		"deleted, not made again": {func(s *server) { s.must(s.Delete(t.Context(), service(ours))) }, false, "Service prototype was deleted, and is there again"},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := naming(t)
			s.ensure(w, service(ours), Created)
			test.meddle(s)
			server := w.Client
			w.Client = interceptor.NewClient(s, interceptor.Funcs{
				Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
					if test.done {
						s.must(c.Update(ctx, o, options...))
					}
					return errLost
				},
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
					if test.done {
						s.must(c.Create(ctx, o, options...))
					}
					return errLost
				},
			})
			if _, err := w.Ensure(t.Context(), service(ours)); !errors.Is(err, errLost) {
				t.Fatalf("the lost answer is not told: %v", err)
			}
			s.tells(w)
			w.Client = server
			for range 2 {
				_, err := w.Ensure(t.Context(), service(ours))
				s.must(err)
			}
			s.tells(w, test.want)
			_, err := w.Ensure(t.Context(), service(ours))
			s.must(err)
			s.tells(w)
		})
	}
}

// The operator's own changes are no drift: another wish, something that it removed, edited or gave up itself.
func TestOwnChangesAreNoDrift(t *testing.T) {
	s, w := naming(t, managed(ours))
	s.ensure(w, service(ours), Created)
	other := service(ours)
	other.Spec.Ports[0].Port = 81
	s.ensure(w, other, Updated)

	var live corev1.Service
	s.must(s.Get(t.Context(), client.ObjectKeyFromObject(other), &live))
	redirect(&live)
	s.must(w.Put(t.Context(), &live))
	s.ensure(w, other, Updated)

	s.must(w.Remove(t.Context(), other))
	s.ensure(w, other, Created)

	_, err := w.Teardown(t.Context(), space, ours.UID)
	s.must(err)
	s.must(s.Delete(t.Context(), other))
	s.ensure(w, other, Created)
	s.ensure(w, managed(ours), Created)
	s.tells(w)
}

func TestDeletedNamespaceIsDrift(t *testing.T) {
	s, w := naming(t)
	wanted := managed(ours)
	s.ensure(w, wanted, Created)
	s.must(s.Delete(t.Context(), managed(ours)))
	s.ensure(w, wanted, Created)
	s.tells(w, "Namespace "+space+" was deleted, and is there again")
}

// Whoever takes our labels off what we made does not make it foreign; another object of its name is.
func TestUnlabelledIsStillOurs(t *testing.T) {
	s, w := naming(t)
	born := func(uid string) *corev1.Service {
		made := service(ours)
		made.UID = types.UID(uid)
		return made
	}
	s.ensure(w, born("first"), Created)
	s.meddle(func(live *corev1.Service) { live.Labels = map[string]string{v1alpha1.LabelManagedBy: "helm"} })
	s.ensure(w, born("first"), Updated)
	s.tells(w, "Service prototype was changed by field manager kubectl-edit, and is as it was again")

	s.must(s.Delete(t.Context(), service(ours)))
	squatter := born("second")
	squatter.Labels = nil
	s.must(s.Create(t.Context(), squatter))
	if _, err := w.Ensure(t.Context(), service(ours)); err == nil {
		t.Error("a foreign object was adopted")
	}
}

func TestLastAuthor(t *testing.T) {
	at := func(seconds int64) *metav1.Time { return &metav1.Time{Time: time.Unix(seconds, 0)} }
	entry := func(manager, subresource string, seconds int64) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, Time: at(seconds)}
	}
	for name, test := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		"nobody":               {nil, ""},
		"only us":              {[]metav1.ManagedFieldsEntry{entry(Owner, "", 1)}, ""},
		"another before us":    {[]metav1.ManagedFieldsEntry{entry("kubectl", "", 1), entry(Owner, "", 2)}, ""},
		"another after us":     {[]metav1.ManagedFieldsEntry{entry(Owner, "", 1), entry("kubectl", "", 2)}, "kubectl"},
		"in the same second":   {[]metav1.ManagedFieldsEntry{entry("kubectl", "", 2), entry(Owner, "", 2)}, "kubectl"},
		"a status":             {[]metav1.ManagedFieldsEntry{entry(Owner, "", 1), entry("kube-controller-manager", "status", 2)}, ""},
		"scaled":               {[]metav1.ManagedFieldsEntry{entry(Owner, "", 1), entry("kubectl", "scale", 2)}, "kubectl"},
		"the latest of others": {[]metav1.ManagedFieldsEntry{entry("b", "", 3), entry(Owner, "", 1), entry("a", "", 2)}, "b"},
	} {
		if got := lastAuthor(test.entries); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// A deletion is for the object that was looked at: one that took its name meanwhile stays.
func TestRemoveMeansOneObject(t *testing.T) {
	s, w := naming(t)
	var asked client.DeleteOptions
	w.Client = interceptor.NewClient(s, interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			asked.ApplyOptions(options)
			return apierrors.NewConflict(corev1.Resource("services"), o.GetName(), errors.New("the UID differs"))
		},
	})
	seen := service(ours)
	seen.UID = "seen"
	if err := w.Remove(t.Context(), seen); !apierrors.IsConflict(err) {
		t.Errorf("another one of its name: %v", err)
	}
	if asked.Preconditions == nil || asked.Preconditions.UID == nil || *asked.Preconditions.UID != "seen" {
		t.Errorf("deleted under the preconditions %+v", asked.Preconditions)
	}
}
