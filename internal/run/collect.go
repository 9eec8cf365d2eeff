// Package run reads what measuring Jobs left behind. Nothing is believed that was not written by a pod of a Job
// that the operator made, with the nonce, the subject and the digest that belong to it.
package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

// State of a run.
type State string

const (
	// Absent means that there is no such Job.
	Absent State = "Absent"
	// Running means that its pod has not ended.
	Running State = "Running"
	// Measured means that there is verified evidence.
	Measured State = "Measured"
	// Lost means that the run ended and left nothing that can be used. It may be tried again.
	Lost State = "Lost"
)

// Result of a run so far.
type Result struct {
	State State
	// Why a run was lost, or what a running one waits for.
	Why string
	// StartedAt is when the Job was made.
	StartedAt time.Time
	// Homeless means that no node has room for its pod yet.
	Homeless bool
	// Pod that it runs in, and the node under it; empty while it has none.
	Pod, Node string
	// Told means that a run which bears witness has been told that it may end.
	Told bool
	// Opened is the evidence of a measured run.
	Opened *evidence.Opened
	// Nonce that the evidence carries.
	Nonce string
	// UID of the Job, so that no other one is deleted in its place.
	UID types.UID
	// Until is when a running one counts as lost if it still has no pod; no event tells of that. Zero for one that has a
	// pod, or waits to be let begin.
	Until time.Time
}

// Collector reads Jobs and pods from the cache, logs and events from the API server.
type Collector struct {
	Reader client.Reader
	Logs   kubernetes.Interface
	// Now is the clock; time.Now where it is nil.
	Now func() time.Time
}

// Collect looks at the Job of the given name. An error means that the API server could not be read; everything
// else is a state.
func (c Collector) Collect(ctx context.Context, namespace, name string, want evidence.Kind) (Result, error) {
	var job batchv1.Job
	err := c.Reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &job)
	switch {
	case apierrors.IsNotFound(err):
		return Result{State: Absent}, nil
	case err != nil:
		return Result{}, err
	case job.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy:
		return Result{State: Lost, Why: "a foreign Job of the run's name"}, nil
	}
	result := Result{UID: job.UID, StartedAt: job.CreationTimestamp.Time, Nonce: job.Annotations[v1alpha1.AnnotationNonce]}
	pod, err := c.pod(ctx, &job)
	if err != nil {
		return result, err
	}
	if pod != nil {
		result.Pod, result.Node, result.Homeless = pod.Name, pod.Spec.NodeName, Homeless(pod)
		result.Told = pod.Annotations[v1alpha1.AnnotationWitnessed] != ""
	}
	result, err = c.judge(ctx, &job, pod, want, result)
	if err == nil && pod == nil && result.State == Running {
		return c.podless(ctx, &job, result), nil
	}
	return result, err
}

func (c Collector) judge(ctx context.Context, job *batchv1.Job, pod *corev1.Pod, want evidence.Kind, result Result) (Result, error) {
	ended, why := terminated(pod)
	// A Job can be seen to have finished a moment before its pod is: the two come over different watches.
	// One that failed without a container that ended was out of time before it began.
	going := pod == nil || !pod.DeletionTimestamp.IsZero() || pod.Status.Phase == corev1.PodFailed
	switch {
	case ended == nil && Finished(job) && going:
		result.State, result.Why = Lost, "the run ended before it could measure: "+cmp.Or(toolEnded(pod), reason(job))
	case ended == nil:
		result.State, result.Why = Running, why
	default:
		return c.open(ctx, job, pod, ended, want, result)
	}
	return result, nil
}

// logWithin is how long a log may be out of reach after the runner has ended: a node that went down for good must not keep
// everything waiting that is read with it.
const logWithin = 5 * time.Minute

// open verifies the termination message against the log. The log of a pod that is gone is lost, and with it the
// evidence, as is one that was out of reach for too long; another attempt has to be made.
func (c Collector) open(ctx context.Context, job *batchv1.Job, pod *corev1.Pod, ended *corev1.ContainerStateTerminated, want evidence.Kind, result Result) (Result, error) {
	log, err := c.log(ctx, pod)
	switch {
	case err == nil, apierrors.IsNotFound(err):
	case ctx.Err() != nil, c.now().Before(ended.FinishedAt.Add(logWithin)):
		return result, fmt.Errorf("log of %s/%s: %w", pod.Namespace, pod.Name, err)
	default:
		result.State, result.Why = Lost, "its log could not be read within "+logWithin.String()
		return result, nil
	}
	opened, err := evidence.Open([]byte(ended.Message), log, evidence.Expect{
		Nonce: result.Nonce, Subject: job.Annotations[v1alpha1.AnnotationInputs], Kind: want,
	})
	if err != nil {
		result.State, result.Why = Lost, err.Error()
		return result, nil
	}
	result.State, result.Opened = Measured, opened
	return result, nil
}

// pod of the Job, by owner and not by label alone: a label can be copied, an owner's UID can't be guessed before.
func (c Collector) pod(ctx context.Context, job *batchv1.Job) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := c.Reader.List(ctx, &pods, client.InNamespace(job.Namespace), client.MatchingLabels{batchv1.JobNameLabel: job.Name}); err != nil {
		return nil, err
	}
	for i := range pods.Items {
		if metav1.IsControlledBy(&pods.Items[i], job) {
			return &pods.Items[i], nil
		}
	}
	return nil, nil
}

func (c Collector) log(ctx context.Context, pod *corev1.Pod) ([]byte, error) {
	stream, err := c.Logs.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		// By name: a cluster may put containers of its own beside it.
		Container: workload.RunnerContainer, LimitBytes: ptr.To[int64](evidence.MaxLogBytes),
	}).Stream(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(stream, evidence.MaxLogBytes))
	return raw, errors.Join(err, stream.Close())
}

// Homeless tells whether the scheduler looked and found no node.
func Homeless(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return pod.Spec.NodeName == ""
		}
	}
	return false
}

// terminated is how the runner's container ended, or what its pod waits for.
func terminated(pod *corev1.Pod) (*corev1.ContainerStateTerminated, string) {
	if pod == nil {
		return nil, "the pod is not there yet"
	}
	for _, status := range pod.Status.ContainerStatuses {
		switch {
		case status.Name != workload.RunnerContainer:
		case status.State.Terminated != nil:
			return status.State.Terminated, ""
		case status.State.Waiting != nil:
			return nil, status.State.Waiting.Reason
		}
	}
	return nil, string(pod.Status.Phase)
}

// toolEnded says how an image that has to run before the runner ended badly, or "".
func toolEnded(pod *corev1.Pod) string {
	if pod == nil {
		return ""
	}
	for _, status := range pod.Status.InitContainerStatuses {
		if ended := status.State.Terminated; ended != nil && ended.ExitCode != 0 {
			return fmt.Sprintf("the tool ended with status %d (%s)", ended.ExitCode, ended.Reason)
		}
	}
	return ""
}

// Finished tells whether a Job has ended, one way or another.
func Finished(job *batchv1.Job) bool {
	for _, condition := range job.Status.Conditions {
		if (condition.Type == batchv1.JobComplete || condition.Type == batchv1.JobFailed) && condition.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

func reason(job *batchv1.Job) string {
	for _, condition := range job.Status.Conditions {
		if condition.Type == batchv1.JobFailed {
			return condition.Reason
		}
	}
	return "its pod is gone"
}
