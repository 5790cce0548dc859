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

// segment puts the test into a network namespace with an interface qa, and a neighbour behind it.
func segment(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	runtime.LockOSThread() // and never back: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
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
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	run("ip", "link", "add", "qa", "address", "02:00:00:00:00:01", "type", "veth", "peer", "name", "qb", "address", "02:00:00:00:00:02")
	run("ip", "link", "set", "qb", "netns", strconv.Itoa(pid))
	run("ip", "addr", "add", "192.0.2.1/24", "dev", "qa")
	run("ip", "addr", "add", "2001:db8::1/64", "dev", "qa", "nodad")
	run("ip", "link", "set", "qa", "up")
	in := func(args ...string) { run(append([]string{"nsenter", "-n", "-t", strconv.Itoa(pid)}, args...)...) }
	in("ip", "addr", "add", "192.0.2.2/24", "dev", "qb")
	in("ip", "addr", "add", "2001:db8::2/64", "dev", "qb", "nodad")
	in("ip", "link", "set", "qb", "up")
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
	f.Add(arpRequest(make([]byte, 6), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")))
	f.Add(solicitation(make([]byte, 6), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if target, mac, ok := answer(b); ok && (!target.IsValid() || len(mac) != 6) {
			t.Errorf("answer(%x) = %v, %v", b, target, mac)
		}
	})
}
