package sandbox

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
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

// baselines are how the last revision that was promoted answered, from its record and its reports. They are frozen with the
// record of the next review, and looked for only where the policy compares.
func (o *observer) baselines(ctx context.Context, s *Snapshot) error {
	compare := slices.DeleteFunc(slices.Clone(s.Requirements.Gates), func(g v1alpha1.Gate) bool { return !quality.Compares(g) })
	last := s.Records.Promoted
	if len(compare) == 0 || last == nil {
		return nil
	}
	var reports []record.Report
	if last.record != nil {
		var err error
		if reports, err = run.Reports(ctx, o.live, s.Identity); err != nil {
			return err
		}
	}
	s.Records.Baselines = baselinesOf(compare, *last, reports)
	return nil
}

// baselinesOf what was promoted are how its last measurement went, for each of the gates that compare with it.
func baselinesOf(compare []v1alpha1.Gate, last promoted, reports []record.Report) map[string]record.Baseline {
	found := make(map[string]record.Baseline, len(compare))
	for _, g := range compare {
		if last.record == nil {
			found[g.Name] = record.Baseline{Review: last.review, Lost: "its record can't be read"}
			continue
		}
		found[g.Name] = quality.Baseline(g, *last.record, assess.Newest(*last.record, g.Name, reports).Taken())
	}
	return found
}
