package faults

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certutil "k8s.io/client-go/util/cert"

	"github.com/affineur/affineur/internal/evidence"
)

// freePort is one that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// prototype answers with 200 what a system says, and as it is told when the system is down.
func prototype(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/ask", answer)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// calls asks a system with a client of its own, and gives up after a time.
func calls(address string, within time.Duration, config *tls.Config) error {
	client := &http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}}
	response, err := client.Get(address)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	var any map[string]any
	return json.NewDecoder(response.Body).Decode(&any)
}

func order(s *httptest.Server, systems ...evidence.Played) evidence.FaultsOrder {
	return evidence.FaultsOrder{URL: s.URL + "/ask", Method: http.MethodGet, Health: s.URL + "/healthz", Systems: systems,
		Start: evidence.Duration(10 * time.Second)}
}

func run(t *testing.T, o evidence.FaultsOrder) *evidence.FaultsResult {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	show, err := newShow(o, "127.0.0.1", (&net.Dialer{}).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	show.aftermath, show.quiet = 600*time.Millisecond, 100*time.Millisecond
	defer show.end(t.Context())
	r, err := show.play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Validate(); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	return r
}

const within = 400 * time.Millisecond

func lms(port int) evidence.Played {
	return evidence.Played{Name: "lms", Port: port, Speaks: evidence.CheckHTTP, Within: evidence.Duration(within)}
}

// What answers in time and then says of itself that it is ill would be stopped by the kubelet.
func TestOneWhoseHealthTurnsBadAfterwards(t *testing.T) {
	port := freePort(t)
	var ill atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/ask", func(w http.ResponseWriter, _ *http.Request) {
		if err := calls(fmt.Sprintf("http://127.0.0.1:%d", port), within/2, nil); err != nil {
			ill.Store(time.Now().UnixNano())
		}
		_, _ = w.Write([]byte("without courses"))
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Since(time.Unix(0, ill.Load())) < 2*time.Second {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	show, err := newShow(order(s, lms(port)), "127.0.0.1", (&net.Dialer{}).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	show.aftermath, show.quiet = 1500*time.Millisecond, 0
	defer show.end(t.Context())
	r, err := show.play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Phases {
		if 2*p.HealthMissed < p.HealthAsked {
			t.Errorf("%s: it missed %d of %d", p.Fault, p.HealthMissed, p.HealthAsked)
		}
	}
}

func TestOneThatDegrades(t *testing.T) {
	port := freePort(t)
	why := make(chan string, 100)
	s := prototype(t, func(w http.ResponseWriter, _ *http.Request) {
		if err := calls(fmt.Sprintf("http://127.0.0.1:%d", port), within/2, nil); err != nil {
			why <- err.Error()
		}
		_, _ = w.Write([]byte("without courses"))
	})
	r := run(t, order(s, lms(port)))
	if !r.Started || !r.AliveAfter || len(r.Phases) != 5 {
		t.Fatalf("got %+v", r)
	}
	for _, p := range r.Phases {
		for _, a := range p.Answers {
			if a.Status != 200 || a.ElapsedMicroseconds.Std() > within {
				t.Errorf("%s: %+v", p.Fault, a)
			}
		}
		if met := p.Contacts == evidence.FaultRequests; met == (p.Fault == evidence.FaultRefused) {
			t.Errorf("%s: %d contacts", p.Fault, p.Contacts)
		}
		if p.HealthAsked == 0 || p.HealthMissed > 0 || p.Open > 0 {
			t.Errorf("%s: %+v", p.Fault, p)
		}
	}
	close(why)
	var reasons []string
	for reason := range why {
		reasons = append(reasons, reason)
	}
	// Every phase was down in its own way.
	for _, want := range []string{"connection refused", "reset by peer", "Client.Timeout", "status 500", "invalid character"} {
		if !strings.Contains(strings.Join(reasons, "\n"), want) {
			t.Errorf("nothing was like %q: %q", want, reasons)
		}
	}
	if len(reasons) != 5*evidence.FaultRequests {
		t.Errorf("a system that is down answered: %d of %d failed", len(reasons), 5*evidence.FaultRequests)
	}
}

func TestOneThatHangs(t *testing.T) {
	port := freePort(t)
	s := prototype(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls(fmt.Sprintf("http://127.0.0.1:%d", port), 5*time.Second, nil) != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	for _, p := range run(t, order(s, lms(port))).Phases {
		for _, a := range p.Answers {
			switch {
			case p.Fault == evidence.FaultSlow && (a.Class != evidence.ClassTimeout || a.ElapsedMicroseconds.Std() < within+patience):
				t.Errorf("a slow system: %+v", a)
			case p.Fault != evidence.FaultSlow && a.Status != 503:
				t.Errorf("%s: %+v", p.Fault, a)
			}
		}
		// The calls go on after nobody waits for them any more.
		if p.Fault == evidence.FaultSlow && p.Open != evidence.FaultRequests {
			t.Errorf("%d connections are open", p.Open)
		}
	}
}

// A prototype that is one thread has no time for its health while it waits.
func TestOneThatBlocks(t *testing.T) {
	port := freePort(t)
	var serving = make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/ask", func(http.ResponseWriter, *http.Request) {
		_ = calls(fmt.Sprintf("http://127.0.0.1:%d", port), 4*time.Second, nil)
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serving <- struct{}{}
		defer func() { <-serving }()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	o := order(s, lms(port))
	o.Systems[0].Within = evidence.Duration(2500 * time.Millisecond)
	for _, p := range run(t, o).Phases {
		if p.Fault == evidence.FaultSlow && p.HealthMissed == 0 {
			t.Errorf("its health was good: %+v", p)
		}
	}
}

func TestOneThatEnds(t *testing.T) {
	port := freePort(t)
	var s *httptest.Server
	s = prototype(t, func(http.ResponseWriter, *http.Request) {
		if err := calls(fmt.Sprintf("http://127.0.0.1:%d", port), within, nil); err != nil && strings.Contains(err.Error(), "status 500") {
			_ = s.Listener.Close()
			panic(http.ErrAbortHandler)
		}
	})
	o := order(s, lms(port))
	played, err := newShow(o, "127.0.0.1", (&net.Dialer{}).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	defer played.end(t.Context())
	played.comeBack, played.aftermath, played.quiet = 300*time.Millisecond, 0, 0
	r, err := played.play(t.Context())
	if err != nil || r.Validate() != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	last := r.Phases[len(r.Phases)-1]
	if last.Alive || last.Fault != evidence.FaultGarbage || r.AliveAfter {
		t.Errorf("got %+v", r)
	}
	if before := r.Phases[len(r.Phases)-2]; before.Answers[0].Class == evidence.ClassNone {
		t.Errorf("it ended while %+v", before)
	}
}

func TestOneThatNeverStarts(t *testing.T) {
	s := prototype(t, func(http.ResponseWriter, *http.Request) {})
	o := order(s, lms(freePort(t)))
	o.Start = evidence.Duration(200 * time.Millisecond)
	s.Close()
	if r := run(t, o); r.Started || len(r.Phases) > 0 {
		t.Errorf("got %+v", r)
	}
}

// While the one system is down the model's gateway answers, and what is not tried refuses.
func TestTheOthersMeanwhile(t *testing.T) {
	model, tried, other := freePort(t), freePort(t), freePort(t)
	seen := make(chan string, 100)
	s := prototype(t, func(w http.ResponseWriter, _ *http.Request) {
		if err := calls(fmt.Sprintf("http://127.0.0.1:%d", other), within, nil); !strings.Contains(err.Error(), "refused") {
			seen <- "the other: " + err.Error()
		}
		for _, stream := range []string{"", `,"stream":true`} {
			response, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/v1/chat/completions", model), "application/json",
				strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"x"}]`+stream+`}`))
			if err != nil {
				seen <- "the model: " + err.Error()
				return
			}
			raw, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil || response.StatusCode != 200 || !strings.Contains(string(raw), "Beginning") {
				seen <- fmt.Sprintf("the model: %v %s", err, raw)
			}
		}
	})
	run(t, order(s, lms(tried), evidence.Played{Name: "crm", Port: other, Speaks: evidence.CheckHTTPS, Blind: true},
		evidence.Played{Name: "default", Port: model, Speaks: evidence.CheckHTTP, Model: true}))
	close(seen)
	for wrong := range seen {
		t.Error(wrong)
	}
}

func TestOverTLS(t *testing.T) {
	cert, key, err := certutil.GenerateSelfSignedCertKey("played.example.org", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(cert)
	port := freePort(t)
	why := make(chan string, 100)
	s := prototype(t, func(http.ResponseWriter, *http.Request) {
		if err := calls(fmt.Sprintf("https://127.0.0.1:%d", port), within/2, &tls.Config{RootCAs: trusted, ServerName: "played.example.org"}); err != nil {
			why <- err.Error()
		}
	})
	o := order(s, lms(port))
	o.Systems[0].Speaks = evidence.CheckHTTPS
	o.CertFile, o.KeyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	r := run(t, o)
	close(why)
	var reasons []string
	for reason := range why {
		reasons = append(reasons, reason)
	}
	for _, want := range []string{"connection refused", "Client.Timeout", "status 500", "invalid character"} {
		if !strings.Contains(strings.Join(reasons, "\n"), want) {
			t.Errorf("nothing was like %q: %q", want, reasons)
		}
	}
	if len(r.Phases) != 5 {
		t.Errorf("got %+v", r)
	}
}

func TestARunThatIsStopped(t *testing.T) {
	s := prototype(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := Run(ctx, order(s, lms(freePort(t))), "127.0.0.1", (&net.Dialer{}).DialContext); err == nil {
		t.Errorf("a stopped run measured %+v", r)
	}
}
