package sandbox

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/record"
)

// lastPromoted finds the newest review that ended in production, by the outcomes that were sealed: no status tells it.
func lastPromoted(revisions []appsv1.ControllerRevision, outcomes map[string]record.Outcome) *promoted {
	var last *promoted
	for i := range revisions {
		revision := &revisions[i]
		sealed, ended := outcomes[revision.Name]
		if !ended || sealed.Outcome != v1alpha1.OutcomePromoted || last != nil && int(revision.Revision) < last.ordinal {
			continue
		}
		last = &promoted{review: revision.Name, ordinal: int(revision.Revision)}
		if r, err := record.Read(revision); err == nil {
			last.review, last.record = r.Prototype.Review(r.Ordinal), &r
		}
	}
	return last
}

// baseline is how the last revision that was promoted answered, from its record and its reports. It is frozen with the
// record of the next review, and looked for only where the policy compares.
func (o *observer) baseline(ctx context.Context, s *Snapshot) error {
	compares := slices.ContainsFunc(s.Requirements.Gates, quality.Compares)
	last := s.Records.Promoted
	if !compares || last == nil {
		return nil
	}
	if last.record == nil {
		s.Records.Baseline = &record.Baseline{Review: last.review, Lost: "its record can't be read"}
		return nil
	}
	var list corev1.ConfigMapList
	labels := s.Identity.Labels("report")
	if err := o.live.List(ctx, &list, client.InNamespace(v1alpha1.RecordsNamespace), client.MatchingLabels{
		v1alpha1.LabelPrototypeUID: labels[v1alpha1.LabelPrototypeUID], v1alpha1.LabelComponent: labels[v1alpha1.LabelComponent],
	}); err != nil {
		return err
	}
	var reports []record.Report
	for i := range list.Items {
		// One that can't be read is missing, and then the baseline says so.
		if report, err := record.ReadReport(&list.Items[i]); err == nil {
			reports = append(reports, report)
		}
	}
	s.Records.Baseline = baselineOf(*last.record, reports)
	return nil
}

// baselineOf a record is how its quality gate's last measurement went; nil where it had no such gate.
func baselineOf(rec record.Record, reports []record.Report) *record.Baseline {
	for _, g := range rec.Requirements.Gates {
		if g.Type == v1alpha1.GateQuality {
			return quality.Baseline(rec, assess.Newest(rec, g.Name, reports).Taken())
		}
	}
	return nil
}
