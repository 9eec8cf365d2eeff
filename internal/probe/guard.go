package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrForbiddenAddress means that a name resolved to an address that a runner must not touch.
var ErrForbiddenAddress = errors.New("the address is not one that a runner may touch")

// Guard decides whether an address may be dialled; an error that wraps ErrForbiddenAddress forbids it.
type Guard func(netip.Addr) error

// forbidden ranges: places where a node or a cloud serves its own secrets, and the runner itself.
var forbidden = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),          // this host; Linux dials 0.0.0.0 as loopback
	netip.MustParsePrefix("127.0.0.0/8"),        // loopback
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local, cloud metadata
	netip.MustParsePrefix("224.0.0.0/3"),        // multicast, reserved, broadcast
	netip.MustParsePrefix("100.100.100.200/32"), // metadata of one cloud, in shared address space
	netip.MustParsePrefix("168.63.129.16/32"),   // platform service of another, in public space
	netip.MustParsePrefix("::/127"),             // unspecified, loopback
	netip.MustParsePrefix("fe80::/10"),          // link-local
	netip.MustParsePrefix("ff00::/8"),           // multicast
	netip.MustParsePrefix("fd00:ec2::/32"),      // metadata over IPv6, in unique-local space
}

// embedding prefixes carry an IPv4 address in their last four bytes: IPv4-compatible (RFC 4291, 2.5.5.1) and the
// well-known prefix of NAT64 (RFC 6052). A translator on the way would turn them into the address inside.
var embedding = []netip.Prefix{
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
}

// RefuseSpecial is the Guard of a runner: it forbids loopback, link-local, multicast and unspecified addresses and
// the metadata services of clouds, also where an IPv6 address embeds them. Private ranges are allowed: pods live there.
func RefuseSpecial(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return ErrForbiddenAddress
	}
	for _, p := range embedding {
		if p.Contains(addr) {
			b := addr.As16()
			if err := RefuseSpecial(netip.AddrFrom4([4]byte(b[12:]))); err != nil {
				return err
			}
		}
	}
	for _, p := range forbidden {
		if p.Contains(addr) {
			return ErrForbiddenAddress
		}
	}
	return nil
}

// DialContext dials like net.Dialer, but asks the guard about the address that the name resolved to, at the moment
// of connecting: between a check made earlier and the dial, a name could change its address.
func (g Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 30 * time.Second, Control: g.control}
	return d.DialContext(ctx, network, address)
}

func (g Guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return ErrForbiddenAddress
	}
	return g(to.Addr())
}
