package probe

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

const (
	// maxProbes bounds the connections that one port of a canary serves at once, and maxOfSource those of one source.
	// Some network plugins let many pods of a node appear under one address, so it is more than a run needs.
	maxProbes   = 256
	maxOfSource = 32
)

// floor holds the connections that are served on one port. Where there is no room for one more, the oldest goes, of the
// same source first: a run says its line at once and leaves, so whoever lingers is none, and a flood only displaces
// itself.
type floor struct {
	mutex sync.Mutex
	// guests from the oldest on, and how many there are of each source.
	guests list.List
	of     map[netip.Prefix]int
}

// guest is one connection.
type guest struct {
	conn net.Conn
	from netip.Prefix
}

func (f *floor) enter(conn net.Conn) *list.Element {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	from := sourceOf(conn.RemoteAddr())
	switch {
	case f.of[from] >= maxOfSource:
		f.show(f.oldest(from))
	case f.guests.Len() >= maxProbes:
		f.show(f.guests.Front())
	}
	if f.of == nil {
		f.of = map[netip.Prefix]int{}
	}
	f.of[from]++
	return f.guests.PushBack(&guest{conn: conn, from: from})
}

func (f *floor) leave(e *list.Element) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.show(e)
}

// show somebody out; who has left already is no matter.
func (f *floor) show(e *list.Element) {
	g := e.Value.(*guest)
	_ = g.conn.Close()
	before := f.guests.Len()
	f.guests.Remove(e)
	if f.guests.Len() == before {
		return
	}
	if f.of[g.from]--; f.of[g.from] == 0 {
		delete(f.of, g.from)
	}
}

func (f *floor) oldest(from netip.Prefix) *list.Element {
	e := f.guests.Front()
	for e.Value.(*guest).from != from {
		e = e.Next()
	}
	return e
}

// sourceOf is who shares an address: of IPv6, whoever has one has the whole /64.
func sourceOf(address net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return netip.Prefix{}
	}
	bits, from := 64, at.Addr().Unmap().WithZone("")
	if from.Is4() {
		bits = 32
	}
	source, err := from.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return source
}
