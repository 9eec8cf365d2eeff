package sandbox

import (
	"context"
	"errors"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/run"
)

// Witness is a second clock, asked before time alone takes anything down, brings it back, or stops the first clock.
type Witness interface {
	Now(ctx context.Context) (time.Time, error)
}

// ServerClock is the API server's clock: it stamps a Lease that is tried and never made, in the operator's own
// namespace.
type ServerClock struct{ Client client.Client }

var errNoTime = errors.New("the API server did not say what time it is")

// Now is the API server's time, in whole seconds.
func (c ServerClock) Now(ctx context.Context) (time.Time, error) {
	tried := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, GenerateName: "affineur-clock-"}}
	if err := c.Client.Create(ctx, tried, client.DryRunAll); err != nil {
		return time.Time{}, err
	}
	if tried.CreationTimestamp.IsZero() {
		return time.Time{}, errNoTime
	}
	return tried.CreationTimestamp.Time, nil
}

// witness asks the second clock where the first one is about to decide something.
func (o *observer) witness(ctx context.Context, s *Snapshot, now time.Time) error {
	if !s.needsWitness(now) {
		return nil
	}
	var err error
	s.Witness, err = o.clock.Now(ctx)
	return err
}

// needsWitness is false as long as nothing changes, so that a pass without news asks nobody. With every measurement of
// isolation the clocks are compared too: one that is behind would never ask by itself.
func (s Snapshot) needsWitness(now time.Time) bool {
	over := s.life(now).over(now)
	switch {
	case s.Prototype.Spec.Target == v1alpha1.TargetRetired || s.container() == nil:
		return false
	case s.heldBefore().IsZero() != s.waitsForIT(now).IsZero():
		return true
	case over && (s.exists() || s.measuring()):
		return true
	}
	return s.doubtedBefore() || !over && (s.expiredBefore() || s.bothEnded())
}

// doubtedBefore tells whether the clocks differed on the pass before.
func (s Snapshot) doubtedBefore() bool {
	c := apimeta.FindStatusCondition(s.Prototype.Status.Conditions, v1alpha1.ConditionExpiring)
	return c != nil && c.Reason == v1alpha1.ReasonClockDoubted
}

// bothEnded tells whether a measurement of isolation is to be judged.
func (s Snapshot) bothEnded() bool {
	ended := func(p Probe) bool { return p.present() && p.State != run.Running }
	return ended(s.Inside) && ended(s.Control)
}

// expiredBefore tells whether the sandbox's life was found over on the pass before.
func (s Snapshot) expiredBefore() bool {
	c := apimeta.FindStatusCondition(s.Prototype.Status.Conditions, v1alpha1.ConditionSandboxReady)
	return c != nil && c.Reason == v1alpha1.ReasonExpired
}
