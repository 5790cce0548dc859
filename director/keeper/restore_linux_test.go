package keeper

import (
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/director/address"
	"golang.org/x/sys/unix"
)

// inside runs f on a thread in a namespace. What f opens stays there.
func inside(t *testing.T, name string, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ns, err := os.Open("/var/run/netns/" + name)
		if err == nil {
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
			ns.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// intruder is somebody else who changes the addresses of a space.
func intruder(t *testing.T, s *space) *address.Host {
	t.Helper()
	var h *address.Host
	inside(t, s.name, func() (err error) {
		h, err = address.New(address.Config{})
		return err
	})
	t.Cleanup(func() { h.Close() })
	return h
}

// restoreOrder is one owner with an address of each family, routes and rules of each, one of which goes by
// another interface.
func restoreOrder() Order {
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	return Order{Groups: []Group{{Name: "gateway", Epoch: 1, Priority: 220, Routers: []Router{{
		Name: "four", VRID: 51, Interface: "eth0", Interval: time.Second,
		Addresses: []netip.Prefix{p("192.0.2.100/24")}, Excluded: []netip.Prefix{p("2001:db8::100/64")},
		Routes: []address.Route{
			{Destination: p("10.1.0.0/16"), Via: a("192.0.2.9"), Source: a("192.0.2.100")},
			{Destination: p("10.2.0.0/16"), Interface: "eth1", Table: 100},
			{Destination: p("2001:db8:1::/48"), Via: a("2001:db8::9")},
			{Destination: p("10.3.0.0/16"), Type: address.Blackhole},
		},
		Rules: []address.Rule{{Priority: 500, From: p("192.0.2.100/32"), Table: 100}, {Priority: 501, From: p("2001:db8::100/128"), Table: 100}},
	}}}}}
}

// owner is a space whose keeper has carried the order out.
func owner(t *testing.T, o Order) (*space, *address.Host) {
	t.Helper()
	s := segment(t, 1)[0]
	ip(t, "-n", s.name, "link", "add", "eth1", "type", "veth", "peer", "name", "eth2")
	for _, iface := range []string{"eth1", "eth2"} {
		ip(t, "-n", s.name, "link", "set", iface, "up")
	}
	ip(t, "-n", s.name, "addr", "add", "2001:db8::1/64", "dev", "eth0", "nodad")
	s.run()
	if err := s.Set(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h := intruder(t, s)
	s.wait("it has all", func() bool { return s.state() == "active" && complete(t, h, o) })
	return s, h
}

// complete reports whether the host has all that the order's first router has.
func complete(t *testing.T, h *address.Host, o Order) bool {
	t.Helper()
	r := o.Groups[0].Routers[0]
	present, err := h.Present()
	if err != nil {
		return false // while others change them
	}
	for _, a := range r.Kept() {
		if _, ok := present[a]; !ok {
			return false
		}
	}
	paths, err := h.Paths()
	return err == nil && paths.Lacks(r.paths()).Empty()
}

// back waits until all is there again, and returns how long that took.
func back(t *testing.T, h *address.Host, o Order) time.Duration {
	t.Helper()
	for start := time.Now(); ; time.Sleep(200 * time.Microsecond) {
		whole := complete(t, h, o)
		took := time.Since(start)
		if whole {
			return took
		}
		if took > 5*time.Second {
			t.Fatal("not restored in 5 s")
		}
	}
}

func (s *space) router() RouterStatus {
	s.t.Helper()
	st, err := s.Status(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return st.Groups[0].Routers[0]
}

// judgeTimes logs the times of restorations, and fails where one is too long: the promise is 100 ms, and
// a busy machine gets a second.
func judgeTimes(t *testing.T, what string, times []time.Duration) {
	t.Helper()
	slices.Sort(times)
	p50, most := times[len(times)/2], times[len(times)-1]
	t.Logf("%s: %d restorations, p50 %v, max %v", what, len(times), p50, most)
	if most > time.Second {
		t.Errorf("%s: the slowest took %v", what, most)
	}
}

func TestWhatSomebodyRemovesInALoopIsRestoredWithin100ms(t *testing.T) {
	o := restoreOrder()
	s, h := owner(t, o)
	r := o.Groups[0].Routers[0]
	removals := []struct {
		what   string
		remove func() error
	}{}
	for _, a := range r.Kept() {
		removals = append(removals, struct {
			what   string
			remove func() error
		}{a.String(), func() error { return h.Remove([]address.Address{a}) }})
	}
	for _, p := range pathsIn(r.paths()) {
		removals = append(removals, struct {
			what   string
			remove func() error
		}{p.route.String() + p.rule.String(), func() error { return h.RemovePaths(pathsOf([]path{p})) }})
	}
	const rounds = 30
	for _, x := range removals {
		var times []time.Duration
		before, begin := s.router().Restored, time.Now()
		for range rounds {
			if err := x.remove(); err != nil {
				t.Fatal(err)
			}
			times = append(times, back(t, h, o))
		}
		judgeTimes(t, x.what, times)
		renewals := 1 + uint64(time.Since(begin)/renewEvery)
		s.wait("each is counted, but what a renewal brought back before it was missed", func() bool {
			return s.router().Restored+renewals >= before+rounds
		})
	}
	if st := s.Latest(); st.Groups[0].State != "active" || len(st.Transitions) == 0 ||
		!strings.Contains(st.Transitions[len(st.Transitions)-1].Reason, "restored rule 501: from 2001:db8::100/128 lookup 100, which somebody else removed") {
		t.Errorf("the last transition is %+v", st.Transitions[len(st.Transitions)-1:])
	}
	changes := 0
	for _, tr := range s.Latest().Transitions {
		if tr.From != tr.To {
			changes++
		}
	}
	if changes > 2 {
		t.Errorf("%d changes of state", changes)
	}
	// by the command that people use, and all at once
	var times []time.Duration
	for range 10 {
		// one by one: a flush looks again until nothing is left, and ends with an error if that is restored for 30 s
		ip(t, "-n", s.name, "addr", "del", "192.0.2.100/24", "dev", "eth0")
		ip(t, "-n", s.name, "-6", "route", "del", "2001:db8:1::/48", "proto", "112")
		ip(t, "-n", s.name, "rule", "del", "pref", "500")
		times = append(times, back(t, h, o))
	}
	judgeTimes(t, "by the ip command", times)
}

func TestRoutesByAnInterfaceThatFlapsAreRestored(t *testing.T) {
	o := restoreOrder()
	s, h := owner(t, o)
	var times []time.Duration
	for range 10 {
		ip(t, "-n", s.name, "link", "set", "eth1", "down")
		s.wait("the route cannot be had, and it says so", func() bool { return strings.Contains(s.router().Error, "10.2.0.0/16") })
		if g, _ := s.Latest().Group("gateway"); g.State != "active" {
			t.Fatalf("the group is %s for a route", g.State)
		}
		ip(t, "-n", s.name, "link", "set", "eth1", "up")
		times = append(times, back(t, h, o))
	}
	judgeTimes(t, "after a flap", times)
	s.wait("the error is over", func() bool { return s.router().Error == "" })
}

func TestAnInterfaceThatFlapsHasAllAgainAfterADownInterval(t *testing.T) {
	o := restoreOrder()
	o.Groups[0].Routers[0].Interval = 100 * time.Millisecond
	s, h := owner(t, o)
	ip(t, "-n", s.name, "link", "set", "eth0", "down")
	s.wait("it has a fault", func() bool { return s.state() == "initialize" })
	s.wait("and nothing is left", func() bool {
		paths, err := h.Paths()
		return err == nil && paths.Empty() && !s.has("192.0.2.100")
	})
	ip(t, "-n", s.name, "link", "set", "eth0", "up")
	ip(t, "-n", s.name, "addr", "replace", "2001:db8::1/64", "dev", "eth0", "nodad")
	if took := back(t, h, o); took > 2*time.Second { // 314 ms
		t.Errorf("all again after %v", took)
	} else {
		t.Logf("all again after %v", took)
	}
}

func TestWhatIsRemovedWhileTheKernelLosesEventsIsRestored(t *testing.T) {
	o := restoreOrder()
	s, h := owner(t, o)
	var storm []address.Address
	for i := range 1000 {
		storm = append(storm, address.Address{Interface: "eth1", Prefix: netip.MustParsePrefix(fmt.Sprintf("10.9.%d.%d/32", i/250, i%250+1))})
	}
	var times []time.Duration
	lost := func() bool { return strings.Contains(s.log.String(), "lost events") }
	for round := 0; round < 3 || round < 20 && !lost(); round++ { // on a busy machine one storm may be too small
		if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil { // for less than an interval
			t.Fatal(err)
		}
		start := time.Now()
		for i := 0; i < 12 && time.Since(start) < 600*time.Millisecond; i++ {
			if err := h.Renew(storm, 0); err != nil {
				t.Fatal(err)
			}
			if err := h.Remove(storm); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Remove(o.Groups[0].Routers[0].Kept()); err != nil {
			t.Fatal(err)
		}
		if err := h.RemovePaths(o.Groups[0].Routers[0].paths()); err != nil {
			t.Fatal(err)
		}
		t.Logf("frozen for %v", time.Since(start))
		if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		times = append(times, back(t, h, o))
		time.Sleep(200 * time.Millisecond)
	}
	judgeTimes(t, "after a lost event", times)
	s.kill()
	if !lost() {
		t.Error("the queue did not overflow")
	}
}

func TestWhatIsRemovedDuringAStormOfEventsIsRestored(t *testing.T) {
	o := restoreOrder()
	s, h := owner(t, o)
	var storm []address.Address
	for i := range 200 {
		storm = append(storm, address.Address{Interface: "eth1", Prefix: netip.MustParsePrefix(fmt.Sprintf("10.9.0.%d/32", i+1))})
	}
	other, stop, stormed := intruder(t, s), make(chan bool), make(chan bool)
	go func() {
		defer close(stormed)
		for {
			select {
			case <-stop:
				return
			default:
				_ = other.Renew(storm, 0)
				_ = other.Remove(storm)
			}
		}
	}()
	var times []time.Duration
	for range 20 {
		if err := h.Remove(o.Groups[0].Routers[0].Kept()[:1]); err != nil {
			t.Fatal(err)
		}
		times = append(times, back(t, h, o))
	}
	close(stop)
	<-stormed
	judgeTimes(t, "during a storm", times)
}
