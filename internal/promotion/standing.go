package promotion

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// standing counts, until the current record has soaked, whether it is still approved. The guards are measured where it
// matters: when the count would take the record back, and when it would let it serve. Past the soak the decisions are
// read past the cache, because a Revoke of a moment ago must not come too late.
func (o *observer) standing(ctx context.Context, s *Snapshot) error {
	m := s.memory()
	if !m.underWay() || m.Retiring || !s.released() || s.Current == nil {
		return nil
	}
	review := s.reviewOf(m.Record)
	last := m.soaking() && !o.now().Before(s.soakEnds())
	var reader client.Reader = o.client
	if last {
		reader = o.live
	}
	decisions, err := decisionsOn(ctx, reader, s.Current.Prototype.Namespace)
	if err != nil {
		return err
	}
	if check := approvals(*s.Current, review, decisions, trusting{}); check.OK && !last {
		s.Approvals = &check
		return nil
	}
	state, err := o.guards.Measure(ctx)
	if err != nil {
		// Not knowing lets nothing serve and takes nothing back.
		return nil //nolint:nilerr // the plan waits and looks again
	}
	check := approvals(*s.Current, review, decisions, state)
	s.Approvals = &check
	return nil
}

func decisionsOn(ctx context.Context, reader client.Reader, namespace string) ([]v1alpha1.HardeningDecision, error) {
	var list v1alpha1.HardeningDecisionList
	if err := reader.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("decisions: %w", err)
	}
	return list.Items, nil
}
