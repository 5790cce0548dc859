package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"
	"syscall"
)

// Commands of the generic netlink family IPVS.
const (
	cmdNewService uint8 = iota + 1
	cmdSetService
	cmdDelService
	cmdGetService
	cmdNewDest
	cmdSetDest
	cmdDelDest
	cmdGetDest
	cmdNewDaemon
	cmdDelDaemon
	cmdGetDaemon
)

// Attributes of a command.
const (
	attrService = 1
	attrDest    = 2
	attrDaemon  = 3
)

// Attributes of a service.
const (
	svcFamily = iota + 1
	svcProtocol
	svcAddr
	svcPort
	svcMark
	svcSched
	svcFlags
	svcTimeout
	svcNetmask
	_
	svcEngine
)

// Attributes of a destination.
const (
	destAddr       = 1
	destPort       = 2
	destForward    = 3
	destWeight     = 4
	destUpper      = 5
	destLower      = 6
	destActive     = 7
	destInactive   = 8
	destPersistent = 9
	destFamily     = 11
	destStats64    = 12
	destTunType    = 13
	destTunPort    = 14
	destTunFlags   = 15
)

const (
	nested   = 1 << 15 // NLA_F_NESTED
	typeMask = 1<<14 - 1
)

var native = binary.NativeEndian

// appendAttr appends one attribute, padded.
func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = native.AppendUint16(b, uint16(4+len(value)))
	b = native.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

func appendUint8(b []byte, kind uint16, v uint8) []byte { return appendAttr(b, kind, []byte{v}) }

func appendUint16(b []byte, kind, v uint16) []byte {
	return appendAttr(b, kind, native.AppendUint16(nil, v))
}

func appendUint32(b []byte, kind uint16, v uint32) []byte {
	return appendAttr(b, kind, native.AppendUint32(nil, v))
}

func appendString(b []byte, kind uint16, s string) []byte {
	return appendAttr(b, kind, append([]byte(s), 0))
}

// appendNested appends one attribute that body fills.
func appendNested(b []byte, kind uint16, body func([]byte) []byte) []byte {
	at := len(b)
	b = native.AppendUint16(b, 0)
	b = native.AppendUint16(b, kind|nested)
	b = body(b)
	native.PutUint16(b[at:], uint16(len(b)-at))
	return b
}

// attrs holds the values of the attributes of one level by their number. A missing one is nil.
type attrs [24][]byte

var errAttr = errors.New("attribute is cut short")

// parseAttrs splits a buffer into attributes. Unknown numbers are skipped, since newer kernels add some.
func parseAttrs(b []byte) (a attrs, err error) {
	for len(b) >= 4 {
		size, kind := int(native.Uint16(b)), int(native.Uint16(b[2:])&typeMask)
		if size < 4 || size > len(b) {
			return a, errAttr
		}
		if kind < len(a) {
			a[kind] = b[4:size:size]
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return a, nil
}

func (a *attrs) uint8(kind int) uint8 {
	if len(a[kind]) < 1 {
		return 0
	}
	return a[kind][0]
}

func (a *attrs) uint16(kind int) uint16 {
	if len(a[kind]) < 2 {
		return 0
	}
	return native.Uint16(a[kind])
}

func (a *attrs) port(kind int) uint16 {
	if len(a[kind]) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(a[kind])
}

func (a *attrs) uint32(kind int) uint32 {
	if len(a[kind]) < 4 {
		return 0
	}
	return native.Uint32(a[kind])
}

func (a *attrs) uint64(kind int) uint64 {
	if len(a[kind]) < 8 {
		return 0
	}
	return native.Uint64(a[kind])
}

func (a *attrs) string(kind int) string {
	for i, c := range a[kind] {
		if c == 0 {
			return string(a[kind][:i])
		}
	}
	return string(a[kind])
}

// addr reads an address of the family; the kernel sends 16 bytes for either.
func (a *attrs) addr(kind int, family uint16) (netip.Addr, error) {
	size := 4
	if family == syscall.AF_INET6 {
		size = 16
	}
	if len(a[kind]) < size || family != syscall.AF_INET && family != syscall.AF_INET6 {
		return netip.Addr{}, fmt.Errorf("address of family %d in %d bytes", family, len(a[kind]))
	}
	addr, _ := netip.AddrFromSlice(a[kind][:size])
	return addr, nil
}

func familyOf(is6 bool) uint16 {
	if is6 {
		return syscall.AF_INET6
	}
	return syscall.AF_INET
}

// appendKey appends what names a service.
func appendKey(b []byte, key Key) []byte {
	b = appendUint16(b, svcFamily, familyOf(key.is6()))
	if key.Mark != 0 {
		return appendUint32(b, svcMark, key.Mark)
	}
	b = appendUint16(b, svcProtocol, uint16(key.Protocol))
	b = appendAttr(b, svcAddr, key.Address.Addr().AsSlice())
	return appendAttr(b, svcPort, binary.BigEndian.AppendUint16(nil, key.Address.Port()))
}

// appendService appends what names a service and its settings.
func appendService(b []byte, key Key, s Service) []byte {
	b = appendKey(b, key)
	b = appendString(b, svcSched, s.Scheduler)
	if s.Engine != "" {
		b = appendString(b, svcEngine, s.Engine)
	}
	b = appendAttr(b, svcFlags, native.AppendUint32(native.AppendUint32(nil, s.Flags), ^uint32(0)))
	b = appendUint32(b, svcTimeout, s.Timeout)
	if key.is6() {
		return appendUint32(b, svcNetmask, uint32(s.Netmask))
	}
	return appendAttr(b, svcNetmask, binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-s.Netmask)))
}

// appendDestKey appends what names a destination.
func appendDestKey(b []byte, addr netip.AddrPort) []byte {
	b = appendUint16(b, destFamily, familyOf(addr.Addr().Is6()))
	b = appendAttr(b, destAddr, addr.Addr().AsSlice())
	return appendAttr(b, destPort, binary.BigEndian.AppendUint16(nil, addr.Port()))
}

// appendDest appends what names a destination and its settings.
func appendDest(b []byte, addr netip.AddrPort, d Dest) []byte {
	b = appendDestKey(b, addr)
	b = appendUint32(b, destForward, uint32(d.Forward))
	b = appendUint32(b, destWeight, d.Weight)
	b = appendUint32(b, destUpper, d.Upper)
	b = appendUint32(b, destLower, d.Lower)
	if d.Encap != (Encapsulation{}) {
		b = appendUint8(b, destTunType, d.Encap.Type)
		b = appendAttr(b, destTunPort, binary.BigEndian.AppendUint16(nil, d.Encap.Port))
		b = appendUint16(b, destTunFlags, d.Encap.Flags)
	}
	return b
}

// decodeService reads a service, as the kernel dumps it.
func decodeService(b []byte) (Key, Service, error) {
	a, err := parseAttrs(b)
	if err != nil {
		return Key{}, Service{}, fmt.Errorf("service: %w", err)
	}
	family := a.uint16(svcFamily)
	is6 := family == syscall.AF_INET6
	key := Key{Mark: a.uint32(svcMark), IPv6: is6}
	if key.Mark == 0 {
		addr, err := a.addr(svcAddr, family)
		if err != nil {
			return Key{}, Service{}, fmt.Errorf("service: %w", err)
		}
		// not Normalize: an IPv4-mapped address in an IPv6 service is another service
		key = Key{Protocol: uint8(a.uint16(svcProtocol)), Address: netip.AddrPortFrom(addr, a.port(svcPort))}
	}
	s := Service{Scheduler: a.string(svcSched), Flags: a.uint32(svcFlags), Timeout: a.uint32(svcTimeout), Engine: a.string(svcEngine)}
	if is6 {
		s.Netmask = uint8(min(a.uint32(svcNetmask), 128))
	} else if len(a[svcNetmask]) >= 4 {
		s.Netmask = uint8(bits.LeadingZeros32(^binary.BigEndian.Uint32(a[svcNetmask])))
	}
	return key, s.Normalize(key), nil
}

// decodeDest reads a destination of a service of the family, as the kernel dumps it, and puts its attributes into a.
func decodeDest(b []byte, family uint16, a *attrs) (addr netip.AddrPort, d Dest, err error) {
	if *a, err = parseAttrs(b); err != nil {
		return netip.AddrPort{}, Dest{}, fmt.Errorf("destination: %w", err)
	}
	if f := a.uint16(destFamily); f != 0 {
		family = f
	}
	at, err := a.addr(destAddr, family)
	if err != nil {
		return netip.AddrPort{}, Dest{}, fmt.Errorf("destination: %w", err)
	}
	d = Dest{
		Weight: a.uint32(destWeight), Forward: Forward(a.uint32(destForward) & 7),
		Upper: a.uint32(destUpper), Lower: a.uint32(destLower),
		Encap: Encapsulation{Type: a.uint8(destTunType), Port: a.port(destTunPort), Flags: a.uint16(destTunFlags)},
	}
	return netip.AddrPortFrom(at, a.port(destPort)), d.Normalize(), nil
}
