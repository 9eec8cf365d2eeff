package run

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

// A run that ended without a container that ended is lost, and is not waited for any longer.
func TestRunsThatNeverBegan(t *testing.T) {
	waiting := []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}}
	failed := batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "DeadlineExceeded"}}}
	for name, c := range map[string]struct {
		job  batchv1.JobStatus
		pod  *corev1.Pod
		want State
	}{
		"starting":                      {batchv1.JobStatus{}, &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: waiting}}, Running},
		"no pod yet":                    {batchv1.JobStatus{}, nil, Running},
		"its pod is gone":               {failed, nil, Lost},
		"its pod goes":                  {failed, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: ptr.To(metav1.Now())}}, Lost},
		"out of time before it began":   {failed, &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded", ContainerStatuses: waiting}}, Lost},
		"the Job is seen to end first":  {failed, &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning}}, Running},
		"failed, and the Job not told ": {batchv1.JobStatus{}, &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed}}, Running},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Collector{}.judge(t.Context(), &batchv1.Job{Status: c.job}, c.pod, evidence.KindLoad, Result{})
			if err != nil || got.State != c.want {
				t.Errorf("%+v, %v; want %s", got, err, c.want)
			}
		})
	}
}

// What a tool before the runner did wrong is said: the runner never began.
func TestToolsThatEndBadly(t *testing.T) {
	failed := batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"}}}
	pod := &corev1.Pod{Status: corev1.PodStatus{
		Phase:                 corev1.PodFailed,
		InitContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}}}},
		ContainerStatuses:     []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}},
	}}
	got, err := Collector{}.judge(t.Context(), &batchv1.Job{Status: failed}, pod, evidence.KindImport, Result{})
	if err != nil || got.State != Lost || !strings.Contains(got.Why, "the tool ended with status 137 (OOMKilled)") {
		t.Errorf("%+v, %v", got, err)
	}
}

// A cluster may put containers of its own beside the runner: how they end says nothing.
func TestContainersBesideTheRunner(t *testing.T) {
	beside := corev1.ContainerStatus{Name: "mesh", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}}
	runner := corev1.ContainerStatus{Name: workload.RunnerContainer, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	pod := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{beside, runner}}}
	if ended, why := terminated(pod); ended != nil || why != "Running" {
		t.Errorf("%+v, %q", ended, why)
	}
	pod.Status.ContainerStatuses[1].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	if ended, _ := terminated(pod); ended == nil || ended.ExitCode != 1 {
		t.Errorf("%+v", ended)
	}
}

func TestHomeless(t *testing.T) {
	pod := func(node string, status corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{NodeName: node}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: status}}}}
	}
	if !Homeless(pod("", corev1.ConditionFalse)) || Homeless(pod("a", corev1.ConditionTrue)) || Homeless(&corev1.Pod{}) {
		t.Error("a pod has no home when the scheduler says so, and only then")
	}
}
