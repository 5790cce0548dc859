//go:build proofs

package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// TestAllAreRestartedManyTimes stops each agent in turn, as systemd does, and starts it again, fifty times round. Each
// stop hands over what the director owns: nobody notices, and what was agreed meanwhile is everywhere.
func TestAllAreRestartedManyTimes(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "rr", 3)
	w.settled(t)
	r := w.watch(t, func() {
		s := w.alone(t, func() {
			for round := range proof.Rounds(50) {
				for _, d := range w.Directors {
					stop(t, d)
					if err := written(t, w.others(d)[0]); err != nil {
						t.Errorf("round %d, without %s: %v", round, d.Name, err)
					}
					d.Agent(t)
					w.settled(t)
				}
				if err := w.sameState(); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
		})
		t.Logf("%d owners one after the other", len(s.owners()))
	})
	gap(t, r, unnoticed)
	if r.Lost > 0 {
		t.Errorf("probes lost: %v", r)
	}
}

// sameState is nil if all directors have the same state, as soon as they are at the same index.
func (w *testnet) sameState() error {
	var err error
	for range 100 {
		var first lab.Status
		err = nil
		for i, d := range w.Directors {
			st, failed := d.Status()
			switch {
			case failed != nil:
				return failed
			case i == 0:
				first = st
			case st.StateHash != first.StateHash:
				err = fmt.Errorf("%s is at entry %d with %s, %s at %d with %s", d.Name, st.AppliedIndex, st.StateHash, w.Directors[0].Name, first.AppliedIndex, first.StateHash)
			}
		}
		if err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// TestAJoinThatIsKilledAtAnyStepIsRunAgain kills a joining agent at each of its writes to disk, one after the other, and
// has it join again with the same token.
func TestAJoinThatIsKilledAtAnyStepIsRunAgain(t *testing.T) {
	t.Parallel()
	w := buildAs(t, "jk", 3)
	first, joiner := w.Directors[0], w.Directors[2]
	joiner.SlowDisk = &lab.SlowDisk{}
	for _, d := range w.Directors {
		d.Agent(t)
	}
	command(t, first, "init").want(t, 0)
	w.Join(t, w.Directors[1])
	for n := 0; ; n++ {
		if n > 200 {
			t.Fatal("there is no end of writes")
		}
		token := strings.TrimSpace(command(t, first, "token", "create").want(t, 0).out)
		before := joiner.SlowDisk.Held()
		undo := joiner.SlowDisk.HangsAfter(n)
		r := program(t, joiner.Host, "timeout", "2", binary(t), "join", first.Bind, "--token", token)
		joiner.Control().Kill()
		if keeper, err := joiner.FindProcess("keeper"); err == nil {
			keeper.Kill()
		}
		whole := joiner.SlowDisk.Held() == before && r.code == 0
		undo()
		joiner.Agent(t)
		command(t, joiner, "join", first.Bind, "--token", token).want(t, 0)
		w.AwaitReady(t, 30*time.Second)
		if err := w.sameState(); err != nil {
			t.Errorf("killed at write %d: %v", n, err)
		}
		if st, err := first.Status(); err != nil || len(st.Directors) != 3 {
			t.Errorf("killed at write %d: members %+v, %v", n, st.Directors, err)
		}
		if whole {
			t.Logf("%d writes", n)
			if n < 5 {
				t.Error("a join has more writes: nothing was held")
			}
			return
		}
		command(t, joiner, "leave").want(t, 0)
	}
}

// TestWhoIsRemovedWhileItIsCutOffIsToldWhenItIsBack removes a standby, and then an owner, that nobody reaches: nobody is
// disturbed by its return, it is told, serves nothing, and can join again.
func TestWhoIsRemovedWhileItIsCutOffIsToldWhenItIsBack(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "rc", 3)
	for _, owns := range []bool{false, true} {
		owner := w.settled(t)
		away := w.others(owner)[0]
		if owns {
			away = owner
		}
		by := w.others(away)[0]
		r := w.watch(t, func() {
			undo := w.deafen(away, bothWays)
			lab.Eventually(t, 30*time.Second, "it can be removed", func() error {
				_, err := by.Quorate("remove", away.Name, "--force")
				return err
			})
			time.Sleep(5 * time.Second)
			leader := w.leader(t)
			undo()
			lab.Eventually(t, 30*time.Second, "it is told", func() error {
				out, _ := away.Quorate("status")
				if !strings.Contains(out, "no longer a member") {
					return errors.New(out)
				}
				return nil
			})
			lab.Eventually(t, 2*moves, "it serves nothing", func() error {
				if owners := w.Owners(vip); len(owners) != 1 || owners[0] == away.Host {
					return fmt.Errorf("%d hosts have the address", len(owners))
				}
				return nil
			})
			time.Sleep(5 * time.Second)
			if st, err := by.Status(); err != nil || st.Leader != leader.Name {
				t.Errorf("%q leads, and %s did: %v", st.Leader, leader.Name, err)
			}
		})
		gap(t, r, moves)
		command(t, away, "leave").want(t, 0)
		w.Join(t, away)
		w.settled(t)
	}
}
