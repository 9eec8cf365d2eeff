package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

const ms = time.Millisecond

func dialer(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// spec asks for a rate over a duration with generous bounds.
func spec(url, rate string, duration time.Duration) evidence.LoadSpec {
	return evidence.LoadSpec{URL: url, Method: http.MethodGet, Timeout: evidence.Duration(20 * time.Second),
		Within: evidence.Duration(time.Second), MaxInFlight: 2000, MaxLag: evidence.Duration(time.Second),
		Steps: []evidence.Step{{RatePerSecond: rate, Duration: evidence.Duration(duration)}}}
}

func measure(t testing.TB, s evidence.LoadSpec) *evidence.LoadReport {
	t.Helper()
	r, err := Run(t.Context(), s, dialer)
	if err != nil {
		t.Fatal(err)
	}
	wantValid(t, r)
	return r
}

// wantValid seals a report, which refuses one whose numbers do not add up.
func wantValid(t testing.TB, r *evidence.LoadReport) {
	t.Helper()
	_, _, err := evidence.Seal(evidence.Report{Nonce: "0123456789abcdef", Subject: evidence.Digest(nil),
		StartedAt: time.Now(), FinishedAt: time.Now().Add(time.Second), Result: r})
	if err != nil {
		t.Errorf("the report contradicts itself: %v\n%+v", err, r)
	}
}

func TestEveryArrivalIsCountedOnce(t *testing.T) {
	var n atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) % 10 {
		case 0:
			w.WriteHeader(http.StatusBadGateway)
		case 1:
			w.WriteHeader(http.StatusNotFound)
		case 2:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case 3:
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half an ans")
		case 4:
			<-r.Context().Done()
		case 5:
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, "an answer")
		}
	})
	ask := spec(s.URL, "100", time.Second)
	// POST, since a transport may send a GET again whose connection broke before the answer.
	ask.Method, ask.Timeout = http.MethodPost, evidence.Duration(3*time.Second)
	got := measure(t, ask).Steps[0]
	want := evidence.LoadFailures{ServerError: 10, OtherStatus: 20, ShortRead: 10, Timeout: 10, Connect: 10}
	if got.Planned != 100 || got.Succeeded != 40 || got.Failures != want || got.GeneratorLimited {
		t.Errorf("got %+v, want %+v and 40 succeeded", got, want)
	}
	if n.Load() != 100 {
		t.Errorf("the server saw %d requests", n.Load())
	}
}

func TestNobodyListens(t *testing.T) {
	s := serve(t, nil)
	s.Close()
	got := measure(t, spec(s.URL, "50", 200*ms)).Steps[0]
	if got.Failures.Connect != 10 || got.Latency != (evidence.Latency{}) || got.GeneratorLimited {
		t.Errorf("got %+v, want 10 without a connection", got)
	}
}

// The server answers nobody before everybody has asked. A generator that waits for answers would wait for ever.
func TestArrivalsDoNotWaitForAnswers(t *testing.T) {
	const all = 60
	var waiting sync.WaitGroup
	waiting.Add(all)
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		waiting.Done()
		waiting.Wait()
	})
	got := measure(t, spec(s.URL, "60", time.Second)).Steps[0]
	if got.Succeeded != all {
		t.Errorf("%d of %d answered: %+v", got.Succeeded, all, got)
	}
	// The first waited for the last, which was due 59/60 s later.
	if got.Latency.Max.Std() < 980*ms {
		t.Errorf("the longest wait is %v, a second was scripted", got.Latency.Max.Std())
	}
}

// A server that answers in 5 ms stops for a second. At 100 requests a second, a third of the people of three seconds
// wait for half a second on average. A closed loop asks once meanwhile, and its percentiles see nothing.
func TestStallIsSeen(t *testing.T) {
	stalling := func() *httptest.Server {
		var gate sync.RWMutex
		var once sync.Once
		return serve(t, func(http.ResponseWriter, *http.Request) {
			once.Do(func() {
				time.AfterFunc(time.Second, func() {
					gate.Lock()
					time.Sleep(time.Second)
					gate.Unlock()
				})
			})
			gate.RLock()
			defer gate.RUnlock()
			time.Sleep(5 * ms)
		})
	}
	open := measure(t, spec(stalling().URL, "100", 3*time.Second)).Steps[0]
	if open.Succeeded != 300 {
		t.Fatalf("got %+v", open)
	}
	// By the script a third of the arrivals wait for up to a second: the slowest tenth for 0.7 s and more.
	for name, c := range map[string]struct{ got, least time.Duration }{
		"p90": {open.Latency.P90.Std(), 600 * ms},
		"p95": {open.Latency.P95.Std(), 750 * ms},
		"p99": {open.Latency.P99.Std(), 900 * ms},
	} {
		if c.got < c.least {
			t.Errorf("%s is %v, the stall makes it at least %v", name, c.got, c.least)
		}
	}
	closed := closedLoop(t, stalling().URL, 3*time.Second)
	t.Logf("open model: p90 %v, p99 %v; closed loop of %d requests: p90 %v, p99 %v", open.Latency.P90.Std(), open.Latency.P99.Std(),
		len(closed), percentile(closed, 90), percentile(closed, 99))
	if percentile(closed, 90) >= open.Latency.P90.Std() {
		t.Errorf("the closed loop saw the stall: the server did not stall as scripted")
	}
}

// closedLoop is what this package is not: it asks again after each answer.
func closedLoop(t *testing.T, url string, duration time.Duration) []time.Duration {
	t.Helper()
	var took []time.Duration
	for begin := time.Now(); time.Since(begin) < duration; {
		sent := time.Now()
		r, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Body.Close(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(sent))
	}
	slices.Sort(took)
	return took
}

func percentile(sorted []time.Duration, p int) time.Duration { return sorted[(len(sorted)-1)*p/100] }

func TestPercentilesFollowTheScript(t *testing.T) {
	var n atomic.Int64
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch i := n.Add(1) % 100; {
		case i < 2:
			time.Sleep(400 * ms)
		case i < 20:
			time.Sleep(150 * ms)
		default:
			time.Sleep(20 * ms)
		}
		_, _ = io.WriteString(w, "done")
	})
	ask := spec(s.URL, "200", 3*time.Second)
	ask.Within = evidence.Duration(100 * ms)
	got := measure(t, ask).Steps[0]
	if got.Succeeded != 600 {
		t.Fatalf("got %+v", got)
	}
	// A sleep is never too short, so the script is a sound lower bound.
	for name, c := range map[string]struct{ got, script evidence.Micros }{
		"p50": {got.Latency.P50, 20_000}, "p90": {got.Latency.P90, 150_000}, "p95": {got.Latency.P95, 150_000},
		"p99": {got.Latency.P99, 400_000}, "max": {got.Latency.Max, 400_000},
	} {
		if c.got < c.script {
			t.Errorf("%s is %v, scripted are %v", name, c.got.Std(), c.script.Std())
		}
		// How much too long it is depends on the machine. The generator's own lag tells whether it had a bad moment.
		if c.got.Std() > c.script.Std()+100*ms && got.Lag.P99.Std() < 10*ms && got.Lag.Max.Std() < 50*ms {
			t.Errorf("%s is %v, scripted are %v", name, c.got.Std(), c.script.Std())
		}
	}
	if got.WithinTarget > 480 {
		t.Errorf("%d of 600 within 100 ms, 480 are scripted to be faster", got.WithinTarget)
	}
}

func TestTooManyUnanswered(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	ask := spec(s.URL, "50", time.Second)
	ask.MaxInFlight = 5
	time.AfterFunc(1500*ms, func() { close(release) })
	got := measure(t, ask).Steps[0]
	if got.Succeeded != 5 || got.Failures.NotSent+got.Skipped != 45 {
		t.Errorf("got %+v, want 5 answered and 45 not sent", got)
	}
	if !got.GeneratorLimited && got.Failures.NotSent != 45 {
		t.Errorf("got %+v, want the 45 to count against the subject", got)
	}
}

func TestWarmUpIsNotCounted(t *testing.T) {
	var n atomic.Int64
	s := serve(t, func(http.ResponseWriter, *http.Request) { n.Add(1) })
	ask := spec(s.URL, "100", 200*ms)
	ask.WarmUp = &evidence.Step{RatePerSecond: "150", Duration: evidence.Duration(200 * ms)}
	r := measure(t, ask)
	if got := r.Steps[0]; len(r.Steps) != 1 || got.Succeeded != 20 || n.Load() != 50 {
		t.Errorf("got %+v after %d requests, want 20 of 50 in one step", r.Steps, n.Load())
	}
}

func TestStepsAreCountedApart(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	ask := spec(s.URL, "20", 200*ms)
	ask.Steps = append(ask.Steps, evidence.Step{RatePerSecond: "100", Duration: evidence.Duration(300 * ms)})
	r := measure(t, ask)
	if len(r.Steps) != 2 || r.Steps[0].Succeeded != 4 || r.Steps[1].Succeeded != 30 {
		t.Errorf("got %+v, want steps of 4 and 30", r.Steps)
	}
}

func TestStopIsReported(t *testing.T) {
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*ms, cancel)
	began := time.Now()
	r, err := Run(ctx, spec(s.URL, "100", time.Minute), dialer)
	if err != nil {
		t.Fatal(err)
	}
	wantValid(t, r)
	if got := r.Steps[0]; !r.CutShort || got.Unfinished+got.Skipped != got.Planned || got.Unfinished == 0 {
		t.Errorf("got %+v, want all %d unfinished", r, got.Planned)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

func TestGeneratorsFaultsAreNotTheSubjects(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	for name, c := range map[string]struct {
		dial  Dial
		limit evidence.Limit
	}{
		"forbidden address": {func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("dial: %w", probe.ErrForbiddenAddress)
		}, evidence.LimitAddress},
		"unknown name": {func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		}, evidence.LimitAddress},
		"no sockets left": {func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("dial: %w", errNoFiles)
		}, evidence.LimitResources},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Run(t.Context(), spec(s.URL, "50", 200*ms), c.dial)
			if err != nil {
				t.Fatal(err)
			}
			wantValid(t, r)
			if got := r.Steps[0]; got.Skipped != 10 || got.Failures.Total() != 0 || got.LimitedBy != c.limit || !r.GeneratorLimited {
				t.Errorf("got %+v, want 10 skipped by %s", got, c.limit)
			}
		})
	}
}

// A step that should have begun long ago is a generator that woke late.
func TestLateGeneratorSaysSo(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	walk := func(ask evidence.LoadSpec, late time.Duration) evidence.StepResult {
		g, err := newGenerator(ask, dialer)
		if err != nil {
			t.Fatal(err)
		}
		tally := newTally(ask.Steps[0], g.shards)
		tally.begin = time.Now().Add(-late)
		g.walkFrom(t.Context(), tally)
		g.end()
		return tally.result(ask)
	}
	ask := spec(s.URL, "100", 200*ms)
	ask.MaxLag = evidence.Duration(100 * ms)
	if got := walk(ask, 2*time.Second); got.Succeeded != 20 || got.LimitedBy != evidence.LimitLate {
		t.Errorf("got %+v, want all sent, late", got)
	}
	if got := walk(ask, 40*time.Second); got.Skipped != 20 || got.LimitedBy != evidence.LimitLate {
		t.Errorf("got %+v, want all skipped: they were overdue beyond their timeout", got)
	}
	ask.MaxInFlight = 1
	if got := walk(ask, 2*time.Second); got.Failures.NotSent != 0 || got.Succeeded+got.Skipped != 20 {
		t.Errorf("got %+v: a burst of a late generator counts against the subject", got)
	}
}

// One stall of the generator must weigh as much in its lag as the time that it took.
func TestLagHasNoCoordinatedOmission(t *testing.T) {
	tally := newTally(evidence.Step{RatePerSecond: "1", Duration: evidence.Duration(10 * time.Second)}, 1)
	for range 970 {
		tally.woke(50 * time.Microsecond)
	}
	tally.woke(300 * ms)
	if p99 := summary(tally.merge().lag).P99.Std(); p99 < 100*ms {
		t.Errorf("p99 of the lag is %v; a stall of 3 %% of the time is in it", p99)
	}
}

func TestRequestsAreAsAsked(t *testing.T) {
	var wrong atomic.Int64
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != `{"q":"?"}` || r.Method != http.MethodPost || r.URL.RequestURI() != "/ask?x=1" ||
			r.Header.Get("Content-Type") != "application/json" || r.ContentLength != int64(len(body)) || len(r.Header["User-Agent"]) != 0 {
			wrong.Add(1)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	ask := spec(s.URL+"/ask?x=1", "200", time.Second)
	ask.Method, ask.Body = http.MethodPost, `{"q":"?"}`
	ask.Headers = []evidence.Header{{Name: "Content-Type", Value: "application/json"}}
	got := measure(t, ask).Steps[0]
	if got.Succeeded != 200 || wrong.Load() != 0 {
		t.Errorf("%d wrong requests: %+v", wrong.Load(), got)
	}
	if n := connections.Load(); n > 100 {
		t.Errorf("%d connections for 200 requests: they are not used again", n)
	}
}

func TestRunRefusesWhatIsNoRequest(t *testing.T) {
	if _, err := Run(t.Context(), spec("http://[", "1", time.Second), dialer); err == nil {
		t.Error("accepted")
	}
}

var errNoFiles = errors.Join(errors.New("socket"), syscall.EMFILE)

// A Service chooses a replica for every connection: what several are to share must not go over one that lasts.
func TestConnectionsAreChangedAsAsked(t *testing.T) {
	for name, c := range map[string]struct{ reuse, connections int }{"as long as it lasts": {0, 1}, "five requests each": {5, 12}} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]bool{}
			var mutex sync.Mutex
			s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				mutex.Lock()
				defer mutex.Unlock()
				seen[r.RemoteAddr] = true
			})
			order := spec(s.URL, "60", time.Second)
			order.Reuse = c.reuse
			got := measure(t, order).Steps[0]
			if got.Succeeded != 60 || len(seen) < c.connections || c.reuse == 0 && len(seen) > 30 {
				t.Errorf("%d answered over %d connections", got.Succeeded, len(seen))
			}
		})
	}
}
