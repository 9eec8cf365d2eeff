package review

import (
	"context"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// sideBySide is how many reviews are looked at at the same time.
const sideBySide = 4

// SetupWithManager says which changes of the world are worth a look.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.HardeningDecision{}, indexReview, decidedOn); err != nil {
		return err
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), &batchv1.Job{}, indexAtWork, measuringNow); err != nil {
		return err
	}
	byReview, byPrototype := handler.EnqueueRequestsFromMapFunc(byReviewLabel), handler.EnqueueRequestsFromMapFunc(r.ofPrototype)
	return ctrl.NewControllerManagedBy(mgr).
		Named("review").
		For(&v1alpha1.HardeningReview{}).
		// A review that opens ends the one before it.
		Watches(&v1alpha1.HardeningReview{}, byPrototype, builder.WithPredicates(created())).
		Watches(&v1alpha1.EmergencyStop{}, handler.EnqueueRequestsFromMapFunc(r.open), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// What was found of the guards says which decisions count: the one ConfigMap in the cache holds it.
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.open)).
		Watches(&v1alpha1.HardeningDecision{}, handler.EnqueueRequestsFromMapFunc(ofDecision)).
		Watches(&v1alpha1.AIPrototype{}, byPrototype, builder.WithPredicates(relevant())).
		Watches(&appsv1.Deployment{}, byPrototype, builder.WithPredicates(sandboxed())).
		Watches(&batchv1.Job{}, byReview).
		// A measurement that ended makes room for another review's.
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(r.queued), builder.WithPredicates(run.Freed())).
		Watches(&corev1.Pod{}, byReview).
		Watches(&networkingv1.NetworkPolicy{}, byReview, builder.WithPredicates(created())).
		Watches(&corev1.Namespace{}, byReview).
		// What the operator looks at for one review must not keep it from another.
		WithOptions(controller.Options{MaxConcurrentReconciles: sideBySide}).
		Complete(r)
}

// decidedOn is the index of decisions.
func decidedOn(object client.Object) []string {
	return []string{object.(*v1alpha1.HardeningDecision).Spec.Review.Name}
}

// measuringNow is the index of Jobs that take up room.
func measuringNow(object client.Object) []string {
	if run.AtWork(object.(*batchv1.Job)) {
		return []string{atWork}
	}
	return nil
}

func ofDecision(_ context.Context, object client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: object.GetNamespace(), Name: object.(*v1alpha1.HardeningDecision).Spec.Review.Name,
	}}}
}

// byReviewLabel leads from what a review made back to it, also when the review is gone: then it is cleared away.
func byReviewLabel(_ context.Context, object client.Object) []reconcile.Request {
	name, ok := reviewNamed(object)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: name}}
}

// reviewNamed is the name of the review that an object says it was made for.
func reviewNamed(object client.Object) (types.NamespacedName, bool) {
	owner, managed := names.FromLabels(object.GetLabels())
	ordinal, err := strconv.Atoi(object.GetLabels()[v1alpha1.LabelReview])
	if !managed || err != nil {
		return types.NamespacedName{}, false
	}
	return types.NamespacedName{Namespace: owner.Namespace, Name: owner.Review(ordinal)}, true
}

// ofPrototype leads to the open reviews of a prototype, from it and from what carries its labels.
func (r *Reconciler) ofPrototype(ctx context.Context, object client.Object) []reconcile.Request {
	owner, managed := names.FromLabels(object.GetLabels())
	if prototype, ok := object.(*v1alpha1.AIPrototype); ok {
		owner, managed = names.Of(prototype), true
	}
	var reviews v1alpha1.HardeningReviewList
	if !managed || r.Client.List(ctx, &reviews, client.InNamespace(owner.Namespace)) != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range reviews.Items {
		review := &reviews.Items[i]
		// By name and not by UID: one made anew under the name ends the reviews of the old one.
		if review.Spec.Prototype.Name == owner.Name && review.Status.Outcome == "" {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(review)})
		}
	}
	return out
}

// open are all open reviews: what a review's subject uses, and when it was decided on, only its record and its decisions
// say, so each looks for itself whether an emergency stop, or a gap of the guards, concerns it.
func (r *Reconciler) open(ctx context.Context, _ client.Object) []reconcile.Request {
	var reviews v1alpha1.HardeningReviewList
	if r.Client.List(ctx, &reviews) != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range reviews.Items {
		if reviews.Items[i].Status.Outcome == "" {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&reviews.Items[i])})
		}
	}
	return out
}

// queued are the open reviews that wait for room: those that say so, and those of which a gate came to nothing, which keeps
// its verdict while it waits to be measured again.
func (r *Reconciler) queued(ctx context.Context, _ client.Object) []reconcile.Request {
	var reviews v1alpha1.HardeningReviewList
	if r.Client.List(ctx, &reviews) != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range reviews.Items {
		waits := func(g v1alpha1.GateStatus) bool {
			return g.Reason == v1alpha1.ReasonQueued || g.Verdict == v1alpha1.GateInconclusive
		}
		if reviews.Items[i].Status.Outcome == "" && slices.ContainsFunc(reviews.Items[i].Status.Gates, waits) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&reviews.Items[i])})
		}
	}
	return out
}

func created() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return true },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// relevant are the changes of a prototype that a review depends on: what its team asks, its deletion, its subject, and
// a new measurement of its isolation.
func relevant() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*v1alpha1.AIPrototype), e.ObjectNew.(*v1alpha1.AIPrototype)
		return before.Generation != after.Generation ||
			before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() ||
			before.Annotations[v1alpha1.AnnotationRequestedAt] != after.Annotations[v1alpha1.AnnotationRequestedAt] ||
			measuredAt(before) != measuredAt(after) ||
			before.Status.SubjectDigest != after.Status.SubjectDigest
	}}
}

func measuredAt(prototype *v1alpha1.AIPrototype) int64 {
	if prototype.Status.Sandbox == nil || prototype.Status.Sandbox.Isolation == nil {
		return 0
	}
	return prototype.Status.Sandbox.Isolation.MeasuredAt.Unix()
}

// sandboxed are Deployments of prototypes in their sandboxes; those in production are not measured here.
func sandboxed() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(object client.Object) bool {
		return object.GetName() == workload.Name && strings.HasPrefix(object.GetNamespace(), v1alpha1.SandboxPrefix)
	})
}
