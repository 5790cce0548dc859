package vrrp

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func sender(t testing.TB, src string, r Profile, list ...string) *Sender {
	t.Helper()
	s, err := NewSender(51, time.Second, addrs(list...), addr(src), r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSender(t *testing.T) {
	uni := Profile{Unicast: true, Neighbors: []Neighbor{{Address: addr("192.0.2.1")}, {Address: addr("192.0.2.2")}, {Address: addr("192.0.2.3")}}}
	uni2 := uni
	uni2.Version = V2
	plain := uni
	plain.Checksum = Plain
	uni6 := Profile{Unicast: true, Neighbors: []Neighbor{{Address: addr("2001:db8::2")}}}
	four, six := []string{"192.0.2.100"}, []string{"fe80::100", "2001:db8::100"}
	for _, tt := range []struct {
		name     string
		src      string
		profile  Profile
		list     []string
		priority uint8
		want     []string // destination and message
	}{
		{"V1 V8 V31 G5 version 3", "192.0.2.1", Profile{}, four, 100, []string{"224.0.0.18 3133640100640572c0000264"}},
		{"V31 G6 plain", "192.0.2.1", Profile{Checksum: Plain}, four, 100, []string{"224.0.0.18 313364010064a802c0000264"}},
		{"V7 V30 G1 version 2", "192.0.2.1", Profile{Version: V2}, four, 100, []string{"224.0.0.18 213364010001b865c00002640000000000000000"}},
		{"V14 G9 priority 0", "192.0.2.1", Profile{}, four, 0, []string{"224.0.0.18 3133000100646972c0000264"}},
		{"V2 V34 G12 IPv6", "fe80::ff:fe00:1", Profile{}, six, 100, []string{"ff02::12 3133640200643efdfe80000000000000000000000000010020010db8000000000000000000000100"}},
		{"V33 V82 A10 G15 unicast: the actual destination, and not to itself", "192.0.2.1", uni, four, 100, []string{"192.0.2.2 3133640100642382c0000264", "192.0.2.3 3133640100642381c0000264"}},
		{"V33 plain unicast", "192.0.2.1", plain, four, 100, []string{"192.0.2.2 313364010064a802c0000264", "192.0.2.3 313364010064a802c0000264"}},
		{"V30 G14 unicast of version 2", "192.0.2.1", uni2, four, 100, []string{"192.0.2.2 213364010001b865c00002640000000000000000", "192.0.2.3 213364010001b865c00002640000000000000000"}},
		{"V34 G16 unicast of IPv6", "2001:db8::1", uni6, six, 100, []string{"2001:db8::2 313364020064e01efe80000000000000000000000000010020010db8000000000000000000000100"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sender(t, tt.src, tt.profile, tt.list...)
			var got []string
			for _, a := range s.Adverts(at, tt.priority) {
				got = append(got, fmt.Sprintf("%v %x", a.Dst, a.Message))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("sent\n%q, want\n%q", got, tt.want)
			}
		})
	}
	t.Run("V82 no message of a unicast has the checksum of the multicast group", func(t *testing.T) {
		for p := range 256 {
			for _, a := range sender(t, "192.0.2.1", uni, four...).Adverts(at, uint8(p)) {
				if fold(pseudo(add(0, a.Message), addr("192.0.2.1"), group4, len(a.Message))) == 0xffff {
					t.Errorf("to %v: %x", a.Dst, a.Message)
				}
			}
		}
	})
}

func TestPatching(t *testing.T) {
	profiles := map[string]Profile{"v3 IPv4": {}, "plain": {Checksum: Plain}, "v2": {Version: V2}, "password": {Version: V2, Auth: Password, Secret: secret("pw")}, "v3 IPv6": {}}
	for name, r := range profiles {
		t.Run("V85 "+name+": all priorities after all priorities are as if encoded anew", func(t *testing.T) {
			src, list := "192.0.2.1", []string{"192.0.2.100", "192.0.2.101"}
			if name == "v3 IPv6" {
				src, list = "fe80::1", []string{"fe80::100", "2001:db8::100"}
			}
			s := sender(t, src, r, list...)
			want := make([][]byte, 256)
			for p := range want {
				packet := Packet{Version: r.Version, VRID: 51, Priority: uint8(p), Interval: time.Second, Addresses: addrs(list...), Checksum: r.Checksum, Auth: r.Auth, Secret: r.Secret}
				var err error
				if want[p], err = packet.Append(nil, addr(src), Multicast(addr(src).Is6())); err != nil {
					t.Fatal(err)
				}
			}
			for from := range 256 {
				for to := range 256 {
					s.Adverts(at, uint8(from))
					if got := s.Adverts(at, uint8(to))[0].Message; !bytes.Equal(got, want[to]) {
						t.Fatalf("%d, then %d: %x, want %x", from, to, got, want[to])
					}
				}
			}
		})
	}
	t.Run("V85 the checksum changes by the priority in its upper byte", func(t *testing.T) {
		b := unhex(t, "3133640100640572c0000264")
		patch(b, 0)
		if want := unhex(t, "3133000100646972c0000264"); !bytes.Equal(b, want) {
			t.Errorf("priority 0: %x, want %x", b, want)
		}
	})
}

func TestSendersThatAreRefused(t *testing.T) {
	key := goldenKey(t)
	many := make([]netip.Addr, 256)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
	}
	for _, tt := range []struct {
		name     string
		vrid     uint8
		interval time.Duration
		list     []netip.Addr
		src      string
		profile  Profile
		fine     bool
	}{
		{name: "V8 10 ms", vrid: 1, interval: 10 * time.Millisecond, fine: true},
		{name: "V8 40.95 s", vrid: 1, interval: MaxInterval, fine: true},
		{name: "V23 VRID 0", interval: time.Second},
		{name: "V8 interval 0", vrid: 1},
		{name: "V8 an interval of 15 ms", vrid: 1, interval: 15 * time.Millisecond},
		{name: "V8 an interval of 41 s", vrid: 1, interval: 41 * time.Second},
		{name: "V17 version 2 and 1 s", vrid: 1, interval: time.Second, profile: Profile{Version: V2}, fine: true},
		{name: "V17 version 2 and 255 s", vrid: 1, interval: 255 * time.Second, profile: Profile{Version: V2}, fine: true},
		{name: "V17 version 2 and less than a second", vrid: 1, interval: 100 * time.Millisecond, profile: Profile{Version: V2}},
		{name: "V17 version 2 and a second and a half", vrid: 1, interval: 1500 * time.Millisecond, profile: Profile{Version: V2}},
		{name: "V17 version 2 and 256 s", vrid: 1, interval: 256 * time.Second, profile: Profile{Version: V2}},
		{name: "version 2 and IPv6", vrid: 1, interval: time.Second, src: "fe80::1", list: addrs("fe80::100"), profile: Profile{Version: V2}},
		{name: "V22 version 4", vrid: 1, interval: time.Second, profile: Profile{Version: 4}},
		{name: "V72 version 3 and a password", vrid: 1, interval: time.Second, profile: Profile{Auth: Password}},
		{name: "V74 version 2 and a signature", vrid: 1, interval: time.Second, profile: Profile{Version: V2, Signing: key}},
		{name: "V10 no address", vrid: 1, interval: time.Second, list: []netip.Addr{}},
		{name: "V10 255 addresses", vrid: 1, interval: time.Second, list: many[:255], fine: true},
		{name: "V10 256 addresses", vrid: 1, interval: time.Second, list: many},
		{name: "V10 an address of the other family", vrid: 1, interval: time.Second, list: addrs("192.0.2.100", "fe80::1")},
		{name: "V9 IPv6, link-local first", vrid: 1, interval: time.Second, src: "fe80::1", list: addrs("fe80::100", "2001:db8::100"), fine: true},
		{name: "V9 IPv6, link-local second", vrid: 1, interval: time.Second, src: "fe80::1", list: addrs("2001:db8::100", "fe80::100")},
		{name: "V9 IPv6 without link-local", vrid: 1, interval: time.Second, src: "fe80::1", list: addrs("2001:db8::100")},
		{name: "V21 unicast to nobody", vrid: 1, interval: time.Second, profile: Profile{Unicast: true}},
		{name: "V21 unicast to itself", vrid: 1, interval: time.Second, profile: Profile{Unicast: true, Neighbors: []Neighbor{{Address: addr("192.0.2.1")}}}},
		{name: "V37 unicast to a group", vrid: 1, interval: time.Second, profile: Profile{Unicast: true, Neighbors: []Neighbor{{Address: group4}}}},
		{name: "V58 unicast to the other family", vrid: 1, interval: time.Second, profile: Profile{Unicast: true, Neighbors: []Neighbor{{Address: addr("2001:db8::2")}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, list := addr("192.0.2.1"), addrs("192.0.2.100")
			if tt.src != "" {
				src = addr(tt.src)
			}
			if tt.list != nil {
				list = tt.list
			}
			if _, err := NewSender(tt.vrid, tt.interval, list, src, tt.profile); (err == nil) != tt.fine {
				t.Errorf("error %v, want one: %v", err, !tt.fine)
			}
		})
	}
}

func TestV10_V18_AListOf255AddressesIsReadBack(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		src, list := addr("192.0.2.1"), []netip.Addr(nil)
		if v6 {
			src = addr("fe80::1")
		}
		for i := range 255 {
			a := netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
			if v6 {
				a = netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: byte(i)})
			}
			list = append(list, a)
		}
		s, err := NewSender(51, time.Second, list, src, Profile{Signing: goldenKey(t)})
		if err != nil {
			t.Fatal(err)
		}
		a := s.Adverts(at, 100)[0]
		var p Packet
		if drop := p.Parse(fromTo(src, a.Dst, a.Message), &Profile{Signing: goldenKey(t)}); drop != "" || !slices.Equal(p.Addresses, list) {
			t.Errorf("drop %q, %d addresses", drop, len(p.Addresses))
		}
		if len(a.Message) != maxPayload(v6) {
			t.Errorf("%d bytes, the filter lets %d pass", len(a.Message), maxPayload(v6))
		}
	}
}

func TestSendingAndHearingAllocateNothing(t *testing.T) {
	for _, w := range wireWork(t) {
		t.Run(w.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, w.do); got != 0 {
				t.Errorf("%v allocations", got)
			}
		})
	}
}

func BenchmarkWire(b *testing.B) {
	for _, w := range wireWork(b) {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.do()
			}
		})
	}
}

type work struct {
	name string
	do   func()
}

// wireWork is what is done for every advert.
func wireWork(t testing.TB) []work {
	src, now, priority := addr("192.0.2.1"), at, uint8(0)
	uni := Profile{Unicast: true, Neighbors: []Neighbor{{Address: addr("192.0.2.2")}, {Address: addr("192.0.2.3")}}}
	signing := Profile{Signing: goldenKey(t)}
	subnets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	hears := &Judge{Addresses: addrs("192.0.2.100"), Interval: time.Second, Subnets: subnets}
	verifies := &Judge{Profile: Profile{Signing: goldenKey(t)}, Addresses: addrs("192.0.2.100"), Interval: time.Second, Subnets: subnets}
	heard := fromTo(src, group4, unhex(t, "3133640100640572c0000264"))
	send := func(r Profile) func() {
		s := sender(t, "192.0.2.1", r, "192.0.2.100")
		return func() { priority++; s.Adverts(at, priority) }
	}
	signed := sender(t, "192.0.2.1", signing, "192.0.2.100")
	return []work{
		{"send", send(Profile{})},
		{"send to two neighbors", send(uni)},
		{"send signed", send(Profile{Signing: goldenKey(t)})},
		{"hear", func() { hears.Hear(at, heard, src) }},
		{"drop", func() { hears.Hear(at, fromTo(src, src, heard.Payload), src) }},
		{"send signed and verify", func() {
			now = now.Add(time.Millisecond)
			m := signed.Adverts(now, 100)[0].Message
			if _, _, drop := verifies.Hear(now, fromTo(src, group4, m), src); drop != "" {
				t.Fatal(drop)
			}
		}},
	}
}
