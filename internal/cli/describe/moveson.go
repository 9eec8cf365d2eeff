package describe

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Closed says why a review takes no decision any more, or nothing while it does.
func Closed(review *v1alpha1.HardeningReview) string {
	switch outcome := review.Status.Outcome; {
	case !review.DeletionTimestamp.IsZero():
		return "the review is being deleted"
	case outcome == "":
		return ""
	case outcome == v1alpha1.OutcomeSuperseded:
		return "the prototype changed since, and another review speaks of it"
	case outcome == v1alpha1.OutcomeWithdrawn:
		return "the team no longer asks for production"
	case outcome == v1alpha1.OutcomeRejected:
		return "it was rejected; a new revision gets a review of its own, and so does this one if the team asks again"
	case outcome == v1alpha1.OutcomeRolledBack:
		return "it was taken back from production before it had soaked; a new revision gets a review of its own, and so does this one if the team asks again"
	case outcome == v1alpha1.OutcomePromoted:
		return "it was promoted; to take production down, the team retires the prototype"
	default:
		return "it ended: " + humanise(string(outcome))
	}
}

// MovesOn says what would move a review on, each thing with who can do it.
func MovesOn(review *v1alpha1.HardeningReview) []Step {
	if closed := Closed(review); closed != "" {
		return []Step{{Say: "Nothing: " + closed + "."}}
	}
	steps := gateSteps(review)
	for _, role := range Roles(review) {
		steps = append(steps, Step{Say: fmt.Sprintf("Role %s decides.", role)})
	}
	if promotion := review.Status.Promotion; promotion != nil {
		steps = append(steps, promotionStep(review, promotion))
	}
	if len(steps) > 0 {
		return steps
	}
	if ready := meta.FindStatusCondition(review.Status.Conditions, v1alpha1.ConditionReady); ready != nil && ready.Message != "" {
		return []Step{{Say: ready.Message}}
	}
	return []Step{{Say: "Nothing to do: Affineur is at work on it."}}
}

func gateSteps(review *v1alpha1.HardeningReview) []Step {
	var steps []Step
	for _, gate := range review.Status.Gates {
		if gate.Enforcement == v1alpha1.EnforcementAdvisory {
			continue
		}
		switch gate.Verdict {
		case v1alpha1.GateFailed:
			steps = append(steps, Step{Say: fmt.Sprintf("Gate %s failed: %s", gate.Name, whoMends(gate))})
		case v1alpha1.GateInconclusive:
			steps = append(steps, Step{
				fmt.Sprintf("Gate %s could not be measured (%s), which never counts as passed. When the cause is gone, the team asks for another look:",
					gate.Name, humanise(gate.Reason)),
				Command(review.Namespace, "promote", review.Spec.Prototype.Name)})
		case v1alpha1.GatePending:
			steps = append(steps, Step{Say: fmt.Sprintf("Gate %s is being measured: nothing to do.", gate.Name)})
		}
	}
	return steps
}

func whoMends(gate v1alpha1.GateStatus) string {
	team, it := len(gate.Findings) == 0, false
	for _, finding := range gate.Findings {
		if finding.Owner == v1alpha1.OwnerIT {
			it = true
		} else {
			team = true
		}
	}
	switch {
	case team && it:
		return "the team and IT fill what it found. A changed prototype gets a review of its own."
	case it:
		return "IT fills what it found."
	default:
		return "the team fills what it found and applies the change. The new revision gets a review of its own."
	}
}

func promotionStep(review *v1alpha1.HardeningReview, promotion *v1alpha1.PromotionStatus) Step {
	if promotion.Step == v1alpha1.StepRolledBack {
		return Step{Say: "Production took the revision back: " + rollbackCause(promotion) + ". The team changes it, and the new revision gets a review of its own."}
	}
	return Step{"Wait: " + stepWords(promotion) + ".",
		Command(review.Namespace, "status", review.Spec.Prototype.Name, "--until", "promoted")}
}

func rollbackCause(promotion *v1alpha1.PromotionStatus) string {
	if promotion.Message != "" {
		return promotion.Message
	}
	return humanise(promotion.Reason)
}
