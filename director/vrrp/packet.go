package vrrp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Protocol is the IP protocol number of VRRP, for IPv4 and IPv6 alike.
const Protocol = 112

// TTL is the only IPv4 TTL or IPv6 Hop Limit that an advertisement may have.
const TTL = 255

const (
	version       = 3
	advertisement = 1
	headerLen     = 8
	intervalUnit  = 10 * time.Millisecond

	// MaxInterval is the longest advertisement interval that the wire can carry.
	MaxInterval = 0xfff * intervalUnit
)

var (
	group4 = netip.AddrFrom4([4]byte{224, 0, 0, 18})
	group6 = netip.MustParseAddr("ff02::12")
)

// Multicast returns the address that adverts of a family are sent to.
func Multicast(v6 bool) netip.Addr {
	if v6 {
		return group6
	}
	return group4
}

// Checksum is a way to compute the checksum of an IPv4 advert. The implementations in the field do
// not agree on it; IPv6 always has the pseudo-header.
type Checksum uint8

const (
	// Pseudo covers the IPv4 pseudo-header, as keepalived, FRR and Arista do. It is the default.
	Pseudo Checksum = iota
	// Plain covers the VRRP message alone, as RFC 9568 and Cisco do.
	Plain
)

// Packet is a VRRPv3 advertisement.
type Packet struct {
	VRID     uint8
	Priority uint8
	// Interval is a multiple of 10 ms, from 10 ms to MaxInterval.
	Interval time.Duration
	// Addresses are the virtual addresses in the order of the configuration, one family only.
	Addresses []netip.Addr
}

// Append appends the packet as it is sent from src to dst. The packet's addresses must be of the
// family of src and dst.
func (p Packet) Append(b []byte, src, dst netip.Addr, sum Checksum) ([]byte, error) {
	cs := p.Interval / intervalUnit
	switch {
	case p.VRID == 0:
		return b, errors.New("encode advert: VRID 0 is not valid")
	case cs < 1 || cs > 0xfff || p.Interval%intervalUnit != 0:
		return b, fmt.Errorf("encode advert of VRID %d: interval %v is not in steps of 10 ms from 10 ms to %v", p.VRID, p.Interval, MaxInterval)
	case len(p.Addresses) < 1 || len(p.Addresses) > 255:
		return b, fmt.Errorf("encode advert of VRID %d: %d addresses, want 1 to 255", p.VRID, len(p.Addresses))
	case src.Is4() != dst.Is4():
		return b, fmt.Errorf("encode advert of VRID %d: source %v and destination %v are of two families", p.VRID, src, dst)
	}
	start := len(b)
	b = append(b, version<<4|advertisement, p.VRID, p.Priority, uint8(len(p.Addresses)))
	b = binary.BigEndian.AppendUint16(b, uint16(cs))
	b = append(b, 0, 0)
	for _, a := range p.Addresses {
		if a.Is4() != src.Is4() {
			return b[:start], fmt.Errorf("encode advert of VRID %d: %v is not of the family of %v", p.VRID, a, src)
		}
		b = append(b, a.AsSlice()...)
	}
	msg := b[start:]
	acc := add(0, msg)
	if sum == Pseudo || src.Is6() {
		acc = pseudo(acc, src, dst, len(msg))
	}
	binary.BigEndian.PutUint16(msg[6:], ^fold(acc))
	return b, nil
}

// Datagram is one received IP payload with what the IP header and the link said about it.
type Datagram struct {
	Src, Dst netip.Addr
	TTL      int
	// Fragment says that the datagram came in pieces.
	Fragment bool
	Payload  []byte
}

// Parse decodes a datagram that was received in multicast mode, and checks all that needs no
// knowledge of a configured router. The packet's addresses do not alias the payload. Plain says
// that an IPv4 checksum was without pseudo-header.
func Parse(d Datagram) (p Packet, sum Checksum, drop Drop) {
	b := d.Payload
	size := d.Src.BitLen() / 8
	switch {
	case d.Fragment:
		return p, sum, DropFragment
	case len(b) < headerLen:
		return p, sum, DropLength
	case d.TTL != TTL:
		return p, sum, DropTTL
	case d.Dst != Multicast(d.Src.Is6()):
		return p, sum, DropDestination
	case b[0]>>4 != version:
		return p, sum, DropVersion
	case b[0]&0xf != advertisement:
		return p, sum, DropType
	case b[1] == 0:
		return p, sum, DropVRID
	case b[3] == 0:
		return p, sum, DropNoAddress
	case len(b) < headerLen+int(b[3])*size:
		return p, sum, DropLength
	case len(b) > headerLen+int(b[3])*size:
		return p, sum, DropTrailing
	}
	sum, ok := verify(b, d.Src, d.Dst)
	if !ok {
		return p, sum, DropChecksum
	}
	p = Packet{
		VRID:     b[1],
		Priority: b[2],
		// The upper four bits are reserved: 0xf014 is 200 ms, not ten minutes.
		Interval: time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * intervalUnit,
	}
	if p.Interval == 0 {
		return p, sum, DropInterval
	}
	p.Addresses = make([]netip.Addr, b[3])
	for i := range p.Addresses {
		p.Addresses[i], _ = netip.AddrFromSlice(b[headerLen+i*size:][:size])
	}
	return p, sum, ""
}

// verify reports which checksum the message has, if any of those that are accepted.
func verify(msg []byte, src, dst netip.Addr) (Checksum, bool) {
	acc := add(0, msg)
	if fold(pseudo(acc, src, dst, len(msg))) == 0xffff {
		return Pseudo, true
	}
	return Plain, src.Is4() && fold(acc) == 0xffff
}

func pseudo(acc uint32, src, dst netip.Addr, length int) uint32 {
	acc = add(acc, src.AsSlice())
	acc = add(acc, dst.AsSlice())
	return acc + uint32(length) + Protocol
}

func add(acc uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		acc += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

func fold(acc uint32) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}
