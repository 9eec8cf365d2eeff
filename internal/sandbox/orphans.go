package sandbox

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// orphans takes away the sandboxes and rehearsals of prototypes of this name that are gone, and tells when to look
// again; 0 where there are none. The present prototype is in the snapshot, which is nil where there is none.
//
// Finalizers alone don't prevent them: the API server reads an object, sees no finalizer and deletes it a moment later,
// also if a finalizer was added in between. Whoever deletes a prototype just as its sandbox is being made leaves it
// without anybody to take it down. Production is none of this controller's: it serves on when its prototype is gone.
func (r *Reconciler) orphans(ctx context.Context, key types.NamespacedName, present *Snapshot) (time.Duration, error) {
	var namespaces corev1.NamespaceList
	err := r.Client.List(ctx, &namespaces, client.MatchingLabels{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeNamespace: key.Namespace, v1alpha1.LabelPrototype: names.Label(key.Name),
	})
	if err != nil {
		return 0, err
	}
	var again time.Duration
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		purpose, uid := namespace.Labels[v1alpha1.LabelPurpose], namespace.Labels[v1alpha1.LabelPrototypeUID]
		ours := purpose == v1alpha1.PurposeSandbox || purpose == v1alpha1.PurposeRehearsal
		if !ours || uid == "" || present != nil && uid == present.Identity.UID {
			continue
		}
		waiting, err := r.orphan(ctx, key, namespace.Name, uid)
		if err != nil {
			return 0, err
		}
		if waiting {
			again = teardownPoll
		}
	}
	return again, nil
}

// orphan takes one namespace away, unless its prototype is there after all and only the cache did not show it.
func (r *Reconciler) orphan(ctx context.Context, key types.NamespacedName, namespace, uid string) (waiting bool, err error) {
	var prototype v1alpha1.AIPrototype
	switch err := r.Live.Get(ctx, key, &prototype); {
	case err != nil && !apierrors.IsNotFound(err):
		return false, err
	case err == nil && string(prototype.UID) == uid:
		return true, nil
	}
	if err := (&actor{client: r.Client, writer: r.Writer}).sweepRuns(ctx, uid); err != nil {
		return false, err
	}
	what, err := r.Writer.Teardown(ctx, namespace, uid)
	if what != "" {
		log.FromContext(ctx).V(1).Info("taking down what a prototype left that is gone", "left", namespace, "waiting", what)
	}
	return what != "", err
}
