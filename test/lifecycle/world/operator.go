package world

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/credentials"
	integrationgate "github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/promotion"
	"github.com/affineur/affineur/internal/review"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/sandbox"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/lifecycle/informer"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// bench is what the operator has.
var bench = assess.Bench{security.Instrument{}, scalability.Instrument{}, integrationgate.Instrument{}}

// operator is one life of the operator: from its start until it is killed.
type operator struct {
	world   *World
	manager *informer.Manager
	dead    bool
	// requests that it made and that may change something.
	requests int
}

// errKilled is what everything ends with once the operator is killed.
var errKilled = errors.New("the operator was killed")

// promoter is the controller that decides what comes into production.
const promoter = "promotion"

// What the installation says.
const (
	runnerImage  = "registry.example.org/affineur/gate-runner@sha256:9999999999999999999999999999999999999999999999999999999999999999"
	apiServer    = "203.0.113.1:443"
	measureEvery = 12 * time.Hour
)

// restart begins another life of the operator, which remembers nothing.
func (w *World) restart() {
	o := &operator{world: w, manager: informer.NewManager(w.server, cached, w.Now)}
	w.operator = o
	w.Must(o.setUp(w.context()))
	w.Must(o.manager.Begin(w.context()))
}

// setUp wires all controllers as cmd/operator does.
func (o *operator) setUp(ctx context.Context) error {
	c, live := o.client(), o.live()
	writer := &apply.Writer{Client: c, Live: live, FanOut: 1, Now: o.world.Now, Rights: workload.RightsIn}
	maker := credentials.Maker{Live: live}
	clock := operatorClock{o.world}
	collector := run.Collector{Reader: c, Logs: logsClient{logs: logs{o.world}}, Now: clock.Now}
	told := func(controller string) recorder { return recorder{o, controller} }
	return errors.Join(
		(&policy.Reconciler{Client: c, Live: live, Events: told("policy")}).SetupWithManager(o.manager),
		(&sandbox.Reconciler{
			Client: c, Live: live, Writer: writer, Resolver: registry{o.world}, Maker: maker, Collector: collector,
			Routes:   &sandbox.Routes{Cache: o.manager.Seen(), Gateways: o.manager.Seen(), Writer: writer, Served: func() (bool, error) { return o.world.Gateway, nil }},
			Tailer:   collector,
			Recorder: told("sandbox"), Clock: clock, Witness: sandbox.ServerClock{Client: c},
			Settings: sandbox.Settings{RunnerImage: runnerImage, APIServer: apiServer, MeasureEvery: measureEvery, Bench: bench},
		}).SetupWithManager(ctx, o.manager),
		(&review.Reconciler{
			Client: c, Live: live, Writer: writer, Credentials: maker, Collector: collector, Events: told("review"),
			Turns: &run.Turns{}, Settings: review.Settings{RunnerImage: runnerImage, APIServer: apiServer, Bench: bench, RunsAtMost: 8}, Now: clock.Now,
			Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") },
		}).SetupWithManager(o.manager),
		(&stop.Reconciler{Client: c, Live: live, Recorder: told("stop"), Clock: clock}).SetupWithManager(o.manager),
		(&stop.Meter{Client: c, Live: live, Writer: writer, Collector: collector, Clock: clock, RunnerImage: runnerImage}).SetupWithManager(o.manager),
		promotion.New(promotion.Config{
			Client: c, Live: live, Credentials: maker, Guards: meter{o.world}, Recorder: told("promotion"), Now: clock.Now, Bench: bench,
			Destination: &promotion.InCluster{Client: c, Live: live, Writer: writer},
		}).SetupWithManager(ctx, o.manager),
	)
}

// cached are the objects that cmd/operator keeps in its cache.
func cached(object client.Object) bool {
	switch object.(type) {
	case *corev1.Secret:
		return object.GetNamespace() == v1alpha1.SystemNamespace
	case *appsv1.ControllerRevision:
		return false
	case *corev1.ConfigMap:
		return object.GetNamespace() == v1alpha1.RecordsNamespace && object.GetName() == guard.ConfigMapName
	case *corev1.Namespace, *nodev1.RuntimeClass, *v1alpha1.AIPrototype, *v1alpha1.HardeningReview, *v1alpha1.HardeningDecision, *v1alpha1.HardeningPolicy,
		*v1alpha1.EmergencyStop:
		return true
	}
	return object.GetLabels()[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy
}

// live tells whether reads of a kind go past the cache.
func live(object runtime.Object) bool {
	switch object.(type) {
	case *corev1.Secret, *corev1.SecretList, *corev1.ConfigMap, *corev1.ConfigMapList, *appsv1.ControllerRevision, *appsv1.ControllerRevisionList:
		return true
	}
	return false
}

// hear passes a change on to the cache. Before the first start there is nobody to hear.
func (o *operator) hear(request server.Request) {
	if o != nil {
		o.manager.Seen().Hear(request)
	}
}

// client reads from the cache and writes to the server.
func (o *operator) client() client.Client {
	past := o.live()
	return interceptor.NewClient(o.world.server.As(operatorName), interceptor.Funcs{
		Get: func(ctx context.Context, _ client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if live(object) {
				return past.Get(ctx, key, object, options...)
			}
			return o.seen(func() error { return o.manager.Seen().Get(ctx, key, object, options...) })
		},
		List: func(ctx context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if live(list) {
				return past.List(ctx, list, options...)
			}
			return o.seen(func() error { return o.manager.Seen().List(ctx, list, options...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return o.write(func() error { return c.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return o.write(func() error { return c.Update(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return o.write(func() error { return c.Patch(ctx, object, patch, options...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return o.write(func() error { return c.Delete(ctx, object, options...) })
		},
		SubResourceApply: func(ctx context.Context, c client.Client, name string, patch runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
			return o.write(func() error { return c.SubResource(name).Apply(ctx, patch, options...) })
		},
	})
}

// live reads past the cache.
func (o *operator) live() client.Client {
	return interceptor.NewClient(o.world.server.As(operatorName), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return o.alive(func() error {
				if err := o.world.mayRead(object, key.Namespace, key.Name); err != nil {
					return err
				}
				return c.Get(ctx, key, object, options...)
			})
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			return o.alive(func() error {
				var at client.ListOptions
				at.ApplyOptions(options)
				if err := o.world.mayRead(list, at.Namespace, ""); err != nil {
					return err
				}
				if _, decisions := list.(*v1alpha1.HardeningDecisionList); decisions {
					o.world.truth.look.listed(o.world)
				}
				return c.List(ctx, list, options...)
			})
		},
	})
}

// seen reads from the cache, which may lag, but never fails while the operator is alive.
func (o *operator) seen(read func() error) error {
	if o.dead {
		return errKilled
	}
	return read()
}

// alive reads past the cache. In between time passes, others may do their part, and the read may fail.
func (o *operator) alive(read func() error) error {
	o.world.meanwhile()
	switch {
	case o.dead:
		return errKilled
	case o.world.chance(400):
		return apierrors.NewInternalError(errors.New("etcd is electing a leader"))
	}
	return read()
}

// write to the server. In between, others may do their part; the write may fail, also after it was made; and the
// operator may be killed before and after it.
func (o *operator) write(do func() error) error {
	w := o.world
	if w.chance(12) {
		w.interleave()
	}
	if o.dead {
		return errKilled
	}
	o.requests++
	switch {
	case w.chance(70):
		o.dead = true
		return errKilled
	case w.chance(70):
		err := do()
		o.dead = true
		return errors.Join(err, errKilled)
	case w.chance(60):
		return apierrors.NewConflict(schema.GroupResource{Resource: "objects"}, "it", errors.New("somebody was faster"))
	case w.chance(60):
		return apierrors.NewServerTimeout(schema.GroupResource{Resource: "objects"}, "write", 1)
	case w.chance(60):
		if err := do(); err != nil {
			return err
		}
		return apierrors.NewTimeoutError("the answer was lost", 1)
	}
	return do()
}

// pass lets a controller look at one request.
func (w *World) pass(controller *informer.Controller, request reconcile.Request) {
	w.Helper()
	o := w.operator
	w.busy[controller.Name] = true
	defer delete(w.busy, controller.Name)
	if w.asked[controller.Name] == nil {
		w.asked[controller.Name] = map[reconcile.Request]bool{}
	}
	w.asked[controller.Name][request] = true
	if controller.Name == promoter {
		w.truth.look = look{}
	}
	ended := w.script.begin(w, fmt.Sprintf("%s %s", controller.Name, request.Name))
	result, err := controller.Reconciler.Reconcile(w.context(), request)
	ended()
	if o.dead {
		if w.operator == o {
			w.script.note(w, "killed")
			w.restart()
		}
		return
	}
	if err != nil {
		w.script.detail(w, "error: "+err.Error())
	}
	controller.Queue.Finished(request, result, err)
}

// recorder of events.
type recorder struct {
	operator   *operator
	controller string
}

// Eventf implements events.EventRecorder.
func (r recorder) Eventf(regarding, _ runtime.Object, kind, reason, _, note string, args ...any) {
	if !r.operator.dead {
		r.operator.world.script.event(r.operator.world, regarding, kind, reason, fmt.Sprintf(note, args...))
	}
}
