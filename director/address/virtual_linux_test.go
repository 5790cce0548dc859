package address

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	vmac4 = VirtualMAC{Parent: "qa", VRID: 51}
	vmac6 = VirtualMAC{Parent: "qa", VRID: 51, V6: true}
)

func TestAVirtualMACHasTheRFCsAddressAndANameThatFits(t *testing.T) {
	for _, tt := range []struct {
		v         VirtualMAC
		name, mac string
	}{
		{VirtualMAC{"eth0", 51, false}, "vrrp4.51.eth0", "00005e000133"},
		{VirtualMAC{"eth0", 255, true}, "vrrp6.255.eth0", "00005e0002ff"},
		{VirtualMAC{"eth01", 255, true}, "vrrp6.255.eth01", "00005e0002ff"},
		{VirtualMAC{"enp130s0f0np0", 7, false}, "vrrp4.7.~iujb", "00005e000107"},
	} {
		mac := tt.v.MAC()
		if got := hex.EncodeToString(mac[:]); got != tt.mac {
			t.Errorf("%+v has the MAC address %s, want %s", tt.v, got, tt.mac)
		}
		if got := tt.v.Name(); got != tt.name || len(got) > nameLen {
			t.Errorf("%+v has the name %q, want %q", tt.v, got, tt.name)
		}
	}
}

// mustHave makes the interfaces and fails if one cannot be had.
func mustHave(t *testing.T, h *Host, want ...VirtualMAC) {
	t.Helper()
	for v, err := range h.VirtualMACs(want) {
		t.Fatalf("%s: %v", v, err)
	}
}

// shown is what the ip command says of an interface, empty if there is none.
func shown(t *testing.T, name string) string {
	t.Helper()
	return script(t, "ip -d link show "+name+" 2>/dev/null || true")
}

func TestAnInterfaceWithAVirtualMACIsMadeTakenUpAndRemoved(t *testing.T) {
	h := newNamespace(t)
	mustHave(t, h, vmac4, vmac6)
	for _, tt := range []struct{ name, mac string }{{"vrrp4.51.qa", "00:00:5e:00:01:33"}, {"vrrp6.51.qa", "00:00:5e:00:02:33"}} {
		for _, want := range []string{tt.name + "@qa", tt.mac, "macvlan mode vepa", "alias quorate", "addrgenmode none", "state DOWN"} {
			if got := shown(t, tt.name); !strings.Contains(got, want) {
				t.Errorf("%s: no %q in %s", tt.name, want, got)
			}
		}
	}
	index := strings.Split(shown(t, "vrrp4.51.qa"), ":")[0]
	later := newHost(t)
	mustHave(t, later, vmac4)
	if got := strings.Split(shown(t, "vrrp4.51.qa"), ":")[0]; got != index {
		t.Errorf("a later run made the interface anew: number %s, was %s", got, index)
	}
	if got := shown(t, "vrrp6.51.qa"); got != "" {
		t.Errorf("not wanted, and there still: %s", got)
	}
	vip := on("vrrp4.51.qa", "192.0.2.100/24")
	must(t, later.Renew([]Address{vip}, 0))
	mustHave(t, later)
	if !has(t, later, vip) {
		t.Error("an address went with an interface that was not wanted any more")
	}
	must(t, later.Remove([]Address{vip}))
	mustHave(t, later)
	if got := shown(t, "vrrp4.51.qa"); got != "" {
		t.Errorf("not wanted, without an address, and there still: %s", got)
	}
}

func TestAnInterfaceOfThatNameThatIsNotRight(t *testing.T) {
	h := newNamespace(t)
	ip(t, "link add vrrp4.51.qa type bridge")
	if err := h.VirtualMACs([]VirtualMAC{vmac4, vmac6}); err[vmac4] == nil || !strings.Contains(err[vmac4].Error(), "not quorate's") || err[vmac6] != nil {
		t.Errorf("beside another's interface: %v", err)
	}
	ip(t, "link del vrrp4.51.qa")
	for _, wrong := range []string{
		"link add link qb name vrrp4.51.qa address 00:00:5e:00:01:33 type macvlan mode private", // another parent
		"link add link qa name vrrp4.51.qa address 00:00:5e:00:01:34 type macvlan mode private", // another MAC
	} {
		ip(t, wrong)
		ip(t, "link set vrrp4.51.qa alias quorate")
		mustHave(t, h, vmac4)
		if got := shown(t, "vrrp4.51.qa"); !strings.Contains(got, "@qa") || !strings.Contains(got, "00:00:5e:00:01:33") {
			t.Errorf("after %q: %s", wrong, got)
		}
		mustHave(t, h)
	}
	ip(t, "link add link qa name vrrp4.51.qa address 00:00:5e:00:01:33 type macvlan mode vepa") // of one killed half way
	mustHave(t, h, vmac4)
	if got := shown(t, "vrrp4.51.qa"); !strings.Contains(got, "alias quorate") {
		t.Errorf("right, and not taken up: %s", got)
	}
}

func TestV67AnInterfaceWithAVirtualMACIsUpOnlyWhileItHasAnAddress(t *testing.T) {
	h := newNamespace(t)
	mustHave(t, h, vmac4, vmac6)
	up := func(name string) bool { return strings.Contains(shown(t, name), ",UP") }
	four, six := on("vrrp4.51.qa", "192.0.2.100/24"), on("vrrp6.51.qa", "2001:db8::100/64")
	must(t, h.Renew([]Address{four, six}, 0))
	for _, a := range []Address{four, six} {
		if !up(a.Interface) || !has(t, h, a) {
			t.Errorf("%s: up %v, present %v", a, up(a.Interface), has(t, h, a))
		}
		ip(t, "link set "+a.Interface+" down")
		if has(t, h, a) {
			t.Errorf("%s is present though its interface is down", a)
		}
	}
	must(t, h.Renew([]Address{four, six}, time.Second))
	if !up(four.Interface) || !up(six.Interface) || !has(t, h, four) || !has(t, h, six) {
		t.Error("not up again by a renewal")
	}
	must(t, h.Remove([]Address{four}))
	if up(four.Interface) || !up(six.Interface) {
		t.Errorf("up %v and %v, want only the one with an address", up(four.Interface), up(six.Interface))
	}
	for has(t, h, six) { // of a keeper that died
		time.Sleep(20 * time.Millisecond)
	}
	mustHave(t, h, vmac4, vmac6)
	if up(six.Interface) {
		t.Error("the next run leaves an interface up that has no address")
	}
}

func TestAPreflightSaysWhyAnInterfaceCannotHaveVirtualMACs(t *testing.T) {
	h := newNamespace(t)
	ip(t, "link add br0 type bridge")
	ip(t, "link set qb master br0")
	ip(t, "tuntap add t0 mode tun")
	ip(t, "link add link qa name mv type macvlan mode private")
	before := ip(t, "-o link")
	for parent, want := range map[string]string{
		"qa": "", "br0": "", "lo": "loopback", "t0": "not Ethernet", "mv": "is a macvlan itself", "qb": "belongs to a bridge: use that", "nowhere": "no such device",
	} {
		t.Run("V71 "+parent, func(t *testing.T) {
			err := h.Preflight(parent)
			switch {
			case want == "" && err != nil:
				t.Errorf("Preflight: %v", err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), parent)):
				t.Errorf("Preflight: %v, want %q of %s", err, want, parent)
			}
			if want != "" && h.VirtualMACs([]VirtualMAC{{Parent: parent, VRID: 1}})[VirtualMAC{Parent: parent, VRID: 1}] == nil {
				t.Error("and yet it is made")
			}
		})
	}
	if after := ip(t, "-o link"); after != before {
		t.Errorf("the interfaces before and after:\n%s%s", before, after)
	}
	if err := explain(unix.EOPNOTSUPP); !strings.Contains(err.Error(), "no macvlan") {
		t.Errorf("a kernel without macvlan: %v", err)
	}
}

// answers sends an ARP request from qb and returns the MAC addresses that answer within the time.
func answers(t *testing.T, fd int, ip string) []string {
	t.Helper()
	target := netip.MustParseAddr(ip).As4()
	request := append(append(hexBytes(t, "ffffffffffff020000000002080600010800060400010200000000 02c0000209000000000000"), target[:]...), make([]byte, 18)...)
	_, err := unix.Write(fd, request)
	must(t, err)
	var out []string
	b := make([]byte, 2000)
	for start := time.Now(); time.Since(start) < 200*time.Millisecond; {
		must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}))
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err == nil && n >= 42 && hex.EncodeToString(b[12:14]) == "0806" && b[21] == 2 && hex.EncodeToString(b[28:32]) == hex.EncodeToString(target[:]) {
			out = append(out, hex.EncodeToString(b[22:28]))
		}
	}
	return out
}

func hexBytes(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	must(t, err)
	return b
}

func TestV67OnlyTheVirtualMACAnswersForTheAddressAndOnlyWhileItIsHere(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.1/24 dev qa")
	script(t, "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter")
	mustHave(t, h, vmac4)
	fd := listen(t, "qb")
	vip := on("vrrp4.51.qa", "192.0.2.100/24")
	expect := func(when, ip, want string) {
		t.Helper()
		if got := strings.Join(answers(t, fd, ip), " "); got != want {
			t.Errorf("%s, %s is answered for by %q, want %q", when, ip, got, want)
		}
	}
	expect("as Backup", "192.0.2.100", "")
	must(t, h.Renew([]Address{vip}, 0))
	expect("as Active", "192.0.2.100", "00005e000133")
	expect("as Active", "192.0.2.1", "020000000001")
	if route := ip(t, "route show 192.0.2.0/24"); strings.Contains(route, "vrrp4") {
		t.Errorf("the host's own connections may leave by the virtual MAC: %s", route)
	}
	// a question of the host itself does not teach its own MAC for the virtual address
	script(t, "ping -c1 -W1 -I 192.0.2.100 192.0.2.77 >/dev/null 2>&1 || true")
	b := make([]byte, 2000)
	asked := false
	for {
		n, _, err := unix.Recvfrom(fd, b, unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		if n >= 42 && b[21] == 1 && hex.EncodeToString(b[12:14]) == "0806" && b[41] == 77 {
			asked = true
			if b[31] != 1 {
				t.Errorf("a question from %s with the sender address %v", hex.EncodeToString(b[22:28]), b[28:32])
			}
		}
	}
	if !asked {
		t.Error("nothing was asked")
	}
	must(t, h.Remove([]Address{vip}))
	expect("as Backup again", "192.0.2.100", "")
}

func TestAClientReachesAnAddressOnAVirtualMACWithStrictReversePaths(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.1/24 dev qa")
	ip(t, "addr add 2001:db8::1/64 dev qa nodad")
	ip(t, "addr add fe80::1/64 dev qa nodad")
	script(t, "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter")
	mustHave(t, h, vmac4, vmac6)
	inClient := client(t)
	must(t, h.Renew([]Address{on("vrrp4.51.qa", "192.0.2.100/24"), on("vrrp6.51.qa", "2001:db8::100/64"), on("vrrp6.51.qa", "fe80::100/64")}, 0))
	for addr, mac := range map[string]string{"192.0.2.100": "00:00:5e:00:01:33", "2001:db8::100": "00:00:5e:00:02:33", "fe80::100": "00:00:5e:00:02:33"} {
		script(t, inClient+"ping -n -c1 -W2 "+addr+"%qb >/dev/null 2>&1 || "+inClient+"ping -n -c1 -W2 "+addr)
		if got := script(t, inClient+"ip neigh show "+addr); !strings.Contains(got, mac) {
			t.Errorf("the client has %q, want %s", got, mac)
		}
	}
}

func TestAnnouncementsLeaveFromTheVirtualMAC(t *testing.T) {
	h := newNamespace(t)
	mustHave(t, h, vmac4, vmac6)
	vips := []Address{on("vrrp4.51.qa", "192.0.2.100/24"), on("vrrp6.51.qa", "2001:db8::100/64")}
	fd := listen(t, "qb")
	must(t, h.Renew(vips, 0))
	script(t, "echo 1 > /proc/sys/net/ipv6/conf/vrrp6.51.qa/forwarding")
	must(t, h.Announce(vips, always))
	got := frames(t, fd, 2)
	for i, name := range []string{"V63 V3 ARP, G24", "V65 V3 neighbour advertisement, G26"} {
		t.Run(name, func(t *testing.T) {
			if want := golden[[]string{"G24", "G26"}[i]]; got[i] != want {
				t.Errorf("on the wire: %s\nwant         %s", got[i], want)
			}
		})
	}
}

func TestNothingLeavesByTheVirtualMACOnceTheAddressesHaveRunOut(t *testing.T) {
	h := newNamespace(t)
	mustHave(t, h, vmac6)
	must(t, h.Renew([]Address{on("vrrp6.51.qa", "2001:db8::100/64"), on("vrrp6.51.qa", "fe80::100/64")}, 2*time.Second))
	for range 1000 { // nobody renews them
		if ip(t, "addr show dev vrrp6.51.qa to 2001:db8::/64")+ip(t, "addr show dev vrrp6.51.qa to fe80::/64") == "" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // what says that they are gone
	fd := listen(t, "qb")
	b := make([]byte, 2000)
	for range 3 { // seconds of silence at most
		if n, _, err := unix.Recvfrom(fd, b, 0); err == nil && hex.EncodeToString(b[6:12]) == "00005e000233" {
			t.Fatalf("it sent %x", b[:n])
		}
	}
}
