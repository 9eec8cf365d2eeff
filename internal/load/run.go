package load

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// Dial opens a connection. It is where a caller forbids addresses.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// tick is the longest sleep of the pacer. Waking that often shows stalls of the generator at any rate.
const tick = 10 * time.Millisecond

// generator is one run.
type generator struct {
	spec     evidence.LoadSpec
	request  *http.Request
	client   http.RoundTripper
	inFlight atomic.Int64
	sending  sync.WaitGroup
}

// Run sends what the spec asks for and returns when every request has its answer or its timeout. When the context
// ends before that, the report says CutShort and counts what was given up as Unfinished. The error says that the spec
// is no valid request; nothing that happens on the network is an error.
func Run(ctx context.Context, spec evidence.LoadSpec, dial Dial) (*evidence.LoadReport, error) {
	request, err := newRequest(spec)
	if err != nil {
		return nil, err
	}
	transport := newTransport(spec, dial)
	defer transport.CloseIdleConnections()
	g := &generator{spec: spec, request: request, client: transport}
	tallies := g.pace(ctx)
	g.sending.Wait()
	return summarize(spec, tallies), nil
}

// pace walks through the schedule: the warm-up, whose tally is dropped, then the steps.
func (g *generator) pace(ctx context.Context) []*tally {
	begin := time.Now()
	if g.spec.WarmUp != nil {
		g.walk(ctx, *g.spec.WarmUp, begin, newTally(*g.spec.WarmUp))
		begin = begin.Add(g.spec.WarmUp.Duration.Std())
	}
	tallies := make([]*tally, 0, len(g.spec.Steps))
	for _, step := range g.spec.Steps {
		t := newTally(step)
		g.walk(ctx, step, begin, t)
		begin = begin.Add(step.Duration.Std())
		tallies = append(tallies, t)
	}
	return tallies
}

// walk sends one step's arrivals. When each is due is computed from the step's begin, not from the one before, so
// that no lateness adds up; a generator that woke late sends all that have become due at once.
func (g *generator) walk(ctx context.Context, step evidence.Step, begin time.Time, t *tally) {
	for i := range t.planned {
		due := begin.Add(time.Duration(float64(i) / t.rate * float64(time.Second)))
		if !wait(ctx, due, t) {
			t.add(unfinished, t.planned-i)
			return
		}
		g.arrive(ctx, due, t)
	}
	// The step lasts until its end, so that a run of steps keeps its timing.
	wait(ctx, begin.Add(step.Duration.Std()), t)
}

// wait sleeps until due, in slices, and notes how much too long each slice took. False means that the context ended.
func wait(ctx context.Context, due time.Time, t *tally) bool {
	for {
		left := time.Until(due)
		switch {
		case ctx.Err() != nil:
			return false
		case left <= 0:
			return true
		case left <= tick:
			sleep(left)
		default:
			before := time.Now()
			sleep(tick)
			t.woke(time.Since(before) - tick)
		}
	}
}

// arrive sends one request, unless too many are unanswered. Then the subject failed it, provided that the generator
// is on time: a late generator sends in bursts and fills the limit by its own fault.
func (g *generator) arrive(ctx context.Context, due time.Time, t *tally) {
	if g.inFlight.Load() >= int64(g.spec.MaxInFlight) {
		lag := time.Since(due)
		t.lagged(lag)
		if lag > g.spec.MaxLag.Std() {
			t.skip(evidence.LimitLate)
			return
		}
		t.add(notSent, 1)
		return
	}
	g.inFlight.Add(1)
	g.sending.Go(func() {
		defer g.inFlight.Add(-1)
		g.send(ctx, due, t)
	})
}

// send sends one request and counts what became of it.
func (g *generator) send(ctx context.Context, due time.Time, t *tally) {
	lag := time.Since(due)
	t.lagged(lag)
	if lag >= g.spec.Timeout.Std() {
		t.skip(evidence.LimitLate)
		return
	}
	reqCtx, cancel := context.WithDeadline(ctx, due.Add(g.spec.Timeout.Std()))
	defer cancel()
	request := g.request.WithContext(reqCtx)
	if g.spec.Body != "" {
		request.Body, _ = g.request.GetBody()
	}
	end := exchange(g.client, request)
	latency := time.Since(due)
	switch {
	case ctx.Err() != nil && end != succeeded:
		t.add(unfinished, 1)
	case end == succeeded:
		t.answered(latency, g.spec.Within.Std())
	case end == noAddress:
		t.skip(evidence.LimitAddress)
	case end == noResources:
		t.skip(evidence.LimitResources)
	default:
		t.add(end, 1)
	}
}

// newRequest makes the request that all are copies of. The transport does not change a request's header.
func newRequest(spec evidence.LoadSpec) (*http.Request, error) {
	var request *http.Request
	var err error
	if spec.Body == "" {
		request, err = http.NewRequest(spec.Method, spec.URL, nil)
	} else {
		request, err = http.NewRequest(spec.Method, spec.URL, strings.NewReader(spec.Body))
	}
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "affineur-gate-runner")
	for _, h := range spec.Headers {
		request.Header.Add(h.Name, h.Value)
	}
	return request, nil
}

// newTransport keeps every connection for the next request: a client that reconnects measures handshakes, and runs
// out of local ports. No compression, which would cost the generator's processor; no proxy; no HTTP/2, whose single
// connection would serialize the requests.
func newTransport(spec evidence.LoadSpec, dial Dial) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		MaxIdleConnsPerHost:    spec.MaxInFlight,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    spec.Timeout.Std(),
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
