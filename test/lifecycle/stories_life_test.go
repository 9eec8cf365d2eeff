package lifecycle

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/world"
)

const expiring = v1alpha1.ConditionExpiring

// lives for a time.
func lives(d time.Duration) func(*v1alpha1.AIPrototype) {
	return func(p *v1alpha1.AIPrototype) {
		p.Spec.Sandbox = &v1alpha1.SandboxWish{Lifetime: &metav1.Duration{Duration: d}}
	}
}

// appliesFor applies the prototype for a time.
func appliesFor(w *world.World, target v1alpha1.Target, d time.Duration) {
	w.Helper()
	tags(w)
	prototype := world.NewPrototype(target, "1.4")
	lives(d)(prototype)
	w.Says("the team applies a prototype for " + d.String())
	w.Creates(world.Lead, prototype)
	w.Settle()
}

// gone ends the story where something of the sandbox is left.
func gone(w *world.World) {
	w.Helper()
	w.Expect(!w.There(w.Sandbox()), "the sandbox outlives its end")
}

func TestExpired(t *testing.T) {
	play(t, func(w *world.World) {
		appliesFor(w, sandbox, time.Hour)
		w.Is(ready, "True RunningInSandbox")
		w.Pass(time.Hour)
		w.Is(ready, "False Expired")
		w.Waits("Business")
		gone(w)
		w.Says("the team gives it three hours, and asks for production")
		w.Edits(world.Lead, lives(3*time.Hour))
		w.Wants(world.Lead, production)
		w.Settle()
		w.Is(ready, "True InReview")
		w.Approve(1)
		w.Settle()
		inProduction(w, 1, "a")
		w.Says("the sandbox ends, and production goes on")
		w.Pass(3 * time.Hour)
		w.Is(ready, "True InProduction")
		gone(w)
		w.Expect(w.Serving("a") == 2, "%d pods serve", w.Serving("a"))
	})
}

// TestClockStandsStillDuringReview: the time that IT takes to decide is not the team's.
func TestClockStandsStillDuringReview(t *testing.T) {
	play(t, func(w *world.World) {
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) {
			p.Spec.Sandbox.Lifetime.WarnBefore = metav1.Duration{Duration: 2 * time.Hour}
		})
		appliesFor(w, production, 6*time.Hour)
		w.ReviewIs(1, v1alpha1.ConditionGatesPassed, "True AllGatesPassed")
		status := w.Prototype().Status.Sandbox
		w.Expect(status.HeldSince != nil && status.ExpiresAt == nil, "the clock goes on while IT decides: %+v", status)
		w.Says("IT takes two days")
		w.Pass(48 * time.Hour)
		w.Is(ready, "True InReview")
		w.Is(expiring, "")
		w.Decides(world.Security, 1, "security", reject)
		w.Settle()
		status = w.Prototype().Status.Sandbox
		w.Expect(status.HeldSince == nil && status.HeldFor != nil && status.HeldFor.Duration >= 48*time.Hour, "held %+v", status)
		end := status.StartedAt.Add(6*time.Hour + status.HeldFor.Duration)
		w.Expect(status.ExpiresAt.Time.Equal(end), "ends at %v, want %v", status.ExpiresAt, end)
		w.Says("now it is the team's turn, and the clock runs")
		w.Pass(end.Sub(w.Now()) - time.Hour)
		w.Is(expiring, "True EndsSoon")
		w.Pass(2 * time.Hour)
		w.Is(ready, "False Expired")
		gone(w)
	})
}

// TestClockThatJumps: time alone takes nothing down unless two clocks say so, and brings nothing back.
func TestClockThatJumps(t *testing.T) {
	play(t, func(w *world.World) {
		appliesFor(w, sandbox, 24*time.Hour)
		w.Says("the operator's clock jumps forward by a year")
		w.Skew = 365 * 24 * time.Hour
		w.AsksAgain(world.Lead)
		w.Pass(20 * time.Minute)
		w.Is(expiring, "Unknown ClockDoubted")
		w.Waits("IT")
		w.Expect(w.Runs(w.Sandbox()) == "a", "a clock that jumped took the sandbox down")
		w.Says("the platform team sets the clock right")
		w.Skew = 0
		w.Settle()
		w.Is(expiring, "")
		w.Is(ready, "True RunningInSandbox")
		w.Pass(24 * time.Hour)
		w.Is(ready, "False Expired")
		gone(w)
		w.Says("the clock jumps back, before the end")
		w.Skew = -48 * time.Hour
		w.AsksAgain(world.Lead)
		w.Pass(20 * time.Minute)
		gone(w)
		w.Is(expiring, "Unknown ClockDoubted")
		w.Skew = 0
		w.Settle()
		w.Is(ready, "False Expired")
		w.Is(expiring, "")
	})
}

// TestTeamAtCapacity: who is over the team's cap waits in a queue that moves by itself, and takes nobody's place.
func TestTeamAtCapacity(t *testing.T) {
	play(t, func(w *world.World) {
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Limits.PrototypesPerTeam = 2 })
		applies(w, sandbox)
		another := func(name string) {
			p := world.NewPrototype(sandbox, "1.4")
			p.Name = name
			w.Creates(world.Lead, p)
		}
		another("second")
		w.Settle()
		w.Says("two more than the team may have")
		another("third")
		w.Settle()
		another("fourth")
		w.Settle()
		has := func(want ...string) {
			w.Helper()
			for i, name := range []string{world.Name, "second", "third", "fourth"} {
				w.Expect(w.Place(name) == want[i], "%s: %q, want %q", name, w.Place(name), want[i])
			}
		}
		has("has room", "has room", "1 of 2", "2 of 2")
		w.Says("the team suspends its first")
		w.Edits(world.Lead, func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
		w.Settle()
		has("", "has room", "has room", "1 of 1")
		w.Says("it takes nobody's place when it comes back, but is first in the queue: it is the oldest")
		w.Edits(world.Lead, func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = false })
		w.Settle()
		has("1 of 2", "has room", "has room", "2 of 2")
		w.Is(ready, "False TeamAtCapacity")
		w.Waits("Business, IT")
		w.Says("the team deletes its third, and IT gives it one more")
		w.Destroys(w.Another("third"))
		w.Settle()
		has("has room", "has room", "", "1 of 1")
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Limits.PrototypesPerTeam = 3 })
		w.Settle()
		has("has room", "has room", "", "has room")
		w.Is(ready, "True RunningInSandbox")
	})
}

// TestRaceForTheLastPlace: whoever is first, exactly one has it in the end, and the others know their places.
func TestRaceForTheLastPlace(t *testing.T) {
	play(t, func(w *world.World) {
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Limits.PrototypesPerTeam = 1 })
		tags(w)
		w.Says("three prototypes are applied at once")
		all := []string{world.Name, "second", "third"}
		for _, name := range all {
			p := world.NewPrototype(sandbox, "1.4")
			p.Name = name
			w.Creates(world.Lead, p)
		}
		one := func() {
			w.Helper()
			w.Settle()
			got := map[string]string{}
			for _, name := range all {
				got[w.Place(name)] = name
			}
			w.Expect(got["has room"] != "" && got["1 of 2"] != "" && got["2 of 2"] != "", "places %v", got)
		}
		one()
		w.Says("whoever has it is suspended and comes back, while the next one takes it")
		w.Edits(world.Lead, func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
		w.Until("the suspended one gives its room back", func() bool { return w.Place(world.Name) == "" })
		w.Edits(world.Lead, func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = false })
		one()
	})
}

// TestRuntimeClassMissing: data that only a certain runtime may handle is handled under no other.
func TestRuntimeClassMissing(t *testing.T) {
	play(t, func(w *world.World) {
		w.EditsPolicy(func(p *v1alpha1.HardeningPolicy) {
			p.Spec.Sandbox.RuntimeClasses = []v1alpha1.ClassRuntime{{Class: v1alpha1.DataInternal, RuntimeClass: "kata"}}
		})
		applies(w, production)
		w.Settle()
		w.Is(ready, "False RuntimeClassMissing")
		w.Waits("IT")
		gone(w)
		w.Says("the platform team installs the runtime")
		w.Installs("kata")
		w.Settle()
		w.Is(ready, "True InReview")
		w.Says("the runtime goes, and IT approves")
		w.Uninstalls("kata")
		w.Approve(1)
		w.Settle()
		nothingThere(w)
		w.Waits("IT")
		w.Says("it is there again")
		w.Installs("kata")
		w.Settle()
		inProduction(w, 1, "a")
		w.Expect(w.RunsUnder(w.Production()) == "kata" && w.RunsUnder(w.Sandbox()) == "kata", "sandbox under %q, production under %q",
			w.RunsUnder(w.Sandbox()), w.RunsUnder(w.Production()))
	})
}
