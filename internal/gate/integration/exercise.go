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
	// listening counts the phases in which somebody listened, contacts the connections in them.
	listening, contacts int
	// made are connections, over all phases together: one that is made every few seconds shows in none of them alone. heard is
	// what the requests sent over those that were there.
	made  pace
	heard int
	// missed are the faults that no request was seen to meet.
	missed []evidence.Fault
}

func (e *exercise) add(p evidence.FaultPhase) {
	if p.Fault == evidence.FaultRefused || !p.Alive {
		return
	}
	made, heard := paces(p)
	e.listening++
	e.contacts += p.Contacts
	e.made.add(made)
	e.heard += heard.above()
	if made.beyond()+heard.above() == 0 {
		e.missed = append(e.missed, p.Fault)
	}
}

// shown wants as much as there are requests, over all phases together: some prototypes ask once for all who want to know
// the same, some have a breaker that spares a system which is down, and some keep a connection, which only a system that
// is slow lets them. A single one may be a coincidence.
func (e *exercise) shown() bool {
	return e.made.beyond()+e.heard >= max(1, min(evidence.FaultRequests, e.listening))
}

// words say why nothing was shown, and what a team can do about it.
func (e *exercise) words(system string) (message, hint string) {
	const orAsk = " Or take whenDown away; ask IT where it is required."
	switch {
	case e.contacts == 0:
		return "the sample request never led to " + system + ", so nothing was shown about it",
			"Choose one for which the prototype needs " + system + ". If a breaker keeps it away, let that try again every few seconds." + orAsk
	case e.made.alone == 0:
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

// pace is how often something came while the prototype was left alone and while requests were at work, and for how long
// it was either.
type pace struct {
	alone, asked       int
	aloneFor, askedFor evidence.Micros
}

// paces of a phase: of connections, and of what came over those that were there. Without a part from before the requests
// nothing is known of it.
func paces(p evidence.FaultPhase) (made, heard pace) {
	if p.Idle.ElapsedMicroseconds <= 0 || p.Asked.ElapsedMicroseconds <= 0 {
		return pace{}, pace{}
	}
	times := pace{aloneFor: p.Idle.ElapsedMicroseconds + p.After.ElapsedMicroseconds, askedFor: p.Asked.ElapsedMicroseconds}
	made, heard = times, times
	made.alone, made.asked = p.Idle.Contacts+p.After.Contacts, p.Asked.Contacts
	heard.alone, heard.asked = p.Idle.Heard+p.After.Heard, p.Asked.Heard
	return made, heard
}

func (p *pace) add(more pace) {
	p.alone, p.asked = p.alone+more.alone, p.asked+more.asked
	p.aloneFor, p.askedFor = p.aloneFor+more.aloneFor, p.askedFor+more.askedFor
}

// beyond is what came with the requests that the pace without them does not explain. One more than the pace says may come
// by where the parts begin and end.
func (p pace) beyond() int {
	if p.alone == 0 {
		return p.asked
	}
	return max(0, p.asked-int((p.expected()+int64(p.aloneFor)-1)/int64(p.aloneFor))-1)
}

// above is the same without anything allowed for: a program that keeps a connection keeps it in one phase, where chance can't add
// up to as much as there are requests.
func (p pace) above() int {
	if p.alone == 0 {
		return p.asked
	}
	return max(0, p.asked-int(p.expected()/int64(p.aloneFor)))
}

// expected is how often something would have come without the requests, times the time for which the prototype was left alone.
func (p pace) expected() int64 { return int64(p.alone) * int64(p.askedFor) }
