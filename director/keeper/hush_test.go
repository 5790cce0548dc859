package keeper

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

// A keeper that was frozen while an announcement came due listens before it goes on as Active, and its
// addresses may be somebody else's meanwhile.
func TestV12NothingIsAnnouncedBetweenAStallAndTheNextAdvert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 100 * time.Millisecond
		w := newWorld(t)
		a := w.box(1)
		a.start()
		defer w.stop()
		a.order(Order{Groups: []Group{gateway(220, 1, interval, "wan")}})
		for a.state() != "active" {
			time.Sleep(time.Millisecond)
		}
		a.do(func(time.Time) { time.Sleep(5 * interval) }) // announcements are due each 200 ms
		thaw := time.Now()
		if a.state() != "backup" || !a.has(vip("wan")) {
			t.Fatalf("after the stall it is %s, has %v", a.state(), a.has(vip("wan")))
		}
		time.Sleep(time.Second)
		adverts := w.heard(1, "wan", thaw)
		said := slices.DeleteFunc(a.announced(vip("wan")), func(at time.Time) bool { return at.Before(thaw) })
		if a.state() != "active" || len(adverts) == 0 || len(said) == 0 {
			t.Fatalf("a second later it is %s, said %d adverts and %d announcements", a.state(), len(adverts), len(said))
		}
		if first := adverts[0].at; first.Sub(thaw) < 50*time.Millisecond || said[0].Before(first) || said[0].Sub(first) > time.Millisecond {
			t.Errorf("frozen until %v: advert at %v, announcement at %v", thaw, first, said[0])
		}
	})
}

// The kernel may let an announcement wait. What was given up meanwhile is not announced.
func TestV12AnAnnouncementThatHadToWaitIsDroppedWhereTheRouterHasYielded(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(b *box)
		want      int
	}{
		"nothing happens":           {func(*box) {}, 1},
		"it resigns":                {func(b *box) { b.step(vrrp.Resign{}) }, 0},
		"it yields to a claim":      {func(b *box) { b.step(vrrp.Concede{}) }, 0},
		"its loop stands still":     {func(b *box) { b.do(func(time.Time) { time.Sleep(3 * time.Second) }) }, 0},
		"its loop stood still":      {func(b *box) { b.step(vrrp.Stalled{Resume: time.Minute}) }, 0},
		"it yields and takes again": {func(b *box) { b.step(vrrp.Concede{}); b.step(vrrp.Claim{Priority: 240}) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.box(1)
				a.mumble = 2500 * time.Millisecond
				a.start()
				defer w.stop()
				a.set(220, 1, "wan")
				for a.state() != "active" {
					time.Sleep(time.Millisecond)
				}
				synctest.Wait() // the announcement is in the kernel's hands
				go tt.meanwhile(a)
				time.Sleep(a.mumble + time.Millisecond)
				if got := len(a.announced(vip("wan"))); got != tt.want {
					t.Errorf("announced %d times, want %d", got, tt.want)
				}
			})
		})
	}
}
