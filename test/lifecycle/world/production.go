package world

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

// onlyWhatPassed: a Deployment in production runs what its record says and nothing else; its record was intended
// before; and when it came in, it was allowed to.
func (w *World) onlyWhatPassed(d *appsv1.Deployment) {
	name := d.Annotations[v1alpha1.AnnotationRecord]
	rec, err := w.record(name)
	if err != nil {
		w.broken("production runs %q: %v", name, err)
		return
	}
	image := d.Spec.Template.Spec.Containers[0].Image
	namespace, ok := w.server.Find(namespaceKind, types.NamespacedName{Name: d.Namespace}).(*corev1.Namespace)
	switch {
	case image != rec.Subject.Container.Image || !strings.Contains(image, "@sha256:"):
		w.broken("production runs %s, and record %s says %s", image, name, rec.Subject.Container.Image)
	case d.Annotations[v1alpha1.AnnotationSubject] != rec.SubjectDigest || rec.Prototype.Production() != d.Namespace:
		w.broken("the Deployment in %s is not rendered from record %s", d.Namespace, name)
	case !ok || namespace.Annotations[v1alpha1.AnnotationRecord] != name:
		w.broken("record %s runs in %s without having been intended", name, d.Namespace)
	case w.truth.refused[name]:
		w.broken("record %s runs again after it was taken back", name)
	}
	if w.truth.admitted[name] {
		return
	}
	if why := w.whyNot(rec); why != "" {
		w.broken("record %s came into production: %s", name, why)
	}
	w.truth.admitted[name] = true
}

// whyNot says why a record must not come into production now, or "". It believes no status, and counts by itself.
func (w *World) whyNot(rec record.Record) string {
	if !w.guards.inPlace {
		return "the guards are not in place"
	}
	var reports []record.Report
	for _, object := range w.server.All(corev1.SchemeGroupVersion.WithKind("ConfigMap")) {
		if object.GetNamespace() != v1alpha1.RecordsNamespace || object.GetLabels()[v1alpha1.LabelPrototypeUID] != rec.Prototype.UID {
			continue
		}
		report, err := record.ReadReport(object.(*corev1.ConfigMap))
		if err != nil {
			return err.Error()
		}
		reports = append(reports, report)
	}
	for _, gate := range []string{assess.ReportLoad, assess.ReportIntegration} {
		if !slices.ContainsFunc(reports, func(r record.Report) bool { return r.Gate == gate && r.Inputs == rec.ReviewDigest }) {
			return "there is no report of gate " + gate + " for its review digest"
		}
	}
	verdicts := assess.Gates(rec, reports, w.clock)
	if !assess.Passed(rec, verdicts) || len(verdicts) != 3 {
		return fmt.Sprintf("the gates say %v", verdicts)
	}
	if w.program(rec.Subject.Container.Image).Slow {
		return "the program is too slow"
	}
	return w.unapproved(rec)
}

// unapproved counts approvals: by people of the role, distinct, neither authors nor of the owning team, on exactly this
// review, while the guards were in place; and no rejection among them.
func (w *World) unapproved(rec record.Record) string {
	name := types.NamespacedName{Namespace: rec.Prototype.Namespace, Name: rec.Prototype.Review(rec.Ordinal)}
	review := w.server.Find(reviewKind, name)
	if review == nil {
		return "its review is gone"
	}
	said := map[string]v1alpha1.HardeningDecisionSpec{}
	for _, object := range w.server.All(decisionKind) {
		decision := object.(*v1alpha1.HardeningDecision)
		if decision.Spec.Review.UID == string(review.GetUID()) && decision.Spec.ReviewDigest == rec.ReviewDigest && w.mayDecide(rec, decision) {
			if decision.Spec.Verdict == v1alpha1.VerdictReject {
				return "it was rejected by " + decision.Spec.By
			}
			said[decision.Spec.By] = decision.Spec
		}
	}
	for _, asked := range rec.Requirements.Approvals {
		var people int
		for _, spec := range said {
			if spec.Role == asked.Role && spec.Verdict == v1alpha1.VerdictApprove {
				people++
			}
		}
		if people < int(asked.Quorum) {
			return fmt.Sprintf("%d of %d people approved as %s", people, asked.Quorum, asked.Role)
		}
	}
	return ""
}

func (w *World) mayDecide(rec record.Record, decision *v1alpha1.HardeningDecision) bool {
	spec := decision.Spec
	in := func(groups []string) bool {
		return slices.ContainsFunc(spec.Groups, func(g string) bool { return slices.Contains(groups, g) })
	}
	guarded := !slices.ContainsFunc(w.guards.gaps, func(g guard.Gap) bool {
		at := decision.CreationTimestamp.Time
		return at.After(g.From) && (g.To.IsZero() || at.Before(g.To))
	})
	role := slices.IndexFunc(rec.Requirements.Approvals, func(a policy.Approval) bool { return a.Role == spec.Role })
	return guarded && role >= 0 && in(rec.Requirements.Approvals[role].Groups) && !in(rec.Requirements.Team.Groups) &&
		!slices.Contains(append(rec.Authors, rec.RequestedBy), spec.By) && !strings.HasPrefix(spec.By, "system:")
}
