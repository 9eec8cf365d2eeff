// Package server is an API server in memory, for stories in which all controllers work together. It keeps what the
// controllers rely on: resource versions and conflicts, generations, finalizers, graceful deletion, namespaces that
// end, status as a thing apart, and server-side apply of a status under several owners.
//
// controller-runtime's fake client does that too, at two to three milliseconds a write; a story is played hundreds of
// times, so this one takes microseconds. What is different on a real API server is tested on one, in test/apiserver.
package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// Verb says how an object was changed.
type Verb string

// Verbs.
const (
	Create Verb = "create"
	Update Verb = "update"
	Status Verb = "status"
	Delete Verb = "delete"
)

// Request is what somebody asks of the server.
type Request struct {
	// Actor is who asks.
	Actor string
	Verb  Verb
	// Kind of the object.
	Kind string
	// Before is nil for what is created, After for what is deleted. Admission may change After.
	Before, After client.Object
}

// Object that the request is about, as it will be, or as it was.
func (r Request) Object() client.Object {
	if r.After != nil {
		return r.After
	}
	return r.Before
}

// Server keeps objects. It is for one goroutine at a time.
type Server struct {
	scheme *runtime.Scheme
	now    func() time.Time
	kinds  map[schema.GroupVersionKind]map[types.NamespacedName]client.Object
	owners map[types.UID]ownership
	// sorted are the objects of a kind in the order of their names, until one changes; order are the kinds in order.
	sorted map[schema.GroupVersionKind][]client.Object
	order  []schema.GroupVersionKind
	// version and made are the last resource version and UID that were given.
	version, made int
	// changes that each actor made.
	changes map[string]int
	admit   func(*Request) error
	changed []func(Request)
}

// New makes an empty server. Admit may refuse and change what is asked; it is asked after the server has filled in
// what is the server's.
func New(scheme *runtime.Scheme, now func() time.Time, admit func(*Request) error) *Server {
	return &Server{
		scheme: scheme, now: now, admit: admit,
		kinds:  map[schema.GroupVersionKind]map[types.NamespacedName]client.Object{},
		owners: map[types.UID]ownership{}, sorted: map[schema.GroupVersionKind][]client.Object{}, changes: map[string]int{},
	}
}

// OnChange calls f after every change that was made. Both objects belong to the server: they are looked at only.
func (s *Server) OnChange(f func(Request)) { s.changed = append(s.changed, f) }

// Version is the last resource version that was given: what has a later one came later.
func (s *Server) Version() int { return s.version }

// Changes is how many changes an actor made.
func (s *Server) Changes(actor string) int { return s.changes[actor] }

// Scheme of the objects.
func (s *Server) Scheme() *runtime.Scheme { return s.scheme }

func (s *Server) kindOf(object runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(object, s.scheme)
}

// Find is the object itself, to look at only; nil where it is absent.
func (s *Server) Find(kind schema.GroupVersionKind, at types.NamespacedName) client.Object {
	if object, ok := s.kinds[kind][at]; ok {
		return object
	}
	return nil
}

// All objects of a kind in the order of their names, to look at only.
func (s *Server) All(kind schema.GroupVersionKind) []client.Object {
	if objects, ok := s.sorted[kind]; ok {
		return objects
	}
	objects := make([]client.Object, 0, len(s.kinds[kind]))
	for _, object := range s.kinds[kind] {
		objects = append(objects, object)
	}
	slices.SortFunc(objects, byName)
	s.sorted[kind] = objects
	return objects
}

// Kinds of which there ever were objects, in order.
func (s *Server) Kinds() []schema.GroupVersionKind { return s.order }

func byName(a, b client.Object) int {
	if c := strings.Compare(a.GetNamespace(), b.GetNamespace()); c != 0 {
		return c
	}
	return strings.Compare(a.GetName(), b.GetName())
}

func (s *Server) notFound(kind schema.GroupVersionKind, name string) error {
	return apierrors.NewNotFound(schema.GroupResource{Group: kind.Group, Resource: plural(kind.Kind)}, name)
}

func (s *Server) conflict(kind schema.GroupVersionKind, name, why string) error {
	return apierrors.NewConflict(schema.GroupResource{Group: kind.Group, Resource: plural(kind.Kind)}, name, fmt.Errorf("%s", why))
}

// create stores a new object, unless it is only tried, and fills the given one with what the server made of it.
func (s *Server) create(actor string, object client.Object, dry bool) error {
	kind, err := s.kindOf(object)
	if err != nil {
		return err
	}
	next := object.DeepCopyObject().(client.Object)
	s.made++
	if next.GetName() == "" && next.GetGenerateName() != "" {
		next.SetName(fmt.Sprintf("%s%05d", next.GetGenerateName(), s.made))
	}
	at := client.ObjectKeyFromObject(next)
	if s.Find(kind, at) != nil {
		return apierrors.NewAlreadyExists(schema.GroupResource{Group: kind.Group, Resource: plural(kind.Kind)}, at.Name)
	}
	if err := s.open(at); err != nil {
		return err
	}
	next.SetUID(types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", s.made)))
	next.SetCreationTimestamp(metav1.NewTime(s.now().Truncate(time.Second)))
	next.SetDeletionTimestamp(nil)
	next.SetGeneration(1)
	fresh(next)
	request := Request{Actor: actor, Verb: Create, Kind: kind.Kind, After: next}
	if err := s.admit(&request); err != nil {
		return err
	}
	if dry {
		s.made--
	} else {
		s.store(kind, request)
	}
	Assign(object, next)
	return nil
}

// open says whether something can be created in a namespace.
func (s *Server) open(at types.NamespacedName) error {
	if at.Namespace == "" {
		return nil
	}
	namespace := s.Find(corev1.SchemeGroupVersion.WithKind("Namespace"), types.NamespacedName{Name: at.Namespace})
	resource := schema.GroupResource{Resource: "namespaces"}
	switch {
	case namespace == nil:
		return apierrors.NewNotFound(resource, at.Namespace)
	case !namespace.GetDeletionTimestamp().IsZero():
		return apierrors.NewForbidden(resource, at.Name, fmt.Errorf("namespace %s is being terminated", at.Namespace))
	}
	return nil
}

// replace stores a new state of an object that exists. The status comes from the given object for the verb Status,
// and everything else does otherwise.
func (s *Server) replace(actor string, verb Verb, object client.Object) error {
	kind, err := s.kindOf(object)
	if err != nil {
		return err
	}
	before := s.Find(kind, client.ObjectKeyFromObject(object))
	switch {
	case before == nil:
		return s.notFound(kind, object.GetName())
	case object.GetResourceVersion() != "" && object.GetResourceVersion() != before.GetResourceVersion():
		return s.conflict(kind, object.GetName(), "the object has been modified")
	case object.GetUID() != "" && object.GetUID() != before.GetUID():
		return s.conflict(kind, object.GetName(), "the UID is another one")
	}
	next := object.DeepCopyObject().(client.Object)
	if verb == Status {
		next = before.DeepCopyObject().(client.Object)
		setStatus(next, object)
	} else {
		setStatus(next, before)
		keepServers(next, before)
		if !sameSpec(next, before) {
			next.SetGeneration(before.GetGeneration() + 1)
		}
	}
	request := Request{Actor: actor, Verb: verb, Kind: kind.Kind, Before: before, After: next}
	if err := s.admit(&request); err != nil {
		return err
	}
	if !same(next, before) {
		s.store(kind, request)
	} else {
		next = before
	}
	Assign(object, next)
	return nil
}

// keepServers takes over what only the server sets.
func keepServers(next, before client.Object) {
	next.SetUID(before.GetUID())
	next.SetResourceVersion(before.GetResourceVersion())
	next.SetCreationTimestamp(before.GetCreationTimestamp())
	next.SetDeletionTimestamp(before.GetDeletionTimestamp())
	next.SetGeneration(before.GetGeneration())
	next.SetManagedFields(nil)
}

// delete begins or ends the life of an object. What has finalizers, namespaces and pods take their time.
func (s *Server) delete(actor string, object client.Object, options client.DeleteOptions) error {
	kind, err := s.kindOf(object)
	if err != nil {
		return err
	}
	before := s.Find(kind, client.ObjectKeyFromObject(object))
	if before == nil {
		return s.notFound(kind, object.GetName())
	}
	if p := options.Preconditions; p != nil && (p.UID != nil && *p.UID != before.GetUID() ||
		p.ResourceVersion != nil && *p.ResourceVersion != before.GetResourceVersion()) {
		return s.conflict(kind, object.GetName(), "a precondition failed")
	}
	request := Request{Actor: actor, Verb: Delete, Kind: kind.Kind, Before: before}
	if err := s.admit(&request); err != nil {
		return err
	}
	graceful := kind.Kind == "Namespace" || kind.Kind == "Pod"
	if !graceful && len(before.GetFinalizers()) == 0 {
		s.store(kind, request)
		return nil
	}
	if !before.GetDeletionTimestamp().IsZero() {
		return nil
	}
	now := metav1.NewTime(s.now().Truncate(time.Second))
	request.After = before.DeepCopyObject().(client.Object)
	request.After.SetDeletionTimestamp(&now)
	s.store(kind, request)
	return nil
}

// Finish removes an object whose deletion took its time: a pod that has stopped, a namespace that is empty.
func (s *Server) Finish(actor string, object client.Object) {
	if kind, err := s.kindOf(object); err == nil && s.Find(kind, client.ObjectKeyFromObject(object)) != nil {
		s.store(kind, Request{Actor: actor, Verb: Delete, Kind: kind.Kind, Before: object})
	}
}

// store makes a change, and tells of it. An object whose deletion waited for its last finalizer goes with it.
func (s *Server) store(kind schema.GroupVersionKind, request Request) {
	s.version++
	s.changes[request.Actor]++
	delete(s.sorted, kind)
	if after := request.After; after != nil && !after.GetDeletionTimestamp().IsZero() && len(after.GetFinalizers()) == 0 &&
		request.Verb == Update && kind.Kind != "Namespace" && kind.Kind != "Pod" {
		request.Verb, request.After = Delete, nil
	}
	if request.After == nil {
		delete(s.kinds[kind], client.ObjectKeyFromObject(request.Before))
		delete(s.owners, request.Before.GetUID())
	} else {
		request.After.SetResourceVersion(fmt.Sprint(s.version))
		if s.kinds[kind] == nil {
			s.kinds[kind] = map[types.NamespacedName]client.Object{}
			s.order = append(slices.Clone(s.order), kind)
			slices.SortFunc(s.order, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
		}
		s.kinds[kind][client.ObjectKeyFromObject(request.After)] = request.After
	}
	for _, changed := range s.changed {
		changed(request)
	}
}
