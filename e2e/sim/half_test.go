package sim

import (
	"testing"
	"time"
)

// No adverts pass, and the owner of a pair is elsewhere on the segment by which the cluster's traffic goes, too. Who was booted after
// that has never had a sign of its keeper, and its kernel answers on the other segment all the while: it serves both, as one does
// that heard the owner until then, and gives way when the owner is back.
func TestWhoNeverHadASignOfAnOwnerThatIsOnOneSegmentOfTwoServesTheOther(t *testing.T) {
	for seed := range uint64(5) {
		for _, boots := range []bool{false, true} {
			w := newWorld(seed+1, layout{directors: 2, witness: true, pair: true, interval: 100 * time.Millisecond, clusterOn: wan})
			w.run(warm)
			w.order()
			owner, next := w.hosts[0], w.hosts[1]
			const lasts = 40 * time.Second
			w.inject(w.now, lasts, w.losesAll(wan, vrrpKind))
			w.inject(w.now, lasts, w.losesAll(lan, vrrpKind))
			if boots {
				w.inject(w.now, 10*time.Second, w.machineDies(next))
			}
			w.inject(w.now+5*time.Second, lasts-5*time.Second, w.movesPort(wan, owner))
			w.run(w.now + lasts - time.Second)
			if got := w.servers(); got != "owner and another" || !next.kernel.has(0) || !owner.kernel.has(1) {
				t.Errorf("seed %d, booted since: %v: %s", seed+1, boots, got)
			}
			w.run(w.now + 20*time.Second)
			if w.watch.agree(); w.watch.broken != nil {
				t.Errorf("seed %d, booted since: %v: %v", seed+1, boots, w.watch.broken)
			}
		}
	}
}
