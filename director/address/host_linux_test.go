package address

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAnAddressStaysWhileRenewedAndGoesByItselfWhenNot(t *testing.T) {
	for _, vip := range []Address{on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64"), on("qa", "fe80::100/64")} {
		t.Run(vip.Prefix.Addr().String(), func(t *testing.T) {
			t.Parallel()
			h := newNamespace(t)
			ip(t, "addr add 192.0.2.1/24 dev qa")
			ip(t, "addr add 2001:db8::1/64 dev qa nodad")
			const lifetime = 2 * time.Second
			var renewed time.Time
			for start := time.Now(); time.Since(start) < 2*lifetime; time.Sleep(50 * time.Millisecond) {
				if time.Since(renewed) > lifetime/3 {
					renewed = time.Now()
					must(t, h.Renew([]Address{vip}, lifetime))
				}
				if left := present(t, h)[vip]; left < time.Second || left > lifetime {
					t.Fatalf("%v after the first renewal, %s has %v left, want 1 to 2 s", time.Since(start), vip, left)
				}
			}
			for has(t, h, vip) {
				time.Sleep(5 * time.Millisecond)
			}
			lasted := time.Since(renewed)
			t.Logf("gone %v after the last renewal", lasted)
			if lasted < lifetime-50*time.Millisecond || lasted > lifetime+time.Second {
				t.Errorf("%s lasted %v, want about %v", vip, lasted, lifetime)
			}
		})
	}
}

func TestALifetimeOfZeroIsForEverAndCanBeTakenBack(t *testing.T) {
	h := newNamespace(t)
	vips := []Address{on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64")}
	for _, tt := range []struct{ set, low, high time.Duration }{
		{0, 0, 0},
		{5 * time.Second, 4 * time.Second, 5 * time.Second},
		{1200 * time.Millisecond, time.Second, 2 * time.Second}, // rounded up
		{0, 0, 0},
	} {
		must(t, h.Renew(vips, tt.set))
		for _, vip := range vips {
			if left, ok := present(t, h)[vip]; !ok || left < tt.low || left > tt.high {
				t.Errorf("after Renew for %v, %s has %v left (present %v), want %v to %v", tt.set, vip, left, ok, tt.low, tt.high)
			}
		}
	}
	must(t, h.Remove(vips))
	must(t, h.Remove(vips)) // absent is fine
	for _, vip := range vips {
		if has(t, h, vip) {
			t.Errorf("%s is there after Remove", vip)
		}
	}
}

func TestAllIsTriedAndEachFailureIsNamed(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 2001:db8::1/64 dev qa nodad")
	good := []Address{on("qa", "192.0.2.100/24"), on("qb", "192.0.2.101/32"), on("qa", "2001:db8::100/64")}
	bad := []Address{on("nowhere", "192.0.2.102/32"), on("a-name-too-long-for-linux", "192.0.2.103/32"), on("qa", "2001:db8::1/128"), {Interface: "qa"}}
	err := h.Renew(append(bad, good...), 0)
	for _, a := range bad {
		if err == nil || !strings.Contains(err.Error(), a.String()) {
			t.Errorf("Renew: %v, want %s named", err, a)
		}
	}
	for _, a := range good {
		if !has(t, h, a) || err != nil && strings.Contains(err.Error(), a.String()) {
			t.Errorf("%s: present %v, error %v, want it present and not named", a, has(t, h, a), err)
		}
	}
	if err := h.Remove(append(bad[:2:2], good...)); err != nil {
		t.Errorf("Remove where there is no such interface: %v", err)
	}
	if !has(t, h, on("qa", "2001:db8::1/64")) {
		t.Error("the interface's own address is gone")
	}
}

func TestV5TheInterfacesOwnAddressIsThePrimaryEvenWhenItComesLater(t *testing.T) {
	h := newNamespace(t)
	first, other := on("qa", "192.0.2.100/24"), on("qa", "192.0.2.101/24")
	must(t, h.Renew([]Address{first}, 0))
	must(t, h.Renew([]Address{other}, 30*time.Second))
	ip(t, "addr add 192.0.2.1/24 dev qa")
	if got, ok := h.Primary("qa", false, nil); !ok || got.String() != "192.0.2.1" {
		t.Errorf("Primary = %v, %v while an address of ours is first, want 192.0.2.1", got, ok)
	}
	must(t, h.Renew([]Address{first}, 0))
	if route := ip(t, "route show 192.0.2.0/24"); !strings.Contains(route, "src 192.0.2.1 ") {
		t.Errorf("the connected route is %q, want it from 192.0.2.1", route)
	}
	if left := present(t, h)[other]; left < 20*time.Second || left > 30*time.Second {
		t.Errorf("the address that was only moved has %v left, want what it had", left)
	}
	if !has(t, h, first) {
		t.Errorf("%s is gone", first)
	}
}

func TestAddressesOutliveTheInterfacesOwn(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.1/24 dev qa")
	vip := on("qa", "192.0.2.100/24")
	must(t, h.Renew([]Address{vip}, 0))
	ip(t, "addr del 192.0.2.1/24 dev qa") // takes the others of its subnet along unless promote_secondaries is set
	if !has(t, h, vip) {
		t.Errorf("%s went with the interface's own address", vip)
	}
	ip(t, "addr add 192.0.2.1/24 dev qa")
	must(t, h.Remove([]Address{vip}))
	if !has(t, h, on("qa", "192.0.2.1/24")) {
		t.Error("the interface's own address went with the virtual one")
	}
}

func TestRemoveSparesTheRestOfTheSubnetWithoutAnyRenewBefore(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.100/24 dev qa")
	ip(t, "addr add 192.0.2.1/24 dev qa")
	must(t, h.Remove([]Address{on("qa", "192.0.2.100/24")}))
	if !has(t, h, on("qa", "192.0.2.1/24")) {
		t.Error("the interface's own address went with the virtual one")
	}
}

func TestTheConnectedIPv6RouteDoesNotEndWithAVirtualAddress(t *testing.T) {
	for _, own := range []string{"valid_lft 300 preferred_lft 300", ""} {
		t.Run("own address "+own, func(t *testing.T) {
			t.Parallel()
			h := newNamespace(t)
			ip(t, "addr add 2001:db8::1/64 dev qa nodad "+own)
			vip := on("qa", "2001:db8::100/64")
			for range 3 {
				must(t, h.Renew([]Address{vip}, time.Second))
				if route := ip(t, "-6 route show 2001:db8::/64"); strings.Contains(route, "expires 1sec") {
					t.Errorf("the connected route is %q: it ends with the virtual address", route)
				}
			}
			for has(t, h, vip) {
				time.Sleep(50 * time.Millisecond)
			}
			if route := ip(t, "-6 route show 2001:db8::/64"); route == "" || strings.Contains(route, "expires -") {
				t.Errorf("the connected route is %q", route)
			}
		})
	}
}

func TestAVirtualAddressIsNotTheSourceOfOwnConnections(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.1/24 dev qa")
	ip(t, "addr add 2001:db8::1/64 dev qa nodad")
	must(t, h.Renew([]Address{on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64"), on("qa", "2001:db8::fff0/64")}, 5*time.Second))
	for dest, want := range map[string]string{"192.0.2.99": "192.0.2.1", "2001:db8::fff1": "2001:db8::1"} {
		conn, err := net.Dial("udp", net.JoinHostPort(dest, "9")) // sends nothing
		must(t, err)
		if got := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); got != netip.MustParseAddr(want) {
			t.Errorf("towards %s the source is %s, want %s", dest, got, want)
		}
		conn.Close()
	}
}

func TestAnIPv6AddressCanGetAnotherPrefix(t *testing.T) {
	h := newNamespace(t)
	old, next := on("qa", "2001:db8::100/64"), on("qa", "2001:db8::100/128")
	must(t, h.Renew([]Address{old}, 0))
	must(t, h.Renew([]Address{next}, 0))
	if has(t, h, old) || !has(t, h, next) {
		t.Errorf("present: %v, want %s alone", present(t, h), next)
	}
}

func TestV5PrimaryIsNoVirtualTentativeOrForeignFamilyAddress(t *testing.T) {
	h := newNamespace(t)
	if got, ok := h.Primary("qa", false, nil); ok {
		t.Errorf("Primary of an interface without addresses = %v", got)
	}
	if got, ok := h.Primary("nowhere", true, nil); ok {
		t.Errorf("Primary of no interface = %v", got)
	}
	must(t, h.Renew([]Address{on("qa", "192.0.2.100/24"), on("qa", "fe80::100/64")}, 0))
	ip(t, "addr add 192.0.2.101/24 dev qa")
	ip(t, "addr add 192.0.2.7/24 dev qa")
	ip(t, "addr add 2001:db8::1/64 dev qa nodad")
	ip(t, "addr add fe80::7/64 dev qa") // tentative for a second
	if got, ok := h.Primary("qa", true, nil); ok {
		t.Errorf("Primary = %v while the link-local address is tentative", got)
	}
	ip(t, "addr del fe80::7/64 dev qa")
	ip(t, "addr add fe80::8/64 dev qa nodad")
	ignore := map[netip.Addr]bool{netip.MustParseAddr("192.0.2.101"): true}
	for v6, want := range map[bool]string{false: "192.0.2.7", true: "fe80::8"} {
		if got, ok := h.Primary("qa", v6, ignore); !ok || got.String() != want {
			t.Errorf("Primary(v6 %v) = %v, %v, want %s", v6, got, ok, want)
		}
	}
	// a later process knows them too
	if got, ok := newHost(t).Primary("qa", true, nil); !ok || got.String() != "fe80::8" {
		t.Errorf("after a restart Primary = %v, %v, want fe80::8", got, ok)
	}
}

func TestOursAreTheAddressesOfEarlierRunsToo(t *testing.T) {
	h := newNamespace(t)
	ip(t, "addr add 192.0.2.1/24 dev qa")
	vip := on("qa", "192.0.2.100/24")
	must(t, h.Renew([]Address{vip}, 0))
	ours, err := newHost(t).Ours()
	if _, ok := ours[vip]; err != nil || !ok || len(ours) != 1 {
		t.Errorf("Ours = %v, %v, want %s alone", ours, err, vip)
	}
}

func TestUpFollowsAdministratorAndCarrier(t *testing.T) {
	h := newNamespace(t)
	for _, tt := range []struct {
		command string
		want    bool
	}{{"link set qa up", true}, {"link set qb down", false}, {"link set qb up", true}, {"link set qa down", false}} {
		ip(t, tt.command)
		if got := h.Up("qa"); got != tt.want {
			t.Errorf("Up after %q = %v, want %v", tt.command, got, tt.want)
		}
	}
	if h.Up("nowhere") {
		t.Error("an interface that is not there is up")
	}
}

func TestAHostStaysInTheNamespaceWhereItWasMade(t *testing.T) {
	one := newNamespace(t)
	two := newNamespace(t) // the test's thread is in this one now; the first lives by its sockets
	used := make(chan bool)
	go func() { // by a thread of the namespace that the process was started in
		defer close(used)
		if err := errors.Join(
			one.Renew([]Address{on("lo", "192.0.2.1/24")}, 0),
			two.Renew([]Address{on("lo", "192.0.2.2/24")}, 0),
		); err != nil {
			t.Error(err)
		}
	}()
	<-used
	for h, want := range map[*Host]string{one: "192.0.2.1/24", two: "192.0.2.2/24"} {
		have := present(t, h)
		if _, ok := have[on("lo", want)]; !ok || len(have) != 3 {
			t.Errorf("present: %v, want %s and the two of lo itself", have, want)
		}
	}
}

func TestAListIsWholeWhileAddressesComeAndGo(t *testing.T) {
	h := newNamespace(t)
	var steady, flapping []Address
	for i := range 1000 { // more than one answer holds; a new IPv6 address comes first and shifts the rest
		steady = append(steady, on("qa", fmt.Sprintf("2001:db8::%x/128", i+1)))
		flapping = append(flapping, on("qa", fmt.Sprintf("2001:db8:1::%x/128", i+1)))
	}
	must(t, h.Renew(steady, 0))
	writer := newHost(t)
	stop := make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			one := flapping[i%len(flapping)]
			if err := errors.Join(writer.Renew([]Address{one}, 0), writer.Remove([]Address{one})); err != nil {
				t.Error(err)
				return
			}
		}
	})
	whole := 0
	for start := time.Now(); time.Since(start) < time.Second; {
		have, err := h.Present()
		if err != nil {
			continue // it says so
		}
		whole++
		for _, a := range steady {
			if _, ok := have[a]; !ok {
				t.Fatalf("%s is missing from a list of %d", a, len(have))
			}
		}
	}
	close(stop)
	wg.Wait()
	t.Logf("%d lists", whole)
	if whole == 0 {
		t.Error("no list was read in a second")
	}
}

func TestAThousandAddressesAreTakenAtOnce(t *testing.T) {
	h := newNamespace(t)
	var vips []Address
	for i := range 1000 {
		vips = append(vips, on("qa", fmt.Sprintf("10.0.%d.%d/32", i/250, i%250+1)))
	}
	fd := listen(t, "qb")
	must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20))
	start := time.Now()
	must(t, h.Renew(vips, 3*time.Second))
	added := time.Since(start)
	must(t, h.Announce(vips, always))
	t.Logf("added in %v, announced in %v", added, time.Since(start)-added)
	frames(t, fd, len(vips))
	if have := present(t, h); len(have) < 1000 {
		t.Errorf("%d addresses are there, want 1000", len(have))
	}
	must(t, h.Remove(vips))
}

func TestCloseEndsCalls(t *testing.T) {
	h := newNamespace(t)
	must(t, h.Close())
	if err := h.Renew([]Address{on("qa", "192.0.2.100/24")}, 0); err == nil {
		t.Error("Renew on a closed host: no error")
	}
	if _, err := h.Present(); err == nil {
		t.Error("Present on a closed host: no error")
	}
	if err := h.Watch(t.Context(), func(Event) {}); err == nil || errors.Is(err, unix.ENOBUFS) {
		t.Errorf("Watch on a closed host: %v", err)
	}
}
