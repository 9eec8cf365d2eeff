package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// Tailer reads the end of a container's log.
type Tailer interface {
	Tail(ctx context.Context, namespace, pod, container string, length int) ([]byte, error)
}

const (
	// keptLog is how much of the end of a workload's log is kept, of all its pods together.
	keptLog = 64 << 10
	// logTime bounds how long a stop may wait for the log.
	logTime = 3 * time.Second
	// keptReports is how many measurements of isolation are kept, besides those that reviews rest on.
	keptReports = 6
)

// keepLogs stores the end of the workload's log in the records before it is stopped, and says what became of it. It
// never fails: nothing may keep a workload running that must not.
func (a *actor) keepLogs(ctx context.Context, s *Snapshot, p Plan) string {
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	kept, outcome, err := a.logs(ctx, s, p)
	switch {
	case err != nil:
		log.FromContext(ctx).Error(err, "log not kept")
		return "The end of its log could not be kept: " + evidence.Clean(err.Error(), 256)
	case outcome != apply.Created:
		return ""
	}
	return "The end of its log is kept in ConfigMap " + v1alpha1.RecordsNamespace + "/" + kept.Name + " (" + kept.Digest() + ")."
}

func (a *actor) logs(ctx context.Context, s *Snapshot, p Plan) (record.Log, apply.Outcome, error) {
	kept := s.log(p)
	if len(s.Pods) == 0 {
		return kept, "", errors.New("it has no pod")
	}
	var body strings.Builder
	for i := range s.Pods {
		pod := s.Pods[i].Name
		tail, err := a.tailer.Tail(ctx, s.Identity.Sandbox(), pod, workload.Name, keptLog/len(s.Pods))
		if err != nil {
			return kept, "", err
		}
		fmt.Fprintf(&body, "pod %s\n%s\n", pod, tail)
	}
	kept.Body = []byte(body.String())
	object, err := kept.Object()
	if err != nil {
		return kept, "", err
	}
	outcome, err := a.writer.CreateOnce(ctx, object)
	return kept, outcome, err
}

// log is what is kept of a workload that is being stopped, without its text. One verdict stops it once.
func (s Snapshot) log(p Plan) record.Log {
	kept := record.Log{Prototype: s.Identity, Why: string(p.State)}
	if verdict := p.verdict(s); verdict != nil {
		kept.At = verdict.MeasuredAt.Time
	}
	kept.Name = s.Identity.Run("log", strconv.FormatInt(kept.At.Unix(), 36))
	return kept
}

// pruneReports removes measurements of isolation: a pair an hour and prototype would grow for ever. The newest stay,
// and those that a review rests on, by what it says or by what was sealed about it.
func (a *actor) pruneReports(ctx context.Context, s *Snapshot) error {
	mine := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeUID: s.Identity.UID}
	var reports corev1.ConfigMapList
	if err := a.writer.Live.List(ctx, &reports, client.InNamespace(v1alpha1.RecordsNamespace), mine,
		client.MatchingLabels{v1alpha1.LabelComponent: "report"}); err != nil {
		return err
	}
	if isolationReports(reports.Items) <= 2*keptReports {
		return nil
	}
	var revisions appsv1.ControllerRevisionList
	if err := a.writer.Live.List(ctx, &revisions, client.InNamespace(v1alpha1.RecordsNamespace), mine); err != nil {
		return err
	}
	for _, object := range surplusReports(reports.Items, s.restsOn(revisions.Items)) {
		if err := a.writer.Remove(ctx, object); err != nil {
			return err
		}
	}
	return nil
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

// restsOn are the digests of the reports that reviews of this prototype name.
func (s Snapshot) restsOn(revisions []appsv1.ControllerRevision) map[string]bool {
	out := map[string]bool{}
	add := func(gates []v1alpha1.GateStatus) {
		for _, gate := range gates {
			if gate.ReportDigest != "" {
				out[gate.ReportDigest] = true
			}
		}
	}
	for i := range s.Reviews {
		add(s.Reviews[i].Status.Gates)
	}
	for i := range revisions {
		if sealed, err := record.ReadOutcome(&revisions[i]); err == nil {
			add(sealed.Gates)
		}
	}
	return out
}

// surplusReports are the reports of isolation to remove: pairs that are neither among the newest nor referred to. One
// that can't be read stays; it says that something is wrong.
func surplusReports(objects []corev1.ConfigMap, referred map[string]bool) []client.Object {
	newest := map[string]time.Time{}
	held := map[string]bool{}
	for i := range objects {
		if !ofIsolation(&objects[i]) {
			continue
		}
		pair := pairOf(objects[i].Name)
		report, err := record.ReadReport(&objects[i])
		if err != nil || referred[report.Digest()] {
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
