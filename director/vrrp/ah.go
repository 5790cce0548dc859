package vrrp

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
)

const (
	// protocolAH is the IP protocol number of the Authentication Header.
	protocolAH = 51
	// ahLen is the header's length with the 96 bits of HMAC-MD5-96.
	ahLen = 24
	icvAt = 12
)

// An Authentication Header as version 2 of VRRP used it (RFC 2402, RFC 2403):
//
//	next header 112 | length 4 | reserved
//	SPI: the source address, which is not looked at, since the value covers both
//	sequence number
//	integrity check value, 12 bytes

// sequenceAH returns the sequence number of an Authentication Header.
func sequenceAH(packet []byte) uint64 {
	head := int(packet[0]&0xf) * 4
	return uint64(binary.BigEndian.Uint32(packet[head+8:]))
}

// verifyAH reports whether the integrity check value of an IPv4 packet with an Authentication Header is
// the one that the key makes. A router in between changes the TTL of a unicast, so it does not count
// there; that of a multicast does.
func verifyAH(packet []byte, key [8]byte, unicast bool) bool {
	const head = 20 // options are not sent by anyone, and some of them would not count
	if len(packet) < head+ahLen || packet[0] != 0x45 {
		return false
	}
	ah := packet[head : head+ahLen]
	if ah[0] != Protocol || ah[1] != ahLen/4-2 || ah[2] != 0 || ah[3] != 0 {
		return false
	}
	covered := append(make([]byte, 0, len(packet)), packet...)
	covered[1] = 0                // type of service
	covered[6], covered[7] = 0, 0 // flags and fragment offset
	covered[10], covered[11] = 0, 0
	if unicast {
		covered[8] = 0
	}
	icv := [ahLen - icvAt]byte(ah[icvAt:])
	clear(covered[head+icvAt : head+ahLen])
	mac := hmac.New(md5.New, key[:])
	mac.Write(covered)
	return hmac.Equal(mac.Sum(nil)[:len(icv)], icv[:])
}
