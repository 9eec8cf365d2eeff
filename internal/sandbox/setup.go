package sandbox

import (
	"context"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/stop"
)

// indexPrototypeUID finds the reviews of one prototype.
const indexPrototypeUID = "sandbox.prototypeUID"

// Bounds of the pause between tries after an error.
const (
	errorLeast = 500 * time.Millisecond
	errorMost  = 5 * time.Minute
	workers    = 4
)

// indexReview gives a review's key in the index.
func indexReview(object client.Object) []string {
	return []string{object.(*v1alpha1.HardeningReview).Spec.Prototype.UID}
}

// SetupWithManager registers the controller and what it watches.
func (r *Reconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.HardeningReview{}, indexPrototypeUID, indexReview); err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(ctx, &corev1.Pod{}, indexNode, nodeOf); err != nil {
		return err
	}
	if err := indexRoom(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	owner := handler.EnqueueRequestsFromMapFunc(owner)
	// Predicates of one watch are given at once: a second option would replace the first.
	here := func(also ...predicate.Predicate) builder.Predicates {
		return builder.WithPredicates(append(also, predicate.NewPredicateFuncs(inSandbox))...)
	}
	b := ctrl.NewControllerManagedBy(mgr).Named("sandbox").
		For(&v1alpha1.AIPrototype{}, builder.WithPredicates(wished())).
		Watches(&v1alpha1.AIPrototype{}, handler.EnqueueRequestsFromMapFunc(r.rearranged), builder.WithPredicates(roomChanged())).
		Watches(&nodev1.RuntimeClass{}, handler.EnqueueRequestsFromMapFunc(r.handled), builder.WithPredicates(cameOrWent())).
		Watches(&v1alpha1.HardeningReview{}, handler.EnqueueRequestsFromMapFunc(reviewed), builder.WithPredicates(reported())).
		Watches(&v1alpha1.HardeningPolicy{}, handler.EnqueueRequestsFromMapFunc(r.governed), builder.WithPredicates(usability())).
		Watches(&v1alpha1.EmergencyStop{}, handler.EnqueueRequestsFromMapFunc(r.stopped), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.inNamespace), builder.WithPredicates(labelled())).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.onNode), builder.WithPredicates(restarted())).
		Watches(&corev1.Pod{}, owner, here(podChanged()))
	for _, kind := range []client.Object{
		&appsv1.Deployment{}, &batchv1.Job{}, &corev1.Service{}, &corev1.ServiceAccount{}, &corev1.LimitRange{},
		&networkingv1.NetworkPolicy{}, &rbacv1.RoleBinding{},
	} {
		b = b.Watches(kind, owner, here())
	}
	built, err := r.watchRotation(b).Watches(&corev1.ResourceQuota{}, owner, here(quotaChanged())).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](errorLeast, errorMost),
		}).Build(r)
	if err != nil {
		return err
	}
	r.Routes.watchedBy(built, r.through)
	return nil
}

// owner maps an object of ours to its prototype.
func owner(_ context.Context, object client.Object) []reconcile.Request {
	identity, ours := names.FromLabels(object.GetLabels())
	if !ours {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: identity.Namespace, Name: identity.Name}}}
}

// inSandbox leaves out what other controllers own: production, rehearsals, and other runs in the gates' namespace.
func inSandbox(object client.Object) bool {
	if strings.HasPrefix(object.GetNamespace(), v1alpha1.SandboxPrefix) {
		return true
	}
	return object.GetNamespace() == v1alpha1.GatesNamespace && object.GetLabels()[v1alpha1.LabelGate] == assess.ReportIsolationControl
}

func reviewed(_ context.Context, object client.Object) []reconcile.Request {
	review := object.(*v1alpha1.HardeningReview)
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: review.Namespace, Name: review.Spec.Prototype.Name}}}
}

// governed are the prototypes of the namespaces that the policy selects. An update is mapped twice, as it was and as
// it is, so those that it lets go are among them.
func (r *Reconciler) governed(ctx context.Context, object client.Object) []reconcile.Request {
	policy := object.(*v1alpha1.HardeningPolicy)
	selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.AppliesTo.NamespaceSelector)
	if err != nil || selector.Empty() {
		return nil
	}
	var namespaces corev1.NamespaceList
	if err := r.Client.List(ctx, &namespaces, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil
	}
	var out []reconcile.Request
	for _, namespace := range namespaces.Items {
		out = append(out, r.prototypes(ctx, namespace.Name)...)
	}
	return out
}

// stopped are the prototypes that an emergency stop concerns.
func (r *Reconciler) stopped(ctx context.Context, object client.Object) []reconcile.Request {
	var namespaces corev1.NamespaceList
	var prototypes v1alpha1.AIPrototypeList
	if r.Client.List(ctx, &namespaces) != nil || r.Client.List(ctx, &prototypes) != nil {
		return nil
	}
	named := map[string]*corev1.Namespace{}
	for i := range namespaces.Items {
		named[namespaces.Items[i].Name] = &namespaces.Items[i]
	}
	var out []reconcile.Request
	for i := range prototypes.Items {
		p := &prototypes.Items[i]
		team := ""
		if home := named[p.Namespace]; home != nil {
			team = home.Labels[v1alpha1.LabelTeam]
		}
		facts := factsOf(p, team)
		// What runs of it may be of a form before an edit: its sandbox's namespace tells.
		if sandbox := named[names.Of(p).Sandbox()]; sandbox != nil {
			_, said := stop.Read(sandbox)
			facts = facts.And(said)
		}
		if stop.Concerns(object.(*v1alpha1.EmergencyStop).Spec.Scope, facts) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(p)})
		}
	}
	return out
}

// inNamespace maps a managed namespace to its prototype, and any other to the prototypes in it and to those that wait in
// its team, which has one namespace more or less. An update is mapped twice, as it was and as it is.
func (r *Reconciler) inNamespace(ctx context.Context, object client.Object) []reconcile.Request {
	if requests := owner(ctx, object); len(requests) > 0 {
		return requests
	}
	return append(r.prototypes(ctx, object.GetName()), r.indexed(ctx, object.GetLabels()[v1alpha1.LabelTeam], roomWanted)...)
}

// handled are the prototypes under policies that name a RuntimeClass.
func (r *Reconciler) handled(ctx context.Context, object client.Object) []reconcile.Request {
	var policies v1alpha1.HardeningPolicyList
	if err := r.Client.List(ctx, &policies); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range policies.Items {
		names := func(c v1alpha1.ClassRuntime) bool { return c.RuntimeClass == object.GetName() }
		if slices.ContainsFunc(policies.Items[i].Spec.Sandbox.RuntimeClasses, names) {
			out = append(out, r.governed(ctx, &policies.Items[i])...)
		}
	}
	return out
}

func (r *Reconciler) prototypes(ctx context.Context, namespace string) []reconcile.Request {
	var list v1alpha1.AIPrototypeList
	if err := r.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return out
}

// changes passes creations and deletions, and updates for which the function says so.
func changes(matters func(before, after client.Object) bool) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		deleted := e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
		return deleted || matters(e.ObjectOld, e.ObjectNew)
	}}
}

// wished leaves out our own status. A finalizer that is taken off does not change the generation.
func wished() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		return before.GetGeneration() != after.GetGeneration() || !equality.Semantic.DeepEqual(before.GetAnnotations(), after.GetAnnotations()) ||
			!slices.Equal(before.GetFinalizers(), after.GetFinalizers())
	})
}

func reported() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		return !equality.Semantic.DeepEqual(before.(*v1alpha1.HardeningReview).Status, after.(*v1alpha1.HardeningReview).Status)
	})
}

// usability of a policy: its rules, and whether they can be used.
func usability() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		ready := func(object client.Object) metav1.Condition {
			if c := apimeta.FindStatusCondition(object.(*v1alpha1.HardeningPolicy).Status.Conditions, v1alpha1.ConditionReady); c != nil {
				return metav1.Condition{Status: c.Status, Message: c.Message, ObservedGeneration: c.ObservedGeneration}
			}
			return metav1.Condition{}
		}
		return before.GetGeneration() != after.GetGeneration() || ready(before) != ready(after)
	})
}

// cameOrWent leaves out every other change.
func cameOrWent() predicate.Predicate {
	return changes(func(client.Object, client.Object) bool { return false })
}

// labelled passes namespaces whose labels change, or what is known of the model behind what serves in them.
func labelled() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		const told = v1alpha1.AnnotationModelDrift
		return !labels.Equals(before.GetLabels(), after.GetLabels()) || before.GetAnnotations()[told] != after.GetAnnotations()[told]
	})
}

// podChanged leaves out heartbeats and what does not decide about health.
func podChanged() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		was, is := before.(*corev1.Pod).Status, after.(*corev1.Pod).Status
		return was.Phase != is.Phase || !equality.Semantic.DeepEqual(was.ContainerStatuses, is.ContainerStatuses) || unscheduled(was) != unscheduled(is)
	})
}

func unscheduled(status corev1.PodStatus) string {
	for _, condition := range status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	return ""
}

// quotaChanged leaves out what is used: it moves with every pod.
func quotaChanged() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		return !equality.Semantic.DeepEqual(before.(*corev1.ResourceQuota).Spec, after.(*corev1.ResourceQuota).Spec)
	})
}
