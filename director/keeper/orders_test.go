package keeper

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/vrrp"
)

// steady fails if a host's group had a transition since, or the host lost an address for a moment.
func (w *world) steady(b *box, as []address.Address, f func()) {
	w.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		for _, a := range as {
			if got := w.owners(a); !slices.Equal(got, []int{b.n}) {
				w.t.Errorf("owners of %v = %v, want %d alone", a, got, b.n)
				<-done
				return
			}
		}
		select {
		case <-done:
			return
		case <-time.After(500 * time.Microsecond):
		}
	}
}

func TestV13V16V56ANewIntervalIsUsedAtOnceByAnOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		time.Sleep(300 * time.Millisecond)
		now := time.Now()
		w.steady(a, []address.Address{vip("wan")}, func() {
			for i, x := range []*box{a, b} {
				x.order(Order{Groups: []Group{gateway([]uint8{220, 160}[i], 1, 200*time.Millisecond, "wan")}})
			}
			time.Sleep(10 * time.Second)
		})
		got := w.heard(1, "wan", now)
		for i, s := range got {
			if want := time.Duration(i) * 200 * time.Millisecond; s.at.Sub(now) != want || s.advert.Interval != 200*time.Millisecond {
				t.Fatalf("advert %d after %v says %v, want %v and 200 ms", i, s.at.Sub(now), s.advert.Interval, want)
			}
		}
		if len(got) < 50 || len(a.status().Transitions) != 2 {
			t.Errorf("%d adverts, want 50; transitions %+v", len(got), a.status().Transitions)
		}
	})
}

func TestAnOwnersRouterChangesItsVRIDWithoutAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, c := three(t, "wan", "lan")
		defer w.stop()
		now := time.Now()
		w.steady(a, []address.Address{vip("wan"), vip("lan")}, func() {
			for i, x := range []*box{a, b, c} {
				g := gateway([]uint8{220, 160, 140}[i], 1, time.Second, "wan", "lan")
				g.Routers[1].VRID = 99
				x.order(Order{Groups: []Group{g}})
				time.Sleep(500 * time.Millisecond)
			}
			time.Sleep(20 * time.Second)
		})
		for i, s := range w.heard(1, "lan", now) {
			if s.advert.VRID != 99 || s.advert.Priority != 220 || i == 0 && s.at != now {
				t.Fatalf("advert %d after %v: %+v, want VRID 99 at once and no goodbye", i, s.at.Sub(now), s.advert)
			}
		}
		if got := len(a.status().Transitions); got != 2 {
			t.Errorf("transitions %+v", a.status().Transitions)
		}
	})
}

func TestAGroupThatIsRenamedGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, c := three(t, "wan", "lan")
		defer w.stop()
		now := time.Now()
		w.steady(a, []address.Address{vip("wan"), vip("lan")}, func() {
			for i, x := range []*box{a, b, c} {
				g := gateway([]uint8{220, 160, 140}[i], 1, time.Second, "wan", "lan")
				g.Name = "edge"
				x.order(Order{Groups: []Group{g}})
			}
			if g, _ := a.status().Group("edge"); g.State != "active" {
				t.Errorf("right after the order the group is %s", g.State)
			}
			time.Sleep(20 * time.Second)
		})
		if got := w.heard(2, "wan", now); len(got) > 0 || a.last().Reason != "regrouped" {
			t.Errorf("the second said %+v; the first's reason is %q", got, a.last().Reason)
		}
	})
}

// apart are two groups, one of each interface.
func apart(wan, lan uint8) []Group {
	g := gateway(wan, 1, time.Second, "wan", "lan")
	one := Group{Name: "inside", Priority: lan, Epoch: 1, Routers: g.Routers[1:]}
	g.Routers = g.Routers[:1]
	return []Group{g, one}
}

func TestARouterThatEntersASyncGroupOfItsOwnerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.box(1), w.box(2)
		for i, x := range []*box{a, b} {
			x.start()
			x.order(Order{Groups: apart([]uint8{220, 160}[i], []uint8{220, 160}[i])})
		}
		defer w.stop()
		time.Sleep(10 * time.Second)
		w.steady(a, []address.Address{vip("wan"), vip("lan")}, func() {
			a.set(220, 2, "wan", "lan")
			time.Sleep(time.Second)
			b.set(160, 2, "wan", "lan")
			time.Sleep(20 * time.Second)
		})
		if a.state() != "active" || b.state() != "backup" {
			t.Errorf("%s and %s", a.state(), b.state())
		}
	})
}

// Two groups of two owners become one: whoever is told first, no address is without a holder, and
// one owner has both in the end.
func TestAMergeOfTwoOwnersGroupsLosesNoAddress(t *testing.T) {
	for name, order := range map[string][]int{"owner first": {0, 1}, "owner last": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				boxes := []*box{w.box(1), w.box(2)}
				boxes[0].start()
				boxes[0].order(Order{Groups: apart(220, 160)})
				boxes[1].start()
				boxes[1].order(Order{Groups: apart(160, 220)})
				defer w.stop()
				time.Sleep(10 * time.Second)
				if x, y := w.owners(vip("wan")), w.owners(vip("lan")); !slices.Equal(x, []int{1}) || !slices.Equal(y, []int{2}) {
					t.Fatalf("before: owners %v and %v, want the first and the second", x, y)
				}
				var gaps [2]time.Duration
				var watching sync.WaitGroup
				for i, iface := range []string{"wan", "lan"} {
					watching.Go(func() {
						gaps[i], _ = w.during(vip(iface), func() { time.Sleep(20 * time.Second) })
					})
				}
				for _, i := range order {
					boxes[i].set([]uint8{220, 160}[i], 2, "wan", "lan")
					time.Sleep(50 * time.Millisecond)
				}
				watching.Wait()
				for i, iface := range []string{"wan", "lan"} {
					// The first's advert and its address are on their way at one instant of this clock, and a sample may see
					// the second's gone before.
					if got := w.owners(vip(iface)); gaps[i] > time.Millisecond || !slices.Equal(got, []int{1}) {
						t.Errorf("%s: no owner for %v, owners %v, want the first", iface, gaps[i], got)
					}
				}
			})
		})
	}
}

func TestARouterOnANewInterfaceJoinsALiveGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		w.steady(a, []address.Address{vip("wan")}, func() {
			a.set(220, 1, "wan", "lan")
			b.set(160, 1, "wan", "lan")
			time.Sleep(10 * time.Second)
		})
		if got := w.owners(vip("lan")); !slices.Equal(got, []int{1}) || len(a.status().Transitions) != 2 {
			t.Errorf("owners %v, want the first; %+v", got, a.status().Transitions)
		}
	})
}

// TestARouterThatMovesToAnotherInterfaceGoesOnThere moves it to one that has been looked at, where another router is, and to one that has not.
func TestARouterThatMovesToAnotherInterfaceGoesOnThere(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				boxes := []*box{w.box(1), w.box(2), w.box(3)}
				order := func(i int, iface string) (o Order) {
					g := gateway([]uint8{220, 160, 140}[i], 1, time.Second, "wan")
					g.Routers[0].Interface = iface
					o.Groups = []Group{g}
					if known {
						other := gateway([]uint8{220, 160, 140}[i], 1, time.Second, "lan")
						other.Name, other.Routers[0].VRID = "other", 99
						o.Groups = append(o.Groups, other)
					}
					return o
				}
				for i, x := range boxes {
					x.start()
					x.order(order(i, "wan"))
				}
				defer w.stop()
				time.Sleep(10 * time.Second)
				moved, now := vip("wan"), time.Now()
				moved.Interface = "lan"
				none, many := w.during(moved, func() {
					for i, x := range boxes {
						x.order(order(i, "lan"))
						time.Sleep(100 * time.Millisecond)
					}
					time.Sleep(10 * time.Second)
				})
				if x, y := w.owners(vip("wan")), w.owners(moved); len(x) != 0 || !slices.Equal(y, []int{1}) {
					t.Errorf("owners %v and %v, want none and the first", x, y)
				}
				if none > 2*time.Millisecond || many > 0 {
					t.Errorf("nobody had the address for %v, two for %v", none, many)
				}
				for i, s := range slices.DeleteFunc(w.heard(1, "lan", now), func(s sent) bool { return s.advert.VRID != 51 }) {
					if after := s.at.Sub(now); i == 0 && after > time.Second || s.advert.Priority != 220 {
						t.Errorf("advert %d after %v: %+v", i, after, s.advert)
					}
				}
				if said := boxes[0].said[moved]; len(said) == 0 || said[0].Sub(now) > 10*time.Millisecond {
					t.Errorf("the address was announced at %v, want at once", said)
				}
				var news []string
				for _, tr := range boxes[0].status().Transitions {
					if tr.Group == "gateway" && !tr.At.Before(now) {
						news = append(news, tr.From+" "+tr.To+" "+tr.Reason)
					}
				}
				if want := []string{"active active wan: goes on, on lan in place of wan"}; !slices.Equal(news, want) {
					t.Errorf("transitions %q, want %q", news, want)
				}
			})
		})
	}
}

func TestWhoResignsDoesNotTakeBackForADownInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.start()
		a.set(220, 1, "wan")
		defer w.stop()
		time.Sleep(10 * time.Second)
		begin := time.Now()
		a.step(vrrp.Resign{})
		time.Sleep(10 * time.Second)
		last := a.last()
		if want := 3*time.Second + time.Second*(256-220)/256; last.To != "active" || last.At.Sub(begin) != want {
			t.Errorf("%+v after %v, want active after %v", last, last.At.Sub(begin), want)
		}
		got := w.heard(1, "wan", begin)
		if len(got) < 4 || got[2].advert.Priority != 0 || got[2].at.Sub(begin) != 20*time.Millisecond || got[3].advert.Priority != 220 {
			t.Errorf("said %+v, want three goodbyes within 20 ms", got)
		}
	})
}

func TestV14V15AStopWithReleaseResignsFirstAndSucceedsFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		begin := time.Now()
		a.do(func(time.Time) { a.keeper.stop = &stopOrder{release: true} })
		<-a.ended
		if a.has(vip("wan")) || a.has(vip("lan")) {
			t.Error("after the end the addresses are there")
		}
		for _, iface := range []string{"wan", "lan"} {
			if got := w.heard(1, iface, begin); len(got) != 3 || got[2].advert.Priority != 0 {
				t.Errorf("%s: said %+v, want three goodbyes", iface, got)
			}
		}
		time.Sleep(5 * time.Second)
		if want := begin.Add(time.Second * (256 - 160) / 256); b.last().To != "active" || b.last().At != want {
			t.Errorf("%+v, want active at %v", b.last(), want)
		}
		a.start()
		time.Sleep(10 * time.Second)
		if a.state() != "backup" {
			t.Errorf("after a goodbye the first starts as %s", a.state())
		}
	})
}

func TestV62AStopWithoutReleaseLeavesTheAddressesForTheirLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.start()
		a.set(220, 1, "wan")
		time.Sleep(10 * time.Second)
		begin := time.Now()
		a.do(func(time.Time) { a.keeper.stop = &stopOrder{} })
		<-a.ended
		if !a.has(vip("wan")) || len(w.heard(1, "wan", begin.Add(time.Nanosecond))) > 0 {
			t.Errorf("has it %v, said %+v", a.has(vip("wan")), w.heard(1, "wan", begin))
		}
		time.Sleep(3 * time.Second)
		if a.has(vip("wan")) {
			t.Error("after its lifetime the address is there")
		}
	})
}

// The advert carries the new list in its order, without the excluded address.
func TestV10V11V57ANewAddressAloneIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		begin := time.Now()
		g := gateway(220, 1, time.Second, "wan")
		g.Routers[0].Addresses = append(g.Routers[0].Addresses, netip.MustParsePrefix("192.0.2.101/24"))
		g.Routers[0].Excluded = []netip.Prefix{netip.MustParsePrefix("2001:db8::1/64")}
		a.order(Order{Groups: []Group{g}})
		time.Sleep(1500 * time.Millisecond)
		for _, at := range a.announced(vip("wan")) {
			if !at.Before(begin) {
				t.Errorf("the old address was announced again after %v", at.Sub(begin))
			}
		}
		for _, p := range []netip.Prefix{g.Routers[0].Addresses[1], g.Routers[0].Excluded[0]} {
			if added := (address.Address{Interface: "wan", Prefix: p}); len(a.announced(added)) == 0 || a.announced(added)[0] != begin {
				t.Errorf("%v was announced at %v", added, a.announced(added))
			}
		}
		got := w.heard(1, "wan", begin)
		if want := g.Routers[0].advertised(); len(got) == 0 || !slices.Equal(got[0].advert.Addresses, want) {
			t.Errorf("said %+v, want %v", got, want)
		}
	})
}

func TestAHoldThatEndsEarlyIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		a.kill()
		b.step(vrrp.Hold{Until: time.Now().Add(time.Minute)})
		w.boxes[2].kill()
		time.Sleep(10 * time.Second)
		if b.state() != "backup" {
			t.Fatalf("the held backup is %s", b.state())
		}
		b.step(vrrp.Hold{Until: time.Now()})
		time.Sleep(time.Second * (256 - 160) / 256) // others were held, too: the best comes first
		if b.state() != "active" {
			t.Errorf("after the end of the hold it is %s", b.state())
		}
	})
}

func TestARouterThatMovesToAnotherGroupKeepsItsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		o := a.keeper.order
		one := func(i int, name string) Group {
			return Group{Name: name, Priority: 220, Epoch: 2, Routers: []Router{o.Groups[0].Routers[i]}}
		}
		none, many := w.during(vip("lan"), func() {
			a.order(Order{Groups: []Group{one(0, "outside"), one(1, "inside")}})
			time.Sleep(10 * time.Second)
		})
		if none > 0 || many > 0 || b.state() != "backup" {
			t.Errorf("none %v, many %v, the second is %s", none, many, b.state())
		}
	})
}

func TestAGroupThatIsGoneResignsAndReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		begin := time.Now()
		none, many := w.during(vip("wan"), func() {
			a.order(Order{})
			time.Sleep(5 * time.Second)
		})
		if got := w.heard(1, "wan", begin); len(got) != 3 || got[2].advert.Priority != 0 {
			t.Errorf("said %+v, want three goodbyes", got)
		}
		if got := w.owners(vip("wan")); !slices.Equal(got, []int{2}) || none > 400*time.Millisecond || many > 0 {
			t.Errorf("owners %v, none %v, many %v", got, none, many)
		}
		if want := "192.0.2.1 resigned"; b.last().Reason != want {
			t.Errorf("reason %q, want %q", b.last().Reason, want)
		}
	})
}

func TestAHeldBackupWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.box(1), w.box(2)
		for i, x := range []*box{a, b} {
			x.start()
			x.set([]uint8{220, 160}[i], 1, "wan")
		}
		defer w.stop()
		time.Sleep(10 * time.Second)
		a.kill()
		b.step(vrrp.Hold{Until: time.Now().Add(8 * time.Second)})
		time.Sleep(7900 * time.Millisecond)
		if b.state() != "backup" {
			t.Errorf("the held backup is %s", b.state())
		}
		time.Sleep(100*time.Millisecond + time.Second*(256-160)/256) // and its skew: others may have waited, too
		if b.state() != "active" {
			t.Errorf("after the hold it is %s", b.state())
		}
	})
}

// Where the new owner is not there, a router that keeps its addresses takes them again by its timer, and
// its host has them all the while.
func TestARouterThatWaitsForANewOwnerInVainLosesNoAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.box(1), w.box(2)
		a.start()
		a.order(Order{Groups: apart(220, 160)})
		b.start()
		b.order(Order{Groups: apart(160, 220)})
		defer w.stop()
		time.Sleep(10 * time.Second)
		w.steady(b, []address.Address{vip("lan")}, func() {
			b.set(160, 2, "wan", "lan") // and the first is not told, and dies
			a.kill()
			time.Sleep(20 * time.Second)
		})
		if b.state() != "active" || !b.has(vip("wan")) {
			t.Errorf("the second is %s", b.state())
		}
	})
}

// Another claims it now: who resigns for that one serves until it has announced.
func TestWhoResignsForAClaimKeepsTheAddressesForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.start()
		a.set(220, 1, "wan")
		defer w.stop()
		for linger, want := range map[bool]bool{true: true, false: false} {
			time.Sleep(10 * time.Second)
			begin := time.Now()
			s := &session{k: a.keeper}
			if err := s.doAtOnce(t.Context(), request{Op: opResign, Group: "gateway", Linger: linger}, &reply{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(vrrp.Linger - 1)
			if got := a.has(vip("wan")); got != want {
				t.Errorf("linger %v: it has the address: %v", linger, got)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if got := w.heard(1, "wan", begin); a.has(vip("wan")) || len(got) != 3 || got[0].advert.Priority != 0 || got[0].at != begin {
				t.Errorf("linger %v: it has the address: %v, and said %+v", linger, a.has(vip("wan")), got)
			}
		}
	})
}
