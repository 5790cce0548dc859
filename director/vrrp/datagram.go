package vrrp

import "net/netip"

// Datagram is one received IP payload with what the IP header and the link said about it.
//
// One that a [Filter] does not let pass is counted instead: it has Rejected, Count and Lost, and nothing else.
type Datagram struct {
	Src, Dst netip.Addr
	TTL      int
	// Fragment says that the datagram came in pieces.
	Fragment bool
	// AH is the whole IPv4 packet of a datagram that came with an Authentication Header, which covers
	// the IP header too. The payload is what follows both.
	AH []byte
	// Payload is the VRRP message.
	Payload []byte
	// Rejected is why the filter did not let it pass; empty for one that passed.
	Rejected Drop
	// Count is how many rejected ones it stands for: one, or in a flood many, by a sample.
	Count uint64
	// Lost is how many the kernel had no room for since the one before.
	Lost uint64
}

// Peek returns the VRID of a datagram, to find the router whose [Judge] it goes to. What is too short
// or in pieces has none.
func Peek(d Datagram) (uint8, Drop) {
	switch {
	case d.Fragment:
		return 0, DropFragment
	case len(d.Payload) < headerLen:
		return 0, DropLength
	case d.Payload[1] == 0:
		return 0, DropVRID
	}
	return d.Payload[1], ""
}

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
	d := Datagram{
		Src:      netip.AddrFrom4([4]byte(b[12:16])),
		Dst:      netip.AddrFrom4([4]byte(b[16:20])),
		TTL:      int(b[8]),
		Fragment: b[6]&0x3f != 0 || b[7] != 0,
		Payload:  b[head:total],
	}
	if b[9] == protocolAH {
		d.AH, d.Payload = b[:total], nil
		if total >= head+ahLen {
			d.Payload = b[head+ahLen : total]
		}
	}
	return d, true
}

// header4 appends the IPv4 header of an advert. The kernel fills in length, identification and
// checksum.
func header4(b []byte, src, dst netip.Addr) []byte {
	s, d := src.As4(), dst.As4()
	b = append(b, 0x45, trafficClass, 0, 0, 0, 0, 0, 0, TTL, Protocol, 0, 0)
	return append(append(b, s[:]...), d[:]...)
}

// trafficClass is internetwork control, the class of routing protocols.
const trafficClass = 0xc0
