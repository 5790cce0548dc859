package keeper

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/address"
)

var (
	outRoute = address.Route{Destination: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.254"), Table: 100}
	outRule  = address.Rule{Priority: 500, From: netip.MustParsePrefix("192.0.2.100/32"), Table: 100}
	outPaths = address.Paths{Routes: []address.Route{outRoute}, Rules: []address.Rule{outRule}}
)

// routed is a group of one router with a route and a rule.
func routed(priority uint8, epoch uint64) Group {
	g := gateway(priority, epoch, time.Second, "wan")
	g.Routers[0].Routes, g.Routers[0].Rules = outPaths.Routes, outPaths.Rules
	return g
}

// routes reports whether the host has the route and the rule, and nothing beside.
func (b *box) routes() bool {
	have, _ := b.Paths()
	return have.Lacks(outPaths).Empty() && have.Beyond(outPaths).Empty()
}

func (b *box) routesNothing() bool {
	have, _ := b.Paths()
	return have.Empty()
}

func TestRoutesAndRulesGoWithTheAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.box(1), w.box(2)
		defer w.stop()
		for i, x := range []*box{a, b} {
			x.start()
			x.order(Order{Groups: []Group{routed([]uint8{220, 160}[i], 1)}})
		}
		time.Sleep(10 * time.Second)
		if !a.has(vip("wan")) || !a.routes() || !b.routesNothing() {
			t.Errorf("the owner has %v, the backup %v", a.paths, b.paths)
		}
		if err := b.claim(230); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if !b.routes() || !a.routesNothing() || a.has(vip("wan")) {
			t.Errorf("after a claim the new owner has %v, the old one %v", b.paths, a.paths)
		}
		if wrong := slices.Concat(a.wrong, b.wrong); len(wrong) > 0 {
			t.Errorf("done: %v", wrong)
		}
	})
}

func TestARouteThatIsOrderedLaterOrNoMoreChangesNoState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		a.set(220, 1, "wan")
		time.Sleep(5 * time.Second)
		before := len(a.status().Transitions)
		a.order(Order{Groups: []Group{routed(220, 1)}})
		time.Sleep(time.Millisecond)
		if !a.routes() {
			t.Errorf("a millisecond after the order there is %v", a.paths)
		}
		a.set(220, 1, "wan")
		time.Sleep(time.Millisecond)
		if !a.routesNothing() || !a.has(vip("wan")) || len(a.status().Transitions) != before {
			t.Errorf("after an order without: %v, transitions %v", a.paths, a.status().Transitions)
		}
	})
}

func TestRoutesAndRulesThatSomebodyRemovesAreRestoredAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		a.order(Order{Groups: []Group{routed(220, 1)}})
		time.Sleep(5 * time.Second)
		a.w.mu.Lock()
		a.paths = address.Paths{}
		f := a.events
		a.w.mu.Unlock()
		f(address.Event{RemovedRule: outRule})
		time.Sleep(time.Millisecond)
		g, _ := a.status().Group("gateway")
		if !a.routes() || g.Routers[0].Restored != 2 {
			t.Errorf("a millisecond later there is %v, restored %d, want 2", a.paths, g.Routers[0].Restored)
		}
		for _, want := range []string{"route 0.0.0.0/0 via 192.0.2.254 table 100", "rule 500: from 192.0.2.100/32 lookup 100"} {
			if got := a.last().Reason; !strings.Contains(got, want) {
				t.Errorf("the event says %q, want %q in it", got, want)
			}
		}
	})
}

// What is removed while the worker is busy with an earlier removal comes with no event of its own after it.
func TestWhatIsRemovedWhileTheWorkerIsBusyIsRestoredToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		time.Sleep(10 * time.Second)
		a.do(func(time.Time) { a.mumble = 20 * time.Millisecond })
		a.steal(vip("wan"))
		time.Sleep(10 * time.Millisecond) // it is there again, and is being announced
		if !a.has(vip("wan")) {
			t.Fatal("not restored")
		}
		a.steal(vip("wan"))
		time.Sleep(15 * time.Millisecond)
		if !a.has(vip("wan")) {
			t.Error("5 ms after the worker was done the address is not there")
		}
	})
}

func TestAClaimIsAnsweredWhenAllAddressesWereAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		g := gateway(220, 1, time.Second, "wan")
		g.Routers[0].Addresses = nil
		for j := range 250 {
			g.Routers[0].Addresses = append(g.Routers[0].Addresses, netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/32", j)))
		}
		a.order(Order{AnnounceRate: 100, AnnounceBurst: 10, Groups: []Group{g}})
		time.Sleep(time.Millisecond)
		if err := a.claim(230); err != nil {
			t.Fatal(err)
		}
		for _, x := range g.Routers[0].Kept() {
			if len(a.announced(x)) == 0 {
				t.Fatalf("%s was not announced", x)
			}
		}
	})
}

func TestAnOrderWithoutAnAddressAndItsRouteRemovesTheRouteFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		g := routed(220, 1)
		g.Routers[0].Excluded = []netip.Prefix{netip.MustParsePrefix("192.0.2.101/24")}
		a.order(Order{Groups: []Group{g}})
		time.Sleep(5 * time.Second)
		a.set(220, 1, "wan")
		time.Sleep(time.Millisecond)
		if !a.routesNothing() || a.has(g.Routers[0].Kept()[1]) || len(a.wrong) > 0 {
			t.Errorf("there is %v, %s present %v; done: %v", a.paths, g.Routers[0].Kept()[1], a.has(g.Routers[0].Kept()[1]), a.wrong)
		}
	})
}

func TestARouteThatCannotBeHadStopsNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.noPath = errors.New("network is unreachable")
		a.start()
		a.order(Order{Groups: []Group{routed(220, 1)}})
		time.Sleep(5 * time.Second)
		if err := a.claim(230); err != nil { // answered when announced
			t.Fatal(err)
		}
		synctest.Wait() // the route may be tried again at the same moment
		g, _ := a.status().Group("gateway")
		if !a.has(vip("wan")) || len(a.announced(vip("wan"))) < 5 || !strings.Contains(g.Routers[0].Error, "unreachable") || !g.Routers[0].Present {
			t.Errorf("address %v, announced %d times, status %+v", a.has(vip("wan")), len(a.announced(vip("wan"))), g.Routers[0])
		}
		a.steal(vip("wan"))
		time.Sleep(10 * time.Millisecond)
		if !a.has(vip("wan")) {
			t.Error("an address is not restored while a route fails")
		}
		a.w.mu.Lock()
		a.noPath = nil
		f := a.events
		a.w.mu.Unlock()
		f(address.Event{Interface: "lan", Up: true}) // something has changed: it does not wait to try again
		time.Sleep(10 * time.Millisecond)
		if g, _ := a.status().Group("gateway"); !a.routes() || g.Routers[0].Error != "" {
			t.Errorf("when the route can be had: %v, error %q", a.paths, g.Routers[0].Error)
		}
	})
}

func TestAnAddressThatCannotBeHadIsTriedAgainWhenSomethingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		a.set(220, 1, "wan")
		time.Sleep(10 * time.Second)
		setError := func(err error) {
			a.w.mu.Lock()
			a.noAddr = err
			a.w.mu.Unlock()
		}
		setError(errors.New("no such device"))
		a.steal(vip("wan"))
		time.Sleep(retryAfter + 10*time.Millisecond) // the next try is 190 ms away
		setError(nil)
		a.events(address.Event{Interface: "wan", Up: true})
		time.Sleep(10 * time.Millisecond)
		if !a.has(vip("wan")) {
			t.Error("10 ms after the event the address is not there")
		}
	})
}

func TestAKeeperThatStartsSweepsWhatNobodyOwnsAndKeepsTheRest(t *testing.T) {
	stray := address.Rule{Priority: 600, From: netip.MustParsePrefix("192.0.2.9/32"), Table: 100}
	for _, tt := range []struct {
		name string
		away time.Duration
		kept bool
	}{
		{"soon", 500 * time.Millisecond, true},
		{"after the addresses lapsed", 10 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.box(1)
				defer w.stop()
				a.start()
				a.order(Order{Groups: []Group{routed(220, 1)}})
				time.Sleep(5 * time.Second)
				a.kill()
				a.paths.Rules = append(a.paths.Rules, stray)
				time.Sleep(tt.away)
				a.start()
				time.Sleep(time.Millisecond)
				if a.routes() != tt.kept || !tt.kept && !a.routesNothing() {
					t.Errorf("there is %v, want kept %v", a.paths, tt.kept)
				}
			})
		})
	}
}

func TestAddressesOnAVirtualMAC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		other := gateway(220, 1, time.Second, "wan")
		other.Name, other.Routers[0].VRID, other.Routers[0].Addresses = "other", 60, []netip.Prefix{netip.MustParsePrefix("192.0.2.60/24")}
		a.order(Order{Groups: []Group{other}}) // so that the interface is known
		time.Sleep(5 * time.Second)
		g := gateway(220, 1, time.Second, "wan")
		g.Routers[0].VirtualMAC = true
		a.noMAC = errors.New("the kernel has no macvlan")
		a.order(Order{Groups: []Group{g}})
		time.Sleep(5 * time.Second)
		if s := a.status(); s.Groups[0].State != "initialize" || !strings.Contains(s.Groups[0].Routers[0].Fault, "no macvlan") {
			t.Errorf("without its virtual MAC the group is %+v", s.Groups[0])
		}
		for _, tr := range a.status().Transitions {
			if tr.Group == "gateway" && tr.To != "initialize" {
				t.Errorf("a transition before the virtual MAC was looked at: %+v", tr)
			}
		}
		a.w.mu.Lock()
		a.noMAC = nil
		a.w.mu.Unlock()
		time.Sleep(10 * time.Second) // no event tells: the next survey finds out
		on := address.Address{Interface: "vrrp4.51.wan", Prefix: vip("wan").Prefix}
		if !a.has(on) || a.has(vip("wan")) || a.state() != "active" {
			t.Errorf("%s present %v, %s present %v, %s", on, a.has(on), vip("wan"), a.has(vip("wan")), a.state())
		}
		a.set(220, 1, "wan")
		time.Sleep(10 * time.Millisecond)
		if a.has(on) || !a.has(vip("wan")) || len(a.macs) != 0 || a.state() != "active" {
			t.Errorf("with no virtual MAC any more: %s present %v, %s present %v, wanted %v, %s", on, a.has(on), vip("wan"), a.has(vip("wan")), a.macs, a.state())
		}
	})
}

func TestV10AnOrderHasOneTo255AdvertisedAddressesOfOneFamilyAndAnyBeside(t *testing.T) {
	many := func(n int) (out []netip.Prefix) {
		for i := range n {
			out = append(out, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.%d/32", i/250, i%250+1)))
		}
		return out
	}
	six := netip.MustParsePrefix("2001:db8::1/128")
	for _, tt := range []struct {
		name                string
		addresses, excluded []netip.Prefix
		ok                  bool
	}{
		{"none", nil, nil, false},
		{"255", many(255), nil, true},
		{"256", many(256), nil, false},
		{"two families", append(many(1), six), nil, false},
		{"two families, one not advertised", many(1), []netip.Prefix{six}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := Router{Name: "r", VRID: 51, Interface: "wan", Interval: time.Second, Addresses: tt.addresses, Excluded: tt.excluded}
			err := Order{Groups: []Group{{Name: "g", Priority: 100, Routers: []Router{r}}}}.Validate()
			if (err == nil) != tt.ok {
				t.Errorf("Validate: %v, want it accepted %v", err, tt.ok)
			}
			if tt.ok && (len(r.advertised()) != len(tt.addresses) || len(r.Kept()) != len(tt.addresses)+len(tt.excluded)) {
				t.Errorf("%d advertised, %d kept", len(r.advertised()), len(r.Kept()))
			}
		})
	}
}

func TestV70TheRefreshIsASetting(t *testing.T) {
	for _, tt := range []struct {
		refresh time.Duration
		want    int // announcements in five minutes after the first ten
	}{{0, 0}, {30 * time.Second, 9}} {
		t.Run(tt.refresh.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.box(1)
				defer w.stop()
				a.start()
				g := gateway(220, 1, time.Second, "wan")
				g.Routers[0].Refresh = &tt.refresh
				a.order(Order{Groups: []Group{g}})
				time.Sleep(5*time.Minute + 4*time.Second)
				if got := len(a.announced(vip("wan"))) - len(rounds); got != tt.want {
					t.Errorf("%d announcements after the first %d, want %d", got, len(rounds), tt.want)
				}
			})
		})
	}
}

func TestV66AThousandAddressesAreAnnouncedOnceBeforeAnyIsRepeatedAndNoneIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		o := Order{AnnounceRate: 400, AnnounceBurst: 100}
		var all []address.Address
		for i := range 4 {
			g := gateway(220, 1, time.Second, "wan")
			g.Name, g.Routers[0].Name, g.Routers[0].VRID, g.Routers[0].Addresses = fmt.Sprint(i), fmt.Sprint(i), uint8(i+1), nil
			for j := range 250 {
				g.Routers[0].Addresses = append(g.Routers[0].Addresses, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.%d/32", i, j)))
			}
			all = append(all, g.Routers[0].Kept()...)
			o.Groups = append(o.Groups, g)
		}
		a.order(o)
		time.Sleep(time.Minute)
		var firsts, seconds, every []time.Time
		for _, x := range all {
			said := a.announced(x)
			if len(said) < len(rounds) {
				t.Fatalf("%s was announced %d times in a minute, want %d", x, len(said), len(rounds))
			}
			firsts, seconds, every = append(firsts, said[0]), append(seconds, said[1]), append(every, said...)
		}
		last := slices.MaxFunc(firsts, time.Time.Compare)
		if again := slices.MinFunc(seconds, time.Time.Compare); again.Before(last) {
			t.Errorf("a repetition left %v before the last first announcement", last.Sub(again))
		}
		begin := slices.MinFunc(firsts, time.Time.Compare)
		t.Logf("the last first announcement came after %v", last.Sub(begin))
		if d := last.Sub(begin); d < 2*time.Second || d > 2500*time.Millisecond { // 900 at 400 a second
			t.Errorf("the last first announcement came after %v, want 2.25 s", d)
		}
		slices.SortFunc(every, time.Time.Compare)
		for i := range every {
			if j := i + 100 + 400; j < len(every) && every[j].Sub(every[i]) < 990*time.Millisecond {
				t.Fatalf("more than %d left within %v", j-i, every[j].Sub(every[i]))
			}
		}
		if n := len(a.status().Transitions); n != 8 { // four groups, to Backup and to Active
			t.Errorf("%d transitions, want 8", n)
		}
	})
}

func TestV66TheNewestIsAnnouncedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		defer w.stop()
		a.start()
		g := gateway(220, 1, time.Second, "wan")
		g.Routers[0].Addresses = nil
		for j := range 250 {
			g.Routers[0].Addresses = append(g.Routers[0].Addresses, netip.MustParsePrefix(fmt.Sprintf("10.0.0.%d/32", j)))
		}
		o := Order{AnnounceRate: 100, AnnounceBurst: 10, Groups: []Group{g}}
		a.order(o)
		time.Sleep(4200 * time.Millisecond) // Active for half a second: 60 of 250 are out
		o.Groups = slices.Clone(o.Groups)
		o.Groups[0].Routers = slices.Clone(o.Groups[0].Routers)
		newest := netip.MustParsePrefix("10.1.1.1/32")
		o.Groups[0].Routers[0].Addresses = append(slices.Clone(g.Routers[0].Addresses), newest)
		a.order(o)
		time.Sleep(50 * time.Millisecond)
		if got := len(a.announced(address.Address{Interface: "wan", Prefix: newest})); got != 1 {
			t.Errorf("50 ms after the order the new address was announced %d times, want once", got)
		}
	})
}
