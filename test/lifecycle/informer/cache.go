// Package informer is a manager's cache and its controllers' queues without any goroutine at work: what changed on the
// server is seen when the caller delivers it, and what is queued is reconciled when the caller takes it. So a story
// decides, by its seed, how far each cache lags behind and who comes next.
//
// The controllers set up their own watches here, with their own predicates and handlers: one that is missing shows as
// a story that comes to rest too early.
package informer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/affineur/affineur/test/lifecycle/server"
)

// Cache is what the operator has seen of the server.
type Cache struct {
	server *server.Server
	// holds says which objects of which kinds the cache holds.
	holds func(client.Object) bool
	kinds map[schema.GroupVersionKind]*kind
	// mutex guards handlers: the controllers register them side by side.
	mutex sync.Mutex
}

var _ cache.Cache = (*Cache)(nil)

// kind is one informer.
type kind struct {
	name     string
	seen     map[types.NamespacedName]client.Object
	pending  []change
	handlers []toolscache.ResourceEventHandler
	indexes  map[string]client.IndexerFunc
}

// change of an object as a watch tells it: from nil for what is new, to nil for what is gone.
type change struct{ before, after client.Object }

// NewCache is a cache that has seen everything that is on the server now.
func NewCache(s *server.Server, holds func(client.Object) bool) *Cache {
	c := &Cache{server: s, holds: holds, kinds: map[schema.GroupVersionKind]*kind{}}
	for _, gvk := range s.Kinds() {
		for _, object := range s.All(gvk) {
			if holds(object) {
				c.of(gvk).seen[client.ObjectKeyFromObject(object)] = object
			}
		}
	}
	return c
}

func (c *Cache) of(gvk schema.GroupVersionKind) *kind {
	if c.kinds[gvk] == nil {
		c.kinds[gvk] = &kind{name: gvk.String(), seen: map[types.NamespacedName]client.Object{}, indexes: map[string]client.IndexerFunc{}}
	}
	return c.kinds[gvk]
}

// Hear takes note of a change on the server. It is seen when it is delivered.
func (c *Cache) Hear(request server.Request) {
	told := change{before: request.Before, after: request.After}
	if told.before != nil && !c.holds(told.before) {
		told.before = nil
	}
	if told.after != nil && !c.holds(told.after) {
		told.after = nil
	}
	if told.before == nil && told.after == nil {
		return
	}
	if gvk, err := apiutil.GVKForObject(request.Object(), c.server.Scheme()); err == nil {
		of := c.of(gvk)
		of.pending = append(of.pending, told)
	}
}

// Pending are the kinds of which something is to be delivered, in order.
func (c *Cache) Pending() []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for gvk, of := range c.kinds {
		if len(of.pending) > 0 {
			out = append(out, gvk)
		}
	}
	slices.SortFunc(out, func(a, b schema.GroupVersionKind) int { return strings.Compare(c.kinds[a].name, c.kinds[b].name) })
	return out
}

// Deliver lets the cache see the oldest change of a kind, and tells whoever watches the kind.
func (c *Cache) Deliver(gvk schema.GroupVersionKind) {
	of := c.of(gvk)
	next := of.pending[0]
	of.pending = of.pending[1:]
	if next.after == nil {
		delete(of.seen, client.ObjectKeyFromObject(next.before))
	} else {
		of.seen[client.ObjectKeyFromObject(next.after)] = next.after
	}
	for _, handler := range of.handlers {
		switch {
		case next.before == nil:
			handler.OnAdd(copied(next.after), false)
		case next.after == nil:
			handler.OnDelete(copied(next.before))
		default:
			handler.OnUpdate(copied(next.before), copied(next.after))
		}
	}
}

// Repeat tells of everything that was seen as if it had changed, the way an informer does after it lost its watch.
func (c *Cache) Repeat() {
	for _, gvk := range c.watched() {
		for _, object := range c.objects(gvk) {
			for _, handler := range c.kinds[gvk].handlers {
				handler.OnUpdate(copied(object), copied(object))
			}
		}
	}
}

// Begin tells of everything that is there when the operator starts.
func (c *Cache) Begin() {
	for _, gvk := range c.watched() {
		for _, object := range c.objects(gvk) {
			for _, handler := range c.kinds[gvk].handlers {
				handler.OnAdd(copied(object), true)
			}
		}
	}
}

func copied(object client.Object) client.Object { return object.DeepCopyObject().(client.Object) }

func (c *Cache) watched() []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for gvk := range c.kinds {
		out = append(out, gvk)
	}
	slices.SortFunc(out, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return out
}

func (c *Cache) objects(gvk schema.GroupVersionKind) []client.Object {
	var out []client.Object
	for _, object := range c.of(gvk).seen {
		out = append(out, object)
	}
	slices.SortFunc(out, func(a, b client.Object) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	return out
}

// Get implements client.Reader.
func (c *Cache) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	gvk, err := apiutil.GVKForObject(object, c.server.Scheme())
	if err != nil {
		return err
	}
	found, ok := c.of(gvk).seen[key]
	if !ok {
		return apierrors.NewNotFound(schema.GroupResource{Group: gvk.Group, Resource: strings.ToLower(gvk.Kind) + "s"}, key.Name)
	}
	server.Assign(object, found)
	return nil
}

// List implements client.Reader, with fields that an index knows.
func (c *Cache) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	gvk, err := apiutil.GVKForObject(list, c.server.Scheme())
	if err != nil {
		return err
	}
	gvk.Kind = strings.TrimSuffix(gvk.Kind, "List")
	var o client.ListOptions
	o.ApplyOptions(options)
	objects := server.Select(c.objects(gvk), o)
	if o.FieldSelector != nil {
		for _, wanted := range o.FieldSelector.Requirements() {
			index := c.of(gvk).indexes[wanted.Field]
			if index == nil {
				return fmt.Errorf("there is no index %s of %s", wanted.Field, gvk.Kind)
			}
			objects = slices.DeleteFunc(objects, func(object client.Object) bool { return !slices.Contains(index(object), wanted.Value) })
		}
	}
	return server.Fill(list, objects)
}

// IndexField implements client.FieldIndexer.
func (c *Cache) IndexField(_ context.Context, object client.Object, field string, values client.IndexerFunc) error {
	gvk, err := apiutil.GVKForObject(object, c.server.Scheme())
	if err != nil {
		return err
	}
	c.of(gvk).indexes[field] = values
	return nil
}

// GetInformer implements cache.Informers.
func (c *Cache) GetInformer(_ context.Context, object client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	gvk, err := apiutil.GVKForObject(object, c.server.Scheme())
	if err != nil {
		return nil, err
	}
	return watcher{cache: c, kind: gvk}, nil
}

// GetInformerForKind implements cache.Informers.
func (c *Cache) GetInformerForKind(_ context.Context, gvk schema.GroupVersionKind, _ ...cache.InformerGetOption) (cache.Informer, error) {
	return watcher{cache: c, kind: gvk}, nil
}

// RemoveInformer implements cache.Informers.
func (c *Cache) RemoveInformer(context.Context, client.Object) error { return errUnused }

// Start implements cache.Informers.
func (c *Cache) Start(context.Context) error { return errUnused }

// WaitForCacheSync implements cache.Informers: there is nothing to wait for.
func (c *Cache) WaitForCacheSync(context.Context) bool { return true }

// errUnused is for what no controller does.
var errUnused = errors.New("this cache does not do that")

// watcher registers handlers of one kind.
type watcher struct {
	cache.Informer
	cache *Cache
	kind  schema.GroupVersionKind
}

// AddEventHandlerWithOptions implements cache.Informer.
func (w watcher) AddEventHandlerWithOptions(handler toolscache.ResourceEventHandler, _ toolscache.HandlerOptions) (toolscache.ResourceEventHandlerRegistration, error) {
	w.cache.mutex.Lock()
	defer w.cache.mutex.Unlock()
	of := w.cache.of(w.kind)
	of.handlers = append(of.handlers, handler)
	return registration{}, nil
}

type registration struct {
	toolscache.ResourceEventHandlerRegistration
}

// HasSynced is true: what is there is told by Begin.
func (registration) HasSynced() bool { return true }
