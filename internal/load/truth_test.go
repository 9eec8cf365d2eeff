package load

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// scripted is a server with delays and stalls that writes down when each answer was ready. The n-th request that it
// sees is the n-th that was due, so the true waiting times follow from the schedule alone.
type scripted struct {
	mu     sync.Mutex
	seen   int
	ready  []time.Time
	stalls [][2]time.Duration
	first  time.Time
	delay  func(n int) time.Duration
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	n, now := s.seen, time.Now()
	if s.seen++; n == 0 {
		s.first = now
	}
	wait := s.delay(n)
	for _, stall := range s.stalls {
		if at := now.Sub(s.first); at >= stall[0] && at < stall[1] {
			wait += stall[1] - at
		}
	}
	s.mu.Unlock()
	time.Sleep(wait)
	_, _ = io.WriteString(w, "done")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready[n] = time.Now()
}

// truth is the sorted waiting times from due to ready.
func (s *scripted) truth(t *tally) []time.Duration {
	var out []time.Duration
	for n, ready := range s.ready {
		out = append(out, ready.Sub(t.due(int64(n))))
	}
	slices.Sort(out)
	return out
}

// What is reported is within 5 % of what the server knows to be true, up to the thousandth that waited longest, with
// two stalls of which a closed loop would see two requests. A machine that is so busy that the generator itself is late
// says nothing about this; the generator then says so, and it is tried again.
func TestPercentilesAreTrue(t *testing.T) {
	const rate, seconds = 500, 6
	for range 4 {
		script := &scripted{ready: make([]time.Time, rate*seconds), stalls: [][2]time.Duration{{time.Second, 1300 * ms}, {4 * time.Second, 4400 * ms}},
			delay: func(n int) time.Duration {
				switch {
				case n%500 == 0:
					return 500 * ms
				case n%10 == 0:
					return 120 * ms
				}
				return 40 * ms
			}}
		s := serve(t, script.ServeHTTP)
		ask := spec(s.URL, fmt.Sprint(rate), seconds*time.Second)
		ask.MaxLag, ask.Method, ask.Body = evidence.Duration(ms), http.MethodPost, "question"
		g, err := newGenerator(ask, dialer)
		if err != nil {
			t.Fatal(err)
		}
		tally := newTally(ask.Steps[0], g.shards)
		g.walk(t.Context(), tally)
		g.end()
		got := tally.result(ask)
		if got.Succeeded != rate*seconds {
			t.Fatalf("got %+v", got)
		}
		if got.GeneratorLimited {
			t.Logf("the generator was late itself: %v at p99", got.Lag.P99.Std())
			continue
		}
		wantTrue(t, got.Latency, script.truth(tally))
		return
	}
	t.Skip("this machine is too busy to measure on: four times the generator said that it was late itself")
}

func wantTrue(t *testing.T, got evidence.Latency, truth []time.Duration) {
	t.Helper()
	for _, c := range []struct {
		name string
		got  evidence.Micros
		at   float64
	}{{"p50", got.P50, .5}, {"p90", got.P90, .9}, {"p95", got.P95, .95}, {"p99", got.P99, .99}, {"p99.9", got.P999, .999}} {
		want := truth[int(math.Ceil(c.at*float64(len(truth))))-1]
		off := float64(c.got.Std()-want) / float64(want)
		t.Logf("%s: %v, true is %v (%+.2f %%)", c.name, c.got.Std(), want.Round(time.Microsecond), 100*off)
		if math.Abs(off) > 0.05 {
			t.Errorf("%s is %v, true is %v", c.name, c.got.Std(), want)
		}
	}
}

// An answer that streams has a first byte, which people see, and a last. A header alone is nothing to read.
func TestFirstByteAndLast(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		flush := func() { _ = http.NewResponseController(w).Flush() }
		w.WriteHeader(http.StatusOK)
		flush()
		time.Sleep(50 * ms)
		_, _ = io.WriteString(w, "first ")
		flush()
		time.Sleep(200 * ms)
		_, _ = io.WriteString(w, "last")
	})
	ask := spec(s.URL, "50", time.Second)
	ask.FirstWithin = evidence.Duration(900 * ms)
	got := measure(t, ask).Steps[0]
	// Histograms keep three digits, and the lower end of what is alike by them.
	if got.FirstByte.Min < 49_900 || got.Latency.Min < 249_500 {
		t.Errorf("first byte after %v, last after %v; scripted are 50 ms and 250 ms", got.FirstByte.Min.Std(), got.Latency.Min.Std())
	}
	if got.Latency.Min-got.FirstByte.Min < 150_000 {
		t.Errorf("first byte after %v, last after %v: 200 ms lie between them", got.FirstByte.Min.Std(), got.Latency.Min.Std())
	}
	if got.FirstWithinTarget == 0 || len(got.FirstByteCurve) < 10 || len(got.LatencyCurve) < 10 {
		t.Errorf("got %+v", got)
	}
}

// A subject that closes idle connections loses no requests by that.
func TestIdleConnectionsMayClose(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		s := &http.Server{Handler: h, IdleTimeout: ms, ReadHeaderTimeout: time.Second}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.Serve(listener) }()
		t.Cleanup(func() { _ = s.Close() })
		ask := spec("http://"+listener.Addr().String(), "20", time.Second)
		ask.Method = method
		if got := measure(t, ask).Steps[0]; got.Succeeded != 20 {
			t.Errorf("%s: got %+v, want all 20 answered", method, got)
		}
	}
}

// raw answers every connection's first bytes with a text, and goes on until it is closed if there is more.
func raw(t *testing.T, answer string, repeat string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := conn.Read(make([]byte, 4096)); err != nil {
					return
				}
				for _, err = io.WriteString(conn, answer); err == nil && repeat != ""; {
					_, err = io.WriteString(conn, repeat)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// A subject that answers nonsense, or without end, takes neither the generator's memory nor its time.
func TestHostileAnswers(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	for name, c := range map[string]struct {
		answer, repeat string
		ended          func(evidence.StepResult) int64
	}{
		"endless header":     {"HTTP/1.1 200 OK\r\n", "X-Filler: " + strings.Repeat("x", 1000) + "\r\n", func(s evidence.StepResult) int64 { return s.Failures.Connect }},
		"one endless line":   {"HTTP/1.1 200 OK\r\nX: ", strings.Repeat("x", 1000), func(s evidence.StepResult) int64 { return s.Failures.Connect }},
		"interim for ever":   {"", "HTTP/1.1 103 Early Hints\r\n\r\n", func(s evidence.StepResult) int64 { return s.Failures.Connect }},
		"no HTTP":            {"SSH-2.0-OpenSSH_9.9\r\n", "", func(s evidence.StepResult) int64 { return s.Failures.Connect }},
		"hangs up":           {"", "", func(s evidence.StepResult) int64 { return s.Failures.Connect }},
		"two answers":        {ok + ok, "", func(s evidence.StepResult) int64 { return s.Succeeded }},
		"interim, then well": {"HTTP/1.1 103 Early Hints\r\n\r\n" + ok, "", func(s evidence.StepResult) int64 { return s.Succeeded }},
		"switches protocols": {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "", func(s evidence.StepResult) int64 { return s.Failures.OtherStatus }},
		"endless body":       {"HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("x", 1000), func(s evidence.StepResult) int64 { return s.Failures.Timeout }},
		"until it closes":    {"HTTP/1.1 200 OK\r\n\r\nok", "", func(s evidence.StepResult) int64 { return s.Succeeded }},
		"bad chunk":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "", func(s evidence.StepResult) int64 { return s.Failures.ShortRead }},
	} {
		t.Run(name, func(t *testing.T) {
			ask := spec(raw(t, c.answer, c.repeat), "20", 200*ms)
			ask.Timeout = cmp.Or(map[string]evidence.Duration{"endless body": evidence.Duration(time.Second)}[name], ask.Timeout)
			if got := measure(t, ask).Steps[0]; c.ended(got) != 4 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// A server that serves one request at a time, in 10 ms, carries at most 100 a second. The promise is so patient that
// only the answers that don't keep up with the arrivals show it.
func TestClimbEndsAtTheFirstOverload(t *testing.T) {
	var one sync.Mutex
	s := serve(t, func(http.ResponseWriter, *http.Request) {
		one.Lock()
		defer one.Unlock()
		time.Sleep(10 * ms)
	})
	ask := spec(s.URL, "15", 500*ms)
	ask.Within = ask.Timeout
	ask.Climb = &evidence.Climb{Factor: "2", Most: 10, Duration: evidence.Duration(time.Second), ErrorRatio: "0.01"}
	r := measure(t, ask)
	if r.ClimbEnd != evidence.ClimbOverloaded || len(r.Steps) != 1 || len(r.Climb) == 0 || len(r.Climb) > 4 {
		t.Fatalf("got %+v", r)
	}
	for i, step := range r.Climb {
		if over := step.Overloaded(0.01, 0); over != (i == len(r.Climb)-1) {
			t.Errorf("climb[%d] at %s/s: overloaded is %v: %+v", i, step.RatePerSecond, over, step.SecondHalf)
		}
	}
	t.Logf("overloaded at %s/s: %+v", r.Last().RatePerSecond, r.Last().SecondHalf)
}

func TestClimbEndsAtItsTop(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	ask := spec(s.URL, "20", 200*ms)
	ask.MaxLag = evidence.Duration(time.Minute)
	ask.Climb = &evidence.Climb{Factor: "1.5", Most: 2, Duration: evidence.Duration(500 * ms), ErrorRatio: "0.01"}
	if r := measure(t, ask); r.ClimbEnd != evidence.ClimbDone || len(r.Climb) != 2 || r.Climb[1].RatePerSecond != "45" {
		t.Errorf("got %+v", r)
	}
}

// What overloads already at the demand is not climbed at all.
func TestClimbDoesNotBeginOverloaded(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	ask := spec(s.URL, "20", 200*ms)
	ask.Climb = &evidence.Climb{Factor: "1.5", Most: 2, Duration: evidence.Duration(500 * ms), ErrorRatio: "0.01"}
	if r := measure(t, ask); r.ClimbEnd != evidence.ClimbOverloaded || len(r.Climb) != 0 {
		t.Errorf("got %+v", r)
	}
}

// A name is not looked up again for every connection, but again when its address no longer answers.
func TestNameIsRememberedWhileItsAddressAnswers(t *testing.T) {
	var dialled []string
	refuse := false
	dial := func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		if refuse {
			return nil, syscall.ECONNREFUSED
		}
		return dialer(t.Context(), "tcp4", address)
	}
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	address := strings.TrimPrefix(s.URL, "http://")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGenerator(spec("http://localhost:"+port, "1", time.Second), dial)
	if err != nil {
		t.Fatal(err)
	}
	defer g.end()
	for _, refused := range []bool{false, false, true, false, false} {
		refuse = refused
		if conn, err := g.connect(t.Context()); err == nil {
			_ = conn.Close()
		}
	}
	if want := []string{"localhost:" + port, address, address, "localhost:" + port, address}; !slices.Equal(dialled, want) {
		t.Errorf("dialled %v, want %v", dialled, want)
	}
}
