package informer

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/test/lifecycle/server"
)

// Manager is as much of a manager as controllers need to set up their watches.
type Manager struct {
	manager.Manager
	cache       *Cache
	now         func() time.Time
	controllers []*Controller
	queued      int
}

// Controller is a reconciler and what it was asked to look at.
type Controller struct {
	Name       string
	Reconciler reconcile.Reconciler
	Queue      *Queue
	warm       func(context.Context) error
}

// NewManager is a manager without controllers.
func NewManager(s *server.Server, holds func(client.Object) bool, now func() time.Time) *Manager {
	return &Manager{cache: NewCache(s, holds), now: now}
}

// Seen is the manager's cache.
func (m *Manager) Seen() *Cache { return m.cache }

// Controllers in the order in which they were added.
func (m *Manager) Controllers() []*Controller { return m.controllers }

// Begin starts the watches, and tells the controllers what is there.
func (m *Manager) Begin(ctx context.Context) error {
	for _, controller := range m.controllers {
		if err := controller.warm(ctx); err != nil {
			return fmt.Errorf("controller %s: %w", controller.Name, err)
		}
	}
	m.cache.Begin()
	return nil
}

// Add takes a controller as controller-runtime builds it. Its queue becomes one that the caller empties; its workers
// are never started. Both fields are exported ones of a type that is not, hence the reflection.
func (m *Manager) Add(runnable manager.Runnable) error {
	fields := reflect.ValueOf(runnable).Elem()
	warm, ok := runnable.(interface{ Warmup(context.Context) error })
	if !ok || fields.Kind() != reflect.Struct || !fields.FieldByName("NewQueue").IsValid() {
		return fmt.Errorf("%T is no controller", runnable)
	}
	queue := &Queue{now: m.now, order: m.order, due: map[reconcile.Request]entry{}, failures: map[reconcile.Request]int{}}
	fields.FieldByName("NewQueue").Set(reflect.ValueOf(
		func(string, workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
			return queue
		}))
	m.controllers = append(m.controllers, &Controller{
		Name: fields.FieldByName("Name").String(), Reconciler: fields.FieldByName("Do").Interface().(reconcile.Reconciler),
		Queue: queue, warm: warm.Warmup,
	})
	return nil
}

// order numbers what is queued, over all queues.
func (m *Manager) order() int {
	m.queued++
	return m.queued
}

// GetCache implements manager.Manager.
func (m *Manager) GetCache() cache.Cache { return m.cache }

// GetFieldIndexer implements manager.Manager.
func (m *Manager) GetFieldIndexer() client.FieldIndexer { return m.cache }

// GetScheme implements manager.Manager.
func (m *Manager) GetScheme() *runtime.Scheme { return m.cache.server.Scheme() }

// GetLogger implements manager.Manager.
func (m *Manager) GetLogger() logr.Logger { return logr.Discard() }

// GetControllerOptions has the watches start without the workers.
func (m *Manager) GetControllerOptions() config.Controller {
	return config.Controller{SkipNameValidation: ptr.To(true), EnableWarmup: ptr.To(true), UsePriorityQueue: ptr.To(false)}
}
