package sim

import (
	"testing"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// All drain, and the owner, which has the highest address, is cut off: the others serve their side, and name one of them. When the
// cut heals, that one stays, whether or not adverts are all that the two have.
func TestWhereAllDrainWhomTheQuorumHasNamedStaysWhenACutHeals(t *testing.T) {
	for _, peers := range []bool{false, true} {
		for _, deaf := range []bool{false, true} {
			w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own, gateways: true, peers: peers})
			w.run(warm)
			drains := func(h *host) {
				w.after(0, func() { w.agree(w.leader().control, fsm.SetDraining{Name: h.name, Draining: true}, w.now) })
				w.run(w.now + 10*time.Second)
			}
			for _, h := range w.hosts {
				drains(h)
			}
			old := w.hosts[2]
			if !old.owns() || w.newest().Groups["web"].Owner != old.name {
				t.Fatalf("%s does not own it, the log says %+v", old.name, w.newest().Groups["web"])
			}
			if got, is := old.keeper.group("web").spec.Priority <= ownership.DrainHigh, peers; got != is {
				t.Fatalf("peers %v: its priority is %d", peers, old.keeper.group("web").spec.Priority)
			}
			cut := w.alone(old)
			for _, f := range cut {
				f.begin()
			}
			w.run(w.now + 15*time.Second)
			named := w.hostNamed(w.newest().Groups["web"].Owner)
			if named == old || !named.owns() || !old.owns() {
				t.Fatalf("the log names %s, of which it is %v that it owns, and of %s %v", named.name, named.owns(), old.name, old.owns())
			}
			epoch := w.newest().Groups["web"].Epoch
			for i, f := range cut {
				if i == 0 && deaf { // the agents' wire stays cut
					continue
				}
				f.end()
			}
			for end := w.now + 15*time.Second; w.now < end; w.run(w.now + 10*time.Millisecond) {
				if !named.owns() {
					t.Fatalf("peers %v, adverts alone %v: %s lets it go %v after the cut has healed", peers, deaf, named.name, w.now-end+15*time.Second)
				}
			}
			if old.owns() || w.newest().Groups["web"].Epoch != epoch || w.watch.broken != nil {
				t.Errorf("peers %v, adverts alone %v: %s owns it still: %v; the log was at epoch %d and is at %+v; %v",
					peers, deaf, old.name, old.owns(), epoch, w.newest().Groups["web"], w.watch.broken)
			}
		}
	}
}

// All drain, and the owner is cut off: who drains too lets its timer have its way, and the cut ends before that fires. The next survey
// waits for a third one, and the owner has answered it.
func TestWhereAllDrainAnOwnerThatIsReachedAgainIsAskedBeforeTheTimerFires(t *testing.T) {
	if r := Run(5115271, Nothing, nil); r.Broken != nil {
		t.Errorf("%v\n%s", r.Broken, r.Tail)
	}
}
