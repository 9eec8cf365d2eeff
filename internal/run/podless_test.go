package run

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubernetes "k8s.io/client-go/kubernetes/fake"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

var made = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

// podless is a Job of ours without a pod.
func podless(edits ...func(*batchv1.Job)) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: v1alpha1.GatesNamespace, Name: "load", UID: "job-1", CreationTimestamp: metav1.NewTime(made),
		Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
	}}
	for _, edit := range edits {
		edit(job)
	}
	return job
}

// podOf a Job, made late and without a node.
func podOf(owner *batchv1.Job) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: owner.Namespace, Name: "load-x", Labels: map[string]string{batchv1.JobNameLabel: owner.Name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, batchv1.SchemeGroupVersion.WithKind("Job"))}},
		Status: corev1.PodStatus{Phase: corev1.PodPending},
	}
}

// collected is what a Collector says at a time of a cluster with these objects.
func collected(t *testing.T, at time.Time, events []runtime.Object, objects ...client.Object) Result {
	t.Helper()
	c := Collector{
		Reader: fake.NewClientBuilder().WithObjects(objects...).Build(), Logs: kubernetes.NewClientset(events...),
		Now: func() time.Time { return at },
	}
	got, err := c.Collect(t.Context(), v1alpha1.GatesNamespace, "load", evidence.KindLoad)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// A Job is waited for until it has a pod, but not for ever.
func TestRunsThatGetNoPod(t *testing.T) {
	before := podless(func(job *batchv1.Job) { job.UID = "job-0" })
	suspended := func(job *batchv1.Job) { job.Spec.Suspend = ptr.To(true) }
	condition := func(kind batchv1.JobConditionType, status corev1.ConditionStatus, at time.Time) func(*batchv1.Job) {
		return func(job *batchv1.Job) {
			job.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: status, LastTransitionTime: metav1.NewTime(at)}}
		}
	}
	hour := made.Add(time.Hour)
	for name, c := range map[string]struct {
		job   *batchv1.Job
		pod   *corev1.Pod
		at    time.Time
		want  State
		until time.Time
	}{
		"a moment ago":                    {podless(), nil, made.Add(time.Second), Running, made.Add(podWithin)},
		"almost too long":                 {podless(), nil, made.Add(podWithin - time.Second), Running, made.Add(podWithin)},
		"too long":                        {podless(), nil, made.Add(podWithin), Lost, time.Time{}},
		"only a pod of the one before it": {podless(), podOf(before), hour, Lost, time.Time{}},
		"a pod that waits for room":       {podless(), podOf(podless()), hour, Running, time.Time{}},
		"not to begin yet":                {podless(suspended), nil, hour, Running, time.Time{}},
		"let begin just now":              {podless(condition(batchv1.JobSuspended, corev1.ConditionTrue, made.Add(time.Second))), nil, hour, Running, time.Time{}},
		"let begin a moment ago":          {podless(condition(batchv1.JobSuspended, corev1.ConditionFalse, hour)), nil, hour.Add(time.Second), Running, hour.Add(podWithin)},
		"let begin long ago":              {podless(condition(batchv1.JobSuspended, corev1.ConditionFalse, hour)), nil, hour.Add(podWithin), Lost, time.Time{}},
		"its pod is not seen yet":         {podless(func(job *batchv1.Job) { job.Status.Active = 1 }), nil, hour, Running, time.Time{}},
		"its pod is not seen any more":    {podless(func(job *batchv1.Job) { job.Status.Succeeded = 1 }), nil, hour, Running, time.Time{}},
		"it failed":                       {podless(condition(batchv1.JobFailed, corev1.ConditionTrue, made)), nil, made.Add(time.Second), Lost, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			objects := []client.Object{c.job}
			if c.pod != nil {
				objects = append(objects, c.pod)
			}
			got := collected(t, c.at, nil, objects...)
			if got.State != c.want || !got.Until.Equal(c.until) || got.UID != c.job.UID {
				t.Errorf("%+v; want %s until %s", got, c.want, c.until)
			}
		})
	}
}

// Why no pod could be made is told, as far as it is known, in one clean line.
func TestRunsThatAreRefusedAPod(t *testing.T) {
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: "load.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "load", UID: "job-1"}, Reason: "FailedCreate",
		Message: "Error creating: pods \"load-x\" is forbidden:\n exceeded quota: room" + strings.Repeat("!", 300),
	}
	got := collected(t, made.Add(podWithin), []runtime.Object{event}, podless())
	want := "no pod was made for it within 3m0s: Error creating: pods \"load-x\" is forbidden: exceeded quota: room!"
	if got.State != Lost || !strings.HasPrefix(got.Why, want) || len(got.Why) > 300 {
		t.Errorf("%+v", got)
	}
}
