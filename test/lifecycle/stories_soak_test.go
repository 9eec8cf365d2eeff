package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/world"
)

// soaks has what is promoted watched for some minutes, so that a story can happen meanwhile whatever goes wrong.
func soaks(w *world.World, edits ...func(*v1alpha1.Tier)) {
	w.Helper()
	w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) {
		p.Spec.Tiers[0].Soak = metav1.Duration{Duration: 5 * time.Minute}
		for _, edit := range edits {
			edit(&p.Spec.Tiers[0])
		}
	})
}

// promotes the first version up to a step.
func promotes(w *world.World, to v1alpha1.PromotionStep) {
	w.Helper()
	reviewed(w)
	w.Approve(1)
	w.Until("it is "+string(to), func() bool { return step(w) == to })
	w.Begins("IT approved, and it is " + string(to))
}

// promotion of the first review.
func promotion(w *world.World) *v1alpha1.PromotionStatus { return w.Review(1).Status.Promotion }

// TestTakenBack: whoever takes an approval back, or rejects, before the soak is over takes the revision out of
// production, and the review ends accordingly.
func TestTakenBack(t *testing.T) {
	for name, test := range map[string]struct {
		step    v1alpha1.PromotionStep
		verdict v1alpha1.DecisionVerdict
		outcome v1alpha1.ReviewOutcome
	}{
		"revoked during rollout":  {v1alpha1.StepRollingOut, revoke, v1alpha1.OutcomeRolledBack},
		"rejected during rollout": {v1alpha1.StepRollingOut, reject, v1alpha1.OutcomeRejected},
		"revoked during soak":     {v1alpha1.StepSoaking, revoke, v1alpha1.OutcomeRolledBack},
		"rejected during soak":    {v1alpha1.StepSoaking, reject, v1alpha1.OutcomeRejected},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(w *world.World) {
				soaks(w)
				promotes(w, test.step)
				w.Says("security thinks better of it")
				w.Decides(world.Security, 1, "security", test.verdict)
				w.Settle()
				w.Ends(1, test.outcome)
				nothingThere(w)
				w.Waits("Business")
			})
		})
	}
}

// TestRejectedInTheLastMoment: a rejection that comes when the soak ends is in time or it is not, and everybody says
// the same.
func TestRejectedInTheLastMoment(t *testing.T) {
	play(t, func(w *world.World) {
		promotes(w, v1alpha1.StepSoaking)
		w.Says("security rejects it when the soak ends")
		end := promotion(w).SoakingSince.Add(10 * time.Second)
		w.Soon(end.Add(-time.Second), 2*time.Second, func() { w.Decides(world.Security, 1, "security", reject) })
		w.Settle()
		if w.Review(1).Status.Outcome == v1alpha1.OutcomePromoted {
			inProduction(w, 1, "a")
			return
		}
		w.Ends(1, v1alpha1.OutcomeRejected)
		nothingThere(w)
	})
}

// TestRevokedInAGap: an approval that was taken back while nobody can tell by whom lets nothing in.
func TestRevokedInAGap(t *testing.T) {
	play(t, func(w *world.World) {
		reviewed(w)
		w.Says("security approves; hours later the admission policies are taken away, and security takes its approval back")
		w.Decides(world.Security, 1, "security", approve)
		w.Pass(2 * time.Hour)
		w.Guards(false)
		w.Decides(world.Security, 1, "security", revoke, world.Security.AsWritten)
		w.Pass(time.Minute)
		w.Counts(world.Security, 1, "No Suspended, No GuardsNotInPlace")
		w.Says("the policies are back, and operations approves")
		w.Guards(true)
		w.Settle()
		w.Decides(world.Operations, 1, "operations", approve)
		w.Settle()
		w.Counts(world.Security, 1, "No Suspended, No GuardsNotInPlace")
		nothingThere(w)
		w.Waits("IT/security")
		w.Says("it was forged: security approves again")
		w.Decides(world.Security, 1, "security", approve)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

// TestDeletedDuringSoak: nothing begins to serve for a team that deleted it, also where nobody is asked to approve.
func TestDeletedDuringSoak(t *testing.T) {
	play(t, func(w *world.World) {
		soaks(w, func(tier *v1alpha1.Tier) { tier.Approvals = nil })
		applies(w, production)
		w.Until("it soaks", func() bool {
			return w.Review(1) != nil && promotion(w) != nil && promotion(w).Step == v1alpha1.StepSoaking
		})
		name := w.Production()
		w.Begins("it soaks, and nobody had to approve it")
		w.Says("the team deletes it")
		w.Must(w.Deletes(world.Lead))
		w.Settle()
		w.Expect(w.Prototype() == nil, "it is still there")
		w.Expect(!w.There(name), "it runs on in production")
	})
}

// TestGuardsLostDuringSoak: the soak goes on for as long as nobody vouches for what was decided.
func TestGuardsLostDuringSoak(t *testing.T) {
	play(t, func(w *world.World) {
		soaks(w, func(tier *v1alpha1.Tier) { tier.Soak = metav1.Duration{Duration: 4 * time.Hour} })
		promotes(w, v1alpha1.StepSoaking)
		w.Pass(2 * time.Hour)
		w.Says("the admission policies are taken away, long after IT approved")
		w.Guards(false)
		w.Pass(3 * time.Hour)
		w.Settle()
		w.ReviewIs(1, v1alpha1.ConditionPromoted, "False GuardsNotInPlace")
		w.Expect(promotion(w).Step == v1alpha1.StepSoaking, "it is %s", promotion(w).Step)
		w.Waits("IT")
		w.Says("the policies are back")
		w.Guards(true)
		w.Settle()
		inProduction(w, 1, "a")
	})
}

// TestApprovalExpires: an approval that was given too long ago counts no more, but what serves goes on.
func TestApprovalExpires(t *testing.T) {
	play(t, func(w *world.World) {
		soaks(w, func(tier *v1alpha1.Tier) { tier.ApprovalsValidFor = &metav1.Duration{Duration: time.Hour} })
		reviewed(w)
		w.Says("security approves, and operations takes its time")
		w.Decides(world.Security, 1, "security", approve)
		w.Pass(time.Hour + time.Minute)
		w.Counts(world.Security, 1, "No Expired")
		w.Decides(world.Operations, 1, "operations", approve)
		w.Settle()
		nothingThere(w)
		w.Waits("IT/security")
		w.Says("security approves again")
		w.Decides(world.Security, 1, "security", approve)
		w.Settle()
		inProduction(w, 1, "a")
		w.Pass(2 * time.Hour)
		inProduction(w, 1, "a")
	})
}

// TestOrphanRetired: whoever manages installations has the operator take down what outlived its team, pods first.
func TestOrphanRetired(t *testing.T) {
	play(t, func(w *world.World) {
		serves(w)
		name := w.Production()
		w.Says("the team's namespace is deleted, and production serves on")
		w.DropsNamespace(world.Team)
		w.Settle()
		w.Expect(w.Serving("a") == 2, "production stopped with the team's namespace")
		w.Says("IT asks for its end")
		w.Annotates(name, v1alpha1.AnnotationRetire, "true")
		w.Settle()
		w.Expect(!w.There(name), "it is still there")
	})
}
