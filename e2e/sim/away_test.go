package sim

import (
	"testing"
	"time"
)

// The cluster port of the owner is cut off, so the group is moved from it. Then the machine of the next owner dies, and
// the one that is cut off takes the group again, which no report tells: it is moved from that one once more when the other is back.
func TestAnOwnerThatIsCutOffAndTakesTheGroupAgainIsMovedFromAgain(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(seed+1, layout{directors: 2, witness: true, interval: 100 * time.Millisecond, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		w.inject(w.now, time.Minute, w.isolates(w.hosts[0]))
		w.run(w.now + 5*time.Second)
		if got := w.servers(); got != "another" {
			t.Fatalf("seed %d: the owner is cut off for 5 s: %s", seed+1, got)
		}
		w.inject(w.now, 3*time.Second, w.machineDies(w.hosts[1]))
		again := false
		for end := w.now + 10*time.Second; w.now < end && w.watch.broken == nil; {
			w.run(w.now + 10*time.Millisecond)
			again = again || w.hosts[0].owns()
		}
		if got := w.servers(); !again || got != "another" || w.newest().Groups["web"].Owner != "d2" || w.watch.broken != nil {
			t.Errorf("seed %d: 10 s later: it took the group again: %v; %s serves; %+v; %v", seed+1, again, got, w.newest().Groups, w.watch.broken)
		}
	}
}
