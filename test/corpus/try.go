package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/story/await"
)

const (
	// longest is how long one case may take, what is measured again included.
	longest = 10 * time.Minute
	// attemptsAtMost is how often the operator measures what comes to nothing.
	attemptsAtMost = 5
)

// tried is a case and what became of it.
type tried struct {
	sample
	seen observed
	// wrong says why it was judged wrongly, "" where it was not.
	wrong string
	took  time.Duration
}

// waitingAtMost is how many cases that mostly wait are on the cluster besides the others.
const waitingAtMost = 4

// try has every case tried: those that mostly wait beside the others, and those that would disturb each other's
// measurements one at a time, after all.
func (g *ground) try(ctx context.Context, cases []sample, together int, out io.Writer) []tried {
	var all []tried
	var one sync.Mutex
	batch := func(together int, belongs func(sample) bool) {
		places := make(chan struct{}, together)
		var group sync.WaitGroup
		for _, c := range cases {
			if !belongs(c) {
				continue
			}
			places <- struct{}{}
			group.Go(func() {
				defer func() { <-places }()
				t := g.tryOne(ctx, c)
				one.Lock()
				defer one.Unlock()
				all = append(all, t)
				tellOne(out, t)
			})
		}
		group.Wait()
	}
	var group sync.WaitGroup
	group.Go(func() { batch(waitingAtMost, func(c sample) bool { return c.waits && !c.alone }) })
	batch(together, func(c sample) bool { return !c.waits && !c.alone })
	group.Wait()
	batch(1, func(c sample) bool { return c.alone })
	return all
}

// tryOne applies a prototype as its team would, waits until every gate has said what it has to say, and takes it away.
func (g *ground) tryOne(ctx context.Context, c sample) tried {
	began := time.Now()
	t := tried{sample: c}
	within, cancel := context.WithTimeoutCause(ctx, longest, fmt.Errorf("not within %s", longest))
	defer cancel()
	p := g.newPrototype(c)
	err := g.submit(within, c, p)
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		t.seen, err = observed{refused: err.Error()}, nil
	} else if err == nil {
		t.seen, err = g.observeBeside(within, c, p)
		// What it leaves is taken away in the background: nobody waits for it.
		if away := g.takeAway(context.WithoutCancel(ctx), p); away != nil && err == nil {
			err = away
		}
	}
	t.took = time.Since(began)
	t.wrong = judge(c, t.seen)
	if err != nil {
		t.wrong = fmt.Sprintf("%v; %s", err, t.wrong)
	}
	return t
}

// submit applies the prototype; where it has a revision before, that one first, and itself once that is in production.
func (g *ground) submit(ctx context.Context, c sample, p *v1alpha1.AIPrototype) error {
	if c.before == nil {
		return g.lead.Create(ctx, p)
	}
	first := c
	first.edit = c.before
	before := g.newPrototype(first)
	if err := g.lead.Create(ctx, before); err != nil {
		return err
	}
	serves := func(p *v1alpha1.AIPrototype) (bool, error) {
		return apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionInProduction), nil
	}
	if err := await.Object(ctx, g.admin, before, serves); err != nil {
		return fmt.Errorf("the revision before is not in production: %w", err)
	}
	after := p.Spec
	before.DeepCopyInto(p)
	p.Spec = after
	return g.lead.Patch(ctx, p, client.MergeFrom(before))
}

// observeBeside observes the prototype beside what somebody else makes for it meanwhile.
func (g *ground) observeBeside(ctx context.Context, c sample, p *v1alpha1.AIPrototype) (observed, error) {
	if c.beside == nil {
		return g.observe(ctx, c, p)
	}
	other := c.beside(names.Of(p))
	if err := g.admin.Create(ctx, other); err != nil {
		return observed{}, err
	}
	seen, err := g.observe(ctx, c, p)
	return seen, errors.Join(err, g.admin.Delete(context.WithoutCancel(ctx), other))
}

// observed is what was said about a prototype.
type observed struct {
	// refused is what the API server said instead of taking it.
	refused string
	// gates of its review, if one was opened.
	gates []v1alpha1.GateStatus
	// gaps are what the prototype's own status says is missing.
	gaps []v1alpha1.Gap
	// stands says where the prototype stands.
	stands string
	// passed tells that all gates passed, as the review says.
	passed bool
}

// observe watches the prototype until its review opens or somebody has to act first, and then the review.
func (g *ground) observe(ctx context.Context, c sample, p *v1alpha1.AIPrototype) (observed, error) {
	var seen observed
	// What is there already is the review of the revision before.
	former := p.Status.Review
	reviewed := func(p *v1alpha1.AIPrototype) bool {
		return p.Status.Review != nil && (former == nil || p.Status.Review.Name != former.Name)
	}
	err := await.Object(ctx, g.admin, p, func(p *v1alpha1.AIPrototype) (bool, error) {
		seen.gaps = p.Status.Gaps
		if ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			seen.stands = ready.Reason + ": " + ready.Message
		}
		now := p.Status.ObservedGeneration == p.Generation
		return now && (reviewed(p) || apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionStalled)), nil
	})
	if err != nil || !reviewed(p) {
		return seen, err
	}
	review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Status.Review.Name}}
	err = await.Object(ctx, g.admin, review, func(r *v1alpha1.HardeningReview) (bool, error) {
		seen.gates, seen.passed = r.Status.Gates, apimeta.IsStatusConditionTrue(r.Status.Conditions, v1alpha1.ConditionGatesPassed)
		return r.Status.ObservedGeneration == r.Generation && settled(c, seen), nil
	})
	if err == nil {
		err = g.admin.Get(ctx, client.ObjectKeyFromObject(p), p)
		seen.gaps = p.Status.Gaps
	}
	return seen, err
}

// settled tells whether every gate has said its last word: what comes to nothing is measured again, unless that is what
// the case is about.
func settled(c sample, seen observed) bool {
	for _, gate := range seen.gates {
		switch {
		case gate.Verdict == v1alpha1.GatePending:
			return false
		case gate.Verdict == v1alpha1.GateInconclusive && gate.Attempts < attemptsAtMost && (gate.Name != c.gate || !says(gate, c.reason)):
			return false
		}
	}
	return len(seen.gates) > 0
}
