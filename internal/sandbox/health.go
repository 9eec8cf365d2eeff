package sandbox

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// answerGrace is how long a program may take until it answers, before it counts as not answering.
	answerGrace = 20 * time.Second
	// refusedGrace is how long the cluster may refuse pods: while an old pod stops, the quota has no room for the new.
	refusedGrace = 15 * time.Second
)

// health of the workload in its sandbox, read from its Deployment and pods.
type health struct {
	// Available is true where the current subject runs and answers.
	Available bool
	// Reason and Message say why it does not.
	Reason, Message string
	// Owner can mend it; empty while it is only starting.
	Owner v1alpha1.Owner
	// Look again at this time, because the answer changes with time alone.
	Look time.Time
}

// health judges the current subject. Pods of another one don't count.
func (s Snapshot) health(now time.Time) health {
	d := s.Deployment
	if d == nil || d.Annotations[v1alpha1.AnnotationSubject] != s.SubjectDigest || d.Status.ObservedGeneration < d.Generation {
		return starting("The workload is being started.", time.Time{})
	}
	if d.Status.UpdatedReplicas >= 1 && d.Status.AvailableReplicas >= 1 && d.Status.Replicas == d.Status.UpdatedReplicas {
		return health{Available: true}
	}
	worst := starting("The workload's pods are starting.", time.Time{})
	for i := range s.Pods {
		pod := &s.Pods[i]
		if !pod.DeletionTimestamp.IsZero() || pod.Annotations[v1alpha1.AnnotationSubject] != s.SubjectDigest {
			continue
		}
		if found := s.podHealth(pod, now); found.Owner != "" || worst.Owner == "" {
			worst = found
		}
	}
	if worst.Owner == "" {
		return refused(d, worst, now)
	}
	return worst
}

func starting(message string, look time.Time) health {
	return health{Reason: v1alpha1.ReasonStartingWorkload, Message: message, Look: look}
}

// refused looks whether the cluster refuses to create the pods.
func refused(d *appsv1.Deployment, otherwise health, now time.Time) health {
	for _, condition := range d.Status.Conditions {
		if condition.Type != appsv1.DeploymentReplicaFailure || condition.Status != corev1.ConditionTrue {
			continue
		}
		if until := condition.LastTransitionTime.Add(refusedGrace); now.Before(until) {
			return starting("The workload's pods are starting.", until)
		}
		return health{
			Reason: v1alpha1.ReasonPodsRefused, Owner: v1alpha1.OwnerIT,
			Message: "The cluster refuses to create the workload's pod: " + evidence.Clean(condition.Message, 300),
		}
	}
	return otherwise
}

func (s Snapshot) podHealth(pod *corev1.Pod, now time.Time) health {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && condition.Reason == corev1.PodReasonUnschedulable {
			return starting("The cluster has no room for the workload's pod at present; the platform team can make some: "+
				evidence.Clean(condition.Message, 200), time.Time{})
		}
	}
	for i := range pod.Status.ContainerStatuses {
		if status := &pod.Status.ContainerStatuses[i]; status.Name == workload.Name {
			return s.containerHealth(status, now)
		}
	}
	return starting("The workload's pod is starting.", time.Time{})
}

func (s Snapshot) containerHealth(status *corev1.ContainerStatus, now time.Time) health {
	if waiting := status.State.Waiting; waiting != nil {
		switch waiting.Reason {
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "ErrImageNeverPull":
			return health{
				Reason: v1alpha1.ReasonImagePullFailing, Owner: v1alpha1.OwnerIT,
				Message: fmt.Sprintf("The node can't pull %s. The platform team can see why in the pod's events in namespace %s.",
					s.Subject.Container.Image, s.Identity.Sandbox()),
			}
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			return health{
				Reason: v1alpha1.ReasonPodsRefused, Owner: v1alpha1.OwnerBusiness,
				Message: "The container can't be made: " + evidence.Clean(waiting.Message, 300),
			}
		}
	}
	if ended := ending(status); ended != nil {
		return crashed(ended)
	}
	if running := status.State.Running; running != nil && !status.Ready {
		if until := running.StartedAt.Add(answerGrace); now.Before(until) {
			return starting("The program runs; it does not answer yet.", until)
		}
		return s.silent()
	}
	return starting("The workload's pod is starting.", time.Time{})
}

// ending is how the program ended, the last time if it runs again without being ready.
func ending(status *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	switch {
	case status.State.Terminated != nil:
		return status.State.Terminated
	case !status.Ready:
		return status.LastTerminationState.Terminated
	}
	return nil
}

func crashed(ended *corev1.ContainerStateTerminated) health {
	message := fmt.Sprintf("The program ended with exit code %d", ended.ExitCode)
	if ended.Reason == "OOMKilled" {
		message += " because it used more memory than spec.workload.container.resources.memory gives"
	}
	// What the program said last stays in its log: conditions and events are read by many.
	return health{
		Reason: v1alpha1.ReasonCrashLooping, Owner: v1alpha1.OwnerBusiness,
		Message: message + ". It must keep running and serve HTTP; its log is in the sandbox.",
	}
}

func (s Snapshot) silent() health {
	c := s.Subject.Container
	message := fmt.Sprintf("The program runs, but nobody listens on port %d. Let it listen on all addresses, or correct spec.workload.container.port.", c.Port)
	if c.Health != "" {
		message = fmt.Sprintf("The program runs, but does not answer %s on port %d with 2xx or 3xx. Correct the program, or port and health.path in spec.workload.container.",
			c.Health, c.Port)
	}
	return health{Reason: v1alpha1.ReasonNotAnswering, Owner: v1alpha1.OwnerBusiness, Message: message}
}
