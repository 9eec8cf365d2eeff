package promotion

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

func TestNotPermitted(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(w *world, r record.Record)
		reason  string
		message string
	}{
		"guards out of place": {
			change: func(w *world, _ record.Record) { w.guards = guard.State{Message: "Policy x differs.", LastGood: start} },
			reason: v1alpha1.ReasonGuardsNotInPlace, message: "Policy x differs.",
		},
		"a gate failed": {
			change: func(w *world, _ record.Record) { w.gates = Check{Why: "Gate security failed."} },
			reason: v1alpha1.ReasonNotApproved, message: "Gate security failed.",
		},
		"no approval": {
			change: func(w *world, r record.Record) { w.must(w.client.Delete(w.ctx(), approval(r, reviewer))) },
			reason: v1alpha1.ReasonNotApproved, message: "security (0 of 1)",
		},
		"approved by an author": {
			change: func(w *world, r record.Record) {
				w.must(w.client.Delete(w.ctx(), approval(r, reviewer)))
				w.must(w.client.Create(w.ctx(), approval(r, "owner@example.org")))
			},
			reason: v1alpha1.ReasonNotApproved, message: "security (0 of 1)",
		},
		"approved while the guards were out": {
			change: func(w *world, _ record.Record) {
				w.guards.Gaps = []guard.Gap{{From: start, To: start.Add(30 * time.Minute)}}
			},
			reason: v1alpha1.ReasonNotApproved, message: "security (0 of 1)",
		},
		"the status claims nothing": {
			change: func(w *world, r record.Record) {
				review := w.review(r.Name())
				review.Status.Conditions = nil
				w.must(w.client.Status().Update(w.ctx(), review))
			},
			reason: v1alpha1.ReasonNotApproved, message: "every role approved",
		},
		"the record is gone": {
			change: func(w *world, r record.Record) { w.must(w.client.Delete(w.ctx(), object(w.T, r))) },
			reason: v1alpha1.ReasonRecordMissing, message: "is not there",
		},
		"the record was swapped": {
			change: func(w *world, r record.Record) {
				w.must(w.client.Delete(w.ctx(), object(w.T, r)))
				w.must(w.client.Create(w.ctx(), object(w.T, recordOf(w.T, 1, digestB))))
			},
			reason: v1alpha1.ReasonRecordMissing, message: "speaks of something else",
		},
		"the record is gone before anybody approved": {
			change: func(w *world, r record.Record) {
				w.must(w.client.Delete(w.ctx(), object(w.T, r)))
				review := w.review(r.Name())
				review.Status.Conditions = nil
				w.must(w.client.Status().Update(w.ctx(), review))
			},
			reason: v1alpha1.ReasonNotApproved, message: "every role approved",
		},
		"the team changed its mind": {
			change: func(w *world, _ record.Record) { w.target(v1alpha1.TargetSandbox) },
			reason: v1alpha1.ReasonNotRequested, message: "no longer asks",
		},
		"the prototype is another": {
			change: func(w *world, _ record.Record) {
				w.must(w.client.Delete(w.ctx(), prototypeOf(v1alpha1.TargetProduction)))
				other := prototypeOf(v1alpha1.TargetProduction)
				other.UID = "another"
				w.must(w.client.Create(w.ctx(), other))
			},
			reason: v1alpha1.ReasonNotRequested, message: "gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := first(t)
			test.change(w, r)
			w.settle()
			w.unbroken()
			p := w.promotion(r.Name())
			if begun := !slices.Contains([]string{v1alpha1.ReasonNotApproved, v1alpha1.ReasonNotRequested}, test.reason); begun != (p != nil) {
				t.Errorf("says of a promotion: %+v", p)
			}
			if p != nil && (p.Step != v1alpha1.StepPreparing || p.Reason != test.reason) {
				t.Errorf("says %+v", p)
			}
			promoted := apimeta.FindStatusCondition(w.review(r.Name()).Status.Conditions, v1alpha1.ConditionPromoted)
			if promoted == nil || promoted.Status != metav1.ConditionFalse || promoted.Reason != test.reason || !strings.Contains(promoted.Message, test.message) {
				t.Errorf("Promoted is %+v", promoted)
			}
			if w.namespace() != nil || w.deployment() != nil {
				t.Errorf("something was made: %v", w.writes)
			}
			writes := len(w.writes)
			w.settle()
			if len(w.writes) != writes {
				t.Errorf("writes again without news: %v", w.writes[writes:])
			}
		})
	}
}

// TestWithdrawnIntent: between the recorded intent and the Deployment, everything is looked at once more.
func TestWithdrawnIntent(t *testing.T) {
	w, r := first(t)
	for w.namespace() == nil || w.namespace().Annotations[v1alpha1.AnnotationRecord] == "" {
		_, err := w.pass()
		w.must(err)
	}
	w.must(w.client.Delete(w.ctx(), approval(r, reviewer)))
	w.settle()
	w.unbroken()
	if w.deployment() != nil {
		t.Error("released without approval")
	}
	if got := w.promotion(r.Name()); got != nil {
		t.Errorf("still tells of a promotion: %+v", got)
	}
	if got := w.namespace().Annotations[v1alpha1.AnnotationRecord]; got != "" {
		t.Errorf("still intends %s", got)
	}
}

func TestFaultsAreTold(t *testing.T) {
	w, r := first(t)
	w.bad[digestA] = true
	w.settle()
	p := w.promotion(r.Name())
	if !strings.Contains(p.Message, "exit code 3 (Error)") || !strings.Contains(p.Message, "Nothing serves") {
		t.Errorf("message %q", p.Message)
	}
	if strings.Contains(p.Message, "secret words") {
		t.Errorf("quotes the program: %q", p.Message)
	}
	if !w.event("CrashLooping") {
		t.Error("no event names the cause")
	}
}

// TestForeignNamespace: a namespace of the right name that is not the prototype's is never written to.
func TestForeignNamespace(t *testing.T) {
	w, r := first(t)
	w.must(w.client.Create(w.ctx(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: identity.Production()}}))
	w.settle()
	if got := w.step(r.Name()); got != "Preparing NamespaceConflict" {
		t.Errorf("says %s", got)
	}
	if len(w.namespace().Annotations) > 0 || w.deployment() != nil {
		t.Errorf("wrote into it: %v", w.writes)
	}
}

// TestForeignObject: a squatter inside is a named conflict that is looked at again.
func TestForeignObject(t *testing.T) {
	w, r := first(t)
	w.must(w.client.Create(w.ctx(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: identity.Production(), Name: workload.Name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80)}}},
	}))
	w.settle()
	if got := w.step(r.Name()); got != "Preparing ObjectConflict" {
		t.Errorf("says %s", got)
	}
	if w.deployment() != nil {
		t.Error("released next to a squatter")
	}
}

// TestOthersFieldsStay: the one block and the one condition are all that is written into a review.
func TestOthersFieldsStay(t *testing.T) {
	w, r := first(t)
	review := w.review(r.Name())
	review.Status.Summary = &v1alpha1.Summary{Gates: "3/3"}
	w.must(w.client.Status().Update(w.ctx(), review))
	w.settle()
	got := w.review(r.Name()).Status
	if got.Summary == nil || got.Summary.Gates != "3/3" || !apimeta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionApproved) {
		t.Errorf("others' fields: %+v", got)
	}
	if c := apimeta.FindStatusCondition(got.Conditions, v1alpha1.ConditionPromoted); c == nil || c.ObservedGeneration != 1 {
		t.Errorf("condition %+v", c)
	}
}

// TestOneAtATime: the next review waits until the one under way is settled.
func TestOneAtATime(t *testing.T) {
	w, one := first(t)
	for w.step(one.Name()) != "Soaking Soaking" {
		_, err := w.pass()
		w.must(err)
	}
	two := recordOf(t, 2, digestB)
	w.add(two)
	w.now = w.now.Add(-time.Minute)
	_, err := w.pass()
	w.must(err)
	if got := w.step(two.Name()); got != "Preparing AnotherUnderWay" {
		t.Errorf("the second says %s", got)
	}
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.unbroken()
	if got := fmt.Sprint(w.step(one.Name()), ", ", w.step(two.Name())); got != "Retired Superseded, Serving Promoted" {
		t.Errorf("ends with %s", got)
	}
}

// TestRolledBackIsRemembered: what failed is not tried again, even if every view of it was lost.
func TestRolledBackIsRemembered(t *testing.T) {
	w, r := first(t)
	w.bad[digestA] = true
	w.settle()
	review := w.review(r.Name())
	review.Status.Promotion = nil
	w.must(w.client.Status().Update(w.ctx(), review))
	w.bad[digestA] = false
	w.settle()
	if w.deployment() != nil || w.step(r.Name()) != "RolledBack CrashLooping" {
		t.Errorf("says %s", w.step(r.Name()))
	}
}

// TestApprovalTooOld: nothing gets into production on an approval that ends before it can have soaked, and the role is asked.
func TestApprovalTooOld(t *testing.T) {
	w, r := first(t, func(r *record.Record) { r.Requirements.ApprovalsValidForSeconds = 3600 })
	approved := w.approval(r.Name()).CreationTimestamp
	w.now = approved.Add(time.Hour - r.Requirements.Soak())
	w.settle()
	if w.namespace() != nil {
		t.Errorf("it is on its way: %v", w.writes)
	}
	promoted := apimeta.FindStatusCondition(w.review(r.Name()).Status.Conditions, v1alpha1.ConditionPromoted)
	if promoted == nil || promoted.Reason != v1alpha1.ReasonNotApproved || !strings.Contains(promoted.Message, "security") {
		t.Errorf("says %+v", promoted)
	}
	again := approval(r, "deputy@example.org")
	w.must(w.client.Create(w.ctx(), again))
	w.settle()
	if got := w.step(r.Name()); got != "Serving Promoted" {
		t.Errorf("is %s", got)
	}
	w.unbroken()
}

// TestClockLags: an approval that the API server knows to be over lets nothing in, whatever the operator's clock says.
func TestClockLags(t *testing.T) {
	w, r := first(t, func(r *record.Record) { r.Requirements.ApprovalsValidForSeconds = 3600 })
	approved := w.approval(r.Name()).CreationTimestamp
	w.now = approved.Add(time.Minute)
	w.guards.MeasuredAt = approved.Add(2 * time.Hour)
	w.settle()
	if w.namespace() != nil {
		t.Errorf("it is on its way: %v", w.writes)
	}
}
