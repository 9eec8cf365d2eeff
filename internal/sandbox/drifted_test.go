package sandbox

import (
	"strings"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/drift"
)

// found has something found out about what serves, in production that the first review let in.
func found(verdict drift.Verdict, reason string) func(*Snapshot) {
	return func(s *Snapshot) {
		live(s)
		s.Reviews = []v1alpha1.HardeningReview{aReview(1, "now", promoting(v1alpha1.StepServing))}
		s.Reviews[0].Spec.Record = "record-1"
		s.Reviews[0].Status.Outcome = v1alpha1.OutcomePromoted
		s.Production.Annotations = map[string]string{v1alpha1.AnnotationModelDrift: drift.State{
			Record: "record-1", Verdict: verdict, Reason: reason, Message: "Another model answers: example-mini.", Since: birth.Add(time.Hour),
		}.String()}
	}
}

func TestDriftCondition(t *testing.T) {
	drifted := found(drift.Drifted, v1alpha1.ReasonModelChanged)
	for name, c := range map[string]struct {
		arrange func(*Snapshot)
		status  metav1.ConditionStatus
		says    string
	}{
		"nothing serves": {func(*Snapshot) {}, "", ""},
		"nobody asks":    {func(s *Snapshot) { drifted(s); s.Production.Annotations = nil }, "", ""},
		"of another":     {func(s *Snapshot) { drifted(s); s.Reviews[0].Spec.Record = "record-2" }, "", ""},
		"taken back":     {func(s *Snapshot) { drifted(s); s.Reviews[0].Status.Promotion.Step = v1alpha1.StepRolledBack }, "", ""},
		"drifted":        {drifted, metav1.ConditionTrue, "IT finds out"},
		"as approved":    {found(drift.AsApproved, v1alpha1.ReasonAsApproved), metav1.ConditionFalse, "example-mini"},
		"unknown":        {found(drift.Unknown, v1alpha1.ReasonMeasurementLost), metav1.ConditionUnknown, "example-mini"},
		"unreadable":     {func(s *Snapshot) { drifted(s); s.Production.Annotations[v1alpha1.AnnotationModelDrift] = "{" }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := observed(c.arrange)
			// One that is no longer so goes.
			s.Prototype.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionModelDrift, Status: metav1.ConditionTrue, Reason: "Old"}}
			got := apimeta.FindStatusCondition(s.conditions(verdict{}, Plan{}, Outcome{}, birth), v1alpha1.ConditionModelDrift)
			switch {
			case c.status == "" && got != nil:
				t.Errorf("there is %+v", got)
			case c.status != "" && (got == nil || got.Status != c.status || !strings.Contains(got.Message, c.says)):
				t.Errorf("got %+v", got)
			}
		})
	}
}

// What drifted is told once as a warning, and once when it is over.
func TestDriftIsTold(t *testing.T) {
	is := func(status metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionModelDrift, Status: status, Reason: reason, Message: "m"}}
	}
	unknown, good := is(metav1.ConditionUnknown, v1alpha1.ReasonDriftNotMeasured), is(metav1.ConditionFalse, v1alpha1.ReasonAsApproved)
	bad := is(metav1.ConditionTrue, v1alpha1.ReasonModelChanged)
	for name, c := range map[string]struct {
		before, after []metav1.Condition
		want          string
	}{
		"at birth":          {nil, unknown, ""},
		"measured":          {unknown, good, "Normal AsApproved"},
		"drifted":           {good, bad, "Warning ModelChanged"},
		"drifted at birth":  {nil, bad, "Warning ModelChanged"},
		"still":             {bad, bad, ""},
		"for other reasons": {bad, is(metav1.ConditionTrue, v1alpha1.ReasonResultsChanged), "Warning ResultsChanged"},
		"over":              {bad, good, "Normal AsApproved"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, one := range transitions(c.before, c.after) {
				got += one.kind + " " + one.reason
			}
			if got != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

// A revision whose model drifted is reviewed anew when somebody asks for it afterwards, and only then.
func TestWhatDriftedIsReviewedAnew(t *testing.T) {
	drifted := found(drift.Drifted, v1alpha1.ReasonModelChanged)
	takenBack := func(s *Snapshot) {
		drifted(s)
		review := &s.Reviews[0]
		review.Status.Promotion.Step = v1alpha1.StepRolledBack
		apimeta.SetStatusCondition(&review.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionPromoted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonModelChanged,
			LastTransitionTime: metav1.NewTime(birth.Add(2 * time.Hour)),
		})
	}
	for name, c := range map[string]struct {
		arrange func(*Snapshot)
		// asked is how long after birth; 0 for never.
		asked time.Duration
		anew  bool
	}{
		"drifted":                        {drifted, 0, false},
		"asked before":                   {drifted, 30 * time.Minute, false},
		"asked since":                    {drifted, 90 * time.Minute, true},
		"as approved, and asked":         {found(drift.AsApproved, v1alpha1.ReasonAsApproved), 90 * time.Minute, false},
		"unknown, and asked":             {found(drift.Unknown, v1alpha1.ReasonMeasurementLost), 90 * time.Minute, false},
		"taken back":                     {takenBack, 0, false},
		"asked before it was taken back": {takenBack, 90 * time.Minute, false},
		"asked after it was taken back":  {takenBack, 3 * time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := observed(c.arrange)
			if c.asked > 0 {
				s.Prototype.Annotations[v1alpha1.AnnotationRequestedAt] = birth.Add(c.asked).Format(time.RFC3339)
			}
			if s.spokenFor() == c.anew {
				t.Errorf("spoken for: %t", s.spokenFor())
			}
		})
	}
}
