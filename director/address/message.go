package address

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
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

	iflaAddress  = 1
	iflaName     = 3
	iflaLink     = 5
	iflaLinkInfo = 18
	iflaAlias    = 20
	iflaAFSpec   = 26
	iflaExtMask  = 29

	infoKind    = 1
	infoOptions = 2
	infoSlave   = 4

	macvlanMode = 1
	macvlanVEPA = 2

	iflaInetConf  = 1 // in the part of iflaAFSpec that is of IPv4
	iflaInet6Conf = 2 // in the part that is of IPv6

	confRPFilter           = 8 // of IPv4, counted from 1
	confARPAnnounce        = 18
	confARPIgnore          = 19
	confPromoteSecondaries = 20
	confForwarding         = 0 // of IPv6, counted from 0

	inet6GenMode = 8
	genModeNone  = 1

	rpLoose         = 2 // the source may be reached by any interface; stronger than 1, whoever set that for all
	arpAnnounceBest = 2 // ask with an address of the interface itself

	extMaskSkipStats = 8
	nested           = 0x8000

	linkUp       = 0x1
	linkLoopback = 0x8
	linkRunning  = 0x40 // comes a moment after the carrier
	linkNoARP    = 0x80
	linkLowerUp  = 0x10000
	linkState    = linkUp | linkRunning | linkLowerUp
	typeEther    = 1

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
	alias    string
	kind     string // of virtual interfaces, "macvlan"
	slave    string // the kind of interface that it belongs to
	below    int    // the index of the interface that it is on
	promotes bool   // promote_secondaries
	forwards bool   // IPv6 forwarding

	rpFilter, arpAnnounce, arpIgnore uint32
}

func (l link) up() bool { return l.flags&linkUp != 0 && l.flags&linkLowerUp != 0 }

// virtual reports whether this package made the interface, for a virtual MAC.
func (l link) virtual() bool { return l.kind == "macvlan" && l.alias == tag }

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
		case attr == iflaLink && len(v) >= 4:
			l.below = int(native.Uint32(v))
		case attr == iflaAlias && len(v) > 0:
			l.alias = strings.TrimRight(string(v), "\x00")
		case attr == iflaLinkInfo:
			_ = attrs(v, l.info)
		case attr == iflaAFSpec:
			_ = attrs(v, l.family)
		}
	})
	if err == nil && l.name == "" {
		err = errors.New("netlink message names no interface")
	}
	return l, err
}

// info reads what a message about an interface says about its kind.
func (l *link) info(attr uint16, v []byte) {
	switch text := strings.TrimRight(string(v), "\x00"); attr {
	case infoKind:
		l.kind = text
	case infoSlave:
		l.slave = text
	}
}

// family reads what a message about an interface says about IPv4 or IPv6.
func (l *link) family(family uint16, b []byte) {
	_ = attrs(b, func(attr uint16, v []byte) {
		setting := func(i int) uint32 {
			if len(v) < 4*(i+1) {
				return 0
			}
			return native.Uint32(v[4*i:])
		}
		switch {
		case family == familyIPv4 && attr == iflaInetConf:
			l.promotes = setting(confPromoteSecondaries-1) != 0
			l.rpFilter, l.arpAnnounce = setting(confRPFilter-1), setting(confARPAnnounce-1)
			l.arpIgnore = setting(confARPIgnore - 1)
		case family == familyIPv6 && attr == iflaInet6Conf:
			l.forwards = setting(confForwarding) != 0
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

// settingsBody returns the body of a message that sets IPv4 settings of an interface, its alias if it is
// to have one, and that it makes no IPv6 addresses of its own. It goes by netlink, not by /proc/sys,
// which shows the network namespace of the thread that looks.
func settingsBody(index int, alias string, settings map[uint16]uint32, noIPv6 bool) []byte {
	var conf []byte
	for setting, value := range settings {
		conf = appendAttr(conf, setting, native.AppendUint32(nil, value))
	}
	spec := appendAttr(nil, familyIPv4|nested, appendAttr(nil, iflaInetConf|nested, conf))
	if noIPv6 {
		spec = appendAttr(spec, familyIPv6|nested, appendAttr(nil, inet6GenMode, []byte{genModeNone}))
	}
	b := linkBody(index, "")
	if alias != "" {
		b = appendAttr(b, iflaAlias, []byte(alias))
	}
	return appendAttr(b, iflaAFSpec|nested, spec)
}

// macvlanBody returns the body of a message that makes a macvlan in VEPA mode.
func macvlanBody(parent int, name string, mac [6]byte) []byte {
	b := linkBody(0, name)
	b = appendAttr(b, iflaLink, native.AppendUint32(nil, uint32(parent)))
	b = appendAttr(b, iflaAddress, mac[:])
	info := appendAttr(nil, infoKind, []byte("macvlan"))
	mode := appendAttr(nil, macvlanMode, native.AppendUint32(nil, macvlanVEPA))
	return appendAttr(b, iflaLinkInfo|nested, appendAttr(info, infoOptions|nested, mode))
}

// upBody returns the body of a message that sets an interface up or down.
func upBody(index int, up bool) []byte {
	b := linkBody(index, "")
	if up {
		native.PutUint32(b[8:], linkUp)
	}
	native.PutUint32(b[12:], linkUp) // what is to change
	return b
}
