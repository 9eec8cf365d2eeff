package run

import (
	"context"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// Attempts at a run that is made anew as often as needed, by the name that begins theirs: Jobs of the prototype that are not
// being deleted, the oldest first.
func Attempts(ctx context.Context, reader client.Reader, owner names.Identity, series client.ObjectKey) ([]batchv1.Job, error) {
	var list batchv1.JobList
	err := reader.List(ctx, &list, client.InNamespace(series.Namespace),
		client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeUID: owner.UID})
	if err != nil {
		return nil, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(job batchv1.Job) bool {
		return !names.IsAttempt(job.Name, series.Name) || !job.DeletionTimestamp.IsZero()
	})
	slices.SortFunc(list.Items, func(a, b batchv1.Job) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return list.Items, nil
}
