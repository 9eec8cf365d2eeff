package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

func newPromote(env Environment) *cobra.Command {
	var message string
	command := &cobra.Command{
		Use:   "promote NAME",
		Short: "Ask for production: a review of the present revision opens",
		Long: "Ask for production: sets spec.target to Production, which opens a review of the present revision.\n" +
			"Where it was asked for already and a gate failed or could not be measured, or the review was rejected,\n" +
			"it asks Affineur to look again.",
		Example: "  kubectl affineur promote churn-advisor --message 'the renewal season starts in May'",
		Args:    onePrototype,
		RunE: func(command *cobra.Command, args []string) error {
			session, err := env.Connect()
			if err != nil {
				return err
			}
			return promote(command.Context(), env, session, args[0], message)
		},
	}
	command.Flags().StringVarP(&message, "message", "m", "", "why now: kept with the prototype, for the people who review it")
	return command
}

func promote(ctx context.Context, env Environment, session Session, name, message string) error {
	view, err := session.view(ctx, name)
	if err != nil {
		return err
	}
	prototype := view.Prototype
	again := prototype.Spec.Target == v1alpha1.TargetProduction
	if err := promotable(view); err != nil {
		return err
	}
	err = session.patch(ctx, prototype, func(p *v1alpha1.AIPrototype) {
		p.Spec.Target = v1alpha1.TargetProduction
		annotate(p, describe.AnnotationMessage, message)
		if again {
			annotate(p, v1alpha1.AnnotationRequestedAt, requestTime(view.Review, env.Clock.Now()).Format(time.RFC3339))
		}
	})
	if err != nil {
		return err
	}
	return write(env.Out, describe.Promoted(view, again))
}

// requestTime is now, or just after what is to be looked at again where this machine's clock is behind the server's:
// a request from before is answered already, and the operator would not hear it.
func requestTime(review *v1alpha1.HardeningReview, now time.Time) time.Time {
	asked := now.UTC().Truncate(time.Second)
	if review == nil {
		return asked
	}
	answered := review.CreationTimestamp.Time
	if ended := review.Status.OutcomeAt; ended != nil && ended.After(answered) {
		answered = ended.Time
	}
	for _, gate := range review.Status.Gates {
		if gate.MeasuredAt != nil && gate.MeasuredAt.After(answered) {
			answered = gate.MeasuredAt.Time
		}
	}
	if !asked.After(answered) {
		asked = answered.UTC().Add(time.Second)
	}
	return asked
}

// promotable refuses to ask for what is asked for already. Whether the prototype is complete is the API server's to
// say: a rule kept here as well would one day differ.
func promotable(view describe.View) error {
	prototype, reference := view.Prototype, view.Prototype.Status.Review
	follow := describe.Command(prototype.Namespace, "status", prototype.Name, "--watch")
	current := prototype.Status.ObservedGeneration == prototype.Generation
	switch {
	case !prototype.DeletionTimestamp.IsZero():
		return errors.New("it is being deleted")
	case prototype.Spec.Target != v1alpha1.TargetProduction:
		return nil
	case !current:
		return fmt.Errorf("production is asked for already, and Affineur has not looked at the newest change yet; to follow it: %s", follow)
	case prototype.Status.Production != nil && prototype.Status.Production.SubjectDigest == prototype.Status.SubjectDigest && !describe.Drifted(prototype):
		return fmt.Errorf("exactly this revision serves in production already, let in by %s", prototype.Status.Production.Review)
	case reference == nil:
		return fmt.Errorf("production is asked for already; the review opens as soon as this revision runs in its sandbox. To follow it: %s", follow)
	case reference.Outcome == "" && !stuck(view.Review):
		return fmt.Errorf("%s, a review of this revision, is open already; to see whose turn it is: %s", reference.Name,
			describe.Command(prototype.Namespace, "explain", reference.Name))
	default:
		return nil
	}
}

// stuck tells whether a required gate of an open review stands in the way, so that another look could help.
func stuck(review *v1alpha1.HardeningReview) bool {
	if review == nil {
		return false
	}
	for _, gate := range review.Status.Gates {
		open := gate.Verdict != v1alpha1.GateFailed && gate.Verdict != v1alpha1.GateInconclusive
		if !open && gate.Enforcement != v1alpha1.EnforcementAdvisory {
			return true
		}
	}
	return false
}
