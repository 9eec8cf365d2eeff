package probe

import (
	"context"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// pause between two attempts at the same target.
	pause = 250 * time.Millisecond
	// agreeing is how many attempts in a row make a blocked target believable: one lost packet is no policy.
	agreeing = 3
)

// outcome is how an attempt ended, as far as attempts are compared with each other.
type outcome int

const (
	unclear outcome = iota
	blocked
	reached
)

// observation is one attempt at one target.
type observation struct {
	class    evidence.Class
	began    time.Time
	ended    time.Time
	upSince  time.Time
	sawStart bool
}

func (o observation) outcome() outcome {
	switch {
	case o.class == evidence.ClassNone:
		return reached
	case o.class.SaysBlocked():
		return blocked
	}
	return unclear
}

// Isolation tries all targets at the same time (at most 64, by the validity of the spec) until each has settled and
// the window is over, or the deadline has passed. The error is the context's: a run that was stopped measured nothing.
func Isolation(ctx context.Context, spec evidence.IsolationSpec) (*evidence.IsolationReport, error) {
	results, err := followAll(ctx, spec.Targets, spec.Window.Std(), spec.Deadline.Std())
	if err != nil {
		return nil, err
	}
	return &evidence.IsolationReport{Targets: results}, nil
}

func followAll(ctx context.Context, targets []evidence.Target, window, deadline time.Duration) ([]evidence.TargetResult, error) {
	start := time.Now()
	results := make([]evidence.TargetResult, len(targets))
	g, ctx := errgroup.WithContext(ctx)
	for i, t := range targets {
		g.Go(func() (err error) {
			results[i], err = follow(ctx, t, start.Add(window), start.Add(deadline))
			return err
		})
	}
	return results, g.Wait()
}

// follow tries one target again and again until it has settled and the window is over, or the deadline has passed.
func follow(ctx context.Context, t evidence.Target, window, deadline time.Time) (evidence.TargetResult, error) {
	r := evidence.TargetResult{Name: t.Name, Network: t.Network, Address: t.Address}
	streak, last := 0, unclear
	for {
		o := attempt(ctx, t)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		if streak == 0 || o.outcome() != last {
			streak, last, r.Since = 0, o.outcome(), o.began.UTC()
		}
		streak++
		record(&r, o)
		r.Settled = settled(t.Settle, last, streak)
		now := time.Now()
		if r.Settled && !now.Before(window) || !now.Before(deadline) {
			return r, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return r, err
		}
	}
}

func settled(want evidence.Settle, last outcome, streak int) bool {
	switch want {
	case evidence.SettleReached:
		return last == reached
	case evidence.SettleBlocked:
		return last == blocked && streak >= agreeing
	}
	return streak >= agreeing
}

func record(r *evidence.TargetResult, o observation) {
	ended := o.ended.UTC()
	r.Attempts++
	r.Class = o.class
	r.Reached = o.outcome() == reached
	r.Until = ended
	r.ElapsedMicroseconds = evidence.MicrosOf(o.ended.Sub(o.began))
	if !r.Reached {
		return
	}
	r.Reaches++
	if r.FirstReachedAt == nil {
		r.FirstReachedAt = &ended
	}
	r.LastReachedAt = &ended
	if o.sawStart {
		// The latest word counts: a canary that was replaced meanwhile was not up all the time.
		up := o.upSince.UTC()
		r.UpSince = &up
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// attempt tries a target once. No address is forbidden here: the operator chose the targets, and whether a metadata
// service can be reached is among the things worth knowing.
func attempt(ctx context.Context, t evidence.Target) observation {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout.Std())
	defer cancel()
	o := observation{began: time.Now()}
	uptime, err := reach(ctx, t, &o)
	o.ended = time.Now()
	if err == nil && t.Mode == evidence.ModeEcho {
		o.upSince, o.sawStart = o.ended.Add(-uptime), true
	}
	return o
}

// reach sets the observation's class. A connection that was made and then not answered is told from one that never
// came about: the former got past the packet filter, or into a proxy.
func reach(ctx context.Context, t evidence.Target, o *observation) (time.Duration, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, string(t.Network), t.Address)
	if err != nil {
		o.class = Classify(err)
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if t.Mode == evidence.ModeConnect {
		return 0, nil
	}
	// A run that is stopped does not wait for an answer.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if t.Network == evidence.NetworkUDP {
		uptime, err := askUDP(ctx, conn, t.Timeout.Std())
		o.class = Classify(err)
		return uptime, err
	}
	uptime, err := askTCP(conn)
	if err != nil {
		o.class = evidence.ClassUnanswered
	}
	return uptime, err
}
