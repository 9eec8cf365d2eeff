package probe

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// The canary's protocol is one line there and one line back, over TCP or as one datagram each over UDP:
//
//	affineur-probe/1 NONCE
//	affineur-canary/1 NONCE UPTIME
//
// NONCE is a fresh random text of the probe: only something that got this very request can repeat it. UPTIME is how
// long the canary has been listening, in milliseconds. It is what makes a later sighting count for the past: a
// canary that is seen now and has been up for a minute was up when somebody else failed to reach it.
const (
	probeWord  = "affineur-probe/1"
	canaryWord = "affineur-canary/1"
	// maxLine bounds a line of the protocol.
	maxLine = 256
)

var errNoEcho = errors.New("the answer is not the canary's")

func newNonce() string { return rand.Text() }

func request(nonce string) []byte { return []byte(probeWord + " " + nonce + "\n") }

// answer gives the canary's answer to a line, or nil for a line that is no probe.
func answer(line []byte, uptime time.Duration) []byte {
	nonce, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte(probeWord+" "))
	if !ok || len(nonce) < 8 || len(nonce) > 64 || bytes.ContainsFunc(nonce, notAlphanumeric) {
		return nil
	}
	return fmt.Appendf(nil, "%s %s %d\n", canaryWord, nonce, uptime.Milliseconds())
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// parseAnswer reads the canary's uptime from its answer to nonce.
func parseAnswer(line []byte, nonce string) (time.Duration, error) {
	rest, ok := bytes.CutPrefix(bytes.TrimRight(line, "\r\n"), []byte(canaryWord+" "+nonce+" "))
	if !ok {
		return 0, errNoEcho
	}
	ms, err := strconv.ParseUint(string(rest), 10, 48)
	if err != nil {
		return 0, errNoEcho
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// askTCP sends a probe over an open connection and reads the canary's uptime.
func askTCP(conn net.Conn) (time.Duration, error) {
	nonce := newNonce()
	if _, err := conn.Write(request(nonce)); err != nil {
		return 0, err
	}
	line, err := bufio.NewReaderSize(conn, maxLine).ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	return parseAnswer(line, nonce)
}

// askUDP sends a probe up to four times within timeout, because datagrams get lost, and reads the canary's uptime.
func askUDP(ctx context.Context, conn net.Conn, timeout time.Duration) (time.Duration, error) {
	const tries = 4
	nonce, buf := newNonce(), make([]byte, maxLine)
	var err error
	for range tries {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if _, err = conn.Write(request(nonce)); err != nil {
			return 0, err
		}
		if err = conn.SetReadDeadline(time.Now().Add(timeout / tries)); err != nil {
			return 0, err
		}
		var n int
		if n, err = conn.Read(buf); err == nil {
			return parseAnswer(buf[:n], nonce)
		}
		var late net.Error
		if !errors.As(err, &late) || !late.Timeout() {
			return 0, err
		}
	}
	return 0, err
}
