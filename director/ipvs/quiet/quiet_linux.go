// Package quiet keeps a host from resetting the flows of virtual services that its kernel does not know.
//
// It promises that what it holds goes with the process that holds it, and that two processes may hold the same. It knows
// nothing of IPVS: which addresses these are, others say.
package quiet

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Guard keeps this host from sending TCP resets from the address of a virtual service for a flow
// that IPVS does not know, which is what a flow looks like whose entry has not arrived yet: the
// client sends again, and finds the entry. It does so with a listening socket on each address
// whose filter drops every packet; what IPVS knows or schedules never reaches it.
//
// A program on this host that listens on the same port of every address comes first: where one
// does, Guard leaves that port alone for good. While it holds a port, no program can begin to
// listen on it on every address.
type Guard struct {
	mu      sync.Mutex
	sockets map[netip.AddrPort]int
	taken   map[netip.AddrPort]bool // somebody else's port
}

// New returns a guard of no address.
func New() *Guard {
	return &Guard{sockets: make(map[netip.AddrPort]int), taken: make(map[netip.AddrPort]bool)}
}

// Set guards these addresses, in the network namespace of the calling thread, and no others. The
// addresses need not be on the host. The error holds each address that could not be guarded.
func (q *Guard) Set(addrs []netip.AddrPort) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	want := make(map[netip.AddrPort]bool, len(addrs))
	for _, addr := range addrs {
		want[addr] = true
	}
	for addr, fd := range q.sockets {
		if !want[addr] {
			unix.Close(fd)
			delete(q.sockets, addr)
		}
	}
	var errs []error
	for _, addr := range addrs { // in their order, so that the same errors have the same text
		if _, ok := q.sockets[addr]; ok || q.taken[addr] {
			continue
		}
		fd, err := silent(addr)
		if err != nil {
			q.taken[addr] = errors.Is(err, unix.EADDRINUSE)
			errs = append(errs, fmt.Errorf("guard %v against resets: %w", addr, err))
			continue
		}
		q.sockets[addr] = fd
	}
	return errors.Join(errs...)
}

// Held returns the addresses that are guarded, in order: those that were set, but for what could not be, and for what is left alone.
func (q *Guard) Held() []netip.AddrPort {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.SortedFunc(maps.Keys(q.sockets), netip.AddrPort.Compare)
}

// Close guards nothing any more.
func (q *Guard) Close() error { return q.Set(nil) }

// silent returns a socket that listens on an address and hears nothing. The filter is there
// before it listens, so that it never accepts anything either.
func silent(addr netip.AddrPort) (int, error) {
	family, sa := unix.AF_INET, unix.Sockaddr(nil)
	switch {
	case addr.Addr().Is6():
		family = unix.AF_INET6
		sa = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	case addr.IsValid():
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	default:
		return -1, unix.EAFNOSUPPORT
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	program := unix.SockFprog{Len: uint16(len(drop)), Filter: &drop[0]}
	err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil { // the agent's other process, or another agent that is about to end, does not count as a program
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
	}
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		err = unix.Listen(fd, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
