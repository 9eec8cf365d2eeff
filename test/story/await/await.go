// Package await waits for objects by watching them: it learns of a change when it happens, and asks nothing meanwhile.
package await

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// pause before a watch that the server ended is opened again.
const pause = 200 * time.Millisecond

// Object waits until an object is as done wants it, and leaves its newest state in object. done is asked at every
// change, and its error ends the wait; while the object is not there, it is not asked.
func Object[T client.Object](ctx context.Context, c client.WithWatch, object T, done func(T) (bool, error)) error {
	return follow(ctx, c, object, func(found client.Object) (bool, error) {
		if found == nil {
			return false, nil
		}
		reflect.ValueOf(object).Elem().Set(reflect.ValueOf(found.DeepCopyObject()).Elem())
		return done(object)
	})
}

// Gone waits until the object is not there any more.
func Gone(ctx context.Context, c client.WithWatch, object client.Object) error {
	return follow(ctx, c, object, func(found client.Object) (bool, error) { return found == nil, nil })
}

// Until tries again until it works or the context ends: for what no single object's watch can tell.
func Until(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// NothingLeft waits until no namespace, run or opening that was made for a prototype is there.
func NothingLeft(ctx context.Context, c client.WithWatch, prototype names.Identity) error {
	for _, name := range []string{prototype.Sandbox(), prototype.Rehearsal(), prototype.Production()} {
		if err := Gone(ctx, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			return err
		}
	}
	gates, ours := client.InNamespace(v1alpha1.GatesNamespace), client.MatchingLabels{v1alpha1.LabelPrototypeUID: prototype.UID}
	return Until(ctx, func() error {
		var jobs batchv1.JobList
		var policies networkingv1.NetworkPolicyList
		if err := errors.Join(c.List(ctx, &jobs, gates, ours), c.List(ctx, &policies, gates, ours)); err != nil {
			return err
		}
		if len(jobs.Items)+len(policies.Items) > 0 {
			return fmt.Errorf("of %s, %d jobs and %d network policies are left in %s",
				prototype.Name, len(jobs.Items), len(policies.Items), v1alpha1.GatesNamespace)
		}
		return nil
	})
}

// look judges one state of an object, nil for its absence.
type look func(client.Object) (bool, error)

func follow(ctx context.Context, c client.WithWatch, object client.Object, look look) error {
	key := client.ObjectKeyFromObject(object)
	list, err := listOf(c, object)
	if err != nil {
		return err
	}
	for {
		done, err := once(ctx, c, key, list.DeepCopyObject().(client.ObjectList), look)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %T %s: %w", object, key, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

func listOf(c client.Client, object client.Object) (client.ObjectList, error) {
	kind, err := apiutil.GVKForObject(object, c.Scheme())
	if err != nil {
		return nil, err
	}
	made, err := c.Scheme().New(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err != nil {
		return nil, err
	}
	list, fits := made.(client.ObjectList)
	if !fits {
		return nil, fmt.Errorf("%T is no list", made)
	}
	return list, nil
}

// once lists, then watches from there until the server ends the watch.
func once(ctx context.Context, c client.WithWatch, key client.ObjectKey, list client.ObjectList, look look) (bool, error) {
	selector := fields.OneTermEqualSelector("metadata.name", key.Name)
	if err := c.List(ctx, list, &client.ListOptions{Namespace: key.Namespace, FieldSelector: selector}); err != nil {
		return false, definite(err)
	}
	var first client.Object
	err := meta.EachListItem(list, func(item runtime.Object) error {
		first, _ = item.(client.Object)
		return nil
	})
	if err != nil {
		return false, err
	}
	if done, err := look(first); done || err != nil {
		return done, err
	}
	changes, err := c.Watch(ctx, list, &client.ListOptions{
		Namespace: key.Namespace, FieldSelector: selector,
		// From where the list ended, so that nothing in between is missed.
		Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()},
	})
	if err != nil {
		return false, definite(err)
	}
	defer changes.Stop()
	return drain(ctx, changes, look)
}

func drain(ctx context.Context, changes watch.Interface, look look) (bool, error) {
	for {
		select {
		case <-ctx.Done():
			return false, nil
		case event, open := <-changes.ResultChan():
			if !open || event.Type == watch.Error {
				return false, nil
			}
			object, fits := event.Object.(client.Object)
			if event.Type == watch.Bookmark || !fits {
				continue
			}
			if event.Type == watch.Deleted {
				object = nil
			}
			if done, err := look(object); done || err != nil {
				return done, err
			}
		}
	}
}

// definite are errors that waiting does not mend. A server that is away or slow, and a kind that is not served yet,
// are waited for.
func definite(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsBadRequest(err) {
		return err
	}
	return nil
}
