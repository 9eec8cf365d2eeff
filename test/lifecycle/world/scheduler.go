package world

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/test/lifecycle/informer"
)

const (
	// quiet is for how long nothing may change until a story has come to rest. Whatever looks again within that time
	// must find nothing to do.
	quiet = 6 * time.Minute
	// most passes and other steps in which a story comes to rest, and most within one moment of its time.
	mostSteps    = 30000
	mostInMoment = 3000
)

// chore is something that somebody other than the operator does, as soon as its time has come.
type chore struct {
	at time.Time
	do func()
}

// choice is what could happen next.
type choice struct {
	deliver    *schema.GroupVersionKind
	controller *informer.Controller
	request    reconcile.Request
	chore      func()
}

// choices are all that could happen now: what was changed is seen, in the order of its kind; a controller looks at
// something; the cluster does a chore.
func (w *World) choices() []choice {
	var out []choice
	for _, kind := range w.operator.manager.Seen().Pending() {
		out = append(out, choice{deliver: &kind})
	}
	var passes []choice
	for _, controller := range w.operator.manager.Controllers() {
		if w.busy[controller.Name] {
			continue
		}
		for _, request := range controller.Queue.Ready() {
			passes = append(passes, choice{controller: controller, request: request})
		}
	}
	slices.SortStableFunc(passes, func(a, b choice) int {
		return cmp.Compare(a.controller.Queue.Order(a.request), b.controller.Queue.Order(b.request))
	})
	out = append(out, passes...)
	for _, c := range w.chores() {
		if !c.at.After(w.clock) {
			out = append(out, choice{chore: c.do})
		}
	}
	return out
}

func (w *World) take(c choice) {
	w.Helper()
	switch {
	case c.deliver != nil:
		w.operator.manager.Seen().Deliver(*c.deliver)
	case c.controller != nil:
		c.controller.Queue.Take(c.request)
		w.pass(c.controller, c.request)
	default:
		c.chore()
	}
}

// step lets one thing happen, or time pass until something can. It is false where nothing will.
func (w *World) step(until time.Time) bool {
	w.Helper()
	all := w.choices()
	switch {
	case len(all) == 0:
		if !w.advance(until) {
			return false
		}
	case w.Seed == 0:
		w.take(all[0])
	case w.faults && w.rng.IntN(200) == 0:
		w.operator.manager.Seen().Repeat()
	case w.faults && w.rng.IntN(50) == 0:
		w.clock = w.clock.Add(w.jitter(time.Second))
	default:
		w.take(w.draw(all))
	}
	w.sound()
	return true
}

// draw one of what could happen. Most of the time what was changed is seen before anybody looks at it.
func (w *World) draw(all []choice) choice {
	seen := 0
	for seen < len(all) && all[seen].deliver != nil {
		seen++
	}
	if seen > 0 && w.rng.IntN(3) > 0 {
		return all[w.rng.IntN(seen)]
	}
	return all[w.rng.IntN(len(all))]
}

// interleave lets one thing happen in the middle of a pass, as if by another worker.
func (w *World) interleave() {
	if len(w.busy) > 1 {
		return
	}
	if all := w.choices(); len(all) > 0 {
		w.take(w.draw(all))
	}
}

// meanwhile is what may happen while the operator waits for an answer: time passes, and others do their part.
func (w *World) meanwhile() {
	if w.chance(40) {
		w.clock = w.clock.Add(w.jitter(2 * time.Second))
	}
	if w.chance(25) {
		w.interleave()
	}
}

// advance lets time pass until the next thing is due. It is false where that would be later than the given time.
func (w *World) advance(until time.Time) bool {
	next := time.Time{}
	sooner := func(at time.Time) {
		if at.After(w.clock) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, controller := range w.operator.manager.Controllers() {
		sooner(controller.Queue.Next())
	}
	for _, c := range w.chores() {
		sooner(c.at)
	}
	if next.IsZero() || next.After(until) {
		return false
	}
	w.clock = next
	return true
}

// sound ends the story if an invariant was broken.
func (w *World) sound() {
	w.Helper()
	w.stoppedInTime()
	if len(w.wrong) > 0 {
		w.end("broken: %s", w.wrong[0])
	}
}

// Settle lets everything happen that happens by itself: first with whatever goes wrong, and then, so that nothing is
// still being tried again, without.
func (w *World) Settle() {
	w.Helper()
	w.comeToRest()
	if w.faults {
		w.faults = false
		w.comeToRest()
		w.faults = true
	}
}

func (w *World) comeToRest() {
	w.Helper()
	w.changed = w.clock
	w.play(func() bool { return false }, func() time.Time { return w.changed.Add(quiet) })
	w.clock = w.changed.Add(quiet)
}

// Until lets things happen up to the moment in which something is so.
func (w *World) Until(what string, so func() bool) {
	w.Helper()
	end := w.clock.Add(time.Hour)
	if !w.play(so, func() time.Time { return end }) {
		w.end("it never comes to this: %s", what)
	}
}

// Pass lets things happen for a while.
func (w *World) Pass(d time.Duration) {
	w.Helper()
	end := w.clock.Add(d)
	w.play(func() bool { return false }, func() time.Time { return end })
	w.clock = end
}

// play steps until something is so; it is false where that does not come before a time.
func (w *World) play(so func() bool, until func() time.Time) bool {
	w.Helper()
	moment, steps := w.clock, 0
	for range mostSteps {
		if so() {
			return true
		}
		if !w.step(until()) {
			return false
		}
		if steps++; !w.clock.Equal(moment) {
			moment, steps = w.clock, 0
		}
		if steps > mostInMoment {
			w.end("%d steps without a moment passing: somebody runs hot", steps)
		}
	}
	w.end("it does not come to rest")
	return false
}

// Rest lets everything come to rest without further faults, and proves that it did: no controller finds anything to do
// when it looks at everything once more, in any order, and neither does an operator that starts anew.
func (w *World) Rest() {
	w.Helper()
	w.faults = false
	w.Settle()
	w.lookAgain("another look at everything")
	before := w.server.Changes(operatorName)
	w.script.note(w, "the operator starts anew")
	w.restart()
	w.Settle()
	w.Expect(w.server.Changes(operatorName) == before, "an operator that starts anew changes something, although nothing happened")
	w.lookAgain("another look after a new start")
	w.atRest()
	w.sound()
}

// lookAgain has every controller look at everything that it ever looked at.
func (w *World) lookAgain(when string) {
	w.Helper()
	var all []choice
	for _, controller := range w.operator.manager.Controllers() {
		for request := range w.asked[controller.Name] {
			all = append(all, choice{controller: controller, request: request})
		}
	}
	slices.SortFunc(all, func(a, b choice) int {
		return cmp.Or(cmp.Compare(a.controller.Name, b.controller.Name), cmp.Compare(a.request.String(), b.request.String()))
	})
	w.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, c := range all {
		before := w.operator.requests
		w.pass(c.controller, c.request)
		w.Expect(w.operator.requests == before, "%s: controller %s writes although nothing changed, looking at %s",
			when, c.controller.Name, c.request)
	}
}
