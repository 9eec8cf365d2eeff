package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// probeTime bounds one connection.
	probeTime = 5 * time.Second
	// NoHealth in place of a port: nobody asks over HTTP.
	NoHealth = -1
)

// Canary is a target that probes try to reach: it answers on some ports over TCP and UDP, and on another port says
// over HTTP (/healthz) that it does. Over TCP it also lets two runs find each other (lobby.go).
type Canary struct {
	started time.Time
	tcp     []net.Listener
	udp     []net.PacketConn
	health  net.Listener
	lobby   lobby
}

// ListenCanary opens all ports or none. An empty host means all addresses.
func ListenCanary(ctx context.Context, host string, ports []int, healthPort int) (*Canary, error) {
	if len(ports) == 0 {
		return nil, errors.New("a canary needs at least one port")
	}
	c := &Canary{}
	if err := c.listen(ctx, host, ports, healthPort); err != nil {
		c.close()
		return nil, err
	}
	c.started = time.Now()
	return c, nil
}

func (c *Canary) listen(ctx context.Context, host string, ports []int, healthPort int) error {
	var lc net.ListenConfig
	for _, port := range ports {
		address := net.JoinHostPort(host, strconv.Itoa(port))
		l, err := lc.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		c.tcp = append(c.tcp, l)
		p, err := lc.ListenPacket(ctx, "udp", address)
		if err != nil {
			return err
		}
		c.udp = append(c.udp, p)
	}
	if healthPort == NoHealth {
		return nil
	}
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(healthPort)))
	if err != nil {
		return err
	}
	c.health = l
	return nil
}

// close ends all listeners. What closing one says is of no use to anybody.
func (c *Canary) close() {
	for _, l := range c.tcp {
		_ = l.Close()
	}
	for _, p := range c.udp {
		_ = p.Close()
	}
	if c.health != nil {
		_ = c.health.Close()
	}
}

// Serve answers until the context ends, which is no error, or a listener breaks. One broken port ends it all: a
// canary that answers on some of its ports only would make the others look blocked.
func (c *Canary) Serve(ctx context.Context) error {
	g, working := errgroup.WithContext(ctx)
	context.AfterFunc(working, c.close)
	for _, l := range c.tcp {
		g.Go(func() error { return c.serveTCP(l) })
	}
	for _, p := range c.udp {
		g.Go(func() error { return c.serveUDP(p) })
	}
	if c.health != nil {
		g.Go(c.serveHealth)
	}
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (c *Canary) serveTCP(l net.Listener) error {
	var room floor
	for {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		place := room.enter(conn)
		go func() {
			defer room.leave(place)
			c.converse(conn)
		}()
	}
}

// converse is one line there and one line back.
func (c *Canary) converse(conn net.Conn) {
	if conn.SetDeadline(time.Now().Add(probeTime)) != nil {
		return
	}
	line, err := bufio.NewReaderSize(conn, maxLine).ReadSlice('\n')
	if err != nil {
		return
	}
	out := answer(line, time.Since(c.started))
	if out == nil {
		out = c.lobby.answer(line, sourceOf(conn.RemoteAddr()), time.Now())
	}
	// A probe that does not wait for its answer is its own business.
	_, _ = conn.Write(out)
}

func (c *Canary) serveUDP(p net.PacketConn) error {
	buf := make([]byte, maxLine)
	for {
		n, from, err := p.ReadFrom(buf)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if out := answer(buf[:n], time.Since(c.started)); out != nil {
			// A datagram may get lost anyway; the probe asks again.
			_, _ = p.WriteTo(out, from)
		}
	}
}

func (c *Canary) serveHealth() error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	s := &http.Server{Handler: mux, ReadTimeout: probeTime, WriteTimeout: probeTime, MaxHeaderBytes: 8 << 10}
	return s.Serve(c.health)
}
