package address

import (
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// newNamespace puts the test's goroutine into a network namespace of its own, with a pair of
// interfaces, qa and qb, that are up and have the MAC addresses 02:00:00:00:00:01 and :02.
func newNamespace(t testing.TB) *Host {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	ip(t, "link set lo up")
	ip(t, "link add qa address 02:00:00:00:00:01 type veth peer name qb address 02:00:00:00:00:02")
	ip(t, "link set qa addrgenmode none")
	ip(t, "link set qb addrgenmode none")
	ip(t, "link set qa up")
	ip(t, "link set qb up")
	return newHost(t)
}

// newHost makes a Host in the namespace of the calling thread.
func newHost(t testing.TB) *Host {
	t.Helper()
	h, err := New(Config{Log: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// ip runs the command in the namespace of the test's thread.
func ip(t testing.TB, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func on(iface, prefix string) Address {
	return Address{iface, netip.MustParsePrefix(prefix)}
}

// always lets every announcement leave.
func always(Address) bool { return true }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func present(t *testing.T, h *Host) map[Address]time.Duration {
	t.Helper()
	have, err := h.Present()
	must(t, err)
	return have
}

func has(t *testing.T, h *Host, a Address) bool {
	t.Helper()
	_, ok := present(t, h)[a]
	return ok
}
