package sandbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/workload"
)

// Routes are the HTTPRoutes of pilots, and the Gateways that they come through, in a cluster that may not have the
// Gateway API. A cache can't be told in advance of a kind that may be missing, so these have their own, which watch from
// the moment on when the kinds are seen: two, since routes are ours by label, and Gateways are other people's.
type Routes struct {
	// Cache is watched for HTTPRoutes with our label, Gateways for Gateways.
	Cache, Gateways cache.Cache
	// Writer writes routes; its client reads from Cache.
	Writer *apply.Writer
	// Served asks the API server whether it has HTTPRoutes and Gateways.
	Served func() (bool, error)

	mutex    sync.Mutex
	served   bool
	doubted  bool
	watching bool
	asked    time.Time
	watch    func() error
}

// NewRoutes are those of the manager's API server that carry our label.
func NewRoutes(manager ctrl.Manager, ours labels.Selector) (*Routes, error) {
	server, err := discovery.NewDiscoveryClientForConfig(manager.GetConfig())
	if err != nil {
		return nil, err
	}
	apart, err := cluster.New(manager.GetConfig(), func(o *cluster.Options) {
		o.Scheme = manager.GetScheme()
		o.Cache.DefaultLabelSelector = ours
		o.Cache.DefaultTransform = cache.TransformStripManagedFields()
	})
	if err != nil {
		return nil, err
	}
	gateways, err := cache.New(manager.GetConfig(), cache.Options{
		HTTPClient: manager.GetHTTPClient(), Scheme: manager.GetScheme(), Mapper: manager.GetRESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return nil, err
	}
	return &Routes{
		Cache: apart.GetCache(), Gateways: gateways,
		Writer: &apply.Writer{Client: apart.GetClient(), Live: apart.GetAPIReader()},
		Served: func() (bool, error) { return served(server) },
	}, errors.Join(manager.Add(apart), manager.Add(gateways))
}

func served(server discovery.ServerResourcesInterface) (bool, error) {
	kinds, err := server.ServerResourcesForGroupVersion(gatewayv1.GroupVersion.String())
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(kinds.APIResources, func(kind metav1.APIResource) bool { return kind.Name == name })
	}
	return has("gateways") && has("httproutes"), nil
}

// watchedBy lets the controller hear of changed routes and of the gateways through which they lead, as soon as there can
// be any.
func (r *Routes) watchedBy(c controller.Controller, through handler.MapFunc) {
	r.watch = func() error {
		return errors.Join(
			c.Watch(source.Kind[client.Object](r.Cache, &gatewayv1.HTTPRoute{}, handler.EnqueueRequestsFromMapFunc(owner),
				predicate.NewPredicateFuncs(inSandbox), answered())),
			c.Watch(source.Kind[client.Object](r.Gateways, &gatewayv1.Gateway{}, handler.EnqueueRequestsFromMapFunc(through),
				predicate.GenerationChangedPredicate{})))
	}
}

// through are the prototypes whose policy has pilots come through the gateway.
func (r *Reconciler) through(ctx context.Context, gateway client.Object) []reconcile.Request {
	var policies v1alpha1.HardeningPolicyList
	if err := r.Client.List(ctx, &policies); err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range policies.Items {
		at := policies.Items[i].Spec.Sandbox.Access.Gateway
		if at != nil && at.Name == gateway.GetName() && at.Namespace == gateway.GetNamespace() {
			out = append(out, r.governed(ctx, &policies.Items[i])...)
		}
	}
	return out
}

// answered passes what changes a route and what a gateway says about it.
func answered() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		was, is := before.(*gatewayv1.HTTPRoute), after.(*gatewayv1.HTTPRoute)
		return was.Generation != is.Generation || !equality.Semantic.DeepEqual(was.Status, is.Status) ||
			!equality.Semantic.DeepEqual(was.Annotations, is.Annotations) || !equality.Semantic.DeepEqual(was.Labels, is.Labels)
	})
}

// available tells whether the cluster has HTTPRoutes and Gateways. A cluster without is asked again only while somebody waits.
func (r *Routes) available(wanted bool, now time.Time) (bool, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.served && !r.doubted || !r.asked.IsZero() && (!wanted || now.Before(r.asked.Add(referencesRetry))) {
		return r.served, nil
	}
	served, err := r.Served()
	if err != nil {
		return false, err
	}
	r.asked = now
	if served && !r.watching {
		if err := r.watch(); err != nil {
			return false, err
		}
		r.watching = true
	}
	r.served, r.doubted = served, false
	return served, nil
}

// doubt has the API server asked again: what it served a moment ago it does not know any more.
func (r *Routes) doubt() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.doubted, r.asked = true, time.Time{}
}

// miss has it asked again after a while: where there is no Gateway, the kind may have gone with it.
func (r *Routes) miss() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.doubted = true
}

// route reads the way of the pilots; one that is not ours does not count.
func (o *observer) route(ctx context.Context, s *Snapshot, now time.Time) error {
	var err error
	if s.RoutesServed, err = o.routes.available(s.pilots() != nil, now); err != nil || !s.RoutesServed {
		return err
	}
	var route gatewayv1.HTTPRoute
	err = o.routes.Writer.Client.Get(ctx, client.ObjectKey{Namespace: s.Identity.Sandbox(), Name: workload.PilotsName}, &route)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	if apply.Ours(&route, &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: s.Identity.Labels("")}}) {
		s.Route = &route
	}
	return nil
}

// pilotGateway reads the gateway that the policy names, where pilots are to come through it.
func (o *observer) pilotGateway(ctx context.Context, s *Snapshot) error {
	at := s.gateway()
	if s.pilots() == nil || at == nil || !s.RoutesServed {
		return nil
	}
	var gateway gatewayv1.Gateway
	err := o.routes.Gateways.Get(ctx, client.ObjectKey{Namespace: at.Namespace, Name: at.Name}, &gateway)
	if err == nil {
		s.Gateway = &gateway
	} else if apierrors.IsNotFound(err) {
		o.routes.miss()
	}
	return client.IgnoreNotFound(err)
}

// openToPilots writes the route. Where the Gateway API went meanwhile, the next pass says so.
func (a *actor) openToPilots(ctx context.Context, s *Snapshot, out *Outcome) error {
	_, err := a.routes.Writer.Ensure(ctx, workload.PilotsRoute(s.surroundings(), *s.gateway(), *s.entrance().listener, s.pilots().Groups))
	if apimeta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		a.routes.doubt()
		out.Retry = time.Second
		return errWaiting
	}
	return err
}

func (a *actor) closeToPilots(ctx context.Context, s *Snapshot) error {
	return a.routes.Writer.Remove(ctx, s.Route)
}
