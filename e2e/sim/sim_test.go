package sim

import (
	"flag"
	"os"
	"testing"
	"time"
)

var (
	seed  = flag.Uint64("seed", 0, "replay the scenario of one seed")
	count = flag.Int("n", 0, "how many scenarios")
)

func TestACrashIsTakenOver(t *testing.T) {
	w := newWorld(1, layout{directors: 3, interval: time.Second, clusterOn: own})
	if testing.Verbose() {
		w.trace.out = os.Stdout
	}
	w.run(10 * time.Second)
	w.inject(10*time.Second, 10*time.Second, w.machineDies(w.hosts[0]))
	w.run(40 * time.Second)
	w.watch.settle()
	if w.watch.broken != nil {
		t.Fatalf("%v\n%s", w.watch.broken, w.trace.tail())
	}
}
