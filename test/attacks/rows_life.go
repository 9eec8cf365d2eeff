package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// heldBack is row 23, the other half: finalizers of somebody else's, and ways to delete.
func (f *field) heldBack() []attack {
	start := func(name string, finalizers ...string) func(context.Context) (*v1alpha1.AIPrototype, error) {
		return func(ctx context.Context) (*v1alpha1.AIPrototype, error) {
			p := f.newPrototype(home, name, "churn-advisor-1.4")
			p.Finalizers = finalizers
			if err := f.lead.Create(ctx, p); err != nil {
				return nil, err
			}
			sandbox := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.Of(p).Sandbox()}}
			return p, await.Object(ctx, f.admin, sandbox, func(*corev1.Namespace) (bool, error) { return true, nil })
		}
	}
	deleted := func(make func(context.Context) (*v1alpha1.AIPrototype, error), options ...client.DeleteOption) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			p, err := make(ctx)
			if err != nil {
				return "", err
			}
			if err := f.lead.Delete(ctx, p.DeepCopy(), options...); err != nil {
				return "", err
			}
			if err := await.NothingLeft(ctx, f.admin, names.Of(p)); err != nil {
				return "", err
			}
			held := len(foreign(p)) > 0
			gone, err := f.gone(ctx, p)
			if err != nil || gone == held {
				return "", fmt.Errorf("the prototype is gone: %t, held by another's finalizer: %t: %w", gone, held, err)
			}
			if held {
				if err := f.release(ctx, p); err != nil {
					return "", err
				}
			}
			return "the operator (it took the sandbox and every run away all the same)", await.Gone(ctx, f.admin, p)
		}
	}
	return []attack{
		{row: 23, who: f.lead.name, what: "keeping a sandbox by a finalizer of one's own on a deleted prototype", meant: []wall{itsOperator}, try: deleted(start("held", "example.org/hold"))},
		{row: 23, who: f.lead.name, what: "deleting a prototype by force, leaving everything behind", meant: []wall{itsOperator}, try: deleted(start("orphaning"),
			client.PropagationPolicy(metav1.DeletePropagationOrphan), client.GracePeriodSeconds(0))},
	}
}

// foreignLabels is row 22: a foreign object with the labels of another's prototype is neither taken for it nor deleted with it.
func (f *field) foreignLabels() []attack {
	return []attack{{row: 22, who: f.lead.name, what: "an object of one's own that says it is the operator's", meant: []wall{itsOperator}, try: func(ctx context.Context) (string, error) {
		p := f.newPrototype(home, "impostor", "churn-advisor-1.4")
		if err := f.lead.Create(ctx, p); err != nil {
			return "", err
		}
		identity := names.Of(p)
		posing := &appsv1.Deployment{ObjectMeta: in(home, workload.Name)}
		posing.Spec = f.deployment(home, func(*corev1.PodSpec) {}).Spec
		posing.Spec.Replicas = ptr.To[int32](0)
		posing.Labels = identity.Labels(workload.ComponentPrototype)
		if err := f.lead.Create(ctx, posing); err != nil {
			return "", err
		}
		made := posing.DeepCopy()
		sandbox := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: identity.Sandbox()}}
		if err := await.Object(ctx, f.admin, sandbox, func(*corev1.Namespace) (bool, error) { return true, nil }); err != nil {
			return "", err
		}
		if err := f.lead.Delete(ctx, p); err != nil {
			return "", err
		}
		if err := f.leftNothing(ctx, p); err != nil {
			return "", err
		}
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(posing), posing); err != nil {
			return "", err
		}
		if !untouched(made, posing) {
			return "", errors.New("the foreign Deployment was changed or deleted")
		}
		return "the operator (it looks in the namespaces that it made, and left the Deployment as it was when the prototype went)", f.lead.Delete(ctx, posing)
	}}}
}

// untouched tells whether a Deployment is as it was made, but for what the cluster itself notes on it.
func untouched(made, now *appsv1.Deployment) bool {
	return made.UID == now.UID && now.DeletionTimestamp.IsZero() && equality.Semantic.DeepEqual(made.Spec, now.Spec) && maps.Equal(made.Labels, now.Labels) &&
		equality.Semantic.DeepEqual(made.OwnerReferences, now.OwnerReferences) && slices.Equal(made.Finalizers, now.Finalizers)
}

// teardown is row 24: a program that does not stop when told to, and goes on trying while its sandbox is taken down.
func (f *field) teardown() []attack {
	return []attack{{
		row: 24, who: "a malicious container", what: "going on in its sandbox after its network policies are gone", meant: []wall{{by: "the order of the teardown ("}},
		control: func(ctx context.Context) error {
			got, err := f.tried(ctx, f.admin, unguarded, "outside", f.tries.internet)
			if err == nil && !got.Done {
				err = errors.New(got.Error)
			}
			return errors.Join(err, f.comes(ctx, f.stubborn, running))
		},
		try: f.outlive,
	}}
}

func (f *field) outlive(ctx context.Context) (string, error) {
	namespace := f.stubborn.Status.Sandbox.Namespace
	pod, err := f.pod(ctx, f.admin, namespace)
	if err != nil {
		return "", err
	}
	clients, err := kubernetes.NewForConfig(f.admin.config)
	if err != nil {
		return "", err
	}
	stream, err := clients.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = stream.Close() }()
	told := make(chan []line, 1)
	go func() { told <- linesOf(stream) }()
	order, err := f.watchOrder(ctx, namespace)
	if err != nil {
		return "", err
	}
	began := time.Now().UTC()
	if err := f.lead.Delete(ctx, f.stubborn.DeepCopy()); err != nil {
		return "", err
	}
	if err := order(ctx); err != nil {
		return "", err
	}
	policiesGone := time.Now().UTC()
	var lines []line
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case lines = <-told:
	}
	late := 0
	for _, l := range lines {
		if l.Done {
			return "", fmt.Errorf("%s worked at %s", l.Try, l.At)
		}
		if l.At.After(began) {
			late++
		}
	}
	if late == 0 {
		return "", errors.New("the program told nothing after the deletion began, so it shows nothing")
	}
	last := lines[len(lines)-1].At
	return fmt.Sprintf("the order of the teardown (%d tries after the deletion began, the last %.1f s before the first policy went, all: %s)",
		late, policiesGone.Sub(last).Seconds(), short(lines[len(lines)-1].Error)), f.leftNothing(ctx, f.stubborn)
}

// watchOrder watches pods and network policies of a namespace. What it returns waits until the first policy went, and
// wants every pod to have gone before: by the API server's own order of things, its resource versions.
func (f *field) watchOrder(ctx context.Context, namespace string) (func(context.Context) error, error) {
	pods, err := f.admin.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	policies, err := f.admin.Watch(ctx, &networkingv1.NetworkPolicyList{}, client.InNamespace(namespace))
	if err != nil {
		pods.Stop()
		return nil, err
	}
	return func(ctx context.Context) error {
		defer pods.Stop()
		defer policies.Stop()
		present, lastPod, firstPolicy := map[string]bool{}, uint64(0), uint64(0)
		for firstPolicy == 0 || lastPod == 0 || len(present) > 0 {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w: %d pods are left", context.Cause(ctx), len(present))
			case event := <-pods.ResultChan():
				pod, is := event.Object.(*corev1.Pod)
				if !is {
					return fmt.Errorf("the watch of pods ended: %+v", event)
				}
				present[pod.Name] = true
				if event.Type == watch.Deleted {
					delete(present, pod.Name)
					lastPod = max(lastPod, version(pod))
				}
			case event := <-policies.ResultChan():
				if event.Type == watch.Deleted && firstPolicy == 0 {
					firstPolicy = version(event.Object.(client.Object))
				}
			}
		}
		if lastPod == 0 || lastPod >= firstPolicy {
			return fmt.Errorf("the last pod went at version %d, the first network policy at %d", lastPod, firstPolicy)
		}
		return nil
	}, nil
}

// version orders what happened in one cluster.
func version(object client.Object) uint64 {
	number, _ := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	return number
}
