package ipvs

import (
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// init keeps tests off the process's first thread: it does not end with its goroutine, so neither
// would the network namespace of a test that ran on it.
func init() { runtime.LockOSThread() } //nolint:gochecknoinits // only an init runs on the first thread

// needIPVS moves the test into a network namespace of its own, with an empty IPVS table and lo up.
// Where the kernel has no IPVS the test is skipped, except in the guest, where it fails. The
// test's goroutine keeps its thread, so what it asks of the kernel must be asked from it.
func needIPVS(t *testing.T) {
	t.Helper()
	missing := func(why string) {
		t.Helper()
		if os.Getenv("QUORATE_IN_GUEST") == "guest" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	if os.Getuid() != 0 {
		missing("needs root, for the IPVS table of a network namespace")
	}
	_ = exec.Command("modprobe", "-q", "ip_vs").Run()
	if _, err := os.Stat(procNet + "ip_vs"); err != nil {
		missing("needs a kernel with IPVS (modprobe ip_vs): " + err.Error())
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		missing("needs a network namespace of its own: " + err.Error())
	}
	run(t, "ip", "link", "set", "lo", "up")
}

// run runs a command in the test's network namespace and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// open returns the IPVS of the test's network namespace.
func open(t *testing.T) *Host {
	t.Helper()
	h, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// saved returns the lines of ipvsadm -Sn or of Table.Save, sorted, without what only one prints.
func saved(s string) []string {
	var lines []string
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " -x ")
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}
