package keeper

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wireOf returns a packet socket in the bridge's namespace, on the port of a space.
func wireOf(t *testing.T, s *space, port string) int {
	t.Helper()
	var fd int
	inside(t, strings.TrimSuffix(s.name, "a")+"br", func() (err error) {
		all := uint16(unix.ETH_P_ALL)<<8 | uint16(unix.ETH_P_ALL)>>8
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all)); err != nil {
			return err
		}
		request, err := unix.NewIfreq(port)
		if err == nil {
			err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
		}
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: int(request.Uint32())})
	})
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20); err != nil {
		t.Fatal(err)
	}
	return fd
}

// captured returns the frames that have come, in hex.
func captured(fd int) (out []string) {
	b := make([]byte, 2000)
	for {
		n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
		if err != nil {
			return out
		}
		out = append(out, hex.EncodeToString(b[:n]))
	}
}

// virtualOwner is a space whose keeper owns addresses of both families on virtual MACs.
func virtualOwner(t *testing.T, s *space) Order {
	t.Helper()
	p := netip.MustParsePrefix
	o := Order{Groups: []Group{{Name: "gateway", Epoch: 1, Priority: 220, Routers: []Router{
		{Name: "four", VRID: 51, Interface: "eth0", Interval: calm, VirtualMAC: true, Addresses: []netip.Prefix{p("192.0.2.100/24")}},
		{Name: "six", VRID: 51, Interface: "eth0", Interval: calm, VirtualMAC: true, Addresses: []netip.Prefix{p("fe80::100/64"), p("2001:db8::100/64")}},
	}}}}
	s.run()
	if err := s.Set(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	s.wait("it owns the addresses", func() bool {
		return s.state() == "active" && strings.Contains(s.show("vrrp4.51.eth0"), "192.0.2.100/24") && strings.Contains(s.show("vrrp6.51.eth0"), "2001:db8::100/64")
	})
	return o
}

// show is what the ip command says of an interface and its addresses.
func (s *space) show(iface string) string {
	s.t.Helper()
	return ip(s.t, "-n", s.name, "addr", "show", "dev", iface)
}

func TestAnOwnerWithVirtualMACsOnTheWire(t *testing.T) {
	s := segment(t, 1)[0]
	fd := wireOf(t, s, "p0")
	virtualOwner(t, s)
	time.Sleep(2 * time.Second)
	nic := strings.ReplaceAll(strings.Fields(strings.SplitAfter(ip(t, "-n", s.name, "link", "show", "eth0"), "link/ether ")[1])[0], ":", "")
	frames := captured(fd)
	seen := func(match func(frame string) bool) int {
		return len(slices.DeleteFunc(slices.Clone(frames), func(f string) bool { return !match(f) }))
	}
	t.Run("V63 V66 gratuitous ARP, G24, five times in the first second", func(t *testing.T) {
		const want = "ffffffffffff00005e0001330806000108000604000100005e000133c0000264ffffffffffffc0000264"
		if n := seen(func(f string) bool { return f == want }); n != 5 {
			t.Errorf("%d, want 5", n)
		}
		if n := seen(func(f string) bool { return f[24:28] == "0806" && f != want }); n != 0 {
			t.Errorf("%d other ARP packets", n)
		}
	})
	t.Run("V65 V66 neighbour advertisements, five times in the first second", func(t *testing.T) {
		n := seen(func(f string) bool { return strings.HasPrefix(f, "33330000000100005e00023386dd") && f[108:110] == "88" })
		if n != 10 {
			t.Errorf("%d, want 5 for each of 2 addresses", n)
		}
	})
	t.Run("V5 adverts come from the interface's own address", func(t *testing.T) {
		if n := seen(func(f string) bool { return strings.HasPrefix(f, "01005e000012") && f[52:60] == "c0000201" }); n < 3 {
			t.Errorf("%d adverts from 192.0.2.1", n)
		}
		if n := seen(func(f string) bool { return strings.HasPrefix(f, "01005e000012") && f[52:60] != "c0000201" }); n != 0 {
			t.Errorf("%d adverts from another address", n)
		}
	})
	t.Run("V69 the parent joins with its real address, G27 and G28", func(t *testing.T) {
		igmp := func(f string) bool {
			return f[12:24] == nic && f[52:60] == "c0000201" && strings.HasSuffix(f, "2200f9eb0000000104000000e0000012")
		}
		mld := func(f string) bool { // one report has all groups that were joined of late
			return f[12:24] == nic && strings.HasPrefix(f[44:], "fe800000000000000000000000000001"+"ff020000000000000000000000000016"+"3a000502000001008f00") &&
				strings.Contains(f, "04000000"+"ff020000000000000000000000000012")
		}
		if seen(igmp) == 0 || seen(mld) == 0 {
			t.Errorf("%d IGMP and %d MLD reports from the parent", seen(igmp), seen(mld))
		}
		for _, name := range []string{"vrrp4.51.eth0", "vrrp6.51.eth0"} {
			if groups := ip(t, "-n", s.name, "maddr", "show", "dev", name); strings.Contains(groups, "224.0.0.18") || strings.Contains(groups, "ff02::12") {
				t.Errorf("%s has joined: %s", name, groups)
			}
		}
	})
}

// counts reports whether more than before was restored a second later at the latest.
func (s *space) counts(before uint64) bool {
	s.t.Helper()
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s.router().Restored > before {
			return true
		}
	}
	return false
}

func TestAnOwnerWithVirtualMACsOnTheHost(t *testing.T) {
	s := segment(t, 1)[0]
	o := virtualOwner(t, s)
	t.Run("V68 the solicited-node groups are joined and no address is tentative", func(t *testing.T) {
		s.wait("the group is joined", func() bool {
			return strings.Contains(ip(t, "-n", s.name, "maddr", "show", "dev", "vrrp6.51.eth0"), "ff02::1:ff00:100")
		})
		if got := s.show("vrrp6.51.eth0"); strings.Contains(got, "tentative") || strings.Contains(got, "dadfailed") {
			t.Errorf("the addresses are %s", got)
		}
	})
	t.Run("somebody removes or sets down the interface", func(t *testing.T) {
		h := intruder(t, s)
		for _, harm := range []string{"link del vrrp4.51.eth0", "link set vrrp4.51.eth0 down"} {
			var times []time.Duration
			for counted := 0; counted < 10; {
				before := s.router().Restored
				ip(t, append([]string{"-n", s.name}, strings.Fields(harm)...)...)
				times = append(times, back(t, h, o))
				if s.counts(before) { // else a renewal brought it back before it was missed
					counted++
				}
				if len(times) == 30 {
					t.Fatalf("%s: %d of %d are counted", harm, counted, len(times))
				}
			}
			judgeTimes(t, harm, times)
		}
	})
	s.kill() // and one that comes back goes on with what it finds
	index := strings.Split(s.show("vrrp4.51.eth0"), ":")[0]
	s.run()
	s.wait("it goes on", func() bool { return s.state() == "active" })
	if got := strings.Split(s.show("vrrp4.51.eth0"), ":")[0]; got != index {
		t.Errorf("the interface was made anew")
	}
	if err := s.Stop(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if links := ip(t, "-n", s.name, "-o", "link"); strings.Contains(links, "vrrp") {
		t.Errorf("after a stop with release there is %s", links)
	}
}

// TestAnOwnerWithVirtualMACsHearsAnotherOne has adverts come from the MAC address that the host itself has on an
// interface that is up. They say that they come each second, so that it is Backup for as long.
func TestAnOwnerWithVirtualMACsHearsAnotherOne(t *testing.T) {
	s := segment(t, 1)[0]
	fd := wireOf(t, s, "p0")
	virtualOwner(t, s)
	for _, better := range []string{ // priority 250, from 192.0.2.9 and fe80::9
		"01005e00001200005e000133080045c0002000010000ff701891c0000209e00000123133fa0100646f69c0000264",
		"33330000001200005e00023386dd6c000000002870fffe800000000000000000000000000009ff020000000000000000000000000012" +
			"3133fa020064a7f4fe80000000000000000000000000010020010db8000000000000000000000100",
	} {
		frame, err := hex.DecodeString(better)
		if err != nil {
			t.Fatal(err)
		}
		s.wait("it owns", func() bool { return s.state() == "active" })
		if _, err := unix.Write(fd, frame); err != nil {
			t.Fatal(err)
		}
		s.wait("it yields", func() bool { return s.state() == "backup" })
	}
}
