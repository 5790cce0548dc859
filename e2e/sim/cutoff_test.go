package sim

import (
	"slices"
	"testing"
	"time"
)

// An owner is cut off, the one before it has frozen, and the only one on the segment drains: it serves, since nobody else does.
func TestWhoDrainsServesWhereOneOwnerIsCutOffAndTheOtherFrozen(t *testing.T) {
	if r := Run(2153391, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}

// Two owners are cut off, of which one has just gone on: who has found the first one does not begin anew with the other.
func TestTwoOwnersThatAreCutOffAreTakenFromAsSoonAsOne(t *testing.T) {
	if r := Run(2121249, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}

// The keeper of a pair's owner hangs, and one of the others is not on the first segment. It takes nothing from the owner's kernel on the
// second, since the other one claims from that before it ends: somebody answers on both all the while.
func TestWhoIsCutOffTakesNothingFromAKernelOnTheOtherSegment(t *testing.T) {
	for after := time.Duration(0); after < 500*time.Millisecond; after += 50 * time.Millisecond {
		w := newWorld(1, layout{directors: 3, pair: true, interval: 100 * time.Millisecond, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		w.movesPort(wan, w.hosts[2]).begin()
		w.run(w.now + time.Second + after)
		w.hosts[0].keeping.freeze()
		for end := w.now + 5*time.Second; w.now < end; w.run(w.now + time.Millisecond) {
			for _, r := range w.routers {
				if !slices.ContainsFunc(w.hosts, func(h *host) bool { return w.serves(r, client, h) }) {
					t.Fatalf("nobody answers for %s, %v after the keeper of the owner hangs", r.name, 5*time.Second-(end-w.now))
				}
			}
			if w.hosts[2].owns() {
				t.Fatalf("who is cut off takes it %v after the keeper of the owner hangs", 5*time.Second-(end-w.now))
			}
		}
	}
	if r := Run(5047744, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}

// A pair's owner is on another segment than the first one, and lets the group go for who claims it at once: on the second one, which
// joins the two, somebody answers all the while.
func TestAnOwnerThatLetsGoServesUntilWhoAskedServes(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		w := newWorld(seed, layout{directors: 3, pair: true, interval: 200 * time.Millisecond, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		w.movesPort(wan, w.hosts[0]).begin()
		for end := w.now + 5*time.Second; w.now < end; w.run(w.now + time.Millisecond) {
			if !slices.ContainsFunc(w.hosts, func(h *host) bool { return w.serves(w.routers[1], client, h) }) {
				t.Fatalf("seed %d: nobody answers on the segment that is whole, %v after the other is cut", seed, 5*time.Second-(end-w.now))
			}
		}
		if w.hosts[0].owns() {
			t.Fatalf("seed %d: the one that is cut off owns it still", seed)
		}
	}
	if r := Run(5091851, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
