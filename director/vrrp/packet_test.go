package vrrp

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func addrs(ss ...string) []netip.Addr {
	out := make([]netip.Addr, len(ss))
	for i, s := range ss {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}

// golden are adverts as keepalived 2.2.7, keepalived 2.4.3 and FRR 8.4.4 put them on the wire.
var golden = []struct {
	name, src string
	sum       Checksum
	pdu       string
	want      Packet
}{
	{"keepalived", "192.0.2.1", Pseudo, "3133640100640572c0000264", Packet{51, 100, time.Second, addrs("192.0.2.100")}},
	{"keepalived v3_checksum_as_v2", "192.0.2.1", Plain, "313364010064a802c0000264", Packet{51, 100, time.Second, addrs("192.0.2.100")}},
	{"keepalived v3_checksum_as_v2 resigns", "192.0.2.1", Plain, "3133000100640c03c0000264", Packet{51, 0, time.Second, addrs("192.0.2.100")}},
	{"keepalived three addresses", "192.0.2.1", Pseudo, "3133c8030064b4c6c0000264c0000265c6336407", Packet{51, 200, time.Second, addrs("192.0.2.100", "192.0.2.101", "198.51.100.7")}},
	{"keepalived 250 ms", "192.0.2.1", Pseudo, "31336401001905bdc0000264", Packet{51, 100, 250 * time.Millisecond, addrs("192.0.2.100")}},
	{"keepalived 40.95 s", "192.0.2.1", Pseudo, "3133ff010fff5ad6c0000264", Packet{51, 255, MaxInterval, addrs("192.0.2.100")}},
	{"keepalived resigns", "192.0.2.1", Pseudo, "3133000100646972c0000264", Packet{51, 0, time.Second, addrs("192.0.2.100")}},
	{"keepalived address owner", "192.0.2.1", Pseudo, "3133ff0100646a71c0000264", Packet{51, 255, time.Second, addrs("192.0.2.100")}},
	{"keepalived IPv6", "fe80::ff:fe00:1", Pseudo, "3133640200643efdfe80000000000000000000000000010020010db8000000000000000000000100", Packet{51, 100, time.Second, addrs("fe80::100", "2001:db8::100")}},
	{"keepalived IPv6 resigns", "fe80::ff:fe00:1", Pseudo, "313300020064a2fdfe80000000000000000000000000010020010db8000000000000000000000100", Packet{51, 0, time.Second, addrs("fe80::100", "2001:db8::100")}},
	{"keepalived IPv6, global address first", "fe80::ff:fe00:1", Pseudo, "3133640200643efd20010db8000000000000000000000100fe800000000000000000000000000100", Packet{51, 100, time.Second, addrs("2001:db8::100", "fe80::100")}},
	{"FRR", "192.0.2.2", Pseudo, "3133640100640571c0000264", Packet{51, 100, time.Second, addrs("192.0.2.100")}},
	{"FRR 250 ms", "192.0.2.2", Pseudo, "31336401001905bcc0000264", Packet{51, 100, 250 * time.Millisecond, addrs("192.0.2.100")}},
	{"FRR IPv6", "fe80::4d76:3214:7cb7:8319", Pseudo, "313364020064bea2fe80000000000000000000000000010020010db8000000000000000000000100", Packet{51, 100, time.Second, addrs("fe80::100", "2001:db8::100")}},
}

func datagram(src string, pdu []byte) Datagram {
	a := netip.MustParseAddr(src)
	return Datagram{Src: a, Dst: Multicast(a.Is6()), TTL: 255, Payload: pdu}
}

// V8, V10, V27, V31, V32.
func TestGoldenPacketsDecodeAndEncodeToTheSameBytes(t *testing.T) {
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			d := datagram(tt.src, unhex(t, tt.pdu))
			got, sum, drop := Parse(d)
			if drop != "" || sum != tt.sum {
				t.Fatalf("Parse: drop %q, checksum %v, want none and %v", drop, sum, tt.sum)
			}
			if diff := cmp.Diff(got, tt.want, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("packet (-got +want):\n%s", diff)
			}
			again, err := got.Append(nil, d.Src, d.Dst, sum)
			if err != nil || hex.EncodeToString(again) != tt.pdu {
				t.Errorf("Append = %x, %v, want %s", again, err, tt.pdu)
			}
		})
	}
}

// V24, V85.
func TestEveryFlippedByteIsRejected(t *testing.T) {
	for _, tt := range golden {
		b := unhex(t, tt.pdu)
		for i := range b {
			for _, mask := range []byte{1, 0x80, 0xff} {
				b[i] ^= mask
				if p, _, drop := Parse(datagram(tt.src, b)); drop == "" {
					t.Errorf("%s: byte %d flipped by %#x was believed: %+v", tt.name, i, mask, p)
				}
				b[i] ^= mask
			}
		}
	}
}

// V18, V20, V22, V23, V24, V28, V37, V42.
func TestDropReasons(t *testing.T) {
	good := unhex(t, "3133640100640572c0000264")
	edit := func(f func(d *Datagram)) Datagram {
		d := datagram("192.0.2.1", append([]byte(nil), good...))
		f(&d)
		return d
	}
	for _, tt := range []struct {
		name string
		in   Datagram
		want Drop
	}{
		{"good", edit(func(*Datagram) {}), ""},
		{"a fragment", edit(func(d *Datagram) { d.Fragment = true }), DropFragment},
		{"empty", edit(func(d *Datagram) { d.Payload = nil }), DropLength},
		{"an address cut off", edit(func(d *Datagram) { d.Payload = d.Payload[:11] }), DropLength},
		{"count too large", edit(func(d *Datagram) { d.Payload[3] = 2 }), DropLength},
		{"from beyond a router", edit(func(d *Datagram) { d.TTL = 254 }), DropTTL},
		{"to another address", edit(func(d *Datagram) { d.Dst = netip.MustParseAddr("192.0.2.2") }), DropDestination},
		{"version 2", edit(func(d *Datagram) { d.Payload[0] = 0x21 }), DropVersion},
		{"version 4", edit(func(d *Datagram) { d.Payload[0] = 0x41 }), DropVersion},
		{"type 7", edit(func(d *Datagram) { d.Payload[0] = 0x37 }), DropType},
		{"VRID 0", edit(func(d *Datagram) { d.Payload[1] = 0 }), DropVRID},
		{"no address", edit(func(d *Datagram) { d.Payload[3] = 0 }), DropNoAddress},
		{"trailing bytes", edit(func(d *Datagram) { d.Payload = append(d.Payload, 0, 0, 0, 0) }), DropTrailing},
		{"an HMAC trailer", datagram("192.0.2.1", unhex(t, "3133640100640572c0000264010100006b02ad0940070000bc55165b812e379cb718e9b381a7a473")), DropTrailing},
		{"checksum of another receiver", datagram("192.0.2.1", unhex(t, "3133640100642382c0000264")), DropChecksum},
		{"checksum 0", edit(func(d *Datagram) { d.Payload[6], d.Payload[7] = 0, 0 }), DropChecksum},
		{"IPv6 without pseudo-header", plain6(t), DropChecksum},
		{"interval 0", intervalOf(t, 0), DropInterval},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if p, _, got := Parse(tt.in); got != tt.want {
				t.Errorf("Parse = %+v, drop %q, want %q", p, got, tt.want)
			}
		})
	}
}

// V27.
func TestReservedBitsOfTheIntervalAreIgnored(t *testing.T) {
	p, _, drop := Parse(intervalOf(t, 0xf014))
	if drop != "" || p.Interval != 200*time.Millisecond {
		t.Errorf("Parse: interval %v, drop %q, want 200 ms", p.Interval, drop)
	}
}

func intervalOf(t *testing.T, v uint16) Datagram {
	t.Helper()
	b := unhex(t, "3133640100640000c0000264")
	b[4], b[5] = byte(v>>8), byte(v)
	s := ^fold(add(0, b))
	b[6], b[7] = byte(s>>8), byte(s)
	return datagram("192.0.2.1", b)
}

func plain6(t *testing.T) Datagram {
	t.Helper()
	b := unhex(t, "3133640100640000fe800000000000000000000000000100")
	s := ^fold(add(0, b))
	b[6], b[7] = byte(s>>8), byte(s)
	return datagram("fe80::1", b)
}

// V8, V10.
func TestAppendRefusesWhatTheWireCannotCarry(t *testing.T) {
	src, dst := netip.MustParseAddr("192.0.2.1"), Multicast(false)
	good := Packet{51, 100, time.Second, addrs("192.0.2.100")}
	for name, f := range map[string]func(*Packet){
		"VRID 0":                      func(p *Packet) { p.VRID = 0 },
		"interval 0":                  func(p *Packet) { p.Interval = 0 },
		"interval of 15 ms":           func(p *Packet) { p.Interval = 15 * time.Millisecond },
		"interval of 41 s":            func(p *Packet) { p.Interval = 41 * time.Second },
		"no address":                  func(p *Packet) { p.Addresses = nil },
		"256 addresses":               func(p *Packet) { p.Addresses = make([]netip.Addr, 256) },
		"address of the other family": func(p *Packet) { p.Addresses = addrs("fe80::1") },
	} {
		p := good
		f(&p)
		if b, err := p.Append(nil, src, dst, Pseudo); err == nil {
			t.Errorf("%s: Append = %x, want an error", name, b)
		}
	}
}

// V29, V36, V40, V43.
func TestBelieve(t *testing.T) {
	j := Judge{
		Addresses: addrs("192.0.2.100"),
		Interval:  time.Second,
		Own:       map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true},
		Subnets:   []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Members:   map[netip.Addr]bool{netip.MustParseAddr("192.0.2.3"): true, netip.MustParseAddr("198.51.100.3"): true},
	}
	good := Packet{51, 100, time.Second, addrs("192.0.2.100")}
	for _, tt := range []struct {
		name, src string
		edit      func(*Packet)
		active    string
		want      Received
		notes     []Notice
		drop      Drop
	}{
		{name: "a stranger", src: "192.0.2.2", want: Received{Priority: 100, Interval: time.Second}},
		{name: "a member", src: "192.0.2.3", want: Received{Priority: 100, Interval: time.Second, Member: true}},
		{name: "a member of another subnet", src: "198.51.100.3", want: Received{Priority: 100, Interval: time.Second, Member: true}},
		{name: "a stranger of another subnet", src: "198.51.100.4", drop: DropOffSubnet},
		{name: "own source", src: "192.0.2.1", drop: DropOwnSource},
		{name: "a virtual address as source", src: "192.0.2.100", drop: DropOwnSource},
		{name: "0.0.0.0", src: "0.0.0.0", drop: DropBadSource},
		{name: "broadcast", src: "255.255.255.255", drop: DropBadSource},
		{name: "multicast", src: "224.0.0.18", drop: DropBadSource},
		{name: "IPv6 that is not link-local", src: "2001:db8::1", drop: DropBadSource},
		{name: "the active router resigns", src: "192.0.2.2", active: "192.0.2.2", edit: func(p *Packet) { p.Priority = 0 }, want: Received{Interval: time.Second}},
		{name: "a stranger resigns", src: "192.0.2.2", active: "192.0.2.3", edit: func(p *Packet) { p.Priority = 0 }, drop: DropResignation},
		{name: "another list", src: "192.0.2.2", edit: func(p *Packet) { p.Addresses = addrs("192.0.2.9") }, want: Received{Priority: 100, Interval: time.Second}, notes: []Notice{NoticeAddresses}},
		{name: "another interval", src: "192.0.2.2", edit: func(p *Packet) { p.Interval = 2 * time.Second }, want: Received{Priority: 100, Interval: 2 * time.Second}, notes: []Notice{NoticeInterval}},
		{name: "a stranger's endless interval", src: "192.0.2.2", edit: func(p *Packet) { p.Interval = MaxInterval }, want: Received{Priority: 100, Interval: 4 * time.Second}, notes: []Notice{NoticeInterval, NoticeClamped}},
		{name: "a member's endless interval", src: "192.0.2.3", edit: func(p *Packet) { p.Interval = MaxInterval }, want: Received{Priority: 100, Interval: MaxInterval, Member: true}, notes: []Notice{NoticeInterval}},
		{name: "an address owner", src: "192.0.2.2", edit: func(p *Packet) { p.Priority = 255 }, want: Received{Priority: 255, Interval: time.Second}, notes: []Notice{NoticeOwner}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := good
			if tt.edit != nil {
				tt.edit(&p)
			}
			src := netip.MustParseAddr(tt.src)
			active, _ := netip.ParseAddr(tt.active)
			got, notes, drop := j.Believe(src, p, Pseudo, active)
			if tt.drop == "" {
				tt.want.Source = src
			}
			if got != tt.want || drop != tt.drop || !cmp.Equal(notes, tt.notes) {
				t.Errorf("Believe = %+v, %q, drop %q\nwant %+v, %q, drop %q", got, notes, drop, tt.want, tt.notes, tt.drop)
			}
		})
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzParse is seeded with the golden packets: what parses encodes to the same bytes, but for the
// reserved bits of the interval and the two forms of a zero checksum.
func FuzzParse(f *testing.F) {
	for _, tt := range golden {
		f.Add(unhex(f, tt.pdu), tt.want.Addresses[0].Is6())
	}
	f.Fuzz(func(t *testing.T, b []byte, v6 bool) {
		src := "192.0.2.1"
		if v6 {
			src = "fe80::ff:fe00:1"
		}
		d := datagram(src, b)
		p, sum, drop := Parse(d)
		if drop != "" || b[4]&0xf0 != 0 {
			return
		}
		again, err := p.Append(nil, d.Src, d.Dst, sum)
		if err != nil {
			t.Fatalf("Append(%+v): %v", p, err)
		}
		b[6], b[7], again[6], again[7] = 0, 0, 0, 0
		if string(again) != string(b) {
			t.Fatalf("Append = %x, want %x", again, b)
		}
	})
}
