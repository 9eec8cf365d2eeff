// Package apply is the one way in which whole objects are written: created when absent, updated when they really
// differ, never adopted.
package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Outcome of writing one object.
type Outcome string

const (
	// Created means that it was absent.
	Created Outcome = "Created"
	// Updated means that it differed.
	Updated Outcome = "Updated"
	// Unchanged means that it was as wanted; no request was made.
	Unchanged Outcome = "Unchanged"
)

// fanOut is how many objects are written at once where nobody says otherwise.
const fanOut = 8

// ConflictError means that an object of the wanted name exists and is not ours. Nothing is adopted: whoever made
// it has to take it away.
type ConflictError struct {
	Kind, Namespace, Name string
}

func (e *ConflictError) Error() string {
	where := e.Name
	if e.Namespace != "" {
		where = e.Namespace + "/" + e.Name
	}
	return fmt.Sprintf("%s %s exists and does not belong to this prototype", e.Kind, where)
}

// Writer writes whole objects. Its client's cache holds only objects that carry our label, so a foreign object is
// invisible in it; Live reads past the cache.
//
// To tell a real difference from what the server filled in, the writer remembers, for every object, what the
// server made of the last thing it wrote. An object that is still so needs no request. After a restart nothing is
// remembered and every object is written once; the server recognises a write without a change and keeps the
// version.
//
// Secrets are in no cache: the operator may read them only inside the namespaces that it manages, so it can't watch
// them. One that it wrote is looked at again after secretsFresh at the latest.
type Writer struct {
	Client client.Client
	Live   client.Reader
	// FanOut bounds how many objects are written at once; 8 where it is 0, and in order where it is 1.
	FanOut int
	// Now tells the time; time.Now where it is nil.
	Now func() time.Time
	// Rights are what the operator needs in a managed namespace; nil where it needs none there. They are made again
	// where they are lost; nowhere if this is nil.
	Rights func(*corev1.Namespace) *rbacv1.RoleBinding

	mutex   sync.Mutex
	written map[key]memory
	looked  map[key]time.Time
	// namespaces by name: what is remembered of the objects in one is over when another takes its name.
	namespaces map[string]types.UID
	// drifts are what was put back, by namespace, until somebody tells it. Doubts are what may have been put back by a
	// write whose answer got lost, until the object is seen again.
	drifts map[string][]Drift
	doubts map[key]Drift
}

// secretsFresh is how long a Secret that was written counts as unchanged without another look.
const secretsFresh = 10 * time.Minute

// EnsureAll writes objects that do not depend on each other side by side, and tells which changed. One that can't be
// written keeps no other from being so; the errors are told together, in the order of the objects.
func (w *Writer) EnsureAll(ctx context.Context, wanted ...client.Object) ([]Outcome, error) {
	outcomes, failed := make([]Outcome, len(wanted)), make([]error, len(wanted))
	var group errgroup.Group
	group.SetLimit(cmp.Or(w.FanOut, fanOut))
	for i, object := range wanted {
		group.Go(func() error {
			outcomes[i], failed[i] = w.Ensure(ctx, object)
			return nil
		})
	}
	// Every error is in its place; the group knows of none.
	_ = group.Wait()
	return outcomes, errors.Join(failed...)
}

// Ensure makes the cluster's object equal to the wanted one in everything but its status. The wanted object
// carries the ownership labels of names.Identity; if it is created now, it gets the time at which it was. A *ConflictError says that a foreign object is in the way.
func (w *Writer) Ensure(ctx context.Context, wanted client.Object) (Outcome, error) {
	kind, err := apiutil.GVKForObject(wanted, w.Client.Scheme())
	if err != nil {
		return "", err
	}
	if w.fresh(kind, wanted) {
		return Unchanged, nil
	}
	live := wanted.DeepCopyObject().(client.Object)
	err = w.Client.Get(ctx, client.ObjectKeyFromObject(wanted), live)
	switch {
	case apierrors.IsNotFound(err):
		return w.create(ctx, kind, wanted)
	case err != nil:
		return "", err
	}
	return w.update(ctx, kind, wanted, live)
}

func (w *Writer) create(ctx context.Context, kind schema.GroupVersionKind, wanted client.Object) (Outcome, error) {
	made := wanted.DeepCopyObject().(client.Object)
	err := w.Client.Create(ctx, made, client.FieldOwner(Owner))
	if apierrors.IsAlreadyExists(err) {
		return w.squatted(ctx, kind, wanted)
	}
	// Asked before what is remembered goes with a namespace that was replaced.
	lost := w.wrote(kind, wanted)
	if err != nil {
		if lost {
			w.doubt(kind, wanted, Drift{Deleted: true})
		}
		return "", err
	}
	w.meet(made)
	w.settle(kind, wanted)
	if lost {
		w.drifted(kind, wanted, Drift{Deleted: true})
	}
	err = w.remember(kind, wanted, made)
	wanted.SetCreationTimestamp(made.GetCreationTimestamp())
	return Created, err
}

// squatted looks past the cache: either the cache lags behind our own creation, or somebody else was first.
func (w *Writer) squatted(ctx context.Context, kind schema.GroupVersionKind, wanted client.Object) (Outcome, error) {
	live := wanted.DeepCopyObject().(client.Object)
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(wanted), live); err != nil {
		return "", err
	}
	return w.update(ctx, kind, wanted, live)
}

func (w *Writer) update(ctx context.Context, kind schema.GroupVersionKind, wanted, live client.Object) (Outcome, error) {
	if !Ours(live, wanted) && !w.made(kind, live) {
		return "", &ConflictError{Kind: kind.Kind, Namespace: wanted.GetNamespace(), Name: wanted.GetName()}
	}
	w.meet(live)
	same, err := w.remembered(kind, wanted, live)
	if err != nil || same {
		w.settle(kind, wanted)
		return Unchanged, err
	}
	drifted, by := w.wrote(kind, wanted), ""
	if drifted {
		// Asked before the object is written again.
		by = w.author(ctx, live)
	}
	next := wanted.DeepCopyObject().(client.Object)
	next.SetResourceVersion(live.GetResourceVersion())
	next.SetUID(live.GetUID())
	// Others may label and annotate (the deployment controller does); only our own keys are ours to set.
	next.SetLabels(merged(live.GetLabels(), wanted.GetLabels()))
	next.SetAnnotations(merged(live.GetAnnotations(), wanted.GetAnnotations()))
	next.SetFinalizers(live.GetFinalizers())
	if err := w.Client.Update(ctx, next, client.FieldOwner(Owner)); err != nil {
		// It may have been made all the same: an answer can get lost. A conflict is an answer: nothing was made, and what
		// drifted is still to be told.
		if !apierrors.IsConflict(err) {
			w.unlearn(kind, wanted)
			if drifted {
				w.doubt(kind, wanted, Drift{By: by})
			}
		}
		return "", err
	}
	w.settle(kind, wanted)
	if err := w.remember(kind, wanted, next); err != nil {
		return "", err
	}
	if next.GetResourceVersion() == live.GetResourceVersion() {
		return Unchanged, nil
	}
	if drifted {
		w.drifted(kind, wanted, Drift{By: by})
	}
	return Updated, nil
}

// CreateOnce makes an object that never changes afterwards: a record, a report, a Job. One that is there and ours
// stays as it is.
func (w *Writer) CreateOnce(ctx context.Context, wanted client.Object) (Outcome, error) {
	made := wanted.DeepCopyObject().(client.Object)
	err := w.Client.Create(ctx, made, client.FieldOwner(Owner))
	if !apierrors.IsAlreadyExists(err) {
		return Created, err
	}
	live := wanted.DeepCopyObject().(client.Object)
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(wanted), live); err != nil {
		return "", err
	}
	if !Ours(live, wanted) {
		kind, err := apiutil.GVKForObject(wanted, w.Client.Scheme())
		if err != nil {
			return "", err
		}
		return "", &ConflictError{Kind: kind.Kind, Namespace: wanted.GetNamespace(), Name: wanted.GetName()}
	}
	return Unchanged, nil
}

// Ours tells whether the live object belongs to the same prototype as the wanted one.
func Ours(live, wanted client.Object) bool {
	have, want := live.GetLabels(), wanted.GetLabels()
	return have[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy &&
		have[v1alpha1.LabelPrototypeUID] == want[v1alpha1.LabelPrototypeUID]
}

// fresh tells whether a Secret is as wanted as far as was seen a short while ago.
func (w *Writer) fresh(kind schema.GroupVersionKind, wanted client.Object) bool {
	if kind.Kind != "Secret" {
		return false
	}
	want, err := content(wanted, wanted)
	if err != nil {
		return false
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	at := key{kind, wanted.GetNamespace(), wanted.GetName()}
	return w.written[at].wanted == want && w.now().Sub(w.looked[at]) < secretsFresh
}

func (w *Writer) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

func merged(have, want map[string]string) map[string]string {
	out := maps.Clone(have)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, want)
	if len(out) == 0 {
		return nil
	}
	return out
}

// Status applies the status of an object under a field owner: the fields that the given object carries become the
// owner's, and those that it carried before and no longer does go. The resourceVersion, if the object has one,
// guards against a change in between.
func Status(ctx context.Context, c client.Client, object client.Object, owner string) error {
	kind, err := apiutil.GVKForObject(object, c.Scheme())
	if err != nil {
		return err
	}
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	patch := &unstructured.Unstructured{Object: map[string]any{"status": raw["status"]}}
	patch.SetGroupVersionKind(kind)
	patch.SetNamespace(object.GetNamespace())
	patch.SetName(object.GetName())
	patch.SetUID(object.GetUID())
	patch.SetResourceVersion(object.GetResourceVersion())
	return c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), client.FieldOwner(owner), client.ForceOwnership)
}
