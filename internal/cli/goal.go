package cli

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

// goal is what a pipeline waits for.
type goal string

const (
	goalReady    goal = "ready"
	goalPromoted goal = "promoted"
)

// reached tells whether the prototype's present revision is where the goal wants it, or why it will not get there
// without somebody's doing.
func (g goal) reached(view describe.View) (bool, error) {
	prototype := view.Prototype
	status := prototype.Status
	// What a status says about the spec before this one decides nothing.
	if g == "" || status.ObservedGeneration != prototype.Generation {
		return false, nil
	}
	if g == goalReady && meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionReady) {
		return true, nil
	}
	if g == goalPromoted && status.Production != nil && status.Production.SubjectDigest == status.SubjectDigest &&
		meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionInProduction) {
		return true, nil
	}
	return false, g.hopeless(view)
}

func (g goal) hopeless(view describe.View) error {
	prototype := view.Prototype
	if g == goalPromoted && prototype.Spec.Target != v1alpha1.TargetProduction {
		return fmt.Errorf("it will not be promoted: its target is %s; to ask for promotion: %s", prototype.Spec.Target,
			describe.Command(prototype.Namespace, "promote", prototype.Name))
	}
	if g == goalPromoted && refused(view) {
		return fmt.Errorf("it will not be promoted: %s, a review of this revision, ended as %s", view.Review.Name, view.Review.Status.Outcome)
	}
	stalled := meta.FindStatusCondition(prototype.Status.Conditions, v1alpha1.ConditionStalled)
	if stalled != nil && stalled.Status == metav1.ConditionTrue {
		return fmt.Errorf("it will not be %s until somebody acts: %s", g, stalled.Message)
	}
	return nil
}

// refused tells whether the present revision was turned down, and nobody asked for a second look since.
func refused(view describe.View) bool {
	review, prototype := view.Review, view.Prototype
	if review == nil || review.Spec.SubjectDigest != prototype.Status.SubjectDigest ||
		(review.Status.Outcome != v1alpha1.OutcomeRejected && review.Status.Outcome != v1alpha1.OutcomeRolledBack) {
		return false
	}
	asked, err := time.Parse(time.RFC3339, prototype.Annotations[v1alpha1.AnnotationRequestedAt])
	return err != nil || review.Status.OutcomeAt == nil || !asked.After(review.Status.OutcomeAt.Time)
}
