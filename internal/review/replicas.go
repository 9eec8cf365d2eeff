package review

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/run"
)

// Some runs are made with several replicas of the prototype. The sandbox is its controller's: the review says in its status how many a
// run wants, the sandbox has them while it says so, and goes back to one when it no longer does, however the run ended and
// whoever was killed meanwhile.
//
//	wanted (status) ── the sandbox has them, all answering ──▶ the run ──▶ its report is kept ──▶ no longer wanted
//	     └── not within spreadWithin ──▶ kept as lost: for want of room, where that is why

// spreadWithin is how long the sandbox may take to get its replicas.
const spreadWithin = 3 * time.Minute

// want has the sandbox keep or get a run's replicas.
func (p *Plan) want(replicas int32) {
	if replicas > 1 {
		p.Replicas = replicas
	}
}

// spread tells whether the sandbox has just that many replicas, and no pod that comes or goes.
func (s Snapshot) spread(replicas int32) bool {
	return s.Sandbox.Replicas == replicas && s.Sandbox.Pods == replicas
}

// crowded tells whether a run would measure another number of replicas than it is for, disturb one that does, or disturb
// or be disturbed by one that has to be alone.
func (s Snapshot) crowded(plan Plan, r Run) bool {
	others, alone := plan.inSandbox, plan.alone
	for _, m := range s.Measured {
		if m.Current != nil && m.Current.Name != r.Name && m.Current.Site == gate.SiteSandbox && m.Current.state() == run.Running {
			others, alone = others+1, alone || m.Current.Alone
		}
	}
	switch {
	case r.Replicas > 1:
		return others > 0 || plan.Replicas > 0
	case plan.Replicas > 0 || s.Sandbox.Replicas > 1 || s.Sandbox.Pods > 1:
		return true
	}
	return alone || r.Alone && others > 0
}

// spreading waits for the sandbox's replicas, and gives them up after a while.
func (s Snapshot) spreading(plan *Plan, r Run, now time.Time) Progress {
	until := now.Add(spreadWithin)
	if wanted := s.Review.Status.SandboxReplicas; wanted != nil && wanted.Count == r.Replicas {
		until = wanted.Since.Add(spreadWithin)
	}
	if !now.Before(until) {
		why, _ := s.shortage(r)
		return Progress{Stage: Keeping, Why: why}
	}
	plan.wake(min(poll, until.Sub(now)))
	return Progress{Stage: Waiting, Why: fmt.Sprintf("It waits for %d replicas in the sandbox.", r.Replicas)}
}

// shortage is why the sandbox did not get a run's replicas, and whether for want of room: that is nobody's fault. Pods that have a
// node, and don't answer, may be the prototype's.
func (s Snapshot) shortage(r Run) (why string, noRoom bool) {
	sandbox := s.Sandbox
	switch {
	case sandbox.Replicas < r.Replicas:
		return "its team has no room for them in its sandboxes", true
	case sandbox.Homeless > 0:
		return fmt.Sprintf("no node has room for %d of them", sandbox.Homeless), true
	case sandbox.Refused != "":
		return "the cluster refuses them: " + evidence.Clean(sandbox.Refused, 200), true
	}
	return fmt.Sprintf("%d replicas were started, and not all of them answered within %s", r.Replicas, spreadWithin), false
}

// wants is how many replicas the status says, and since when.
func (s Snapshot) wants(replicas int32, now time.Time) *v1alpha1.SandboxReplicas {
	before := s.Review.Status.SandboxReplicas
	switch {
	case replicas < 2:
		return nil
	case before != nil && before.Count == replicas:
		return before
	}
	return &v1alpha1.SandboxReplicas{Count: replicas, Since: stamp(now)}
}

// forgo keeps, in place of a report, why a run was not made.
func (a actor) forgo(ctx context.Context, s Snapshot, m Measuring, now time.Time, o *Outcome) error {
	why, noRoom := s.shortage(*m.Current)
	m.Current.Result, m.Current.NoRoom = run.Result{State: run.Lost, Why: why, StartedAt: now, Nonce: rand.Text()}, noRoom
	return a.keep(ctx, s, m, now, o)
}
