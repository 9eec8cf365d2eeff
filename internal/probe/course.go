package probe

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// meetEvery is the pace at which a run asks about the other, and meetTime bounds one question.
	meetEvery = 100 * time.Millisecond
	meetTime  = time.Second
	// stayTime bounds how long a run that serves stays for the other after its own deadline: a listener that goes looks
	// like a port that was closed.
	stayTime = 20 * time.Second
)

// Here is where a run is.
type Here struct {
	// Node is the node's address, and Pod are the pod's, one for each family.
	Node netip.Addr
	Pod  []netip.Addr
	// Guard is asked about addresses that the other run told; RefuseSpecial where there is none.
	Guard Guard
	// Told is the directory in which a run is told things; empty for evidence.ToldPath.
	Told string
}

// signal is closed once.
type signal struct {
	once sync.Once
	c    chan struct{}
}

func newSignal() *signal { return &signal{c: make(chan struct{})} }

func (s *signal) fire() { s.once.Do(func() { close(s.c) }) }

func (s *signal) fired() bool {
	select {
	case <-s.c:
		return true
	default:
		return false
	}
}

// course of a run: from when its attempts count, and when they end.
//
//	alone     counts at once ──────────────────────── over after the window,  late at the deadline
//	                                                  or when told
//	in a pair counts when both are ready ──────────── over when the other is done
//	          or patience is at its end               late when the deadline has passed since
type course struct {
	here Here
	// ready: this run reached what it is to reach. counts: so did the other, which bears witness from now on. known: the other's addresses are known. over: nobody needs this
	// run as a witness any more, after one more attempt. left: the other tries nothing any more. late: the deadline has
	// passed.
	ready, counts, known, over, left, late *signal
	paired                                 bool

	mutex sync.Mutex
	other word
	// unready targets are those to witness that were not reached yet; unsettled ones have not settled.
	unready, unsettled int
	leaving            bool
	changed            chan struct{}
}

func newCourse(at Here, targets []evidence.Target) *course {
	c := &course{
		here: at, ready: newSignal(), counts: newSignal(), known: newSignal(), over: newSignal(), left: newSignal(), late: newSignal(),
		unsettled: len(targets), changed: make(chan struct{}, 1),
	}
	for _, t := range targets {
		if t.Settle == evidence.SettleReached {
			c.unready++
		}
	}
	if c.unready == 0 {
		c.ready.fire()
	}
	return c
}

// alone goes by the clock.
func (c *course) alone(window, deadline time.Duration) (stop func()) {
	c.ready.fire()
	c.counts.fire()
	over, late := time.AfterFunc(window, c.over.fire), time.AfterFunc(deadline, c.end)
	return func() { over.Stop(); late.Stop() }
}

// listen ends the window once the run is told to. The file is looked at, not watched: it comes about by renaming a
// directory, on a node whose watches may be used up, and a look costs nothing beside an attempt.
func (c *course) listen(ctx context.Context) {
	file := filepath.Join(cmp.Or(c.here.Told, evidence.ToldPath), evidence.ToldFile)
	for wait(ctx, pause, c.over.c) == nil && !c.over.fired() {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			c.over.fire()
		}
	}
}

func (c *course) end() { c.late.fire(); c.over.fire(); c.known.fire() }

// pair goes by the other run, until the context ends.
func (c *course) pair(ctx context.Context, m evidence.Meeting, deadline time.Duration) {
	c.paired = true
	lastWait := time.Now().Add(m.Patience.Std())
	go func() {
		if wait(ctx, m.Patience.Std(), c.counts.c) != nil {
			return
		}
		if wait(ctx, time.Until(lastWait), c.ready.c) != nil {
			return
		}
		c.ready.fire()
		c.counts.fire()
		if wait(ctx, deadline, nil) == nil {
			c.end()
		}
	}()
	go func() {
		for ctx.Err() == nil {
			c.meet(ctx, m)
			_ = wait(ctx, meetEvery, c.changed)
		}
	}()
}

// meet tells the other how far this run is, and learns how far the other is.
func (c *course) meet(ctx context.Context, m evidence.Meeting) {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", m.Address)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := conn.Write(meetRequest(m, c.word())); err != nil {
		return
	}
	line, err := bufio.NewReaderSize(conn, maxLine).ReadSlice('\n')
	if err != nil {
		return
	}
	if theirs, ok := parseMet(line, m.Token); ok {
		c.learn(theirs)
	}
}

func (c *course) learn(theirs word) {
	if theirs.stage == absent {
		return
	}
	guard := c.here.Guard
	if guard == nil {
		guard = RefuseSpecial
	}
	if slices.ContainsFunc(append(slices.Clone(theirs.pod), theirs.node), func(a netip.Addr) bool { return a.IsValid() && guard(a) != nil }) {
		return
	}
	c.mutex.Lock()
	if !c.known.fired() {
		c.other = theirs
	}
	c.mutex.Unlock()
	c.known.fire()
	switch theirs.stage {
	case gone:
		c.left.fire()
		fallthrough
	case done:
		c.over.fire()
		fallthrough
	case ready:
		c.counts.fire()
	}
}

// leave tells the other that this run is about to end. One that serves stays until the other has left, or what the
// other tries last would fail.
func (c *course) leave(ctx context.Context, m evidence.Meeting, serves bool) error {
	c.mutex.Lock()
	c.leaving = true
	met := c.other.stage != ""
	c.mutex.Unlock()
	c.meet(ctx, m)
	if !serves || !met {
		return ctx.Err()
	}
	return wait(ctx, stayTime, c.left.c)
}

// word is what this run says of itself.
func (c *course) word() word {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	w := word{stage: here, node: c.here.Node, pod: c.here.Pod}
	switch {
	case c.leaving:
		w.stage = gone
	case c.unsettled == 0:
		w.stage = done
	case c.unready == 0:
		w.stage = ready
	}
	return w
}

// reached and settled count what is done, and have it told at once.
func (c *course) reached() { c.count(&c.unready) }
func (c *course) settled() { c.count(&c.unsettled) }

func (c *course) count(left *int) {
	c.mutex.Lock()
	*left--
	if c.unready == 0 {
		c.ready.fire()
	}
	c.mutex.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// address of a target; false where this run never learns it.
func (c *course) address(ctx context.Context, t evidence.Target) (string, bool) {
	if t.Place == evidence.PlaceNone {
		return t.Address, true
	}
	_, port, err := net.SplitHostPort(t.Address)
	host := c.host(ctx, t.Place)
	return net.JoinHostPort(host.String(), port), err == nil && host.IsValid()
}

func (c *course) host(ctx context.Context, place evidence.Place) netip.Addr {
	nth := func(pod []netip.Addr, n int) netip.Addr {
		if n < len(pod) {
			return pod[n]
		}
		return netip.Addr{}
	}
	switch place {
	case evidence.PlaceNode:
		return c.here.Node
	case evidence.PlaceSelf:
		return nth(c.here.Pod, 0)
	case evidence.PlaceSelfSecond:
		return nth(c.here.Pod, 1)
	}
	select {
	case <-c.known.c:
	case <-ctx.Done():
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch place {
	case evidence.PlaceOther:
		return nth(c.other.pod, 0)
	case evidence.PlaceOtherSecond:
		return nth(c.other.pod, 1)
	case evidence.PlaceOtherNode:
		return c.other.node
	}
	return netip.Addr{}
}

// wait for some time, or less where the channel says so; the error is the context's.
func wait(ctx context.Context, d time.Duration, sooner <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-sooner:
	}
	return nil
}
