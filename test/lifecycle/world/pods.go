package world

import (
	"encoding/json"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/server"
)

var (
	deploymentKind = appsv1.SchemeGroupVersion.WithKind("Deployment")
	podKind        = corev1.SchemeGroupVersion.WithKind("Pod")
	jobKind        = batchv1.SchemeGroupVersion.WithKind("Job")
	revisionKind   = appsv1.SchemeGroupVersion.WithKind("ControllerRevision")
	secretKind     = corev1.SchemeGroupVersion.WithKind("Secret")
	networkKind    = networkingv1.SchemeGroupVersion.WithKind("NetworkPolicy")
	namespaceKind  = corev1.SchemeGroupVersion.WithKind("Namespace")
	prototypeKind  = v1alpha1.GroupVersion.WithKind("AIPrototype")
	reviewKind     = v1alpha1.GroupVersion.WithKind("HardeningReview")
	policyKind     = v1alpha1.GroupVersion.WithKind("HardeningPolicy")
	stopKind       = v1alpha1.GroupVersion.WithKind("EmergencyStop")
	decisionKind   = v1alpha1.GroupVersion.WithKind("HardeningDecision")
)

// owned are the kinds of objects that go with their owners.
var owned = []schema.GroupVersionKind{podKind, reviewKind, decisionKind}

// chores of everybody but the operator, due or not.
func (w *World) chores() []chore {
	var out []chore
	for _, object := range w.server.All(deploymentKind) {
		out = append(out, w.rollOut(object.(*appsv1.Deployment))...)
	}
	for _, object := range w.server.All(jobKind) {
		out = append(out, w.runJob(object.(*batchv1.Job))...)
	}
	for _, object := range w.server.All(podKind) {
		out = append(out, w.runPod(object.(*corev1.Pod))...)
	}
	for i := range w.acts {
		out = append(out, chore{at: w.acts[i].at, do: func() { w.perform(i) }})
	}
	return slices.Concat(out, w.cleanUp(), w.watchGuards())
}

// podsOf an owner, without those that are stopping.
func (w *World) podsOf(owner client.Object) []*corev1.Pod {
	var out []*corev1.Pod
	for _, object := range w.server.All(podKind) {
		if object.GetDeletionTimestamp().IsZero() && server.Controlled(object, owner) {
			out = append(out, object.(*corev1.Pod))
		}
	}
	return out
}

// annotationTemplate marks what a pod was made from.
const annotationTemplate = "template"

func (w *World) templateOf(d *appsv1.Deployment) string {
	version := string(d.UID) + d.ResourceVersion
	if _, known := w.templates[version]; !known {
		raw, err := json.Marshal(d.Spec.Template)
		w.Must(err)
		w.templates[version] = string(raw)
	}
	return w.templates[version]
}

// fleet is a Deployment's pods, sorted by whether they are as it wants them now.
type fleet struct {
	want, surge, unavailable int
	current, old             []*corev1.Pod
	available                int
}

func (w *World) fleetOf(d *appsv1.Deployment) fleet {
	want := int(ptr.Deref(d.Spec.Replicas, 1))
	unavailable, err := intstr.GetScaledValueFromIntOrPercent(d.Spec.Strategy.RollingUpdate.MaxUnavailable, want, false)
	w.Must(err)
	f := fleet{want: want, surge: d.Spec.Strategy.RollingUpdate.MaxSurge.IntValue(), unavailable: unavailable}
	template := w.templateOf(d)
	for _, pod := range w.podsOf(d) {
		if pod.Annotations[annotationTemplate] == template {
			f.current = append(f.current, pod)
		} else {
			f.old = append(f.old, pod)
		}
		if ready(pod) {
			f.available++
		}
	}
	return f
}

// rollOut does one step of a rolling update, as the deployment controller would: it never makes more pods than the
// surge allows, and never stops one that serves if too few would be left.
func (w *World) rollOut(d *appsv1.Deployment) []chore {
	f := w.fleetOf(d)
	total := len(f.current) + len(f.old)
	now := func(do func()) []chore { return []chore{{do: do}} }
	spare := f.available > f.want-f.unavailable
	for _, pod := range f.old {
		if spare || !ready(pod) || f.want == 0 {
			return now(func() { w.Must(w.as(deployments).Delete(w.context(), pod.DeepCopy())) })
		}
	}
	switch {
	case len(f.current) > f.want:
		last := f.current[len(f.current)-1]
		return now(func() { w.Must(w.as(deployments).Delete(w.context(), last.DeepCopy())) })
	case len(f.current) < f.want && total < f.want+f.surge && !w.closing(d.Namespace):
		return now(func() { w.startPod(d) })
	}
	status := appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: int32(total), UpdatedReplicas: int32(len(f.current)), AvailableReplicas: int32(f.available),
	}
	if status.ObservedGeneration != d.Status.ObservedGeneration || status.Replicas != d.Status.Replicas ||
		status.UpdatedReplicas != d.Status.UpdatedReplicas || status.AvailableReplicas != d.Status.AvailableReplicas {
		return now(func() {
			next := d.DeepCopy()
			next.Status = status
			w.Must(w.as(deployments).Status().Update(w.context(), next))
		})
	}
	return nil
}

func (w *World) startPod(d *appsv1.Deployment) {
	pod := &corev1.Pod{
		ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: *d.Spec.Template.Spec.DeepCopy(),
	}
	pod.Namespace, pod.GenerateName, pod.Spec.NodeName = d.Namespace, d.Name+"-", nodeName
	pod.Annotations[annotationTemplate] = w.templateOf(d)
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(d, deploymentKind)}
	w.Must(w.as(deployments).Create(w.context(), pod))
}

// closing tells whether a namespace ends: nothing can be made in it any more, and nobody tries.
func (w *World) closing(namespace string) bool {
	found := w.server.Find(namespaceKind, types.NamespacedName{Name: namespace})
	return found == nil || !found.GetDeletionTimestamp().IsZero()
}

// cleanUp does what the namespace controller and the garbage collector do.
func (w *World) cleanUp() []chore {
	var out []chore
	for _, namespace := range w.server.All(namespaceKind) {
		if !namespace.GetDeletionTimestamp().IsZero() {
			out = append(out, w.empty(namespace)...)
		}
	}
	for _, kind := range owned {
		for _, object := range w.server.All(kind) {
			if object.GetDeletionTimestamp().IsZero() && w.abandoned(object) {
				out = append(out, chore{do: func() { w.clean(object) }})
			}
		}
	}
	return out
}

// empty a namespace that is being deleted, one object after the other, and remove it in the end.
func (w *World) empty(namespace client.Object) []chore {
	var out []chore
	left := false
	for _, kind := range w.server.Kinds() {
		for _, object := range w.server.All(kind) {
			if object.GetNamespace() != namespace.GetName() {
				continue
			}
			left = true
			if object.GetDeletionTimestamp().IsZero() {
				out = append(out, chore{do: func() { w.clean(object) }})
			}
		}
	}
	if !left {
		out = append(out, chore{do: func() { w.server.Finish(cleaner, namespace) }})
	}
	return out
}

func (w *World) clean(object client.Object) {
	w.Must(client.IgnoreNotFound(w.as(cleaner).Delete(w.context(), object.DeepCopyObject().(client.Object))))
}

// abandoned tells whether an object's owners are all gone.
func (w *World) abandoned(object client.Object) bool {
	owners := object.GetOwnerReferences()
	for _, owner := range owners {
		at := client.ObjectKey{Namespace: object.GetNamespace(), Name: owner.Name}
		if found := w.server.Find(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind), at); found != nil && found.GetUID() == owner.UID {
			return false
		}
	}
	return len(owners) > 0
}
