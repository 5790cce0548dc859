package vrrp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// packetHost is the kernel's PACKET_HOST: the frame was sent to this host alone.
const packetHost = 0

type conn struct {
	index int
	v6    bool
	file  *os.File
	raw   syscall.RawConn
	oob   []byte
	out   []byte
}

// Listen opens the raw socket of one interface and family in the caller's network namespace. It
// joins the multicast group on that interface alone, and hears nothing that was sent to another one.
func Listen(iface string, v6 bool) (Conn, error) {
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", iface, err)
	}
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, Protocol)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: open a raw socket: %w", iface, err)
	}
	options := options4
	if v6 {
		options = options6
	}
	if err := options(fd, ifi); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", iface, err)
	}
	file := os.NewFile(uintptr(fd), "vrrp "+iface)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("listen on %s: %w", iface, err)
	}
	return &conn{index: ifi.Index, v6: v6, file: file, raw: raw, oob: make([]byte, 256)}, nil
}

// option is one setsockopt of an integer.
type option struct {
	name              string
	level, opt, value int
}

func set(fd int, options []option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	return nil
}

func options4(fd int, ifi *net.Interface) error {
	if err := attach(fd, false); err != nil {
		return err
	}
	if err := unix.BindToDevice(fd, ifi.Name); err != nil {
		return fmt.Errorf("bind to the device: %w", err)
	}
	err := set(fd, []option{
		{"IP_HDRINCL", unix.IPPROTO_IP, unix.IP_HDRINCL, 1},
		{"IP_MULTICAST_ALL", unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0},
		{"IP_MULTICAST_LOOP", unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0},
		{"IP_MULTICAST_TTL", unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, TTL},
		{"IP_RECVFRAGSIZE", unix.IPPROTO_IP, unix.IP_RECVFRAGSIZE, 1},
		{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 7},
	})
	if err != nil {
		return err
	}
	mreq := &unix.IPMreqn{Multiaddr: group4.As4(), Ifindex: int32(ifi.Index)}
	if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq); err != nil {
		return fmt.Errorf("set IP_MULTICAST_IF: %w", err)
	}
	if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, mreq); err != nil {
		return fmt.Errorf("join %v: %w", group4, err)
	}
	return nil
}

func options6(fd int, ifi *net.Interface) error {
	if err := attach(fd, true); err != nil {
		return err
	}
	if err := unix.BindToDevice(fd, ifi.Name); err != nil {
		return fmt.Errorf("bind to the device: %w", err)
	}
	err := set(fd, []option{
		{"IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0},
		{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
		{"IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, TTL},
		{"IPV6_MULTICAST_IF", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, ifi.Index},
		{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, trafficClass},
		{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
		{"IPV6_RECVFRAGSIZE", unix.IPPROTO_IPV6, unix.IPV6_RECVFRAGSIZE, 1},
		{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 7},
	})
	if err != nil {
		return err
	}
	mreq := &unix.IPv6Mreq{Multiaddr: group6.As16(), Interface: uint32(ifi.Index)}
	if err := unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, mreq); err != nil {
		return fmt.Errorf("join %v: %w", group6, err)
	}
	return nil
}

// attach filters out resignations whose frame was sent to this host alone.
func attach(fd int, v6 bool) error {
	priority := []bpf.Instruction{ // IPv4: the filter sees the IP header
		bpf.LoadMemShift{Off: 0},
		bpf.LoadIndirect{Off: 2, Size: 1},
	}
	if v6 {
		priority = []bpf.Instruction{bpf.LoadAbsolute{Off: 2, Size: 1}}
	}
	program := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: packetHost, SkipTrue: uint8(len(priority)) + 1},
	}
	program = append(program, priority...)
	program = append(program,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		bpf.RetConstant{Val: 0xffff},
		bpf.RetConstant{Val: 0},
	)
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assemble the socket filter: %w", err)
	}
	filters := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filters[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := &unix.SockFprog{Len: uint16(len(filters)), Filter: unsafe.SliceData(filters)}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, prog); err != nil {
		return fmt.Errorf("attach the socket filter: %w", err)
	}
	return nil
}

// Send implements [Conn].
func (c *conn) Send(src netip.Addr, advert []byte) error {
	dst := Multicast(c.v6)
	var control []byte
	var to unix.Sockaddr
	c.out = c.out[:0]
	if c.v6 {
		control = unix.PktInfo6(&unix.Inet6Pktinfo{Addr: src.As16(), Ifindex: uint32(c.index)})
		to = &unix.SockaddrInet6{Addr: dst.As16(), ZoneId: uint32(c.index)}
	} else {
		c.out = header4(c.out, src, dst)
		to = &unix.SockaddrInet4{Addr: dst.As4()}
	}
	c.out = append(c.out, advert...)
	var sent error
	err := c.raw.Control(func(fd uintptr) {
		sent = unix.Sendmsg(int(fd), c.out, control, to, unix.MSG_DONTWAIT)
	})
	if err := errors.Join(err, sent); err != nil {
		return fmt.Errorf("send advert from %v to %v: %w", src, dst, err)
	}
	return nil
}

// Receive implements [Conn].
func (c *conn) Receive(buf []byte) (Datagram, bool, error) {
	for {
		var n, oobn int
		var from unix.Sockaddr
		var failed error
		err := c.raw.Control(func(fd uintptr) {
			n, oobn, _, from, failed = unix.Recvmsg(int(fd), buf, c.oob, unix.MSG_DONTWAIT)
		})
		switch {
		case errors.Is(failed, unix.EAGAIN):
			return Datagram{}, false, nil
		case errors.Is(failed, unix.EINTR):
			continue
		case err != nil || failed != nil:
			return Datagram{}, false, fmt.Errorf("receive advert: %w", errors.Join(err, failed))
		}
		d, ok := c.datagram(buf[:n], c.oob[:oobn], from)
		if ok {
			return d, true, nil
		}
	}
}

func (c *conn) datagram(b, oob []byte, from unix.Sockaddr) (Datagram, bool) {
	d, ok := Datagram{Payload: b}, true
	if sa, v6 := from.(*unix.SockaddrInet6); v6 {
		d.Src = netip.AddrFrom16(sa.Addr)
	} else {
		d, ok = parse4(b)
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil || !ok {
		return d, false
	}
	for _, m := range messages {
		level, kind := int(m.Header.Level), int(m.Header.Type)
		switch {
		case level == unix.IPPROTO_IP && kind == unix.IP_RECVFRAGSIZE, level == unix.IPPROTO_IPV6 && kind == unix.IPV6_RECVFRAGSIZE:
			d.Fragment = true
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(m.Data) >= 16:
			d.Dst = netip.AddrFrom16([16]byte(m.Data[:16]))
		case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_HOPLIMIT && len(m.Data) >= 1:
			d.TTL = int(m.Data[0])
			if d.TTL == 0 && len(m.Data) >= 4 {
				d.TTL = int(m.Data[3]) // an int in the host's byte order
			}
		}
	}
	return d, true
}

// Wait implements [Conn].
func (c *conn) Wait() error {
	var failed error
	err := c.raw.Read(func(fd uintptr) bool {
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

// Close implements [Conn].
func (c *conn) Close() error {
	c.file.SetDeadline(time.Now()) // wakes Wait
	return c.file.Close()
}
