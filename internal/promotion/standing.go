package promotion

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/record"
)

// standing counts, until the current record has soaked, whether it is still wanted. As long as nothing speaks against
// it the caches are enough, because every change of them leads to another look.
func (o *observer) standing(ctx context.Context, s *Snapshot, now time.Time) error {
	m := s.memory()
	if !m.underWay() || m.Retiring || !s.released() || s.Current == nil {
		return nil
	}
	if m.soaking() && !now.Before(s.soakEnds()) {
		return o.last(ctx, s, now)
	}
	decisions, err := decisionsOn(ctx, o.client, s.Current.Prototype.Namespace)
	if err != nil {
		return err
	}
	if check := approvals(*s.Current, s.reviewOf(m.Record), decisions, trusting{}, now, 0); check.OK {
		s.Approvals = &check
		return nil
	}
	return o.recount(ctx, s, now)
}

// last is the look before something serves for good. It is past the caches, because what was said or done a moment ago
// must not come too late.
func (o *observer) last(ctx context.Context, s *Snapshot, now time.Time) error {
	if err := o.recount(ctx, s, now); err != nil {
		return err
	}
	var sealed appsv1.ControllerRevision
	at := client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: record.OutcomeName(s.memory().Record)}
	if err := o.live.Get(ctx, at, &sealed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("outcome: %w", err)
	} else if err == nil {
		outcome, err := record.ReadOutcome(&sealed)
		if err != nil {
			return fmt.Errorf("outcome: %w", err)
		}
		s.Sealed = outcome.Outcome
	}
	return o.stillThere(ctx, s)
}

// stillThere looks past the cache for the prototype.
func (o *observer) stillThere(ctx context.Context, s *Snapshot) error {
	if s.Prototype == nil {
		return nil
	}
	var prototype v1alpha1.AIPrototype
	err := o.live.Get(ctx, client.ObjectKeyFromObject(s.Prototype), &prototype)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("prototype: %w", err)
	case err != nil || prototype.UID != s.Prototype.UID:
		s.Prototype = nil
	default:
		s.Prototype = &prototype
	}
	return nil
}

// recount measures the guards and counts under what they vouch for. The measurement takes a while: an approval counts
// if it was there before, and whatever takes one away counts until after.
func (o *observer) recount(ctx context.Context, s *Snapshot, now time.Time) error {
	before, err := decisionsOn(ctx, o.live, s.Current.Prototype.Namespace)
	if err != nil {
		return err
	}
	state, err := o.guards.Measure(ctx)
	if err != nil {
		// Not knowing lets nothing serve and takes nothing back: the plan waits and looks again.
		check := unmeasured(err)
		s.Guards = &check
		return nil
	}
	after, err := decisionsOn(ctx, o.live, s.Current.Prototype.Namespace)
	if err != nil {
		return err
	}
	guards, review := measured(state), s.reviewOf(s.memory().Record)
	check := approvals(*s.Current, review, before, state, now, 0)
	if check.OK {
		check = approvals(*s.Current, review, after, state, now, 0)
	}
	s.Guards, s.Approvals = &guards, &check
	return nil
}

func decisionsOn(ctx context.Context, reader client.Reader, namespace string) ([]v1alpha1.HardeningDecision, error) {
	var list v1alpha1.HardeningDecisionList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	return list.Items, nil
}
