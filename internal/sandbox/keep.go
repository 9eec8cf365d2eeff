package sandbox

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/record"
)

const (
	// keptReports is how many measurements of isolation are kept, besides those that reviews rest on.
	keptReports = 6
	// keptLogs is how many logs of stopped workloads are kept, besides those from the time of an open review.
	keptLogs = 6
)

// prune removes measurements of isolation, of which there is a pair an hour and prototype, and logs of stopped
// workloads: both would grow for ever. The newest stay, and what a review rests on or is about.
func (a *actor) prune(ctx context.Context, s *Snapshot) error {
	mine := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeUID: s.Identity.UID}
	var kept corev1.ConfigMapList
	if err := a.writer.Live.List(ctx, &kept, client.InNamespace(v1alpha1.RecordsNamespace), mine); err != nil {
		return err
	}
	surplus := s.surplusLogs(kept.Items)
	if isolationReports(kept.Items) > 2*keptReports {
		var revisions appsv1.ControllerRevisionList
		if err := a.writer.Live.List(ctx, &revisions, client.InNamespace(v1alpha1.RecordsNamespace), mine); err != nil {
			return err
		}
		surplus = append(surplus, surplusReports(kept.Items, s.restsOn(revisions.Items))...)
	}
	for _, object := range surplus {
		if err := a.writer.Remove(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// surplusLogs are the logs to remove: all but the newest, and but those from the time of an open review, whose reviewers
// may want to read them.
func (s Snapshot) surplusLogs(objects []corev1.ConfigMap) []client.Object {
	var logs []*corev1.ConfigMap
	for i := range objects {
		if objects[i].Labels[v1alpha1.LabelComponent] == "log" {
			logs = append(logs, &objects[i])
		}
	}
	slices.SortFunc(logs, func(a, b *corev1.ConfigMap) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	var out []client.Object
	for _, object := range logs[min(len(logs), keptLogs):] {
		if open := s.newest(); open == nil || open.Status.Outcome != "" || object.CreationTimestamp.Before(&open.CreationTimestamp) {
			out = append(out, object)
		}
	}
	return out
}

func isolationReports(reports []corev1.ConfigMap) int {
	n := 0
	for i := range reports {
		if ofIsolation(&reports[i]) {
			n++
		}
	}
	return n
}

func ofIsolation(report *corev1.ConfigMap) bool {
	return report.Labels[v1alpha1.LabelGate] == assess.ReportIsolation || report.Labels[v1alpha1.LabelGate] == assess.ReportIsolationControl
}

// resting are the reports that reviews rest on.
type resting struct {
	// digests that reviews name.
	digests map[string]bool
	// until is when the newest outcome was sealed that can't be read: it may rest on anything from before.
	until metav1.Time
}

// on tells whether a review rests on a report, or may.
func (r resting) on(object *corev1.ConfigMap, report record.Report) bool {
	return r.digests[report.Digest()] || !r.until.IsZero() && !r.until.Before(&object.CreationTimestamp)
}

// restsOn are the reports that reviews of this prototype rest on.
func (s Snapshot) restsOn(revisions []appsv1.ControllerRevision) resting {
	out := resting{digests: map[string]bool{}}
	add := func(gates []v1alpha1.GateStatus) {
		for _, gate := range gates {
			if gate.ReportDigest != "" {
				out.digests[gate.ReportDigest] = true
			}
		}
	}
	for i := range s.Reviews {
		add(s.Reviews[i].Status.Gates)
	}
	for i := range revisions {
		if revisions[i].Labels[v1alpha1.LabelComponent] == "record" {
			continue
		}
		sealed, err := record.ReadOutcome(&revisions[i])
		if err != nil && out.until.Before(&revisions[i].CreationTimestamp) {
			out.until = revisions[i].CreationTimestamp
		}
		add(sealed.Gates)
	}
	return out
}

// surplusReports are the reports of isolation to remove: pairs that are neither among the newest nor referred to. One
// that can't be read stays; it says that something is wrong.
func surplusReports(objects []corev1.ConfigMap, rests resting) []client.Object {
	newest := map[string]time.Time{}
	held := map[string]bool{}
	for i := range objects {
		if !ofIsolation(&objects[i]) {
			continue
		}
		pair := pairOf(objects[i].Name)
		report, err := record.ReadReport(&objects[i])
		if err != nil || rests.on(&objects[i], report) {
			held[pair] = true
		}
		if report.MeasuredAt.After(newest[pair]) {
			newest[pair] = report.MeasuredAt
		}
	}
	pairs := make([]string, 0, len(newest))
	for pair := range newest {
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(a, b string) int {
		if order := newest[b].Compare(newest[a]); order != 0 {
			return order
		}
		return strings.Compare(a, b)
	})
	for _, pair := range pairs[:min(len(pairs), keptReports)] {
		held[pair] = true
	}
	var out []client.Object
	for i := range objects {
		if ofIsolation(&objects[i]) && !held[pairOf(objects[i].Name)] {
			out = append(out, &objects[i])
		}
	}
	return out
}

// pairOf is what the names of the two reports of a measurement have in common: the beginning of a nonce.
func pairOf(name string) string { return name[strings.LastIndex(name, "-")+1:] }
