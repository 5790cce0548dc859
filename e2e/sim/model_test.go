package sim

import (
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// A drain that has an end a moment later is a reason to move nevertheless: the leader may have decided meanwhile.
func TestADrainIsSeenThoughNothingElseHappensUntilItsEnd(t *testing.T) {
	w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true})
	w.run(warm)
	for _, drains := range []bool{true, false} {
		w.after(0, func() { w.agree(w.leader().control, fsm.SetDraining{Name: "d1", Draining: drains}, w.now) })
		w.run(w.now + 10*time.Microsecond)
	}
	if got := w.watch.calm[0]; !got.is || w.now-got.at > 20*time.Microsecond {
		t.Errorf("nothing was wrong with it since %v, of %v: the drain was not seen", got, w.now)
	}
}

// An agent is asked to run on a machine on which its control runs already.
func TestControlAttachesToAKeeperThatIsStartedAfterIt(t *testing.T) {
	w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true, external: true})
	w.run(warm)
	h := w.hosts[0]
	h.keeping.kill()
	h.control.start()
	h.startAgent()
	w.run(w.now + time.Second)
	if !h.keeping.alive || h.control.status == nil {
		t.Errorf("the keeper runs: %v, and control has heard from it: %v", h.keeping.alive, h.control.status)
	}
}
