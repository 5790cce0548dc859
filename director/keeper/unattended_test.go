package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// ear is a box's Who: all other boxes answer for the addresses that they have, as kernels do.
type ear struct {
	b *box

	mu    sync.Mutex
	asked []time.Time
	also  map[netip.Addr]net.HardwareAddr // somebody else answers for these
	err   error
}

// ears gives boxes theirs. They are to be started again to have them.
func ears(boxes ...*box) []*ear {
	var out []*ear
	for _, b := range boxes {
		e := &ear{b: b, also: map[netip.Addr]net.HardwareAddr{}}
		b.who = e.who
		out = append(out, e)
	}
	return out
}

func (e *ear) who(ctx context.Context, iface string, source netip.Addr, targets []netip.Addr) (map[netip.Addr][]net.HardwareAddr, error) {
	e.mu.Lock()
	e.asked = append(e.asked, time.Now())
	e.mu.Unlock()
	if source != e.b.own(iface).Prefix.Addr() {
		return nil, fmt.Errorf("from %v", source)
	}
	time.Sleep(time.Millisecond)
	found := map[netip.Addr][]net.HardwareAddr{}
	for _, t := range targets {
		for _, o := range e.b.w.boxes {
			if mac := o.answers(iface, t); o != e.b && mac != nil {
				found[t] = append(found[t], mac)
			}
		}
		e.mu.Lock()
		if mac := e.also[t]; mac != nil {
			found[t] = append(found[t], mac)
		}
		e.mu.Unlock()
	}
	if len(found) < len(targets) {
		<-ctx.Done()
	}
	return found, e.err
}

// answers is the MAC address with which a box answers for an address; nil: it does not.
func (b *box) answers(iface string, a netip.Addr) net.HardwareAddr {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if b.w.cut[fmt.Sprintf("%s/%d", iface, b.n)] {
		return nil
	}
	for have, until := range b.addrs {
		if have.Prefix.Addr() != a || !until.IsZero() && !until.After(time.Now()) {
			continue
		}
		if have.Interface == iface {
			return net.HardwareAddr{2, 0, 0, 0, 0, byte(b.n)}
		}
		for _, v := range b.macs {
			if v.Name() == have.Interface && v.Parent == iface {
				mac := vrrp.VirtualMAC(v.VRID, v.V6)
				return mac[:]
			}
		}
	}
	return nil
}

// times are when a box asked.
func (e *ear) times() []time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// two are an owner and a standby, without control, whose segment can be asked.
func two(t *testing.T, change func(*Group)) (w *world, a, b *box, ear *ear) {
	w = newWorld(t)
	a, b = w.box(1), w.box(2)
	ear = ears(a, b)[1]
	for i, x := range []*box{a, b} {
		x.start()
		g := gateway([]uint8{220, 160}[i], 1, time.Second, "wan")
		if change != nil {
			change(&g)
		}
		x.order(Order{Groups: []Group{g}})
	}
	time.Sleep(10 * time.Second)
	if a.state() != "active" || b.state() != "backup" {
		t.Fatalf("%s and %s", a.state(), b.state())
	}
	return w, a, b, ear
}

// otherwise has a box speak such that one that goes by the order of before hears it no more.
func (b *box) otherwise(change func(*Group)) {
	g := gateway(220, 1, time.Second, "wan")
	if change != nil {
		change(&g)
	}
	g.Routers[0].VRID = 99
	b.order(Order{Groups: []Group{g}})
}

// dies ends a box with all that it has.
func (b *box) dies() {
	b.kill()
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	b.w.cut[fmt.Sprintf("wan/%d", b.n)] = true
	clear(b.addrs)
}

// down is Active_Down_Interval of the standby of two.
const down = 3*time.Second + time.Second*(256-160)/256

func TestWhoIsWithoutControlLeavesTheAddressesToWhoAnswersForThem(t *testing.T) {
	for name, change := range map[string]func(*Group){
		"as they are":           nil,
		"a virtual MAC address": func(g *Group) { g.Routers[0].VirtualMAC = true },
		"one address of several": func(g *Group) {
			g.Routers[0].Addresses = append(g.Routers[0].Addresses, netip.MustParsePrefix("192.0.2.101/24"))
		},
		"an excluded one besides": func(g *Group) { g.Routers[0].Excluded = []netip.Prefix{netip.MustParsePrefix("192.0.2.102/24")} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, ear := two(t, change)
				defer w.stop()
				seen := len(ear.times())
				a.otherwise(change)
				time.Sleep(3 * time.Minute) // longer than it is held back by answers alone
				var said []string
				for _, tr := range b.status().Transitions {
					if tr.From == tr.To {
						said = append(said, tr.Reason)
					}
				}
				if len(said) != 1 || !strings.Contains(said[0], " for 192.0.2.10") || !strings.HasSuffix(said[0], "it is not taken while that is so") {
					t.Errorf("said %q", said)
				}
				if n := len(ear.times()) - seen; b.state() != "backup" || n < 150 || n > 195 { // once in an interval
					t.Errorf("%s, asked %d times in three minutes", b.state(), n)
				}
				a.dies()
				died := time.Now()
				time.Sleep(10 * time.Second)
				last := b.last()
				if d := last.At.Sub(died); last.To != "active" || d < 4*time.Second || d > 5500*time.Millisecond+AskEach {
					t.Errorf("%+v, %v after the death of the owner", last, d)
				}
			})
		})
	}
}

// The owner dies as it always may: what is asked costs two tenths of a second.
func TestWhoIsWithoutControlTakesFromTheDeadAfterItHasAsked(t *testing.T) {
	real := net.HardwareAddr{2, 0, 0, 0, 9, 9}
	for name, tt := range map[string]struct {
		before func(b *box, e *ear)
		asks   bool
		said   string
	}{
		"nobody has ever given an order": {before: func(*box, *ear) {}, asks: true},
		"control has gone":               {before: func(b *box, _ *ear) { b.came(); b.keeper.asked.left() }, asks: true},
		"control says nothing any more":  {before: func(b *box, _ *ear) { b.came() }, asks: true},
		"control is there":               {before: func(b *box, _ *ear) { b.came(); b.speaks() }},
		"a proxy answers for all that it is asked": {
			before: func(b *box, e *ear) {
				for _, a := range []netip.Addr{vip("wan").Prefix.Addr(), b.w.boxes[0].own("wan").Prefix.Addr(), b.own("wan").Prefix.Addr()} {
					e.also[a] = real
				}
			}, asks: true,
			said: "02:00:00:00:09:09 answers for 192.0.2.100, which is no director: it is taken all the same",
		},
		"the segment cannot be asked": {
			before: func(_ *box, e *ear) { e.err = errors.New("no buffer space available") }, asks: true,
			said: "control is away, and the segment could not be asked who has the addresses: no buffer space available: they are taken all the same",
		},
		"a real server answers by mistake": {
			before: func(_ *box, e *ear) { e.also[vip("wan").Prefix.Addr()] = real }, asks: true,
			said: "02:00:00:00:09:09 answers for 192.0.2.100, which is no director: it is taken all the same",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, ear := two(t, nil)
				defer w.stop()
				tt.before(b, ear)
				seen := len(ear.times())
				g, _ := b.status().Group("gateway")
				heard := time.Now().Add(-g.Routers[0].Heard.Age)
				none, many := w.during(vip("wan"), func() {
					a.dies()
					time.Sleep(10 * time.Second)
				})
				want, asked := down, len(ear.times())-seen
				if tt.asks {
					want += 200 * time.Millisecond
				}
				last := b.last()
				if d := last.At.Sub(heard); last.To != "active" || d != want || (asked > 0) != tt.asks {
					t.Errorf("%+v, %v after the last advert, asked %d times; want active after %v", last, d, asked, want)
				}
				if none > want || many > 0 {
					t.Errorf("nobody had it for %v, two for %v", none, many)
				}
				if all := b.status().Transitions; tt.said != "" && all[len(all)-2].Reason != tt.said {
					t.Errorf("said %q", all[len(all)-2].Reason)
				}
			})
		})
	}
}

// A switch answers for the dead owner as it remembers it, which sends nothing.
func TestWhoAnswersAndSendsNothingHoldsNobodyBackForLongerThanAMinute(t *testing.T) {
	for name, change := range map[string]func(*Group){"as they are": nil, "a virtual MAC address": func(g *Group) { g.Routers[0].VirtualMAC = true }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, ear := two(t, change)
				defer w.stop()
				for _, addr := range []netip.Addr{vip("wan").Prefix.Addr(), a.own("wan").Prefix.Addr()} {
					ear.also[addr] = a.answers("wan", addr)
				}
				g, _ := b.status().Group("gateway")
				heard := time.Now().Add(-g.Routers[0].Heard.Age)
				a.dies()
				time.Sleep(2 * time.Minute)
				all, last := b.status().Transitions, b.last()
				if d, want := last.At.Sub(heard), down+vrrp.HeldBack+2*AskEach; last.To != "active" || d != want {
					t.Errorf("%+v, %v after the last advert, want active after %v", last, d, want)
				}
				if said := all[len(all)-2].Reason; !strings.HasSuffix(said, "but no director that could be it has sent an advert for 1m0s or more: the answer may be a cache's, and it is taken all the same") {
					t.Errorf("said %q", said)
				}
			})
		})
	}
}

// speaks has a control say something each second until its box is stopped.
func (b *box) speaks() {
	go func() {
		for tick := time.Tick(time.Second); ; {
			select {
			case <-b.ended:
				return
			case <-tick:
				b.keeper.asked.spoke(time.Now())
			}
		}
	}()
}

func TestOfSeveralWithoutControlTheFirstTakesAndTheOthersFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b, c := w.box(1), w.box(2), w.box(3)
		ears(a, b, c)
		for i, x := range []*box{a, b, c} {
			x.start()
			x.set([]uint8{220, 160, 158}[i], 1, "wan")
		}
		defer w.stop()
		time.Sleep(10 * time.Second)
		_, many := w.during(vip("wan"), func() {
			a.dies()
			time.Sleep(time.Minute)
		})
		if b.state() != "active" || c.state() != "backup" || many > 0 || c.last().To != "backup" {
			t.Errorf("%s and %s, two for %v, %+v", b.state(), c.state(), many, c.last())
		}
	})
}

// A hundred groups lose their owner at once: the segment is asked for all of them together.
func TestWhatManyGroupsAskIsAskedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 20
		w := newWorld(t)
		a, b := w.box(1), w.box(2)
		ear := ears(a, b)[1]
		for i, x := range []*box{a, b} {
			o := Order{}
			for n := range many {
				g := gateway([]uint8{220, 160}[i], 1, time.Second, "wan")
				g.Name, g.Routers[0].VRID = fmt.Sprint(n), uint8(1+n)
				g.Routers[0].Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(101 + n)}), 24)}
				o.Groups = append(o.Groups, g)
			}
			x.start()
			x.order(o)
		}
		defer w.stop()
		time.Sleep(10 * time.Second)
		seen := len(ear.times())
		a.dies()
		time.Sleep(10 * time.Second)
		for _, g := range b.status().Groups {
			if g.State != "active" {
				t.Errorf("%s is %s", g.Name, g.State)
			}
		}
		if n := len(ear.times()) - seen; n < 2 || n > 4 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Control that comes back may not know at once what it missed. It is asked for what it did not know, until it has had the time.
func TestAControlThatComesBackHasTimeToLearnWhoOwns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, ear := two(t, nil)
		defer w.stop()
		a.otherwise(nil)
		time.Sleep(down + time.Second)
		if len(ear.times()) == 0 || b.state() != "backup" {
			t.Fatalf("%s, asked %v", b.state(), ear.times())
		}
		b.came()
		b.speaks()
		time.Sleep(Askable - time.Second)
		if b.state() != "backup" {
			t.Errorf("%s before control could know: %+v", b.state(), b.last())
		}
		b.order(Order{Groups: []Group{func() Group { g := gateway(160, 1, time.Second, "wan"); g.Routers[0].VRID = 99; return g }()}})
		time.Sleep(time.Minute)
		if got := w.owners(vip("wan")); !slices.Equal(got, []int{1}) {
			t.Errorf("owners %v", got)
		}
	})
}

// A keeper that starts by its record, as no control is there, asks as one does that control has left.
func TestAKeeperThatStartsByItsRecordAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, ear := two(t, nil)
		defer w.stop()
		b.kill()
		a.otherwise(nil)
		b.start()
		time.Sleep(time.Minute)
		if got := w.owners(vip("wan")); !slices.Equal(got, []int{1}) || len(ear.times()) == 0 {
			t.Errorf("owners %v, asked %v", got, ear.times())
		}
	})
}

// A foreign router is taken from when it is not heard, whatever its kernel answers: the cluster has changed nothing there.
func TestAForeignRouterThatIsSilentIsTakenFrom(t *testing.T) {
	for name, change := range map[string]func(*Group){"as they are": nil, "a virtual MAC address": func(g *Group) { g.Routers[0].VirtualMAC = true }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, _ := two(t, change)
				defer w.stop()
				b.do(func(time.Time) { clear(b.keeper.members) })
				a.otherwise(change)
				time.Sleep(10 * time.Second)
				if b.state() != "active" {
					t.Errorf("%s: %+v", b.state(), b.last())
				}
			})
		})
	}
}

func TestTheLastAttemptIsAsLateAsCanBe(t *testing.T) {
	for long, want := range map[time.Duration][]time.Duration{
		AskEach / 2:            {0},
		AskEach:                {0},
		200 * time.Millisecond: {0, 100 * time.Millisecond},
		1250 * time.Millisecond: {
			0, 125 * time.Millisecond, 250 * time.Millisecond, 375 * time.Millisecond, 500 * time.Millisecond, 625 * time.Millisecond,
			750 * time.Millisecond, 875 * time.Millisecond, time.Second, 1125 * time.Millisecond, 1150 * time.Millisecond,
		},
	} {
		if got := Attempts(long); !slices.Equal(got, want) {
			t.Errorf("in %v: %v, want %v", long, got, want)
		}
	}
}

// A segment that cannot be asked, or on which nobody is who may own, keeps nobody from taking.
func TestWhatIsAskedForAGroup(t *testing.T) {
	w := newWorld(t)
	b := w.box(2)
	b.start()
	defer w.stop()
	g := gateway(160, 1, time.Second, "wan", "lan")
	g.Routers[0].Neighbors = []Neighbor{{Address: netip.MustParseAddr("192.0.2.77")}}
	g.Routers[1].VirtualMAC = true
	o := Order{Groups: []Group{g}, Members: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.3.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("203.0.113.1")}}
	b.order(o)
	for end := time.Now().Add(10 * time.Second); b.state() != "backup"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(b.status())
		}
	}
	got := map[string]string{}
	b.do(func(time.Time) {
		for _, q := range b.keeper.queries(b.keeper.groups["gateway"]) {
			got[q.Interface] = fmt.Sprint(q.source, q.virtual, q.members)
		}
	})
	for iface, want := range map[string]string{
		"wan": "192.0.2.2 map[192.0.2.100:false] [192.0.2.1]",
		"lan": "192.0.3.2 map[192.0.3.100:true] [192.0.3.1]",
	} {
		if got[iface] != want {
			t.Errorf("%s: %s, want %s", iface, got[iface], want)
		}
	}
}

// All links have the subnet of link-local addresses: a member's counts on the link on which it was heard.
func TestALinkLocalMemberIsAskedForWhereItWasHeard(t *testing.T) {
	here, there := netip.MustParseAddr("fe80::2"), netip.MustParseAddr("fe80::3")
	global := netip.MustParseAddr("2001:db8::2")
	r := &router{spec: Router{Interface: "wan", VRID: 1, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::100/64")}}}
	r.judge.Subnets = []netip.Prefix{netip.MustParsePrefix("fe80::/64"), netip.MustParsePrefix("2001:db8::/64")}
	wan := r.spec.identity().link
	k := &keeper{members: map[netip.Addr]bool{here: true, there: true, global: true}, signs: map[place]time.Time{}}
	k.sign(time.Now(), wan, here)
	k.sign(time.Now(), link{Interface: "lan", V6: true}, there)
	k.sign(time.Now(), wan, netip.MustParseAddr("fe80::4"))
	if got := distinct(k.peers(r)); !slices.Equal(got, []netip.Addr{global, here}) || len(k.signs) != 2 {
		t.Errorf("%v, heard %v", got, k.signs)
	}
}
