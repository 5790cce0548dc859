package vrrp

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// receiveBuffer holds a few thousand adverts, so that a flood that the filter lets pass is not at the
// cost of those that count.
const receiveBuffer = 4 << 20

// socket is a raw socket of one interface and family, as a file so that a Close from another goroutine
// never meets a descriptor that is somebody else's by now.
type socket struct {
	file *os.File
	raw  syscall.RawConn
	lost *uint32 // what the kernel has said so far that it had no room for
}

// open opens a raw socket that is bound to an interface, receives what the program lets pass, and is in
// the multicast group if join is set.
func open(ifi *net.Interface, v6 bool, protocol int, program []bpf.Instruction, join bool) (socket, error) {
	family := unix.AF_INET
	if v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return socket{}, fmt.Errorf("open a raw socket: %w", err)
	}
	if err := prepare(fd, ifi, v6, program, join); err != nil {
		unix.Close(fd)
		return socket{}, err
	}
	file := os.NewFile(uintptr(fd), "vrrp "+ifi.Name)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return socket{}, err
	}
	return socket{file, raw, new(uint32)}, nil
}

// do runs f with the descriptor, unless the socket is closed.
func (s socket) do(f func(fd int) error) error {
	var failed error
	err := s.raw.Control(func(fd uintptr) { failed = f(int(fd)) })
	return errors.Join(err, failed)
}

// prepare sets the options of a socket. The filter is the first, so that nothing passes before it.
func prepare(fd int, ifi *net.Interface, v6 bool, program []bpf.Instruction, join bool) error {
	if err := attach(fd, program); err != nil {
		return err
	}
	if err := unix.BindToDevice(fd, ifi.Name); err != nil {
		return fmt.Errorf("bind to the device: %w", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer) // as much as is allowed
	}
	if err := set(fd, []option{{"SO_RXQ_OVFL", unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1}}); err != nil {
		return err
	}
	if v6 {
		return options6(fd, ifi, join)
	}
	return options4(fd, ifi, join)
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

func options4(fd int, ifi *net.Interface, join bool) error {
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
	if !join {
		return nil
	}
	if err := unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, mreq); err != nil {
		return fmt.Errorf("join %v: %w", group4, err)
	}
	return nil
}

func options6(fd int, ifi *net.Interface, join bool) error {
	err := set(fd, []option{
		{"IPV6_MULTICAST_ALL", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0},
		{"IPV6_MULTICAST_LOOP", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0},
		{"IPV6_MULTICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, TTL},
		{"IPV6_UNICAST_HOPS", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, TTL},
		{"IPV6_MULTICAST_IF", unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, ifi.Index},
		{"IPV6_TCLASS", unix.IPPROTO_IPV6, unix.IPV6_TCLASS, trafficClass},
		{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
		{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
		{"IPV6_RECVFRAGSIZE", unix.IPPROTO_IPV6, unix.IPV6_RECVFRAGSIZE, 1},
		{"SO_PRIORITY", unix.SOL_SOCKET, unix.SO_PRIORITY, 7},
	})
	if err != nil || !join {
		return err
	}
	mreq := &unix.IPv6Mreq{Multiaddr: group6.As16(), Interface: uint32(ifi.Index)}
	if err := unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, mreq); err != nil {
		return fmt.Errorf("join %v: %w", group6, err)
	}
	return nil
}
