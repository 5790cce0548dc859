package vrrp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func addrs(ss ...string) []netip.Addr {
	out := make([]netip.Addr, len(ss))
	for i, s := range ss {
		out[i] = addr(s)
	}
	return out
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden are adverts as keepalived 2.2.7, keepalived 2.4.3 and FRR 8.4.4 put them on the wire: whole
// Ethernet frames, or messages with what the IP header said.
type goldenPacket struct {
	name          string
	frame         string
	src, dst, pdu string
	profile       Profile
	want          Packet
}

func secret(s string) (out [8]byte) {
	copy(out[:], s)
	return out
}

// goldenKey is the key that the signed packets were made with.
func goldenKey(t testing.TB) *Signing {
	t.Helper()
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	s, err := NewSigning(1, Key{1, key})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func goldenPackets(t testing.TB) []goldenPacket {
	list4, list6 := addrs("192.0.2.100"), addrs("fe80::100", "2001:db8::100")
	three := addrs("192.0.2.100", "192.0.2.101", "198.51.100.7")
	v2 := func(vrid, priority uint8, auth Auth, s string, list []netip.Addr) Packet {
		return Packet{Version: V2, VRID: vrid, Priority: priority, Interval: time.Second, Addresses: list, Checksum: Plain, Auth: auth, Secret: secret(s)}
	}
	v3 := func(priority uint8, interval time.Duration, list []netip.Addr) Packet {
		return Packet{Version: V3, VRID: 51, Priority: priority, Interval: interval, Addresses: list}
	}
	plain := func(p Packet) Packet { p.Checksum = Plain; return p }
	signed := func(p Packet, sequence uint64, mac string) Packet {
		p.Signed, p.Stamp = true, Stamp{1, sequence, [16]byte(unhex(t, mac))}
		return p
	}
	two := Profile{Version: V2}
	pass := Profile{Version: V2, Auth: Password, Secret: secret("s3cr3t")}
	ah := Profile{Version: V2, Auth: Header, Secret: secret("s3cr3t")}
	uni2 := Profile{Version: V2, Unicast: true, Neighbors: []Neighbor{{Address: addr("192.0.2.1")}}}
	uni := Profile{Unicast: true, Neighbors: []Neighbor{{Address: addr("192.0.2.1")}, {Address: addr("2001:db8::1"), MinTTL: 64}}}
	hmac := Profile{Signing: goldenKey(t)}
	const a, b, m, ll, m6 = "192.0.2.1", "192.0.2.2", "224.0.0.18", "fe80::ff:fe00:1", "ff02::12"
	return []goldenPacket{
		{name: "G1 v2", frame: "01005e000012020000000001080045c0002800010000ff701891c0000201e0000012213364010001b865c00002640000000000000000", profile: two, want: v2(51, 100, NoAuth, "", list4)},
		{name: "G2 v2 three addresses", frame: "01005e000012020000000001080045c0003000010000ff701889c0000201e000001221339603000199c2c0000264c0000265c63364070000000000000000", profile: two, want: v2(51, 150, NoAuth, "", three)},
		{name: "G3 v2 password", frame: "01005e000012020000000001080045c0002800010000ff701891c0000201e0000012213464010101ad4ac00002647333637233740000", profile: pass, want: v2(52, 100, Password, "s3cr3t", list4)},
		{name: "G4 v2 AH", frame: "01005e000012020000000001080045c0004000010000ff3318b6c0000201e000001270040000c0000201000000016417c04688d5da556e9ad16c213564010201b663c00002640000000000000000", profile: ah, want: func() Packet {
			p := v2(53, 100, Header, "", list4)
			p.Stamp.Sequence = 1
			return p
		}()},
		{name: "G5 v3 IPv4", frame: "01005e000012020000000001080045c0002000010000ff701899c0000201e00000123133640100640572c0000264", want: v3(100, time.Second, list4)},
		{name: "G6 plain", src: a, dst: m, pdu: "313364010064a802c0000264", want: plain(v3(100, time.Second, list4))},
		{name: "G6 plain, priority 0", src: a, dst: m, pdu: "3133000100640c03c0000264", want: plain(v3(0, time.Second, list4))},
		{name: "G7 three addresses", src: a, dst: m, pdu: "3133c8030064b4c6c0000264c0000265c6336407", want: v3(200, time.Second, three)},
		{name: "G8 250 ms", src: a, dst: m, pdu: "31336401001905bdc0000264", want: v3(100, 250*time.Millisecond, list4)},
		{name: "G8 40.95 s", src: a, dst: m, pdu: "3133ff010fff5ad6c0000264", want: v3(255, MaxInterval, list4)},
		{name: "G9 v2 priority 0", src: a, dst: m, pdu: "2133000100011c66c00002640000000000000000", profile: two, want: v2(51, 0, NoAuth, "", list4)},
		{name: "G9 v3 priority 0", src: a, dst: m, pdu: "3133000100646972c0000264", want: v3(0, time.Second, list4)},
		{name: "G10 v2 priority 255", src: a, dst: m, pdu: "2133ff0100011d65c00002640000000000000000", profile: two, want: v2(51, 255, NoAuth, "", list4)},
		{name: "G10 v3 priority 255", src: a, dst: m, pdu: "3133ff0100646a71c0000264", want: v3(255, time.Second, list4)},
		{name: "G11 virtual MAC", frame: "01005e00001200005e000133080045c0002000010000ff701899c0000201e00000123133640100640572c0000264", want: v3(100, time.Second, list4)},
		{name: "G12 v3 IPv6", frame: "33330000001202000000000186dd6c039fe6002870fffe80000000000000000000fffe000001ff0200000000000000000000000000123133640200643efdfe80000000000000000000000000010020010db8000000000000000000000100", want: v3(100, time.Second, list6)},
		{name: "G12 v3 IPv6 priority 0", src: ll, dst: m6, pdu: "313300020064a2fdfe80000000000000000000000000010020010db8000000000000000000000100", want: v3(0, time.Second, list6)},
		{name: "G13 global address first", src: ll, dst: m6, pdu: "3133640200643efd20010db8000000000000000000000100fe800000000000000000000000000100", want: v3(100, time.Second, addrs("2001:db8::100", "fe80::100"))},
		{name: "G14 v2 unicast", frame: "020000000002020000000001080045c0002800010000ff7036a1c0000201c0000202213364010001b865c00002640000000000000000", profile: uni2, want: v2(51, 100, NoAuth, "", list4)},
		{name: "G15 v3 unicast", frame: "020000000002020000000001080045c0002000010000ff7036a9c0000201c00002023133640100642382c0000264", profile: uni, want: v3(100, time.Second, list4)},
		{name: "G15 v3 unicast to another", src: a, dst: "192.0.2.3", pdu: "3133640100642381c0000264", profile: uni, want: v3(100, time.Second, list4)},
		{name: "G16 v3 IPv6 unicast", frame: "02000000000202000000000186dd6c07f7750028704020010db800000000000000000000000120010db8000000000000000000000002313364020064e01efe80000000000000000000000000010020010db8000000000000000000000100", profile: uni, want: v3(100, time.Second, list6)},
		{name: "G18 v3 IPv4 signed", frame: "01005e000012020000000001080045c0003c00010000ff70187dc0000201e00000123133640100640572c0000264010100006b02ad0940070000bc55165b812e379cb718e9b381a7a473", profile: hmac, want: signed(v3(100, time.Second, list4), 0x6b02ad0940070000, "bc55165b812e379cb718e9b381a7a473")},
		{name: "G19 v3 IPv6 signed", src: ll, dst: m6, pdu: "313364020064c16bfe80000000000000000000000000010020010db8000000000000000000000100010100006b02ad0fcff1000035fd60c9b35f1d02db3a3fadaaa767b8", profile: hmac, want: signed(v3(100, time.Second, list6), 0x6b02ad0fcff10000, "35fd60c9b35f1d02db3a3fadaaa767b8")},
		{name: "G20 FRR v2", frame: "01005e00001200005e000133080045c00028020c4000ff70d684c0000202e0000012213364010001b865c00002640000000000000000", profile: two, want: v2(51, 100, NoAuth, "", list4)},
		{name: "G21 FRR v3 IPv4", frame: "01005e00001200005e000133080045c00020053b4000ff70d35dc0000202e00000123133640100640571c0000264", want: v3(100, time.Second, list4)},
		{name: "G21 FRR 250 ms", src: b, dst: m, pdu: "31336401001905bcc0000264", want: v3(100, 250*time.Millisecond, list4)},
		{name: "G22 FRR v3 IPv6", frame: "33330000001200005e00023386dd6c0a9ad7002870fffe800000000000004d7632147cb78319ff020000000000000000000000000012313364020064bea2fe80000000000000000000000000010020010db8000000000000000000000100", want: v3(100, time.Second, list6)},
	}
}

// datagram returns what the network stack makes of the packet, and where the message begins in it.
func (g goldenPacket) datagram(t testing.TB) (b []byte, at int) {
	t.Helper()
	if g.frame == "" {
		return unhex(t, g.pdu), 0
	}
	b = unhex(t, g.frame)
	switch {
	case b[12] == 0x86:
		return b, 14 + 40
	case b[14+9] == protocolAH:
		return b, 14 + 20 + ahLen
	}
	return b, 14 + 20
}

// deliver does what the network stack does with a golden packet that may have been edited.
func (g goldenPacket) deliver(b []byte) (Datagram, bool) {
	if g.frame == "" {
		return Datagram{Src: addr(g.src), Dst: addr(g.dst), TTL: 255, Payload: b}, true
	}
	return deliver(b)
}

// deliver does with an Ethernet frame what the network stack does before a socket for VRRP sees it.
func deliver(frame []byte) (Datagram, bool) {
	ip := frame[14:]
	switch uint16(frame[12])<<8 | uint16(frame[13]) {
	case 0x0800:
		head := int(ip[0]&0xf) * 4
		if ip[0]>>4 != 4 || head < 20 || head > len(ip) || fold(add(0, ip[:head])) != 0xffff || ip[9] != Protocol && ip[9] != protocolAH {
			return Datagram{}, false
		}
		return parse4(ip)
	case 0x86dd:
		length := int(ip[4])<<8 | int(ip[5])
		if ip[0]>>4 != 6 || ip[6] != Protocol || 40+length > len(ip) {
			return Datagram{}, false
		}
		return Datagram{
			Src: netip.AddrFrom16([16]byte(ip[8:24])), Dst: netip.AddrFrom16([16]byte(ip[24:40])), TTL: int(ip[7]),
			Payload: ip[40 : 40+length],
		}, true
	}
	return Datagram{}, false
}

var comparePackets = cmpopts.EquateComparable(netip.Addr{})

func TestGolden(t *testing.T) {
	for _, g := range goldenPackets(t) {
		t.Run("V85 V7 V8 "+g.name+" decodes and encodes to the same bytes", func(t *testing.T) {
			b, at := g.datagram(t)
			d, ok := g.deliver(b)
			if !ok {
				t.Fatal("not delivered")
			}
			var p Packet
			if drop := p.Parse(d, &g.profile); drop != "" {
				t.Fatalf("drop %q", drop)
			}
			if diff := cmp.Diff(p, g.want, comparePackets); diff != "" {
				t.Errorf("packet (-got +want):\n%s", diff)
			}
			again, err := p.Append(nil, d.Src, d.Dst)
			if err != nil || !bytes.Equal(again, b[at:]) {
				t.Errorf("Append = %x, %v\nwant     %x", again, err, b[at:])
			}
		})
	}
	t.Run("V82 V33 G17 the multicast pseudo-header in a unicast is dropped", func(t *testing.T) {
		r := Profile{Unicast: true, Neighbors: []Neighbor{{Address: addr("192.0.2.1")}}}
		d := Datagram{Src: addr("192.0.2.1"), Dst: addr("192.0.2.2"), TTL: 255, Payload: unhex(t, "3133640100640572c0000264")}
		var p Packet
		if drop := p.Parse(d, &r); drop != DropChecksum {
			t.Errorf("drop %q, want %q", drop, DropChecksum)
		}
	})
}

func TestEveryFlip(t *testing.T) {
	for _, g := range goldenPackets(t) {
		t.Run("V85 V24 "+g.name+" with any byte changed is dropped, or is the same advert", func(t *testing.T) {
			good, at := g.datagram(t)
			for i := range good {
				for mask := 1; mask < 256; mask++ {
					b := slices.Clone(good)
					b[i] ^= byte(mask)
					d, ok := g.deliver(b)
					if !ok {
						continue
					}
					var p Packet
					if drop := p.Parse(d, &g.profile); drop != "" {
						continue
					}
					if i >= at || !cmp.Equal(p, g.want, comparePackets) {
						t.Fatalf("byte %d ^ %#02x was believed: %+v", i, mask, p)
					}
				}
			}
		})
		t.Run("V85 "+g.name+" with any byte changed and a right checksum changes in that field alone", func(t *testing.T) {
			good, at := g.datagram(t)
			d, _ := g.deliver(good)
			profile := g.profile
			profile.Signing = nil
			msg := slices.Clone(d.Payload)
			if g.want.Signed {
				msg = msg[:len(msg)-stampLen]
			}
			_ = at
			for i := range msg {
				for mask := 1; mask < 256; mask++ {
					flipped := slices.Clone(msg)
					flipped[i] ^= byte(mask)
					sum := Pseudo
					if g.want.Version == V2 || g.want.Checksum == Plain {
						sum = Plain
					}
					seal(flipped, len(flipped), d.Src, d.Dst, sum)
					e := d
					e.Payload = flipped
					var p Packet
					if p.Parse(e, &profile) != "" {
						continue
					}
					if p.Version == V3 && i == 4 {
						flipped[4] &= 0x0f // the reserved bits are ignored
						seal(flipped, len(flipped), d.Src, d.Dst, sum)
					}
					again, err := p.Append(nil, d.Src, d.Dst)
					if err != nil || !bytes.Equal(again, flipped) {
						t.Fatalf("byte %d ^ %#02x: %x is read as %+v, which is %x, %v", i, mask, flipped, p, again, err)
					}
				}
			}
		})
	}
}

// captured is one datagram of testdata/captures.hex.
type captured struct {
	name    string
	d       Datagram
	profile Profile
}

func captures(t testing.TB) []captured {
	t.Helper()
	f, err := os.Open("testdata/captures.hex")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []captured
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		w := strings.Fields(lines.Text())
		ttl, err := strconv.Atoi(w[4])
		if err != nil {
			t.Fatal(err)
		}
		c := captured{name: w[0], d: Datagram{Src: addr(w[2]), Dst: addr(w[3]), TTL: ttl, Payload: unhex(t, w[5])}}
		if w[1] == "ah" {
			c.d, _ = parse4(c.d.Payload)
			c.profile = Profile{Auth: Header, Secret: secret("s3cr3t")}
		}
		c.profile.Version = Version(c.d.Payload[0] >> 4)
		if strings.Contains(c.name, "pass") {
			c.profile.Auth, c.profile.Secret = Password, secret("s3cr3t")
		}
		if strings.Contains(c.name, "hmac") {
			c.profile.Signing = goldenKey(t)
		}
		if !c.d.Dst.IsMulticast() {
			c.profile.Unicast = true
			c.profile.Neighbors = []Neighbor{{c.d.Src, 64}}
		}
		out = append(out, c)
	}
	return out
}

func TestCaptures(t *testing.T) {
	all := captures(t)
	if len(all) < 90 {
		t.Fatalf("%d captured datagrams", len(all))
	}
	for i, c := range all {
		t.Run("V85 "+strconv.Itoa(i)+" of "+c.name, func(t *testing.T) {
			var p Packet
			drop := p.Parse(c.d, &c.profile)
			if zero := c.name == "zombie-frr-interval0" && c.d.Payload[4]|c.d.Payload[5] == 0; zero {
				if drop != DropInterval {
					t.Errorf("interval zero: drop %q", drop)
				}
				return
			}
			if drop != "" {
				t.Fatalf("drop %q: %x", drop, c.d.Payload)
			}
			again, err := p.Append(nil, c.d.Src, c.d.Dst)
			if err != nil || !bytes.Equal(again, c.d.Payload) {
				t.Errorf("Append = %x, %v\nwant     %x", again, err, c.d.Payload)
			}
		})
	}
}
