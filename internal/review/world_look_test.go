package review

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// is compares a condition, such as "True AllGatesPassed"; "" for one that is absent.
func (w *world) is(kind, want string) {
	w.Helper()
	got := ""
	if c := apimeta.FindStatusCondition(w.review().Status.Conditions, kind); c != nil {
		got = string(c.Status) + " " + c.Reason
	}
	if got != want {
		w.Errorf("%s is %q, want %q\n%s", kind, got, want, w.dump())
	}
}

func (w *world) dump() string {
	raw, _ := json.MarshalIndent(w.review().Status, "", "  ")
	return string(raw)
}

// gates are the verdicts, such as "security Passed NoHolesFound".
func (w *world) gates() []string {
	var out []string
	for _, gate := range w.review().Status.Gates {
		out = append(out, fmt.Sprintf("%s %s %s", gate.Name, gate.Verdict, gate.Reason))
	}
	return out
}

// waiting is who is waited for, such as "IT/security".
func (w *world) waiting() string {
	if w.review().Status.Summary == nil {
		return ""
	}
	return w.review().Status.Summary.WaitingOn
}

// jobs that are there, by namespace and gate.
func (w *world) jobs() []string {
	var list batchv1.JobList
	w.must(w.client.List(w.ctx(), &list))
	var out []string
	for _, job := range list.Items {
		out = append(out, job.Namespace+" "+job.Labels[v1alpha1.LabelGate])
	}
	slices.Sort(out)
	return out
}

// reports that are kept, by gate.
func (w *world) reports(gate string) []record.Report {
	var list corev1.ConfigMapList
	w.must(w.client.List(w.ctx(), &list, client.InNamespace(v1alpha1.RecordsNamespace), client.MatchingLabels{v1alpha1.LabelGate: gate}))
	var out []record.Report
	for i := range list.Items {
		report, err := record.ReadReport(&list.Items[i])
		w.must(err)
		out = append(out, report)
	}
	return out
}

func (w *world) rehearsal() *corev1.Namespace {
	var namespace corev1.Namespace
	if err := w.client.Get(w.ctx(), client.ObjectKey{Name: identity.Rehearsal()}, &namespace); err != nil {
		return nil
	}
	return &namespace
}

func (w *world) outcome() *record.Outcome {
	var object appsv1.ControllerRevision
	if err := w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: record.OutcomeName(w.rec.Name())}, &object); err != nil {
		return nil
	}
	outcome, err := record.ReadOutcome(&object)
	w.must(err)
	return &outcome
}

// events that were told, by reason.
func (w *world) told(reason string) int {
	n := 0
	for {
		select {
		case event := <-w.recorder.Events:
			if strings.Contains(event, " "+reason+" ") {
				n++
			}
		default:
			return n
		}
	}
}

// openings in the gates namespace that runs brought.
func (w *world) openings() []string {
	var list networkingv1.NetworkPolicyList
	w.must(w.client.List(w.ctx(), &list, client.InNamespace(v1alpha1.GatesNamespace)))
	var out []string
	for _, policy := range list.Items {
		out = append(out, policy.Name)
	}
	return out
}

func (w *world) target(target v1alpha1.Target) {
	w.prototype(func(p *v1alpha1.AIPrototype) { p.Spec.Target = target })
}

// successor is another review of the same prototype, by default of another subject.
func (w *world) successor(ordinal int, edits ...func(*v1alpha1.HardeningReview)) {
	review := w.review()
	next := &v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: review.Namespace, Name: identity.Review(ordinal), Labels: review.Labels}, Spec: review.Spec,
	}
	next.Spec.ReviewDigest = "sha256:" + strings.Repeat(fmt.Sprint(ordinal), 64)
	for _, edit := range edits {
		edit(next)
	}
	w.must(w.client.Create(w.ctx(), next))
}

// rehearsalOf is the rehearsal namespace as another review made it.
func (w *world) rehearsalOf(ordinal int) *corev1.Namespace {
	other := w.rec
	other.Ordinal = ordinal
	return Snapshot{Record: &other}.rehearsalNamespace(gate.SiteRehearsal)
}
