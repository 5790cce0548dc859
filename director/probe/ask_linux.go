package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// again is when a question that was not answered is asked once more, and how long before the end all are asked a last time: who has
// come to have an address meanwhile answers that.
const again = 20 * time.Millisecond

// Ask asks the segment of an interface who has the targets, which are of one family as source is, and
// returns the MAC addresses of those that answered: when all did, or when ctx ends, whose deadline is
// required. Source is an address of this host on the interface.
func Ask(ctx context.Context, iface string, source netip.Addr, targets []netip.Addr) (map[netip.Addr]net.HardwareAddr, error) {
	all, err := AskEach(ctx, iface, source, targets)
	found := map[netip.Addr]net.HardwareAddr{}
	for t, macs := range all {
		found[t] = macs[len(macs)-1]
	}
	return found, err
}

// AskEach is Ask with each MAC address that answered for a target, in the order of the answers. Where one host has several of the
// targets, its answers come in their order: that all were answered means that each such host was heard for all of its own up to
// the last one. With an error it returns what was answered all the same.
func AskEach(ctx context.Context, iface string, source netip.Addr, targets []netip.Addr) (map[netip.Addr][]net.HardwareAddr, error) {
	found := map[netip.Addr][]net.HardwareAddr{}
	deadline, ok := ctx.Deadline()
	if !ok {
		return found, errors.New("ask the segment: no deadline")
	}
	ifi, err := net.InterfaceByName(iface)
	if err != nil {
		return found, fmt.Errorf("ask the segment of %s: %w", iface, err)
	}
	kind := etherARP
	if source.Is6() {
		kind = etherIPv6
	}
	wanted := make([]Target, len(targets))
	for i, t := range targets {
		wanted[i].Address = t
	}
	filter, err := bpf.Assemble(answers(wanted, source.Is6()))
	if err != nil {
		return found, fmt.Errorf("ask the segment of %s: %w", iface, err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, kind, &packet.Config{Filter: filter}) // who forwards packets is not woken by each
	if err != nil {
		return found, fmt.Errorf("ask the segment of %s: %w", iface, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
	defer stop()
	widen(conn, len(targets))
	unasked := unasked{}
	ask := func(all bool) {
		for _, t := range targets {
			if all || found[t] == nil {
				b := question(ifi.HardwareAddr, source, t, nil)
				_, err := conn.WriteTo(b, &packet.Addr{HardwareAddr: b[:6]})
				unasked.wrote(t, err)
			}
		}
	}
	ask(false)
	begun, asked := time.Now(), 1
	times := []time.Time{begun, begun.Add(again), deadline.Add(-again), deadline}
	buf := make([]byte, 256)
	for len(found) < len(targets) {
		conn.SetReadDeadline(earlier(times[min(asked, len(times)-1)], deadline))
		n, _, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && (ctx.Err() != nil || !time.Now().Before(deadline)):
			return found, unasked.err(iface)
		case errors.Is(err, os.ErrDeadlineExceeded):
			ask(asked == 2)
			asked++
			continue
		case err != nil:
			return found, fmt.Errorf("hear the segment of %s: %w", iface, err)
		}
		if t, mac, ok := answer(buf[:n]); ok && slices.Contains(targets, t) {
			if !slices.ContainsFunc(found[t], func(known net.HardwareAddr) bool { return bytes.Equal(known, mac) }) {
				found[t] = append(found[t], slices.Clone(mac))
			}
		}
	}
	return found, nil
}

// unasked are the targets for which no question could be sent.
type unasked map[netip.Addr]error

// wrote takes what became of a question. One that was sent will do.
func (u unasked) wrote(t netip.Addr, err error) {
	was, before := u[t]
	if err == nil || !before || was != nil {
		u[t] = err
	}
}

// err is an error if there are any.
func (u unasked) err(iface string) error {
	n, first := 0, error(nil)
	for t, err := range u {
		if err != nil {
			n, first = n+1, fmt.Errorf("ask the segment of %s for %v: %w", iface, t, err)
		}
	}
	if n > 1 {
		return fmt.Errorf("%w, and for %d more", first, n-1)
	}
	return first
}

// widen has the kernel keep the answers of that many targets to all that is asked of them: they come while it is still being asked.
func widen(conn *packet.Conn, targets int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	const each = 4 << 10 // three answers, with what the kernel counts for each
	size := max(queue, each*targets)
	_ = raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, size) // as much as the system lets have
		}
	})
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
