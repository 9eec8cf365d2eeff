// Package faults plays systems that are slow or down, and sees what a prototype makes of it: whether people still get an
// answer, or hear in time that there is none, and whether the program itself lives on.
//
// What is played passes nothing on to anybody and learns nothing: the prototype is given no real credential, and what it
// sends is thrown away unseen.
package faults

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// conduct is how a played system behaves.
type conduct string

const (
	// standsIn answers as a model would, so that a prototype is not stopped by what is not tried.
	standsIn conduct = "standsIn"
	// away has nobody listen.
	away    = conduct(evidence.FaultRefused)
	slow    = conduct(evidence.FaultSlow)
	reset   = conduct(evidence.FaultReset)
	failing = conduct(evidence.FaultError)
	garbage = conduct(evidence.FaultGarbage)
)

const (
	// longest is how long a single connection is held at most: longer than any prototype is given.
	longest = 2 * time.Minute
	// silence is what divides what comes over one connection.
	silence = apart / 2
	// holdsEvery has a slow system say nothing at all on every third connection, and begin to answer on the others: of two
	// in a row one begins, whether the first was for the health or for a request, and of as many as there are requests one
	// says nothing.
	holdsEvery = evidence.FaultRequests
)

// stage is one played system. Its conduct changes from phase to phase.
type stage struct {
	played evidence.Played
	host   string
	config *tls.Config

	mutex    sync.Mutex
	conduct  conduct
	listener net.Listener
	open     map[net.Conn]bool
	contacts int
	// asked tells that requests are at work. before are the contacts from before this part of the phase, and heard is how
	// often something came in it.
	asked         bool
	before, heard int
}

func newStage(host string, played evidence.Played, config *tls.Config) *stage {
	return &stage{played: played, host: host, config: config, open: map[net.Conn]bool{}, conduct: away}
}

// behave ends what there was, and begins anew. What was open is closed: a connection from before would not meet the
// conduct of now.
func (s *stage) behave(ctx context.Context, now conduct) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.listener != nil {
		_ = s.listener.Close()
		s.listener = nil
	}
	for conn := range s.open {
		_ = conn.Close()
	}
	s.conduct, s.contacts, s.asked, s.before, s.heard = now, 0, false, 0, 0
	if now == away {
		return nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", net.JoinHostPort(s.host, strconv.Itoa(s.played.Port)))
	if err != nil {
		return err
	}
	s.listener = listener
	go s.accept(ctx, listener, now)
	return nil
}

func (s *stage) accept(ctx context.Context, listener net.Listener, now conduct) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			// No file left for the moment; what is open gives some back.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		g := s.enter(listener, conn)
		if g == nil {
			_ = conn.Close()
			continue
		}
		go func() {
			defer s.leave(conn)
			s.serve(ctx, g, now)
		}()
	}
}

// enter counts a connection; nil if it belongs to a phase that has ended.
func (s *stage) enter(listener net.Listener, conn net.Conn) *guest {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.listener != listener {
		return nil
	}
	s.contacts++
	s.open[conn] = true
	return &guest{Conn: conn, stage: s, listener: listener, nth: s.contacts, inPart: s.contacts - s.before, last: time.Now()}
}

func (s *stage) leave(conn net.Conn) {
	_ = conn.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.open, conn)
}

// seen is how many connections were made since the conduct began, and how many of them are open.
func (s *stage) seen() (contacts, open int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.contacts, len(s.open)
}

// part ends a part of the phase that began at a time, and begins the next one, with requests at work or without.
func (s *stage) part(began time.Time, asked bool) evidence.FaultWindow {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	ended := evidence.FaultWindow{Contacts: s.contacts - s.before, Heard: s.heard, ElapsedMicroseconds: evidence.MicrosOf(time.Since(began))}
	s.asked, s.before, s.heard = asked, s.contacts, 0
	return ended
}

// guest is a connection that the prototype made.
type guest struct {
	net.Conn
	stage    *stage
	listener net.Listener
	// nth it is of its phase, and inPart of the part in which it was made.
	nth, inPart int
	// last is when something came over it, or when it was made.
	last time.Time
}

// Read notes that something came.
func (g *guest) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if n > 0 {
		g.stage.hear(g)
	}
	return n, err
}

// hear counts what comes after a silence: a long message is one, and so is a new connection with what comes at once. A
// connection that is made for a request is a contact already.
func (s *stage) hear(g *guest) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	silent := time.Since(g.last) >= silence
	g.last = time.Now()
	if silent && s.listener == g.listener && (!s.asked || g.nth <= s.before) {
		s.heard++
	}
}

func (s *stage) serve(ctx context.Context, g *guest, now conduct) {
	conn := g.Conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(longest))
	if now == reset {
		breakOff(conn)
		return
	}
	if s.config != nil && !s.played.Blind {
		secured := tls.Server(conn, s.config)
		if secured.HandshakeContext(ctx) != nil {
			return
		}
		g.Conn, g.last = secured, time.Now()
	}
	switch {
	case now == slow && (g.inPart%holdsEvery == 0 || s.played.Blind || !s.speaksHTTP()):
		hold(g)
	case !s.speaksHTTP():
		_, _ = g.Write([]byte(noise))
	default:
		converse(g, now)
	}
}

func (s *stage) speaksHTTP() bool {
	return s.played.Speaks == evidence.CheckHTTP || s.played.Speaks == evidence.CheckHTTPS
}

// breakOff ends a connection with a RST instead of an orderly end.
func breakOff(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
}

// hold reads whatever comes until the other side is gone, and says nothing.
func hold(conn net.Conn) {
	buffer := make([]byte, 4<<10)
	for {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}
