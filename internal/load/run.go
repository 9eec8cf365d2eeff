package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-openapi/jsonpointer"

	"github.com/affineur/affineur/internal/evidence"
)

// Dial opens a connection. It is where a caller forbids addresses.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// tick is the longest sleep of the pacer. Waking that often shows stalls of the generator at any rate.
const tick = 10 * time.Millisecond

// generator is one run.
type generator struct {
	spec    evidence.LoadSpec
	dial    Dial
	request *http.Request
	// wire is the request as it is sent, made once.
	wire    []byte
	address string
	// resolved is the address that the name stood for when it was last connected to: an overload of thousands of new
	// connections must not become one of the cluster's DNS, whose slowness would be taken for the subject's.
	resolved atomic.Pointer[string]
	tls      *tls.Config
	// usual is what answers look like without load, set before there is any, and declared where they must hold something.
	usual    *usual
	declared []jsonpointer.Pointer
	alarm    *alarm
	shards   int

	inFlight atomic.Int64
	sending  sync.WaitGroup

	mu    sync.Mutex
	idle  []*line
	lines int
	conns map[net.Conn]bool
}

// Run sends what the spec asks for and returns when every request has its answer or its timeout. When the context
// ends before that, the report says CutShort and counts what was given up as Unfinished. The error says that the spec
// is no valid request; nothing that happens on the network is an error.
func Run(ctx context.Context, spec evidence.LoadSpec, dial Dial) (*evidence.LoadReport, error) {
	g, err := newGenerator(spec, dial)
	if err != nil {
		return nil, err
	}
	defer g.end()
	defer context.AfterFunc(ctx, g.interrupt)()
	report := &evidence.LoadReport{Within: spec.Within, FirstWithin: spec.FirstWithin}
	if spec.Alone != nil {
		report.Alone = g.learn(ctx)
	}
	if spec.WarmUp != nil {
		// What the warm-up asked last is still under way when the first step begins: a steady state has no pause.
		g.walk(ctx, newTally(*spec.WarmUp, g.shards))
	}
	for _, step := range spec.Steps {
		report.Add(g.measure(ctx, step))
	}
	if spec.Climb != nil {
		g.climb(ctx, report)
	}
	return report, nil
}

func newGenerator(spec evidence.LoadSpec, dial Dial) (*generator, error) {
	request, err := newRequest(spec)
	if err != nil {
		return nil, err
	}
	var wire bytes.Buffer
	if err := request.Write(&wire); err != nil {
		return nil, errors.New("the request can't be written")
	}
	g := &generator{
		spec: spec, dial: dial, request: request, wire: wire.Bytes(), address: request.URL.Host,
		alarm: newAlarm(), shards: runtime.GOMAXPROCS(0), conns: map[net.Conn]bool{},
	}
	for _, place := range spec.Answer {
		pointer, err := jsonpointer.New(place)
		if err != nil {
			return nil, errors.New("a place of the answer is not a JSON pointer")
		}
		g.declared = append(g.declared, pointer)
	}
	port := "80"
	if request.URL.Scheme == "https" {
		port = "443"
		g.tls = &tls.Config{ServerName: request.URL.Hostname(), NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	}
	if request.URL.Port() == "" {
		g.address = net.JoinHostPort(request.URL.Hostname(), port)
	}
	return g, nil
}

// newRequest makes the request that all are copies of.
func newRequest(spec evidence.LoadSpec) (*http.Request, error) {
	request, err := http.NewRequest(spec.Method, spec.URL, strings.NewReader(spec.Body))
	if err != nil {
		return nil, err
	}
	// There but empty: the library would name itself, and nothing says that it is a measurement.
	request.Header["User-Agent"] = nil
	for _, h := range spec.Headers {
		request.Header.Add(h.Name, h.Value)
	}
	return request, nil
}

// measure makes one step and waits for all of its answers, so that what one step left behind does not weigh on the next.
func (g *generator) measure(ctx context.Context, step evidence.Step) evidence.StepResult {
	t := newTally(step, g.shards)
	before := usage()
	g.walk(ctx, t)
	t.spent = usage().since(before)
	g.sending.Wait()
	return t.result(g.spec)
}

// climb raises the rate from step to step until one is overloaded, or the last that was asked for.
func (g *generator) climb(ctx context.Context, report *evidence.LoadReport) {
	for _, step := range g.spec.Climb.Steps(g.spec.Steps) {
		last := report.Last()
		if report.ClimbEnd = g.spec.Climb.Ends(*last, g.spec.FirstWithin); report.ClimbEnd != "" || ctx.Err() != nil {
			break
		}
		report.AddClimb(g.measure(ctx, step))
	}
	if report.ClimbEnd == "" {
		report.ClimbEnd = g.spec.Climb.Ends(*report.Last(), g.spec.FirstWithin)
	}
	if report.ClimbEnd == "" {
		report.ClimbEnd = evidence.ClimbDone
	}
}

// walk sends one step's arrivals. When each is due is computed from the step's begin, not from the one before, so
// that no lateness adds up; a generator that woke late sends all that have become due at once.
func (g *generator) walk(ctx context.Context, t *tally) {
	t.begin = time.Now()
	g.walkFrom(ctx, t)
}

func (g *generator) walkFrom(ctx context.Context, t *tally) {
	for i := range t.planned {
		due := t.due(i)
		if !g.wait(ctx, due, t) {
			t.add(0, unfinished, t.planned-i)
			return
		}
		g.arrive(ctx, due, t)
	}
	// The step lasts until its end, so that a run of steps keeps its timing.
	g.wait(ctx, t.begin.Add(t.step.Duration.Std()), t)
}

// wait sleeps until due, in slices, and notes how much too long each slice took. False means that the context ended.
func (g *generator) wait(ctx context.Context, due time.Time, t *tally) bool {
	for {
		left := time.Until(due)
		switch {
		case ctx.Err() != nil:
			return false
		case left <= 0:
			return true
		case left <= tick:
			g.alarm.sleep(left)
		default:
			before := time.Now()
			g.alarm.sleep(tick)
			t.woke(time.Since(before) - tick)
		}
	}
}

// arrive gives one request to a line, unless too many are unanswered. Then the subject failed it, provided that the
// generator is on time: a late generator sends in bursts and fills the limit by its own fault.
func (g *generator) arrive(ctx context.Context, due time.Time, t *tally) {
	if g.inFlight.Load() >= int64(g.spec.MaxInFlight) {
		lag := time.Since(due)
		t.lagged(0, lag)
		if lag > g.spec.MaxLag.Std() {
			t.skip(0, evidence.LimitLate)
			return
		}
		t.add(0, notSent, 1)
		return
	}
	g.inFlight.Add(1)
	g.sending.Add(1)
	a := arrival{due: due, tally: t}
	if l := g.take(); l != nil {
		l.work <- a
		return
	}
	l := &line{g: g, shard: g.lines % g.shards, work: make(chan arrival, 1)}
	g.lines++
	go l.serve(ctx, a)
}

// take is an idle line, or nil when a new one is needed. The last that was used is the first to be used again, which keeps
// connections few.
func (g *generator) take() *line {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.idle)
	if n == 0 {
		return nil
	}
	l := g.idle[n-1]
	g.idle = g.idle[:n-1]
	return l
}

// rest puts a line among the idle ones.
func (g *generator) rest(l *line) {
	g.mu.Lock()
	g.idle = append(g.idle, l)
	g.mu.Unlock()
	g.inFlight.Add(-1)
}

// send sends one request and counts what became of it.
func (g *generator) send(ctx context.Context, l *line, a arrival) {
	lag := time.Since(a.due)
	a.tally.lagged(l.shard, lag)
	if lag >= g.spec.Timeout.Std() {
		a.tally.skip(l.shard, evidence.LimitLate)
		return
	}
	end, at := l.exchange(ctx, a.due)
	switch {
	case ctx.Err() != nil && end != succeeded:
		a.tally.add(l.shard, unfinished, 1)
	case end == succeeded:
		a.tally.answered(l.shard, a.due, lag, at, g.spec)
	case end == noAddress:
		a.tally.skip(l.shard, evidence.LimitAddress)
	case end == noResources:
		a.tally.skip(l.shard, evidence.LimitResources)
	default:
		a.tally.add(l.shard, end, 1)
	}
}

// connect opens a connection to the subject, by its address as long as that answers, otherwise by its name.
func (g *generator) connect(ctx context.Context) (net.Conn, error) {
	address, known := g.address, g.resolved.Load()
	if known != nil {
		address = *known
	}
	conn, err := g.dial(ctx, "tcp", address)
	switch {
	case err != nil && known != nil:
		g.resolved.CompareAndSwap(known, nil)
	case err == nil && known == nil:
		to := conn.RemoteAddr().String()
		g.resolved.Store(&to)
	}
	return conn, err
}

// opened and closed keep account of the connections that interrupt has to reach.
func (g *generator) opened(l *line, conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l.conn, g.conns[conn] = conn, true
}

func (g *generator) closed(l *line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, l.conn)
	l.conn = nil
}

// interrupt ends all exchanges that are under way.
func (g *generator) interrupt() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.conns {
		_ = conn.SetDeadline(time.Unix(1, 0))
	}
}

// end lets all lines go. None is at work any more.
func (g *generator) end() {
	g.sending.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.idle {
		close(l.work)
	}
	g.alarm.close()
}
