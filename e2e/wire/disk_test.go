package wire

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// A badDisk is what may be wrong with a director's disk.
type badDisk struct {
	name string
	says string // what is said of it: a pattern
	mute bool   // nothing that is agreed can come to it
	lies time.Duration
	do   func(*lab.Director) (undo func())
}

var (
	fullDisk = badDisk{"full", `nothing can be written to .*no space left`, true, proof.Long(0, 10*time.Second),
		func(d *lab.Director) func() { return d.FillDisk() }}
	hangingDisk = badDisk{"hangs", `the disk of .* does not answer for`, false, proof.Long(0, 30*time.Second),
		func(d *lab.Director) func() { return d.SlowDisk.Hangs() }}
	slowDisk = badDisk{"takes 2 s for each write", `the disk of .* (is slow: each of|does not answer for)`, false, 30 * time.Second,
		func(d *lab.Director) func() { return d.SlowDisk.Takes(2 * time.Second) }}
)

// onSmallDisks is a cluster whose directors have disks of 16 MiB, which can be made slow.
func onSmallDisks(t *testing.T, w *testnet) *testnet {
	t.Helper()
	for _, d := range w.Directors {
		d.ResizeDisk("16m")
		d.SlowDisk = &lab.SlowDisk{}
	}
	w.Cluster(t)
	w.apply(t, routerFile)
	w.settled(t)
	return w
}

// TestABadDiskTakesTheLeadershipAndNothingElse breaks the disk of the director that leads and owns: it says so, another
// leads, the address stays where it is and nobody misses it, and when the disk is well the director takes part again.
func TestABadDiskTakesTheLeadershipAndNothingElse(t *testing.T) {
	t.Parallel()
	w := onSmallDisks(t, buildAs(t, "bd", 3))
	for _, bad := range proof.Long([]badDisk{fullDisk}, []badDisk{fullDisk, hangingDisk, slowDisk}) {
		ok := t.Run(bad.name, func(t *testing.T) {
			owner := w.ownedByTheLeader(t)
			before := epoch(t, owner)
			r := w.watch(t, func() {
				s := w.see(t, func() { w.breaks(t, owner, bad) })
				if !slices.Equal(s.order, []string{owner.Name}) {
					t.Errorf("owners: %q", s.order)
				}
			})
			gap(t, r, unnoticed)
			fewLost(t, r)
			if now := epoch(t, owner); now != before {
				t.Errorf("epoch %d, before: %d", now, before)
			}
		})
		if !ok {
			return
		}
	}
	aFullStandby(t, w)
}

// aFullStandby fills the disk of a director that owns nothing: a move to it is refused, and one to another that is asked for
// there happens, and is seen to.
func aFullStandby(t *testing.T, w *testnet) {
	t.Helper()
	owner := w.settled(t)
	full, third := w.others(owner)[0], w.others(owner)[1]
	defer full.FillDisk()()
	lab.Eventually(t, 20*time.Second, "it takes nothing", func() error {
		_ = written(t, owner)
		return says(t, owner, full, fullDisk.says)
	})
	lab.Eventually(t, 10*time.Second, "it is not ready", func() error { return notReady(t, full, owner) })
	command(t, owner, "move", group, full.Name).refused(t, full.Name+" is not ready: "+takesNothing)
	if r := command(t, full, "move", group, third.Name).want(t, 0); !strings.Contains(r.err, "by its own word") {
		t.Errorf("it says of the move\n%s", r.err)
	}
}

// ownedByTheLeader moves the address to who leads, and returns it.
func (w *testnet) ownedByTheLeader(t *testing.T) *lab.Director {
	t.Helper()
	var leader *lab.Director
	lab.Eventually(t, 30*time.Second, "the leader owns", func() error { // it may be another after the move
		leader = w.leader(t)
		if owner := w.settled(t); owner == leader {
			return nil
		}
		_, err := leader.Quorate("move", group, leader.Name)
		return errors.Join(errors.New("it does not"), err)
	})
	return leader
}

// says is an error unless what status on one director says of another matches.
func says(t *testing.T, on, of *lab.Director, pattern string) error {
	t.Helper()
	out := command(t, on, "status").want(t, 0).out
	if regexp.MustCompile(`! ` + of.Name + `: ` + pattern).MatchString(out) {
		return nil
	}
	return fmt.Errorf("no %q in\n%s", pattern, out)
}

// written has something agreed, whoever leads.
func written(t *testing.T, by *lab.Director) error {
	t.Helper()
	if r := command(t, by, "token", "create"); r.code != 0 {
		return errors.New(strings.TrimSpace(r.err))
	}
	return nil
}

// anotherLeads is nil once a director says that another one than that leads.
func anotherLeads(says, than *lab.Director) error {
	st, err := says.Status()
	if err == nil && (st.Leader == than.Name || st.Leader == "") {
		err = fmt.Errorf("%q leads", st.Leader)
	}
	return err
}

// breaks makes the disk of the director that leads bad, and well again.
func (w *testnet) breaks(t *testing.T, leads *lab.Director, bad badDisk) {
	t.Helper()
	others := w.others(leads)
	began := time.Now()
	undo := bad.do(leads)
	defer undo()
	lab.Eventually(t, 30*time.Second, "another leads", func() error {
		_ = written(t, others[0]) // what still finds room in its pages is agreed
		return anotherLeads(others[0], leads)
	})
	lab.Eventually(t, 20*time.Second, "it says why, on another director", func() error { return says(t, others[0], leads, bad.says) })
	if bad.mute {
		hearsNothing(t, leads, others)
	}
	for first := true; first || time.Since(began) < bad.lies; first = false {
		for range 3 {
			if err := written(t, others[0]); err != nil { // two are a majority
				t.Errorf("after %v: %v", time.Since(began).Round(time.Second), err)
			}
		}
		if st, err := others[0].Status(); err != nil || st.Leader == leads.Name {
			t.Errorf("after %v: %q leads, %v", time.Since(began).Round(time.Second), st.Leader, err)
		}
	}
	undo()
	t.Logf("the disk was bad for %v, %d writes were held back", time.Since(began).Round(time.Second), leads.SlowDisk.Held())
	w.comesBack(t, leads, bad)
}

// takesNothing is why a director with a full disk is not ready.
const takesNothing = "its disk takes nothing: no space left on device"

// notReady is nil once another says that a director with a full disk is not ready, and does not count on it.
func notReady(t *testing.T, d, another *lab.Director) error {
	t.Helper()
	out := command(t, another, "status").want(t, 0).out
	for _, said := range []string{"! " + d.Name + " is not ready: " + takesNothing, "\n3 of 3 voters answer, 1 of these cannot write, none more may fail\n"} {
		if !strings.Contains(out, said) {
			return fmt.Errorf("no %q in\n%s", said, out)
		}
	}
	return nil
}

// hearsNothing holds of a director that cannot write that the others say so, and do not count on it, and that it says so to who
// asks it for a change, and at once.
func hearsNothing(t *testing.T, d *lab.Director, others []*lab.Director) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, "it is not ready", func() error { return notReady(t, d, others[0]) })
	command(t, others[0], "set", "router", group, "preempt_delay=1s").want(t, 0)
	began := time.Now()
	command(t, d, "set", "router", group, "preempt_delay=2s").refused(t, d.Name, "is agreed", takesNothing, "ask another director")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it says so after %v", took)
	}
}

// comesBack holds that a director whose disk is well again says nothing more, has what the others have, and counts:
// without it nothing could be agreed.
func (w *testnet) comesBack(t *testing.T, d *lab.Director, bad badDisk) {
	t.Helper()
	others := w.others(d)
	lab.Eventually(t, 30*time.Second, "it comes back by itself", func() error {
		if says(t, others[0], d, bad.says) == nil {
			return errors.New("it still complains")
		}
		a, err := others[0].Status()
		b, err2 := d.Status()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if a.StateHash != b.StateHash {
			return fmt.Errorf("it is at entry %d, the others at %d", b.AppliedIndex, a.AppliedIndex)
		}
		return nil
	})
	leader := w.leader(t)
	third := slices.DeleteFunc(others, func(o *lab.Director) bool { return o == leader })[0]
	control := third.Control()
	if err := control.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = control.Thaw() }() // it may have ended
	if err := written(t, leader); err != nil {
		t.Errorf("without %s: %v", third.Name, err)
	}
}
