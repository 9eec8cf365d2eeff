package apply

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Teardown takes a managed namespace away, pods first: as long as a pod runs, its network policies stand. It does
// one step a call and tells what it waits for; "" means that the namespace is gone. A namespace of that name that
// is not the prototype's is left alone and counts as gone.
func (w *Writer) Teardown(ctx context.Context, name, prototypeUID string) (waiting string, err error) {
	var namespace corev1.Namespace
	// Read past the cache: a delete is for the namespace that is there now.
	err = w.Live.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	switch {
	case apierrors.IsNotFound(err):
		w.Forget(name)
		return "", nil
	case err != nil:
		return "", err
	case namespace.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy || namespace.Labels[v1alpha1.LabelPrototypeUID] != prototypeUID:
		return "", nil
	case !namespace.DeletionTimestamp.IsZero():
		return "namespace " + name + " is being deleted", nil
	}
	if err := w.stop(ctx, name); err != nil {
		return "", err
	}
	var pods corev1.PodList
	// Read past the cache, which holds only labelled pods: none at all may be left.
	if err := w.Live.List(ctx, &pods, client.InNamespace(name)); err != nil {
		return "", w.regain(ctx, name, err)
	}
	if left := len(pods.Items); left > 0 {
		return fmt.Sprintf("%d pods in %s are stopping", left, name), nil
	}
	// It goes because it is not wanted: when it is wanted again, it was not lost.
	w.Forget(name)
	err = w.Client.Delete(ctx, &namespace, client.Preconditions{UID: &namespace.UID})
	return "namespace " + name + " is being deleted", client.IgnoreNotFound(err)
}

// stop deletes everything that makes pods; its pods go with it.
func (w *Writer) stop(ctx context.Context, namespace string) error {
	for _, makers := range []client.ObjectList{
		&autoscalingv2.HorizontalPodAutoscalerList{}, &appsv1.DeploymentList{}, &batchv1.JobList{},
	} {
		err := w.Live.List(ctx, makers, client.InNamespace(namespace))
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return w.regain(ctx, namespace, err)
		}
		if err := apimeta.EachListItem(makers, func(object runtime.Object) error {
			return w.Remove(ctx, object.(client.Object))
		}); err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes an object and lets what it made go with it. One that is gone already is no error; one that took its
// name meanwhile stays, and the answer is a conflict.
func (w *Writer) Remove(ctx context.Context, object client.Object) error {
	if !object.GetDeletionTimestamp().IsZero() {
		return nil
	}
	kind, err := apiutil.GVKForObject(object, w.Client.Scheme())
	if err != nil {
		return err
	}
	// What was known of it must not pass for it when it is wanted again.
	w.unlearn(kind, object)
	uid := object.GetUID()
	options := []client.DeleteOption{client.PropagationPolicy(metav1.DeletePropagationBackground)}
	if uid != "" {
		options = append(options, client.Preconditions{UID: &uid})
	}
	return w.regain(ctx, object.GetNamespace(), client.IgnoreNotFound(w.Client.Delete(ctx, object, options...)))
}

// Put writes an object that was read and edited, and forgets what was known of it: the next Ensure makes it whole
// again, and does not take the difference for somebody else's.
func (w *Writer) Put(ctx context.Context, object client.Object) error {
	kind, err := apiutil.GVKForObject(object, w.Client.Scheme())
	if err != nil {
		return err
	}
	w.unlearn(kind, object)
	return w.regain(ctx, object.GetNamespace(), w.Client.Update(ctx, object, client.FieldOwner(Owner)))
}

// regain gives the operator its rights in a managed namespace back, where it was refused there: they may never have been
// given, or somebody took them away, and nothing may go on running for that. The refusal stays the answer: what was
// refused is tried again.
func (w *Writer) regain(ctx context.Context, namespace string, refused error) error {
	if w.Rights == nil || namespace == "" || !apierrors.IsForbidden(refused) {
		return refused
	}
	var live corev1.Namespace
	if err := w.Live.Get(ctx, client.ObjectKey{Name: namespace}, &live); err != nil {
		return errors.Join(refused, client.IgnoreNotFound(err))
	}
	rights := w.Rights(&live)
	if rights == nil || !live.DeletionTimestamp.IsZero() {
		return refused
	}
	_, err := w.Ensure(ctx, rights)
	return errors.Join(refused, err)
}
