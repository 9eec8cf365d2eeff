package faults

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/integration"
)

// What the health asks of a system is no request's doing, and hides no request's.
func TestWhatTheHealthAsksIsNoRequest(t *testing.T) {
	for name, c := range map[string]struct {
		requestAsks bool
		reason      string
	}{"only its health asks": {false, v1alpha1.ReasonNotExercised}, "both ask": {true, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			mux := http.NewServeMux()
			ask := func() { _ = calls(fmt.Sprintf("http://127.0.0.1:%d", port), within/2, nil) }
			mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) { ask() })
			mux.HandleFunc("/ask", func(http.ResponseWriter, *http.Request) {
				if c.requestAsks {
					ask()
				}
			})
			s := httptest.NewServer(mux)
			defer s.Close()
			o := order(s, lms(port))
			unclear(t, o, c.reason)
		})
	}
}

// Whoever only limits how long it waits for the next byte waits for ever, where an answer comes a byte at a time. Who makes
// one call for all meets that, and who makes one for each meets silence as well.
func TestOneThatWaitsForTheNextByte(t *testing.T) {
	for name, c := range map[string]struct {
		once         bool
		late, inTime int
	}{"a call for each": {false, 2, 1}, "one call for all": {true, 1, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			var calling atomic.Bool
			s := prototype(t, func(http.ResponseWriter, *http.Request) {
				if c.once {
					if calling.Swap(true) {
						return
					}
					// The others of this phase come meanwhile, or soon after.
					defer time.AfterFunc(within, func() { calling.Store(false) })
				}
				waitsForBytes(port)
			})
			var late, inTime int
			for _, p := range run(t, order(s, lms(port))).Phases {
				for _, a := range p.Answers {
					switch {
					case p.Fault != evidence.FaultSlow:
					case a.Class == evidence.ClassTimeout:
						late++
					default:
						inTime++
					}
				}
			}
			if late != c.late || inTime != c.inTime {
				t.Errorf("of three answers, %d are late and %d in time", late, inTime)
			}
		})
	}
}

// waitsForBytes asks a system, and reads for as long as each byte comes in time.
func waitsForBytes(port int) {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nHost: lms\r\n\r\n"))
	for err == nil {
		if err = conn.SetReadDeadline(time.Now().Add(within / 2)); err == nil {
			_, err = conn.Read(make([]byte, 64))
		}
	}
}

// unclear plays a system that is down, and wants nothing to be found broken, and unclear what the reason says; nothing for "".
func unclear(t *testing.T, o evidence.FaultsOrder, reason string) integration.Shown {
	t.Helper()
	show, err := newShow(o, "127.0.0.1", (&net.Dialer{}).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	show.aftermath = afterAnswer
	return unclearIn(t, show, reason)
}

// unclearIn is the same for a show with times of its own.
func unclearIn(t *testing.T, show *show, reason string) integration.Shown {
	t.Helper()
	defer show.end(t.Context())
	r, err := show.play(t.Context())
	if err != nil || r.Validate() != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	lms := show.order.Systems[0]
	found := integration.Faults([]integration.Down{{Name: lms.Name, Field: "spec.x", Faults: lms.Faults(), Degrades: true, Within: lms.Within.Std() + 600*time.Millisecond, Alone: true}}, r)
	if len(found.Broken) > 0 || (reason == "") != (len(found.Unclear) == 0) || reason != "" && found.Unclear[0].Reason != reason {
		t.Errorf("found %+v in %+v", found, r.Phases)
	}
	return found
}
