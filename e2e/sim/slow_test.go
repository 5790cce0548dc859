package sim

import (
	"testing"
	"time"
)

// No adverts pass, and answers take longer than the guard waits for them, so that others take over. Both processes of the owner end at
// about that time: the keeper that is started then finds the addresses, and has a whole interval to be told that they are elsewhere.
func TestAKeeperThatIsStartedWhereAnswersAreSlowDoesNotGoOnBesideWhoHasTakenOver(t *testing.T) {
	for dies := 2500 * time.Millisecond; dies < 4500*time.Millisecond; dies += 100 * time.Millisecond {
		w := newWorld(1, layout{directors: 3, witness: true, interval: time.Second, clusterOn: wan, gateways: true})
		w.run(warm)
		w.order()
		w.inject(w.now, 20*time.Second, w.losesAll(wan, vrrpKind))
		w.inject(w.now, 20*time.Second, w.delays(wan, 165*time.Millisecond))
		w.inject(w.now+dies, 0, w.bothDie(w.hosts[0]))
		w.run(w.now + 30*time.Second)
		if w.watch.broken != nil {
			t.Errorf("both die after %v: %v", dies, w.watch.broken)
		}
	}
}
