package sim

import (
	"testing"
	"time"

	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/fsm"
)

// Control of all standbys stands still, and they hear the owner no more, which answers for its addresses. While its adverts come all the same,
// nobody takes those; where none does, they are somebody's a minute later that cannot tell the answers from those of a cache.
func TestWhoAnswersIsLeftTheAddressesWhileItsAdvertsCome(t *testing.T) {
	for name, tt := range map[string]struct {
		deafens func(w *world) fault
		takes   bool
	}{
		"it has another VRID": {func(w *world) fault {
			return w.changes(func(r fsm.Router) fsm.Router {
				r.VRID += 100
				return r
			})
		}, false},
		"its adverts are lost": {func(w *world) fault { return w.losesAll(wan, vrrpKind) }, true},
	} {
		w := newWorld(1, layout{directors: 2, witness: true, interval: time.Second, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		owner := w.hosts[0]
		if !owner.owns() {
			owner = w.hosts[1]
		}
		standby := w.others(owner)[0]
		w.inject(w.now, 3*time.Minute, w.controlFreezes(standby))
		w.run(w.now + 5*time.Second)
		w.inject(w.now, 3*time.Minute, tt.deafens(w))
		w.run(w.now + vrrp.HeldBack)
		early := standby.owns()
		w.run(w.now + 10*time.Second)
		if late := standby.owns(); early || late != tt.takes || w.watch.broken != nil {
			t.Errorf("%s: the standby owns it after a minute: %v, and ten seconds later: %v; %v", name, early, late, w.watch.broken)
		}
	}
}

// The owner's machine dies, and no adverts pass among those that are left, whose control stands still. Each asks until shortly before it
// takes: the second, by its priority, is late by 0.08 of an interval, and finds the first if that is more than the last question leaves.
func TestWhoTakesAMomentLaterFindsWhoHasTaken(t *testing.T) {
	for interval := 350 * time.Millisecond; interval <= time.Second; interval += 50 * time.Millisecond {
		w := newWorld(1, layout{directors: 3, witness: true, interval: interval, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		var owner *host
		var left []*host
		for _, h := range w.hosts[:w.directors] {
			if h.owns() {
				owner = h
				continue
			}
			left = append(left, h)
			w.inject(w.now, time.Minute, w.controlFreezes(h))
		}
		w.run(w.now + 5*time.Second)
		w.inject(w.now, time.Minute, w.losesAll(wan, vrrpKind))
		w.inject(w.now, time.Minute, w.machineDies(owner))
		w.run(w.now + 20*time.Second)
		if left[0].owns() == left[1].owns() {
			t.Errorf("an advert every %v: %s owns it: %v, and %s: %v", interval, left[0].name, left[0].owns(), left[1].name, left[1].owns())
		}
	}
}
