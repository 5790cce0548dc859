package units

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/e2e/lab"
)

// TestOneDirector is what the units are on a machine that nothing happens to, and what they are without a
// line that matters.
func TestOneDirector(t *testing.T) {
	t.Parallel()
	w := build(t, "e", 1)
	d := w.directors[0]
	d.systemctl(t, "enable", "--now", "quorate")
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
			d.systemctl(t, ask, unit)
		}
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
		return d.Systemd.Run(ctx, "setpriv", "--reuid=65534", "--regid=65534", groups, "--inh-caps=-all", "env", "-u", "QUORATE_SOCKET", installed, "status")
	}
	gid := strings.Split(d.MustRun(t, "getent", "group", "quorate"), ":")[2]
	if out, err := status("--groups=" + gid); err != nil || !strings.Contains(out, d.Name) {
		t.Errorf("a member of the group: %v\n%s", err, out)
	}
	if out, err := status("--clear-groups"); err == nil || !strings.Contains(err.Error(), "no permission for the socket") {
		t.Errorf("somebody else: %v\n%s", err, out)
	}
}

// bits are the capabilities that the units name.
var bits = map[string]uint{
	"CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE,
	"CAP_SETUID": unix.CAP_SETUID, "CAP_SETGID": unix.CAP_SETGID, "CAP_KILL": unix.CAP_KILL,
	"CAP_SYS_RESOURCE": unix.CAP_SYS_RESOURCE, "CAP_SYS_NICE": unix.CAP_SYS_NICE,
}

func capabilities(t *testing.T, _ *testnet, d *director) {
	has := procStatus(t, 0) // what this machine can give
	given, err := strconv.ParseUint(has["CapBnd"], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for unit, file := range map[string]string{control: "quorate.service", keeper: "quorate-keeper.service"} {
		text, err := os.ReadFile(root(t) + "/dist/systemd/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var set uint64
		for name := range strings.FieldsSeq(regexp.MustCompile(`(?m)^CapabilityBoundingSet=(.*)$`).FindStringSubmatch(string(text))[1]) {
			bit, ok := bits[name]
			if !ok {
				t.Errorf("%s: unknown to this test: %s", unit, name)
			}
			set |= 1 << bit
		}
		want := fmt.Sprintf("%016x", set&given)
		got := procStatus(t, d.process(unit).Pid)
		for _, field := range []string{"CapBnd", "CapEff", "CapPrm"} {
			if got[field] != want {
				t.Errorf("%s of %s = %s, want %s", field, unit, got[field], want)
			}
		}
		if got["NoNewPrivs"] != "1" || got["Seccomp"] != "2" {
			t.Errorf("%s: NoNewPrivs %s, Seccomp %s", unit, got["NoNewPrivs"], got["Seccomp"])
		}
	}
}

// procStatus are the fields of /proc/PID/status; those of this process for 0.
func procStatus(t *testing.T, pid int) map[string]string {
	t.Helper()
	path := "/proc/self/status"
	if pid != 0 {
		path = fmt.Sprintf("/proc/%d/status", pid)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// mayRaise tells whether systemd may raise limits on this machine; in some containers root may not, and the
// keeper does without. Package sandbox has the same test where it always may.
func mayRaise(t *testing.T) bool {
	t.Helper()
	has, err := strconv.ParseUint(procStatus(t, 0)["CapBnd"], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return has&(1<<unix.CAP_SYS_RESOURCE) != 0
}

func realTime(t *testing.T, _ *testnet, d *director) {
	if !mayRaise(t) {
		t.Log("this machine's root may not raise limits")
		return
	}
	pid := d.Keeper().Pid
	if locked := procStatus(t, pid)["VmLck"]; locked == "0 kB" {
		t.Error("no memory is locked")
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		attr, err := unix.SchedGetAttr(tid, 0)
		if err == nil && (attr.Policy != unix.SCHED_RR || attr.Priority != 1) {
			t.Errorf("thread %d: policy %d, priority %d", tid, attr.Policy, attr.Priority)
		}
	}
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
	limit, err := time.ParseDuration(d.property(t, control, "WatchdogUSec"))
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

// refused are words of an error that the sandbox or a missing capability makes.
var refused = regexp.MustCompile(`(?i)permission denied|not permitted|read-only file system`)

// nothingRefused holds that no log has an error of the sandbox's.
func nothingRefused(t *testing.T, d *director, also ...string) {
	t.Helper()
	for _, name := range []string{"agent", "keeper"} {
		log, err := os.ReadFile(d.LogFile(name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "scheduling is not real-time") && !mayRaise(t) {
				continue
			}
			bad := refused.MatchString(line)
			for _, word := range also {
				bad = bad || strings.Contains(line, word)
			}
			if bad {
				t.Errorf("%s of %s: %s", name, d.Name, line)
			}
		}
	}
}

func nothingAmiss(t *testing.T, _ *testnet, d *director) {
	nothingRefused(t, d, "[ERROR]", "[WARN]  quorate.keeper", "no such file")
}

func withoutRestart(t *testing.T, _ *testnet, d *director) {
	for _, unit := range []string{keeper, control} {
		d.drop(t, unit, "mutant", "[Service]\nRestart=no\n")
		d.process(unit).Kill()
	}
	lab.Eventually(t, 5*time.Second, "both have failed", func() error {
		for _, unit := range []string{keeper, control} {
			if state := d.property(t, unit, "ActiveState"); state != "failed" {
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
		d.drop(t, unit, "mutant", "")
	}
	d.systemctl(t, "start", "quorate")
}

func withoutWatchdog(t *testing.T, _ *testnet, d *director) {
	d.drop(t, keeper, "mutant", "[Service]\nWatchdogSec=0\n")
	d.systemctl(t, "restart", "quorate-keeper")
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
	d.systemctl(t, "disable", "--now", "quorate", "quorate-keeper")
	d.MustRun(t, "make", "-C", root(t), "uninstall")
	d.systemctl(t, "daemon-reload")
	left := d.MustRun(t, "sh", "-c", `find /etc/quorate /usr/local /var/lib/quorate /etc/systemd/system -type f -name '*quorate*' -o -name agent.hcl -o -name raft.db -o -name keeper.json -o -type l -name '*quorate*' | sort`)
	want := "/etc/quorate/agent.hcl\n/var/lib/quorate/cluster/raft.db\n/var/lib/quorate/keeper.json\n"
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
