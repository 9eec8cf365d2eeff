package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

// await watches the review until it says whether the decision counts. Whoever decided in vain gets exit code 1; a
// slow operator is no failure, for the decision is recorded.
func (o *decideOptions) await(ctx context.Context, env Environment, session Session, review *v1alpha1.HardeningReview, name string) error {
	later := fmt.Sprintf("Whether it counts stands in the review: %s\n", describe.Command(review.Namespace, "explain", review.Name))
	if o.wait <= 0 {
		return write(env.Out, later)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	timeout := env.Clock.After(o.wait)
	changes, err := session.changes(ctx, env.Clock, &v1alpha1.HardeningReviewList{}, review.Name)
	if err != nil {
		return write(env.Out, later)
	}
	for {
		newer, err := session.review(ctx, review.Name)
		if err != nil {
			return write(env.Out, later)
		}
		if mirrored := find(newer, name); mirrored != nil {
			return tellCount(env, newer, *mirrored)
		}
		select {
		case <-ctx.Done():
			return write(env.Out, later)
		case <-timeout:
			return write(env.Out, fmt.Sprintf("Affineur has not looked at it within %s. %s", o.wait.Round(time.Millisecond), later))
		case <-changes:
		}
	}
}

func find(review *v1alpha1.HardeningReview, name string) *v1alpha1.DecisionStatus {
	for i := range review.Status.Decisions {
		if review.Status.Decisions[i].Name == name {
			return &review.Status.Decisions[i]
		}
	}
	return nil
}

func tellCount(env Environment, review *v1alpha1.HardeningReview, mirrored v1alpha1.DecisionStatus) error {
	if err := write(env.Out, describe.Decided(review, mirrored)+"\n"); err != nil {
		return err
	}
	if mirrored.Counts != v1alpha1.CountedYes {
		return errSaid
	}
	return nil
}
