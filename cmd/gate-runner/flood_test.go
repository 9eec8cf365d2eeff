package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

// flood a canary from another address: silent connections that are held, and made anew when they are closed, and tables
// of pairs that do not exist. It returns when more of both were made than a canary holds in all.
func flood(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	var made atomic.Int64
	enough := make(chan struct{})
	count := func() {
		if made.Add(1) == 1600 {
			close(enough)
		}
	}
	for n := range 400 {
		go func() {
			for ctx.Err() == nil {
				conn, err := dialer.DialContext(ctx, "tcp", address)
				if err != nil {
					continue
				}
				stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
				if n%4 == 0 {
					_, _ = fmt.Fprintf(conn, "affineur-meet/1 %020d inside here - -\n", made.Load())
				}
				count()
				_, _ = io.Copy(io.Discard, conn)
				stop()
				_ = conn.Close()
			}
		}()
	}
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Fatalf("only %d connections were made", made.Load())
	}
}

// One pod must not keep the others from being measured: under its flood, two runs of a pair from elsewhere reach the
// canary with every attempt, and find each other.
func TestCommandCanaryServesOthersUnderAFlood(t *testing.T) {
	cmd, address, port, stderr := canary(t)
	ctx, calm := context.WithCancel(t.Context())
	defer calm()
	flood(ctx, t, address)
	reports := map[evidence.Seat]*evidence.IsolationReport{}
	inside, outside := evidence.SeatInside, evidence.SeatOutside
	g, running := errgroup.WithContext(t.Context())
	measure := func(seat evidence.Seat) func() error {
		spec := evidence.IsolationSpec{
			Deadline: seconds(20), Meeting: &evidence.Meeting{Address: address, Token: "0123456789abcdefTOKEN", Seat: seat, Patience: seconds(20)},
			Targets: []evidence.Target{{Name: "canary", Network: "tcp", Address: address, Mode: "echo", Settle: evidence.SettleReached, Timeout: seconds(1)}},
		}
		if seat == outside {
			// The other's address is known only to those who met.
			spec.Targets = append(spec.Targets, evidence.Target{
				Name: "met", Network: "tcp", Place: evidence.PlaceOther, Address: ":" + port, Mode: "echo", Settle: evidence.SettleReached, Timeout: seconds(1),
			})
		}
		here := probe.Here{Node: netip.MustParseAddr("127.0.0.1"), Pod: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Guard: anywhere}
		into := new(evidence.IsolationReport)
		reports[seat] = into
		return func() error {
			report, err := probe.Isolation(running, spec, here)
			if err == nil {
				*into = *report
			}
			return err
		}
	}
	g.Go(measure(inside))
	g.Go(measure(outside))
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for seat, report := range reports {
		if got := report.Target("canary"); got == nil || !got.Reached || got.Reaches != got.Attempts {
			t.Errorf("from %s: %+v", seat, got)
		}
	}
	if got := reports[outside].Target("met"); got == nil || !got.Reached {
		t.Errorf("the two runs did not meet: %+v", got)
	}
	calm()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v: %s", err, stderr)
	}
}
