package sim

import (
	"slices"
	"testing"
	"time"
)

// The owner's keeper stands still while its carrier is away, and does not know that it is back when it goes on. Its addresses last until
// then, and somebody answers all the while.
func TestAKeeperThatGoesOnGivesNothingUpForACarrierThatIsBack(t *testing.T) {
	for still := 1200 * time.Millisecond; still <= 2*time.Second; still += 100 * time.Millisecond {
		w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true})
		w.run(warm)
		w.order()
		r, owner := w.routers[0], w.hosts[0]
		cut := w.unplugs(wan, owner)
		cut.begin()
		w.run(w.now + 50*time.Millisecond)
		thaw := owner.keeping.freeze()
		w.run(w.now + still)
		cut.end()
		w.run(w.now + 50*time.Millisecond)
		thaw()
		for end := w.now + 5*time.Second; w.now < end; w.run(w.now + time.Millisecond) {
			if !slices.ContainsFunc(w.hosts, func(h *host) bool { return w.serves(r, client, h) }) {
				t.Errorf("it stood still for %v, and nobody answers %v after it goes on", still, 5*time.Second-(end-w.now))
				break
			}
		}
	}
	if r := Run(5097783, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
