package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func TestAGroupMovesToWhomAPersonNames(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "v", 3)
	from := w.settled(t)
	to, third := w.others(from)[0], w.others(from)[1]
	before := epoch(t, from)
	r := w.watch(t, func() {
		out := command(t, third, "move", group, to.Name, "-o", "json").want(t, 0)
		for _, step := range []string{"web moves from " + from.Name + " to " + to.Name, fmt.Sprintf("%s owns web in epoch %d", to.Name, before+1)} {
			if !strings.Contains(out.err, step) {
				t.Errorf("no step %q in %q", step, out.err)
			}
		}
		var g struct {
			Name, Owner, Reason string
			Epoch               uint64
		}
		decode(t, out.out, &g)
		if g.Name != group || g.Owner != to.Name || g.Epoch != before+1 || !strings.Contains(g.Reason, "asked for by ") {
			t.Errorf("the group is %+v", g)
		}
	})
	gap(t, r, unnoticed)
	if now := w.settled(t); now != to {
		t.Fatalf("%s owns", now.Name)
	}
	w.told(t, before+1, "before: "+from.Name+": asked for by ")
	again := command(t, from, "move", group, to.Name).want(t, 0)
	if !strings.Contains(again.err, "nothing to do") {
		t.Errorf("again: %q", again.err)
	}
	w.quiet(t)
	w.unchanged(t, func() {
		command(t, from, "move", "nonsense", to.Name).refused(t, "no group nonsense", "quorate status")
		command(t, from, "move", group, "v9", "--force").refused(t, "v9 is no member", "quorate members")
	})
	command(t, from, "drain", "director", from.Name).want(t, 0)
	command(t, to, "move", group, from.Name, "--force").refused(t, "drains", "quorate enable director "+from.Name)
	command(t, from, "enable", "director", from.Name).want(t, 0)
	w.stays(t, to, 2*time.Second)
}

// The leader that hangs when a move is asked for has a successor long before the one who asks gives up.
func TestAMoveThatIsAskedWhileTheLeaderHangsIsDone(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "mh", 3)
	w.whileTheLeaderHangs(t, func(owner, third *lab.Director) {
		out := command(t, third, "move", group, owner.Name).want(t, 0)
		if !strings.Contains(out.err, "nothing to do") {
			t.Errorf("to its owner: %q", out.err)
		}
	})
	w.whileTheLeaderHangs(t, func(_, third *lab.Director) { command(t, third, "move", group, third.Name).want(t, 0) })
}

// whileTheLeaderHangs does something while the control of a leader that does not own the group is frozen.
func (w *testnet) whileTheLeaderHangs(t *testing.T, f func(owner, third *lab.Director)) {
	t.Helper()
	owner, leader := w.settled(t), w.leader(t)
	if owner == leader {
		owner = w.others(leader)[0]
		command(t, owner, "move", group, owner.Name).want(t, 0)
		w.settled(t)
	}
	control := leader.Control()
	if err := control.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = control.Thaw() }() // it may have ended
	f(owner, w.Directors[slices.IndexFunc(w.Directors, func(d *lab.Director) bool { return d != owner && d != leader })])
}

// What is pinned goes back to the first that is fit, when its hold time is over, and not before.
func TestAPinnedGroupGoesBackAfterItsHoldTime(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "p", 3)
	w.settled(t)
	first, second := w.Directors[2], w.Directors[0]
	const hold = 3 * time.Second
	w.apply(t, strings.Replace(routerFile, "\n}\n", fmt.Sprintf(`
  placement "pinned" {
    directors = [%q, %q]
    hold      = %q
  }
}
`, first.Name, second.Name, hold), 1))
	on := func(d *lab.Director) {
		t.Helper()
		lab.Eventually(t, 4*hold, d.Name+" owns", func() error {
			if owners := w.Owners(vip); len(owners) != 1 || owners[0] != d.Host {
				return fmt.Errorf("%d hosts do", len(owners))
			}
			return nil
		})
	}
	on(first)
	command(t, first, "drain", "director", first.Name).want(t, 0)
	on(second)
	command(t, first, "enable", "director", first.Name).want(t, 0)
	w.stays(t, second, hold/2)
	on(first)
	if got := w.agreed(t); got != first { // the log names it a moment after the address has moved
		t.Fatalf("%s owns", got.Name)
	}
	before := epoch(t, first)
	w.told(t, before, "it is pinned to "+first.Name+" before "+second.Name)
	command(t, first, "move", group, second.Name).want(t, 0) // a person may, for a while
	on(second)                                               // the old owner keeps the address for a moment longer
	w.stays(t, second, hold/2)
	on(first)
}
