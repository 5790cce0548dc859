package sim

import (
	"testing"
	"time"
)

// Two directors of a pair hear each other on one segment, and reach only the gateway on the other; their cluster ports do not
// reach each other, and the witness answers both. Each takes the other for one that is cut off there: one claim settles it.
func TestTwoThatAreApartOnOneSegmentDoNotClaimInTurns(t *testing.T) {
	both := [][2]int{{0, 1}, {1, 0}}
	for seed := range uint64(5) {
		w := newWorld(seed+1, layout{directors: 2, witness: true, pair: true, interval: time.Second, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		w.inject(w.now, 2*time.Minute, w.cutsOff(own, []kind{portKind}, both, "the ports of the directors are apart"))
		w.inject(w.now, 2*time.Minute, w.cutsOff(lan, []kind{vrrpKind, arpKind}, both, "a private VLAN"))
		w.run(w.now + 20*time.Second)
		before := w.watch.moves
		w.run(w.now + 90*time.Second)
		if n := w.watch.moves - before; n > 1 || w.watch.broken != nil {
			t.Errorf("seed %d: %d changes of owner in 90 s, %v", seed+1, n, w.watch.broken)
		}
	}
}
