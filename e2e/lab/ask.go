package lab

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
)

// Ask asks the segment who has the address, by ARP or neighbour solicitation, from the host and without its
// neighbour table. It waits a second for an answer, and after the first for as long as it is told for others.
// It returns the hardware address of every answer, in order; two hosts that answer with one virtual hardware
// address are two answers.
func (h *Host) Ask(on *Segment, address string, others time.Duration) []net.HardwareAddr {
	h.net.t.Helper()
	target, err := netip.ParseAddr(address)
	if err != nil {
		h.net.t.Fatalf("lab: ask for %q: %v", address, err)
	}
	p := h.port(on)
	frame, kind, to := arpRequest(p.mac, h.addrOf(p, false), target), 0x0806, net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	if target.Is6() {
		frame, kind = solicitation(p.mac, h.addrOf(p, true), target), 0x86dd
		to = net.HardwareAddr(frame[:6])
	}
	conn := h.listen(p, kind)
	defer conn.Close()
	if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: to}); err != nil {
		h.net.t.Fatalf("lab: ask for %s from %s: %v", address, h.Name, err)
	}
	conn.SetReadDeadline(time.Now().Add(time.Second))
	var answers []net.HardwareAddr
	buf := make([]byte, 512)
	for {
		n, _, err := conn.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return answers
		}
		if err != nil {
			h.net.t.Fatalf("lab: ask for %s from %s: %v", address, h.Name, err)
		}
		if mac, ok := answer(buf[:n], p.mac, target); ok {
			if answers = append(answers, mac); len(answers) == 1 {
				conn.SetReadDeadline(time.Now().Add(others))
			}
		}
	}
}

// listen opens a packet socket on the host for one Ethernet type.
func (h *Host) listen(p *port, kind int) *packet.Conn {
	h.net.t.Helper()
	var conn *packet.Conn
	var err error
	doErr := h.Do(func() {
		var ifi *net.Interface
		if ifi, err = net.InterfaceByName(p.name); err == nil {
			conn, err = packet.Listen(ifi, packet.Raw, kind, nil)
		}
	})
	if err = errors.Join(doErr, err); err != nil {
		h.net.t.Fatalf("lab: listen on %s of %s: %v", p.name, h.Name, err)
	}
	return conn
}

// Send sends whole Ethernet frames from the host onto a segment.
func (h *Host) Send(on *Segment, frames ...[]byte) {
	h.net.t.Helper()
	conn := h.listen(h.port(on), 0x88b5) // a type that nobody uses: this socket only sends
	defer conn.Close()
	for _, frame := range frames {
		if _, err := conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])}); err != nil {
			h.net.t.Fatalf("lab: send from %s: %v", h.Name, err)
		}
	}
}

// MAC is the hardware address of the host's interface on a segment.
func (h *Host) MAC(on *Segment) net.HardwareAddr {
	h.net.t.Helper()
	return slices.Clone(h.port(on).mac)
}

// addrOf is the port's first address of a family.
func (h *Host) addrOf(p *port, v6 bool) netip.Addr {
	h.net.t.Helper()
	for _, prefix := range p.prefix {
		if prefix.Addr().Is6() == v6 {
			return prefix.Addr()
		}
	}
	h.net.t.Fatalf("lab: %s of %s has no address of that family", p.name, h.Name)
	return netip.Addr{}
}

// answer reads the hardware address out of an answer about target.
func answer(frame []byte, own net.HardwareAddr, target netip.Addr) (net.HardwareAddr, bool) {
	if target.Is4() {
		if len(frame) < 42 || binary.BigEndian.Uint16(frame[20:]) != 2 || netip.AddrFrom4([4]byte(frame[28:32])) != target ||
			!slices.Equal(frame[:6], own) { // a gratuitous one goes to all
			return nil, false
		}
		return slices.Clone(frame[22:28]), true
	}
	const icmp = 14 + 40
	if len(frame) < icmp+24 || frame[14+6] != 58 || frame[icmp] != 136 || netip.AddrFrom16([16]byte(frame[icmp+8:icmp+24])) != target ||
		!slices.Equal(frame[:6], own) {
		return nil, false
	}
	if len(frame) >= icmp+32 && frame[icmp+24] == 2 {
		return slices.Clone(frame[icmp+26 : icmp+32]), true
	}
	return slices.Clone(frame[6:12]), true
}

// solicitation is an Ethernet frame that asks who has an IPv6 address.
func solicitation(mac net.HardwareAddr, source, target netip.Addr) []byte {
	t := target.As16()
	b := []byte{0x33, 0x33, 0xff, t[13], t[14], t[15]}
	b = append(b, mac...)
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255)
	b = append(b, source.AsSlice()...)
	b = append(b, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, t[13], t[14], t[15])
	b = append(b, 135, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, t[:]...)
	b = append(b, 1, 1)
	b = append(b, mac...)
	sum := uint32(32 + 58)
	for i := 14 + 8; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(b[14+40+2:], ^uint16(sum))
	return b
}

// Holders are the hosts that have the address on an interface that works: one that is set down, or held
// down by a daemon, does not count.
func (n *Net) Holders(address string) []*Host {
	n.t.Helper()
	want := net.ParseIP(address)
	var holders []*Host
	for _, h := range n.Hosts() {
		sp, err := h.on()
		if err != nil {
			continue
		}
		addrs, err := sp.nl.AddrList(nil, netlink.FAMILY_ALL)
		for errors.Is(err, netlink.ErrDumpInterrupted) {
			addrs, err = sp.nl.AddrList(nil, netlink.FAMILY_ALL)
		}
		if err != nil && h.On() {
			n.t.Fatalf("lab: addresses of %s: %v", h.Name, err)
		}
		for _, a := range addrs {
			if !a.IP.Equal(want) {
				continue
			}
			if link, err := sp.nl.LinkByIndex(a.LinkIndex); err == nil && link.Attrs().OperState == netlink.OperUp {
				holders = append(holders, h)
			}
		}
	}
	return holders
}

// Behind is the host on whose cable the switch has last seen that hardware address as a sender, or "".
func (s *Segment) Behind(mac net.HardwareAddr) string {
	s.net.t.Helper()
	entries, err := s.net.sw.nl.NeighList(0, 7) // AF_BRIDGE
	if err != nil {
		s.net.t.Fatalf("lab: table of the switch: %v", err)
	}
	for _, h := range s.net.Hosts() {
		for _, p := range h.ports {
			if p.segment != s {
				continue
			}
			link, err := s.net.sw.nl.LinkByName(p.outside)
			if err != nil {
				continue // off
			}
			for _, e := range entries {
				if e.LinkIndex == link.Attrs().Index && slices.Equal(e.HardwareAddr, mac) {
					return h.Name
				}
			}
		}
	}
	return ""
}
