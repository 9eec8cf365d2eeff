package sandbox

import (
	"context"
	"errors"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// orphans takes away the sandboxes, rehearsals and runs of prototypes of this name that are gone, and tells when to
// look again; 0 where there are none. The present prototype is in the snapshot, which is nil where there is none.
//
// Finalizers alone don't prevent them: the API server reads an object, sees no finalizer and deletes it a moment later,
// also if a finalizer was added in between; an administrator takes one off; a restored backup lacks them. Everything of
// ours names its prototype, so that each leads here when it is seen, at the start of the operator as well. Production
// is none of this controller's: it serves on when its prototype is gone.
func (r *Reconciler) orphans(ctx context.Context, key types.NamespacedName, present *Snapshot) (time.Duration, error) {
	left, err := r.left(ctx, key, present)
	if err != nil {
		return 0, err
	}
	var again time.Duration
	var failed []error
	for uid, namespaces := range left {
		waiting, err := r.orphan(ctx, key, uid, namespaces)
		failed = append(failed, err)
		if waiting {
			again = teardownPoll
		}
	}
	return again, errors.Join(failed...)
}

// left are the namespaces of prototypes of this name other than the present one, by the prototype's UID. Where only
// runs are left, there is none.
func (r *Reconciler) left(ctx context.Context, key types.NamespacedName, present *Snapshot) (map[string][]*corev1.Namespace, error) {
	of := client.MatchingLabels{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeNamespace: key.Namespace, v1alpha1.LabelPrototype: names.Label(key.Name),
	}
	out := map[string][]*corev1.Namespace{}
	foreign := func(uid string) bool { return uid != "" && (present == nil || uid != present.Identity.UID) }
	var namespaces corev1.NamespaceList
	if err := r.Client.List(ctx, &namespaces, of); err != nil {
		return nil, err
	}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		purpose, uid := namespace.Labels[v1alpha1.LabelPurpose], namespace.Labels[v1alpha1.LabelPrototypeUID]
		if (purpose == v1alpha1.PurposeSandbox || purpose == v1alpha1.PurposeRehearsal) && foreign(uid) {
			out[uid] = append(out[uid], namespace)
		}
	}
	for _, list := range []client.ObjectList{&batchv1.JobList{}, &networkingv1.NetworkPolicyList{}} {
		if err := r.Client.List(ctx, list, client.InNamespace(v1alpha1.GatesNamespace), of); err != nil {
			return nil, err
		}
		err := apimeta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			uid := object.GetLabels()[v1alpha1.LabelPrototypeUID]
			if _, known := out[uid]; foreign(uid) && !known && object.GetDeletionTimestamp().IsZero() {
				out[uid] = nil
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// orphan takes away what one prototype left, unless it is there after all and only the cache did not show it.
func (r *Reconciler) orphan(ctx context.Context, key types.NamespacedName, uid string, namespaces []*corev1.Namespace) (waiting bool, err error) {
	var prototype v1alpha1.AIPrototype
	switch err := r.Live.Get(ctx, key, &prototype); {
	case err != nil && !apierrors.IsNotFound(err):
		return false, err
	case err == nil && string(prototype.UID) == uid:
		return true, nil
	}
	var failed []error
	for _, namespace := range namespaces {
		failed = append(failed, r.cutLeft(ctx, namespace))
	}
	failed = append(failed, r.actor().sweepRuns(ctx, uid))
	for _, namespace := range namespaces {
		what, err := r.Writer.Teardown(ctx, namespace.Name, uid)
		failed = append(failed, err)
		if what != "" {
			waiting = true
			log.FromContext(ctx).V(1).Info("taking down what a prototype left that is gone", "left", namespace.Name, "waiting", what)
		}
	}
	return waiting, errors.Join(failed...)
}

// cutLeft does what emergency stops want in a namespace that a prototype left, by what the namespace says of its reach.
func (r *Reconciler) cutLeft(ctx context.Context, namespace *corev1.Namespace) error {
	identity, _ := names.FromLabels(namespace.Labels)
	s, o := &Snapshot{Identity: identity}, r.observer()
	for _, read := range []func(context.Context, *Snapshot) error{o.namespaces, o.stops} {
		if err := read(ctx, s); err != nil {
			return err
		}
	}
	s.Namespace = namespace
	if err := o.inside(ctx, s, namespace.Name); err != nil {
		return err
	}
	return r.actor().act(ctx, s, s.cutFirst(Plan{State: Deleting}), nil).Err
}
