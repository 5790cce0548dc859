package vrrp

import (
	"slices"
	"strings"
	"time"
)

// attack is one input, with what comes of it on each segment. An answer with a segment's name before a
// colon is for that segment alone; "-" is for what cannot be there.
type attack struct {
	name    string
	shot    func(s segment, h *shot)
	judge   func(*Judge)
	want    string
	except  map[string]string
	notices []Notice // at least, where it is believed
}

const (
	v2Both  = "v2 unicast/v2"
	v4Multi = "v3/4 v2"
	v6Both  = "v3/6 unicast/6"
	unicast = "unicast/4 unicast/6 unicast/v2"
	multi   = "v3/4 v3/6 v2"
	v3All   = "v3/4 v3/6 unicast/4 unicast/6"
)

func (a attack) expect(s segment) string {
	for names, want := range a.except {
		if slices.Contains(strings.Fields(names), s.name) {
			return want
		}
	}
	return a.want
}

func raw(f func(b []byte) []byte) func(segment, *shot) {
	return func(_ segment, h *shot) { h.raw = f }
}

func resealed(f func(b []byte) []byte) func(segment, *shot) {
	return func(s segment, h *shot) { h.raw, h.sum = f, s.right() }
}

func ttl(n int) func(segment, *shot) { return func(_ segment, h *shot) { h.ttl = n } }

func priority(n uint8) func(segment, *shot) {
	return func(_ segment, h *shot) { h.packet.Priority = n }
}

func from(v4, v6 string) func(segment, *shot) {
	return func(s segment, h *shot) {
		h.src = addr(v4)
		if s.v6() {
			h.src = addr(v6)
		}
	}
}

func attacks() []attack {
	ignored := func(d Drop) string { return "ignored: " + string(d) }
	sum := func(c Checksum) *Checksum { return &c }
	return slices.Concat([]attack{
		{name: "V51 V52 A2 a valid advert of priority 200", want: "yields"},
		{name: "a stranger is noticed", want: "yields", except: map[string]string{unicast: "-"}, notices: []Notice{NoticeStranger}},
		{name: "V20 V21 A3 TTL 254", shot: ttl(254), want: ignored(DropTTL)},
		{name: "V20 V21 A3 TTL 64", shot: ttl(64), want: ignored(DropTTL)},
		{name: "V20 V21 A3 TTL 1", shot: ttl(1), want: ignored(DropTTL)},
		{name: "V21 TTL 64 where a neighbor may have it", shot: ttl(64), judge: allow(64), want: "yields", except: map[string]string{multi: ignored(DropTTL)}},
		{name: "V21 TTL 63 where a neighbor may have 64", shot: ttl(63), judge: allow(64), want: ignored(DropTTL)},
		{name: "V24 a bad checksum", shot: raw(func(b []byte) []byte { b[6] ^= 0x55; return b }), want: ignored(DropChecksum)},
		{name: "V24 checksum 0", shot: raw(func(b []byte) []byte { b[6], b[7] = 0, 0; return b }), want: ignored(DropChecksum)},
		{name: "V32 V34 a checksum without pseudo-header", shot: func(_ segment, h *shot) { h.sum = sum(Plain) }, want: "yields", except: map[string]string{v6Both: ignored(DropChecksum)}},
		{name: "V30 a checksum with pseudo-header", shot: func(_ segment, h *shot) { h.sum = sum(Pseudo) }, want: "yields", except: map[string]string{v2Both: ignored(DropChecksum)}},
		{name: "V33 V82 A10 a unicast with the multicast pseudo-header", shot: func(s segment, h *shot) { h.sumDst = Multicast(s.v6()) }, want: ignored(DropChecksum), except: map[string]string{multi: "-", "unicast/v2": "yields"}},
		{name: "V22 version 4", shot: resealed(func(b []byte) []byte { b[0] = 0x41; return b }), want: ignored(DropVersion)},
		{name: "V22 the other version, well formed", shot: func(s segment, h *shot) {
			h.packet.Version, h.packet.Interval = V2+V3-s.profile.version(), time.Second
			if s.v6() {
				h.packet.Version = V3
				h.raw = func(b []byte) []byte { b[0] = 0x21; return append(b, make([]byte, authLen)...) }
			}
		}, want: ignored(DropVersion)},
		{name: "V22 type 2", shot: resealed(func(b []byte) []byte { b[0]++; return b }), want: ignored(DropType)},
		{name: "V22 type 7 of Extreme", shot: resealed(func(b []byte) []byte { b[0] |= 7; return b }), want: ignored(DropType)},
		{name: "V23 another VRID", shot: func(_ segment, h *shot) { h.packet.VRID = 52 }, want: ignored(DropVRID)},
		{name: "V23 VRID 0", shot: resealed(func(b []byte) []byte { b[1] = 0; return b }), want: ignored(DropVRID)},
		{name: "V18 nothing", shot: raw(func([]byte) []byte { return nil }), want: ignored(DropLength)},
		{name: "V18 a runt of 7 bytes", shot: raw(func(b []byte) []byte { return b[:7] }), want: ignored(DropLength)},
		{name: "V18 the last byte is missing", shot: resealed(func(b []byte) []byte { return b[:len(b)-1] }), want: ignored(DropLength)},
		{name: "V18 V7 version 2 without authentication data", shot: resealed(func(b []byte) []byte { return b[:len(b)-8] }), want: ignored(DropLength)},
		{name: "V18 one address more than there are", shot: resealed(func(b []byte) []byte { b[3]++; return b }), want: ignored(DropLength)},
		{name: "V19 one address less than there are", shot: resealed(func(b []byte) []byte { b[3]--; return b }), want: ignored(DropTrailing)},
		{name: "V42 no addresses", shot: func(s segment, h *shot) {
			resealed(func(b []byte) []byte {
				b[3] = 0
				return slices.Delete(b, headerLen, headerLen+len(s.list)*s.own.BitLen()/8)
			})(s, h)
		}, want: ignored(DropNoAddress)},
		{name: "V40 V80 an address more", shot: func(_ segment, h *shot) {
			h.packet.Addresses = append(h.packet.Addresses, h.packet.Addresses[1].Next())
		}, want: "yields", notices: []Notice{NoticeAddresses}},
		{name: "V40 A9 another address", shot: func(_ segment, h *shot) { h.packet.Addresses[1] = h.packet.Addresses[1].Next() }, want: "yields", notices: []Notice{NoticeAddresses}},
		{name: "V9 V11 an IPv6 list with the link-local address not first", shot: func(_ segment, h *shot) { slices.Reverse(h.packet.Addresses) }, want: "-", except: map[string]string{v6Both: "yields"}, notices: []Notice{NoticeOrder, NoticeAddresses}},
		{name: "V19 four bytes of junk", shot: resealed(func(b []byte) []byte { return append(b, 1, 2, 3, 4) }), want: ignored(DropTrailing)},
		{name: "V19 28 bytes more", shot: resealed(func(b []byte) []byte { return append(b, make([]byte, stampLen)...) }), want: ignored(DropTrailing)},
		{name: "V26 V29 twice the interval", shot: func(_ segment, h *shot) { h.packet.Interval *= 2 }, want: "yields", except: map[string]string{v2Both: ignored(DropMismatch)}, notices: []Notice{NoticeInterval}},
		{name: "V29 A1 an interval of 40.95 s of a stranger is clamped", shot: func(_ segment, h *shot) { h.packet.Interval = MaxInterval }, want: "yields", except: map[string]string{v2Both: "-", unicast: "-"}, notices: []Notice{NoticeInterval, NoticeClamped}},
		{name: "V28 A8 interval 0", shot: resealed(func(b []byte) []byte {
			b[5] = 0
			if b[0]>>4 == 3 {
				b[4] = 0
			}
			return b
		}), want: ignored(DropInterval)},
		{name: "V28 A8 interval 0 under reserved bits", shot: resealed(func(b []byte) []byte { b[4], b[5] = 0xf0, 0; return b }), want: ignored(DropInterval), except: map[string]string{v2Both: "-"}},
		{name: "V27 A8 the reserved bits are ignored", shot: resealed(func(b []byte) []byte { b[4] |= 0xf0; return b }), want: "yields", except: map[string]string{v2Both: "-"}},
	}, moreAttacks(ignored))
}

func moreAttacks(ignored func(Drop) string) []attack {
	to := func(v4, v6 string) func(segment, *shot) {
		return func(s segment, h *shot) {
			h.dst = addr(v4)
			if s.v6() {
				h.dst = addr(v6)
			}
		}
	}
	both := func(fs ...func(segment, *shot)) func(segment, *shot) {
		return func(s segment, h *shot) {
			for _, f := range fs {
				f(s, h)
			}
		}
	}
	toUs := func(s segment, h *shot) { h.dst = s.own }
	vip := func(s segment, h *shot) { h.src = s.list[0] }
	self := func(s segment, h *shot) { h.src = s.own }
	higher := from("192.0.2.9", "fe80::9")
	enforce := func(j *Judge) { j.Profile.Enforce = true }
	member := func(j *Judge) {
		j.Profile.Enforce = true
		for _, a := range addrs("192.0.2.9", "fe80::9", "198.51.100.9") {
			j.Members[a] = true
		}
	}
	listed := func(j *Judge) {
		for _, a := range addrs("198.51.100.9", "2001:db8:1::9") {
			j.Profile.Neighbors = append(slices.Clone(j.Profile.Neighbors), Neighbor{Address: a})
		}
	}
	strict := func(j *Judge) { j.Profile.StrictAddresses = true }
	elsewhere := from("198.51.100.9", "2001:db8:1::9")
	other := func(_ segment, h *shot) { h.packet.Addresses = h.packet.Addresses[:1] }
	return []attack{
		{name: "V37 to this host alone", shot: toUs, want: ignored(DropDestination), except: map[string]string{unicast: "-"}},
		{name: "V37 to all hosts", shot: to("224.0.0.1", "ff02::1"), want: ignored(DropDestination)},
		{name: "V37 multicast to a unicast router", shot: to("224.0.0.18", "ff02::12"), want: ignored(DropDestination), except: map[string]string{multi: "-"}},
		{name: "V39 a fragment", shot: func(_ segment, h *shot) { h.fragment = true }, want: ignored(DropFragment)},
		{name: "V36 A11 our own source", shot: self, want: ignored(DropOwnSource)},
		{name: "V36 A11 a virtual address as source", shot: vip, want: ignored(DropOwnSource)},
		{name: "V36 A11 a virtual address as source, of a neighbor that was named by it", shot: vip, judge: func(j *Judge) {
			for _, a := range j.Addresses {
				j.Profile.Neighbors = append(slices.Clone(j.Profile.Neighbors), Neighbor{Address: a})
			}
		}, want: ignored(DropOwnSource), except: map[string]string{v6Both: "yields"}},
		{name: "V36 A12 no source", shot: from("0.0.0.0", "::"), want: ignored(DropBadSource)},
		{name: "V36 a multicast source", shot: from("224.0.0.18", "ff02::12"), want: ignored(DropBadSource)},
		{name: "V36 the broadcast address as source", shot: from("255.255.255.255", "::"), want: ignored(DropBadSource)},
		{name: "V36 the subnet's broadcast address as source", shot: from("192.0.2.255", "ff02::1"), want: ignored(DropBadSource), except: map[string]string{"unicast/4 unicast/v2": ignored(DropNotNeighbor)}},
		{name: "V36 a loopback source", shot: from("127.0.0.1", "::1"), want: ignored(DropBadSource)},
		{name: "V38 V39 a source off the subnet, or global", shot: elsewhere, want: ignored(DropOffSubnet), except: map[string]string{"v3/6": ignored(DropBadSource), unicast: ignored(DropNotNeighbor)}},
		{name: "V38 V39 a source off the subnet that is listed", shot: elsewhere, judge: listed, want: "yields"},
		{name: "V39 a member off the subnet", shot: elsewhere, judge: member, want: "yields", except: map[string]string{"v3/6": ignored(DropBadSource), unicast: ignored(DropNotNeighbor)}},
		{name: "V21 a source that is no neighbor", shot: from("192.0.2.8", "2001:db8::8"), want: ignored(DropNotNeighbor), except: map[string]string{multi: "-"}},
		{name: "V25 authentication type 1 where there is none", shot: func(_ segment, h *shot) { h.packet.Auth = Password }, want: ignored(DropAuthType), except: map[string]string{v3All: "-"}},
		{name: "V25 authentication type 9", shot: func(_ segment, h *shot) { h.packet.Auth = 9 }, want: ignored(DropAuthType), except: map[string]string{v3All: "-"}},
		{name: "V25 junk as authentication data of type 0", shot: func(_ segment, h *shot) { h.packet.Secret = secret("junk") }, want: "yields", except: map[string]string{v3All: "-"}},
		{name: "V44 A2 priority 255 of a stranger", shot: priority(255), want: "yields", notices: []Notice{NoticeOwner, NoticeStrangeOwner}, except: map[string]string{unicast: "-"}},
		{name: "V44 priority 255 of a neighbor", shot: priority(255), want: "yields", notices: []Notice{NoticeOwner}},
		{name: "A2 A16 a stranger where only known routers are heard", shot: priority(255), judge: enforce, want: ignored(DropStranger), except: map[string]string{unicast: "yields"}},
		{name: "A2 a resigning stranger where only known routers are heard", shot: priority(0), judge: enforce, want: ignored(DropStranger), except: map[string]string{unicast: "answers"}},
		{name: "A2 a member where only known routers are heard", judge: member, want: "yields"},
		{name: "A2 a listed router where only known routers are heard", shot: elsewhere, judge: func(j *Judge) { listed(j); enforce(j) }, want: "yields"},
		{name: "V50 equal priority, higher source", shot: both(priority(100), func(s segment, h *shot) {
			if !s.profile.Unicast {
				higher(s, h)
			}
		}), want: "yields"},
		{name: "V50 V54 equal priority, lower source", shot: func(s segment, h *shot) {
			h.packet.Priority = 100
			from("192.0.2.1", "fe80::1")(s, h)
			if s.profile.Unicast {
				from("192.0.2.1", "2001:db8::1")(s, h)
			}
		}, want: "replies"},
		{name: "V54 priority 50", shot: priority(50), want: "replies"},
		{name: "V53 A6 priority 0", shot: priority(0), want: "answers"},
		{name: "V41 another list where version 2 is strict", shot: other, judge: strict, want: "yields", except: map[string]string{v2Both: ignored(DropAddresses)}},
		{name: "V41 another list of an address owner", shot: both(other, priority(255)), judge: strict, want: "yields"},
		{name: "V41 another order where version 2 is strict", shot: func(_ segment, h *shot) { slices.Reverse(h.packet.Addresses) }, judge: strict, want: "yields"},
	}
}

// allow gives the neighbors a lowest TTL.
func allow(n uint8) func(*Judge) {
	return func(j *Judge) {
		j.Profile.Neighbors = slices.Clone(j.Profile.Neighbors)
		for i := range j.Profile.Neighbors {
			j.Profile.Neighbors[i].MinTTL = n
		}
	}
}
