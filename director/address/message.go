package address

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// The numbers of rtnetlink, from the kernel's uapi headers.
const (
	kindNewLink = 16
	kindDelLink = 17
	kindGetLink = 18
	kindSetLink = 19
	kindNewAddr = 20
	kindDelAddr = 21
	kindGetAddr = 22

	familyUnspec = 0
	familyIPv4   = 2
	familyIPv6   = 10

	ifaAddress   = 1
	ifaLocal     = 2
	ifaCacheInfo = 6
	ifaFlags     = 8
	ifaProto     = 11

	flagSecondary     = 0x01 // IPv4 only; for IPv6 the bit means temporary
	flagNoDAD         = 0x02
	flagDADFailed     = 0x08
	flagTentative     = 0x40
	flagNoPrefixRoute = 0x200

	iflaAddress = 1
	iflaName    = 3
	iflaAFSpec  = 26
	iflaExtMask = 29

	iflaInetConf  = 1 // in the part of iflaAFSpec that is of IPv4
	iflaInet6Conf = 2 // in the part that is of IPv6

	confPromoteSecondaries = 20 // of IPv4, counted from 1
	confForwarding         = 0  // of IPv6, counted from 0

	extMaskSkipStats = 8
	nested           = 0x8000

	linkUp      = 0x1
	linkNoARP   = 0x80
	linkLowerUp = 0x10000
	typeEther   = 1

	forEver = 1<<32 - 1 // seconds
	mark    = 112       // in IFA_PROTO of what this package makes: the IP protocol number of VRRP
)

var (
	native   = binary.NativeEndian
	errShort = errors.New("netlink message is cut short")
)

// entry is one address as the kernel has it.
type entry struct {
	index  int
	prefix netip.Prefix
	flags  uint32
	scope  uint8
	proto  uint8
	valid  uint32 // seconds left
}

// link is one interface as the kernel has it.
type link struct {
	index    int
	name     string
	flags    uint32
	ethernet bool
	mac      [6]byte
	promotes bool // promote_secondaries
	forwards bool // IPv6 forwarding
}

func (l link) up() bool { return l.flags&linkUp != 0 && l.flags&linkLowerUp != 0 }

// has reports whether the address is tentative, a duplicate, or whatever flag says.
func (e entry) has(flag uint32) bool { return e.flags&flag != 0 }

func (e entry) v6() bool { return e.prefix.Addr().Is6() }

// left returns the remaining lifetime, 0 for ever. It is never 0 for what is about to end.
func (e entry) left() time.Duration {
	if e.valid == forEver {
		return 0
	}
	return max(time.Duration(e.valid)*time.Second, time.Millisecond)
}

// attrs calls each with every attribute of a message.
func attrs(b []byte, each func(kind uint16, value []byte)) error {
	for len(b) >= 4 {
		size := int(native.Uint16(b))
		if size < 4 || size > len(b) {
			return errShort
		}
		each(native.Uint16(b[2:])&0x3fff, b[4:size])
		b = b[min(len(b), (size+3)&^3):]
	}
	return nil
}

// parseEntry reads the body of a message about an address.
func parseEntry(b []byte) (entry, error) {
	if len(b) < 8 {
		return entry{}, errShort
	}
	e := entry{flags: uint32(b[2]), scope: b[3], index: int(native.Uint32(b[4:])), valid: forEver}
	var address, local netip.Addr
	err := attrs(b[8:], func(kind uint16, v []byte) {
		switch {
		case kind == ifaAddress:
			address, _ = netip.AddrFromSlice(v)
		case kind == ifaLocal:
			local, _ = netip.AddrFromSlice(v)
		case kind == ifaFlags && len(v) >= 4:
			e.flags = native.Uint32(v)
		case kind == ifaCacheInfo && len(v) >= 8:
			e.valid = native.Uint32(v[4:])
		case kind == ifaProto && len(v) >= 1:
			e.proto = v[0]
		}
	})
	if err != nil {
		return entry{}, err
	}
	if local.IsValid() { // else IPv6, whose only address is the local one
		address = local
	}
	e.prefix = netip.PrefixFrom(address, int(b[1]))
	if !e.prefix.IsValid() {
		return entry{}, errors.New("netlink message has no address")
	}
	return e, nil
}

// parseLink reads the body of a message about an interface.
func parseLink(b []byte) (link, error) {
	if len(b) < 16 {
		return link{}, errShort
	}
	l := link{index: int(int32(native.Uint32(b[4:]))), flags: native.Uint32(b[8:])}
	kind := native.Uint16(b[2:])
	err := attrs(b[16:], func(attr uint16, v []byte) {
		switch {
		case attr == iflaName && len(v) > 0:
			l.name = string(v[:len(v)-1])
		case attr == iflaAddress && len(v) == 6:
			l.mac = [6]byte(v)
			l.ethernet = kind == typeEther
		case attr == iflaAFSpec:
			_ = attrs(v, l.family)
		}
	})
	if err == nil && l.name == "" {
		err = errors.New("netlink message names no interface")
	}
	return l, err
}

// family reads what a message about an interface says about IPv4 or IPv6.
func (l *link) family(family uint16, b []byte) {
	_ = attrs(b, func(attr uint16, v []byte) {
		setting := func(i int) bool { return len(v) >= 4*(i+1) && native.Uint32(v[4*i:]) != 0 }
		switch {
		case family == familyIPv4 && attr == iflaInetConf:
			l.promotes = setting(confPromoteSecondaries - 1)
		case family == familyIPv6 && attr == iflaInet6Conf:
			l.forwards = setting(confForwarding)
		}
	})
}

func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = native.AppendUint16(b, uint16(4+len(value)))
	b = native.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// addressBody returns the body of a message that adds, renews or deletes an address.
func addressBody(index int, p netip.Prefix, flags, valid uint32) []byte {
	family, local := byte(familyIPv6), p.Addr().AsSlice()
	preferred := uint32(0) // IPv6: deprecated, so that it is no source of the host's own connections
	if p.Addr().Is4() {
		family, preferred = familyIPv4, valid
	}
	scope := byte(0)
	if p.Addr().IsLoopback() {
		scope = 254 // host
	}
	b := []byte{family, byte(p.Bits()), 0, scope}
	b = native.AppendUint32(b, uint32(index))
	b = appendAttr(b, ifaLocal, local)
	b = appendAttr(b, ifaAddress, local)
	b = appendAttr(b, ifaFlags, native.AppendUint32(nil, flags))
	b = appendAttr(b, ifaProto, []byte{mark})
	if valid == 0 {
		return b
	}
	life := native.AppendUint32(native.AppendUint32(nil, preferred), valid)
	return appendAttr(b, ifaCacheInfo, append(life, make([]byte, 8)...))
}

// linkBody returns the body of a message about an interface, by index or by name.
func linkBody(index int, name string) []byte {
	b := make([]byte, 16)
	native.PutUint32(b[4:], uint32(index))
	if name != "" {
		b = appendAttr(b, iflaName, append([]byte(name), 0))
	}
	return b
}

// promoteBody returns the body of a message that sets promote_secondaries on an interface. It goes
// by netlink, not by /proc/sys, which shows the network namespace of the thread that looks.
func promoteBody(index int) []byte {
	conf := appendAttr(nil, confPromoteSecondaries, native.AppendUint32(nil, 1))
	family := appendAttr(nil, iflaInetConf|nested, conf)
	spec := appendAttr(nil, familyIPv4|nested, family)
	return appendAttr(linkBody(index, ""), iflaAFSpec|nested, spec)
}
