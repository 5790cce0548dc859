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
)

// again is when a question that was not answered is asked once more.
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
// the last one.
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
	ask := func() error {
		for _, t := range targets {
			if found[t] != nil {
				continue
			}
			b := question(ifi.HardwareAddr, source, t, nil)
			if _, err := conn.WriteTo(b, &packet.Addr{HardwareAddr: b[:6]}); err != nil {
				return fmt.Errorf("ask the segment of %s for %v: %w", iface, t, err)
			}
		}
		return nil
	}
	if err := ask(); err != nil {
		return found, err
	}
	buf, next := make([]byte, 256), time.Now().Add(again)
	for len(found) < len(targets) {
		conn.SetReadDeadline(earlier(next, deadline))
		n, _, err := conn.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && (ctx.Err() != nil || !time.Now().Before(deadline)):
			return found, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			next = time.Now().Add(time.Hour) // once more, and no more
			if err := ask(); err != nil {
				return found, err
			}
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

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
