package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

const nonce = "0123456789abcdef0123456789abcdef"

var subject = evidence.Digest([]byte("subject"))

// TestMain lets the test binary be the command, so that exit codes and signals are the real ones.
func TestMain(m *testing.M) {
	if os.Getenv("GATE_RUNNER_TEST_AS_COMMAND") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func anywhere(netip.Addr) error { return nil }

func encode(t *testing.T, s evidence.RunSpec) []byte {
	t.Helper()
	s.Nonce, s.Subject = nonce, subject
	raw, err := evidence.EncodeRun(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func loadSpec(url string) evidence.RunSpec {
	return evidence.RunSpec{Order: &evidence.LoadSpec{URL: url, Method: "GET", MaxInFlight: 50, Timeout: seconds(10), Within: seconds(1),
		MaxLag: seconds(5), Steps: []evidence.Step{{RatePerSecond: "50", Duration: seconds(0.2)}}}}
}

func isolationSpec(address string, deadline evidence.Duration) evidence.RunSpec {
	return evidence.RunSpec{Order: &evidence.IsolationSpec{Deadline: deadline, Targets: []evidence.Target{
		{Name: "canary", Network: "tcp", Address: address, Mode: "connect", Settle: evidence.SettleReached, Timeout: seconds(1)}}}}
}

func seconds(n float64) evidence.Duration { return evidence.Duration(n * float64(time.Second)) }

func TestRunHandsOverEvidence(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "http://")
	for name, spec := range map[string]evidence.RunSpec{
		"isolation": isolationSpec(address, seconds(5)),
		"load":      loadSpec(s.URL),
		"integration": {Order: &evidence.IntegrationSpec{Deadline: seconds(5), Checks: []evidence.Check{
			{Name: "lms", Kind: "http", Address: s.URL, Path: "/", Timeout: seconds(1)}}}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := runner{guard: anywhere, stdout: &log, terminationPath: filepath.Join(t.TempDir(), "termination-log")}
			if err := r.run(t.Context(), encode(t, spec)); err != nil {
				t.Fatal(err)
			}
			opened, err := evidence.Open(contentOf(t, r.terminationPath), log.Bytes(), evidence.Expect{Nonce: nonce, Subject: subject, Kind: spec.Kind()})
			if err != nil {
				t.Fatal(err)
			}
			if opened.Report.Kind() != spec.Kind() {
				t.Errorf("got %s", opened.Report.Kind())
			}
		})
	}
}

func TestRunSaysWhyItMeasuredNothing(t *testing.T) {
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		raw  []byte
		out  failing
		want string
	}{
		"stopped": {ctx: stopped, raw: encode(t, isolationSpec("127.0.0.1:1", seconds(60))), want: "stopped"},
		"invalid": {ctx: t.Context(), raw: bytes.Replace(encode(t, isolationSpec("127.0.0.1:1", seconds(1))), []byte(`"tcp"`), []byte(`"sctp"`), 1),
			want: "AFFINEUR_RUN can't be used"},
		"log is closed": {ctx: t.Context(), raw: encode(t, isolationSpec("127.0.0.1:1", seconds(0.001))), out: true,
			want: "can't be written"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runner{guard: anywhere, stdout: c.out, terminationPath: filepath.Join(t.TempDir(), "termination-log")}
			if err := r.run(c.ctx, c.raw); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			_, err := evidence.Open(contentOf(t, r.terminationPath), nil, evidence.Expect{Nonce: nonce, Subject: subject, Kind: evidence.KindIsolation})
			var refused *evidence.Error
			if !errors.As(err, &refused) || refused.Problem != evidence.ProblemRunFailed || !strings.Contains(refused.Detail, c.want) {
				t.Errorf("the envelope says %v", err)
			}
		})
	}
}

// failing is a log that takes nothing, when true.
type failing bool

func (f failing) Write(p []byte) (int, error) {
	if f {
		return 0, errors.New("closed")
	}
	return len(p), nil
}

func contentOf(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// command runs the real command in a process of its own.
func command(t *testing.T, run []byte, args ...string) (cmd *exec.Cmd, termination string, stdout, stderr *bytes.Buffer) {
	t.Helper()
	termination = filepath.Join(t.TempDir(), "termination-log")
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "GATE_RUNNER_TEST_AS_COMMAND=1", evidence.TerminationPathEnv+"="+termination, evidence.RunEnv+"="+string(run))
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, termination, stdout, stderr
}

func TestCommandMeasuresUnreachable(t *testing.T) {
	cmd, termination, stdout, stderr := command(t, encode(t, isolationSpec("127.0.0.1:1", seconds(0.001))), "run")
	if err := cmd.Run(); err != nil {
		t.Fatalf("an unreachable target is a measurement: %v: %s", err, stderr)
	}
	opened, err := evidence.Open(contentOf(t, termination), stdout.Bytes(), evidence.Expect{Nonce: nonce, Subject: subject, Kind: evidence.KindIsolation})
	if err != nil {
		t.Fatal(err)
	}
	if got := evidence.As[evidence.IsolationReport](opened.Report.Result).Target("canary"); got == nil || got.Class != evidence.ClassRefused {
		t.Errorf("got %+v", got)
	}
	if stderr.Len() != 0 {
		t.Errorf("standard error could garble the report: %s", stderr)
	}
}

func TestCommandRefusesLoopbackForLoad(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") }))
	defer s.Close()
	cmd, termination, stdout, stderr := command(t, encode(t, loadSpec(s.URL)), "run")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	opened, err := evidence.Open(contentOf(t, termination), stdout.Bytes(), evidence.Expect{Nonce: nonce, Subject: subject, Kind: evidence.KindLoad})
	if err != nil {
		t.Fatal(err)
	}
	if got := evidence.As[evidence.LoadReport](opened.Report.Result).Steps[0]; got.LimitedBy != evidence.LimitAddress {
		t.Errorf("got %+v", got)
	}
}

func TestCommandStopsOnSIGTERM(t *testing.T) {
	l := httptest.NewServer(nil)
	l.Close()
	cmd, termination, _, stderr := command(t, encode(t, isolationSpec(strings.TrimPrefix(l.URL, "http://"), seconds(300))), "run")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Long enough to be at work; a signal that comes earlier kills the process, which the envelope would tell.
	time.Sleep(2 * time.Second)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v: %s", err, stderr)
	}
	_, err := evidence.Open(contentOf(t, termination), nil, evidence.Expect{Nonce: nonce, Subject: subject, Kind: evidence.KindIsolation})
	if err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("the envelope says %v", err)
	}
}

func TestCommandWithoutARun(t *testing.T) {
	cmd, termination, stdout, stderr := command(t, nil, "run")
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ended with %v", err)
	}
	if !strings.Contains(string(contentOf(t, termination)), evidence.RunEnv) || !strings.Contains(stderr.String(), evidence.RunEnv) || stdout.Len() != 0 {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}

// canary starts one on a port that was free a moment ago.
func canary(t *testing.T) (running *exec.Cmd, address, port string, stderr *bytes.Buffer) {
	t.Helper()
	free := httptest.NewServer(nil)
	address = strings.TrimPrefix(free.URL, "http://")
	free.Close()
	_, port, _ = strings.Cut(address, ":")
	running, _, _, stderr = command(t, nil, "canary", "--ports", port, "--health-port", "0")
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	return running, address, port, stderr
}

func TestCommandCanary(t *testing.T) {
	cmd, address, _, stderr := canary(t)
	spec := evidence.IsolationSpec{Deadline: seconds(30), Targets: []evidence.Target{
		{Name: "tcp", Network: "tcp", Address: address, Mode: "echo", Settle: evidence.SettleReached, Timeout: seconds(1)},
		{Name: "udp", Network: "udp", Address: address, Mode: "echo", Settle: evidence.SettleReached, Timeout: seconds(1)},
	}}
	report, err := probe.Isolation(t.Context(), spec, probe.Here{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Targets {
		if !r.Reached {
			t.Errorf("got %+v", r)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v: %s", err, stderr)
	}
}
