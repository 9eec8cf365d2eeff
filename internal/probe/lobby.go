package probe

import (
	"bytes"
	"fmt"
	"maps"
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
	// maxTables bounds the pairs that a canary knows, and maxTablesOfSource those that were begun from one source.
	maxTables         = 1024
	maxTablesOfSource = 64
	// tableTime is how long a pair is remembered of which nothing is heard: both ask many times a second. clearTime is
	// long enough for the second to hear that both have gone.
	tableTime = time.Minute
	clearTime = 10 * time.Second
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

// table of one pair.
type table struct {
	said    map[evidence.Seat]word
	from    netip.Prefix
	touched time.Time
}

// over tells whether nobody will ask at the table any more.
func (t *table) over(now time.Time) bool {
	patience := tableTime
	if t.said[evidence.SeatInside].stage == gone && t.said[evidence.SeatOutside].stage == gone {
		patience = clearTime
	}
	return now.Sub(t.touched) > patience
}

// meet keeps what one run says and gives what the other said last.
func (l *lobby) meet(token string, seat evidence.Seat, mine word, from netip.Prefix, now time.Time) word {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	maps.DeleteFunc(l.tables, func(_ string, t *table) bool { return t.over(now) })
	t := l.tables[token]
	if t == nil {
		t = &table{said: map[evidence.Seat]word{}, from: from}
		l.seat(token, t)
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
	return theirs
}

// seat a new pair. Where there is no room for it, the one of which nothing was heard for longest goes, of the same source
// first: a pair at work is heard of all the time, and says everything again when it is asked anew.
func (l *lobby) seat(token string, t *table) {
	same := 0
	var quietest, quietestSame string
	for name, other := range l.tables {
		if quietest == "" || other.touched.Before(l.tables[quietest].touched) {
			quietest = name
		}
		if other.from != t.from {
			continue
		}
		same++
		if quietestSame == "" || other.touched.Before(l.tables[quietestSame].touched) {
			quietestSame = name
		}
	}
	switch {
	case same >= maxTablesOfSource:
		delete(l.tables, quietestSame)
	case len(l.tables) >= maxTables:
		delete(l.tables, quietest)
	}
	if l.tables == nil {
		l.tables = map[string]*table{}
	}
	l.tables[token] = t
}

// answer gives the answer to a line, or nil for one that is no meeting.
func (l *lobby) answer(line []byte, from netip.Prefix, now time.Time) []byte {
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
	theirs := l.meet(parts[0], seat, mine, from, now)
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
