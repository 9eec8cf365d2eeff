package sandbox

import (
	"cmp"
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

// everPromoted finds the reviews whose revisions were promoted, from what serves, or served last, back to the first, by the outcomes
// that were sealed: no status tells it. Which of them serves says the production namespace, where a later one was taken back:
// nothing where that says that nothing is to serve.
func everPromoted(revisions []appsv1.ControllerRevision, outcomes map[string]record.Outcome, place *corev1.Namespace) []*appsv1.ControllerRevision {
	serves, told := "", false
	if place != nil && place.DeletionTimestamp.IsZero() {
		serves, told = place.Annotations[v1alpha1.AnnotationRecord]
	}
	if told && serves == "" {
		return nil
	}
	var found []*appsv1.ControllerRevision
	for i := range revisions {
		if sealed, ended := outcomes[revisions[i].Name]; ended && sealed.Outcome == v1alpha1.OutcomePromoted {
			found = append(found, &revisions[i])
		}
	}
	slices.SortFunc(found, func(a, b *appsv1.ControllerRevision) int { return cmp.Compare(b.Revision, a.Revision) })
	// One that is under way has no outcome yet: then it is the one before.
	last := max(slices.IndexFunc(found, func(r *appsv1.ControllerRevision) bool { return r.Name == serves }), 0)
	return found[last:]
}

// baselines are how revisions that were promoted answered, from their records and reports. They are frozen with the
// record of the next review, and looked for only where the policy compares.
func (o *observer) baselines(ctx context.Context, s *Snapshot) error {
	compare := slices.DeleteFunc(slices.Clone(s.Requirements.Gates), func(g v1alpha1.Gate) bool { return !quality.Compares(g) })
	if len(compare) == 0 || len(s.Records.Promoted) == 0 {
		return nil
	}
	reports, err := run.Reports(ctx, o.live, s.Identity)
	if err != nil {
		return err
	}
	s.Records.Baselines = baselinesOf(compare, s.Records.Promoted, reports)
	return nil
}

// baselinesOf what was promoted, newest first, are how the last measurement went of the newest that was asked what a gate asks, for
// each gate that compares with it. Which gates a revision meets depends on its tier, and so on facts that its team writes: one
// without the gate must not lead around the comparison. Where none was asked, the last one says why.
func baselinesOf(compare []v1alpha1.Gate, promoted []*appsv1.ControllerRevision, reports []record.Report) map[string]record.Baseline {
	found := make(map[string]record.Baseline, len(compare))
	for i, revision := range promoted {
		if len(compare) == 0 {
			break
		}
		rec, err := record.Read(revision)
		compare = slices.DeleteFunc(compare, func(g v1alpha1.Gate) bool {
			b := record.Baseline{Review: revision.Name, Lost: "its record can't be read"}
			if err == nil {
				b = quality.Baseline(g, rec, assess.Newest(rec, g.Name, reports).Taken())
			}
			asked := b.Unasked == ""
			b.Older = i > 0
			if asked || i == 0 {
				found[g.Name] = b
			}
			return asked
		})
	}
	return found
}
