package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
)

// amount of what a team's sandboxes share: thousandths of a CPU, and bytes.
type amount struct{ cpu, memory int64 }

func amountOf(cpu, memory string) amount {
	return amount{cpu: quantity(cpu).MilliValue(), memory: quantity(memory).Value()}
}

// quantity reads what the schema admitted, or what was written by ourselves.
func quantity(text string) *resource.Quantity {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return &resource.Quantity{}
	}
	return &q
}

func (a amount) String() string {
	return "cpu " + resource.NewMilliQuantity(a.cpu, resource.DecimalSI).String() + ", memory " + resource.NewQuantity(a.memory, resource.BinarySI).String()
}

func (a amount) plus(b amount) amount { return amount{a.cpu + b.cpu, a.memory + b.memory} }

// beyond is by how much an amount exceeds another.
func (a amount) beyond(b amount) amount {
	return amount{max(0, a.cpu-b.cpu), max(0, a.memory-b.memory)}
}

// stake is what a prototype has, or waits for, of its team's room, as its own object tells everybody.
type stake struct {
	uid     string
	created time.Time
	// since when it holds room, zero where it holds none, and how much.
	since time.Time
	held  amount
	// asks is what its workload asks for now, and waits whether it has to have it and does not.
	asks  amount
	waits bool
}

// stakeOf a prototype. One that nobody looked at since it changed counts as waiting: it may be older than whoever else
// waits. One that was looked at, and neither holds room nor has a place in the queue, wants none.
func stakeOf(p *v1alpha1.AIPrototype) stake {
	out := stake{uid: string(p.UID), created: p.CreationTimestamp.Time}
	wishes := p.DeletionTimestamp.IsZero() && !p.Spec.Suspend && p.Spec.Target != v1alpha1.TargetRetired &&
		p.Spec.Workload != nil && p.Spec.Workload.Container != nil
	if wishes {
		out.asks = amountOf(p.Spec.Workload.Container.Resources.CPU, p.Spec.Workload.Container.Resources.Memory)
	}
	status := p.Status.Sandbox
	switch {
	case status != nil && status.Room != nil:
		out.since, out.held = status.Room.Since.Time, amountOf(status.Room.CPU, status.Room.Memory)
	case status != nil && status.StartedAt == nil && status.URL != "" && wishes:
		// It ran before room was written down.
		out.since, out.held = out.created, out.asks
	default:
		out.waits = wishes && (status != nil && status.Queue != nil || p.Status.ObservedGeneration != p.Generation)
	}
	return out
}

// holds tells whether it has room.
func (s stake) holds() bool { return !s.since.IsZero() }

// wants tells whether it has less room than it asks for.
func (s stake) wants() bool { return s.waits || s.holds() && s.asks.beyond(s.held) != amount{} }

// earlier orders by birth: the order of the queue.
func (s stake) earlier(other stake) int {
	return cmp.Or(s.created.Compare(other.created), strings.Compare(s.uid, other.uid))
}

// before orders those that hold room: whoever came last makes room first.
func (s stake) before(other stake) int {
	return cmp.Or(s.since.Compare(other.since), s.earlier(other))
}

// room is what a team may have, and what of it is taken.
type room struct {
	sandboxes, taken int32
	bound            *amount
	used             amount
}

func roomOf(limits v1alpha1.SandboxLimits) room {
	out := room{sandboxes: limits.PrototypesPerTeam}
	if limits.PerTeam != nil {
		bound := amountOf(limits.PerTeam.CPU, limits.PerTeam.Memory)
		out.bound = &bound
	}
	return out
}

// full says what is lacking for one more; empty where it fits.
func (r room) full(more amount) string {
	switch sum := r.used.plus(more); {
	case r.sandboxes > 0 && r.taken >= r.sandboxes:
		return fmt.Sprintf("has %d of %d sandboxes", r.taken, r.sandboxes)
	case r.bound != nil && sum.beyond(*r.bound) != amount{}:
		return fmt.Sprintf("has %s of %s in its sandboxes, and this one asks for %s", r.used, *r.bound, more)
	}
	return ""
}

func (r *room) take(more amount) { r.taken, r.used = r.taken+1, r.used.plus(more) }

// place of a prototype in its team's room.
type place struct {
	// queue is nil where it may be there.
	queue *v1alpha1.QueuePosition
	// full says what is lacking.
	full string
	// cramped is true where it is there and asks for more than is left.
	cramped bool
}

// placeOf finds a prototype's place from what all of the team have and want, so that everybody who looks comes to the
// same answer, whoever writes first. Whoever holds room keeps it against whoever comes, in the order in which they came
// to it; then those that wait, in the order of their birth. The first that does not fit keeps those behind it waiting:
// a large one would starve otherwise.
func placeOf(self stake, others []stake, limits v1alpha1.SandboxLimits) place {
	self.waits = !self.holds()
	all := append(slices.Clone(others), self)
	slices.SortFunc(all, stake.before)
	r := roomOf(limits)
	var waiting []stake
	kept := false
	for _, one := range all {
		switch {
		case one.holds() && r.full(one.held) == "":
			r.take(one.held)
			kept = kept || one.uid == self.uid
		case one.holds() || one.waits:
			waiting = append(waiting, one)
		}
	}
	if !kept {
		return queued(self, waiting, r)
	}
	if more := self.asks.beyond(self.held); more != (amount{}) {
		// It has its place already; only what it asks for counts.
		r.sandboxes = 0
		full := r.full(more)
		return place{full: full, cramped: full != ""}
	}
	return place{}
}

func queued(self stake, waiting []stake, r room) place {
	slices.SortFunc(waiting, stake.earlier)
	var out place
	length, position := int32(0), int32(0)
	for _, one := range waiting {
		full := r.full(one.asks)
		if length == 0 && full == "" {
			r.take(one.asks)
			continue
		}
		length++
		if one.uid == self.uid {
			position, out.full = length, full
		}
	}
	if position > 0 {
		out.queue = &v1alpha1.QueuePosition{Position: position, Length: length}
	}
	return out
}

// place of the prototype in its team's room.
func (s Snapshot) place() place {
	if s.Policy == nil || s.container() == nil {
		return place{}
	}
	return placeOf(stakeOf(s.Prototype), s.Team, s.Policy.Spec.Sandbox.Limits)
}

// cramped is the problem of a workload that grew beyond what is left of the team's room. What ran before goes on.
func (s Snapshot) cramped() []policy.Problem {
	place := s.place()
	if !place.cramped {
		return nil
	}
	return []policy.Problem{{
		Reason: v1alpha1.ReasonTeamAtCapacity, Field: "spec.workload.container.resources", Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("It asks for more than is left: team %s %s more.", s.Requirements.Team.Name, place.full),
		Hint:    "Ask for less, or make room: suspend, retire or delete another prototype. IT can raise sandbox.limits.perTeam.",
	}}
}

// queue waits for room. What was started before the team's room became too small for it is stopped, and kept.
func (s Snapshot) queue(place place) Plan {
	plan := s.upkeep(s.suspend())
	plan.State, plan.Place, plan.Handled = Queued, place, !s.Image.Pending
	plan.wakeBy(s.References.Until)
	plan.wakeBy(s.Image.RetryAt)
	return plan
}

// hasRoom tells whether the room for the present workload is written down, so that nobody else counts on it.
func (s Snapshot) hasRoom() bool {
	mine := stakeOf(s.Prototype)
	return mine.holds() && mine.asks.beyond(mine.held) == amount{}
}

// roomStatus is the room that is held after this pass: claimed as soon as a sandbox is being made, and given back when
// nothing of it runs any more. A workload that grew claims anew, so that it makes room first if two grew at once.
func (s Snapshot) roomStatus(p Plan, now time.Time) *v1alpha1.RoomStatus {
	mine := stakeOf(s.Prototype)
	keep := func(while bool) *v1alpha1.RoomStatus {
		if !while || !mine.holds() {
			return nil
		}
		return written(mine.since, mine.held)
	}
	switch p.State {
	case Queued, Suspended:
		return keep(s.running() || s.Deployment != nil && s.Deployment.Status.Replicas > 0 || s.measuring())
	case Holding:
		return keep(true)
	case Measuring, Unmeasured, Unenforced, Starting, Running:
		if s.Subject == nil {
			// What runs under a problem holds what it held.
			return keep(true)
		}
		if mine.holds() && mine.asks.beyond(mine.held) == (amount{}) {
			return written(mine.since, mine.asks)
		}
		return written(now, mine.asks)
	}
	return keep(s.exists())
}

func written(since time.Time, a amount) *v1alpha1.RoomStatus {
	return &v1alpha1.RoomStatus{
		Since: seconds(since),
		CPU:   resource.NewMilliQuantity(a.cpu, resource.DecimalSI).String(), Memory: resource.NewQuantity(a.memory, resource.BinarySI).String(),
	}
}

// atCapacity says that the team has no room, and which place in its queue this prototype has.
func (s Snapshot) atCapacity(p Plan) verdict {
	queue := p.Place.queue
	message := fmt.Sprintf("Place %d of %d in the queue of team %s", queue.Position, queue.Length, s.Requirements.Team.Name)
	if p.Place.full != "" {
		message += ", which " + p.Place.full
	}
	return stuck(v1alpha1.ReasonTeamAtCapacity, clean(message+". It starts by itself when it is its turn."))
}

// roomTurns are those who can make room.
func (s Snapshot) roomTurns(now time.Time) []v1alpha1.WaitingOn {
	team := s.Requirements.Team.Name
	return []v1alpha1.WaitingOn{
		s.turn(v1alpha1.PartyBusiness, "Suspend, retire or delete another prototype of team "+team+": the next in its queue starts by itself then.", now),
		s.turn(v1alpha1.PartyIT, "Or raise sandbox.limits.prototypesPerTeam or perTeam of policy "+s.Policy.Name+".", now),
	}
}
