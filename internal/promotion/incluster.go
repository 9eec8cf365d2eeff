package promotion

import (
	"context"
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// InCluster is production in the operator's own cluster.
type InCluster struct {
	// Client reads from the cache of our own objects.
	Client client.Client
	// Live reads past it.
	Live   client.Reader
	Writer *apply.Writer
}

var _ Destination = (*InCluster)(nil)

// Observe implements Destination.
func (c *InCluster) Observe(ctx context.Context, name string) (Place, error) {
	var namespace corev1.Namespace
	if err := c.Client.Get(ctx, client.ObjectKey{Name: name}, &namespace); err != nil {
		return Place{}, client.IgnoreNotFound(err)
	}
	place := placeOf(&namespace)
	if place.Foreign {
		return place, nil
	}
	rollout, err := c.rollout(ctx, c.Client, name, place.UID)
	if err == nil && (place.Memory.Record == "" || rollout.Record != place.Memory.Record) {
		// Something is being released or taken away, and the cache may be behind what this controller did a moment ago:
		// what runs must not be taken for absent.
		rollout, err = c.rollout(ctx, c.Live, name, place.UID)
	}
	place.Rollout, place.Blind = rollout, err != nil
	return place, err
}

// placeOf is what a namespace says of itself.
func placeOf(namespace *corev1.Namespace) Place {
	place := Place{
		Exists: true, Terminating: !namespace.DeletionTimestamp.IsZero(), Made: namespace.UID,
		Foreign:    namespace.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy || namespace.Labels[v1alpha1.LabelPurpose] != v1alpha1.PurposeProduction,
		UID:        namespace.Labels[v1alpha1.LabelPrototypeUID],
		OrphanMark: namespace.Labels[v1alpha1.LabelOrphaned],
		Retire:     namespace.Annotations[v1alpha1.AnnotationRetire] == "true",
		Reach:      namespace.Annotations[v1alpha1.AnnotationReach],
	}
	if place.Foreign {
		return place
	}
	place.Memory, place.Drift = recall(namespace), drift.Read(namespace.Annotations)
	if identity, whole := names.FromLabels(namespace.Labels); whole {
		place.Whose = &identity
	}
	if said, told := stop.Said(namespace.Annotations); told {
		place.Said = &said
	}
	return place
}

// rollout is what runs, with the Deployment from the given reader.
func (c *InCluster) rollout(ctx context.Context, reader client.Reader, name, prototypeUID string) (Rollout, error) {
	at := client.ObjectKey{Namespace: name, Name: workload.Name}
	live := &appsv1.Deployment{}
	if err := reader.Get(ctx, at, live); client.IgnoreNotFound(err) != nil {
		return Rollout{}, err
	} else if err != nil {
		live = nil
	}
	var scaler autoscalingv2.HorizontalPodAutoscaler
	err := c.Client.Get(ctx, at, &scaler)
	if client.IgnoreNotFound(err) != nil {
		return Rollout{}, err
	}
	var pods corev1.PodList
	selector := client.MatchingLabels(workload.Selector(names.Identity{UID: prototypeUID}))
	if err := c.Client.List(ctx, &pods, client.InNamespace(name), selector); err != nil {
		return Rollout{}, err
	}
	return rolloutOf(live, err == nil, pods.Items), nil
}

// Remember implements Destination.
func (c *InCluster) Remember(ctx context.Context, identity names.Identity, m Memory, reach string, orphaned bool, mark string) (apply.Outcome, error) {
	namespace, err := namespaceOf(identity, m, reach, orphaned, mark)
	if err != nil {
		return "", err
	}
	return c.Writer.Ensure(ctx, namespace)
}

// EnsureRights implements Destination.
func (c *InCluster) EnsureRights(ctx context.Context, identity names.Identity) (apply.Outcome, error) {
	return c.Writer.Ensure(ctx, workload.OperatorBinding(inProduction(identity)))
}

// Ensure implements Destination.
func (c *InCluster) Ensure(ctx context.Context, wanted ...client.Object) ([]apply.Outcome, error) {
	return c.Writer.EnsureAll(ctx, wanted...)
}

// Stop implements Destination. The autoscaler goes first, so that it does not bring replicas back.
func (c *InCluster) Stop(ctx context.Context, name, prototypeUID string) error {
	for _, object := range []client.Object{&autoscalingv2.HorizontalPodAutoscaler{}, &appsv1.Deployment{}} {
		if err := c.delete(ctx, client.ObjectKey{Namespace: name, Name: workload.Name}, object, prototypeUID); err != nil {
			return err
		}
	}
	return nil
}

// Sever implements Destination. Every policy is tried, whatever becomes of the others.
func (c *InCluster) Sever(ctx context.Context, name, prototypeUID string, all bool, to []v1alpha1.Destination) (bool, error) {
	var policies networkingv1.NetworkPolicyList
	if err := c.Client.List(ctx, &policies, client.InNamespace(name), client.MatchingLabels{v1alpha1.LabelPrototypeUID: prototypeUID}); err != nil {
		return false, err
	}
	changed := false
	var failed []error
	for i := range policies.Items {
		closed := workload.Closed(&policies.Items[i], all, to)
		if closed == nil || !closed.DeletionTimestamp.IsZero() {
			continue
		}
		changed = true
		failed = append(failed, client.IgnoreNotFound(c.Writer.Put(ctx, closed)))
	}
	return changed, errors.Join(failed...)
}

// Replace implements Destination. What makes pods comes first: it would make others like those that go.
func (c *InCluster) Replace(ctx context.Context, name, prototypeUID, mark string, halted bool) (bool, error) {
	changed, err := c.mark(ctx, name, prototypeUID, mark, halted)
	if err != nil {
		return changed, err
	}
	var pods corev1.PodList
	selector := client.MatchingLabels(workload.Selector(names.Identity{UID: prototypeUID}))
	if err := c.Client.List(ctx, &pods, client.InNamespace(name), selector); err != nil {
		return changed, err
	}
	var failed []error
	for i := range pods.Items {
		pod := &pods.Items[i]
		if stop.Measuring(pod) || pod.Annotations[v1alpha1.AnnotationCutOff] == mark || workload.Hurried(pod) {
			continue
		}
		err := c.Client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID}, client.GracePeriodSeconds(workload.Hurry))
		failed = append(failed, client.IgnoreNotFound(err))
	}
	return changed, errors.Join(failed...)
}

// mark has the Deployment, as it is, make its pods anew under a mark, or make none.
func (c *InCluster) mark(ctx context.Context, name, prototypeUID, mark string, halted bool) (bool, error) {
	var live appsv1.Deployment
	err := c.Client.Get(ctx, client.ObjectKey{Namespace: name, Name: workload.Name}, &live)
	if err != nil || live.Labels[v1alpha1.LabelPrototypeUID] != prototypeUID {
		return false, client.IgnoreNotFound(err)
	}
	marked := live.DeepCopy()
	workload.CutOff(marked, mark)
	if halted {
		marked.Spec.Replicas = ptr.To[int32](0)
	}
	if equality.Semantic.DeepEqual(marked.Spec, live.Spec) {
		return false, nil
	}
	return true, client.IgnoreNotFound(c.Writer.Put(ctx, marked))
}

// Prune implements Destination. Secrets are in no cache, and their metadata is all that is needed.
func (c *InCluster) Prune(ctx context.Context, name, prototypeUID, review string) error {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	labels := client.MatchingLabels{v1alpha1.LabelPrototypeUID: prototypeUID, v1alpha1.LabelReview: review}
	if err := c.Live.List(ctx, secrets, client.InNamespace(name), labels); err != nil {
		return err
	}
	for i := range secrets.Items {
		at := client.ObjectKeyFromObject(&secrets.Items[i])
		if err := c.delete(ctx, at, &corev1.Secret{}, prototypeUID); err != nil {
			return err
		}
	}
	var policies networkingv1.NetworkPolicyList
	if err := c.Client.List(ctx, &policies, client.InNamespace(name), labels); err != nil {
		return err
	}
	for i := range policies.Items {
		if err := c.delete(ctx, client.ObjectKeyFromObject(&policies.Items[i]), &networkingv1.NetworkPolicy{}, prototypeUID); err != nil {
			return err
		}
	}
	return nil
}

// delete looks past the cache at what it deletes, so that nothing foreign goes.
func (c *InCluster) delete(ctx context.Context, at client.ObjectKey, object client.Object, prototypeUID string) error {
	if err := c.Live.Get(ctx, at, object); err != nil {
		return client.IgnoreNotFound(err)
	}
	labels := object.GetLabels()
	if labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy || labels[v1alpha1.LabelPrototypeUID] != prototypeUID {
		return nil
	}
	return c.Writer.Remove(ctx, object)
}

// Teardown implements Destination.
func (c *InCluster) Teardown(ctx context.Context, name, prototypeUID string) (waiting string, err error) {
	return c.Writer.Teardown(ctx, name, prototypeUID)
}
