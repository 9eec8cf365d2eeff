package world

import (
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// Those who act besides people.
const (
	operatorName = "affineur"
	// platform is who installs things, and changes them from outside a story.
	platform = "platform"
	// cleaner takes down what belongs to a namespace or an owner that is gone.
	cleaner = "cluster cleaner"
	// deployments, jobs and kubelet are the cluster's own controllers and its nodes.
	deployments = "cluster deployments"
	jobs        = "cluster jobs"
	kubelet     = "cluster kubelet"
)

// admit is what authorization and the admission policies do, as far as a story depends on it: config/admission and
// config/rbac are what really does it.
func (w *World) admit(request *server.Request) error {
	if namespace := request.Object().GetNamespace(); request.Verb == server.Create && w.Full[namespace] {
		return refused("exceeded quota in namespace " + namespace)
	}
	if request.Actor == operatorName {
		if err := w.holdsForgery(request); err != nil {
			return err
		}
		if err := w.mayWrite(request); err != nil {
			return err
		}
	}
	if !w.guards.inPlace {
		return nil
	}
	switch object := request.Object().(type) {
	case *v1alpha1.AIPrototype:
		return w.stampPrototype(request, object)
	case *v1alpha1.EmergencyStop:
		switch {
		case request.Verb == server.Create:
			object.Spec.By = request.Actor
		case request.Verb == server.Update && object.Spec.Lifted != nil && object.Spec.Lifted.By == "":
			object.Spec.Lifted.By = request.Actor
		}
	case *v1alpha1.HardeningDecision:
		if person, ok := people[request.Actor]; ok && request.Verb == server.Create {
			object.Spec.By, object.Spec.Groups = person.Name, slices.Clone(person.Groups)
		}
		if request.Verb == server.Delete && request.Actor != cleaner {
			return refused("a decision stays")
		}
	}
	return nil
}

func refused(why string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: "objects"}, "", errors.New(why))
}

// stampPrototype keeps the set of authors and who asked for production, and refuses to delete what serves.
func (w *World) stampPrototype(request *server.Request, object *v1alpha1.AIPrototype) error {
	switch request.Verb {
	case server.Delete:
		if request.Actor != cleaner && object.Spec.Target != v1alpha1.TargetRetired && object.Status.Production != nil {
			return refused("this prototype serves in production. Set spec.target to Retired first")
		}
		return nil
	case server.Status:
		return nil
	}
	before := map[string]string{}
	changed := true
	if old, ok := request.Before.(*v1alpha1.AIPrototype); ok {
		before = old.Annotations
		changed = !equality.Semantic.DeepEqual(old.Spec, object.Spec) ||
			old.Annotations[v1alpha1.AnnotationRequestedAt] != object.Annotations[v1alpha1.AnnotationRequestedAt]
	}
	authors, requester := before[v1alpha1.AnnotationAuthors], before[v1alpha1.AnnotationRequestedBy]
	if changed {
		if known := strings.Split(authors, "\n"); !slices.Contains(known, request.Actor) {
			authors = strings.TrimPrefix(authors+"\n"+request.Actor, "\n")
		}
		if object.Spec.Target == v1alpha1.TargetProduction {
			requester = request.Actor
		}
	}
	stamp(object, v1alpha1.AnnotationAuthors, authors)
	stamp(object, v1alpha1.AnnotationRequestedBy, requester)
	return nil
}

func stamp(object *v1alpha1.AIPrototype, key, value string) {
	if object.Annotations == nil {
		object.Annotations = map[string]string{}
	}
	delete(object.Annotations, key)
	if value != "" {
		object.Annotations[key] = value
	}
}

// managed tells whether a namespace is one that the operator makes.
func managed(namespace string) bool {
	for _, prefix := range []string{v1alpha1.SandboxPrefix, v1alpha1.ProductionPrefix, v1alpha1.RehearsalPrefix} {
		if strings.HasPrefix(namespace, prefix) {
			return true
		}
	}
	return false
}

// mayWrite gives the operator rights in a managed namespace a moment after it bound them to itself. What it may never
// write anywhere is no matter of rights here, but an invariant.
func (w *World) mayWrite(request *server.Request) error {
	object := request.Object()
	if !managed(object.GetNamespace()) {
		return nil
	}
	if _, binding := object.(*rbacv1.RoleBinding); binding && request.Verb == server.Create {
		if object.GetName() == w.binding(object.GetNamespace()).Name {
			w.rights[object.GetNamespace()] = w.clock.Add(w.jitter(300 * time.Millisecond))
		}
		return nil
	}
	return w.hasRights(object.GetNamespace())
}

func (w *World) binding(namespace string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: workload.OperatorBinding(workload.Surroundings{Namespace: namespace}).Name}
}

func (w *World) hasRights(namespace string) error {
	bound := w.server.Find(rbacv1.SchemeGroupVersion.WithKind("RoleBinding"), w.binding(namespace)) != nil
	if !bound || w.clock.Before(w.rights[namespace]) {
		return refused("the operator has no rights in namespace " + namespace)
	}
	return nil
}

// mayRead refuses the operator what it may not read past the cache.
func (w *World) mayRead(object runtime.Object, namespace, name string) error {
	switch object.(type) {
	case *corev1.Secret, *corev1.SecretList:
		switch {
		case managed(namespace):
			return w.hasRights(namespace)
		case namespace != v1alpha1.SystemNamespace:
			return refused("Secret " + namespace + "/" + name + " was not granted")
		}
	case *corev1.ConfigMapList:
		if managed(namespace) {
			return w.hasRights(namespace)
		}
	}
	return nil
}
