package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

// clearScreen puts the cursor home and empties the screen.
const clearScreen = "\x1b[H\x1b[2J"

// follower shows a prototype and its review whenever what there is to say about them changes.
type follower struct {
	env     Environment
	session Session
	name    string
	goal    goal
	timeout time.Duration

	// began stands still, so that a page which only grew older is not a change.
	began  time.Time
	last   string
	seen   bool
	absent bool

	reviewName    string
	reviewChanges <-chan struct{}
	stopReview    context.CancelFunc
}

func newFollower(env Environment, session Session, name string, goal goal, timeout time.Duration) *follower {
	return &follower{env: env, session: session, name: name, goal: goal, timeout: timeout, began: env.Clock.Now()}
}

// run returns nil when the goal is reached, or when a person who set none ends it.
func (f *follower) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var timeout <-chan time.Time
	if f.timeout > 0 {
		timeout = f.env.Clock.After(f.timeout)
	}
	changes, err := f.session.changes(ctx, f.env.Clock, &v1alpha1.AIPrototypeList{}, f.name)
	if err != nil {
		return err
	}
	for {
		if done, err := f.look(ctx); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return f.unfinished(errors.New("interrupted"))
		case <-timeout:
			return f.unfinished(fmt.Errorf("after %s it is not %s yet; whose turn it is stands above", f.timeout, f.goal))
		case <-changes:
		case <-f.reviewChanges:
		}
	}
}

// unfinished is a failure only for those who wait for something.
func (f *follower) unfinished(err error) error {
	if f.goal == "" {
		return nil
	}
	return err
}

func (f *follower) look(ctx context.Context) (bool, error) {
	view, err := f.session.view(ctx, f.name)
	if err == nil && f.watchReview(ctx, view) {
		// Whatever happened to the review before its watch was open is seen by reading again.
		view, err = f.session.view(ctx, f.name)
	}
	if err != nil {
		return false, f.failed(ctx, err)
	}
	f.seen, f.absent = true, false
	if err := f.show(view); err != nil {
		return false, err
	}
	return f.goal.reached(view)
}

// failed ends the watch for what will not pass by itself; a server that is away for a moment is waited for.
func (f *follower) failed(ctx context.Context, err error) error {
	var gone missing
	var status apierrors.APIStatus
	definite := errors.As(err, &status) && (apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err))
	switch {
	case ctx.Err() != nil:
		// run sees the end of ctx itself, and knows what it means.
		return nil
	case errors.As(err, &gone) && f.seen:
		return fmt.Errorf("prototype %s was deleted", f.name)
	case errors.As(err, &gone), definite, !f.seen:
		return err
	case !f.absent:
		f.absent = true
		_, err = fmt.Fprintf(f.env.ErrOut, "trying again: %s\n", describe.Clean(inWords(err)))
		return err
	default:
		return nil
	}
}

// watchReview follows the prototype to its newest review, and tells whether it opened a watch.
func (f *follower) watchReview(ctx context.Context, view describe.View) bool {
	if view.Review == nil || view.Review.Name == f.reviewName {
		return false
	}
	ctx, stop := context.WithCancel(ctx)
	changes, err := f.session.changes(ctx, f.env.Clock, &v1alpha1.HardeningReviewList{}, view.Review.Name)
	if err != nil {
		// Who may read a review and not watch it still hears of it through the prototype, which sums it up.
		stop()
		return false
	}
	if f.stopReview != nil {
		f.stopReview()
	}
	f.reviewName, f.reviewChanges, f.stopReview = view.Review.Name, changes, stop
	return true
}

func (f *follower) show(view describe.View) error {
	content := describe.Prototype(view, f.began, false)
	if content == f.last {
		return nil
	}
	first := f.last == ""
	f.last = content
	now := f.env.Clock.Now()
	page := describe.Prototype(view, now, f.env.Paint)
	switch {
	case f.env.Terminal:
		page = clearScreen + page
	case !first:
		page = "\n--- " + now.UTC().Format("15:04:05 UTC") + "\n" + page
	}
	return write(f.env.Out, page)
}
