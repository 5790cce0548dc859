package sim

import (
	"testing"
	"time"
)

// A segment is cut in two, and the owner's answer to who is to succeed it comes too late: it is claimed from, and serves
// its side all the same. The log does not follow that claim, so it has an end: whoever the log names stays at the heal.
func TestAClaimThatTheLogDoesNotFollowDoesNotWinAtTheHeal(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 3 * time.Second} {
		for seed := range uint64(5) {
			w := newWorld(seed+1, layout{directors: 3, clusterOn: own, gateways: true, interval: interval})
			w.run(warm)
			w.order()
			for _, f := range []fault{
				w.cutsOff(wan, []kind{vrrpKind, arpKind}, w.parts([]int{0, client}), "the gateway is on the owner's side"),
				w.delays(own, 30*time.Millisecond),
			} {
				w.inject(w.now, 30*time.Second, f)
			}
			w.run(w.now + 30*time.Second - 1)
			if got := w.servers(); got != "owner and another" || w.watch.claims == [most]time.Duration{} {
				t.Errorf("seed %d, %v: %s, claims at %v: the owner was not claimed from", seed+1, interval, got, w.watch.claims)
			}
			w.run(w.now + interval + 100*time.Millisecond)
			if got := w.servers(); got != "owner" {
				t.Errorf("seed %d, %v: an advert after the heal: %s", seed+1, interval, got)
			}
			w.run(w.now + 10*time.Second)
			if got := w.servers(); got != "owner" || w.watch.broken != nil {
				t.Errorf("seed %d, %v: healed: %s, %v", seed+1, interval, got, w.watch.broken)
			}
		}
	}
}
