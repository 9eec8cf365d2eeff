package run

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
)

// Reports of a prototype, read past the cache. One that can't be verified stays in the list as lost: an older one that can
// be must not take its place.
func Reports(ctx context.Context, live client.Reader, of names.Identity) ([]record.Report, error) {
	var list corev1.ConfigMapList
	labels := of.Labels("report")
	err := live.List(ctx, &list, client.InNamespace(v1alpha1.RecordsNamespace), client.MatchingLabels{
		v1alpha1.LabelPrototypeUID: labels[v1alpha1.LabelPrototypeUID], v1alpha1.LabelComponent: labels[v1alpha1.LabelComponent],
	})
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	var out []record.Report
	for i := range list.Items {
		report, err := record.ReadReport(&list.Items[i])
		if err != nil {
			if report.Body, err = assess.Lost(err.Error()); err != nil {
				return nil, err
			}
			report.MeasuredAt = list.Items[i].CreationTimestamp.Time
		}
		out = append(out, report)
	}
	return out, nil
}
