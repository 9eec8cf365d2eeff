package sandbox

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
)

// lastPromoted finds the review whose revision serves, or served last, by the outcomes that were sealed: no status tells it. Which
// of them that is says the production namespace, where a later one was taken back: nothing where that says that nothing is to serve.
func lastPromoted(revisions []appsv1.ControllerRevision, outcomes map[string]record.Outcome, place *corev1.Namespace) *promoted {
	serves, told := "", false
	if place != nil && place.DeletionTimestamp.IsZero() {
		serves, told = place.Annotations[v1alpha1.AnnotationRecord]
	}
	if told && serves == "" {
		return nil
	}
	var last *appsv1.ControllerRevision
	for i := range revisions {
		revision := &revisions[i]
		sealed, ended := outcomes[revision.Name]
		if !ended || sealed.Outcome != v1alpha1.OutcomePromoted {
			continue
		}
		// One that is under way has no outcome yet: then it is the one before.
		if last == nil || revision.Name == serves || last.Name != serves && revision.Revision >= last.Revision {
			last = revision
		}
	}
	if last == nil {
		return nil
	}
	found := promoted{review: last.Name}
	if r, err := record.Read(last); err == nil {
		found.review, found.record = r.Prototype.Review(r.Ordinal), &r
	}
	return &found
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
