package drift

import (
	"context"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// conflictRetry is after which time a write is tried again that met another one.
const conflictRetry = 200 * time.Millisecond

// Config is what the controller works with.
type Config struct {
	// Client reads from the manager's cache, Live past it.
	Client client.Client
	Live   client.Reader
	Writer *apply.Writer
	// Collector reads what runs left.
	Collector Collector
	// Serving tells what a production namespace remembers to serve.
	Serving func(*corev1.Namespace) Serving
	// RunnerImage asks; RunsAtMost measurements do in the whole cluster, whose Turns are shared.
	RunnerImage string
	RunsAtMost  int
	Turns       *run.Turns
	// Now is the clock; time.Now where it is nil.
	Now func() time.Time
}

// Controller watches what serves.
type Controller struct {
	observer *observer
	client   client.Client
	live     client.Reader
	writer   *apply.Writer
	turns    *run.Turns
	image    string
	atMost   int
	now      func() time.Time

	mutex sync.Mutex
	// queued are the namespaces that wait for another measurement to end.
	queued map[string]bool
}

// New makes a controller.
func New(config Config) *Controller {
	now := config.Now
	if now == nil {
		now = time.Now
	}
	return &Controller{
		observer: &observer{cache: config.Client, live: config.Live, collector: config.Collector, serving: config.Serving},
		client:   config.Client, live: config.Live, writer: config.Writer, turns: config.Turns, image: config.RunnerImage,
		atMost: config.RunsAtMost, now: now, queued: map[string]bool{},
	}
}

// Reconcile looks at one production namespace, by its name.
func (c *Controller) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	scene, err := c.observer.observe(ctx, request.Name)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := c.now()
	plan := Decide(scene, now)
	log.FromContext(ctx).V(1).Info("decided", "step", plan.Step)
	queued, err := c.act(ctx, scene, plan, now)
	c.queue(request.Name, queued)
	switch {
	case apierrors.IsConflict(err):
		return reconcile.Result{RequeueAfter: conflictRetry}, nil
	case err != nil:
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	wake := plan.Wake
	if queued {
		wake = scene.wait("", now).Wake
	}
	if wake.IsZero() {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: max(wake.Sub(now), time.Second)}, nil
}

func (c *Controller) queue(namespace string, waits bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if waits {
		c.queued[namespace] = true
	} else {
		delete(c.queued, namespace)
	}
}

// SetupWithManager says which changes of the world are worth a look.
func (c *Controller) SetupWithManager(manager ctrl.Manager) error {
	here := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return requests(object.GetNamespace())
	})
	itself := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, object client.Object) []reconcile.Request {
		return requests(object.GetName())
	})
	owner := handler.EnqueueRequestsFromMapFunc(ofPrototype)
	again := builder.WithPredicates(predicate.NewPredicateFuncs(func(object client.Object) bool {
		return object.GetLabels()[v1alpha1.LabelComponent] == workload.ComponentAgain
	}))
	return ctrl.NewControllerManagedBy(manager).Named("drift").
		Watches(&corev1.Namespace{}, itself).
		Watches(&appsv1.Deployment{}, here).
		Watches(&batchv1.Job{}, owner, again).
		Watches(&corev1.Pod{}, owner, again).
		Watches(&networkingv1.NetworkPolicy{}, owner, again).
		Watches(&batchv1.Job{}, handler.EnqueueRequestsFromMapFunc(c.waiting), builder.WithPredicates(run.Freed())).
		Watches(&v1alpha1.EmergencyStop{}, handler.EnqueueRequestsFromMapFunc(c.all), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Complete(c)
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

// ofPrototype leads from what measures to the production of its prototype.
func ofPrototype(_ context.Context, object client.Object) []reconcile.Request {
	identity, ours := names.FromLabels(object.GetLabels())
	if !ours {
		return nil
	}
	return requests(identity.Production())
}

// waiting are the namespaces whose measurement waits for another one to end.
func (c *Controller) waiting(context.Context, client.Object) []reconcile.Request {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var out []reconcile.Request
	for name := range c.queued {
		out = append(out, requests(name)...)
	}
	return out
}

// all production namespaces: what a stop concerns each finds out for itself.
func (c *Controller) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var list corev1.NamespaceList
	if err := c.client.List(ctx, &list, client.MatchingLabels{v1alpha1.LabelPurpose: v1alpha1.PurposeProduction}); err != nil {
		log.FromContext(ctx).Error(err, "list what an emergency stop may concern")
		return nil
	}
	var out []reconcile.Request
	for i := range list.Items {
		out = append(out, requests(list.Items[i].Name)...)
	}
	return out
}
