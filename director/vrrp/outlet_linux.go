package vrrp

import (
	"errors"
	"fmt"
	"net/netip"

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
