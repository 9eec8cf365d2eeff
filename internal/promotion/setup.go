package promotion

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/stop"
)

const (
	// errorLeast and errorMost bound the pause after a pass that failed.
	errorLeast = 200 * time.Millisecond
	errorMost  = 15 * time.Second
)

// owned are the kinds whose every change in a production namespace is looked at: rollouts, and drift.
var owned = []client.Object{
	&appsv1.Deployment{}, &autoscalingv2.HorizontalPodAutoscaler{}, &policyv1.PodDisruptionBudget{},
	&networkingv1.NetworkPolicy{}, &rbacv1.RoleBinding{}, &corev1.Service{}, &corev1.ServiceAccount{},
	&corev1.ResourceQuota{}, &corev1.LimitRange{}, &corev1.Pod{},
}

// SetupWithManager registers the watches. Everything that is watched leads to the name of a production namespace.
func (c *Controller) SetupWithManager(ctx context.Context, manager ctrl.Manager) error {
	build := ctrl.NewControllerManagedBy(manager).Named("promotion")
	for _, kind := range []client.Object{&v1alpha1.HardeningReview{}, &v1alpha1.AIPrototype{}} {
		if err := manager.GetFieldIndexer().IndexField(ctx, kind, indexProduction, Index); err != nil {
			return err
		}
		build.Watches(kind, mapped(Index))
	}
	// An approval that is taken back takes back what has not soaked.
	build.Watches(&v1alpha1.HardeningDecision{}, handler.EnqueueRequestsFromMapFunc(c.decided))
	for _, kind := range owned {
		build.Watches(kind, mapped(func(object client.Object) []string { return []string{object.GetNamespace()} }))
	}
	build.Watches(&v1alpha1.EmergencyStop{}, handler.EnqueueRequestsFromMapFunc(c.concerned), builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	build.Watches(&corev1.Namespace{}, mapped(func(object client.Object) []string { return []string{object.GetName()} }))
	// Whose a prototype is says the label of the team's namespace, and stops are matched against it.
	build.Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(c.ofTeam), builder.WithPredicates(relabelled()))
	// Guards that are in place again, or a container runtime that was installed, free whatever waited for them.
	build.Watches(&v1alpha1.HardeningPolicy{}, handler.EnqueueRequestsFromMapFunc(c.waiting), builder.WithPredicates(guardsTurned()))
	build.Watches(&nodev1.RuntimeClass{}, handler.EnqueueRequestsFromMapFunc(c.waiting))
	return build.WithOptions(controller.Options{MaxConcurrentReconciles: parallel, RateLimiter: retries()}).Complete(c)
}

// retries of passes that failed. Among what failed may be a cut, so the pause stays short.
func retries() workqueue.TypedRateLimiter[reconcile.Request] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](errorLeast, errorMost)
}

// Index is by what reviews and prototypes are found: the production namespace that is theirs.
func Index(object client.Object) []string {
	switch o := object.(type) {
	case *v1alpha1.HardeningReview:
		return []string{identityOf(o).Production()}
	case *v1alpha1.AIPrototype:
		return []string{names.Of(o).Production()}
	}
	return nil
}

func mapped(productions func(client.Object) []string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return requests(productions(object)...)
	})
}

func requests(productions ...string) []reconcile.Request {
	var out []reconcile.Request
	for _, name := range productions {
		if strings.HasPrefix(name, v1alpha1.ProductionPrefix) {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
		}
	}
	return out
}

// waiting are the production namespaces of reviews that wait, or may, for the guards or for what the cluster lacks.
func (c *Controller) waiting(ctx context.Context, _ client.Object) []reconcile.Request {
	var list v1alpha1.HardeningReviewList
	if err := c.client.List(ctx, &list); err != nil {
		log.FromContext(ctx).Error(err, "list reviews that wait for the guards")
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		p := list.Items[i].Status.Promotion
		if p != nil && (p.Step == v1alpha1.StepPreparing && p.Reason != v1alpha1.ReasonNotRequested || p.Reason == v1alpha1.ReasonGuardsNotInPlace) {
			out = append(out, requests(Index(&list.Items[i])...)...)
		}
	}
	return out
}

// concerned are the production namespaces that an emergency stop is about: those whose pods it names, and those of
// prototypes that may be on their way there.
func (c *Controller) concerned(ctx context.Context, object client.Object) []reconcile.Request {
	scope := object.(*v1alpha1.EmergencyStop).Spec.Scope
	var namespaces corev1.NamespaceList
	var reviews v1alpha1.HardeningReviewList
	if err := errors.Join(c.client.List(ctx, &namespaces), c.client.List(ctx, &reviews)); err != nil {
		log.FromContext(ctx).Error(err, "list what an emergency stop concerns", "stop", object.GetName())
		return nil
	}
	var out []string
	teams := map[string]string{}
	for i := range namespaces.Items {
		teams[namespaces.Items[i].Name] = namespaces.Items[i].Labels[v1alpha1.LabelTeam]
	}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		_, facts := stop.Read(namespace)
		facts = facts.OfTeam(teams[namespace.Labels[v1alpha1.LabelPrototypeNamespace]])
		if namespace.Labels[v1alpha1.LabelPurpose] == v1alpha1.PurposeProduction && stop.Concerns(scope, facts) {
			out = append(out, namespace.Name)
		}
	}
	for i := range reviews.Items {
		// What an open review would let in only its record says: it looks for itself.
		if reviews.Items[i].Status.Outcome == "" {
			out = append(out, identityOf(&reviews.Items[i]).Production())
		}
	}
	slices.Sort(out)
	return requests(slices.Compact(out)...)
}

// ofTeam are the production namespaces of the prototypes in a team's namespace.
func (c *Controller) ofTeam(ctx context.Context, namespace client.Object) []reconcile.Request {
	var list corev1.NamespaceList
	if err := c.client.List(ctx, &list, client.MatchingLabels{
		v1alpha1.LabelPurpose: v1alpha1.PurposeProduction, v1alpha1.LabelPrototypeNamespace: namespace.GetName(),
	}); err != nil {
		log.FromContext(ctx).Error(err, "list what a team has in production", "namespace", namespace.GetName())
		return nil
	}
	var out []string
	for i := range list.Items {
		out = append(out, list.Items[i].Name)
	}
	return requests(out...)
}

// relabelled passes namespaces whose team changes.
func relabelled() predicate.Predicate {
	never := func(client.Object) bool { return false }
	out := predicate.NewPredicateFuncs(never)
	out.UpdateFunc = func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetLabels()[v1alpha1.LabelTeam] != e.ObjectNew.GetLabels()[v1alpha1.LabelTeam]
	}
	return out
}

// decided is the production namespace of the review that a decision is about.
func (c *Controller) decided(ctx context.Context, object client.Object) []reconcile.Request {
	decision, ok := object.(*v1alpha1.HardeningDecision)
	if !ok {
		return nil
	}
	var review v1alpha1.HardeningReview
	at := client.ObjectKey{Namespace: decision.Namespace, Name: decision.Spec.Review.Name}
	if err := c.client.Get(ctx, at, &review); err != nil {
		if client.IgnoreNotFound(err) != nil {
			log.FromContext(ctx).Error(err, "review of a decision", "decision", client.ObjectKeyFromObject(decision))
		}
		return nil
	}
	return requests(Index(&review)...)
}

func guardsTurned() predicate.Predicate {
	inPlace := func(object client.Object) bool {
		p, ok := object.(*v1alpha1.HardeningPolicy)
		return ok && apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionGuardsInPlace)
	}
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return inPlace(e.ObjectNew) && !inPlace(e.ObjectOld) },
	}
}
