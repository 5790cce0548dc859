package installed

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/e2e/lab"
)

// bits are the capabilities that the units name.
func bits() map[string]uint {
	return map[string]uint{
		"CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_NET_RAW": unix.CAP_NET_RAW, "CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE,
		"CAP_SETUID": unix.CAP_SETUID, "CAP_SETGID": unix.CAP_SETGID, "CAP_KILL": unix.CAP_KILL,
		"CAP_SYS_RESOURCE": unix.CAP_SYS_RESOURCE, "CAP_SYS_NICE": unix.CAP_SYS_NICE,
	}
}

// Capabilities holds that each process has the capabilities that its unit file names, of those that this
// machine can give, and no other.
func (d *Director) Capabilities(t lab.T) {
	t.Helper()
	given, err := strconv.ParseUint(procStatus(t, "self")["CapBnd"], 16, 64)
	if err != nil {
		t.Fatalf("%v", err)
	}
	line := regexp.MustCompile(`(?m)^CapabilityBoundingSet=(.*)$`)
	for _, unit := range []string{Control, Keeper} {
		text, err := os.ReadFile(Root(t) + "/dist/systemd/" + unit)
		if err != nil {
			t.Fatalf("%v", err)
		}
		set := line.FindSubmatch(text)
		if set == nil {
			t.Fatalf("%s names no capabilities", unit)
		}
		var want uint64
		for name := range strings.FieldsSeq(string(set[1])) {
			bit, ok := bits()[name]
			if !ok {
				t.Errorf("%s: %s is not known here", unit, name)
			}
			want |= 1 << bit & given
		}
		got := procStatus(t, fmt.Sprint(d.Process(unit).Pid))
		for _, field := range []string{"CapBnd", "CapEff", "CapPrm"} {
			if got[field] != fmt.Sprintf("%016x", want) {
				t.Errorf("%s of %s = %s, want %016x", field, unit, got[field], want)
			}
		}
		if got["NoNewPrivs"] != "1" || got["Seccomp"] != "2" {
			t.Errorf("%s: NoNewPrivs %s, Seccomp %s", unit, got["NoNewPrivs"], got["Seccomp"])
		}
	}
}

// procStatus are the fields of /proc/PID/status.
func procStatus(t lab.T, pid string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatalf("%v", err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

// MayRaise tells whether systemd may raise limits on this machine. In some containers root may not, and the
// keeper does without.
func MayRaise(t lab.T) bool {
	t.Helper()
	has, err := strconv.ParseUint(procStatus(t, "self")["CapBnd"], 16, 64)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return has&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// RealTime holds that the keeper has locked memory, and that all of its threads have real-time scheduling at
// its lowest priority.
func (d *Director) RealTime(t lab.T) {
	t.Helper()
	pid := fmt.Sprint(d.Keeper().Pid)
	locked := procStatus(t, pid)["VmLck"]
	if locked == "0 kB" || locked == "" {
		t.Errorf("memory that is locked: %q", locked)
	}
	tasks, err := os.ReadDir("/proc/" + pid + "/task")
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Logf("%d threads, %s locked", len(tasks), locked)
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		attr, err := unix.SchedGetAttr(tid, 0)
		if err == nil && (attr.Policy != unix.SCHED_RR || attr.Priority != 1) {
			t.Errorf("thread %d: policy %d, priority %d", tid, attr.Policy, attr.Priority)
		}
	}
}

// NothingRefused holds that no log has an error that the sandbox or a missing capability makes, nor one of
// the other words.
func (d *Director) NothingRefused(t lab.T, also ...string) {
	t.Helper()
	refused := regexp.MustCompile(`(?i)permission denied|not permitted|read-only file system`)
	for _, name := range []string{"agent", "keeper"} {
		log, err := os.ReadFile(d.LogFile(name))
		if err != nil {
			t.Fatalf("%v", err)
		}
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "scheduling is not real-time") && !MayRaise(t) {
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
