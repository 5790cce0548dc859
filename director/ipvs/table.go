package ipvs

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"strconv"
	"strings"
)

// Protocols of a virtual service.
const (
	TCP uint8 = 6
	UDP uint8 = 17
)

// Key names a virtual service: protocol and address, or a firewall mark.
type Key struct {
	Protocol uint8          // TCP or UDP; 0 for a mark
	Address  netip.AddrPort // zero for a mark
	Mark     uint32
	IPv6     bool // the family of a mark; false for an address, which has its own
}

// Flags of a virtual service, as the kernel numbers them.
const (
	FlagPersistent uint32 = 1 << iota // set and cleared by Normalize: it follows Timeout
	FlagHashed                        // the kernel's own, never part of a Service
	FlagOnePacket                     // every UDP packet is scheduled on its own
	FlagSched1                        // sh-fallback, mh-fallback
	FlagSched2                        // sh-port, mh-port
	FlagSched3
)

// Service is the settings of a virtual service.
type Service struct {
	Scheduler string // rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, ...
	Flags     uint32
	Timeout   uint32 // persistence in seconds, 0 for none
	Netmask   uint8  // prefix bits by which persistence tells clients apart; 0 for all bits
	Engine    string // persistence engine, "" for none
}

// Forward is a packet forwarding method, as the kernel numbers them.
type Forward uint8

// The forwarding methods. Local and Bypass are not asked for, but may be read.
const (
	NAT Forward = iota
	Local
	Tunnel
	Direct
	Bypass
)

// String returns the method's name.
func (f Forward) String() string {
	names := [...]string{"nat", "local", "tunnel", "direct", "bypass"}
	if int(f) < len(names) {
		return names[f]
	}
	return "forward " + strconv.Itoa(int(f))
}

// Encapsulation is how packets are wrapped for a [Tunnel] destination. The zero value is IP in IP.
type Encapsulation struct {
	Type  uint8 // 0 ipip, 1 gue, 2 gre
	Port  uint16
	Flags uint16 // 1 checksum, 2 remote checksum
}

// Dest is the settings of a destination (a real server of one virtual service).
type Dest struct {
	Weight       uint32 // 0 takes no new connections; at most [MaxWeight]
	Forward      Forward
	Upper, Lower uint32 // connection thresholds, 0 for none
	Encap        Encapsulation
}

// MaxWeight is the largest weight that every tool can read back.
const MaxWeight = 65535

// Entry is a virtual service and its destinations.
type Entry struct {
	Service
	Dests map[netip.AddrPort]Dest
}

// Table is an IPVS table, or the part of one that is spoken of.
type Table map[Key]Entry

// is6 reports whether the service is of the IPv6 family.
func (k Key) is6() bool { return k.IPv6 || k.Address.Addr().Is6() }

// Share is which of so many parts a name belongs to. They are of about the same size.
func Share(name string, parts uint32) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return h.Sum32() % parts
}

// share is [Share] of a service.
func (k Key) share(parts uint32) uint32 {
	a := k.Address.Addr().As16()
	return Share(string(native.AppendUint32(native.AppendUint16(append(a[:], k.Protocol), k.Address.Port()), k.Mark)), parts)
}

// bits is the number of bits of a client's address.
func (k Key) bits() uint8 {
	if k.is6() {
		return 128
	}
	return 32
}

// Normalize returns the table as the kernel will give it back.
func (t Table) Normalize() Table {
	out := make(Table, len(t))
	for key, entry := range t {
		key = key.Normalize()
		dests := make(map[netip.AddrPort]Dest, len(entry.Dests))
		for addr, dest := range entry.Dests {
			dests[unmap(addr)] = dest.Normalize()
		}
		out[key] = Entry{Service: entry.Service.Normalize(key), Dests: dests}
	}
	return out
}

// Normalize returns the one form of a key.
func (k Key) Normalize() Key {
	if k.Mark != 0 {
		return Key{Mark: k.Mark, IPv6: k.IPv6}
	}
	return Key{Protocol: k.Protocol, Address: unmap(k.Address)}
}

// Normalize returns the settings as the kernel will give them back for key.
func (s Service) Normalize(key Key) Service {
	s.Scheduler = cmp.Or(s.Scheduler, "wlc")
	s.Flags &^= FlagHashed | FlagPersistent
	if s.Timeout != 0 {
		s.Flags |= FlagPersistent
	}
	if s.Netmask == 0 || s.Netmask > key.bits() || s.Timeout == 0 {
		s.Netmask = key.bits() // without persistence a mask means nothing
	}
	return s
}

// Normalize returns the settings as the kernel will give them back.
func (d Dest) Normalize() Dest {
	d.Weight = min(d.Weight, MaxWeight)
	if d.Forward != Tunnel {
		d.Encap = Encapsulation{}
	}
	return d
}

// unmap turns an IPv4 address in IPv6 clothes into what the kernel calls it.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// Clone returns a copy that shares nothing with the table.
func (t Table) Clone() Table {
	out := make(Table, len(t))
	for key, entry := range t {
		entry.Dests = maps.Clone(entry.Dests)
		out[key] = entry
	}
	return out
}

// only returns the part of the table that keys name. It shares the destinations.
func (t Table) only(keys map[Key]bool) Table {
	out := make(Table, len(keys))
	for key := range keys {
		if entry, ok := t[key]; ok {
			out[key] = entry
		}
	}
	return out
}

// String returns the key as text: "tcp/192.0.2.1:80", "mark/7" or "mark6/7".
func (k Key) String() string {
	switch {
	case k.Mark != 0 && k.IPv6:
		return "mark6/" + strconv.FormatUint(uint64(k.Mark), 10)
	case k.Mark != 0:
		return "mark/" + strconv.FormatUint(uint64(k.Mark), 10)
	case k.Protocol == TCP:
		return "tcp/" + k.Address.String()
	case k.Protocol == UDP:
		return "udp/" + k.Address.String()
	}
	return strconv.Itoa(int(k.Protocol)) + "/" + k.Address.String()
}

var errKey = errors.New("not PROTOCOL/ADDRESS:PORT, mark/NUMBER or mark6/NUMBER")

// ParseKey reads what [Key.String] writes.
func ParseKey(s string) (Key, error) {
	kind, rest, ok := strings.Cut(s, "/")
	if !ok {
		return Key{}, fmt.Errorf("virtual service %q: %w", s, errKey)
	}
	if kind == "mark" || kind == "mark6" {
		mark, err := strconv.ParseUint(rest, 10, 32)
		if err != nil || mark == 0 {
			return Key{}, fmt.Errorf("virtual service %q: %w", s, errKey)
		}
		return Key{Mark: uint32(mark), IPv6: kind == "mark6"}, nil
	}
	protocol := map[string]uint64{"tcp": uint64(TCP), "udp": uint64(UDP)}[kind]
	if protocol == 0 {
		var err error
		if protocol, err = strconv.ParseUint(kind, 10, 8); err != nil {
			return Key{}, fmt.Errorf("virtual service %q: %w", s, errKey)
		}
	}
	addr, err := netip.ParseAddrPort(rest)
	if err != nil {
		return Key{}, fmt.Errorf("virtual service %q: %w", s, err)
	}
	return Key{Protocol: uint8(protocol), Address: addr}.Normalize(), nil
}

// MarshalText makes a key usable in JSON, as a value and as a name.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what [Key.MarshalText] writes.
func (k *Key) UnmarshalText(b []byte) (err error) {
	*k, err = ParseKey(string(b))
	return err
}

// Compare orders keys: addresses by family, address, port and protocol, then marks.
func (k Key) Compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.Mark, o.Mark),
		cmp.Compare(familyOf(k.IPv6), familyOf(o.IPv6)),
		k.Address.Compare(o.Address),
		cmp.Compare(k.Protocol, o.Protocol),
	)
}
