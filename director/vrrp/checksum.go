package vrrp

import "net/netip"

// Checksum is a way to compute the checksum of a version 3 advert over IPv4. The implementations in
// the field do not agree on it. IPv6 always has the pseudo-header, version 2 never has.
type Checksum uint8

const (
	// Pseudo covers the IPv4 pseudo-header, as keepalived, FRR and Arista do. It is the default.
	Pseudo Checksum = iota
	// Plain covers the VRRP message alone, as RFC 9568 and Cisco do.
	Plain
)

// seal computes the checksum of a message and puts it in. Covered is how much of the message counts.
func seal(msg []byte, covered int, src, dst netip.Addr, with Checksum) {
	msg[6], msg[7] = 0, 0
	acc := add(0, msg[:covered])
	if with == Pseudo {
		acc = pseudo(acc, src, dst, covered)
	}
	put(msg, ^fold(acc))
}

// verify reports which checksum a message has, if any of those that are accepted.
func verify(msg []byte, src, dst netip.Addr) (Checksum, bool) {
	acc := add(0, msg)
	switch {
	case Version(msg[0]>>4) == V2:
		return Plain, fold(acc) == 0xffff
	case fold(pseudo(acc, src, dst, len(msg))) == 0xffff:
		return Pseudo, true
	}
	return Plain, src.Is4() && fold(acc) == 0xffff
}

// patch changes the priority of a sealed message, and its checksum by as much (RFC 1624). The rest of
// the message is not read.
func patch(msg []byte, priority uint8) {
	was := uint32(msg[2])<<8 | uint32(msg[3])
	msg[2] = priority
	is := uint32(msg[2])<<8 | uint32(msg[3])
	sum := uint32(msg[6])<<8 | uint32(msg[7])
	put(msg, ^fold((^sum&0xffff)+(^was&0xffff)+is))
}

func put(msg []byte, sum uint16) { msg[6], msg[7] = byte(sum>>8), byte(sum) }

func pseudo(acc uint32, src, dst netip.Addr, length int) uint32 {
	if src.Is4() {
		s, d := src.As4(), dst.As4()
		acc = add(add(acc, s[:]), d[:])
	} else {
		s, d := src.As16(), dst.As16()
		acc = add(add(acc, s[:]), d[:])
	}
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
