package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type conn struct {
	outlet
	ifi    *net.Interface
	filter Filter
	meter  meter
	oob    []byte
	second bool // the socket for adverts with an Authentication Header is read first

	mu     sync.Mutex             // guards changes of ah, since Close comes from anywhere
	ah     atomic.Pointer[socket] // nil unless the filter asks for it
	closed bool

	// waiting is an epoll descriptor of the sockets, since Wait must see one that is opened later.
	waiting *os.File
	poll    syscall.RawConn

	receive func(fd uintptr)
	got     struct {
		buf     []byte
		n, oobn int
		from    unix.Sockaddr
		err     error
	}
}

// Listen opens the raw socket of one interface and family in the caller's network namespace. It
// joins the multicast group on that interface alone, and hears nothing that was sent to another one. Its
// filter is the zero [Filter].
func Listen(iface string, v6 bool) (Conn, error) {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", iface, err)
	}
	s, err := open(ifi, v6, Protocol, compiler{}.program(Filter{}, v6, 0), true)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", iface, err)
	}
	c := &conn{ifi: ifi, oob: make([]byte, 256)}
	c.init(s, ifi.Index, v6)
	c.receive = func(fd uintptr) {
		c.got.n, c.got.oobn, _, c.got.from, c.got.err = unix.Recvmsg(int(fd), c.got.buf, c.oob, unix.MSG_DONTWAIT)
	}
	if err := c.watch(); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", iface, errors.Join(err, s.file.Close()))
	}
	return c, nil
}

// watch opens the epoll descriptor.
func (c *conn) watch() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open an epoll descriptor: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the runtime waits at it
		unix.Close(fd)
		return fmt.Errorf("open an epoll descriptor: %w", err)
	}
	c.waiting = os.NewFile(uintptr(fd), "vrrp epoll")
	if c.poll, err = c.waiting.SyscallConn(); err == nil {
		err = c.await(c.socket)
	}
	if err != nil {
		return errors.Join(err, c.waiting.Close())
	}
	return nil
}

// await adds a socket to those that Wait waits at.
func (c *conn) await(s socket) error {
	var failed error
	err := c.poll.Control(func(poll uintptr) {
		failed = s.do(func(fd int) error {
			return unix.EpollCtl(int(poll), unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		})
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("wait at the socket: %w", err)
	}
	return nil
}

// SetFilter implements [Conn].
func (c *conn) SetFilter(f Filter) error {
	if turned := c.meter.turn(time.Now()); f == c.filter && !turned {
		return nil
	}
	return c.setFilter(f)
}

func (c *conn) setFilter(f Filter) error {
	err := c.do(func(fd int) error { return attach(fd, compiler{c.meter.strict}.program(f, c.v6, 0)) })
	if err == nil {
		err = c.filterAH(f)
	}
	if err != nil {
		return fmt.Errorf("set the filter of %s: %w", c.ifi.Name, err)
	}
	c.filter = f
	return nil
}

// filterAH opens, filters or closes the socket for adverts with an Authentication Header. What one of
// protocol 112 hears never has one.
func (c *conn) filterAH(f Filter) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	program, ah := compiler{c.meter.strict}.program(f, false, ahLen), c.ah.Load()
	switch {
	case c.v6 || c.closed || !f.AH && ah == nil:
		return nil
	case !f.AH:
		c.ah.Store(nil)
		return ah.file.Close()
	case ah != nil:
		return ah.do(func(fd int) error { return attach(fd, program) })
	}
	s, err := open(c.ifi, false, protocolAH, program, true)
	if err != nil {
		return err
	}
	if err := c.await(s); err != nil {
		return errors.Join(err, s.file.Close())
	}
	c.ah.Store(&s)
	return nil
}

// Receive implements [Conn].
func (c *conn) Receive(buf []byte) (Datagram, bool, error) {
	ah := c.ah.Load()
	if ah == nil {
		return c.read(c.socket, buf)
	}
	first, then := c.socket, *ah
	if c.second = !c.second; c.second { // in turn, so that a flood of one is not at the cost of the other
		first, then = then, first
	}
	d, ok, err := c.read(first, buf)
	if ok || err != nil {
		return d, ok, err
	}
	return c.read(then, buf)
}

func (c *conn) read(s socket, buf []byte) (Datagram, bool, error) {
	c.got.buf = buf
	for {
		err := s.raw.Control(c.receive)
		switch {
		case err == nil && errors.Is(c.got.err, unix.EAGAIN):
			c.meter.empty()
			return Datagram{}, false, nil
		case err == nil && errors.Is(c.got.err, unix.EINTR):
			continue
		case err != nil || c.got.err != nil:
			return Datagram{}, false, fmt.Errorf("receive advert: %w", errors.Join(err, c.got.err))
		}
		d, ok := c.datagram(s, buf[:c.got.n], c.oob[:c.got.oobn], c.got.from)
		if why, cut := rejected(c.got.n); cut {
			return c.reject(why, d.Lost)
		}
		if !ok {
			return Datagram{Rejected: DropLength, Count: 1, Lost: d.Lost}, true, nil
		}
		return d, true, nil
	}
}

// reject counts a datagram that the filter did not let pass.
func (c *conn) reject(why Drop, lost uint64) (Datagram, bool, error) {
	now := time.Now()
	d := Datagram{Rejected: why, Count: c.meter.count(now), Lost: lost}
	if c.meter.turn(now) {
		return d, true, c.setFilter(c.filter)
	}
	return d, true, nil
}

// datagram reads what came from a socket, and reports whether it is one.
func (c *conn) datagram(s socket, b, oob []byte, from unix.Sockaddr) (Datagram, bool) {
	d, ok := Datagram{Payload: b}, true
	if sa, v6 := from.(*unix.SockaddrInet6); v6 {
		d.Src = netip.AddrFrom16(sa.Addr)
	} else {
		d, ok = parse4(b)
	}
	for len(oob) >= unix.SizeofCmsghdr {
		header, value, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return d, false
		}
		oob = rest
		switch level, kind := int(header.Level), int(header.Type); {
		case level == unix.IPPROTO_IP && kind == unix.IP_RECVFRAGSIZE, level == unix.IPPROTO_IPV6 && kind == unix.IPV6_RECVFRAGSIZE:
			d.Fragment = true
		case level == unix.SOL_SOCKET && kind == unix.SO_RXQ_OVFL && len(value) >= 4:
			lost := binary.NativeEndian.Uint32(value)
			d.Lost, *s.lost = uint64(lost-*s.lost), lost
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(value) >= 16:
			d.Dst = netip.AddrFrom16([16]byte(value[:16]))
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_HOPLIMIT && len(value) >= 1:
			d.TTL = int(value[0])
			if d.TTL == 0 && len(value) >= 4 {
				d.TTL = int(value[3]) // an int in the host's byte order
			}
		}
	}
	return d, ok
}

// Wait implements [Conn].
func (c *conn) Wait() error {
	var failed error
	err := c.poll.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			failed = err
		}
		return n > 0 || failed != nil
	})
	if err := errors.Join(err, failed); err != nil {
		return fmt.Errorf("wait for adverts: %w", err)
	}
	return nil
}

// Close implements [Conn]. It leaves the multicast group, too.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.waiting.SetDeadline(time.Now()) // wakes Wait
	err := errors.Join(c.waiting.Close(), c.file.Close())
	if ah := c.ah.Load(); ah != nil {
		err = errors.Join(err, ah.file.Close())
	}
	return err
}
