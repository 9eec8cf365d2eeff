package probe

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// startCanary listens on one loopback port over TCP and UDP until the test or stop ends.
func startCanary(t *testing.T) (port int, stop context.CancelFunc) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if stop, ok := startCanaryAt(t, port); ok {
			return port, stop
		}
	}
	t.Fatal("no port is free over both TCP and UDP")
	return 0, nil
}

func startCanaryAt(t *testing.T, port int) (context.CancelFunc, bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c, err := ListenCanary(ctx, "127.0.0.1", []int{port}, 0)
	if err != nil {
		cancel()
		return nil, false
	}
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx) }()
	stop := func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the canary ended with %v", err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return stop, true
}

func target(network evidence.Network, mode evidence.Mode, port int, settle evidence.Settle) evidence.Target {
	return evidence.Target{Name: "canary", Network: network, Mode: mode, Settle: settle,
		Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Timeout: evidence.Duration(400 * time.Millisecond)}
}

func run(t *testing.T, window, deadline time.Duration, targets ...evidence.Target) *evidence.IsolationReport {
	t.Helper()
	spec := evidence.IsolationSpec{Targets: targets, Window: evidence.Duration(window), Deadline: evidence.Duration(deadline)}
	r, err := Isolation(t.Context(), spec, Here{})
	if err != nil {
		t.Fatal(err)
	}
	wantValid(t, evidence.Report{Result: r})
	return r
}

// wantValid seals a report, which refuses one that contradicts itself.
func wantValid(t *testing.T, r evidence.Report) {
	t.Helper()
	r.Nonce, r.Subject = "0123456789abcdef", evidence.Digest(nil)
	r.StartedAt = time.Now()
	r.FinishedAt = r.StartedAt
	if _, _, err := evidence.Seal(r); err != nil {
		t.Errorf("the report contradicts itself: %v", err)
	}
}

func TestIsolationReachesCanary(t *testing.T) {
	port, _ := startCanary(t)
	began := time.Now()
	for name, target := range map[string]evidence.Target{
		"tcp echo":    target("tcp", "echo", port, evidence.SettleReached),
		"udp echo":    target("udp", "echo", port, evidence.SettleReached),
		"tcp connect": target("tcp", "connect", port, evidence.SettleReached),
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, 0, 5*time.Second, target).Targets[0]
			if !r.Reached || !r.Settled || r.Attempts < 1 || r.LastReachedAt == nil {
				t.Fatalf("not reached: %+v", r)
			}
			if target.Mode == evidence.ModeConnect {
				if r.UpSince != nil {
					t.Errorf("a handshake told when the target started: %v", r.UpSince)
				}
				return
			}
			if r.UpSince == nil || r.UpSince.Before(began.Add(-time.Second)) || r.UpSince.After(time.Now()) {
				t.Errorf("up since %v, started after %v", r.UpSince, began)
			}
		})
	}
}

// silent listens and never answers; garbage answers something else. Both got a connection, so neither is blocked.
func TestIsolationTellsUnansweredFromBlocked(t *testing.T) {
	listen := func(handle func(net.Conn)) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { _ = conn.Close() })
				handle(conn)
			}
		}()
		return l.Addr().(*net.TCPAddr).Port
	}
	mute, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mute.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closedPort := closed.Addr().(*net.TCPAddr).Port
	_ = closed.Close()

	for name, c := range map[string]struct {
		target evidence.Target
		class  evidence.Class
	}{
		"silent": {target("tcp", "echo", listen(func(net.Conn) {}), evidence.SettleAny), evidence.ClassUnanswered},
		"hangs up": {target("tcp", "echo", listen(func(c net.Conn) { _ = c.Close() }), evidence.SettleAny),
			evidence.ClassUnanswered},
		"garbage": {target("tcp", "echo", listen(func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }),
			evidence.SettleAny), evidence.ClassUnanswered},
		"endless": {target("tcp", "echo", listen(func(c net.Conn) { _, _ = c.Write(make([]byte, 4096)) }), evidence.SettleAny),
			evidence.ClassUnanswered},
		"closed port":     {target("tcp", "echo", closedPort, evidence.SettleBlocked), evidence.ClassRefused},
		"closed UDP port": {target("udp", "echo", closedPort, evidence.SettleBlocked), evidence.ClassRefused},
		"mute UDP port":   {target("udp", "echo", mute.LocalAddr().(*net.UDPAddr).Port, evidence.SettleBlocked), evidence.ClassTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, 0, 10*time.Second, c.target).Targets[0]
			if r.Reached || r.Reaches != 0 || r.Class != c.class {
				t.Errorf("got %+v, want class %s", r, c.class)
			}
			if !r.Settled || r.Attempts < agreeing {
				t.Errorf("settled too early or not at all: %+v", r)
			}
		})
	}
}

func TestIsolationWaitsForSlowPolicies(t *testing.T) {
	t.Run("allowed late", func(t *testing.T) {
		port, stop := startCanary(t)
		stop()
		timer := time.AfterFunc(600*time.Millisecond, func() { startCanaryAt(t, port) })
		defer timer.Stop()
		r := run(t, 0, 20*time.Second, target("tcp", "echo", port, evidence.SettleReached)).Targets[0]
		if !r.Reached || r.Attempts < 2 || r.Reaches != 1 {
			t.Errorf("got %+v, want reached after some attempts", r)
		}
	})
	t.Run("blocked late", func(t *testing.T) {
		port, stop := startCanary(t)
		timer := time.AfterFunc(600*time.Millisecond, stop)
		defer timer.Stop()
		r := run(t, 0, 20*time.Second, target("tcp", "echo", port, evidence.SettleBlocked)).Targets[0]
		if r.Reached || !r.Settled || r.Reaches < 1 || r.Class != evidence.ClassRefused {
			t.Errorf("got %+v, want settled on refused after it had been reached", r)
		}
		if !r.Since.After(*r.LastReachedAt) {
			t.Errorf("the blocked streak began at %v, before the target was last reached at %v", r.Since, r.LastReachedAt)
		}
	})
	t.Run("never blocked", func(t *testing.T) {
		port, _ := startCanary(t)
		r := run(t, 0, 700*time.Millisecond, target("tcp", "echo", port, evidence.SettleBlocked)).Targets[0]
		if !r.Reached || r.Settled || r.Reaches != r.Attempts {
			t.Errorf("got %+v, want reached and not settled", r)
		}
	})
	t.Run("watches for the whole window", func(t *testing.T) {
		port, _ := startCanary(t)
		r := run(t, 900*time.Millisecond, 5*time.Second, target("tcp", "echo", port, evidence.SettleReached)).Targets[0]
		if r.Attempts < 2 || r.LastReachedAt.Sub(*r.FirstReachedAt) < 500*time.Millisecond {
			t.Errorf("got %+v, want sightings over the window", r)
		}
	})
}

// A witness that is told goes on until then, sees its targets once more, and ends: an empty file tells nothing.
func TestIsolationIsTold(t *testing.T) {
	port, _ := startCanary(t)
	told := t.TempDir()
	file := filepath.Join(told, evidence.ToldFile)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var at time.Time
	timer := time.AfterFunc(900*time.Millisecond, func() {
		at = time.Now()
		if err := os.WriteFile(file, []byte("now"), 0o600); err != nil {
			t.Error(err)
		}
	})
	defer timer.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	window := evidence.Duration(5 * time.Minute)
	report, err := Isolation(ctx, evidence.IsolationSpec{
		Targets: []evidence.Target{target("tcp", "echo", port, evidence.SettleReached)}, Window: window, Deadline: window, Told: true,
	}, Here{Told: told})
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Targets[0]; !r.Settled || !r.LastReachedAt.After(at) {
		t.Errorf("got %+v, told at %v", r, at)
	}
}

func TestIsolationStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	slow := target("tcp", "echo", l.Addr().(*net.TCPAddr).Port, evidence.SettleReached)
	slow.Timeout = evidence.Duration(30 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	if r, err := Isolation(ctx, evidence.IsolationSpec{Targets: []evidence.Target{slow}, Deadline: slow.Timeout}, Here{}); err == nil {
		t.Errorf("a stopped run measured %+v", r)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

func TestAnswerOnlyProbes(t *testing.T) {
	nonce := newNonce()
	line := answer(request(nonce), 90*time.Second)
	if uptime, err := parseAnswer(line, nonce); err != nil || uptime != 90*time.Second {
		t.Errorf("own answer %q: %v, %v", line, uptime, err)
	}
	if _, err := parseAnswer(line, newNonce()); err == nil {
		t.Error("the answer to another probe was taken")
	}
	for _, bad := range []string{"", "\n", "affineur-probe/1 \n", "affineur-probe/1 short\n", "affineur-probe/1 with spaces in it\n",
		"affineur-probe/1 esc\x1b[31mapeapeape\n", "GET / HTTP/1.1\r\n", string(line)} {
		if out := answer([]byte(bad), time.Second); out != nil {
			t.Errorf("%q was answered with %q", bad, out)
		}
	}
	for _, bad := range []string{"-1", "", "1.5", "99999999999999999999", "1 1"} {
		if _, err := parseAnswer([]byte(canaryWord+" "+nonce+" "+bad+"\n"), nonce); err == nil {
			t.Errorf("uptime %q was taken", bad)
		}
	}
}

func TestCanaryNeedsAllPorts(t *testing.T) {
	port, _ := startCanary(t)
	if _, err := ListenCanary(t.Context(), "127.0.0.1", []int{port}, 0); err == nil {
		t.Error("two canaries on one port")
	}
	if _, err := ListenCanary(t.Context(), "127.0.0.1", nil, 0); err == nil {
		t.Error("a canary without ports")
	}
}

func TestRefuseSpecial(t *testing.T) {
	for address, allowed := range map[string]bool{
		"10.0.0.1": true, "192.168.1.1": true, "203.0.113.7": true, "100.64.0.1": true, "fd12:3456::1": true, "2001:db8::1": true,
		"64:ff9b::c000:201": true, "::ffff:10.0.0.1": true,
		"127.0.0.1": false, "127.8.9.1": false, "0.0.0.0": false, "0.1.2.3": false, "169.254.169.254": false, "169.254.1.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "100.100.100.200": false, "168.63.129.16": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "ff02::1": false, "fd00:ec2::254": false,
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::169.254.169.254": false,
		"64:ff9b::a9fe:a9fe": false, "64:ff9b::7f00:1": false,
	} {
		if err := RefuseSpecial(netip.MustParseAddr(address)); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
	if RefuseSpecial(netip.Addr{}) == nil {
		t.Error("no address at all is allowed")
	}
}
