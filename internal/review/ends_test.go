package review

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
)

// However a review ends, the end is sealed first, and nothing is left running.
func TestEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end     func(w *world)
		outcome v1alpha1.ReviewOutcome
		ready   string
	}{
		"rejected": {
			func(w *world) { w.decide(v1alpha1.VerdictReject, "security", "security-reviewer@example.org") },
			v1alpha1.OutcomeRejected, "False Rejected",
		},
		"rejected while it is being promoted": {
			func(w *world) {
				w.promotion(v1alpha1.StepSoaking)
				w.decide(v1alpha1.VerdictReject, "security", "security-reviewer@example.org")
				w.settle()
				w.promotion(v1alpha1.StepRolledBack, v1alpha1.ReasonRejected)
			},
			v1alpha1.OutcomeRejected, "False Rejected",
		},
		"rejected too late": {
			func(w *world) {
				w.promotion(v1alpha1.StepSoaking)
				w.decide(v1alpha1.VerdictReject, "security", "security-reviewer@example.org")
				w.settle()
				w.promotion(v1alpha1.StepServing)
			},
			v1alpha1.OutcomePromoted, "True Promoted",
		},
		"deleted while it is being promoted": {
			func(w *world) { w.promotion(v1alpha1.StepRolledBack, v1alpha1.ReasonWithdrawn) },
			v1alpha1.OutcomeWithdrawn, "True Withdrawn",
		},
		"superseded": {func(w *world) { w.successor(4) }, v1alpha1.OutcomeSuperseded, "True Superseded"},
		"back to what serves": {
			func(w *world) { w.serves("churn-1", "sha256:a", "sha256:a") }, v1alpha1.OutcomeSuperseded, "True Superseded",
		},
		"sandbox wanted": {func(w *world) { w.target(v1alpha1.TargetSandbox) }, v1alpha1.OutcomeWithdrawn, "True Withdrawn"},
		"retired":        {func(w *world) { w.target(v1alpha1.TargetRetired) }, v1alpha1.OutcomeWithdrawn, "True Withdrawn"},
		"prototype gone": {
			func(w *world) { w.prototypeGone() },
			v1alpha1.OutcomeWithdrawn, "True Withdrawn",
		},
		"prototype made anew": {
			func(w *world) {
				old := &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: identity.Namespace, Name: identity.Name}}
				w.must(w.client.Delete(w.ctx(), old))
				w.must(w.client.Create(w.ctx(), &v1alpha1.AIPrototype{
					ObjectMeta: metav1.ObjectMeta{Namespace: identity.Namespace, Name: identity.Name, UID: "another"},
					Spec:       v1alpha1.AIPrototypeSpec{Target: v1alpha1.TargetProduction},
				}))
			},
			v1alpha1.OutcomeWithdrawn, "True Withdrawn",
		},
		"rolled back": {func(w *world) { w.promotion(v1alpha1.StepRolledBack) }, v1alpha1.OutcomeRolledBack, "False RolledBack"},
		"serving":     {func(w *world) { w.promotion(v1alpha1.StepServing) }, v1alpha1.OutcomePromoted, "True Promoted"},
	} {
		for _, passes := range []int{1, 4, 40} {
			t.Run(fmt.Sprintf("%s after %d passes", name, passes), func(t *testing.T) {
				w := newWorld(t)
				for range passes {
					w.must(w.pass())
				}
				test.end(w)
				w.settle()
				if o := w.outcome(); o == nil || o.Outcome != test.outcome || w.review().Status.Outcome != test.outcome || w.review().Status.OutcomeAt == nil {
					t.Errorf("sealed %+v\n%s", o, w.dump())
				}
				w.is(v1alpha1.ConditionReady, test.ready)
				w.is(v1alpha1.ConditionReconciling, "")
				if len(w.review().Status.WaitingOn) > 0 {
					t.Error("somebody is waited for")
				}
				w.clear()
			})
		}
	}
}

// What was sealed stays, whatever happens between the seal and the status.
func TestSealedStays(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.target(v1alpha1.TargetSandbox)
	w.killAfter = 1
	for w.pass() == nil {
		if len(w.writes) > 1000 {
			t.Fatal("never killed")
		}
	}
	if o := w.outcome(); o == nil || o.Outcome != v1alpha1.OutcomeWithdrawn || w.review().Status.Outcome != "" {
		t.Fatalf("the scene is not set: %+v", o)
	}
	w.target(v1alpha1.TargetProduction)
	w.killAfter = -1
	w.restart()
	w.approve()
	w.settle()
	if got := w.review().Status.Outcome; got != v1alpha1.OutcomeWithdrawn {
		t.Errorf("%q, and sealed as Withdrawn", got)
	}
}

// What anybody does while the subject is being promoted ends nothing: the promotion comes to its own end.
func TestPromotionUnderWay(t *testing.T) {
	for name, do := range map[string]func(w *world){
		"target":    func(w *world) { w.target(v1alpha1.TargetSandbox) },
		"successor": func(w *world) { w.successor(4) },
		"rejection": func(w *world) { w.decide(v1alpha1.VerdictReject, "operations", "operations-reviewer@example.org") },
		"deletion":  func(w *world) { w.prototypeGone() },
		"request":   func(w *world) { w.ask(w.now) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.settle()
			w.approve()
			w.settle()
			w.promotion(v1alpha1.StepRollingOut)
			do(w)
			w.settle()
			if got := w.review().Status.Outcome; got != "" || w.outcome() != nil {
				t.Errorf("outcome %q, sealed %+v", got, w.outcome())
			}
			if w.waiting() != "Operator" {
				t.Errorf("waits for %s", w.waiting())
			}
			if n := len(w.reports(assess.ReportOf("scalability"))); n != 1 {
				t.Errorf("measured %d times", n)
			}
		})
	}
}

// prototypeGone deletes the prototype.
func (w *world) prototypeGone() {
	w.must(w.client.Delete(w.ctx(), &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: identity.Namespace, Name: identity.Name}}))
}

// serves writes what the sandbox controller would: what serves in production, and what the prototype is now.
func (w *world) serves(review, serving, present string) {
	var prototype v1alpha1.AIPrototype
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Namespace, Name: identity.Name}, &prototype))
	prototype.Status.ObservedGeneration, prototype.Status.SubjectDigest = prototype.Generation, present
	prototype.Status.Production = &v1alpha1.ProductionStatus{Review: review, SubjectDigest: serving}
	w.must(w.client.Status().Update(w.ctx(), &prototype))
}

// While the prototype is not what serves, its review goes on; so it does when it was let in itself.
func TestNotSupersededByWhatServes(t *testing.T) {
	for name, set := range map[string]func(w *world){
		"another subject under way": func(w *world) { w.serves("churn-1", "sha256:a", "sha256:b") },
		"the reviewed one":          func(w *world) { w.serves("churn-1", w.rec.SubjectDigest, w.rec.SubjectDigest) },
		"this review let it in":     func(w *world) { w.serves(w.review().Name, "sha256:a", "sha256:a") },
		"an old status": func(w *world) {
			w.serves("churn-1", "sha256:a", "sha256:a")
			w.prototype(func(p *v1alpha1.AIPrototype) { p.Generation++ })
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			set(w)
			w.settle()
			if got := w.review().Status.Outcome; got != "" {
				t.Errorf("outcome %q", got)
			}
		})
	}
}

// A later review of the same subject, or an earlier one of another, supersedes nothing.
func TestNotSuperseded(t *testing.T) {
	w := newWorld(t)
	w.successor(2)
	w.successor(4, func(r *v1alpha1.HardeningReview) { r.Spec.ReviewDigest = w.rec.ReviewDigest })
	w.successor(5, func(r *v1alpha1.HardeningReview) { r.Spec.Prototype.UID = "another" })
	w.settle()
	if got := w.review().Status.Outcome; got != "" {
		t.Errorf("outcome %q", got)
	}
}
