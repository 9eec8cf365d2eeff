package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/affineur/affineur/internal/evidence"
	conclude "github.com/affineur/affineur/internal/gate/reach"
)

const token = "0123456789abcdefTOKEN"

func TestLobbyTellsEachWhatTheOtherSaid(t *testing.T) {
	var l lobby
	now := time.Now()
	m := func(seat evidence.Seat) evidence.Meeting { return evidence.Meeting{Token: token, Seat: seat} }
	inside := word{stage: ready, node: netip.MustParseAddr("192.0.2.10"), pod: []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("2001:db8::7")}}
	ask := func(m evidence.Meeting, mine word) word {
		theirs, ok := parseMet(l.answer(meetRequest(m, mine), netip.Prefix{}, now), token)
		if !ok {
			t.Fatal("no answer")
		}
		return theirs
	}
	if got := ask(m(evidence.SeatInside), inside); got.stage != absent {
		t.Errorf("somebody was there before: %v", got)
	}
	if got := ask(m(evidence.SeatOutside), word{stage: here}); got.String() != inside.String() {
		t.Errorf("got %v, want %v", got, inside)
	}
	if got := ask(m(evidence.SeatInside), inside); got.stage != here || got.node.IsValid() || got.pod != nil {
		t.Errorf("got %v", got)
	}
}

func TestLobbyRefuses(t *testing.T) {
	var l lobby
	now := time.Now()
	good := string(meetRequest(evidence.Meeting{Token: token, Seat: evidence.SeatInside}, word{stage: here}))
	for _, bad := range []string{
		"", good[:len(good)-4], strings.Replace(good, token, "short", 1), strings.Replace(good, token, strings.Repeat("x", 65), 1),
		strings.Replace(good, "inside", "above", 1), strings.Replace(good, "here", "there", 1), strings.Replace(good, " - -", " - 1,2", 1),
		strings.Replace(good, " - -", " - 1.1.1.1,1.1.1.2,1.1.1.3", 1), strings.Replace(good, " - -", " host -", 1),
	} {
		if out := l.answer([]byte(bad), netip.Prefix{}, now); out != nil {
			t.Errorf("%q was answered with %q", bad, out)
		}
	}
}

// atTable says something at a table, and tells what the other had said.
func atTable(t *testing.T, l *lobby, token, from string, seat evidence.Seat, is stage, now time.Time) stage {
	t.Helper()
	m := evidence.Meeting{Token: token, Seat: seat}
	theirs, ok := parseMet(l.answer(meetRequest(m, word{stage: is}), netip.MustParsePrefix(from), now), token)
	if !ok {
		t.Fatalf("no answer at table %s", token)
	}
	return theirs.stage
}

// A flood of tables displaces its own, and of all others only what has long been quiet.
func TestLobbyIsNotFilledByOneSource(t *testing.T) {
	var l lobby
	now := time.Now()
	atTable(t, &l, token, "198.51.100.7/32", evidence.SeatInside, ready, now)
	for i := range 2 * maxTables {
		atTable(t, &l, fmt.Sprintf("%020d", i), "198.51.100.9/32", evidence.SeatInside, here, now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(l.tables) != maxTablesOfSource+1 {
		t.Errorf("%d tables", len(l.tables))
	}
	for i := range 2 * maxTables {
		at := now.Add(time.Duration(i) * time.Millisecond)
		if i%100 == 0 && atTable(t, &l, token, "198.51.100.8/32", evidence.SeatOutside, here, at) != ready {
			t.Fatalf("forgotten after %d tables of many sources", i)
		}
		atTable(t, &l, fmt.Sprintf("%020d", i), fmt.Sprintf("198.51.%d.%d/32", i/256, i%256), evidence.SeatInside, here, at)
	}
	if len(l.tables) > maxTables {
		t.Errorf("%d tables", len(l.tables))
	}
}

func TestLobbyForgets(t *testing.T) {
	for name, c := range map[string]struct {
		other stage
		after time.Duration
		kept  bool
	}{
		"both gone, just now":    {gone, clearTime, true},
		"both gone":              {gone, clearTime + time.Second, false},
		"one at work":            {done, clearTime + time.Second, true},
		"one quiet for too long": {done, tableTime + time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			var l lobby
			now := time.Now()
			atTable(t, &l, token, "198.51.100.7/32", evidence.SeatInside, c.other, now)
			atTable(t, &l, token, "198.51.100.8/32", evidence.SeatOutside, gone, now)
			atTable(t, &l, strings.Repeat("z", 20), "198.51.100.8/32", evidence.SeatOutside, here, now.Add(c.after))
			if got := l.tables[token] != nil; got != c.kept {
				t.Errorf("kept: %v", got)
			}
		})
	}
}

// freePorts finds ports that are free over both TCP and UDP.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	for len(out) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		p, err := net.ListenPacket("udp", l.Addr().String())
		_ = l.Close()
		if err == nil {
			_ = p.Close()
			out = append(out, port)
		}
	}
	return out
}

// pairOf plays both runs at once on one machine. What the packet filter would do is played by addresses on which
// nobody listens: what the one may not reach is another address for it.
func pairOf(t *testing.T, late, deadline time.Duration, in evidence.Settle) (inside, outside *evidence.IsolationReport) {
	t.Helper()
	canary, _ := startCanary(t)
	ports := freePorts(t, 3)
	at := Here{Node: netip.MustParseAddr("127.0.0.1"), Pod: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Guard: func(netip.Addr) error { return nil }}
	target := func(name string, place evidence.Place, port int, settle evidence.Settle) evidence.Target {
		out := target(evidence.NetworkTCP, evidence.ModeEcho, port, settle)
		out.Name = name
		if place != "" {
			out.Place, out.Address = place, ":"+strconv.Itoa(port)
		}
		return out
	}
	spec := func(seat evidence.Seat, targets ...evidence.Target) evidence.IsolationSpec {
		return evidence.IsolationSpec{Targets: targets, Deadline: evidence.Duration(deadline + time.Second), Meeting: &evidence.Meeting{
			Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(canary)), Token: token, Seat: seat, Patience: evidence.Duration(20 * time.Second),
		}}
	}
	within := spec(evidence.SeatInside, target("allowed", "", canary, evidence.SettleReached), target("node", evidence.PlaceNode, ports[2], evidence.SettleBlocked),
		target("in", evidence.PlaceSelf, ports[0], evidence.SettleReached))
	within.Serve, within.Deadline = ports[:2], evidence.Duration(deadline)
	out := spec(evidence.SeatOutside, target("canary", "", canary, evidence.SettleReached), target("in", evidence.PlaceOther, ports[0], in),
		target("in-second", evidence.PlaceOtherSecond, ports[0], evidence.SettleAny), target("nowhere", "", ports[2], evidence.SettleAny))
	g, ctx := errgroup.WithContext(t.Context())
	g.Go(func() (err error) { inside, err = Isolation(ctx, within, at); return err })
	g.Go(func() (err error) {
		if err := wait(ctx, late, nil); err != nil {
			return err
		}
		outside, err = Isolation(ctx, out, at)
		return err
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	wantValid(t, evidence.Report{Result: inside})
	wantValid(t, evidence.Report{Result: outside})
	return inside, outside
}

func TestPairBearsWitnessForEachOther(t *testing.T) {
	for name, late := range map[string]time.Duration{"at once": 0, "one comes later": 1500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inside, outside := pairOf(t, late, 20*time.Second, evidence.SettleReached)
			blocked, witness := inside.Target("node"), outside.Target("canary")
			if !blocked.Settled || blocked.Since.Before(*witness.FirstReachedAt) || blocked.Until.After(*witness.LastReachedAt) {
				t.Errorf("from %v to %v not reached, seen up only from %v to %v", blocked.Since, blocked.Until, witness.FirstReachedAt, witness.LastReachedAt)
			}
			if blocked.Attempts < agreeing {
				t.Errorf("believed after %d attempts", blocked.Attempts)
			}
			if got := outside.Target("in"); got == nil || !got.Reached || got.Address != inside.Target("in").Address {
				t.Errorf("the other's listener: %+v", got)
			}
			if got := outside.Target("in-second"); got != nil {
				t.Errorf("an address that there is not was tried: %+v", got)
			}
			if got := outside.Target("nowhere"); got == nil || got.Reaches != 0 || !got.Settled {
				t.Errorf("nowhere: %+v", got)
			}
			if got := conclude.Reachable(inside.Target("allowed")); got.Outcome != conclude.Holds {
				t.Errorf("allowed: %+v", got)
			}
		})
	}
}

// One that is let in goes on until its own deadline, and must not find the listener gone, which looks like a policy.
func TestListenerStaysForWhoIsLetIn(t *testing.T) {
	_, outside := pairOf(t, 0, time.Second, evidence.SettleBlocked)
	if got := outside.Target("in"); got == nil || !got.Reached || got.Reaches != got.Attempts {
		t.Errorf("got %+v", got)
	}
}

func TestLonelyRunEnds(t *testing.T) {
	canary, _ := startCanary(t)
	blocked := target(evidence.NetworkTCP, evidence.ModeEcho, freePorts(t, 1)[0], evidence.SettleBlocked)
	other := target(evidence.NetworkTCP, evidence.ModeEcho, 1, evidence.SettleReached)
	other.Name, other.Place, other.Address = "other", evidence.PlaceOther, ":1"
	spec := evidence.IsolationSpec{Targets: []evidence.Target{blocked, other}, Deadline: evidence.Duration(900 * time.Millisecond), Meeting: &evidence.Meeting{
		Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(canary)), Token: token, Seat: evidence.SeatInside, Patience: evidence.Duration(300 * time.Millisecond),
	}}
	r, err := Isolation(t.Context(), spec, Here{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Targets) != 1 || !r.Targets[0].Settled || r.Targets[0].Reached {
		t.Errorf("got %+v", r.Targets)
	}
}

func TestToldAddressesAreGuarded(t *testing.T) {
	for address, taken := range map[string]bool{"198.51.100.7": true, "169.254.169.254": false, "127.0.0.1": false} {
		c := newCourse(Here{}, nil)
		c.learn(word{stage: done, pod: []netip.Addr{netip.MustParseAddr(address)}})
		if c.known.fired() != taken {
			t.Errorf("%s taken: %v", address, c.known.fired())
		}
	}
}

func TestServedPortIsTaken(t *testing.T) {
	port, _ := startCanary(t)
	spec := evidence.IsolationSpec{Serve: []int{port}, Targets: []evidence.Target{target("tcp", "echo", port, evidence.SettleReached)}, Deadline: evidence.Duration(time.Second)}
	if r, err := Isolation(context.WithoutCancel(t.Context()), spec, Here{}); err == nil {
		t.Errorf("measured %+v without its own listener", r)
	}
}
