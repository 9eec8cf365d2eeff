package run

import (
	"context"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/internal/evidence"
)

// podWithin is how long a Job may be without a pod. Its controller makes one within a second; after that it was refused,
// by a quota or by admission, or forgotten: it counts its expectations by name, and may wait for a pod of another Job that
// had this one's. A pod that waits for a node is there, and waits for room.
const podWithin = 3 * time.Minute

// podless is a run whose Job has no pod: at first it is waited for.
func (c Collector) podless(ctx context.Context, job *batchv1.Job, result Result) Result {
	due := podDue(job)
	if due.IsZero() || c.now().Before(due) {
		result.Until = due
		return result
	}
	result.State, result.Why = Lost, "no pod was made for it within "+podWithin.String()+c.refusal(ctx, job)
	return result
}

// podDue is until when a Job is to have a pod; the zero time where it had one that is gone, which its controller will
// tell, and where it is not to begin yet. Whoever lets it begin changes its spec first, and its controller, which makes the
// pod, tells a moment later when that was; until then it is not known since when it has been awaited.
func podDue(job *batchv1.Job) time.Time {
	s := job.Status
	had := s.Active > 0 || s.Failed > 0 || s.Succeeded > 0
	if had || ptr.Deref(job.Spec.Suspend, false) {
		return time.Time{}
	}
	since := job.CreationTimestamp.Time
	for _, condition := range s.Conditions {
		switch {
		case condition.Type != batchv1.JobSuspended:
		case condition.Status == corev1.ConditionTrue:
			return time.Time{}
		case condition.Status == corev1.ConditionFalse && condition.LastTransitionTime.After(since):
			since = condition.LastTransitionTime.Time
		}
	}
	return since.Add(podWithin)
}

// maxRefusal is how much of a refusal is told, in bytes.
const maxRefusal = 200

// refusal is what the Job's controller was told when it tried, as far as that can be read: it explains, and decides nothing.
func (c Collector) refusal(ctx context.Context, job *batchv1.Job) string {
	list, err := c.Logs.CoreV1().Events(job.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(job.UID), "reason": "FailedCreate"}.String(), Limit: 20,
	})
	if err != nil || len(list.Items) == 0 {
		return ""
	}
	newest := slices.MaxFunc(list.Items, func(a, b corev1.Event) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return ": " + evidence.Clean(newest.Message, maxRefusal)
}

func (c Collector) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}
