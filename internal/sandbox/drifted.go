package sandbox

import (
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/drift"
)

// modelDrift is what was found out about the model behind what serves; false where nothing serves or nobody asks.
func (s Snapshot) modelDrift() (drift.State, bool) {
	production := s.production()
	if production == nil {
		return drift.State{}, false
	}
	review, state := s.view(production.Review), drift.Read(s.Production.Annotations)
	return state, review != nil && state.Of(review.Spec.Record)
}

// driftCondition is True where it drifted, which is bad news, and False where it is as it was approved.
func (s Snapshot) driftCondition(set setter) {
	state, known := s.modelDrift()
	if !known {
		return
	}
	message, status := state.Message, metav1.ConditionUnknown
	switch state.Verdict {
	case drift.Drifted:
		status = metav1.ConditionTrue
		message += " IT finds out with whoever runs the gateway. It ends with a measurement that is as approved, or with a new review of what " +
			"answers now, which the team asks for with kubectl affineur promote."
	case drift.AsApproved:
		status = metav1.ConditionFalse
	}
	set(v1alpha1.ConditionModelDrift, status, state.Reason, clean(message))
}

// approvesAnew tells whether somebody asked, after the model of what serves drifted, that this revision be reviewed with
// the one that answers now.
func (s Snapshot) approvesAnew() bool {
	state, known := s.modelDrift()
	return known && state.Verdict == drift.Drifted && s.requestTime().After(state.Since)
}

// takenBack is when production was rolled back after the review had let it in; the zero time where it was not.
func takenBack(promoted *v1alpha1.HardeningReview) time.Time {
	p := promoted.Status.Promotion
	c := apimeta.FindStatusCondition(promoted.Status.Conditions, v1alpha1.ConditionPromoted)
	if p == nil || p.Step != v1alpha1.StepRolledBack || c == nil {
		return time.Time{}
	}
	return c.LastTransitionTime.Time
}
