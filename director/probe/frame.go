package probe

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	etherARP  = 0x0806
	arpReply  = 2
	etherIPv6 = 0x86dd
	icmpv6    = 58
	solicit   = 135
	advertise = 136
)

// question is the frame that asks who has target: everybody who may, or only the one that has the MAC address
// to, unless that is nil.
func question(mac net.HardwareAddr, source, target netip.Addr, to net.HardwareAddr) []byte {
	if target.Is4() {
		return arpRequest(mac, source, target, to)
	}
	return solicitation(mac, source, target, to)
}

func arpRequest(mac net.HardwareAddr, source, target netip.Addr, to net.HardwareAddr) []byte {
	if to == nil {
		to = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	b := append(append(make([]byte, 0, 42), to...), mac...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1) // Ethernet, IPv4, lengths, request
	b = append(append(b, mac...), source.AsSlice()...)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(b, target.AsSlice()...)
}

// solicitation is an ICMPv6 neighbour solicitation: to the target's solicited-node address, or to the target.
func solicitation(mac net.HardwareAddr, source, target netip.Addr, to net.HardwareAddr) []byte {
	const size = 32 // with one option
	t := target.As16()
	dst := t
	if to == nil {
		dst = [16]byte{0: 0xff, 1: 0x02, 11: 0x01, 12: 0xff, 13: t[13], 14: t[14], 15: t[15]}
		to = net.HardwareAddr{0x33, 0x33, 0xff, t[13], t[14], t[15]}
	}
	b := append(append(make([]byte, 0, 14+40+size), to...), mac...)
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, 0, size, icmpv6, 255)
	b = append(append(b, source.AsSlice()...), dst[:]...)
	b = append(b, solicit, 0, 0, 0, 0, 0, 0, 0)
	b = append(append(b, t[:]...), 1, 1) // source link-layer address
	b = append(b, mac...)
	message := b[14+40:]
	binary.BigEndian.PutUint16(message[2:], checksum(source, netip.AddrFrom16(dst), message))
	return b
}

// checksum is that of an ICMPv6 message whose checksum field is zero.
func checksum(src, dst netip.Addr, message []byte) uint16 {
	s, d := src.As16(), dst.As16()
	sum := uint32(len(message)) + icmpv6
	for _, part := range [][]byte{s[:], d[:], message} {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(part[i])<<8 | uint32(part[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// answer reads a frame that says who has an address; false for any other frame.
func answer(b []byte) (target netip.Addr, mac net.HardwareAddr, ok bool) {
	switch {
	case len(b) >= 42 && binary.BigEndian.Uint16(b[12:]) == etherARP && binary.BigEndian.Uint16(b[20:]) == arpReply:
		return netip.AddrFrom4([4]byte(b[28:32])), net.HardwareAddr(b[22:28]), true
	case len(b) >= 14+40+24 && binary.BigEndian.Uint16(b[12:]) == etherIPv6 && b[20] == icmpv6 && b[21] == 255 && b[54] == advertise:
		return netip.AddrFrom16([16]byte(b[62:78])), net.HardwareAddr(b[6:12]), true
	}
	return netip.Addr{}, nil, false
}
