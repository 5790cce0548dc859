package keeper

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

func TestV59AFaultOfOneRouterStopsTheGroup(t *testing.T) {
	for name, tt := range map[string]struct {
		fail, heal func(b *box)
		want       string
	}{
		"carrier": {func(b *box) { b.link("wan", false) }, func(b *box) { b.link("wan", true) }, "link wan down"},
		"source": {
			func(b *box) { b.steal(b.own("wan")) },
			func(b *box) {
				b.w.mu.Lock()
				b.addrs[b.own("wan")] = time.Time{}
				b.w.mu.Unlock()
				b.link("wan", true)
			},
			"no source address on wan",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, _ := three(t, "wan", "lan")
				defer w.stop()
				time.Sleep(500 * time.Millisecond)
				begin := time.Now()
				tt.fail(a)
				synctest.Wait()
				if a.state() != "initialize" || a.last().Reason != tt.want || a.has(vip("wan")) || a.has(vip("lan")) {
					t.Errorf("the first is %s: %+v, has %v and %v", a.state(), a.last(), a.has(vip("wan")), a.has(vip("lan")))
				}
				if got := w.heard(1, "lan", begin); len(got) == 0 || got[0].advert.Priority != 0 {
					t.Errorf("on the other link it said %+v, want priority 0", got)
				}
				time.Sleep(5 * time.Second)
				if want := begin.Add(time.Second * (256 - 160) / 256); b.last().To != "active" || b.last().At != want {
					t.Errorf("%+v, want active at %v", b.last(), want)
				}
				b.kill() // nobody else is better from here on: the full down time shows
				w.boxes[2].kill()
				time.Sleep(20 * time.Second)
				begin = time.Now()
				tt.heal(a)
				time.Sleep(10 * time.Second)
				if want := begin.Add(3*time.Second + time.Second*(256-220)/256); a.last().To != "active" || a.last().At.Sub(want).Abs() > time.Millisecond {
					t.Errorf("%+v, want active at %v", a.last(), want)
				}
			})
		})
	}
}

// An order that waits while the keeper is frozen is not carried out before what waits at the
// sockets is read.
func TestV61WhatWaitsDuringAFreezeIsReadFirst(t *testing.T) {
	for _, interval := range []time.Duration{100 * time.Millisecond, time.Second} {
		t.Run(interval.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a, b := w.box(1), w.box(2)
				for i, x := range []*box{a, b} {
					x.start()
					x.order(Order{Groups: []Group{gateway([]uint8{220, 160}[i], 1, interval, "wan")}})
				}
				defer w.stop()
				time.Sleep(20 * interval)
				go a.keeper.call(t.Context(), func(time.Time) { time.Sleep(5 * interval) })
				synctest.Wait()
				asked := make(chan struct{})
				o := a.keeper.order
				o.Groups = []Group{gateway(230, 2, interval, "wan")}
				go func() {
					defer close(asked)
					a.keeper.call(t.Context(), func(now time.Time) { a.keeper.set(now, o, nil) })
				}()
				time.Sleep(4900 * time.Microsecond * time.Duration(interval/time.Millisecond))
				begin, said := time.Now(), len(a.announced(vip("wan")))
				if b.state() != "active" {
					t.Fatalf("the second is %s", b.state())
				}
				<-asked
				time.Sleep(20 * interval)
				if got := w.heard(1, "wan", begin); len(got) > 0 || len(a.announced(vip("wan"))) > said {
					t.Errorf("the frozen one said %+v, and announced %d times", got, len(a.announced(vip("wan")))-said)
				}
				if a.state() != "backup" || a.has(vip("wan")) || b.state() != "active" {
					t.Errorf("%s and %s, has %v", a.state(), b.state(), a.has(vip("wan")))
				}
			})
		})
	}
}

// A keeper that was killed and comes back within the addresses' lifetime, but after others' patience,
// takes nothing back.
func TestV62AKeeperThatRestartsAfterOthersTookOverHearsThem(t *testing.T) {
	for dead := 400 * time.Millisecond; dead < 1900*time.Millisecond; dead += 70 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			a, b := w.box(1), w.box(2)
			for i, x := range []*box{a, b} {
				x.start()
				x.order(Order{Groups: []Group{gateway([]uint8{220, 160}[i], 1, 100*time.Millisecond, "wan")}})
			}
			defer w.stop()
			time.Sleep(2 * time.Second)
			a.kill()
			time.Sleep(dead)
			begin := time.Now()
			a.start()
			time.Sleep(5 * time.Second)
			if a.state() != "backup" || a.has(vip("wan")) || b.state() != "active" || len(w.heard(1, "wan", begin)) > 0 {
				t.Errorf("dead for %v: %s and %s; said %+v", dead, a.state(), b.state(), w.heard(1, "wan", begin))
			}
		})
	}
}

// Whoever resigns; but a flood of resignations with no flood.
func TestV53AnOwnerAnswersAResignation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		time.Sleep(500 * time.Millisecond)
		begin := time.Now()
		for range 20 {
			b.do(func(time.Time) {
				for id, r := range b.keeper.groups["gateway"].routers {
					b.keeper.advertise(time.Now(), id, r, 0)
				}
			})
			time.Sleep(10 * time.Millisecond)
		}
		if got := w.heard(1, "wan", begin); len(got) != 1 || got[0].at != begin || a.state() != "active" {
			t.Errorf("the owner is %s and said %+v, want one advert at once", a.state(), got)
		}
	})
}

// What is odd is counted each time, and said less often.
func TestV23V40OddAdvertsDoNotFloodTheTransitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		before := len(a.status().Transitions)
		for i := range 2000 {
			b.do(func(time.Time) {
				for id, r := range b.keeper.groups["gateway"].routers {
					odd := netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 100)})
					b.say(id, r, 1, odd)
					id.vrid++
					b.say(id, r, 1, odd)
				}
			})
			time.Sleep(time.Millisecond)
		}
		s := a.status()
		g, _ := s.Group("gateway")
		if n := len(s.Transitions) - before; n < 1 || n > 3 {
			t.Errorf("%d events", n)
		}
		if r := g.Routers[0]; r.Notices[vrrp.NoticeAddresses] != 2000 || s.Drops["wan"][vrrp.DropVRID] != 2000 {
			t.Errorf("notices %v, drops %v", r.Notices, s.Drops)
		}
	})
}

func TestV58TheSameVRIDInBothFamilies(t *testing.T) {
	o := Order{Groups: []Group{
		{Name: "four", Priority: 100, Routers: []Router{{Name: "four", VRID: 51, Interface: "wan", Interval: time.Second, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24")}}}},
		{Name: "six", Priority: 100, Routers: []Router{{Name: "six", VRID: 51, Interface: "wan", Interval: time.Second, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::100/64")}}}},
	}}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	o.Groups[1].Routers[0].Addresses = o.Groups[0].Routers[0].Addresses
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "wan/51/ipv4") {
		t.Errorf("Validate = %v, want that the router is there twice", err)
	}
}

func TestV10V77OrdersThatCannotBeCarriedOutAreRefused(t *testing.T) {
	for want, edit := range map[string]func(g *Group){
		"no name":        func(g *Group) { g.Name = "" },
		"priority 0":     func(g *Group) { g.Priority = 0 },
		"has no router":  func(g *Group) { g.Routers = nil },
		"VRID 0":         func(g *Group) { g.Routers[0].VRID = 0 },
		"no interface":   func(g *Group) { g.Routers[0].Interface = "" },
		"0 addresses":    func(g *Group) { g.Routers[0].Addresses = nil },
		"256 addresses":  func(g *Group) { g.Routers[0].Addresses = make([]netip.Prefix, 256) },
		"not in steps":   func(g *Group) { g.Routers[0].Interval = 15 * time.Millisecond },
		"checksum":       func(g *Group) { g.Routers[0].Checksum = "crc" },
		"is there twice": func(g *Group) { g.Routers[0].Excluded = g.Routers[0].Addresses },
		"not valid":      func(g *Group) { g.Routers[0].Excluded = make([]netip.Prefix, 1) },
		"is not of the fa": func(g *Group) {
			g.Routers[0].Addresses = append(g.Routers[0].Addresses, netip.MustParsePrefix("fe80::1/64"))
		},
	} {
		g := gateway(100, 1, time.Second, "wan")
		edit(&g)
		if err := (Order{Groups: []Group{g}}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate = %v, want %q", err, want)
		}
	}
}

func TestAKeeperWorksWithoutItsRecord(t *testing.T) {
	for name, ruin := range map[string]func(t *testing.T, path string){
		"missing":    func(*testing.T, string) {},
		"corrupt":    func(t *testing.T, path string) { put(t, path, `{"version":1,"order":{"groups":[{"na`) },
		"of another": func(t *testing.T, path string) { put(t, path, `{"version":99}`) },
		"invalid":    func(t *testing.T, path string) { put(t, path, `{"version":1,"order":{"groups":[{"name":"x"}]}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.box(1)
				ruin(t, filepath.Join(a.dir, "record"))
				a.start()
				if got := a.status().Record; (got == "") != (name == "missing") {
					t.Errorf("it says %q", got)
				}
				a.set(220, 1, "wan")
				time.Sleep(10 * time.Second)
				if a.state() != "active" || a.status().Record != "" {
					t.Errorf("%s, %q", a.state(), a.status().Record)
				}
				a.kill()
				a.start() // the record is whole again
				defer w.stop()
				time.Sleep(1200 * time.Millisecond) // it listens for an interval
				if a.state() != "active" {
					t.Errorf("after a restart it is %s", a.state())
				}
				if left, err := os.ReadDir(a.dir); err != nil || len(left) != 1 {
					t.Errorf("left over: %v, %v", left, err)
				}
			})
		})
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAKeeperWorksWhenItsRecordCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		path := filepath.Join(a.dir, "record")
		if err := os.Mkdir(path+".new", 0o700); err != nil { // root may write everywhere else
			t.Fatal(err)
		}
		a.start()
		defer w.stop()
		a.set(220, 1, "wan")
		time.Sleep(10 * time.Second)
		if got := a.status().Record; a.state() != "active" || !strings.Contains(got, "write the record") {
			t.Errorf("%s, and it says %q", a.state(), got)
		}
		if err := os.Remove(path + ".new"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if rec, err := readRecord(path); a.status().Record != "" || err != nil || !rec.Active["gateway"] {
			t.Errorf("it says %q; the record is %+v, %v", a.status().Record, rec, err)
		}
	})
}

// Its orders are not taken from such a record, nor kept there: it may be a link to anywhere.
func TestAKeeperWorksWhereItsRecordCannotBeTrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		path := filepath.Join(a.dir, "record")
		a.start()
		a.set(220, 1, "wan")
		time.Sleep(10 * time.Second)
		a.kill()
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		a.doubts = errors.New("it belongs to another user")
		a.start()
		defer w.stop()
		time.Sleep(10 * time.Second)
		if got := a.status(); len(got.Groups) != 0 || got.Record != a.doubts.Error() {
			t.Errorf("groups %+v, and it says %q", got.Groups, got.Record)
		}
		a.set(200, 2, "wan")
		time.Sleep(10 * time.Second)
		if got := a.status().Record; a.state() != "active" || got != a.doubts.Error() {
			t.Errorf("%s, and it says %q", a.state(), got)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("it was written: %s, %v", after, err)
		}
	})
}

// Half of them are of one owner.
func TestV13FiveHundredRoutersStarveNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.box(1), w.box(2)
		order := func(x *box, odd uint8) Order {
			var o Order
			for i := range 500 {
				g := gateway([]uint8{220, 160}[(i+int(odd))%2], 1, time.Second, []string{"wan", "lan"}[i/250])
				g.Name = fmt.Sprintf("g%d", i)
				g.Routers[0].VRID = uint8(1 + i%250)
				g.Routers[0].Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 250), byte(i % 250), 1}), 8)}
				o.Groups = append(o.Groups, g)
			}
			return o
		}
		a.slow, b.slow = 5*time.Millisecond, 5*time.Millisecond // 500 calls for 500 routers would be 2.5 s
		for i, x := range []*box{a, b} {
			x.start()
			x.order(order(x, uint8(i)))
		}
		defer w.stop()
		time.Sleep(20 * time.Second)
		active := func(x *box) (n int) {
			for _, g := range x.status().Groups {
				if g.State == "active" {
					n++
				}
			}
			return n
		}
		if active(a) != 250 || active(b) != 250 {
			t.Fatalf("%d and %d are active", active(a), active(b))
		}
		a.kill()
		time.Sleep(3*time.Second + 500*time.Millisecond)
		if active(b) != 500 {
			t.Errorf("after the death of the first %d are active", active(b))
		}
		if got := len(b.status().Transitions); got != keptTransitions {
			t.Errorf("%d transitions are kept", got)
		}
		n := 0
		for _, i := range []string{"wan", "lan"} {
			last := map[uint8]time.Time{}
			for _, s := range w.heard(2, i, time.Now().Add(-15*time.Second)) {
				if before, ok := last[s.advert.VRID]; ok && s.at.Sub(before) > 1050*time.Millisecond {
					n++
				}
				last[s.advert.VRID] = s.at
			}
		}
		if n > 0 {
			t.Errorf("%d adverts were late", n)
		}
		present, _ := b.Present()
		if len(present) != 502 {
			t.Errorf("%d addresses are there", len(present))
		}
	})
}
