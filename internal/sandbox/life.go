package sandbox

import (
	"fmt"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
)

const (
	// clockTolerance is by how much two clocks may differ without anybody being told: what one of them says is over,
	// the other says a moment later.
	clockTolerance = time.Minute
	// clockRetry is the pace at which clocks that differ by more are compared again.
	clockRetry = time.Minute
)

// life is how long a sandbox may be there. The time for which reviews waited for IT does not count.
//
//	started ├───── lifetime ─────┤ end                       the clock runs
//	started ├────┤ held ├────────┼───────┤ end               a review waited for IT, and the end moved on
//	started ├────┤ held since…                               it waits, and there is no end meanwhile
type life struct {
	// Started is zero where there never was a sandbox.
	Started time.Time
	// Held is for how long the clock stood still before HeldSince, which is zero while it runs.
	Held      time.Duration
	HeldSince time.Time
	// End as it would be if the clock ran on; zero where no policy ever said.
	End time.Time
	// Warn is how long before its end the sandbox warns.
	Warn time.Duration
}

// life by the policy as it is now; without one, the end that was known stands.
func (s Snapshot) life(now time.Time) life {
	l := life{Started: s.started()}
	l.Held, l.HeldSince = s.held(now)
	switch status := s.Prototype.Status.Sandbox; {
	case l.Started.IsZero():
	case s.Policy != nil && !s.Unread:
		l.Warn = s.Policy.Spec.Sandbox.Lifetime.WarnBefore.Duration
		l.End = l.Started.Add(s.length() + l.Held)
	case status != nil && status.ExpiresAt != nil:
		l.End = status.ExpiresAt.Time
	}
	return l
}

// over tells whether the end has come at a time. While the clock stands still, it does not come.
func (l life) over(at time.Time) bool {
	if !l.HeldSince.IsZero() {
		at = l.HeldSince
	}
	return !l.End.IsZero() && !at.Before(l.End)
}

// near tells whether the end is so near that it is time to warn.
func (l life) near(now time.Time) bool {
	if !l.HeldSince.IsZero() {
		now = l.HeldSince
	}
	return !l.End.IsZero() && l.Warn > 0 && !now.Before(l.End.Add(-l.Warn))
}

// show it in a status, in whole seconds.
func (l life) show(status *v1alpha1.SandboxStatus) {
	stamp := func(at time.Time) *metav1.Time {
		if at.IsZero() {
			return nil
		}
		return ptr.To(seconds(at))
	}
	status.StartedAt, status.HeldSince = stamp(l.Started), stamp(l.HeldSince)
	if l.Held > 0 {
		status.HeldFor = &metav1.Duration{Duration: l.Held}
	}
	if l.HeldSince.IsZero() {
		status.ExpiresAt = stamp(l.End)
	}
}

// started is when there was a sandbox for the first time, by the API server's clock.
func (s Snapshot) started() time.Time {
	switch status := s.Prototype.Status.Sandbox; {
	case status != nil && status.StartedAt != nil:
		return status.StartedAt.Time
	case status != nil && status.Queue == nil && status.Room == nil:
		// It had one before that was written down.
		return s.Prototype.CreationTimestamp.Time
	case s.exists():
		return s.Namespace.CreationTimestamp.Time
	}
	return s.Made
}

// length that the team asks for; a wish beyond the policy's maximum is refused elsewhere, and counts as that here.
func (s Snapshot) length() time.Duration {
	allowed := s.Policy.Spec.Sandbox.Lifetime
	if wish := s.Prototype.Spec.Sandbox; wish != nil && wish.Lifetime != nil {
		return min(wish.Lifetime.Duration, allowed.Max.Duration)
	}
	return allowed.Default.Duration
}

// held is for how long the clock stood still before, and since when it does now. It is stopped and started by the API
// server's clock: a jump of ours must not lengthen a life.
func (s Snapshot) held(now time.Time) (time.Duration, time.Time) {
	var before time.Duration
	if status := s.Prototype.Status.Sandbox; status != nil && status.HeldFor != nil {
		before = status.HeldFor.Duration
	}
	at := now
	if !s.Witness.IsZero() {
		at = s.Witness
	}
	since, waits := s.heldBefore(), s.waitsForIT(at)
	switch {
	case since.IsZero():
		return before, waits
	case waits.IsZero():
		return before + max(0, at.Sub(since)), time.Time{}
	}
	return before, since
}

// heldBefore is since when the clock stood still on the pass before, zero where it ran.
func (s Snapshot) heldBefore() time.Time {
	if status := s.Prototype.Status.Sandbox; status != nil && status.HeldSince != nil {
		return status.HeldSince.Time
	}
	return time.Time{}
}

// waitsForIT is since when the open review waits for IT alone; zero where it does not. A role's turn begins when every
// gate has passed, and until it ends nobody else has one: that time counts even where nobody looked meanwhile. Any other
// turn of IT's counts from now on.
func (s Snapshot) waitsForIT(now time.Time) time.Time {
	newest := s.newest()
	if newest == nil || newest.Status.Outcome != "" || s.started().IsZero() {
		return time.Time{}
	}
	var since time.Time
	for _, turn := range newest.Status.WaitingOn {
		began := turn.Since.Time
		if turn.Role == "" {
			began = now
		}
		if turn.Party != v1alpha1.PartyIT {
			return time.Time{}
		}
		if since.IsZero() || began.Before(since) {
			since = began
		}
	}
	if since.IsZero() {
		return since
	}
	// No clock of ours, whatever it said then, makes it longer than the review is old.
	if opened := newest.CreationTimestamp.Time; since.Before(opened) {
		since = opened
	}
	if since.After(now) {
		since = now
	}
	return since.Truncate(time.Second)
}

// lifeOver tells whether the sandbox's life is over. Where two clocks differ, it is as it was: nothing is taken down, and
// nothing is brought back.
func (s Snapshot) lifeOver(now time.Time) bool {
	l := s.life(now)
	if s.Witness.IsZero() || l.over(now) == l.over(s.Witness) {
		return l.over(now)
	}
	return s.expiredBefore()
}

// lag is by how much the clock that is behind has to go on until both say that the end has come; 0 where they agree.
func (s Snapshot) lag(now time.Time) time.Duration {
	l := s.life(now)
	if s.Witness.IsZero() || l.over(now) == l.over(s.Witness) {
		return 0
	}
	behind := now
	if s.Witness.Before(now) {
		behind = s.Witness
	}
	return l.End.Sub(behind)
}

// doubted tells whether the clocks differ by more than clocks may.
func (s Snapshot) doubted(now time.Time) bool { return s.lag(now) > clockTolerance }

// await wakes the plan when time alone changes something about the sandbox's life.
func (s Snapshot) await(plan *Plan, now time.Time) {
	l := s.life(now)
	switch lag := s.lag(now); {
	case lag > clockTolerance:
		plan.wakeBy(now.Add(clockRetry))
	case lag > 0:
		plan.wakeBy(now.Add(lag))
	case !l.End.IsZero() && l.HeldSince.IsZero() && !l.over(now):
		plan.wakeBy(l.End)
		if warn := l.End.Add(-l.Warn); l.Warn > 0 && now.Before(warn) {
			plan.wakeBy(warn)
		}
	}
}

// expiring is the condition about the end; nil where there is nothing to say.
func (s Snapshot) expiring(p Plan, now time.Time) *metav1.Condition {
	l := s.life(now)
	switch {
	case p.State == Deleting || p.State == Retiring || p.State == Retired || p.State == NeedStated:
		return nil
	case s.doubted(now):
		return &metav1.Condition{Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonClockDoubted, Message: doubtful}
	case s.Policy == nil || s.Unread:
		return apimeta.FindStatusCondition(s.Prototype.Status.Conditions, v1alpha1.ConditionExpiring)
	case p.State == Expired || !l.near(now):
		return nil
	}
	message := "The sandbox ends at " + l.End.UTC().Format(time.RFC3339) + "."
	if !l.HeldSince.IsZero() {
		message = fmt.Sprintf("The sandbox has %s left; its clock stands still while review %s waits for IT.",
			policy.Span(l.End.Sub(l.HeldSince)), s.newest().Name)
	}
	return &metav1.Condition{Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonEndsSoon, Message: clean(message + s.extension())}
}

// doubtful says that two clocks differ, and who can set them right.
const doubtful = "The operator's clock and the API server's differ about whether the sandbox's life is over, so nothing is taken down " +
	"and nothing brought back. The platform team sets the clocks right; they are compared every minute."

// extension says who can give the sandbox more time.
func (s Snapshot) extension() string {
	if s.Policy == nil || s.Unread {
		return " The team can raise spec.sandbox.lifetime within the policy's maximum."
	}
	most, name := s.Policy.Spec.Sandbox.Lifetime.Max.Duration, s.Policy.Name
	if s.length() >= most {
		return fmt.Sprintf(" It has the longest life that policy %s gives, %s from its start; IT can raise sandbox.lifetime.max.", name, policy.Span(most))
	}
	return fmt.Sprintf(" To extend it, the team raises spec.sandbox.lifetime, which is %s, up to %s from its start; beyond that, IT raises sandbox.lifetime.max of policy %s.",
		policy.Span(s.length()), policy.Span(most), name)
}
