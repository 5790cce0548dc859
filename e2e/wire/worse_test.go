package wire

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// TestAnOwnerOnALivingMachineIsFrozenKilledOrOutOfMemory has everything happen to the owner's processes that may
// while its machine lives: somebody answers all the time, and two for no longer than a second.
func TestAnOwnerOnALivingMachineIsFrozenKilledOrOutOfMemory(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "cg", 3)
	var steps []struct {
		name string
		do   func(*testing.T, *lab.Director)
	}
	step := func(name string, do func(*testing.T, *lab.Director)) {
		steps = append(steps, struct {
			name string
			do   func(*testing.T, *lab.Director)
		}{name, do})
	}
	for _, seconds := range proof.Long([]float64{3}, []float64{0.2, 0.5, 1, 2, 3, 5, 10}) {
		for _, roles := range [][]string{{"agent"}, {"keeper"}, {"agent", "keeper"}} {
			step(fmt.Sprintf("%s frozen for %v s", strings.Join(roles, " and "), seconds), func(_ *testing.T, d *lab.Director) {
				freeze(t, d, time.Duration(seconds*float64(time.Second)), roles...)
			})
		}
	}
	step("control out of memory", func(t *testing.T, d *lab.Director) { exhausted(t, d, "agent", d.Socket()) })
	step("the keeper out of memory", func(t *testing.T, d *lab.Director) {
		exhausted(t, d, "keeper", filepath.Join(d.Dir, "keeper.sock"))
	})
	step("both killed, and started again late", killBoth)
	for _, s := range steps {
		owner := w.settled(t)
		ok := t.Run(s.name, func(t *testing.T) {
			r := w.watch(t, func() {
				w.alone(t, func() {
					s.do(t, owner)
					if _, err := owner.FindProcess("agent"); err != nil {
						owner.Agent(t)
					}
					w.settled(t)
				})
			})
			gap(t, r, unnoticed)
		})
		if !ok {
			return
		}
	}
}

// freeze freezes processes of a director for a while, all at once.
func freeze(t lab.T, d *lab.Director, during time.Duration, roles ...string) {
	t.Helper()
	for _, role := range roles {
		p, err := d.FindProcess(role)
		if err == nil {
			err = p.Freeze()
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer func() { _ = p.Thaw() }() // it may have ended
	}
	time.Sleep(during)
}

// killBoth kills both processes of a director, and starts them again when its addresses' lifetime is over.
func killBoth(t *testing.T, d *lab.Director) {
	keeper, control := d.Keeper(), d.Control()
	control.Kill() // first: it would start another keeper
	keeper.Kill()
	time.Sleep(4 * time.Second)
}

// exhausted takes all memory but what a process has, and asks more of it, on its socket, until it has died of that
// or has had enough.
func exhausted(t *testing.T, d *lab.Director, role, socket string) {
	t.Helper()
	p, err := d.FindProcess(role)
	if err != nil {
		t.Fatal(err)
	}
	size, err := dataSize(p.Pid)
	if err != nil {
		t.Fatal(err)
	}
	limit := unix.Rlimit{Cur: size, Max: size}
	if err := unix.Prlimit(p.Pid, unix.RLIMIT_DATA, &limit, nil); err != nil {
		t.Fatalf("limit the memory of %s: %v", role, err)
	}
	var open []net.Conn
	lab.Eventually(t, 20*time.Second, role+" is out of memory", func() error {
		for range 100 {
			if !p.Alive() {
				return nil
			}
			c, err := net.Dial("unix", socket)
			if err != nil {
				return err
			}
			open = append(open, c)
			c.SetDeadline(time.Now().Add(100 * time.Millisecond))
			fmt.Fprint(c, "GET /", strings.Repeat("x", 256<<10)) // a line without an end, which it has to keep
		}
		return errors.New("it lives")
	})
	for _, c := range open {
		c.Close()
	}
	if text := fileText(t, d.LogFile("agent")); !strings.Contains(text, "out of memory") && !strings.Contains(text, "cannot allocate memory") {
		t.Errorf("%s died of something else", role)
	}
}

// dataSize is how much memory a process has that RLIMIT_DATA counts.
func dataSize(pid int) (uint64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), "VmData:")
	number, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	n, err := strconv.ParseUint(number, 10, 64)
	return n << 10, err
}

// The control: where the kernel keeps an address for ever, a machine without agents answers beside its successor.
func TestWithoutALifetimeTwoOwnWhereBothProcessesDied(t *testing.T) {
	t.Parallel()
	w := mutated(t, "ch", mutant.NoLifetime)
	w.apply(t, routerFile)
	owner := w.settled(t)
	if s := w.see(t, func() { killBoth(t, owner) }); s.several <= time.Second {
		t.Errorf("two owned for %v: the proof proves nothing", s.several)
	}
}

// TestTwoOfThreeDie takes the owner and another away: the last one serves, and nothing moves when they return.
func TestTwoOfThreeDie(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "ci", 3)
	owner := w.settled(t)
	dead, last := []*lab.Director{owner, w.others(owner)[0]}, w.others(owner)[1]
	twoDie := func(back func(before uint64)) {
		r := w.watch(t, func() {
			for _, d := range dead {
				d.Die()
			}
			w.taken(t, owner)
			w.stays(t, last, proof.Long(3*time.Second, 20*time.Second))
			for _, d := range dead {
				d.Revive()
				d.Agent(t)
			}
			w.AwaitReady(t, 30*time.Second)
			back(epoch(t, last))
		})
		gap(t, r, moves)
	}
	twoDie(func(before uint64) {
		w.stays(t, last, proof.Long(3*time.Second, 20*time.Second))
		w.keeps(t, last)
		if now := epoch(t, last); now > before+1 { // the log confirms who served
			t.Errorf("epoch %d, when they were back: %d", now, before)
		}
	})
	// The control: the same, with an owner that is to have it back.
	w.apply(t, strings.Replace(routerFile, "\n}\n", fmt.Sprintf(`
  placement "pinned" {
    directors = [%q]
    hold      = "1s"
  }
}
`, owner.Name), 1))
	w.taken(t, last)
	twoDie(func(uint64) { w.taken(t, last) })
}
