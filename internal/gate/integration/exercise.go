package integration

import (
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// exercise is whether the sample requests led to a system at all. A prototype asks a system by itself as well: for its
// health, or to keep a connection. Only what came beyond that is the requests' doing: connections that were made for them,
// and what they sent over those that were there.
type exercise struct {
	// listening counts the phases in which somebody listened, contacts the connections in them, and byItself those of them
	// from before the requests.
	listening, contacts, byItself int
	// beyond is what came with the requests, beyond what would have come without them.
	beyond int
	// missed are the faults that no request was seen to meet.
	missed []evidence.Fault
}

func (e *exercise) add(p evidence.FaultPhase) {
	if p.Fault == evidence.FaultRefused || !p.Alive {
		return
	}
	more := beyond(p)
	e.listening++
	e.contacts += p.Contacts
	e.byItself += p.Idle.Contacts
	e.beyond += more
	if more == 0 {
		e.missed = append(e.missed, p.Fault)
	}
}

// shown wants as much as there are requests, over all phases together: some prototypes ask once for all who want to know
// the same, some have a breaker that spares a system which is down, and some keep a connection, which only a system that
// is slow lets them. A single one may be a coincidence.
func (e *exercise) shown() bool {
	return e.beyond >= max(1, min(evidence.FaultRequests, e.listening))
}

// words say why nothing was shown, and what a team can do about it.
func (e *exercise) words(system string) (message, hint string) {
	const orAsk = " Or take whenDown away; ask IT where it is required."
	switch {
	case e.contacts == 0:
		return "the sample request never led to " + system + ", so nothing was shown about it",
			"Choose one for which the prototype needs " + system + ". If a breaker keeps it away, let that try again every few seconds." + orAsk
	case e.byItself == 0:
		return "while the sample request was sent, " + system + " was asked no more often than may be by chance, so nothing was shown about it",
			"Choose one for which the prototype needs " + system + " each time." + orAsk
	}
	return "while the sample request was sent, " + system + " was asked no more often than the prototype does by itself, for its health or " +
			"to keep a connection of its own: nothing was shown",
		"Choose one that needs " + system + ". If it does: let a request without a connection make one, the program retry every few seconds at most, " +
			"and its health do without. If it can't: ask IT."
}

// remark says which faults no request was seen to meet, where others were.
func (e *exercise) remark(d Down) gate.Finding {
	var ways []string
	for _, fault := range e.missed {
		ways = append(ways, conduct[fault])
	}
	return business(v1alpha1.ReasonWhenDownNotShown, d, "no request was seen to lead to "+d.Name+" while it "+strings.Join(ways, ", or ")+
		"; what people see then is not shown",
		"A breaker that is open, or a connection that the program keeps, does that. Try these in the team's own tests.")
}

// beyond is what came with the requests that the pace from before them does not explain. Without a part from before
// nothing is known of the pace.
func beyond(p evidence.FaultPhase) int {
	idle, asked := p.Idle.ElapsedMicroseconds, p.Asked.ElapsedMicroseconds
	if idle <= 0 || asked <= 0 {
		return 0
	}
	more := func(before, then int) int {
		usual := 0
		if before > 0 {
			// One more than the pace says may come by where the parts begin and end.
			usual = int((int64(before)*int64(asked)+int64(idle)-1)/int64(idle)) + 1
		}
		return max(0, then-usual)
	}
	return more(p.Idle.Contacts, p.Asked.Contacts) + more(p.Idle.Heard, p.Asked.Heard)
}
