package probe

import (
	"context"
	"net"
	"slices"
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
// nobody needs the run as a witness any more, or the deadline has passed. Meanwhile it serves as a canary where it is
// asked to. The error is the context's, or a port's that could not be opened: such a run measured nothing.
func Isolation(ctx context.Context, spec evidence.IsolationSpec, at Here) (*evidence.IsolationReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if len(spec.Serve) > 0 {
		canary, err := ListenCanary(ctx, "", spec.Serve, NoHealth)
		if err != nil {
			return nil, err
		}
		go func() {
			if canary.Serve(ctx) != nil {
				// One that lost a port makes what others don't reach look blocked.
				cancel()
			}
		}()
	}
	c := newCourse(at, spec.Targets)
	if spec.Meeting == nil {
		defer c.alone(spec.Window.Std(), spec.Deadline.Std())()
		if spec.Told {
			go c.listen(ctx)
		}
	} else {
		c.pair(ctx, *spec.Meeting, spec.Deadline.Std())
	}
	results, err := c.followAll(ctx, spec.Targets)
	if err != nil {
		return nil, err
	}
	if spec.Meeting != nil {
		err = c.leave(ctx, *spec.Meeting, len(spec.Serve) > 0)
	}
	return &evidence.IsolationReport{Targets: results}, err
}

// followAll gives a result for every target that there is.
func (c *course) followAll(ctx context.Context, targets []evidence.Target) ([]evidence.TargetResult, error) {
	results := make([]evidence.TargetResult, len(targets))
	g, ctx := errgroup.WithContext(ctx)
	for i, t := range targets {
		g.Go(func() (err error) {
			results[i], err = c.follow(ctx, t)
			return err
		})
	}
	err := g.Wait()
	return slices.DeleteFunc(results, func(r evidence.TargetResult) bool { return r.Attempts == 0 }), err
}

// follow tries one target again and again until it has settled and the run is over, or the deadline has passed. What
// should be blocked in a pair of runs is left alone once it has settled, so that the other, who bears witness that it
// was up, can end after it.
func (c *course) follow(ctx context.Context, t evidence.Target) (evidence.TargetResult, error) {
	f := follower{course: c, target: t, result: evidence.TargetResult{Name: t.Name, Network: t.Network}}
	defer f.settle()
	var known bool
	if f.result.Address, known = c.address(ctx, t); !known {
		f.reach()
		return f.result, ctx.Err()
	}
	f.target.Address = f.result.Address
	err := f.run(ctx)
	return f.result, err
}

// follower of one target.
type follower struct {
	*course
	target evidence.Target
	result evidence.TargetResult
	streak int
	last   outcome
	// told what was counted already.
	toldReached, toldSettled bool
}

// flight is an attempt under way. Whether it counts, and whether it is the last one needed, is known when it begins.
type flight struct {
	ends          chan observation
	counts, final bool
}

// run makes attempts at a pace. Several at what may be blocked are under way at a time, because each of them takes as
// long as silence is listened to; they are looked at in the order in which they began.
func (f *follower) run(ctx context.Context) error {
	width := agreeing
	if f.target.Settle == evidence.SettleReached {
		width = 1
	}
	var flying []flight
	pace := time.NewTimer(0)
	defer pace.Stop()
	over := f.over.c
	for {
		var first chan observation
		var next <-chan time.Time
		if len(flying) > 0 {
			first = flying[0].ends
		}
		if len(flying) < width {
			next = pace.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			if f.result.Settled && f.result.Reaches == 0 {
				return nil
			}
			// The last attempt need not wait for its turn.
			over = nil
			pace.Reset(0)
		case <-next:
			flying = append(flying, f.launch(ctx))
			pace.Reset(pause)
		case o := <-first:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if f.see(o, flying[0]) {
				return nil
			}
			flying = flying[1:]
		}
	}
}

func (f *follower) launch(ctx context.Context) flight {
	t := flight{ends: make(chan observation, 1), counts: f.counts.fired() && f.ready.fired(), final: f.over.fired()}
	go func() { t.ends <- attempt(ctx, f.target) }()
	return t
}

// see records an attempt, and tells whether it was the last.
func (f *follower) see(o observation, t flight) bool {
	blocked := f.target.Settle == evidence.SettleBlocked
	if blocked && !t.counts {
		f.streak = 0
	}
	if f.streak == 0 || o.outcome() != f.last {
		f.streak, f.last, f.result.Since = 0, o.outcome(), o.began.UTC()
	}
	if !blocked || t.counts {
		f.streak++
	}
	record(&f.result, o)
	f.result.Settled = settled(f.target.Settle, f.last, f.streak)
	if f.result.Reached {
		f.reach()
	}
	if f.result.Settled {
		f.settle()
	}
	enough := t.final || blocked && f.paired || f.result.Reaches == 0 && f.over.fired()
	return f.result.Settled && enough || f.late.fired()
}

// reach and settle are told once.
func (f *follower) reach() {
	if f.target.Settle == evidence.SettleReached && !f.toldReached {
		f.toldReached = true
		f.reached()
	}
}

func (f *follower) settle() {
	if !f.toldSettled {
		f.toldSettled = true
		f.settled()
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
