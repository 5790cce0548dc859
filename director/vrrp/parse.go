package vrrp

import (
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"
)

// Parse decodes a datagram, and checks all that needs no more than the profile of the router that it is
// for. The packet's addresses do not alias the payload; their memory is used again. What a packet
// that is dropped holds means nothing.
func (p *Packet) Parse(d Datagram, r *Profile) Drop {
	*p = Packet{Addresses: p.Addresses[:0]}
	if d.Fragment {
		return DropFragment
	}
	b := d.Payload
	plain, drop := p.layout(b, d.Src, r)
	if drop != "" {
		return drop
	}
	if drop := p.head(d, r); drop != "" {
		return drop
	}
	covered := b[:plain]
	if p.Signed && d.Src.Is6() {
		covered = b
	}
	ok := false
	if p.Checksum, ok = verify(covered, d.Src, d.Dst); !ok {
		return DropChecksum
	}
	if drop := p.authentic(d, r, b[:plain]); drop != "" {
		return drop
	}
	if p.Version == V2 {
		p.Interval = time.Duration(b[5]) * time.Second
	} else { // the upper four bits are reserved: 0xf014 is 200 ms, not ten minutes
		p.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * intervalUnit
	}
	switch {
	case p.Interval == 0:
		return DropInterval
	case !r.Unicast && d.Dst != Multicast(d.Src.Is6()), r.Unicast && d.Dst.IsMulticast():
		return DropDestination
	case b[3] == 0:
		return DropNoAddress
	}
	p.list(b[headerLen:], int(b[3]), d.Src.Is6())
	return ""
}

// layout finds how long the message is without a trailer, by the version that it says it is of.
func (p *Packet) layout(b []byte, src netip.Addr, r *Profile) (int, Drop) {
	if len(b) < headerLen {
		return 0, DropLength
	}
	p.Version = Version(b[0] >> 4)
	plain := headerLen + int(b[3])*src.BitLen()/8
	if p.Version == V2 {
		plain += authLen
	}
	switch extra := len(b) - plain; {
	case p.Version != V2 && p.Version != V3: // nobody knows how long it should be
		return plain, DropVersion
	case extra < 0:
		return plain, DropLength
	case extra == stampLen && p.Version == V3 && r.Signing != nil:
		p.Signed = true
	case extra > 0:
		return plain, DropTrailing
	}
	return plain, ""
}

// head checks what the IP header and the first two bytes say.
func (p *Packet) head(d Datagram, r *Profile) Drop {
	p.VRID, p.Priority = d.Payload[1], d.Payload[2]
	switch {
	case d.TTL < r.minTTL(d.Src):
		return DropTTL
	case p.Version != r.version(), p.Version == V2 && d.Src.Is6():
		return DropVersion
	case d.Payload[0]&0xf != advertisement:
		return DropType
	case p.VRID == 0:
		return DropVRID
	}
	return ""
}

// authentic checks the authentication of a message: that of version 2, or the signature of version 3.
func (p *Packet) authentic(d Datagram, r *Profile, plain []byte) Drop {
	if p.Version == V2 {
		p.Auth, p.Secret = Auth(plain[4]), [8]byte(plain[len(plain)-authLen:])
	}
	switch {
	case p.Auth != r.Auth && p.Version == V2, (d.AH != nil) != (r.Auth == Header):
		return DropAuthType
	case r.Auth == Password && subtle.ConstantTimeCompare(p.Secret[:], r.Secret[:]) != 1:
		return DropAuthData
	case r.Auth == Header && !verifyAH(d.AH, r.Secret, r.Unicast):
		return DropAuthData
	case r.Auth == Header:
		p.Stamp.Sequence = sequenceAH(d.AH)
	case !p.Signed && r.Signing != nil && !r.Signing.Optional:
		return DropUnsigned
	case p.Signed && (!p.Stamp.parse(d.Payload[len(plain):]) || !r.Signing.verify(&p.Stamp, d.Payload, d.Src)):
		return DropSignature
	}
	return ""
}

// list reads the addresses.
func (p *Packet) list(b []byte, count int, v6 bool) {
	for range count {
		if v6 {
			p.Addresses = append(p.Addresses, netip.AddrFrom16([16]byte(b)))
			b = b[16:]
			continue
		}
		p.Addresses = append(p.Addresses, netip.AddrFrom4([4]byte(b)))
		b = b[4:]
	}
}
