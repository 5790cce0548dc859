package sim

import (
	"testing"
	"time"
)

// A keeper that was frozen goes on at any time after another has claimed from it, also while its control waits to see
// whether it answers: what it said before is not said then, and the one that has the group keeps it.
func TestAKeeperThatGoesOnTakesNothingBackFromWhoClaimedMeanwhile(t *testing.T) {
	for after := time.Duration(0); after < 600*time.Millisecond; after += 4 * time.Millisecond {
		w := newWorld(1, layout{directors: 3, interval: 200 * time.Millisecond, clusterOn: own, gateways: true, external: true})
		w.run(warm)
		w.order()
		frozen := w.hosts[0]
		thaw := frozen.keeping.freeze()
		next := w.taker(5 * time.Second)
		if next == nil {
			t.Fatal("nobody claims from a keeper that is frozen")
		}
		w.run(w.now + after)
		thaw()
		for end := w.now + 5*time.Second; w.now < end; w.run(w.now + 10*time.Millisecond) {
			if !next.owns() || !next.kernel.has(0) {
				t.Errorf("the keeper of %s goes on %v after %s has claimed, and %s gives the group up", frozen.name, after, next.name, next.name)
				break
			}
		}
	}
}

// taker returns the host whose keeper runs and owns the group as soon as there is one, or nil after a while.
func (w *world) taker(within time.Duration) *host {
	for end := w.now + within; w.now < end; w.run(w.now + time.Millisecond) {
		for _, h := range w.hosts {
			if h.keeping.runs() && h.owns() {
				return h
			}
		}
	}
	return nil
}
