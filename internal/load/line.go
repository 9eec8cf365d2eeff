package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"math"
	"net"
	"net/http"
	"time"
)

const (
	// maxHeader bounds what an answer's header may take of the generator's memory.
	maxHeader = 64 << 10
	// maxInterim is how many interim answers (1xx) may come before the answer.
	maxInterim = 8
)

// line is one connection to the subject and the goroutine that uses it, for one request at a time. It reads answers with
// the parser of net/http, but without its transport: that has two goroutines more for every connection and hands each
// request around among them, which on one core costs more than the exchange itself.
type line struct {
	g     *generator
	shard int
	// work brings the next arrival while the line waits among the idle ones; closing it ends the line.
	work chan arrival

	conn   net.Conn
	header *allowance
	in     *bufio.Reader
	// used tells that the connection has carried an answer before, and carried how many it has.
	used    bool
	carried int
	buffer  []byte
	// seen is what the newest good answer looked like.
	seen shape
}

// arrival is one request that is due.
type arrival struct {
	due   time.Time
	tally *tally
}

// moments are when an answer came, counted from when its request was due.
type moments struct {
	first, last time.Duration
}

// serve works off arrivals until the generator has no more for this line.
func (l *line) serve(ctx context.Context, a arrival) {
	defer l.drop()
	for ok := true; ok; a, ok = <-l.work {
		l.g.send(ctx, l, a)
		l.g.rest(l)
		l.g.sending.Done()
	}
}

// exchange sends one request and reads its answer to the last byte. Redirects are not followed: another address is
// another subject. Of the body no more is kept than what it looks like. A connection that the subject closed while it was idle
// is no failure of the subject: it is replaced, also when that shows only after sending, if the request may be sent
// twice, as clients of people do (RFC 9110, 9.2.2).
func (l *line) exchange(ctx context.Context, due time.Time) (end, moments) {
	deadline := due.Add(l.g.spec.Timeout.Std())
	if l.conn != nil && closedByPeer(l.conn) {
		l.drop()
	}
	for {
		if err := l.connect(ctx, deadline); err != nil {
			return broken(err, notConnected), moments{}
		}
		again := l.used && l.g.request.Method == http.MethodGet
		response, err := l.ask(ctx, deadline)
		if err == nil {
			return l.read(response, due)
		}
		silent := l.header.left == maxHeader
		l.drop()
		what := broken(err, notConnected)
		if !again || !silent || what != notConnected {
			return what, moments{}
		}
	}
}

// ask sends the request and reads the header of its answer.
func (l *line) ask(ctx context.Context, deadline time.Time) (*http.Response, error) {
	if err := l.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	// What ends the run sets a deadline in the past on all lines; the one above may have come after it.
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	l.header.left = maxHeader
	_, sendErr := l.conn.Write(l.g.wire)
	for range maxInterim {
		// A subject may answer and hang up before it has read everything.
		response, err := http.ReadResponse(l.in, l.g.request)
		switch {
		case err != nil && sendErr != nil:
			return nil, sendErr
		case err != nil:
			return nil, err
		case response.StatusCode < 100 || response.StatusCode > 199 || response.StatusCode == http.StatusSwitchingProtocols:
			return response, nil
		}
	}
	return nil, errInterim
}

// read reads the answer's body and keeps the connection if it can be used again.
func (l *line) read(response *http.Response, due time.Time) (end, moments) {
	l.header.left = math.MaxInt64
	var at moments
	var err error
	look := newLook(response)
	for n := 0; err == nil; {
		n, err = response.Body.Read(l.buffer)
		if look.take(l.buffer[:n]); look.began && at.first == 0 {
			at.first = time.Since(due)
		}
	}
	at.last = time.Since(due)
	if at.first == 0 {
		at.first = at.last
	}
	l.seen = look.shape(l.g.declared)
	whole := err == io.EOF
	l.carried++
	worn := l.g.spec.Reuse > 0 && l.carried >= l.g.spec.Reuse
	if l.used = whole; worn || !whole || response.Close || l.in.Buffered() > 0 || response.StatusCode == http.StatusSwitchingProtocols {
		l.drop()
	}
	switch {
	case response.StatusCode >= 500:
		return serverError, at
	case response.StatusCode < 200 || response.StatusCode > 299:
		return otherStatus, at
	case !whole:
		return broken(err, shortRead), at
	case !l.g.usual.takes(l.seen):
		return otherShape, at
	case !l.seen.declared:
		return notAsDeclared, at
	}
	return succeeded, at
}

// connect opens the connection where there is none. No HTTP/2, whose single connection would serialize the requests.
func (l *line) connect(ctx context.Context, deadline time.Time) error {
	if l.conn != nil {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := l.g.connect(ctx)
	if err != nil {
		return err
	}
	if l.g.tls != nil {
		secure := tls.Client(conn, l.g.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return err
		}
		conn = secure
	}
	l.header = &allowance{from: conn}
	if l.in == nil {
		l.in, l.buffer = bufio.NewReaderSize(l.header, 4<<10), make([]byte, 4<<10)
	}
	l.in.Reset(l.header)
	l.used, l.carried = false, 0
	l.g.opened(l, conn)
	return nil
}

func (l *line) drop() {
	if l.conn == nil {
		return
	}
	_ = l.conn.Close()
	l.g.closed(l)
}

// allowance is a reader that gives no more than it has left.
type allowance struct {
	from io.Reader
	left int64
}

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errHeader
	}
	n, err := a.from.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	return n, err
}
