package vrrp

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// profiles are those of the fuzzers, by number.
func profiles(t testing.TB) []Profile {
	uni := []Neighbor{{Address: addr("192.0.2.1")}, {addr("2001:db8::1"), 64}, {addr("fe80::ff:fe00:1"), 1}}
	optional := goldenKey(t)
	optional.Optional = true
	return []Profile{
		{},
		{Version: V2},
		{Version: V2, Auth: Password, Secret: secret("s3cr3t")},
		{Version: V2, Auth: Header, Secret: secret("s3cr3t")},
		{Signing: goldenKey(t)},
		{Signing: optional, Enforce: true},
		{Unicast: true, Neighbors: uni},
		{Version: V2, Unicast: true, Neighbors: uni, StrictAddresses: true},
	}
}

// seeds adds the golden packets and what was captured, for the profiles that believe them.
func seeds(f *testing.F) {
	add := func(d Datagram) {
		for i, r := range profiles(f) {
			var p Packet
			if p.Parse(d, &r) == "" {
				f.Add(uint8(i), d.Src.AsSlice(), d.Dst.AsSlice(), uint8(d.TTL), d.AH, d.Payload)
			}
		}
	}
	for _, g := range goldenPackets(f) {
		b, _ := g.datagram(f)
		d, _ := g.deliver(b)
		add(d)
	}
	for _, c := range captures(f) {
		add(c.d)
	}
}

// FuzzParse asserts that what parses is encoded to the same bytes, but for the reserved bits of the
// interval and the two forms of a zero checksum.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, kind uint8, from, to []byte, ttl uint8, ah, b []byte) {
		src, ok1 := netip.AddrFromSlice(from)
		dst, ok2 := netip.AddrFromSlice(to)
		if !ok1 || !ok2 || src.Is4() != dst.Is4() {
			return
		}
		all := profiles(t)
		r := all[int(kind)%len(all)]
		d := Datagram{Src: src, Dst: dst, TTL: int(ttl), Payload: b}
		if len(ah) > 0 {
			if d, ok1 = parse4(ah); !ok1 {
				return
			}
		}
		var p Packet
		if p.Parse(d, &r) != "" {
			return
		}
		if vrid, drop := Peek(d); drop != "" || vrid != p.VRID {
			t.Fatalf("Peek = %d, %q, and then it is %+v", vrid, drop, p)
		}
		again, err := p.Append(nil, d.Src, d.Dst)
		if err != nil {
			t.Fatalf("Append(%+v): %v", p, err)
		}
		want := slices.Clone(d.Payload)
		want[6], want[7], again[6], again[7] = 0, 0, 0, 0
		if p.Version == V3 {
			want[4] &= 0x0f
		}
		if !bytes.Equal(again, want) {
			t.Fatalf("Append = %x, want %x", again, want)
		}
	})
}

// FuzzParse4 asserts that whatever a raw socket delivers is cut within its bounds.
func FuzzParse4(f *testing.F) {
	for _, g := range goldenPackets(f) {
		if b, _ := g.datagram(f); g.frame != "" && b[12] == 8 {
			f.Add(b[14:])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := parse4(b)
		if !ok {
			return
		}
		if len(d.Payload) > len(b)-20 || d.AH != nil && len(d.AH) > len(b) {
			t.Fatalf("%d of %d bytes", len(d.Payload), len(b))
		}
		for _, r := range profiles(t) {
			var p Packet
			p.Parse(d, &r)
		}
	})
}

// FuzzHear gives a judge and an Active router of each profile what the fuzzer thinks of, in a row. What
// is believed is within bounds, and what is dropped changes nothing.
func FuzzHear(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, kind uint8, from, to []byte, ttl uint8, ah, b []byte) {
		src, ok1 := netip.AddrFromSlice(from)
		dst, ok2 := netip.AddrFromSlice(to)
		if !ok1 || !ok2 || src.Is4() != dst.Is4() {
			return
		}
		all := profiles(t)
		j := &Judge{
			Profile: all[int(kind)%len(all)], Addresses: addrs("192.0.2.100"), Interval: time.Second,
			Own: map[netip.Addr]bool{addr("192.0.2.5"): true}, Subnets: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		}
		g := NewGroup()
		g.Add("r", Config{Source: addr("192.0.2.5"), Interval: time.Second, Priority: 100}, "")
		g.Step(start, "", Start{Resume: 1})
		g.Step(start.Add(1), "", Expired{})
		d := Datagram{Src: src, Dst: dst, TTL: int(ttl), Payload: b}
		if len(ah) > 0 {
			if d, ok1 = parse4(ah); !ok1 {
				return
			}
		}
		for i := range 3 {
			now := at.Add(time.Duration(i) * 100 * time.Millisecond)
			before := g.Deadline()
			ev, _, drop := j.Hear(now, d, src)
			if drop != "" {
				if ev != (Received{}) || g.Deadline() != before {
					t.Fatalf("dropped for %q, and yet %+v", drop, ev)
				}
				continue
			}
			if ev.Interval <= 0 || ev.Interval > MaxInterval && j.Profile.Version != V2 || ev.Source != d.Src {
				t.Fatalf("believed %+v", ev)
			}
			if i > 0 && (j.packet.Signed || d.AH != nil) {
				t.Fatalf("a replay was believed: %+v", ev)
			}
			g.Step(now, "r", ev)
			if m := g.Machine("r"); m.deadline.IsZero() || m.owned != (m.state == Active) {
				t.Fatalf("%v, owned %v, next %v", m.state, m.owned, m.deadline)
			}
		}
	})
}
