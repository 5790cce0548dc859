package vrrp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// outlet is a socket that sends. What it needs for one message is kept, so that sending allocates
// nothing.
type outlet struct {
	socket
	index   int
	v6      bool
	out     []byte
	control []byte // the source of IPv6
	from    netip.Addr
	to4     unix.SockaddrInet4
	to6     unix.SockaddrInet6
	send    func(fd uintptr)
	failed  error
}

// Through opens an outlet of an interface and family in the caller's network namespace. It receives
// nothing and joins no group. It is how the adverts of a router with a virtual MAC leave: through a
// macvlan that has the MAC, from an address of the interface below it, at whose [Conn] they are received.
// For IPv6 the macvlan needs no address, but IPv6 must not be disabled on it.
func Through(iface string, v6 bool) (Outlet, error) {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("send through %s: %w", iface, err)
	}
	s, err := open(ifi, v6, Protocol, []bpf.Instruction{bpf.RetConstant{Val: 0}}, false)
	if err != nil {
		return nil, fmt.Errorf("send through %s: %w", iface, err)
	}
	if v6 { // the source is the address of another interface
		err = s.do(func(fd int) error {
			return set(fd, []option{{"IPV6_FREEBIND", unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1}})
		})
	}
	if err != nil {
		return nil, fmt.Errorf("send through %s: %w", iface, errors.Join(err, s.file.Close()))
	}
	o := &outlet{}
	o.init(s, ifi.Index, v6)
	return o, nil
}

func (o *outlet) init(s socket, index int, v6 bool) {
	o.socket, o.index, o.v6 = s, index, v6
	o.to6.ZoneId = uint32(index)
	o.send = func(fd uintptr) {
		if o.v6 {
			o.failed = unix.Sendmsg(int(fd), o.out, o.control, &o.to6, unix.MSG_DONTWAIT)
			return
		}
		o.failed = unix.Sendmsg(int(fd), o.out, nil, &o.to4, unix.MSG_DONTWAIT)
	}
}

// Send implements [Outlet].
func (o *outlet) Send(src, dst netip.Addr, advert []byte) error {
	o.out = o.out[:0]
	if o.v6 {
		if o.from != src {
			o.from, o.control = src, unix.PktInfo6(&unix.Inet6Pktinfo{Addr: src.As16(), Ifindex: uint32(o.index)})
		}
		o.to6.Addr = dst.As16()
	} else {
		o.out = header4(o.out, src, dst)
		o.to4.Addr = dst.As4()
	}
	o.out = append(o.out, advert...)
	if err := errors.Join(o.raw.Control(o.send), o.failed); err != nil {
		return fmt.Errorf("send advert from %v to %v: %w", src, dst, err)
	}
	return nil
}

// Close implements [Outlet].
func (o *outlet) Close() error { return o.file.Close() }
