package load

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// trivialEnv makes this test's program a trivial server in a process of its own.
const trivialEnv = "AFFINEUR_TEST_TRIVIAL_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(trivialEnv) != "" {
		if err := serveTrivially(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveTrivially answers every request with the same bytes, as cheaply as can be, until its standard input ends.
func serveTrivially() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = listener.Close()
	}()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return nil
		}
		go answerTrivially(conn)
	}
}

func answerTrivially(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 101\r\n\r\n" +
		`{"answer":"Your membership ends in March.","confidence":0.93,"sources":["statutes","fees"],"took":12}`)
	for buffer, have := make([]byte, 4096), 0; ; {
		n, err := conn.Read(buffer[have:])
		if err != nil {
			return
		}
		if have += n; bytes.HasSuffix(buffer[:have], []byte("\r\n\r\n")) {
			have = 0
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	}
}

func trivialServer(b *testing.B) string {
	b.Helper()
	program := exec.CommandContext(b.Context(), os.Args[0])
	program.Env, program.Stderr = append(os.Environ(), trivialEnv+"=1"), os.Stderr
	in, err := program.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := program.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := program.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = program.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + strings.TrimSpace(address) + "/"
}

// BenchmarkTrivialServer tells how fast the generator is, how late, and how much of a processor that takes. With
// GOMAXPROCS=1 it has one core; the server is another process. See docs/gates.md.
func BenchmarkTrivialServer(b *testing.B) {
	url := trivialServer(b)
	for _, rate := range []string{"100", "1000", "5000", "10000", "20000", "30000", "40000"} {
		b.Run(rate+"/s", func(b *testing.B) {
			ask := spec(url, rate, 3*time.Second)
			ask.Alone = &evidence.Alone{Most: 10, Duration: evidence.Duration(time.Second)}
			ask.WarmUp = &evidence.Step{RatePerSecond: rate, Duration: evidence.Duration(time.Second)}
			for b.Loop() {
				got := measure(b, ask).Steps[0]
				b.ReportMetric(float64(got.Succeeded)/3, "answers/s")
				b.ReportMetric(float64(got.Failures.Total()+got.Skipped), "lost")
				b.ReportMetric(float64(got.Latency.P50), "p50-µs")
				b.ReportMetric(float64(got.Latency.P99), "p99-µs")
				b.ReportMetric(float64(got.Lag.P50), "lag-p50-µs")
				b.ReportMetric(float64(got.Lag.P99), "lag-p99-µs")
				b.ReportMetric(100*float64(got.Generator.Processor)/3e6, "%-of-a-core")
				b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "cores")
			}
		})
	}
}
