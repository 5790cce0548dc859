package wire

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// units is owned with keepers that are units of their own, as under systemd: control neither starts nor
// stops them.
func units(t *testing.T, name string) *testnet {
	t.Helper()
	w := buildAs(t, name, 3)
	for _, d := range w.Directors {
		d.Env = []string{"QUORATE_KEEPER=external"}
		d.Start("keeper", binary(t), "keeper", "--config", d.AgentFile())
	}
	w.Cluster(t)
	w.apply(t, routerFile)
	w.settled(t)
	return w
}

func TestAKeeperThatIsStoppedIsRelievedByItsControl(t *testing.T) {
	t.Parallel()
	w := units(t, "u")
	owner := w.settled(t)
	r := w.watch(t, func() {
		if err := owner.Keeper().Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		w.taken(t, owner)
	})
	gap(t, r, unnoticed)
	w.told(t, epoch(t, w.others(owner)[0]), "the keeper of "+owner.Name+" stops", owner)
	lab.Eventually(t, 10*time.Second, "the keeper has ended", func() error {
		if _, err := owner.FindProcess("keeper"); err == nil {
			return errText("it runs")
		}
		return nil
	})
}

func TestAControlThatIsStoppedAloneMovesNothing(t *testing.T) {
	t.Parallel()
	w := units(t, "v")
	owner := w.settled(t)
	r := w.watch(t, func() {
		stop(t, owner)
		w.stays(t, owner, time.Second) // systemd starts it again by then; after two, the group moves
		owner.Agent(t)
	})
	gap(t, r, unnoticed)
	w.settled(t)
}

// A stop of both units, or of the machine, stops control first; systemd has a job for the keeper then.
func TestAControlThatIsStoppedWithItsKeeperHandsOver(t *testing.T) {
	t.Parallel()
	w := units(t, "x")
	owner := w.settled(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\n[ \"$4\" = quorate-keeper.service ] && echo 1234\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	control := owner.Control()
	control.Kill()
	owner.Env = append(owner.Env, "PATH="+dir+":"+os.Getenv("PATH"))
	owner.Agent(t)
	w.settled(t)
	r := w.watch(t, func() {
		stop(t, owner)
		w.taken(t, owner)
	})
	gap(t, r, unnoticed)
}
