package probe

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// segment puts the test's goroutine into a network namespace with an interface qa, and a neighbour behind it.
func segment(t *testing.T) neighbourHost {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	runtime.LockOSThread() // and never back: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	return newNeighbour(t)
}

// neighbourHost runs commands on the host behind qa.
type neighbourHost struct {
	t   *testing.T
	pid int
}

func (n neighbourHost) run(args ...string) {
	n.t.Helper()
	run(n.t, append([]string{"nsenter", "-n", "-t", strconv.Itoa(n.pid)}, args...)...)
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

// newNeighbour makes the interface qa in this namespace, and a host behind it in another.
func newNeighbour(t *testing.T) neighbourHost {
	t.Helper()
	holder := exec.Command("unshare", "--net", "sleep", "60")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { holder.Process.Kill(); holder.Wait() })
	self, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	pid := holder.Process.Pid
	for range 500 {
		if other, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net"); err == nil && other != self {
			break
		}
		time.Sleep(time.Millisecond)
	}
	n := neighbourHost{t, pid}
	n.link()
	return n
}

// link makes the wire.
func (n neighbourHost) link() {
	n.t.Helper()
	run(n.t, "ip", "link", "add", "qa", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "qb", "address", "02:00:00:00:00:02")
	run(n.t, "ip", "link", "set", "qb", "netns", strconv.Itoa(n.pid))
	run(n.t, "ip", "addr", "add", "192.0.2.1/24", "dev", "qa")
	run(n.t, "ip", "addr", "add", "2001:db8::1/64", "dev", "qa", "nodad")
	run(n.t, "ip", "link", "set", "qa", "up")
	n.run("ip", "addr", "add", "192.0.2.2/24", "dev", "qb")
	n.run("ip", "addr", "add", "2001:db8::2/64", "dev", "qb", "nodad")
	n.run("ip", "link", "set", "qb", "up")
	for range 1000 { // until the link is up on both sides
		if b, err := os.ReadFile("/sys/class/net/qa/operstate"); err == nil && strings.TrimSpace(string(b)) == "up" {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

func TestWhoAnswersIsFoundAndWhoDoesNotIsNot(t *testing.T) {
	segment(t)
	for _, tt := range []struct{ source, there, absent string }{
		{"192.0.2.1", "192.0.2.2", "192.0.2.9"},
		{"2001:db8::1", "2001:db8::2", "2001:db8::9"},
	} {
		there, absent := netip.MustParseAddr(tt.there), netip.MustParseAddr(tt.absent)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		found, err := Ask(ctx, "qa", netip.MustParseAddr(tt.source), []netip.Addr{there, absent})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if got := found[there].String(); got != "02:00:00:00:00:02" || found[absent] != nil {
			t.Errorf("%s has %s, %s has %v", tt.there, got, tt.absent, found[absent])
		}
		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
		begin := time.Now()
		if _, err := Ask(ctx, "qa", netip.MustParseAddr(tt.source), []netip.Addr{there}); err != nil || time.Since(begin) > 2*time.Second {
			t.Errorf("an answer that is there at once took %v, %v", time.Since(begin), err)
		}
		cancel()
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(arpRequest(make([]byte, 6), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), nil))
	f.Add(solicitation(make([]byte, 6), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if target, mac, ok := answer(b); ok && (!target.IsValid() || len(mac) != 6) {
			t.Errorf("answer(%x) = %v, %v", b, target, mac)
		}
	})
}
