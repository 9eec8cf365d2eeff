package integration

import (
	"fmt"

	"github.com/affineur/affineur/internal/evidence"
)

// exercise is whether the sample requests led to a system at all. A prototype asks a system by itself as well: for its
// health, or to keep a connection. Only what came beyond that is the requests' doing.
type exercise struct {
	// listening counts the phases in which somebody listened, contacts the connections in them.
	listening, contacts int
	// beyond are those that came with the requests, beyond what would have come without them.
	beyond int
}

func (e *exercise) add(p evidence.FaultPhase) {
	if p.Fault == evidence.FaultRefused || !p.Alive {
		return
	}
	e.listening++
	e.contacts += p.Contacts
	e.beyond += beyond(p)
}

// shown wants as many contacts as there are requests, over all phases together, and no more than one in each: some
// prototypes ask once for all who want to know the same. A single one may be a coincidence.
func (e *exercise) shown() bool {
	return e.beyond >= max(1, min(evidence.FaultRequests, e.listening))
}

func (e *exercise) words(system string) string {
	if e.contacts == 0 {
		return "the sample request never led to " + system + ", so nothing was shown about it"
	}
	return fmt.Sprintf("while the sample request was sent, %s was asked no more often than the prototype does by itself, so nothing was shown about it", system)
}

// beyond is how many contacts came with the requests that the pace from before them does not explain. One more than the
// pace says may come by where the parts begin and end. Without a part from before nothing is known of the pace.
func beyond(p evidence.FaultPhase) int {
	idle, asked := p.Idle.ElapsedMicroseconds, p.Asked.ElapsedMicroseconds
	if idle <= 0 || asked <= 0 {
		return 0
	}
	usual := 0
	if p.Idle.Contacts > 0 {
		usual = int((int64(p.Idle.Contacts)*int64(asked)+int64(idle)-1)/int64(idle)) + 1
	}
	return max(0, p.Asked.Contacts-usual)
}
