package wire

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/agent"
	"github.com/quorate/quorate/e2e/lab"
)

// Nothing can be agreed, so no move begins: who stops gives the address up on the wire, and is there for who takes it.
func TestWhoStopsWhereNothingIsAgreedIsThereUntilAnotherOwns(t *testing.T) {
	t.Parallel()
	w := onSmallDisks(t, buildAs(t, "bg", 3))
	owner := w.settled(t)
	control, keeper := owner.Control(), owner.Keeper()
	w.stops(t, owner, control, func() bool { return control.Alive() && keeper.Alive() })
	lab.Eventually(t, 15*time.Second, "it ends", func() error {
		if control.Alive() {
			return errors.New("not yet")
		}
		return nil
	})
}

// The goodbye of the keeper would come later than control gives up.
func TestAKeeperThatStopsWhereNothingIsAgreedIsRelieved(t *testing.T) {
	t.Parallel()
	w := onSmallDisks(t, buildAs(t, "bk", 3))
	owner := w.settled(t)
	w.stops(t, owner, owner.Keeper(), owner.Control().Alive)
}

// stops has a process of the owner stop where nothing is agreed, and another own before it would say goodbye and as long as
// what is to be there is.
func (w *testnet) stops(t *testing.T, owner *lab.Director, p *lab.Process, there func() bool) {
	t.Helper()
	for _, d := range w.others(owner) {
		defer d.SlowDisk.Hangs()()
	}
	r := w.watch(t, func() {
		if err := p.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, agent.StopLimit-2*time.Second, "another owns", func() error {
			well := there() // asked before: it ends as soon as another owns
			if owners := w.Owners(vip); len(owners) != 1 || owners[0] == owner.Host {
				if !well {
					t.Fatal("it ended before another owned")
				}
				return fmt.Errorf("%d owners", len(owners))
			}
			return nil
		})
	})
	gap(t, r, moves)
}
