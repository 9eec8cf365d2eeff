package sandbox

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// pod of the current subject with one container in the given state.
func pod(status corev1.ContainerStatus) corev1.Pod {
	status.Name = workload.Name
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationSubject: "now"}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{status}},
	}
}

func waiting(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "kubelet says so"}}
}

func running(since time.Time) corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}
}

func ended(code int32, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: message, Reason: "Error"}}
}

func TestHealth(t *testing.T) {
	now := birth
	refusal := func(since time.Time) func(*Snapshot) {
		return func(s *Snapshot) {
			s.Deployment.Status.Conditions = []appsv1.DeploymentCondition{{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota: room\x1b[31m", LastTransitionTime: metav1.NewTime(since),
			}}
		}
	}
	pods := func(pods ...corev1.Pod) func(*Snapshot) { return func(s *Snapshot) { s.Pods = pods } }
	old := pod(corev1.ContainerStatus{State: ended(1, "")})
	old.Annotations[v1alpha1.AnnotationSubject] = "before"
	lost := pod(corev1.ContainerStatus{})
	lost.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes"}}
	healthPath := func(s *Snapshot) { s.Subject.Container.Health = "/healthz" }

	for name, test := range map[string]struct {
		change []func(*Snapshot)
		reason string
		owner  v1alpha1.Owner
		says   string
		look   time.Time
	}{
		"answers": {change: []func(*Snapshot){func(s *Snapshot) { s.Deployment.Status.AvailableReplicas, s.Deployment.Status.UpdatedReplicas = 1, 1 }}},
		"an old pod still there": {change: []func(*Snapshot){func(s *Snapshot) {
			s.Deployment.Status.AvailableReplicas, s.Deployment.Status.UpdatedReplicas, s.Deployment.Status.Replicas = 1, 1, 2
		}}, reason: v1alpha1.ReasonStartingWorkload},
		"another subject answers": {change: []func(*Snapshot){func(s *Snapshot) {
			s.SubjectDigest = "next"
			s.Deployment.Status.AvailableReplicas, s.Deployment.Status.UpdatedReplicas = 1, 1
		}}, reason: v1alpha1.ReasonStartingWorkload},
		"update not seen": {change: []func(*Snapshot){func(s *Snapshot) {
			s.Deployment.Generation = 2
			s.Deployment.Status.AvailableReplicas, s.Deployment.Status.UpdatedReplicas = 1, 1
		}}, reason: v1alpha1.ReasonStartingWorkload},
		"no deployment":            {change: []func(*Snapshot){func(s *Snapshot) { s.Deployment = nil }}, reason: v1alpha1.ReasonStartingWorkload},
		"creating":                 {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: waiting("ContainerCreating")}))}, reason: v1alpha1.ReasonStartingWorkload},
		"crashed":                  {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: ended(3, "no\x07 model\n file")}))}, reason: v1alpha1.ReasonCrashLooping, owner: v1alpha1.OwnerBusiness, says: "exit code 3. It must"},
		"waits to start again":     {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: waiting("CrashLoopBackOff"), LastTerminationState: ended(1, "")}))}, reason: v1alpha1.ReasonCrashLooping, owner: v1alpha1.OwnerBusiness, says: "exit code 1."},
		"runs again, not ready":    {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: running(now), LastTerminationState: ended(1, "")}))}, reason: v1alpha1.ReasonCrashLooping, owner: v1alpha1.OwnerBusiness},
		"an old pod crashes":       {change: []func(*Snapshot){pods(old)}, reason: v1alpha1.ReasonStartingWorkload},
		"can't be pulled":          {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: waiting("ImagePullBackOff")}))}, reason: v1alpha1.ReasonImagePullFailing, owner: v1alpha1.OwnerIT, says: "can't pull registry.example.org/a@sha256"},
		"can't be made":            {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: waiting("CreateContainerError")}))}, reason: v1alpha1.ReasonPodsRefused, owner: v1alpha1.OwnerBusiness},
		"takes its time":           {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: running(now.Add(-5 * time.Second))}))}, reason: v1alpha1.ReasonStartingWorkload, look: now.Add(15 * time.Second)},
		"nobody listens":           {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: running(now.Add(-time.Minute))}))}, reason: v1alpha1.ReasonNotAnswering, owner: v1alpha1.OwnerBusiness, says: "nobody listens on port 8080"},
		"health path answers 500":  {change: []func(*Snapshot){healthPath, pods(pod(corev1.ContainerStatus{State: running(now.Add(-time.Minute))}))}, reason: v1alpha1.ReasonNotAnswering, owner: v1alpha1.OwnerBusiness, says: "does not answer /healthz"},
		"refused for a moment":     {change: []func(*Snapshot){refusal(now.Add(-5 * time.Second))}, reason: v1alpha1.ReasonStartingWorkload, look: now.Add(10 * time.Second)},
		"refused for good":         {change: []func(*Snapshot){refusal(now.Add(-time.Minute))}, reason: v1alpha1.ReasonPodsRefused, owner: v1alpha1.OwnerIT, says: "exceeded quota: room"},
		"no room on any node":      {change: []func(*Snapshot){pods(lost)}, reason: v1alpha1.ReasonStartingWorkload, says: "no room"},
		"one of two pods has died": {change: []func(*Snapshot){pods(pod(corev1.ContainerStatus{State: ended(1, "")}), pod(corev1.ContainerStatus{State: waiting("ContainerCreating")}))}, reason: v1alpha1.ReasonCrashLooping, owner: v1alpha1.OwnerBusiness},
	} {
		t.Run(name, func(t *testing.T) {
			s := Snapshot{
				Prototype: aPrototype().obj(), SubjectDigest: "now",
				Subject:    &subject.Subject{Container: subject.Container{Image: "registry.example.org/a@" + digest, Port: 8080}},
				Deployment: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 1, Annotations: map[string]string{v1alpha1.AnnotationSubject: "now"}}, Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 1}},
			}
			for _, change := range test.change {
				change(&s)
			}
			got := s.health(now)
			if got.Available != (test.reason == "") || got.Reason != test.reason || got.Owner != test.owner || !got.Look.Equal(test.look) {
				t.Errorf("%+v", got)
			}
			if !strings.Contains(got.Message, test.says) || strings.ContainsAny(got.Message, "\x1b\x07\n") {
				t.Errorf("message %q", got.Message)
			}
		})
	}
}
