package probe

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// Two runs of a pair meet at the canary, which keeps for each what it said last and tells it to the other:
//
//	affineur-meet/1 TOKEN SEAT STAGE NODE POD[,POD]
//	affineur-met/1 TOKEN STAGE NODE POD[,POD]
//
// An address that there is not is a dash.
const (
	meetWord = "affineur-meet/1"
	metWord  = "affineur-met/1"
	// maxTables bounds the pairs that a canary knows, and tableTime how long it remembers one.
	maxTables = 1024
	tableTime = 20 * time.Minute
)

// stage is how far a run has come.
type stage string

const (
	// absent: nothing was heard of it.
	absent stage = "absent"
	// here: it has begun.
	here stage = "here"
	// ready: it reached what it has to witness, so what the other fails to reach counts from now on.
	ready stage = "ready"
	// done: it knows what it wanted to know. It goes on as a witness until the other is done as well.
	done stage = "done"
	// gone: it tries nothing any more.
	gone stage = "gone"
)

var stages = map[stage]bool{absent: true, here: true, ready: true, done: true, gone: true}

// word is what a run says of itself.
type word struct {
	stage stage
	node  netip.Addr
	pod   []netip.Addr
}

// lobby of a canary.
type lobby struct {
	mutex  sync.Mutex
	tables map[string]*table
}

type table struct {
	said    map[evidence.Seat]word
	touched time.Time
}

// meet keeps what one run says and gives what the other said last; false where there is no room for one more pair.
func (l *lobby) meet(token string, seat evidence.Seat, mine word, now time.Time) (word, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for old, t := range l.tables {
		if now.Sub(t.touched) > tableTime {
			delete(l.tables, old)
		}
	}
	t := l.tables[token]
	if t == nil {
		if len(l.tables) >= maxTables {
			return word{}, false
		}
		t = &table{said: map[evidence.Seat]word{}}
		if l.tables == nil {
			l.tables = map[string]*table{}
		}
		l.tables[token] = t
	}
	t.said[seat], t.touched = mine, now
	other := evidence.SeatInside
	if seat == evidence.SeatInside {
		other = evidence.SeatOutside
	}
	theirs, there := t.said[other]
	if !there {
		theirs.stage = absent
	}
	return theirs, true
}

// answer gives the answer to a line, or nil for one that is no meeting.
func (l *lobby) answer(line []byte, now time.Time) []byte {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte(meetWord+" "))
	parts := strings.Split(string(rest), " ")
	if !ok || len(parts) != 5 || !validToken(parts[0]) {
		return nil
	}
	seat := evidence.Seat(parts[1])
	mine, ok := parseWord(parts[2:])
	if !ok || seat != evidence.SeatInside && seat != evidence.SeatOutside {
		return nil
	}
	theirs, ok := l.meet(parts[0], seat, mine, now)
	if !ok {
		return nil
	}
	return fmt.Appendf(nil, "%s %s %s\n", metWord, parts[0], theirs)
}

// validToken keeps what others sent out of the table's keys.
func validToken(token string) bool {
	return len(token) >= 16 && len(token) <= 64 && !strings.ContainsFunc(token, func(r rune) bool { return r != '-' && notAlphanumeric(r) })
}

func (w word) String() string {
	node, pods := "-", "-"
	if w.node.IsValid() {
		node = w.node.String()
	}
	for i, pod := range w.pod {
		if i == 0 {
			pods = pod.String()
		} else {
			pods += "," + pod.String()
		}
	}
	return string(w.stage) + " " + node + " " + pods
}

// parseWord reads STAGE NODE POD[,POD].
func parseWord(parts []string) (word, bool) {
	var w word
	if len(parts) != 3 || !stages[stage(parts[0])] {
		return w, false
	}
	w.stage = stage(parts[0])
	var err error
	if parts[1] != "-" {
		if w.node, err = netip.ParseAddr(parts[1]); err != nil {
			return w, false
		}
	}
	if parts[2] == "-" {
		return w, true
	}
	for _, text := range strings.Split(parts[2], ",") {
		pod, err := netip.ParseAddr(text)
		if err != nil || len(w.pod) == 2 {
			return w, false
		}
		w.pod = append(w.pod, pod)
	}
	return w, true
}

// meetRequest and parseMet are the run's side.
func meetRequest(m evidence.Meeting, mine word) []byte {
	return fmt.Appendf(nil, "%s %s %s %s\n", meetWord, m.Token, m.Seat, mine)
}

func parseMet(line []byte, token string) (word, bool) {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte(metWord+" "+token+" "))
	if !ok {
		return word{}, false
	}
	return parseWord(strings.Split(string(rest), " "))
}
