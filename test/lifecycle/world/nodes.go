package world

import (
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// life of a pod of a prototype: when it runs, when it is ready, and when it fails.
const (
	podStarts = time.Second
	podReady  = 2 * time.Second
	podFails  = 3 * time.Second
	podStops  = time.Second
)

func ready(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// runPod does what a node does next with a pod.
func (w *World) runPod(pod *corev1.Pod) []chore {
	if stopping := pod.DeletionTimestamp; stopping != nil {
		return []chore{{at: stopping.Add(podStops), do: func() { w.server.Finish(kubelet, pod) }}}
	}
	if pod.Labels[batchv1.JobNameLabel] != "" {
		return w.runRunner(pod)
	}
	switch pod.Status.Phase {
	case "", corev1.PodPending:
		return w.startPrototype(pod)
	}
	program := w.program(pod.Spec.Containers[0].Image)
	answers := w.after(pod, podStarts, 3*time.Second)
	if pod.Status.StartTime.After(answers) {
		answers = pod.Status.StartTime.Time
	}
	answers = answers.Add(podReady)
	switch fails := program.Fails && strings.HasPrefix(pod.Namespace, v1alpha1.ProductionPrefix); {
	case waitsFor(pod) != "", ready(pod) && !fails:
		return nil
	case ready(pod):
		return []chore{{at: answers.Add(podFails), do: func() { w.tell(pod, crashed(w.stamp())) }}}
	case program.Crashes:
		return []chore{{at: answers, do: func() { w.tell(pod, crashed(w.stamp())) }}}
	}
	return []chore{{at: answers, do: func() {
		status := started(*pod.Status.StartTime)
		status.Conditions[0].Status, status.ContainerStatuses[0].Ready = corev1.ConditionTrue, true
		w.tell(pod, status)
	}}}
}

// startPrototype starts a prototype's container as soon as it can.
func (w *World) startPrototype(pod *corev1.Pod) []chore {
	starts := w.after(pod, podStarts, 3*time.Second)
	switch {
	case !w.mounted(pod):
		return nil
	case w.pulled(pod):
		return []chore{{at: starts, do: func() { w.tell(pod, started(w.stamp())) }}}
	case waitsFor(pod) == "":
		return []chore{{at: starts, do: func() { w.tell(pod, unpulled()) }}}
	}
	return nil
}

// mounted tells whether every Secret that a pod mounts is there. Until then a node creates no container.
func (w *World) mounted(pod *corev1.Pod) bool {
	return !slices.ContainsFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool {
		from := volume.Secret
		return from != nil && !ptr.Deref(from.Optional, false) && !w.holds(pod.Namespace, from.SecretName)
	})
}

// pulled tells whether the registry gives a pod's image away: those of prototypes only to whoever shows a pull secret.
// A node goes to it without one where the Secret that the pod names is not there.
func (w *World) pulled(pod *corev1.Pod) bool {
	return !strings.HasPrefix(pod.Spec.Containers[0].Image, Repository) ||
		slices.ContainsFunc(pod.Spec.ImagePullSecrets, func(from corev1.LocalObjectReference) bool { return w.holds(pod.Namespace, from.Name) })
}

func (w *World) holds(namespace, secret string) bool {
	return w.server.Find(secretKind, types.NamespacedName{Namespace: namespace, Name: secret}) != nil
}

// waitsFor is why a pod's container does not run, as its status says.
func waitsFor(pod *corev1.Pod) string {
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Waiting != nil {
			return c.State.Waiting.Reason
		}
	}
	return ""
}

func (w *World) tell(pod *corev1.Pod, status corev1.PodStatus) {
	next := pod.DeepCopy()
	next.Status = status
	w.Must(w.as(kubelet).Status().Update(w.context(), next))
}

// started is a program that runs and does not answer yet.
func started(at metav1.Time) corev1.PodStatus {
	return corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &at,
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: workload.Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
		}},
	}
}

// unpulled is a container whose image the registry refuses.
func unpulled() corev1.PodStatus {
	return corev1.PodStatus{
		Phase: corev1.PodPending,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: workload.Name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "unauthorized"}},
		}},
	}
}

// crashed is a program that keeps ending.
func crashed(at metav1.Time) corev1.PodStatus {
	status := started(at)
	status.ContainerStatuses[0] = corev1.ContainerStatus{
		Name: workload.Name, RestartCount: 2,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 3, Reason: "Error", Message: "what somebody had typed", FinishedAt: at,
		}},
	}
	return status
}
