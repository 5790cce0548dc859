package wire

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
)

// slowFile is routerFile with adverts a second apart: the timer of VRRP alone takes at least 2.6 s.
var slowFile = strings.Replace(routerFile, `"`+interval+`"`, `"1s"`, 1)

// beforeTheTimer is when an owner that died must have a successor. The promise is half a second; what is
// asserted is that it was not the timer.
const beforeTheTimer = 2 * time.Second

// dies ends the owner's machine, and returns for how long the client had no answer.
func (w *testnet) dies(t lab.T) lab.ProbeReport {
	t.Helper()
	owner := w.settled(t)
	return w.watch(t, func() {
		owner.Die()
		w.taken(t, owner)
	})
}

func TestADeadOwnerIsReplacedBeforeTheTimer(t *testing.T) {
	t.Parallel()
	w := buildAs(t, "x", 3)
	w.Cluster(t)
	w.apply(t, slowFile)
	gap(t, w.dies(t), beforeTheTimer)
}

// The control of the one above: the same, where VRRP's timer is all there is.
func TestWithTheTimerAloneADeadOwnerIsReplacedLater(t *testing.T) {
	t.Parallel()
	w := mutated(t, "y", mutant.OnlyTimer)
	w.apply(t, slowFile)
	if r := w.dies(t); r.Longest <= beforeTheTimer {
		t.Errorf("the address was away for %v only: the proof proves nothing", r.Longest)
	}
}
