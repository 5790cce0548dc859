package vrrp

import "net/netip"

// Conn sends and receives the adverts of one interface and address family.
type Conn interface {
	// Send sends one advert from src to the multicast group. It never blocks.
	Send(src netip.Addr, advert []byte) error
	// Receive returns the next waiting datagram, and false if none waits. It never blocks. The
	// payload lies in buf.
	Receive(buf []byte) (Datagram, bool, error)
	// Wait returns when a datagram waits, or with an error when the connection is closed. One
	// goroutine at a time may be in it, beside one that sends and receives.
	Wait() error
	// Close leaves the multicast group and closes the socket.
	Close() error
}

// Unicasts of an advert to one host alone are how a single Backup could be made to take over: a
// resignation that was not sent to the multicast address of the link is dropped by the kernel, by a
// filter on the socket (see attach), and so is the one drop that no counter sees.

// parse4 cuts an IPv4 packet as a raw socket delivers it.
func parse4(b []byte) (Datagram, bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return Datagram{}, false
	}
	head := int(b[0]&0xf) * 4
	total := int(b[2])<<8 | int(b[3])
	if head < 20 || total < head || total > len(b) {
		return Datagram{}, false
	}
	return Datagram{
		Src:      netip.AddrFrom4([4]byte(b[12:16])),
		Dst:      netip.AddrFrom4([4]byte(b[16:20])),
		TTL:      int(b[8]),
		Fragment: b[6]&0x3f != 0 || b[7] != 0,
		Payload:  b[head:total],
	}, true
}

// header4 appends the IPv4 header of an advert. The kernel fills in length, identification and
// checksum.
func header4(b []byte, src, dst netip.Addr) []byte {
	b = append(b, 0x45, trafficClass, 0, 0, 0, 0, 0, 0, TTL, Protocol, 0, 0)
	b = append(b, src.AsSlice()...)
	return append(b, dst.AsSlice()...)
}

// trafficClass is internetwork control, the class of routing protocols.
const trafficClass = 0xc0
