package run

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// Between counting and beginning nobody else counts: two would find the same last room.
func TestOneBeginsAtATime(t *testing.T) {
	var turns Turns
	begun, err := turns.Take(t.Context(), fake.NewClientBuilder().Build(), 1, func() error {
		if turns.mutex.TryLock() {
			t.Error("another one may count meanwhile")
		}
		return nil
	})
	if err != nil || !begun {
		t.Errorf("%t, %v", begun, err)
	}
}

// What takes up room is a measurement for a review that has not ended, and nothing else.
func TestAtWork(t *testing.T) {
	identity := names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "11111111-0000-4000-8000-000000000000"}
	for name, c := range map[string]struct {
		edit func(*batchv1.Job)
		want bool
	}{
		"at work":              {func(*batchv1.Job) {}, true},
		"waiting for its pod":  {func(job *batchv1.Job) { job.Status = batchv1.JobStatus{} }, true},
		"being let begin":      {func(job *batchv1.Job) { job.Status.Conditions[0].Type = batchv1.JobSuspended }, true},
		"complete":             {func(job *batchv1.Job) { job.Status.Conditions[0].Type = batchv1.JobComplete }, false},
		"failed":               {func(job *batchv1.Job) { job.Status.Conditions[0].Type = batchv1.JobFailed }, false},
		"being deleted":        {func(job *batchv1.Job) { job.DeletionTimestamp = &metav1.Time{Time: made} }, false},
		"for no review":        {func(job *batchv1.Job) { delete(job.Labels, v1alpha1.LabelReview) }, false},
		"for a review by word": {func(job *batchv1.Job) { job.Labels[v1alpha1.LabelReview] = "all" }, false},
		"somebody else's":      {func(job *batchv1.Job) { delete(job.Labels, v1alpha1.LabelManagedBy) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			job := podless()
			job.Labels = identity.Labels("caller")
			job.Labels[v1alpha1.LabelReview] = "3"
			job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue}}
			c.edit(job)
			if AtWork(job) != c.want {
				t.Errorf("takes up room: %t", !c.want)
			}
		})
	}
}
