package sim

import (
	"testing"
	"time"
)

// The keeper of who claims from one that is frozen dies a moment later, and the next one has the addresses while it listens:
// those of the frozen one are removed all the same, or both answer until they end.
func TestAFrozenKeeperIsFencedThoughTheNextOwnersWasJustStarted(t *testing.T) {
	played := 0
	for seed := uint64(1); seed <= 40 && played < 5; seed++ {
		w := newWorld(seed, layout{directors: 3, interval: 100 * time.Millisecond, clusterOn: own, gateways: true, external: true})
		w.run(warm + time.Duration(seed)*37*time.Millisecond)
		w.order()
		frozen := w.hosts[0]
		w.inject(w.now, 10*time.Second, w.keeperFreezes(frozen))
		var next *host
		for end := w.now + 5*time.Second; next == nil && w.now < end; {
			w.run(w.now + time.Millisecond)
			for _, h := range w.hosts[1:] {
				if h.owns() {
					next = h
				}
			}
		}
		if next == nil {
			t.Fatalf("seed %d: nobody claims from a keeper that is frozen", seed)
		}
		claimed := w.now
		if frozen.kernel.until[0] < claimed+2*fenceAfter {
			continue // it ends before
		}
		played++
		w.run(claimed + 100*time.Millisecond)
		next.crashKeeper()
		w.run(claimed + fenceAfter - 10*time.Millisecond)
		if next.owns() || !next.kernel.has(0) || !frozen.kernel.has(0) {
			t.Errorf("seed %d: a moment before the fence %s is Active: %v, both answer: %v", seed, next.name, next.owns(), next.kernel.has(0) && frozen.kernel.has(0))
		}
		w.run(claimed + fenceAfter + 10*time.Millisecond)
		if frozen.kernel.has(0) || !next.kernel.has(0) {
			t.Errorf("seed %d: %s still answers: %v; %s does: %v", seed, frozen.name, frozen.kernel.has(0), next.name, next.kernel.has(0))
		}
	}
	if played == 0 {
		t.Error("the addresses of a frozen keeper always end before it is fenced")
	}
}

// The keeper of one owner stands still. That of the other dies while the first one's control waits for an answer: its addresses stay
// for the next keeper, and those of the first one are removed all the same.
func TestAFrozenKeeperIsFencedThoughTheOtherOwnersKeeperIsGone(t *testing.T) {
	if r := Run(2140629, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}

// The keeper of a pair's owner asks its kernel to remove the addresses, says that it has none, and stands still before that is done.
func TestAKeeperThatIsFrozenWhileItGivesAGroupUpIsFenced(t *testing.T) {
	if r := Run(6201803, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
