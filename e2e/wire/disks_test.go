//go:build proofs

package wire

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// TestWhereAllDisksAreBadTheAddressStaysAndAllGoOn fills all disks, and has the leader die then, so that there is an
// election with them; has them all hang; and has them all take their time. While nothing can be agreed nobody ends or
// loses the address, and all go on by themselves.
func TestWhereAllDisksAreBadTheAddressStaysAndAllGoOn(t *testing.T) {
	t.Parallel()
	w := onSmallDisks(t, buildAs(t, "bf", 3))
	steps := []struct {
		name string
		do   func(*testing.T, *lab.Director)
	}{
		{"an election while all are full", w.electionWhileFull},
		{"all hang", w.allHang},
		{"all take 2 s for each write", w.allSlow},
		{"all take 200 ms for each write", w.allLate},
	}
	for _, s := range steps {
		ok := t.Run(s.name, func(t *testing.T) {
			owner := w.ownedByAFollower(t)
			r := w.watch(t, func() {
				seen := w.see(t, func() { s.do(t, owner) })
				if !slices.Equal(seen.order, []string{owner.Name}) {
					t.Errorf("owners: %q", seen.order)
				}
			})
			gap(t, r, unnoticed)
			w.Agents(t)
			w.keeps(t, owner)
		})
		if !ok {
			return
		}
	}
}

// ownedByAFollower moves the address to a director that does not lead, and returns it.
func (w *testnet) ownedByAFollower(t *testing.T) *lab.Director {
	t.Helper()
	leader, owner := w.leader(t), w.settled(t)
	if owner == leader {
		owner = w.others(leader)[0]
		command(t, leader, "move", group, owner.Name).want(t, 0)
	}
	if now := w.settled(t); now != owner {
		t.Fatalf("%s owns", now.Name)
	}
	return owner
}

// live holds that f ends none of the control processes of some directors.
func (w *testnet) live(t *testing.T, of []*lab.Director, f func()) {
	t.Helper()
	var before []*lab.Process
	for _, d := range of {
		before = append(before, d.Control())
	}
	f()
	for i, d := range of {
		if now, err := d.FindProcess("agent"); err != nil || now.Pid != before[i].Pid {
			t.Errorf("%s ended: %v", d.Name, err)
		}
	}
}

// nothing waits until nothing can be agreed.
func nothing(t *testing.T, by *lab.Director) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, "nothing is agreed", func() error {
		if written(t, by) == nil {
			return errors.New("it is")
		}
		return nil
	})
}

// electionWhileFull fills all disks and kills the control of who leads.
func (w *testnet) electionWhileFull(t *testing.T, owner *lab.Director) {
	var undo []func()
	for _, d := range w.Directors {
		undo = append(undo, d.FillDisk())
	}
	nothing(t, owner)
	leader := w.Directors[slices.IndexFunc(w.Directors, func(d *lab.Director) bool { return d != owner })]
	for _, d := range w.Directors {
		if st, err := d.Status(); err == nil && st.Leader != "" && st.Leader != owner.Name {
			leader = w.Directors[slices.IndexFunc(w.Directors, func(d *lab.Director) bool { return d.Name == st.Leader })]
		}
	}
	left := w.others(leader)
	w.live(t, left, func() {
		leader.Control().Kill()
		time.Sleep(15 * time.Second) // elections, which cannot come to anything
		for _, u := range undo {
			u()
		}
		lab.Eventually(t, 30*time.Second, "the two that are left go on", func() error { return written(t, owner) })
	})
}

// allHang has no disk answer for half a minute.
func (w *testnet) allHang(t *testing.T, owner *lab.Director) {
	w.live(t, w.Directors, func() {
		var undo []func()
		for _, d := range w.Directors {
			undo = append(undo, d.SlowDisk.Hangs())
		}
		nothing(t, owner)
		time.Sleep(30 * time.Second)
		for _, u := range undo {
			u()
		}
		lab.Eventually(t, 30*time.Second, "they go on", func() error { return written(t, owner) })
	})
}

// allSlow has all disks take two seconds for each write. No election ends before the next begins, so nothing is agreed.
func (w *testnet) allSlow(t *testing.T, owner *lab.Director) {
	w.live(t, w.Directors, func() {
		var undo []func()
		for _, d := range w.Directors {
			undo = append(undo, d.SlowDisk.Takes(2*time.Second))
		}
		_ = written(t, owner) // it may be agreed before anybody finds that it takes long
		for _, d := range w.Directors {
			lab.Eventually(t, 30*time.Second, d.Name+" says why", func() error { return says(t, d, d, slowDisk.says) })
		}
		time.Sleep(30 * time.Second)
		for _, u := range undo {
			u()
		}
		lab.Eventually(t, 30*time.Second, "they go on", func() error { return written(t, owner) })
	})
}

// allLate has all disks take so long that it is felt, and not so long that nobody can lead.
func (w *testnet) allLate(t *testing.T, owner *lab.Director) {
	w.live(t, w.Directors, func() {
		for _, d := range w.Directors {
			defer d.SlowDisk.Takes(200 * time.Millisecond)()
		}
		done, began := 0, time.Now()
		for ; time.Since(began) < 30*time.Second; done++ {
			if err := written(t, owner); err != nil {
				t.Errorf("after %v: %v", time.Since(began).Round(time.Second), err)
			}
		}
		t.Logf("%d changes in %v", done, time.Since(began).Round(time.Second))
	})
}

// The control: a leader that is not replaced though its disk hangs leads on, and nothing is agreed.
func TestWithoutAWatchALeaderWhoseDiskHangsLeadsOn(t *testing.T) {
	t.Parallel()
	w := onSmallDisks(t, mutantsAs(t, "be", mutant.Patient))
	leads := w.leader(t)
	other := w.others(leads)[0]
	defer leads.SlowDisk.Hangs()()
	proof.Fails(t, fmt.Sprintf(`another leads: not within .*: %q leads`, leads.Name), func(t lab.T) {
		lab.Eventually(t, 10*time.Second, "another leads", func() error { return anotherLeads(other, leads) })
	})
}
