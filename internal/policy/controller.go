package policy

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/guard"
)

// fieldOwner of a policy's status.
const fieldOwner = "affineur-policy"

// Reconciler says of every policy whether it can be used, and mirrors the state of the guards. It is the one author
// of HardeningPolicy status.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache.
	Live   client.Reader
	Events events.EventRecorder
	// Ranges of the cluster's own that it does not tell.
	Ranges []netip.Prefix
}

// SetupWithManager watches policies, the record in which the guards' measurements are kept, and what tells the cluster's
// own addresses.
func (r *Reconciler) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(manager).
		Named("policy").
		For(&v1alpha1.HardeningPolicy{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(r.everyPolicy)).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.everyPolicy), builder.WithPredicates(located())).
		Watches(&networkingv1.ServiceCIDR{}, handler.EnqueueRequestsFromMapFunc(r.everyPolicy), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(r)
}

// everyPolicy is asked again when the guards were measured, or the cluster got other addresses: there are few policies,
// and it concerns all of them.
func (r *Reconciler) everyPolicy(ctx context.Context, _ client.Object) []reconcile.Request {
	var policies v1alpha1.HardeningPolicyList
	if err := r.Client.List(ctx, &policies); err != nil {
		return nil
	}
	requests := make([]reconcile.Request, 0, len(policies.Items))
	for _, p := range policies.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&p)})
	}
	return requests
}

// Reconcile checks one policy and reports.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var p v1alpha1.HardeningPolicy
	if err := r.Client.Get(ctx, request.NamespacedName, &p); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	guards, err := guard.Load(ctx, r.Live)
	if err != nil {
		return ctrl.Result{}, err
	}
	own, err := r.own(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.report(ctx, &p, statusOf(&p, Check(p.Spec, own), measured(guards)))
}

// measured is nil for a state that was never measured.
func measured(state guard.State) *guard.State {
	if state.MeasuredAt.IsZero() {
		return nil
	}
	return &state
}

func (r *Reconciler) report(ctx context.Context, p *v1alpha1.HardeningPolicy, next v1alpha1.HardeningPolicyStatus) error {
	if sameStatus(p.Status, next) {
		return nil
	}
	changed := transitions(p.Status.Conditions, next.Conditions)
	view := &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion}, Status: next}
	if err := apply.Status(ctx, r.Client, view, fieldOwner); err != nil {
		return client.IgnoreNotFound(err)
	}
	for _, condition := range changed {
		kind := corev1.EventTypeNormal
		if condition.Status == metav1.ConditionFalse || condition.Type == v1alpha1.ConditionStalled {
			kind = corev1.EventTypeWarning
		}
		r.Events.Eventf(p, nil, kind, condition.Reason, condition.Type, "%s", condition.Message)
		ctrl.LoggerFrom(ctx).Info("policy condition changed", "type", condition.Type, "status", condition.Status, "reason", condition.Reason)
	}
	return nil
}
