package wire

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

// hosts of a testnet's directors, but for some.
func (w *testnet) hosts(not ...*lab.Director) []*lab.Host {
	var out []*lab.Host
	for _, d := range w.Directors {
		if !slices.Contains(not, d) {
			out = append(out, d.Host)
		}
	}
	return out
}

func guardSays(t *testing.T, d *lab.Director, word string) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, d.Name+" names the path that is broken", func() error {
		if out := command(t, d, "status").want(t, 0).out; !strings.Contains(out, "does not hear the owner") || !strings.Contains(out, word) {
			return errors.New(out)
		}
		return nil
	})
}

func TestWhereAdvertsDoNotPassNothingMoves(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "g", 3)
	owner := w.settled(t)
	others := w.others(owner)
	r := w.watch(t, func() {
		w.alone(t, func() {
			undo := w.Partition(w.hosts(), w.hosts(), lab.VRRP())
			defer undo()
			w.stays(t, owner, proof.Long(5*time.Second, 20*time.Second))
			for _, d := range others {
				guardSays(t, d, "its adverts do not arrive")
			}
		})
		w.stays(t, owner, 2*time.Second)
	})
	gap(t, r, unnoticed)
	if now := w.settled(t); now != owner {
		t.Errorf("%s owns, before: %s", now.Name, owner.Name)
	}
}

func TestWhereAdvertsDoNotPassAnOwnerCanBeDrained(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "h", 3)
	owner := w.settled(t)
	r := w.watch(t, func() {
		w.alone(t, func() {
			undo := w.Partition(w.hosts(), w.hosts(), lab.VRRP())
			defer undo()
			time.Sleep(2 * time.Second)
			command(t, owner, "drain", "director", owner.Name).want(t, 0)
			w.taken(t, owner)
			time.Sleep(2 * time.Second)
		})
	})
	gap(t, r, unnoticed)
}

// mutated is a network whose directors have a promise switched off.
func mutated(t *testing.T, name, promise string) *testnet {
	t.Helper()
	w := mutantsAs(t, name, promise)
	w.Cluster(t)
	return w
}

// mutantsAs is mutated, and no agent runs yet.
func mutantsAs(t *testing.T, name, promise string) *testnet {
	t.Helper()
	w := buildAs(t, name, 3)
	mutants := os.Getenv("QUORATE_MUTANTS_BIN")
	if mutants == "" {
		t.Fatal("no build with mutants: set QUORATE_MUTANTS_BIN, as `make test` does")
	}
	for _, d := range w.Directors {
		d.Binary, d.Env = mutants, []string{"QUORATE_MUTANTS=" + d.WriteFile("mutant", promise)}
	}
	return w
}

// twoWhereAdvertsDoNotPass is the control of the first: the same, with a guard that asks nobody.
func (w *testnet) twoWhereAdvertsDoNotPass(t *testing.T) {
	undo := w.Partition(w.hosts(), w.hosts(), lab.VRRP())
	defer undo()
	w.twoOwn(t)
}

// twoWhereAdvertsPassOneWay is the control of a standby that does not hear the owner.
func (w *testnet) twoWhereAdvertsPassOneWay(t *testing.T) {
	owner := w.settled(t)
	undo := w.toward([]*lab.Host{owner.Host}, []*lab.Host{w.others(owner)[0].Host}, lab.VRRP(), w.Outer)
	defer undo()
	w.twoOwn(t)
}

// twoOwn holds that soon two have the address, for longer than a second at once.
func (w *testnet) twoOwn(t *testing.T) {
	t.Helper()
	time.Sleep(2 * time.Second)
	for range 100 {
		if len(w.Owners(vip)) < 2 {
			t.Fatalf("owners: %v, want two: the proof proves nothing", w.Owners(vip))
		}
		time.Sleep(15 * time.Millisecond)
	}
}
