package sim

import (
	"testing"
	"time"
)

// serving returns the host that has the address, nil for none, and looks each ten milliseconds until one has or the
// time is over. It returns how long that took.
func (w *world) serving(within time.Duration) (*host, time.Duration) {
	begin := w.now
	for {
		for _, h := range w.hosts {
			if h.up && h.kernel.has(0) {
				return h, w.now - begin
			}
		}
		if w.now-begin >= within {
			return nil, within
		}
		w.run(w.now + 10*time.Millisecond)
	}
}

// The owner, which leads, dies, and then the one that has taken over, before there is a leader again that could have the
// log name it: neither is waited for by VRRP's timer, which takes ten seconds here.
func TestASecondDeathBeforeTheLogHasNamedTheNewOwnerCostsNoMoreThanTheFirst(t *testing.T) {
	played := 0
	for seed := uint64(1); seed <= 60 && played < 5; seed++ {
		w := newWorld(seed, layout{directors: 5, interval: 3 * time.Second, clusterOn: own, gateways: true})
		w.run(20 * time.Second)
		if first, _ := w.serving(0); first == nil || !first.control.leads {
			continue
		}
		played++
		for _, death := range []string{"first", "second"} {
			h, _ := w.serving(0)
			if named := w.newest().Groups["web"].Owner; death == "second" && named == h.name {
				t.Fatalf("seed %d: the log names %s already", seed, named)
			}
			w.inject(w.now, 30*time.Second, w.machineDies(h))
			w.run(w.now + time.Millisecond)
			next, took := w.serving(20 * time.Second)
			if next == nil || took > time.Second {
				t.Fatalf("seed %d: after the %s death nobody serves for %v", seed, death, took)
			}
		}
	}
	if played == 0 {
		t.Error("the owner never leads")
	}
}
