package main

import (
	"context"
	"fmt"
	"math"
	"time"
)

// step is one chapter of the story.
type step struct {
	title string
	// seconds is the key under which the result tells how long it took; most steps are not told.
	seconds string
	// within bounds the step.
	within time.Duration
	play   func(*stage, context.Context) error
}

// story is the way of churn-advisor into production, and what is refused on the way.
var story = []step{
	{"Who plays, and is the cluster free for it?", "", 1 * time.Minute, (*stage).prepare},
	{"The platform admin installs Affineur", "", 4 * time.Minute, (*stage).install},
	{"What an earlier story left is taken down", "", 3 * time.Minute, (*stage).clear},
	{"Everybody gets an identity of their own", "", 1 * time.Minute, (*stage).identify},
	{"The platform admin sets up the organisation and its policy", "", 2 * time.Minute, (*stage).organise},
	{"The head of membership applies churn-advisor; its sandbox comes up", "sandboxReady", 3 * time.Minute, (*stage).enterSandbox},
	{"The head of membership asks for production; course-outliner is applied", "", 2 * time.Minute, (*stage).promote},
	{"The gates measure it in its sandbox", "gates", 4 * time.Minute, (*stage).passGates},
	{"Refused: decisions that nobody may make", "", 2 * time.Minute, (*stage).refuseDecisions},
	{"Security and operations approve, and the image's tag is moved between them", "approved", 1 * time.Minute, (*stage).approve},
	{"Exactly the reviewed revision is promoted", "promoted", 4 * time.Minute, (*stage).awaitProduction},
	{"Real requests to production", "", 2 * time.Minute, (*stage).call},
	{"Refused: another image than the reviewed one", "", 3 * time.Minute, (*stage).refuseSwaps},
	{"Refused: writing into production", "", 1 * time.Minute, (*stage).refuseWrites},
	{"Refused: leaving the sandbox", "", 3 * time.Minute, (*stage).refuseEscape},
	{"Refused: prototypes with a hole", "", 5 * time.Minute, (*stage).refuseHoles},
	{"course-outliner goes the same way, with a model and an integration", "", 5 * time.Minute, (*stage).secondWay},
	{"How it stands now", "", 1 * time.Minute, (*stage).look},
}

// perform plays the steps one after the other, until one fails.
func (s *stage) perform(ctx context.Context, steps []step) error {
	for _, step := range steps {
		if err := s.performOne(ctx, step); err != nil {
			s.out.say("It ends here.")
			return err
		}
	}
	return nil
}

func (s *stage) performOne(ctx context.Context, step step) error {
	s.out.title(step.title)
	began := time.Now()
	defer s.out.ended(step.title, began)
	ctx, cancel := context.WithTimeoutCause(ctx, step.within, fmt.Errorf("not done within %s", step.within))
	defer cancel()
	if err := step.play(s, ctx); err != nil {
		return fmt.Errorf("%s: %w", step.title, err)
	}
	if step.seconds != "" {
		s.result.Seconds[step.seconds] = math.Round(10*time.Since(began).Seconds()) / 10
	}
	return nil
}
