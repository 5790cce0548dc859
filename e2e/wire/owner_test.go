package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// A second is what nobody may notice of a planned move, and what no test asserts less of.
const unnoticed = time.Second

// learned is when a client that probes the address knows where it is. Before, its kernel keeps what it sends, and the
// next owner answers it: none would be lost.
const learned = 200 * time.Millisecond

// watch probes the address while f runs and a little longer, and returns what was seen.
func (w *testnet) watch(t lab.T, f func()) lab.ProbeReport {
	t.Helper()
	probe := w.Client.Probe(lab.Probe{To: vip, Interval: 5 * time.Millisecond})
	time.Sleep(learned)
	f()
	time.Sleep(700 * time.Millisecond)
	r := probe.Close()
	t.Logf("%v", r)
	return r
}

// gap holds that the address was away for no longer than that.
func gap(t lab.T, r lab.ProbeReport, most time.Duration) {
	t.Helper()
	if r.Longest > most+r.Stall {
		t.Errorf("the address was away for %v, at most %v: %v", r.Longest, most, r)
	}
	if r.Answered == 0 {
		t.Errorf("the address never answered: %v", r)
	}
}

// fewLost holds that no probe was lost, or not many in the short form: on a machine that others use, a kernel may drop some by
// itself.
func fewLost(t lab.T, r lab.ProbeReport) {
	t.Helper()
	if r.Lost > proof.Long(r.Sent/20, 0) {
		t.Errorf("probes lost: %v", r)
	}
}

// taken waits until one other host has the address.
func (w *testnet) taken(t lab.T, from *lab.Director) {
	t.Helper()
	lab.Eventually(t, moves, "another than "+from.Name+" has the address", func() error {
		owners := w.Owners(vip)
		if len(owners) != 1 || owners[0] == from.Host {
			return fmt.Errorf("%d hosts have it", len(owners))
		}
		return nil
	})
}

// stays holds that for a while nobody but the owner has the address.
func (w *testnet) stays(t lab.T, owner *lab.Director, during time.Duration) {
	t.Helper()
	lab.Consistently(t, during, owner.Name+" keeps the address", func() error {
		if owners := w.Owners(vip); len(owners) != 1 || owners[0] != owner.Host {
			var names []string
			for _, h := range owners {
				names = append(names, h.Name)
			}
			return fmt.Errorf("owners: %v", names)
		}
		return nil
	})
}

// told waits until every director but those tells of the owner in that epoch, and holds that each does
// so exactly once, with the cause.
func (w *testnet) told(t lab.T, epoch uint64, cause string, not ...*lab.Director) {
	t.Helper()
	in := fmt.Sprintf(" in epoch %d", epoch)
	for _, d := range w.Directors {
		if slices.Contains(not, d) {
			continue
		}
		var texts []string
		lab.Eventually(t, 10*time.Second, d.Name+" tells of the owner"+in, func() error {
			texts = nil
			out, err := d.Quorate("events", "-o", "json")
			for line := range strings.Lines(out) {
				var e struct{ Kind, Name, Text string }
				decode(t, line, &e)
				if e.Kind == "owner" && (strings.Contains(e.Text, in+",") || strings.Contains(e.Text, in+":")) {
					texts = append(texts, e.Text)
				}
			}
			if len(texts) == 0 {
				err = errors.Join(err, errors.New("it does not"))
			}
			return err
		})
		if len(texts) != 1 || !strings.Contains(texts[0], " owns web"+in) || !strings.Contains(texts[0], cause) {
			t.Errorf("%s tells %q, want one with %q", d.Name, texts, cause)
		}
	}
}

// epoch is the epoch that a director knows.
func epoch(t lab.T, d *lab.Director) uint64 {
	t.Helper()
	st, err := d.Status()
	if err != nil || len(st.Groups) != 1 {
		t.Fatalf("status of %s: %+v, %v", d.Name, st, err)
	}
	return st.Groups[0].Epoch
}

// TestWhoOwnsAnAddress moves one address of one cluster by everything that moves it, and by what must
// not.
func TestWhoOwnsAnAddress(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "o", 3)
	for _, tt := range []struct {
		name string
		do   func(*testing.T, *testnet, *lab.Director)
	}{
		{"the first owner is confirmed by the log", firstOwner},
		{"drain moves it", drainMoves},
		{"a control that is frozen for a moment moves nothing", frozenControl},
		{"from a control that is frozen for longer the log moves it, and nobody notices", frozenForLong},
		{"the owner's link goes down", linkDown},
		{"control killed: the keeper keeps the address, and the next control attaches to it", controlKilled},
		{"the keeper killed: another takes up the address, which never leaves", keeperKilled},
		{"SIGTERM hands over, and who returns takes nothing back", terminated},
		{"the owner's machine dies, and who returns takes nothing back", machineDies},
	} {
		from := w.settled(t)
		if !t.Run(tt.name, func(t *testing.T) { w.alone(t, func() { tt.do(t, w, from) }) }) {
			return
		}
	}
}

func firstOwner(t *testing.T, w *testnet, owner *lab.Director) {
	st, err := owner.Status()
	if err != nil || st.Groups[0].Epoch != 1 {
		t.Errorf("groups %+v, %v", st.Groups, err)
	}
	w.told(t, 1, ": first owner")
}

func drainMoves(t *testing.T, w *testnet, from *lab.Director) {
	before := epoch(t, from)
	r := w.watch(t, func() {
		out := command(t, from, "drain", "director", from.Name).want(t, 0)
		if !strings.Contains(out.err, from.Name+" owns nothing") {
			t.Errorf("drain says %q", out.err)
		}
		lab.Eventually(t, unnoticed, "the last of the address has left "+from.Name, func() error {
			if slices.Contains(w.Owners(vip), from.Host) {
				return errors.New("it is there")
			}
			return nil
		})
	})
	gap(t, r, unnoticed)
	next := w.settled(t)
	w.told(t, before+1, "before: "+from.Name+": "+from.Name+" drains")
	command(t, from, "status").want(t, 0).has(t, "draining")
	command(t, from, "drain", "director", from.Name).want(t, 0) // again
	command(t, from, "enable", "director", from.Name).want(t, 0)
	command(t, from, "enable", "director", from.Name).want(t, 0) // again
	w.stays(t, next, 1500*time.Millisecond)
}

func frozenControl(t *testing.T, w *testnet, from *lab.Director) {
	control := from.Control()
	r := w.watch(t, func() {
		if err := control.Freeze(); err != nil {
			t.Fatalf("%v", err)
		}
		defer func() { _ = control.Thaw() }() // it may have ended
		w.stays(t, from, placement.Grace*3/4)
	})
	gap(t, r, unnoticed)
	w.keeps(t, from)
}

func frozenForLong(t *testing.T, w *testnet, from *lab.Director) {
	before, control := epoch(t, from), from.Control()
	r := w.watch(t, func() {
		if err := control.Freeze(); err != nil {
			t.Fatalf("%v", err)
		}
		defer func() { _ = control.Thaw() }()                                       // it may have ended
		lab.Eventually(t, 15*time.Second, "another has the address", func() error { // the frozen one may have led
			if owners := w.Owners(vip); len(owners) != 1 || owners[0] == from.Host {
				return fmt.Errorf("%d hosts have it", len(owners))
			}
			return nil
		})
		time.Sleep(2 * time.Second)
	})
	gap(t, r, unnoticed)
	next := w.settled(t)
	w.told(t, before+1, "control of "+from.Name+" has not answered for ", from)
	w.stays(t, next, time.Second)
}

// keeps holds that all is well again, and the owner is the same.
func (w *testnet) keeps(t lab.T, owner *lab.Director) {
	t.Helper()
	if now := w.settled(t); now != owner {
		t.Errorf("%s owns, before: %s", now.Name, owner.Name)
	}
}

func linkDown(t *testing.T, w *testnet, from *lab.Director) {
	before := epoch(t, from)
	var back func()
	r := w.watch(t, func() {
		back = w.Unplug(from.Host, w.Outer)
		w.taken(t, from)
	})
	gap(t, r, moves)
	lab.Eventually(t, 5*time.Second, "the cluster says why "+from.Name+" cannot own it", func() error {
		out := command(t, w.others(from)[0], "status").want(t, 0).out
		if !strings.Contains(out, from.Name+" cannot own web") || !strings.Contains(out, "link") {
			return errors.New(out)
		}
		return nil
	})
	w.told(t, before+1, "before: "+from.Name+": "+from.Name+" cannot own it: link")
	back()
	w.AwaitReady(t, 30*time.Second)
	w.stays(t, w.settled(t), 2*time.Second)
}

func controlKilled(t *testing.T, w *testnet, from *lab.Director) {
	keeper := from.Keeper()
	r := w.watch(t, func() {
		from.Control().Kill()
		w.stays(t, from, 1500*time.Millisecond)
		from.Agent(t)
		w.AwaitReady(t, 20*time.Second)
	})
	gap(t, r, unnoticed)
	if now := from.Keeper(); now.Pid != keeper.Pid {
		t.Errorf("another keeper: %d, before: %d", now.Pid, keeper.Pid)
	}
	w.keeps(t, from)
}

func keeperKilled(t *testing.T, w *testnet, from *lab.Director) {
	old := from.Keeper()
	r := w.watch(t, func() {
		old.Kill()
		lab.Eventually(t, unnoticed, "there is another keeper", func() error {
			p, err := from.FindProcess("keeper")
			if err == nil && p.Pid == old.Pid {
				err = errors.New("the old one")
			}
			return err
		})
		w.stays(t, from, 3*time.Second)
	})
	gap(t, r, unnoticed)
	w.keeps(t, from)
}

func terminated(t *testing.T, w *testnet, from *lab.Director) {
	before := epoch(t, from)
	r := w.watch(t, func() { stop(t, from) })
	gap(t, r, unnoticed)
	next := w.agreed(t)
	if next == from {
		t.Fatalf("%s owns, though it has stopped", from.Name)
	}
	w.told(t, before+1, "before: "+from.Name+": "+from.Name+" stops", from)
	if p, err := from.FindProcess("keeper"); err == nil {
		t.Errorf("the keeper of a stopped agent runs: %d", p.Pid)
	}
	from.Agent(t)
	w.AwaitReady(t, 30*time.Second)
	w.stays(t, next, 2*time.Second)
}

func machineDies(t *testing.T, w *testnet, from *lab.Director) {
	before := epoch(t, from)
	r := w.watch(t, func() {
		from.Die()
		w.taken(t, from)
	})
	gap(t, r, moves)
	next := w.settled(t)
	w.told(t, before+1, from.Name+" is neither heard nor reached by ", from)
	from.Revive()
	from.Agent(t)
	w.AwaitReady(t, 30*time.Second)
	w.stays(t, next, 2*time.Second)
}

// TestADirectorAloneIsRestarted stops the agent of a cluster of one and starts it again: nobody else could
// take the address, so that it stays.
func TestADirectorAloneIsRestarted(t *testing.T) {
	t.Parallel()
	w := owned(t, 1)
	d := w.Directors[0]
	r := w.watch(t, func() {
		stop(t, d)
		d.Agent(t)
		w.AwaitReady(t, 20*time.Second)
		time.Sleep(2500 * time.Millisecond) // what the kernel had until its lifetime ended is the new keeper's by now
	})
	gap(t, r, unnoticed)
	w.keeps(t, d)
}

// TestAllAgentsAreKilledAtOnce kills both processes of every director: the kernels keep the address until
// its lifetime ends, and agents that are there again by then go on with it.
func TestAllAgentsAreKilledAtOnce(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	owner := w.settled(t)
	r := w.watch(t, func() {
		for _, d := range w.Directors {
			keeper, control := d.Keeper(), d.Control()
			control.Kill() // first: it would start another keeper
			keeper.Kill()
		}
		for _, d := range w.Directors {
			d.Agent(t)
		}
		w.AwaitReady(t, 20*time.Second)
		time.Sleep(2500 * time.Millisecond)
	})
	gap(t, r, unnoticed)
	w.keeps(t, owner)
}

// stop ends a director's agent as systemd would, and waits for it.
func stop(t lab.T, d *lab.Director) {
	t.Helper()
	control := d.Control()
	if err := control.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("%v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	start := time.Now()
	if err := control.Wait(ctx); err != nil {
		t.Errorf("the agent of %s: %v", d.Name, err)
	}
	t.Logf("stopped in %v", time.Since(start).Round(time.Millisecond))
}

// The control of a move from a control that is frozen: the same, with a leader that waits for it.
func TestWithoutAGraceNothingMovesFromAFrozenControl(t *testing.T) {
	t.Parallel()
	w := mutated(t, "z", mutant.NoGrace)
	w.apply(t, routerFile)
	w.waitsForACutOwner(t)
	owner := w.settled(t)
	control := owner.Control()
	if err := control.Freeze(); err != nil {
		t.Fatalf("%v", err)
	}
	defer func() { _ = control.Thaw() }() // it may have ended
	w.stays(t, owner, 4*placement.Grace)
}
