package sandbox

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
)

func hours(n float64) time.Duration { return time.Duration(n * float64(time.Hour)) }

func hour(n float64) *metav1.Time { return ptr.To(metav1.NewTime(birth.Add(hours(n)))) }

// lived is a prototype that lives for ten hours and has the given life so far.
func lived(status *v1alpha1.SandboxStatus, turns ...v1alpha1.WaitingOn) Snapshot {
	p := aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Sandbox = &v1alpha1.SandboxWish{Lifetime: &metav1.Duration{Duration: hours(10)}}
		p.Status.Sandbox = status
	}).obj()
	s := Snapshot{Prototype: p, Policy: aPolicy()}
	s.Policy.Spec.Sandbox.Lifetime.WarnBefore.Duration = hours(2)
	if turns != nil {
		s.Reviews = []v1alpha1.HardeningReview{aReview(1, "now", func(r *v1alpha1.HardeningReviewStatus) { r.WaitingOn = turns })}
	}
	return s
}

func its(role string, since float64) v1alpha1.WaitingOn {
	return v1alpha1.WaitingOn{Party: v1alpha1.PartyIT, Role: role, Since: *hour(since)}
}

var theirs = v1alpha1.WaitingOn{Party: v1alpha1.PartyBusiness, Since: *hour(0)}

func TestLife(t *testing.T) {
	ran := &v1alpha1.SandboxStatus{StartedAt: hour(0)}
	stood := &v1alpha1.SandboxStatus{StartedAt: hour(0), HeldFor: &metav1.Duration{Duration: hours(1)}, HeldSince: hour(5)}
	for name, test := range map[string]struct {
		s         Snapshot
		now       float64
		end       *metav1.Time
		held      float64
		heldSince *metav1.Time
		over      bool
		near      bool
	}{
		"never started":                   {s: lived(nil), now: 100},
		"runs":                            {s: lived(ran), now: 7, end: hour(10)},
		"warns":                           {s: lived(ran), now: 8, end: hour(10), near: true},
		"over":                            {s: lived(ran), now: 10, end: hour(10), over: true, near: true},
		"from before it was kept":         {s: lived(&v1alpha1.SandboxStatus{Namespace: "affx"}), now: 1, end: hour(10)},
		"waits in the queue":              {s: lived(&v1alpha1.SandboxStatus{Queue: &v1alpha1.QueuePosition{Position: 1, Length: 1}}), now: 100},
		"IT has to decide":                {s: lived(ran, its("security", 5)), now: 6, end: hour(10), heldSince: hour(5)},
		"two roles, the first":            {s: lived(ran, its("security", 5), its("operations", 4)), now: 6, end: hour(10), heldSince: hour(4)},
		"IT has to mend":                  {s: lived(ran, v1alpha1.WaitingOn{Party: v1alpha1.PartyIT, Since: *hour(1)}), now: 6, end: hour(10), heldSince: hour(6)},
		"the team's turn too":             {s: lived(ran, its("security", 5), theirs), now: 6, end: hour(10)},
		"the operator's turn":             {s: lived(ran, v1alpha1.WaitingOn{Party: v1alpha1.PartyOperator}), now: 6, end: hour(10)},
		"stands still":                    {s: lived(stood, its("security", 5)), now: 500, end: hour(11), held: 1, heldSince: hour(5)},
		"goes on":                         {s: lived(stood), now: 8, end: hour(14), held: 4},
		"goes on, and is near":            {s: lived(stood), now: 12, end: hour(18), held: 8},
		"stopped in the future":           {s: lived(&v1alpha1.SandboxStatus{StartedAt: hour(0), HeldSince: hour(50)}), now: 8, end: hour(10), near: true},
		"a role's turn before the review": {s: lived(ran, its("security", -9)), now: 6, end: hour(10), heldSince: hour(0)},
		"a role's turn in the future":     {s: lived(ran, its("security", 9)), now: 6, end: hour(10), heldSince: hour(6)},
	} {
		t.Run(name, func(t *testing.T) {
			now := birth.Add(hours(test.now))
			l := test.s.life(now)
			var shown v1alpha1.SandboxStatus
			l.show(&shown)
			if test.end == nil != l.End.IsZero() || test.end != nil && !l.End.Equal(test.end.Time) {
				t.Errorf("ends %v, want %v", l.End, test.end)
			}
			if l.Held != hours(test.held) || !shown.HeldSince.Equal(test.heldSince) {
				t.Errorf("held %s since %v", l.Held, shown.HeldSince)
			}
			if l.over(now) != test.over || l.near(now) != test.near {
				t.Errorf("over %v, near %v", l.over(now), l.near(now))
			}
			if shown.HeldSince != nil && shown.ExpiresAt != nil {
				t.Error("an end is shown that moves on")
			}
		})
	}
}

// TestClockOfAReviewIsStoppedAndStartedByTheServer: what a jump of ours adds to a life is nothing.
func TestClockOfAReviewIsStoppedAndStartedByTheServer(t *testing.T) {
	s := lived(&v1alpha1.SandboxStatus{StartedAt: hour(0), HeldSince: hour(5)})
	s.Witness = birth.Add(hours(6))
	if l := s.life(birth.Add(hours(9000))); l.Held != hours(1) {
		t.Errorf("held %s", l.Held)
	}
	s = lived(&v1alpha1.SandboxStatus{StartedAt: hour(0)}, its("security", 9000))
	s.Witness = birth.Add(hours(6))
	if l := s.life(birth.Add(hours(9000))); !l.HeldSince.Equal(s.Witness) {
		t.Errorf("held since %v", l.HeldSince)
	}
}

func TestTwoClocks(t *testing.T) {
	for name, test := range map[string]struct {
		now, witness  float64
		before        bool
		over, doubted bool
	}{
		"both before":                   {now: 9, witness: 9},
		"both after":                    {now: 10, witness: 10, over: true},
		"ours is a moment ahead":        {now: 10, witness: 10 - 1.0/3600},
		"ours is ahead":                 {now: 10, witness: 8, doubted: true},
		"ours is behind, it is running": {now: 8, witness: 10, doubted: true},
		"ours is behind, it is over":    {now: 8, witness: 10, before: true, over: true, doubted: true},
		"both before, it was over":      {now: 8, witness: 8, before: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := lived(&v1alpha1.SandboxStatus{StartedAt: hour(0)})
			s.Witness = birth.Add(hours(test.witness))
			if test.before {
				apimeta.SetStatusCondition(&s.Prototype.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionSandboxReady, Reason: v1alpha1.ReasonExpired})
			}
			now := birth.Add(hours(test.now))
			if s.lifeOver(now) != test.over || s.doubted(now) != test.doubted {
				t.Errorf("over %v, doubted %v", s.lifeOver(now), s.doubted(now))
			}
			var plan Plan
			if s.await(&plan, now); s.lag(now) > 0 && (plan.Wake.IsZero() || plan.Wake.After(now.Add(clockRetry))) {
				t.Errorf("looks again at %v", plan.Wake)
			}
		})
	}
}

func TestExpiring(t *testing.T) {
	w := runs(t, aPrototype())
	policy := aPolicy()
	w.must(w.client.Get(t.Context(), clientKey("organisation"), policy))
	policy.Spec.Sandbox.Lifetime.WarnBefore.Duration = hours(72)
	w.must(w.client.Update(t.Context(), policy))
	w.settle()
	if c := w.condition(v1alpha1.ConditionExpiring); c != nil {
		t.Fatalf("warns long before: %+v", c)
	}
	end := w.prototype().Status.Sandbox.ExpiresAt.Time
	w.clock.SetTime(end.Add(-hours(72)))
	w.measured()
	w.expect(v1alpha1.ConditionExpiring, metav1.ConditionTrue, v1alpha1.ReasonEndsSoon)
	message := w.condition(v1alpha1.ConditionExpiring).Message
	for _, part := range []string{end.UTC().Format(time.RFC3339), "the team raises spec.sandbox.lifetime, which is 336h, up to 2160h", "IT raises sandbox.lifetime.max of policy organisation"} {
		if !strings.Contains(message, part) {
			t.Errorf("%q does not say %q", message, part)
		}
	}
	w.clock.SetTime(end.Add(-hours(71)))
	w.measured()
	if told := w.told(v1alpha1.ReasonEndsSoon); len(told) != 1 || !strings.HasPrefix(told[0], corev1.EventTypeWarning) {
		t.Errorf("told %v", told)
	}
	timed := w.timed
	w.advance(time.Minute)
	w.settle()
	if w.timed != timed {
		t.Error("the API server is asked for the time although nothing rests on it")
	}
	w.edit(func(p *v1alpha1.AIPrototype) {
		p.Spec.Sandbox = &v1alpha1.SandboxWish{Lifetime: &metav1.Duration{Duration: hours(2160)}}
	})
	w.settle()
	if c := w.condition(v1alpha1.ConditionExpiring); c != nil {
		t.Errorf("warns although it was extended: %+v", c)
	}
}

func TestLifetimeBeyondTheMaximumIsRefused(t *testing.T) {
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Sandbox = &v1alpha1.SandboxWish{Lifetime: &metav1.Duration{Duration: hours(9000)}}
	}).obj(), aPolicy())
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonLimitExceeded)
	if message := w.condition(v1alpha1.ConditionReady).Message; !strings.Contains(message, "asks for 9000h; a sandbox lives 2160h at most") {
		t.Errorf("%q does not say what is allowed", message)
	}
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("it was cut in silence")
	}
}

// TestLifeCountsFromItsStart: a need that was stated for months does not expire the moment it gets a program, and
// taking the program away does not begin another life.
func TestLifeCountsFromItsStart(t *testing.T) {
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) { p.Spec.Workload = nil }).obj(), aPolicy())
	w.settle()
	w.advance(hours(2000))
	program := aPrototype().obj().Spec.Workload
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload = program })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMeasuringIsolation)
	began := w.clock.Now()
	if status := w.prototype().Status.Sandbox; !status.StartedAt.Time.Equal(began) || !status.ExpiresAt.Time.Equal(began.Add(hours(336))) {
		t.Fatalf("%+v", status)
	}
	w.advance(hours(300))
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload = nil })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonNeedStated)
	if status := w.prototype().Status.Sandbox; status.Room != nil || status.ExpiresAt != nil || status.Namespace != "" {
		t.Errorf("%+v", status)
	}
	w.advance(hours(100))
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload = program })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExpired)
}

// TestLifeOfWhatWasKilledInItsFirstPass counts from the namespace that it left.
func TestLifeOfWhatWasKilledInItsFirstPass(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.must(w.client.Create(t.Context(), namespace(w.identity.Sandbox(), w.identity.Labels("sandbox"))))
	w.advance(time.Minute)
	w.settle()
	if started := w.prototype().Status.Sandbox.StartedAt; !started.Time.Equal(birth) {
		t.Errorf("started at %v", started)
	}
}

func TestClockThatJumpsTakesNothingDown(t *testing.T) {
	w := runs(t, aPrototype())
	w.advance(hours(500))
	w.skew = -hours(500)
	w.measured()
	w.expect(v1alpha1.ConditionExpiring, metav1.ConditionUnknown, v1alpha1.ReasonClockDoubted)
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	if turns := w.prototype().Status.WaitingOn; len(turns) != 1 || turns[0].Party != v1alpha1.PartyIT {
		t.Errorf("waits for %+v", turns)
	}
	result, err := w.reconcile()
	if err != nil || result.RequeueAfter > clockRetry {
		t.Errorf("looks again in %v, %v", result.RequeueAfter, err)
	}
	w.skew = 0
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExpired)
	if c := w.condition(v1alpha1.ConditionExpiring); c != nil {
		t.Errorf("still in doubt: %+v", c)
	}
	timed := w.timed
	w.settle()
	if w.timed != timed {
		t.Error("what is gone still asks for the time")
	}
}

// TestClockThatIsBehindIsNoticed with the next measurement: by itself it would never come to the end.
func TestClockThatIsBehindIsNoticed(t *testing.T) {
	w := runs(t, aPrototype())
	w.skew = hours(500)
	w.settle()
	if c := w.condition(v1alpha1.ConditionExpiring); c != nil {
		t.Fatalf("asked although nothing rests on it: %+v", c)
	}
	w.advance(hours(1))
	w.measured()
	w.expect(v1alpha1.ConditionExpiring, metav1.ConditionUnknown, v1alpha1.ReasonClockDoubted)
	w.settle()
	w.expect(v1alpha1.ConditionExpiring, metav1.ConditionUnknown, v1alpha1.ReasonClockDoubted)
	if *w.deployment().Spec.Replicas != 1 {
		t.Error("stopped by one clock alone")
	}
	w.skew = 0
	w.settle()
	if c := w.condition(v1alpha1.ConditionExpiring); c != nil {
		t.Errorf("still in doubt: %+v", c)
	}
}
