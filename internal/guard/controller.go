package guard

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// every is how often guards in place are measured.
	every = 5 * time.Minute
	// again is how soon guards that are not in place are.
	again = 10 * time.Second
	// pause lets a burst of changes, such as an installation, come to rest, and the server apply it.
	pause = 2 * time.Second
)

// Controller measures the guards at start, whenever one of them changes, and now and then; it keeps what it finds in
// the records namespace, where the policy controller and promotion read it.
type Controller struct {
	config *rest.Config
	meter  *Meter
	log    logr.Logger
	// kept is what the records namespace says, known what the last measurement says.
	kept, known State
}

// NewController is a Controller that acts as the operator that the config stands for.
func NewController(config *rest.Config, log logr.Logger) (*Controller, error) {
	meter, err := NewMeter(config)
	if err != nil {
		return nil, err
	}
	return &Controller{config: config, meter: meter, log: log}, nil
}

// SetupWithManager has the manager run the controller.
func (c *Controller) SetupWithManager(manager ctrl.Manager) error { return manager.Add(c) }

// NeedLeaderElection is true: one replica measures and keeps.
func (c *Controller) NeedLeaderElection() bool { return true }

// Start measures until the context ends.
func (c *Controller) Start(ctx context.Context) error {
	changes, err := c.watch(ctx)
	if err != nil {
		return err
	}
	for {
		wait := c.look(ctx)
		select {
		case <-ctx.Done():
			return c.leave()
		case <-time.After(wait):
		case <-changes:
			sleep(ctx, pause)
		}
	}
}

// look measures once, keeps what is worth keeping and tells when to look again.
func (c *Controller) look(ctx context.Context) time.Duration {
	if c.kept.Reason == "" {
		kept, err := Load(ctx, c.meter.operator)
		if err != nil {
			c.log.Error(err, "What was known of the guards can't be read")
			return again
		}
		c.kept, c.known = kept, kept
	}
	now := c.known.next(c.meter.look(ctx))
	if ctx.Err() != nil {
		return again
	}
	if now.Reason != c.known.Reason || now.Message != c.known.Message {
		c.log.Info("Measured the guards", "inPlace", now.InPlace, "reason", now.Reason, "message", now.Message)
	}
	c.known = now
	if worthKeeping(c.kept, now) {
		if err := save(ctx, c.meter.operator, now); err != nil {
			c.log.Error(err, "What was found of the guards can't be kept")
			return again
		}
		c.kept = now
	}
	if !now.InPlace {
		return again
	}
	return every
}

// leave keeps the time of the last good look, so that the next leader's doubt begins there.
func (c *Controller) leave() error {
	if c.known.Reason == "" || !c.known.LastGood.After(c.kept.LastGood) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return save(ctx, c.meter.operator, c.known)
}

// watch tells of every change of the policies, their bindings and their parameters. Its cache is its own: it holds
// nothing else.
func (c *Controller) watch(ctx context.Context) (<-chan struct{}, error) {
	parameters := c.meter.shipped.parameters
	watched, err := cache.New(c.config, cache.Options{
		Scheme: c.meter.operator.Scheme(), Mapper: c.meter.operator.RESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{
				parameters.Namespace: {FieldSelector: fields.OneTermEqualSelector("metadata.name", parameters.Name)},
			}},
		},
	})
	if err != nil {
		return nil, err
	}
	changes := make(chan struct{}, 1)
	poke := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	for _, kind := range []client.Object{
		&admissionv1.MutatingAdmissionPolicy{}, &admissionv1.MutatingAdmissionPolicyBinding{},
		&admissionv1.ValidatingAdmissionPolicy{}, &admissionv1.ValidatingAdmissionPolicyBinding{}, &corev1.ConfigMap{},
	} {
		informer, err := watched.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, err
		}
		if _, err := informer.AddEventHandler(c.handler(poke)); err != nil {
			return nil, err
		}
	}
	go func() {
		if err := watched.Start(ctx); err != nil {
			c.log.Error(err, "The guards are not watched any more; they are measured every now and then")
		}
	}()
	return changes, nil
}

// handler pokes for our own guards only, and not for what is there already: the first look sees that.
func (c *Controller) handler(poke func()) toolscache.ResourceEventHandler {
	return toolscache.FilteringResourceEventHandler{
		FilterFunc: c.ours,
		Handler: toolscache.ResourceEventHandlerDetailedFuncs{
			AddFunc: func(_ any, initial bool) {
				if !initial {
					poke()
				}
			},
			UpdateFunc: func(before, after any) {
				if changed(before.(client.Object), after.(client.Object)) {
					poke()
				}
			},
			DeleteFunc: func(any) { poke() },
		},
	}
}

// changed tells a change from the server's own notes in a policy's status. A ConfigMap has no generation.
func changed(before, after client.Object) bool {
	if before.GetUID() != after.GetUID() || before.GetGeneration() != after.GetGeneration() {
		return true
	}
	return after.GetGeneration() == 0 && before.GetResourceVersion() != after.GetResourceVersion()
}

func (c *Controller) ours(object any) bool {
	if gone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	var there bool
	switch o := object.(type) {
	case *admissionv1.MutatingAdmissionPolicy:
		_, there = c.meter.shipped.mutating[o.Name]
	case *admissionv1.MutatingAdmissionPolicyBinding:
		_, there = c.meter.shipped.mutatingBindings[o.Name]
	case *admissionv1.ValidatingAdmissionPolicy:
		_, there = c.meter.shipped.validating[o.Name]
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		_, there = c.meter.shipped.validatingBindings[o.Name]
	case *corev1.ConfigMap:
		there = o.Name == c.meter.shipped.parameters.Name
	}
	return there
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
