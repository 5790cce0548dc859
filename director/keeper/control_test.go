package keeper

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/vrrp"
)

// What a director orders when its quorum is lost: the last owner's priority falls to 41, its successors' to
// below that. Each finds out in its own time.
func TestV76TheLossOfTheQuorumMovesNothing(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		synctest.Test(t, func(t *testing.T) {
			w, a, b, c := three(t, "wan")
			defer w.stop()
			boxes, cut := []*box{a, b, c}, []uint8{41, 31, 21}
			begin := time.Now()
			w.steady(a, []address.Address{vip("wan")}, func() {
				for _, i := range order {
					boxes[i].set(cut[i], 1, "wan")
					time.Sleep(4 * time.Second)
				}
				time.Sleep(20 * time.Second)
			})
			for _, s := range w.heard(1, "wan", begin) {
				if s.advert.Priority == 0 {
					t.Errorf("%v: the owner said goodbye after %v", order, s.at.Sub(begin))
				}
			}
			if a.state() != "active" || b.state() != "backup" || c.state() != "backup" {
				t.Errorf("%v: %s, %s and %s", order, a.state(), b.state(), c.state())
			}
			a.kill() // who is silent is replaced all the same, by the next in order
			time.Sleep(20 * time.Second)
			if b.state() != "active" || c.state() != "backup" {
				t.Errorf("%v: after the owner's death %s and %s", order, b.state(), c.state())
			}
		})
	}
}

// The owner is told first or last, and the others are as late as they like: one that is cut off keeps the
// old list for as long as that lasts.
func TestV40V80AListThatChangesLaterElsewhereMovesNothing(t *testing.T) {
	for name, order := range map[string][]int{"owner first": {0, 1, 2}, "owner last": {2, 1, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, c := three(t, "wan")
				defer w.stop()
				boxes := []*box{a, b, c}
				var before []int
				for _, x := range boxes {
					before = append(before, len(changesOf(x)))
				}
				w.steady(a, []address.Address{vip("wan")}, func() {
					for _, i := range order {
						g := gateway([]uint8{220, 160, 140}[i], 1, time.Second, "wan")
						g.Routers[0].Addresses = append(g.Routers[0].Addresses, netip.MustParsePrefix("192.0.2.101/24"))
						boxes[i].order(Order{Groups: []Group{g}})
						time.Sleep(30 * time.Second)
					}
				})
				for i, x := range boxes {
					if got := len(changesOf(x)); got != before[i] {
						t.Errorf("host %d changed its state: %+v", x.n, changesOf(x))
					}
					if got := x.has(address.Address{Interface: "wan", Prefix: netip.MustParsePrefix("192.0.2.101/24")}); got != (x == a) {
						t.Errorf("host %d has the new address: %v", x.n, got)
					}
				}
			})
		})
	}
}

// changesOf are the transitions of a box from one state to another.
func changesOf(b *box) []Transition {
	return slices.DeleteFunc(b.status().Transitions, func(tr Transition) bool { return tr.From == tr.To })
}

// The kernel is slow to take addresses and announcements, there is always something to restore, and a
// client never reads what it asked to be told.
func TestV75AdvertsLeaveOnTimeWhateverElseIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.slow, a.mumble = 700*time.Millisecond, 700*time.Millisecond
		a.start()
		defer w.stop()
		a.set(220, 1, "wan")
		never := make(chan struct{}) // nobody reads it
		a.keeper.watch(never)
		time.Sleep(10 * time.Second)
		begin := time.Now()
		for range 20 {
			a.steal(vip("wan"))
			time.Sleep(time.Second)
		}
		got := w.heard(1, "wan", begin)
		for i := 1; i < len(got); i++ {
			if d := got[i].at.Sub(got[i-1].at); d != time.Second {
				t.Errorf("%v between two adverts", d)
			}
		}
		if len(got) < 20 {
			t.Errorf("%d adverts in 20 s", len(got))
		}
	})
}

// Every reason to drop an advert, and every oddity of one that is believed, is a counter of its own: what
// they are called is the judge's matter, and tested there.
func TestV84AStatusHasWhatWasSentHeardAndChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		time.Sleep(500 * time.Millisecond)
		var last GroupStatus
		tell := func(priority uint8, interval time.Duration, ttl int) { // a foreign router speaks
			t.Helper()
			src := netip.MustParseAddr("192.0.2.77")
			p := vrrp.Packet{VRID: 51, Priority: priority, Interval: interval, Addresses: []netip.Addr{vip("wan").Prefix.Addr()}}
			payload, err := p.Append(nil, src, vrrp.Multicast(false))
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range []*box{a, b} {
				x.do(func(now time.Time) {
					x.keeper.hear(now, link{Interface: "wan"}, vrrp.Datagram{Src: src, Dst: vrrp.Multicast(false), TTL: ttl, Payload: payload})
				})
			}
			last, _ = a.status().Group("gateway")
		}
		tell(100, time.Second, 255)
		before := last.Routers[0]
		for range 3 {
			tell(100, time.Second, 255) // it loses: both are Active for that long
		}
		for range 5 {
			tell(250, time.Second, 64)
		}
		r := last.Routers[0]
		if r.Received != before.Received+3 || r.Contested != before.Contested+3 || r.Drops[vrrp.DropTTL] != 5 || r.Notices[vrrp.NoticeStranger] != 4 {
			t.Errorf("received %d, contested %d, dropped %v, odd %v", r.Received-before.Received, r.Contested-before.Contested, r.Drops, r.Notices)
		}
		sent := r.Sent
		time.Sleep(10 * time.Second)
		if last, _ = a.status().Group("gateway"); last.Routers[0].Sent != sent+10 {
			t.Errorf("%d adverts sent in 10 s, want 10", last.Routers[0].Sent-sent)
		}
		tell(250, 800*time.Millisecond, 255) // and now it wins
		r = last.Routers[0]
		heard := r.Heard
		if last.State != "backup" || last.Priority != 220 || heard == nil || heard.Source != netip.MustParseAddr("192.0.2.77") || heard.Priority != 250 || heard.Interval != 800*time.Millisecond {
			t.Errorf("%s with priority %d, heard %+v", last.State, last.Priority, heard)
		}
		if want := map[string]uint64{"backup": 2, "active": 1}; !maps.Equal(last.Changes, want) {
			t.Errorf("changes %v, want %v", last.Changes, want)
		}
		if tr := a.last(); tr.To != "backup" || !strings.Contains(tr.Reason, "192.0.2.77") {
			t.Errorf("the cause of the last change is %+v", tr)
		}
	})
}

func TestV77AClaimHasAPriorityOf1To254(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		for _, priority := range []uint8{0, 255} {
			if err := b.claim(priority); err == nil || !strings.Contains(err.Error(), "is not 1 to 254") {
				t.Errorf("a claim with priority %d: %v", priority, err)
			}
		}
		if a.state() != "active" || b.state() != "backup" {
			t.Errorf("%s and %s", a.state(), b.state())
		}
	})
}
