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
	for _, d := range w.others(owner) {
		defer d.SlowDisk.Hangs()()
	}
	control, keeper := owner.Control(), owner.Keeper()
	r := w.watch(t, func() {
		if err := control.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, agent.StopLimit, "another owns", func() error {
			there := control.Alive() && keeper.Alive() // asked before: it ends as soon as another owns
			if owners := w.Owners(vip); len(owners) != 1 || owners[0] == owner.Host {
				if !there {
					t.Fatal("it ended before another owned")
				}
				return fmt.Errorf("%d owners", len(owners))
			}
			return nil
		})
		lab.Eventually(t, 15*time.Second, "it ends", func() error {
			if control.Alive() {
				return errors.New("not yet")
			}
			return nil
		})
	})
	gap(t, r, moves)
}
