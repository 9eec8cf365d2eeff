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

// longest is how long a single connection is held at most: longer than any prototype is given.
const longest = 2 * time.Minute

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
	s.conduct, s.contacts = now, 0
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
		nth := s.enter(listener, conn)
		if nth == 0 {
			_ = conn.Close()
			continue
		}
		go func() {
			defer s.leave(conn)
			s.serve(ctx, conn, now, nth)
		}()
	}
}

// enter counts a connection and gives it its number, 0 if it belongs to a phase that has ended.
func (s *stage) enter(listener net.Listener, conn net.Conn) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.listener != listener {
		return 0
	}
	s.contacts++
	s.open[conn] = true
	return s.contacts
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

// window is what was seen since a time, without the contacts from before.
func (s *stage) window(began time.Time, before int) evidence.FaultWindow {
	contacts, _ := s.seen()
	return evidence.FaultWindow{Contacts: contacts - before, ElapsedMicroseconds: evidence.MicrosOf(time.Since(began))}
}

func (s *stage) serve(ctx context.Context, conn net.Conn, now conduct, nth int) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(longest))
	if now == reset {
		breakOff(conn)
		return
	}
	spoken := conn
	if s.config != nil && !s.played.Blind {
		secured := tls.Server(conn, s.config)
		if secured.HandshakeContext(ctx) != nil {
			return
		}
		spoken = secured
	}
	switch {
	case now == slow && (nth%2 == 1 || s.played.Blind || !s.speaksHTTP()):
		hold(spoken)
	case !s.speaksHTTP():
		_, _ = spoken.Write([]byte(noise))
	default:
		converse(spoken, now)
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
