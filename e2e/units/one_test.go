package units

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/units/installed"
)

// TestOneDirector is what the units are on a machine that nothing happens to, and what they are without a
// line that matters.
func TestOneDirector(t *testing.T) {
	t.Parallel()
	w := build(t, "e", 1)
	d := w.directors[0]
	d.Systemctl(t, "enable", "--now", "quorate")
	d.MustQuorate("init")
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", routerFile), "--yes")
	w.settled(t)
	for _, tt := range []struct {
		name string
		do   func(*testing.T, *testnet, *director)
	}{
		{"the keeper comes with control", bothUnits},
		{"files have the modes that keep secrets", fileModes},
		{"members of the group may ask without root, and nobody else", groupMembers},
		{"each has the capabilities of its unit, and no other", capabilities},
		{"the keeper has real-time scheduling and locked memory", realTime},
		{"how much is open to a process that is taken over", security},
		{"the keeper may refuse packets", refusing},
		{"nothing was refused in the sandbox, and nothing is amiss", nothingAmiss},
		{"control that hangs is ended and started again", freezeControl},
		{"without Restart= a unit that is killed stays down", withoutRestart},
		{"without WatchdogSec= a keeper that hangs goes on hanging", withoutWatchdog},
		{"uninstall leaves configuration and data", uninstall},
	} {
		if !t.Run(tt.name, func(t *testing.T) { tt.do(t, w, d) }) {
			return
		}
	}
}

func bothUnits(t *testing.T, _ *testnet, d *director) {
	for _, unit := range []string{control, keeper} {
		for _, ask := range []string{"is-active", "is-enabled"} {
			d.Systemctl(t, ask, unit)
		}
	}
}

func refusing(t *testing.T, _ *testnet, d *director) {
	closed := strings.Replace(routerFile, "{\n", "{\n  accept    = false\n", 1)
	for _, file := range []string{closed, routerFile} {
		want := file == closed
		d.MustQuorate("apply", d.WriteFile("cluster.hcl", file), "--yes")
		lab.Eventually(t, 5*time.Second, fmt.Sprintf("packets are refused: %v", want), func() error {
			if tables := d.MustRun(t, "nft", "list", "tables"); strings.Contains(tables, "quorate") != want {
				return fmt.Errorf("tables are %q", tables)
			}
			return nil
		})
	}
}

func fileModes(t *testing.T, _ *testnet, d *director) {
	want := map[string]string{
		"/etc/quorate/agent.hcl":              "600 root root",
		"/var/lib/quorate":                    "700 root root",
		"/var/lib/quorate/cluster":            "700 root root",
		"/var/lib/quorate/cluster/raft.db":    "600 root root",
		"/var/lib/quorate/cluster/member.key": "600 root root",
		"/var/lib/quorate/keeper.json":        "600 root root",
		"/run/quorate":                        "755 root root",
		"/run/quorate/quorate.sock":           "660 root quorate",
		"/run/quorate/keeper.sock":            "600 root root",
	}
	got := map[string]string{}
	for path := range want {
		got[path] = strings.TrimSpace(d.MustRun(t, "stat", "-c", "%a %U %G", path))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func groupMembers(t *testing.T, _ *testnet, d *director) {
	status := func(groups string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return d.Systemd.Run(ctx, "setpriv", "--reuid=65534", "--regid=65534", groups, "--inh-caps=-all", "env", "-u", "QUORATE_SOCKET", installed.Binary, "status")
	}
	gid := strings.Split(d.MustRun(t, "getent", "group", "quorate"), ":")[2]
	if out, err := status("--groups=" + gid); err != nil || !strings.Contains(out, d.Name) {
		t.Errorf("a member of the group: %v\n%s", err, out)
	}
	if out, err := status("--clear-groups"); err == nil || !strings.Contains(err.Error(), "no permission for the socket") {
		t.Errorf("somebody else: %v\n%s", err, out)
	}
}

func capabilities(t *testing.T, _ *testnet, d *director) { d.Capabilities(t) }

func realTime(t *testing.T, _ *testnet, d *director) {
	if !installed.MayRaise(t) {
		t.Log("this machine's root may not raise limits; package sandbox has the same where it may")
		return
	}
	d.RealTime(t)
}

// security holds each unit against a score, so that a line which goes from it is seen.
func security(t *testing.T, _ *testnet, d *director) {
	for unit, most := range map[string]string{control: "34", keeper: "29"} {
		out := d.MustRun(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+most, unit)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		t.Log(lines[len(lines)-1])
	}
}

func freezeControl(t *testing.T, w *testnet, d *director) {
	limit, err := time.ParseDuration(d.Property(t, control, "WatchdogUSec"))
	if err != nil {
		t.Fatal(err)
	}
	old := d.Control()
	w.watch(t, unnoticed, func() {
		if err := old.Freeze(); err != nil {
			t.Fatal(err)
		}
		d.again(t, control, old, limit+5*time.Second)
		w.stays(t, d, time.Second)
	})
	w.settled(t)
}

func nothingAmiss(t *testing.T, _ *testnet, d *director) {
	d.NothingRefused(t, "[ERROR]", "[WARN]  quorate.keeper", "no such file")
}

func withoutRestart(t *testing.T, _ *testnet, d *director) {
	for _, unit := range []string{keeper, control} {
		d.Drop(t, unit, "mutant", "[Service]\nRestart=no\n")
		d.Process(unit).Kill()
	}
	lab.Eventually(t, 5*time.Second, "both have failed", func() error {
		for _, unit := range []string{keeper, control} {
			if state := d.Property(t, unit, "ActiveState"); state != "failed" {
				return fmt.Errorf("%s is %s", unit, state)
			}
		}
		return nil
	})
	lab.Consistently(t, 1500*time.Millisecond, "both stay down", func() error {
		for _, role := range []string{"agent", "keeper"} {
			if p, err := d.FindProcess(role); err == nil {
				return fmt.Errorf("%s runs as %d", role, p.Pid)
			}
		}
		return nil
	})
	for _, unit := range []string{keeper, control} {
		d.Drop(t, unit, "mutant", "")
	}
	d.Systemctl(t, "start", "quorate")
}

func withoutWatchdog(t *testing.T, _ *testnet, d *director) {
	d.Drop(t, keeper, "mutant", "[Service]\nWatchdogSec=0\n")
	d.Systemctl(t, "restart", "quorate-keeper")
	hung := d.Keeper()
	if err := hung.Freeze(); err != nil {
		t.Fatal(err)
	}
	lab.Consistently(t, 8*time.Second, "the keeper hangs", func() error {
		if !hung.Alive() {
			return fmt.Errorf("it was ended")
		}
		return nil
	})
	if err := hung.Thaw(); err != nil {
		t.Fatal(err)
	}
}

func uninstall(t *testing.T, _ *testnet, d *director) {
	d.Systemctl(t, "disable", "--now", "quorate", "quorate-keeper")
	d.MustRun(t, "make", "-C", installed.Root(t), "uninstall")
	d.Systemctl(t, "daemon-reload")
	left := d.MustRun(t, "sh", "-c", `find /etc/quorate /usr/local /var/lib/quorate /etc/systemd/system -type f -name '*quorate*' -o -name agent.hcl -o -name raft.db -o -name keeper.json -o -type l -name '*quorate*' | sort`)
	want := "/etc/quorate/agent.hcl\n/var/lib/quorate/cluster/raft.db\n/var/lib/quorate/keeper.json\n"
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
