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

// TTL is the IPv4 TTL or IPv6 Hop Limit that advertisements leave with, and the only one that a
// multicast advertisement may have.
const TTL = 255

const (
	advertisement = 1
	headerLen     = 8
	authLen       = 8 // of the authentication data of version 2, there whatever the type
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

// Packet is an advertisement.
//
//	version 3                            version 2
//	0        1        2        3         0        1        2        3
//	3|type   VRID     priority count     2|type   VRID     priority count
//	0|interval, cs    checksum           auth     seconds  checksum
//	addresses, 4 or 16 bytes each        addresses, 4 bytes each
//	                                     authentication data, 8 bytes
type Packet struct {
	// Version is 2 or 3; zero is encoded as 3.
	Version  Version
	VRID     uint8
	Priority uint8
	// Interval is a multiple of 10 ms, from 10 ms to MaxInterval; of 1 s to 255 s in version 2.
	Interval time.Duration
	// Addresses are the virtual addresses in the order of the configuration, one family only.
	Addresses []netip.Addr
	// Checksum is how the checksum of a version 3 advert over IPv4 is computed.
	Checksum Checksum
	// Auth and Secret are the authentication type and data of version 2.
	Auth   Auth
	Secret [8]byte
	// Signed says that the stamp follows the addresses (version 3 only).
	Signed bool
	Stamp  Stamp
}

// Append appends the packet as it is sent from src to dst. The packet's addresses must be of the
// family of src and dst.
func (p *Packet) Append(b []byte, src, dst netip.Addr) ([]byte, error) {
	if err := p.check(src, dst); err != nil {
		return b, fmt.Errorf("encode advert of VRID %d: %w", p.VRID, err)
	}
	start := len(b)
	if p.Version == V2 {
		b = append(b, byte(V2)<<4|advertisement, p.VRID, p.Priority, uint8(len(p.Addresses)))
		b = append(b, byte(p.Auth), byte(p.Interval/time.Second), 0, 0)
	} else {
		b = append(b, byte(V3)<<4|advertisement, p.VRID, p.Priority, uint8(len(p.Addresses)))
		b = binary.BigEndian.AppendUint16(b, uint16(p.Interval/intervalUnit))
		b = append(b, 0, 0)
	}
	for _, a := range p.Addresses {
		b = append(b, a.AsSlice()...)
	}
	covered, sum := len(b)-start, Pseudo
	switch {
	case p.Version == V2:
		b = append(b, p.Secret[:]...)
		covered, sum = covered+authLen, Plain
	case src.Is4():
		sum = p.Checksum
	case p.Signed:
		covered += stampLen // in IPv6 the trailer counts
	}
	if p.Signed {
		b = p.Stamp.append(b)
	}
	seal(b[start:], covered, src, dst, sum)
	return b, nil
}

// check reports what the wire cannot carry.
func (p *Packet) check(src, dst netip.Addr) error {
	switch {
	case p.VRID == 0:
		return errors.New("VRID 0 is not valid")
	case p.Version != 0 && p.Version != V2 && p.Version != V3:
		return fmt.Errorf("version %d, want 2 or 3", p.Version)
	case len(p.Addresses) < 1 || len(p.Addresses) > 255:
		return fmt.Errorf("%d addresses, want 1 to 255", len(p.Addresses))
	case src.Is4() != dst.Is4():
		return fmt.Errorf("source %v and destination %v are of two families", src, dst)
	case p.Version == V2 && src.Is6():
		return errors.New("version 2 is for IPv4 only")
	case p.Version == V2 && p.Signed:
		return errors.New("version 2 adverts are not signed")
	}
	for _, a := range p.Addresses {
		if a.Is4() != src.Is4() {
			return fmt.Errorf("%v is not of the family of %v", a, src)
		}
	}
	return checkInterval(p.Version, p.Interval)
}
