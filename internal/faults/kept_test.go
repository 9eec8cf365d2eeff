package faults

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/integration"
)

// keeper keeps a connection of its own, which its requests share.
type keeper struct {
	address string
	// beats is how often it says something by itself, 0 for never, and again how long it waits before it connects again.
	beats, again time.Duration

	mutex sync.Mutex
	conn  net.Conn
}

// keep connects again and again, as a client of a message broker does.
func (k *keeper) keep(ctx context.Context) {
	for ctx.Err() == nil {
		var dialer net.Dialer
		if conn, err := dialer.DialContext(ctx, "tcp", k.address); err == nil {
			k.hold(ctx, conn)
		}
		pause(ctx, k.again)
	}
}

// hold says hello and keeps a connection until the other side, or the test, ends it.
func (k *keeper) hold(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	k.set(conn)
	defer k.set(nil)
	k.say("hello")
	if k.beats > 0 {
		go func() {
			for ctx.Err() == nil {
				pause(ctx, k.beats)
				k.say("beat")
			}
		}()
	}
	hold(conn)
}

func (k *keeper) set(conn net.Conn) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.conn = conn
}

// say something over the connection, if there is one.
func (k *keeper) say(what string) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.conn != nil {
		_, _ = k.conn.Write([]byte(what + "\n"))
	}
}

// What requests send over a connection that the prototype keeps counts as theirs; what it says by itself does not, and
// neither does its connecting again.
func TestOneThatKeepsAConnection(t *testing.T) {
	for name, c := range map[string]struct {
		beats  time.Duration
		asks   string
		every  int64
		reason string
	}{
		"its requests use it":         {asks: "get", every: 1},
		"one of three says much":      {asks: strings.Repeat("get ", 1<<18), every: evidence.FaultRequests, reason: v1alpha1.ReasonNotExercised},
		"it says something by itself": {beats: 200 * time.Millisecond, every: 1, reason: v1alpha1.ReasonNotExercised},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			k := &keeper{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), beats: c.beats, again: 300 * time.Millisecond}
			ctx, cancel := context.WithCancel(t.Context())
			var kept sync.WaitGroup
			kept.Go(func() { k.keep(ctx) })
			defer kept.Wait()
			defer cancel()
			var asked atomic.Int64
			s := prototype(t, func(http.ResponseWriter, *http.Request) {
				if asked.Add(1)%c.every == 0 && c.asks != "" {
					k.say(c.asks)
				}
			})
			o := order(s, evidence.Played{Name: "lms", Port: port, Speaks: evidence.CheckTCP, Within: evidence.Duration(within)})
			found := unclear(t, o, c.reason)
			// A system that breaks connections off is met by nobody who keeps one.
			if c.reason == "" && (len(found.Notes) != 1 || found.Notes[0].Reason != v1alpha1.ReasonWhenDownNotShown) {
				t.Errorf("remarked %+v", found.Notes)
			}
		})
	}
}

// What a prototype says by itself while it takes long over a request that leads nowhere is not the request's doing: it says
// as much afterwards.
func TestOneThatSaysSomethingByItselfMeanwhile(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	k := &keeper{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), beats: 400 * time.Millisecond, again: 100 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	var kept sync.WaitGroup
	kept.Go(func() { k.keep(ctx) })
	defer kept.Wait()
	defer cancel()
	s := prototype(t, func(http.ResponseWriter, *http.Request) { pause(ctx, 800*time.Millisecond) })
	show, err := newShow(order(s, evidence.Played{Name: "lms", Port: port, Speaks: evidence.CheckTCP, Within: evidence.Duration(2 * time.Second)}),
		"127.0.0.1", (&net.Dialer{}).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	// Before the requests it says nothing yet: only what comes afterwards shows its pace.
	show.quiet, show.aftermath = 300*time.Millisecond, afterAnswer+1200*time.Millisecond
	unclearIn(t, show, v1alpha1.ReasonNotExercised)
}

// A phase ends within what is planned for it, also where every question takes as long as it may.
func TestAPhaseTakesNoLongerThanPlanned(t *testing.T) {
	atMost := healthTime + quiet + healthTime + (evidence.FaultRequests-1)*apart + patience + aftermath + healthTime + lull
	if atMost > integration.AroundPhase {
		t.Errorf("a phase takes %s besides the answers, and %s is planned", atMost, integration.AroundPhase)
	}
}
