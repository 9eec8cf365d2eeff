package server

import (
	"reflect"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Assign makes out a copy of in. Both are of one type.
func Assign(out, in client.Object) {
	reflect.ValueOf(out).Elem().Set(reflect.ValueOf(in.DeepCopyObject()).Elem())
	out.GetObjectKind().SetGroupVersionKind(in.GetObjectKind().GroupVersionKind())
}

// part of an object's struct; the zero Value where the kind has none.
func part(object client.Object, name string) reflect.Value {
	return reflect.ValueOf(object).Elem().FieldByName(name)
}

func setStatus(object, from client.Object) {
	if status := part(object, "Status"); status.IsValid() {
		status.Set(part(from.DeepCopyObject().(client.Object), "Status"))
	}
}

// fresh gives a new object the status that its schema begins with, whatever its creator wrote.
func fresh(object client.Object) {
	if status := part(object, "Status"); status.IsValid() {
		status.SetZero()
	}
	switch o := object.(type) {
	case *v1alpha1.AIPrototype:
		o.Status.ObservedGeneration = -1
	case *v1alpha1.HardeningReview:
		o.Status.ObservedGeneration = -1
	case *v1alpha1.HardeningPolicy:
		o.Status.ObservedGeneration = -1
	case *corev1.Namespace:
		o.Status.Phase = corev1.NamespaceActive
	}
}

// sameSpec tells whether nothing changed that counts as another generation.
func sameSpec(a, b client.Object) bool {
	spec := part(a, "Spec")
	return !spec.IsValid() || equality.Semantic.DeepEqual(spec.Interface(), part(b, "Spec").Interface())
}

// same tells whether two objects differ in nothing that is stored.
func same(a, b client.Object) bool {
	if a.GetResourceVersion() != b.GetResourceVersion() {
		a = a.DeepCopyObject().(client.Object)
		a.SetResourceVersion(b.GetResourceVersion())
	}
	return equality.Semantic.DeepEqual(a, b)
}

// Controlled tells whether an object is controlled by the one with the UID.
func Controlled(object, by client.Object) bool {
	owner := metav1.GetControllerOf(object)
	return owner != nil && owner.UID == by.GetUID()
}
