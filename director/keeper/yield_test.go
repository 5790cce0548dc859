package keeper

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// cutOff is the order of a director without quorum.
func cutOff(edit func(*Group), ifaces ...string) Order {
	g := gateway(41, 1, time.Second, ifaces...)
	edit(&g)
	return Order{Groups: []Group{g}}
}

func yields(g *Group) { g.Yield = "no quorum" }

func blocks(g *Group) { g.Blocked = "no quorum" }

func TestAnOwnerThatYieldsWithoutQuorumIsTakenOverFromAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		begin := time.Now()
		none, many := w.during(vip("wan"), func() {
			a.order(cutOff(yields, "wan", "lan"))
			time.Sleep(20 * time.Second)
		})
		// Its successor has 160: a skew of 375 ms.
		if most := time.Second * (256 - 160) / 256; none > most+2*time.Millisecond || many > 0 {
			t.Errorf("nobody for %v, two for %v", none, many)
		}
		for _, iface := range []string{"wan", "lan"} {
			if !slices.Equal(w.owners(vip(iface)), []int{2}) {
				t.Errorf("owners of %s: %v", iface, w.owners(vip(iface)))
			}
			got := w.heard(1, iface, begin)
			if i := slices.IndexFunc(got, func(s sent) bool { return s.advert.Priority == 0 }); i < 0 || got[i].at != begin {
				t.Errorf("on %s it said %+v, want a goodbye at once", iface, got)
			}
		}
		if a.state() != "backup" || b.state() != "active" {
			t.Errorf("%s and %s", a.state(), b.state())
		}
		told := slices.DeleteFunc(a.status().Transitions, func(tr Transition) bool { return tr.At.Before(begin) })
		if len(told) != 1 || told[0].To != "backup" || told[0].Reason != "gives it up once: no quorum" {
			t.Errorf("it tells %+v, want one transition with its cause", told)
		}
	})
}

func TestWhoYieldsToNobodyServesAgainAfterADownIntervalAndYieldsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, c := three(t, "wan")
		defer w.stop()
		b.kill()
		c.kill()
		time.Sleep(10 * time.Second) // their addresses end
		begin := time.Now()
		a.order(cutOff(yields, "wan"))
		time.Sleep(20 * time.Second)
		want := 3*time.Second + time.Second*(256-41)/256
		if last := a.last(); last.To != "active" || last.At.Sub(begin) != want {
			t.Errorf("%+v after %v, want active after %v", last, last.At.Sub(begin), want)
		}
		for range 3 { // the same is ordered again and again
			a.order(cutOff(yields, "wan"))
			time.Sleep(time.Second)
			if a.state() != "active" {
				t.Fatalf("it gave up a second time: %+v", a.last())
			}
		}
		a.set(220, 1, "wan") // the quorum is back
		time.Sleep(time.Second)
		if a.state() != "active" {
			t.Errorf("with quorum it is %s", a.state())
		}
		a.order(cutOff(yields, "wan")) // and gone again
		synctest.Wait()
		if a.state() != "backup" {
			t.Errorf("the second loss: %s", a.state())
		}
	})
}

// The control of both: without a word about it, an owner serves on.
func TestAnOwnerThatHoldsWithoutQuorumServesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		none, many := w.during(vip("wan"), func() {
			a.order(cutOff(func(*Group) {}, "wan"))
			time.Sleep(20 * time.Second)
		})
		if none > 0 || many > 0 || a.state() != "active" {
			t.Errorf("%s; nobody for %v, two for %v", a.state(), none, many)
		}
	})
}

func TestWhoDropsWithoutQuorumOwnsNothingUntilItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, c := three(t, "wan")
		defer w.stop()
		for _, x := range []*box{a, b, c} {
			x.order(cutOff(blocks, "wan"))
		}
		time.Sleep(20 * time.Second)
		if owners := w.owners(vip("wan")); len(owners) != 0 {
			t.Errorf("owners without quorum: %v", owners)
		}
		b.set(160, 1, "wan")
		c.set(140, 1, "wan")
		time.Sleep(10 * time.Second)
		if owners := w.owners(vip("wan")); !slices.Equal(owners, []int{2}) {
			t.Errorf("owners when it is back: %v", owners)
		}
	})
}

// lingering is an owner that has just conceded: its addresses linger.
func lingering(t *testing.T) (*world, *box) {
	w := newWorld(t)
	a := w.box(1)
	a.start()
	a.set(220, 1, "wan")
	time.Sleep(5 * time.Second)
	a.step(vrrp.Concede{})
	time.Sleep(time.Millisecond)
	return w, a
}

// Who took over answers for the addresses already: a keeper that ends or stands still while they linger leaves them for
// the shortest time that the kernel has.
func TestWhatLingersEndsByItselfWithinASecond(t *testing.T) {
	for name, end := range map[string]func(b *box){
		"the keeper is killed": func(b *box) { b.kill() },
		"it stands still": func(b *box) {
			go func() { _ = b.keeper.call(b.w.t.Context(), func(time.Time) { time.Sleep(5 * time.Second) }) }()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a := lingering(t)
				defer w.stop()
				end(a)
				if !a.has(vip("wan")) {
					t.Fatal("they did not linger")
				}
				if time.Sleep(Shortest); a.has(vip("wan")) {
					t.Errorf("a second later they are there")
				}
				time.Sleep(5 * time.Second)
			})
		})
	}
}

// The control: who claims while they linger has them for a whole lifetime again.
func TestWhatLingersAndIsTakenAgainHasAWholeLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a := lingering(t)
		defer w.stop()
		a.step(vrrp.Claim{Priority: 240})
		synctest.Wait()
		a.kill()
		if time.Sleep(2 * time.Second); !a.has(vip("wan")) {
			t.Error("two seconds later they are gone")
		}
	})
}
