package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// leftAlone has all directors but the owner die while f runs, and brings them back.
func (w *testnet) leftAlone(t *testing.T, owner *lab.Director, f func()) {
	t.Helper()
	for _, d := range w.others(owner) {
		d.Die()
	}
	f()
	for _, d := range w.others(owner) {
		d.Revive()
		d.Agent(t)
	}
	w.AwaitReady(t, 30*time.Second)
}

// explains looks whether a director says some things of its group.
func explains(t *testing.T, d *lab.Director, want ...string) {
	t.Helper()
	out := command(t, d, "explain", "group", group).want(t, 0).out
	for _, what := range want {
		if !strings.Contains(out, what) {
			t.Errorf("%s says nothing of %q in\n%s", d.Name, what, out)
		}
	}
}

func TestAnOwnerWithoutQuorumDoesWhatItsGroupSays(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "q", 3)
	nobody := func() error {
		if owners := w.Owners(vip); len(owners) > 0 {
			return errors.New(owners[0].Name + " does")
		}
		return nil
	}
	gaveUp := func(owner *lab.Director) error {
		if out := command(t, owner, "events").want(t, 0).out; !strings.Contains(out, "gives it up once: no quorum") {
			return errors.New(out)
		}
		return nil
	}
	for _, tt := range []struct {
		what string
		do   func(*lab.Director)
	}{
		{"hold", func(owner *lab.Director) {
			w.stays(t, owner, 6*time.Second)
			if gaveUp(owner) == nil {
				t.Errorf("%s gave it up", owner.Name)
			}
		}},
		{"drop", func(owner *lab.Director) {
			lab.Eventually(t, 15*time.Second, "nobody owns it", nobody)
			lab.Consistently(t, 3*time.Second, "nobody owns it", nobody)
			explains(t, owner, "serves "+group+" no more: no quorum, and on_quorum_loss is drop")
		}},
		{"yield", func(owner *lab.Director) {
			lab.Eventually(t, 15*time.Second, owner.Name+" gives it up", func() error { return gaveUp(owner) })
			lab.Eventually(t, 10*time.Second, owner.Name+" takes it again", func() error { return w.OneOwner(vip) })
			w.stays(t, owner, 4*time.Second)
			explains(t, owner, "taken again in the same epoch: ", "serves "+group+" no more: gives it up once: no quorum", "serves "+group+": ")
		}},
	} {
		w.apply(t, strings.Replace(routerFile, "\n}\n", fmt.Sprintf("\n  on_quorum_loss = %q\n}\n", tt.what), 1))
		owner := w.settled(t)
		w.leftAlone(t, owner, func() { tt.do(owner) })
		eventsOf(t, owner, "no quorum: nothing can be changed", "quorum again, after ", w.others(owner)[0].Name+" answers again, after ")
	}
	w.settled(t)
}
