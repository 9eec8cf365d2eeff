package stop

import (
	"context"
	"maps"
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
)

// workers measure namespaces side by side: a stop may be about many.
const workers = 4

// SetupWithManager registers the controller and what it watches. While no stop holds, nothing wakes it.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	o := observer{cache: r.Client}
	all := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request {
		stops, err := o.inForce(ctx)
		if err != nil {
			return nil
		}
		var out []reconcile.Request
		for i := range stops {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&stops[i])})
		}
		return out
	})
	b := ctrl.NewControllerManagedBy(mgr).Named("stop").
		For(&v1alpha1.EmergencyStop{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// What holds together is told together: a stop that is lifted leaves the others.
		Watches(&v1alpha1.EmergencyStop{}, all, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, all, builder.WithPredicates(predicate.NewPredicateFuncs(relevant), said())).
		// They know names.
		Watches(&v1alpha1.HardeningPolicy{}, all, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.AIPrototype{}, all, builder.WithPredicates(predicate.GenerationChangedPredicate{}))
	for _, kind := range []client.Object{&appsv1.Deployment{}, &corev1.Pod{}, &networkingv1.NetworkPolicy{}} {
		b = b.Watches(kind, all, builder.WithPredicates(predicate.NewPredicateFuncs(inManaged)))
	}
	return b.Complete(r)
}

// SetupWithManager registers the controller and what it watches.
func (m *Meter) SetupWithManager(mgr ctrl.Manager) error {
	here := handler.EnqueueRequestsFromMapFunc(m.here)
	b := ctrl.NewControllerManagedBy(mgr).Named("severance").
		Watches(&corev1.Namespace{}, here, builder.WithPredicates(predicate.NewPredicateFuncs(relevant), said())).
		Watches(&v1alpha1.EmergencyStop{}, handler.EnqueueRequestsFromMapFunc(m.concerned), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(measured))
	for _, kind := range []client.Object{&appsv1.Deployment{}, &networkingv1.NetworkPolicy{}} {
		b = b.Watches(kind, here, builder.WithPredicates(predicate.NewPredicateFuncs(inManaged)))
	}
	return b.Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(m.pod)).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers}).Complete(m)
}

// relevant are the namespaces that prototypes run in, and those that say whose team they are.
func relevant(object client.Object) bool {
	return prototypes(object) || object.GetLabels()[v1alpha1.LabelTeam] != ""
}

func inManaged(object client.Object) bool {
	for _, prefix := range []string{v1alpha1.SandboxPrefix, v1alpha1.ProductionPrefix, v1alpha1.RehearsalPrefix} {
		if strings.HasPrefix(object.GetNamespace(), prefix) {
			return true
		}
	}
	return false
}

// said passes changes of what a namespace says, and not of its status.
func said() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return !maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) ||
			!maps.Equal(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()) ||
			e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

// here is the managed namespace that an object is, or is in, if there is anything to measure or to forget.
func (m *Meter) here(ctx context.Context, object client.Object) []reconcile.Request {
	name := object.GetNamespace()
	if _, is := object.(*corev1.Namespace); is {
		name = object.GetName()
		if !prototypes(object) {
			return nil
		}
	}
	stops, err := observer{cache: m.Client}.inForce(ctx)
	if err != nil || len(stops) == 0 && object.GetAnnotations()[v1alpha1.AnnotationSevered] == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

// pod leads to the namespace whose cut it is measured for, or in which it runs.
func (m *Meter) pod(ctx context.Context, object client.Object) []reconcile.Request {
	if requests := measured(ctx, object); len(requests) > 0 {
		return requests
	}
	if !inManaged(object) {
		return nil
	}
	return m.here(ctx, object)
}

// measured are the namespaces that a measuring run may be about, from its Job and its pod.
func measured(_ context.Context, object client.Object) []reconcile.Request {
	owner, ours := names.FromLabels(object.GetLabels())
	if gate := object.GetLabels()[v1alpha1.LabelGate]; !ours || gate != gateInside && gate != gateControl {
		return nil
	}
	return []reconcile.Request{
		{NamespacedName: types.NamespacedName{Name: owner.Sandbox()}}, {NamespacedName: types.NamespacedName{Name: owner.Production()}},
	}
}

// concerned are the managed namespaces that a stop is about.
func (m *Meter) concerned(ctx context.Context, object client.Object) []reconcile.Request {
	o := observer{cache: m.Client}
	namespaces, err := o.managed(ctx)
	if err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range namespaces {
		_, facts, err := o.facts(ctx, &namespaces[i])
		if err == nil && Concerns(object.(*v1alpha1.EmergencyStop).Spec.Scope, facts) {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Name: namespaces[i].Name}})
		}
	}
	return out
}
