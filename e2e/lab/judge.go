package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
)

// IPVS is the host's table as `ipvsadm -Sn` prints it, sorted. A host that is off has none.
func (h *Host) IPVS() []string {
	h.net.t.Helper()
	if !h.On() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := h.Run(ctx, "ipvsadm", "-Sn")
	if err != nil {
		if !h.On() {
			return nil
		}
		h.net.t.Fatalf("%v", err)
	}
	return sortedLines(out)
}

func sortedLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// Addresses are the addresses of an interface, or of all if that is "". A host that is off has none.
func (h *Host) Addresses(iface string) []netip.Prefix {
	h.net.t.Helper()
	sp, err := h.on()
	if err != nil {
		return nil
	}
	var link netlink.Link
	if iface != "" {
		if link, err = sp.nl.LinkByName(iface); err != nil {
			h.net.t.Fatalf("lab: %s: %s: %v", h.Name, iface, err)
		}
	}
	addrs, err := sp.nl.AddrList(link, netlink.FAMILY_ALL)
	for errors.Is(err, netlink.ErrDumpInterrupted) {
		addrs, err = sp.nl.AddrList(link, netlink.FAMILY_ALL)
	}
	if err != nil {
		if h.On() {
			h.net.t.Fatalf("lab: addresses of %s: %v", h.Name, err)
		}
		return nil
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		ip, _ := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		prefixes = append(prefixes, netip.PrefixFrom(ip.Unmap(), bits))
	}
	return prefixes
}

// Owners are the hosts that have the address in their kernel.
func (n *Net) Owners(address string) []*Host {
	n.t.Helper()
	want, err := netip.ParseAddr(address)
	if err != nil {
		n.t.Fatalf("lab: %v", err)
	}
	var owners []*Host
	for _, h := range n.Hosts() {
		if slices.ContainsFunc(h.Addresses(""), func(p netip.Prefix) bool { return p.Addr() == want }) {
			owners = append(owners, h)
		}
	}
	return owners
}

// Neighbour is the host that h believes has the address, by its neighbour table: its name, a MAC that is
// nobody's, or "" if h does not know.
func (h *Host) Neighbour(address string) string {
	h.net.t.Helper()
	sp, err := h.on()
	if err != nil {
		return ""
	}
	entries, err := sp.nl.NeighList(0, netlink.FAMILY_ALL)
	if err != nil {
		h.net.t.Fatalf("lab: neighbours of %s: %v", h.Name, err)
	}
	for _, e := range entries {
		if e.IP.String() == address && len(e.HardwareAddr) > 0 && e.State&(netlink.NUD_FAILED|netlink.NUD_INCOMPLETE) == 0 {
			return h.net.macOwner(e.HardwareAddr)
		}
	}
	return ""
}

// macOwner is the name of the host with that MAC, or the MAC.
func (n *Net) macOwner(mac net.HardwareAddr) string {
	for _, h := range n.Hosts() {
		for _, p := range h.ports {
			if slices.Equal(p.mac, mac) {
				return h.Name
			}
		}
	}
	return mac.String()
}

// AskARP asks the segment who has the IPv4 address, from the host and without its neighbour table, and
// returns all who answer within the time: host names, or MACs that are nobody's.
func (h *Host) AskARP(on *Segment, address string, wait time.Duration) []string {
	h.net.t.Helper()
	target, err := netip.ParseAddr(address)
	if err != nil || !target.Is4() {
		h.net.t.Fatalf("lab: ask ARP for %q: want an IPv4 address", address)
	}
	p := h.port(on)
	var conn *packet.Conn
	doErr := h.Do(func() {
		var ifi *net.Interface
		if ifi, err = net.InterfaceByName(p.name); err == nil {
			conn, err = packet.Listen(ifi, packet.Raw, 0x0806, nil)
		}
	})
	if err = errors.Join(doErr, err); err != nil {
		h.net.t.Fatalf("lab: ask ARP from %s: %v", h.Name, err)
	}
	defer conn.Close()
	broadcast := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	if _, err := conn.WriteTo(arpRequest(p.mac, h.Addr(on), target), &packet.Addr{HardwareAddr: broadcast}); err != nil {
		h.net.t.Fatalf("lab: ask ARP from %s: %v", h.Name, err)
	}
	conn.SetReadDeadline(time.Now().Add(wait))
	var owners []string
	buf := make([]byte, 256)
	for {
		n, _, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return owners
		}
		if err != nil {
			h.net.t.Fatalf("lab: ask ARP from %s: %v", h.Name, err)
		}
		if n < 42 || binary.BigEndian.Uint16(buf[20:]) != 2 || netip.AddrFrom4([4]byte(buf[28:32])) != target {
			continue
		}
		if owner := h.net.macOwner(slices.Clone(buf[22:28])); !slices.Contains(owners, owner) {
			owners = append(owners, owner)
		}
	}
}

// arpRequest is an Ethernet frame that asks who has target.
func arpRequest(mac net.HardwareAddr, source, target netip.Addr) []byte {
	b := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	b = append(b, mac...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1)
	b = append(b, mac...)
	b = append(b, source.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, target.AsSlice()...)
}

// OneOwner says what is wrong with the owners of an address: nobody, or more than one.
func (n *Net) OneOwner(address string) error {
	n.t.Helper()
	if owners := n.Owners(address); len(owners) != 1 {
		return fmt.Errorf("%s has %d owners: %v", address, len(owners), hostNames(owners))
	}
	return nil
}
