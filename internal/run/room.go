package run

import (
	"context"
	"strconv"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// Turns are shared by all who begin measurements: one begins at a time, since what another began a moment ago is in no
// cache yet.
type Turns struct{ mutex sync.Mutex }

// Take calls begin where fewer than so many measurements are at work in the cluster, and tells whether it did.
func (t *Turns) Take(ctx context.Context, live client.Reader, atMost int, begin func() error) (bool, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var jobs batchv1.JobList
	if err := live.List(ctx, &jobs, client.HasLabels{v1alpha1.LabelReview}); err != nil {
		return false, err
	}
	busy := 0
	for i := range jobs.Items {
		if AtWork(&jobs.Items[i]) {
			busy++
		}
	}
	if busy >= atMost {
		return false, nil
	}
	return true, begin()
}

// Freed are the changes by which a measurement takes up room no longer.
func Freed() predicate.Predicate {
	busy := func(object client.Object) bool { return AtWork(object.(*batchv1.Job)) }
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return busy(e.ObjectOld) && !busy(e.ObjectNew) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return busy(e.Object) },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// AtWork tells whether a Job is a measurement that takes up room.
func AtWork(job *batchv1.Job) bool {
	_, managed := names.FromLabels(job.Labels)
	_, err := strconv.Atoi(job.Labels[v1alpha1.LabelReview])
	return managed && err == nil && !Finished(job) && job.DeletionTimestamp.IsZero()
}
