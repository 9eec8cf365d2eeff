package sandbox

import (
	"context"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/record"
)

// records are read only when a review is to be opened or restored. A review must speak of what is there now, so the
// references are read anew before.
func (o *observer) records(ctx context.Context, s *Snapshot, seen *remembered, now time.Time) error {
	if !s.needsRecords(now) {
		return nil
	}
	if s.Subject != nil && !s.References.Live {
		if err := o.subject(ctx, s, seen, true, now); err != nil {
			return err
		}
	}
	var list appsv1.ControllerRevisionList
	if err := o.live.List(ctx, &list, client.InNamespace(v1alpha1.RecordsNamespace),
		client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeUID: s.Identity.UID}); err != nil {
		return err
	}
	records := readRecords(list.Items, s.inProduction())
	s.Records = &records
	if err := o.baselines(ctx, s); err != nil {
		return err
	}
	return o.doubt(ctx, s)
}

// doubt about the authors is looked into when a review is to be opened, and frozen with it.
func (o *observer) doubt(ctx context.Context, s *Snapshot) error {
	guards, err := guard.Load(ctx, o.live)
	if err != nil {
		return err
	}
	s.Records.Doubt = authorsDoubt(s.authors(), s.Prototype.Annotations[v1alpha1.AnnotationRequestedBy], s.Prototype.CreationTimestamp.Time, guards)
	s.Records.ReviewDigest, err = record.ReviewDigest(s.SubjectDigest, s.Requirements, s.Records.Doubt)
	return err
}

// readRecords finds the newest record and its outcome. A record that does not match its digests speaks for nothing;
// its ordinal is not used again.
func readRecords(revisions []appsv1.ControllerRevision, place *corev1.Namespace) Records {
	var out Records
	outcomes := map[string]record.Outcome{}
	for i := range revisions {
		revision := &revisions[i]
		number, err := strconv.Atoi(revision.Labels[v1alpha1.LabelReview])
		if err != nil {
			continue
		}
		out.Last = max(out.Last, number)
		if sealed, err := record.ReadOutcome(revision); err == nil {
			outcomes[sealed.Record] = sealed
			continue
		}
		if r, err := record.Read(revision); err == nil && (out.Newest == nil || r.Ordinal > out.Newest.Ordinal) {
			out.Newest, out.Created = &r, revision.CreationTimestamp.Time
		}
	}
	if out.Newest != nil {
		out.Outcome = outcomes[out.Newest.Name()]
	}
	out.Promoted = everPromoted(revisions, outcomes, place)
	return out
}
