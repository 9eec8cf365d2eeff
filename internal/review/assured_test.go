package review

import (
	"context"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/privacy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

// silent reads the log of a prototype that writes nothing down.
type silent struct{ privacy.Instrument }

func (silent) Sample(_ context.Context, _ gate.Case, r gate.Run) (evidence.Result, error) {
	return &evidence.LogResult{Nonce: r.Order.(*evidence.LogOrder).Nonce, Pods: 1}, nil
}

// discreet is what is found where nobody is told what somebody else said.
func discreet(order evidence.PrivacyOrder) *evidence.PrivacyResult {
	asked := func(n int) evidence.Tally { return evidence.Tally{Planned: n, Answered: n} }
	return &evidence.PrivacyResult{Told: asked(order.Records), Others: asked(2 * order.Records), Unnamed: asked(6), Broken: asked(16), Texts: evidence.Texts{Shown: 1, Open: 1}, Tried: asked(2)}
}

// What IT was assured of may end while a review is open and after everybody approved: from the end of its last day the
// gate says that nobody knows any more, whatever was measured, and nothing is promoted. The day itself still counts.
func TestAnAssuranceEndsWhileAReviewIsOpen(t *testing.T) {
	lastDay := opened.UTC().Truncate(24 * time.Hour)
	w := newWorld(t, func(r *record.Record) {
		r.Subject.Demand = &subject.Demand{RequestsPerSecond: "1", LatencyP95: "2s", ErrorRatio: "0.01", Method: "POST", Path: "/ask", Body: `{"text":"When does it end?"}`}
		r.Requirements.DataRules = []v1alpha1.DataRule{{Name: "members", Class: v1alpha1.DataInternal, Residency: []string{"eu"}}}
		for i := range r.Requirements.Integrations {
			r.Requirements.Integrations[i].MayCarry = v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataInternal}}
			r.Requirements.Integrations[i].Assurance = &v1alpha1.Assurance{TrainsOnInputs: v1alpha1.TrainingNever, Residency: "eu", Document: "file 7", CheckedBy: "security", ValidUntil: lastDay.Format(time.DateOnly)}
		}
		r.Requirements.Gates = append(r.Requirements.Gates, v1alpha1.Gate{Name: "privacy", Type: v1alpha1.GatePrivacy, Enforcement: v1alpha1.EnforcementRequired})
	})
	w.controller.Settings.Bench = append(append(assess.Bench{}, bench...), silent{})
	// The log is searched a while after the talk.
	w.settle()
	w.now = w.now.Add(time.Minute)
	w.settle()
	passed := func(want bool) {
		t.Helper()
		got := w.gauge()
		if (got.Verdict == v1alpha1.GatePassed) != want || !want && (got.Verdict != v1alpha1.GateInconclusive || got.Reason != v1alpha1.ReasonAssuranceExpired) {
			t.Errorf("at %s: %+v", w.now, got)
		}
	}
	passed(true)
	w.is(v1alpha1.ConditionGatesPassed, "True AllGatesPassed")
	w.approve()
	w.now = lastDay.Add(24*time.Hour - time.Minute)
	w.must(w.pass())
	passed(true)
	w.now = lastDay.Add(24 * time.Hour)
	for range 2 {
		w.exhaust(gate.SiteSandbox)
	}
	passed(false)
	w.is(v1alpha1.ConditionGatesPassed, "False GatesInconclusive")
	if findings := w.gauge().Findings; len(findings) == 0 || findings[0].Owner != v1alpha1.OwnerIT || findings[0].Field == "" {
		t.Errorf("nobody is told what to mend: %+v", findings)
	}
}
