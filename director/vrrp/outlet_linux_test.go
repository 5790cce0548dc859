package vrrp

import (
	"bytes"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ip runs ip commands in the test's network namespace.
func ip(t *testing.T, commands ...string) {
	t.Helper()
	for _, args := range commands {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
}

// address6 adds an IPv6 address to qa, and returns when the kernel takes it for its own.
func address6(t *testing.T, a string) {
	t.Helper()
	ip(t, "addr add "+a+"/64 dev qa nodad")
	for range 1000 {
		out, err := exec.Command("ip", "-6", "route", "show", "table", "local", "dev", "qa").Output()
		if err == nil && strings.Contains(string(out), "local "+a+" ") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s is not there", a)
}

// capture6 returns the next IPv6 frame of a next header, of which there may be a hop-by-hop header before.
func capture6(t *testing.T, fd int, want func(payload []byte) bool) []byte {
	t.Helper()
	for {
		b := make([]byte, 2048)
		n, from, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			t.Fatalf("no such frame: %v", err)
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if n > 54 && b[12] == 0x86 && b[13] == 0xdd && want(b[:n]) {
			return b[:n]
		}
	}
}

func isVRRP6(b []byte) bool { return b[20] == Protocol }

// The message of a router with a virtual MAC is that of one without, and so is its source.
func TestV3_V5_G11_AdvertsLeaveFromAVirtualMAC(t *testing.T) {
	fd, _ := pair(t)
	o, err := Through("qa", false, VirtualMAC(51, false))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for _, a := range sender(t, "192.0.2.1", Profile{VirtualMAC: true}, "192.0.2.100").Adverts(time.Now(), 100) {
		if err := o.Send(addr("192.0.2.1"), a.Dst, a.Message); err != nil {
			t.Fatal(err)
		}
	}
	got := capture(t, fd, Protocol)
	want := unhex(t, "01005e00001200005e000133080045c0002000010000ff701899c0000201e00000123133640100640572c0000264")
	for _, b := range [][]byte{got, want} {
		b[18], b[19], b[24], b[25] = 0, 0, 0, 0
	}
	if !bytes.Equal(got, want) {
		t.Errorf("sent %x\nwant %x", got, want)
	}
}

func TestV2_V3_V69_G12_G28_IPv6(t *testing.T) {
	fd, _ := pair(t)
	address6(t, "fe80::ff:fe00:1")
	c, err := Listen("qa", true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	join := unhex(t, "04000000ff020000000000000000000000000012")
	report := func(b []byte) bool { return bytes.Contains(b, join) && bytes.Contains(b, unhex(t, "8f00")) }
	if got := capture6(t, fd, report); !bytes.Equal(got[22:38], addr("fe80::ff:fe00:1").AsSlice()) {
		t.Errorf("V69 the join comes from %x, want the interface's address", got[22:38])
	}
	o, err := Through("qa", true, VirtualMAC(51, true))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	src := addr("fe80::ff:fe00:1")
	advert := sender(t, "fe80::ff:fe00:1", Profile{}, "fe80::100", "2001:db8::100").Adverts(time.Now(), 100)[0]
	for _, tt := range []struct {
		name, mac string
		out       Outlet
	}{{"V2 G12", "020000000001", c}, {"V3 G12 from a virtual MAC", "00005e000233", o}} {
		if err := tt.out.Send(src, advert.Dst, advert.Message); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := capture6(t, fd, isVRRP6)
		want := unhex(t, "333300000012"+tt.mac+"86dd6c0000000028"+"70fffe80000000000000000000fffe000001ff0200000000000000000000000000123133640200643efdfe80000000000000000000000000010020010db8000000000000000000000100")
		got[15] &= 0xf0 // the flow label is free
		got[16], got[17] = 0, 0
		if !bytes.Equal(got, want) {
			t.Errorf("%s: sent %x\nwant %x", tt.name, got, want)
		}
	}
}

// frame6 is keepalived's advert from fe80::ff:fe00:2, edited.
func frame6(t *testing.T, edit func(b []byte) []byte) []byte {
	t.Helper()
	b := unhex(t, "333300000012020000000002"+"86dd6c000000002870fffe80000000000000000000fffe000002ff020000000000000000000000000012"+
		"3133640200643efcfe80000000000000000000000000010020010db8000000000000000000000100")
	if edit != nil {
		b = edit(b)
	}
	return b
}

func TestWhatIsReceivedOfIPv6(t *testing.T) {
	fd, to := pair(t)
	address6(t, "fe80::ff:fe00:1")
	address6(t, "2001:db8::1")
	c, err := Listen("qa", true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	enter := here(t)
	here := func(b []byte) []byte {
		copy(b, unhex(t, "020000000001"))
		copy(b[38:54], addr("2001:db8::1").AsSlice())
		return b
	}
	resign := func(b []byte) []byte {
		b[56] = 0
		seal(b[54:], len(b)-54, netip.AddrFrom16([16]byte(b[22:38])), netip.AddrFrom16([16]byte(b[38:54])), Pseudo)
		return b
	}
	unicast, ours, others := Filter{Unicast: true}, Filter{}, Filter{}
	for _, v := range []uint8{51, 99} {
		ours.VRIDs.Add(v)
		others.VRIDs.Add(v + 1)
	}
	others.VRIDs.Add(99)
	for _, tt := range []struct {
		name   string
		edit   func(b []byte) []byte
		filter Filter
		hears  bool
		drop   Drop
		why    Drop // it is rejected by the filter
	}{
		{name: "V2 keepalived's", hears: true},
		{name: "a resignation", edit: resign, hears: true},
		{name: "V20 hop limit 254", edit: func(b []byte) []byte { b[21] = 254; return b }, why: DropTTL},
		{name: "V20 hop limit 64, where there is a unicast", edit: func(b []byte) []byte { b[21] = 64; return b }, filter: unicast, why: DropTTL},
		{name: "V36 A11 the own address is delivered, and the judge drops it", edit: func(b []byte) []byte { b[37] = 1; return b }, hears: true, drop: DropChecksum},
		{name: "V37 to all hosts", edit: func(b []byte) []byte { b[5], b[53] = 1, 1; return b }, why: DropDestination},
		{name: "V37 to this host", edit: here, why: DropDestination},
		{name: "V37 to this host, where there is a unicast", edit: here, filter: unicast, hears: true, drop: DropChecksum},
		{name: "V43 a resignation in a frame to this host", edit: func(b []byte) []byte {
			copy(b, unhex(t, "020000000001"))
			return resign(b)
		}, why: DropResignation},
		{name: "V18 too short", edit: func(b []byte) []byte { b[19] = 7; return b[:61] }, why: DropLength},
		{name: "V23 a VRID in the set", filter: ours, hears: true},
		{name: "V23 a VRID out of the set", filter: others, why: DropVRID},
	} {
		t.Run(tt.name, func(t *testing.T) {
			enter()
			if err := c.SetFilter(tt.filter); err != nil {
				t.Fatal(err)
			}
			end := frame6(t, func(b []byte) []byte { b[55] = 99; return b })
			for _, b := range [][]byte{frame6(t, tt.edit), end} {
				if err := unix.Sendto(fd, b, 0, to); err != nil {
					t.Fatal(err)
				}
			}
			got, why := passed(until99(t, c))
			if why != tt.why {
				t.Errorf("rejected for %q, want %q", why, tt.why)
			}
			if tt.hears != (len(got) == 1) || len(got) > 1 {
				t.Fatalf("received %d: %+v", len(got), got)
			}
			if tt.hears {
				var p Packet
				if drop := p.Parse(got[0], &Profile{}); drop != tt.drop {
					t.Errorf("drop %q, want %q: %+v", drop, tt.drop, got[0])
				}
			}
		})
	}
}

func TestUnicastsOnTheWire(t *testing.T) {
	fd, _ := pair(t)
	address6(t, "2001:db8::1")
	ip(t, "neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev qa", "neigh add 2001:db8::2 lladdr 02:00:00:00:00:02 dev qa")
	for _, tt := range []struct {
		name, src, dst, want string
		version              Version
	}{
		{name: "V33 G15", src: "192.0.2.1", dst: "192.0.2.2", want: "020000000002020000000001080045c0002000010000ff7036a9c0000201c00002023133640100642382c0000264"},
		{name: "V30 G14", src: "192.0.2.1", dst: "192.0.2.2", version: V2, want: "020000000002020000000001080045c0002800010000ff7036a1c0000201c0000202213364010001b865c00002640000000000000000"},
		{name: "V34 G16 with hop limit 255", src: "2001:db8::1", dst: "2001:db8::2", want: "02000000000202000000000186dd6c000000002870ff20010db800000000000000000000000120010db8000000000000000000000002313364020064e01efe80000000000000000000000000010020010db8000000000000000000000100"},
	} {
		src := addr(tt.src)
		list := []string{"192.0.2.100"}
		if src.Is6() {
			list = []string{"fe80::100", "2001:db8::100"}
		}
		c, err := Listen("qa", src.Is6())
		if err != nil {
			t.Fatal(err)
		}
		s := sender(t, tt.src, Profile{Version: tt.version, Unicast: true, Neighbors: []Neighbor{{Address: addr(tt.dst)}}}, list...)
		a := s.Adverts(time.Now(), 100)[0]
		if err := c.Send(src, a.Dst, a.Message); err != nil {
			t.Fatal(err)
		}
		want := unhex(t, tt.want)
		var got []byte
		if src.Is6() {
			got = capture6(t, fd, isVRRP6)
			got[15] &= 0xf0
			got[16], got[17] = 0, 0
		} else {
			got = capture(t, fd, Protocol)
			for _, b := range [][]byte{got, want} {
				b[18], b[19], b[24], b[25] = 0, 0, 0, 0
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: sent %x\nwant %x", tt.name, got, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// until99 returns what is received until an advert of VRID 99.
func until99(t *testing.T, c Conn) (got []Datagram) {
	t.Helper()
	for {
		d, ok, err := c.Receive(make([]byte, 2048))
		switch {
		case err != nil:
			t.Fatal(err)
		case ok && d.Rejected == "" && d.Payload[1] == 99:
			return got
		case ok:
			got = append(got, d)
		default:
			if err := c.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSendingThroughASocketAllocatesNothing(t *testing.T) {
	pair(t)
	address6(t, "fe80::ff:fe00:1")
	for _, src := range []netip.Addr{addr("192.0.2.1"), addr("fe80::ff:fe00:1")} {
		c, err := Listen("qa", src.Is6())
		if err != nil {
			t.Fatal(err)
		}
		advert := make([]byte, 40)
		if got := testing.AllocsPerRun(100, func() {
			if err := c.Send(src, Multicast(src.Is6()), advert); err != nil {
				t.Fatal(err)
			}
		}); got > 0 {
			t.Errorf("from %v: %v allocations", src, got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := net.InterfaceByName("qa"); err != nil {
		t.Fatal(err)
	}
}
