package load

import (
	"context"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// Whatever a subject answers, an exchange ends, as one of the things that can become of an answer.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nok", "HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 999 \r\n\r\n", "HTTP/9.9 200\r\n\r\n", "\x16\x03\x01\x00\x05", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	} {
		f.Add([]byte(seed), []byte(seed))
	}
	known := []end{succeeded, timedOut, notConnected, serverError, otherStatus, shortRead}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		answers := make(chan []byte, 2)
		answers <- one
		answers <- two
		dial := func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer func() { _ = theirs.Close() }()
				for buffer := make([]byte, 4096); ; {
					if _, err := theirs.Read(buffer); err != nil {
						return
					}
					select {
					case answer := <-answers:
						if _, err := theirs.Write(answer); err != nil {
							return
						}
					default:
						return
					}
				}
			}()
			return ours, nil
		}
		g, err := newGenerator(evidence.LoadSpec{URL: "http://subject.sandbox.svc/", Method: http.MethodGet, Timeout: evidence.Duration(3 * ms)}, dial)
		if err != nil {
			t.Fatal(err)
		}
		defer g.end()
		l := &line{g: g}
		defer l.drop()
		for range 2 {
			what, at := l.exchange(t.Context(), time.Now())
			if !slices.Contains(known, what) || what == succeeded && (at.first <= 0 || at.first > at.last) {
				t.Errorf("%d at %+v", what, at)
			}
			if l.conn != nil && l.in.Buffered() > 0 {
				t.Error("a connection is used again with an answer left in it")
			}
		}
	})
}
