package address

import (
	"encoding/binary"
	"net/netip"
)

const (
	etherIPv4ARP = 0x0806
	etherIPv6    = 0x86dd
)

// frame returns the Ethernet frame that announces an address to the segment: a gratuitous ARP
// request for IPv4 (RFC 9568, section 8.1.2), an unsolicited neighbour advertisement for IPv6
// (section 8.2.2), its R flag set if the host forwards.
func frame(mac [6]byte, ip netip.Addr, router bool) []byte {
	if ip.Is4() {
		return arpFrame(mac, ip)
	}
	return naFrame(mac, ip, router)
}

func arpFrame(mac [6]byte, ip netip.Addr) []byte {
	vip := ip.As4()
	b := make([]byte, 0, 42)
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	b = append(b, mac[:]...)
	b = binary.BigEndian.AppendUint16(b, etherIPv4ARP)
	b = append(b, 0, 1, 0x08, 0, 6, 4, 0, 1) // Ethernet, IPv4, lengths, request
	b = append(b, mac[:]...)
	b = append(b, vip[:]...)
	b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // not looked at; what others send
	return append(b, vip[:]...)
}

func naFrame(mac [6]byte, ip netip.Addr, router bool) []byte {
	const size = 32 // of the advertisement, with one option
	vip := ip.As16()
	all := netip.IPv6LinkLocalAllNodes().As16()
	b := make([]byte, 0, 14+40+size)
	b = append(b, 0x33, 0x33, 0, 0, 0, 1)
	b = append(b, mac[:]...)
	b = binary.BigEndian.AppendUint16(b, etherIPv6)
	b = append(b, 0x60, 0, 0, 0, 0, size, 58, 255)
	b = append(b, vip[:]...)
	b = append(b, all[:]...)
	flags := byte(0x20) // override
	if router {
		flags |= 0x80
	}
	b = append(b, 136, 0, 0, 0, flags, 0, 0, 0)
	b = append(b, vip[:]...)
	b = append(b, 2, 1) // target link-layer address
	b = append(b, mac[:]...)
	message := b[14+40:]
	binary.BigEndian.PutUint16(message[2:], checksum(vip, all, message))
	return b
}

// checksum returns the ICMPv6 checksum of a message whose checksum field is zero.
func checksum(src, dst [16]byte, message []byte) uint16 {
	sum := uint32(len(message)) + 58
	for _, part := range [][]byte{src[:], dst[:], message} {
		for i := 0; i+1 < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
