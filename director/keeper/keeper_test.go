package keeper

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// three starts three keepers, of which the first owns the group.
func three(t *testing.T, ifaces ...string) (w *world, a, b, c *box) {
	w = newWorld(t)
	a, b, c = w.box(1), w.box(2), w.box(3)
	for i, x := range []*box{a, b, c} {
		x.start()
		x.set([]uint8{220, 160, 140}[i], 1, ifaces...)
	}
	time.Sleep(10 * time.Second)
	for _, iface := range ifaces {
		if got := w.owners(vip(iface)); !slices.Equal(got, []int{1}) {
			t.Fatalf("owners of %v = %v, want the first", vip(iface), got)
		}
	}
	return w, a, b, c
}

func (w *world) stop() {
	for _, b := range w.boxes {
		b.cancel()
		<-b.ended
	}
}

func TestV45V67TheDeathOfTheOwnerIsTakenOverAfterThreeIntervalsAndTheSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		g, _ := b.status().Group("gateway")
		heard := time.Now().Add(-g.Routers[0].Heard.Age)
		a.kill()
		time.Sleep(10 * time.Second)
		last := b.last()
		if want := 3*time.Second + time.Second*(256-160)/256; last.To != "active" || last.At.Sub(heard) != want {
			t.Errorf("%+v, %v after the last advert, want active after %v", last, last.At.Sub(heard), want)
		}
		if want := "192.0.2.1 silent for 3.4 s"; last.Reason != want {
			t.Errorf("reason %q, want %q", last.Reason, want)
		}
		if got := w.owners(vip("wan")); !slices.Equal(got, []int{2}) {
			t.Errorf("owners %v, want the second: the addresses of the dead end by themselves", got)
		}
	})
}

func TestTheOwnerThatReturnsTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		a.kill()
		time.Sleep(time.Minute)
		a.start()
		a.set(230, 2, "wan", "lan")
		time.Sleep(time.Minute)
		if a.state() != "backup" || b.state() != "active" {
			t.Errorf("%s and %s, want backup and active", a.state(), b.state())
		}
	})
}

func TestV59ASyncGroupMovesTogether(t *testing.T) {
	for _, iface := range []string{"wan", "lan"} {
		synctest.Test(t, func(t *testing.T) {
			w, a, b, _ := three(t, "wan", "lan")
			defer w.stop()
			noneWan, _ := w.during(vip("wan"), func() {
				a.link(iface, false)
				time.Sleep(5 * time.Second)
			})
			for _, i := range []string{"wan", "lan"} {
				if got := w.owners(vip(i)); !slices.Equal(got, []int{2}) {
					t.Errorf("%s down: owners of %v = %v, want the second", iface, vip(i), got)
				}
			}
			if a.state() != "initialize" || a.last().Reason != "link "+iface+" down" {
				t.Errorf("the first is %s: %s", a.state(), a.last().Reason)
			}
			if noneWan > time.Second { // priority 0 on the other interface: the skew
				t.Errorf("no owner for %v", noneWan)
			}
			a.link(iface, true)
			time.Sleep(20 * time.Second)
			if a.state() != "backup" || b.state() != "active" {
				t.Errorf("after the return %s and %s, want backup and active", a.state(), b.state())
			}
		})
	}
}

func TestAPlannedMoveHasNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		for _, iface := range []string{"wan", "lan"} {
			from, to := a, b
			if a.state() == "backup" {
				from, to = b, a
			}
			none, many := w.during(vip(iface), func() {
				from.step(vrrp.Yield{Wait: 100 * time.Millisecond})
				if err := to.claim(248); err != nil {
					t.Error(err)
				}
				to.set(220, 7, "wan", "lan")
				from.set(160, 7, "wan", "lan")
				time.Sleep(10 * time.Second)
			})
			if none > 0 || many > 25*time.Millisecond {
				t.Errorf("%s: no owner for %v, more than one for %v", iface, none, many)
			}
			if g, _ := to.status().Group("gateway"); g.State != "active" || g.Claimed || g.Priority != 220 {
				t.Errorf("after the move %+v", g)
			}
		}
	})
}

func TestAYieldThatNobodyClaimsChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		before := len(a.status().Transitions)
		none, many := w.during(vip("wan"), func() {
			a.step(vrrp.Yield{Wait: 100 * time.Millisecond})
			time.Sleep(10 * time.Second)
		})
		if none > 0 || many > 0 || len(a.status().Transitions) != before {
			t.Errorf("none %v, many %v, transitions %+v", none, many, a.status().Transitions)
		}
	})
}

func TestV51AClaimOfSomebodyWhoIsNotHeardTwiceIsOneOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		a.came()
		time.Sleep(Askable)
		none, many := w.during(vip("wan"), func() { // without a yield
			if err := b.claim(248); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
		})
		if none > time.Millisecond || many > time.Millisecond || a.state() != "backup" {
			t.Errorf("none %v, many %v, the first is %s", none, many, a.state())
		}
	})
}

func TestV54V83ASilencedSegmentHealsToOneOwnerThatAnnouncesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		w.mu.Lock()
		w.cut["wan/1"] = true
		w.mu.Unlock()
		time.Sleep(30 * time.Second)
		if a.state() != "active" || b.state() != "active" {
			t.Fatalf("cut: %s and %s, want an owner on each side", a.state(), b.state())
		}
		w.mu.Lock()
		healed := time.Now()
		delete(w.cut, "wan/1")
		w.mu.Unlock()
		time.Sleep(3 * time.Second)
		if a.state() != "active" || b.state() != "backup" {
			t.Errorf("healed: %s and %s, want the higher priority to stay", a.state(), b.state())
		}
		said := a.announced(vip("wan"))
		if last := said[len(said)-1]; last.Before(healed) {
			t.Errorf("the winner announced last at %v, before the heal at %v", last, healed)
		}
	})
}

func TestOneCutSegmentOfAGroupDoesNotMakeTheOthersFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		before := len(b.status().Transitions)
		w.mu.Lock()
		w.cut["wan/1"] = true
		w.mu.Unlock()
		time.Sleep(time.Minute)
		if a.state() != "active" || len(b.status().Transitions) != before {
			t.Errorf("the owner is %s; the second did %+v", a.state(), b.status().Transitions)
		}
		g, _ := b.status().Group("gateway")
		if !g.Routers[0].Silent || g.Routers[1].Silent {
			t.Errorf("wan silent %v, lan silent %v: want wan alone", g.Routers[0].Silent, g.Routers[1].Silent)
		}
		a.kill() // and then it dies
		time.Sleep(10 * time.Second)
		if got := w.owners(vip("lan")); !slices.Equal(got, []int{2}) {
			t.Errorf("owners %v, want the second", got)
		}
	})
}

func TestV62AKeeperThatRestartsGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan", "lan")
		defer w.stop()
		none, many := w.during(vip("wan"), func() {
			a.kill()
			time.Sleep(800 * time.Millisecond)
			a.start() // from the record: no order is given
			time.Sleep(10 * time.Second)
		})
		if none > 0 || many > 0 || a.state() != "active" || b.state() != "backup" {
			t.Errorf("none %v, many %v, %s and %s", none, many, a.state(), b.state())
		}
	})
}

func TestAKeeperThatRestartsTooLateStartsAsBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		a.kill()
		time.Sleep(3500 * time.Millisecond) // the second has taken over
		a.w.mu.Lock()
		a.addrs[vip("wan")] = time.Now().Add(time.Minute) // the kernel kept it
		a.w.mu.Unlock()
		a.start()
		time.Sleep(20 * time.Millisecond)
		b.step(vrrp.Expired{})
		b.do(func(now time.Time) {
			for id, r := range b.keeper.groups["gateway"].routers {
				b.keeper.advertise(time.Now(), id, r, 160) // heard while it listens
			}
		})
		time.Sleep(10 * time.Second)
		if a.state() != "backup" || a.has(vip("wan")) || b.state() != "active" {
			t.Errorf("%s and %s, want backup and active; has %v", a.state(), b.state(), a.has(vip("wan")))
		}
	})
}

func TestV61AFrozenLoopLetsTheAddressesEndAndStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		_, many := w.during(vip("wan"), func() {
			a.do(func(time.Time) { time.Sleep(20 * time.Second) })
			time.Sleep(20 * time.Second)
		})
		if a.state() != "backup" || b.state() != "active" {
			t.Errorf("%s and %s, want backup and active: %+v", a.state(), b.state(), a.status().Transitions)
		}
		if many > time.Second {
			t.Errorf("two owners for %v", many)
		}
		for _, s := range b.status().Transitions {
			if strings.Contains(s.Reason, "better advert") {
				t.Errorf("the frozen one took back: %+v", s)
			}
		}
	})
}

func TestV75ASlowKernelDelaysNoAdvert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.box(1), w.box(2)
		a.slow = 900 * time.Millisecond
		a.start()
		a.set(220, 1, "wan")
		b.start()
		b.set(160, 1, "wan")
		defer w.stop()
		time.Sleep(time.Minute)
		if len(b.status().Transitions) != 1 {
			t.Errorf("the backup heard the owner late: %+v", b.status().Transitions)
		}
	})
}

func TestAnAddressThatSomebodyRemovesIsRestoredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		none, _ := w.during(vip("wan"), func() {
			a.steal(vip("wan"))
			time.Sleep(time.Second)
		})
		g, _ := a.status().Group("gateway")
		if none > 5*time.Millisecond || g.Routers[0].Restored != 1 || !strings.Contains(a.last().Reason, "restored") {
			t.Errorf("no address for %v; restored %d; %+v", none, g.Routers[0].Restored, a.last())
		}
	})
}

func TestV66V70AnnouncementsAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.start()
		defer w.stop()
		a.set(220, 1, "wan")
		time.Sleep(2 * time.Minute)
		var since time.Time
		for _, tr := range a.status().Transitions {
			if tr.To == "active" {
				since = tr.At
			}
		}
		var got []time.Duration
		for _, at := range a.announced(vip("wan")) {
			got = append(got, at.Sub(since).Round(time.Millisecond))
		}
		want := append(slices.Clone(rounds), 5800*time.Millisecond+refresh)
		if !slices.Equal(got, want) {
			t.Errorf("announced at %v, want %v", got, want)
		}
	})
}

func TestV57ANewAddressListChangesNoState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, _, _ := three(t, "wan")
		defer w.stop()
		before := len(a.status().Transitions)
		o := a.keeper.order
		more := vip("lan").Prefix
		o.Groups = []Group{{Name: "gateway", Priority: 220, Epoch: 1, Routers: []Router{o.Groups[0].Routers[0]}}}
		o.Groups[0].Routers[0].Addresses = append(slices.Clone(o.Groups[0].Routers[0].Addresses), more)
		none, _ := w.during(vip("wan"), func() {
			a.order(o)
			time.Sleep(time.Second)
		})
		added := vip("lan")
		added.Interface = "wan"
		if none > 0 || !a.has(added) || len(a.announced(added)) == 0 || len(a.status().Transitions) != before {
			t.Errorf("none %v, has %v, announced %v, %+v", none, a.has(added), a.announced(added), a.status().Transitions)
		}
		a.set(220, 1, "wan")
		time.Sleep(time.Second)
		if a.has(added) || !a.has(vip("wan")) {
			t.Errorf("after the way back: has %v and %v", a.has(added), a.has(vip("wan")))
		}
	})
}

func TestAClaimWithoutALinkSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, b, _ := three(t, "wan")
		defer w.stop()
		b.link("wan", false)
		time.Sleep(time.Second)
		if err := b.claim(248); err == nil || !strings.Contains(err.Error(), "link wan down") {
			t.Errorf("claim: %v, want the reason", err)
		}
	})
}
