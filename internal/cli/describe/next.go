package describe

import (
	"fmt"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Step is something to do next: words, and the command to type where there is one.
type Step struct {
	Say     string
	Command string
}

// Next says what to do next. The first rule that has an answer gives it: what stops everything comes before what
// could be better.
func Next(view View) []Step {
	rules := []func(View) []Step{leaving, unseen, needsProgram, refused, stopped, unfilled, unasked, serving, inReview}
	for _, rule := range rules {
		if steps := rule(view); len(steps) > 0 {
			return steps
		}
	}
	return wait(view, "Wait: Affineur is at work.")
}

func wait(view View, words string) []Step {
	return []Step{{words, Command(view.Prototype.Namespace, "status", view.Prototype.Name, "--watch")}}
}

func edit(view View, words string) []Step {
	prototype := view.Prototype
	return []Step{{words, typed([]string{"edit", "aiprototype", prototype.Name}, prototype.Namespace)}}
}

func leaving(view View) []Step {
	prototype := view.Prototype
	ready := condition(prototype, v1alpha1.ConditionReady)
	switch {
	case !prototype.DeletionTimestamp.IsZero():
		return []Step{{Say: "Nothing: it is being deleted, its pods first."}}
	case prototype.Spec.Target != v1alpha1.TargetRetired:
		return nil
	case seen(prototype) && ready != nil && ready.Reason == v1alpha1.ReasonRetired:
		return []Step{{"Nothing of it runs any more. Delete it when nobody needs to see it; the record stays.",
			typed([]string{"delete", "aiprototype", prototype.Name}, prototype.Namespace)}}
	default:
		return wait(view, "Wait: production and the sandbox are being taken down.")
	}
}

func unseen(view View) []Step {
	if seen(view.Prototype) {
		return nil
	}
	return wait(view, "Wait a moment: Affineur has not looked at the newest change yet.")
}

func needsProgram(view View) []Step {
	switch {
	case view.Prototype.Spec.Suspend:
		return edit(view, "It is suspended. Take spec.suspend out of your manifest and apply it, or edit it here.")
	case view.Prototype.Spec.Workload == nil:
		return edit(view, "Name your program under spec.workload in your manifest and apply it, or edit it here.")
	default:
		return nil
	}
}

// refused is about the present revision only: after a change another review answers.
func refused(view View) []Step {
	prototype, reference := view.Prototype, view.Prototype.Status.Review
	if prototype.Spec.Target != v1alpha1.TargetProduction || reference == nil || !speaksOf(view) {
		return nil
	}
	switch reference.Outcome {
	case v1alpha1.OutcomeRejected:
		return append(append(objections(view.Review), edit(view, fmt.Sprintf("%s was rejected. Change what the rejection asks for in "+
			"your manifest and apply it; a new revision gets a review of its own.", reference.Name))...), again(view))
	case v1alpha1.OutcomeRolledBack:
		return append(edit(view, fmt.Sprintf("Production took the revision of %s back. Mend what it did there and apply the change; "+
			"a new revision gets a review of its own.", reference.Name)), again(view))
	default:
		return nil
	}
}

func again(view View) Step {
	return Step{"Or, where nothing in the prototype has to change, ask for a second review of this revision:",
		Command(view.Prototype.Namespace, "promote", view.Prototype.Name)}
}

func objections(review *v1alpha1.HardeningReview) []Step {
	if review == nil {
		return nil
	}
	var steps []Step
	for _, decision := range review.Status.Decisions {
		if decision.Verdict == v1alpha1.VerdictReject && decision.Counts == v1alpha1.CountedYes && decision.Message != "" {
			steps = append(steps, Step{Say: fmt.Sprintf("%s, as %s, asks: %s", decision.By, decision.Role, decision.Message)})
		}
	}
	return steps
}

// speaksOf tells whether the newest review is about the present revision. A review that can't be read is taken to be.
func speaksOf(view View) bool {
	return view.Review == nil || view.Review.Spec.SubjectDigest == view.Prototype.Status.SubjectDigest
}

func stopped(view View) []Step {
	stalled := condition(view.Prototype, v1alpha1.ConditionStalled)
	if stalled == nil || !holds(view.Prototype, v1alpha1.ConditionStalled) {
		return nil
	}
	if stalled.Reason == v1alpha1.ReasonExpired {
		return edit(view, "Raise spec.sandbox.lifetime, within the policy's maximum, in your manifest and apply it, or edit it here.")
	}
	words := stalled.Message
	if words == "" {
		words = "Nothing moves until somebody changes this: " + humanise(stalled.Reason)
	}
	return append([]Step{{Say: words}}, unfilled(view)...)
}

func unfilled(view View) []Step {
	business := 0
	for _, gap := range view.Prototype.Status.Gaps {
		if gap.Owner == v1alpha1.OwnerBusiness && !later(view.Prototype, gap) {
			business++
		}
	}
	switch business {
	case 0:
		return nil
	case 1:
		return edit(view, "Fill the team's gap named above in your manifest and apply it, or edit it here.")
	default:
		return edit(view, fmt.Sprintf("Fill the team's %d gaps named above in your manifest and apply it, or edit it here.", business))
	}
}

// later tells gaps that are in nobody's way while a prototype is only tried.
func later(prototype *v1alpha1.AIPrototype, gap v1alpha1.Gap) bool {
	if prototype.Spec.Target == v1alpha1.TargetProduction {
		return false
	}
	return gap.Reason == v1alpha1.ReasonDemandMissing || gap.Reason == v1alpha1.ReasonDataUndeclared || gap.Reason == v1alpha1.ReasonSampleMissing
}

func unasked(view View) []Step {
	prototype := view.Prototype
	switch {
	case prototype.Spec.Target == v1alpha1.TargetProduction:
		return nil
	case serves(prototype):
		return []Step{{Say: "Nothing: this revision serves in production."}}
	case !holds(prototype, v1alpha1.ConditionSandboxReady):
		return wait(view, "Wait: it is not running in its sandbox yet.")
	case prototype.Spec.Demand == nil:
		return edit(view, "Try it. When it has proven its worth, say under spec.demand how many people will use it; then ask for promotion.")
	default:
		return []Step{{"Try it. When it has proven its worth, ask for promotion.",
			Command(prototype.Namespace, "promote", prototype.Name)}}
	}
}

func serving(view View) []Step {
	if !serves(view.Prototype) || !holds(view.Prototype, v1alpha1.ConditionInProduction) {
		return nil
	}
	if Drifted(view.Prototype) {
		return []Step{{"Ask IT what changed. When that is known and wanted, ask for a review of this revision with the model that answers now.",
			Command(view.Prototype.Namespace, "promote", view.Prototype.Name)}}
	}
	return []Step{{"Nothing: this revision serves in production. When nobody needs it any more, retire it.",
		Command(view.Prototype.Namespace, "retire", view.Prototype.Name)}}
}

func inReview(view View) []Step {
	prototype, reference := view.Prototype, view.Prototype.Status.Review
	switch {
	case reference == nil || !speaksOf(view) || (reference.Outcome != "" && reference.Outcome != v1alpha1.OutcomePromoted):
		return wait(view, "Wait: a review opens as soon as this revision runs in its sandbox.")
	case view.Review == nil:
		return wait(view, "Wait for the review: whose turn it is stands above.")
	default:
		return append(MovesOn(view.Review), Step{"To see every detail:", Command(prototype.Namespace, "explain", reference.Name)})
	}
}
