package sandbox

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/affineur/affineur/api/v1alpha1"
)

// leave takes down what a deleted prototype has outside production, and lets it go.
func (s Snapshot) leave(now time.Time) Plan {
	plan := Plan{State: Deleting, Handled: true}
	held := controllerutil.ContainsFinalizer(s.Prototype, v1alpha1.FinalizerSandbox)
	// A finalizer of somebody else's may hold the prototype for ever, but not what runs: that goes also where ours was
	// lost.
	if held || s.exists() {
		plan.do(SweepGates, TearDownSandbox, TearDownRehearsal)
		plan.Wake = now.Add(teardownPoll)
	}
	if held && !s.outliving() {
		plan.do(RemoveFinalizer)
	}
	return plan
}

// teardownPoll is the pace at which a teardown is looked at: most of it is seen by watching anyway.
const teardownPoll = 3 * time.Second

func (s Snapshot) retire(now time.Time) Plan {
	plan := Plan{State: Retired, Handled: true}
	if s.exists() || s.promoted() {
		plan = Plan{State: Retiring, Handled: true, Wake: now.Add(teardownPoll)}
	}
	if s.exists() || s.measuring() {
		plan.do(SweepGates, TearDownSandbox, TearDownRehearsal)
	}
	return plan
}

// away is a prototype without a sandbox.
func (s Snapshot) away(state State, now time.Time) Plan {
	plan := Plan{State: state, Handled: true}
	if s.measuring() {
		plan.do(RemoveRuns)
	}
	if s.exists() {
		plan.do(TearDownSandbox)
		plan.Wake = now.Add(teardownPoll)
	}
	return plan
}
