package address

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// watch runs Watch until the test ends and returns its events.
func watch(t *testing.T, h *Host) <-chan Event {
	t.Helper()
	events := make(chan Event, 100_000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- h.Watch(ctx, func(e Event) { events <- e }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return events
}

// expect waits for an event.
func expect(t *testing.T, events <-chan Event, want Event) {
	t.Helper()
	var got []Event
	for deadline := time.After(5 * time.Second); ; {
		select {
		case e := <-events:
			if e == want {
				return
			}
			got = append(got, e)
		case <-deadline:
			t.Fatalf("no event %+v in 5 s, but %d, the last %+v", want, len(got), got[max(0, len(got)-10):])
		}
	}
}

func TestWatchTellsOfLinksAndOfRemovedAddresses(t *testing.T) {
	h := newNamespace(t)
	vip4, vip6 := on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64")
	must(t, h.Renew([]Address{vip4}, 0))
	events := watch(t, h)
	expect(t, events, Event{Interface: "qa", Up: true})
	must(t, h.Renew([]Address{vip6}, 0))
	ip(t, "addr del 192.0.2.100/24 dev qa") // was there before the watch
	expect(t, events, Event{Interface: "qa", Up: true, Removed: vip4})
	ip(t, "link set qb down")
	expect(t, events, Event{Interface: "qa"})
	ip(t, "link set qb up")
	expect(t, events, Event{Interface: "qa", Up: true})
	ip(t, "link set qa down") // takes IPv6 addresses along
	expect(t, events, Event{Interface: "qa", Removed: vip6})
	ip(t, "link set qa name qc")
	expect(t, events, Event{Interface: "qc"})
	must(t, h.Renew([]Address{on("qc", "192.0.2.100/24")}, 0))
	ip(t, "link del qc")
	expect(t, events, Event{Interface: "qc", Removed: on("qc", "192.0.2.100/24")})
}

func TestWatchTellsOfAnAddressThatTheKernelLetGo(t *testing.T) {
	t.Parallel()
	h := newNamespace(t)
	vip := on("qa", "192.0.2.100/24")
	events := watch(t, h)
	must(t, h.Renew([]Address{vip}, time.Second))
	expect(t, events, Event{Interface: "qa", Up: true, Removed: vip})
}

func TestWatchFindsWhatChangedWhileTheKernelLostEvents(t *testing.T) {
	h := newNamespace(t)
	var log bytes.Buffer
	h.log = hclog.New(&hclog.LoggerOptions{Output: &log})
	vip := on("qa", "192.0.2.100/24")
	must(t, h.Renew([]Address{vip}, 0))
	var storm []Address
	for i := range 1000 {
		storm = append(storm, on("qb", fmt.Sprintf("10.0.%d.%d/32", i/250, i%250+1)))
	}
	blocked, events := make(chan bool), make(chan Event, 100_000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	first := true
	go func() {
		done <- h.Watch(ctx, func(e Event) {
			if first {
				first = false
				<-blocked
			}
			events <- e
		})
	}()
	for range 8 { // 16,000 events, more than the queue holds
		must(t, h.Renew(storm, 0))
		must(t, h.Remove(storm))
	}
	must(t, h.Remove([]Address{vip}))
	ip(t, "link set qb down")
	close(blocked)
	expect(t, events, Event{Interface: "qa"})
	expect(t, events, Event{Interface: "qa", Removed: vip})
	time.Sleep(100 * time.Millisecond)
	for len(events) > 0 {
		if e := <-events; e.Up {
			t.Errorf("%+v from before the lists were read", e)
		}
	}
	ip(t, "link set qb up") // and it goes on
	expect(t, events, Event{Interface: "qa", Up: true})
	cancel()
	must(t, <-done)
	if !strings.Contains(log.String(), "lost events") {
		t.Errorf("the queue did not overflow; the log is %q", log.String())
	}
}

func TestWatchCanBeCalledAgainButNotTwice(t *testing.T) {
	h := newNamespace(t)
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		events, done := make(chan Event, 100), make(chan error)
		go func() { done <- h.Watch(ctx, func(e Event) { events <- e }) }()
		expect(t, events, Event{Interface: "qa", Up: true})
		if err := h.Watch(ctx, func(Event) {}); err == nil {
			t.Error("a second Watch at the same time: no error")
		}
		cancel()
		must(t, <-done)
	}
}

// listen returns a packet socket on an interface.
func listen(t *testing.T, iface string) int {
	t.Helper()
	protocol := networkOrder(0, unix.ETH_P_ALL)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(protocol))
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	index, err := strconv.Atoi(strings.Split(ip(t, "-o link show "+iface), ":")[0])
	must(t, err)
	must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: index}))
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}))
	return fd
}

// frames returns what a packet socket received, neighbour advertisements and ARP only.
func frames(t *testing.T, fd, want int) []string {
	t.Helper()
	var out []string
	for b := make([]byte, 2000); len(out) < want; {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			t.Fatalf("after %d of %d frames: %v", len(out), want, err)
		}
		if n == 42 || n == 86 && b[54] == 136 {
			out = append(out, hex.EncodeToString(b[:n]))
		}
	}
	return out
}

func TestV63V65AnnounceSendsOneFrameForEachAddress(t *testing.T) {
	h := newNamespace(t)
	vips := []Address{on("qa", "192.0.2.100/24"), on("lo", "192.0.2.102/32"), on("qa", "2001:db8::100/64")}
	fd := listen(t, "qb")
	must(t, h.Announce(vips, always))
	mac := [6]byte{2, 0, 0, 0, 0, 1}
	want := []string{
		hex.EncodeToString(frame(mac, netip.MustParseAddr("192.0.2.100"), false)),
		hex.EncodeToString(frame(mac, netip.MustParseAddr("2001:db8::100"), false)),
	}
	if got := frames(t, fd, 2); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("on the wire: %v, want %v", got, want)
	}
	must(t, h.Announce(vips, func(a Address) bool { return a != vips[0] })) // not of what is somebody else's by now
	if got := frames(t, fd, 1); got[0] != want[1] {
		t.Errorf("where one may not be told of: %v, want %v", got, want[1])
	}
	script(t, "echo 1 > /proc/sys/net/ipv6/conf/qa/forwarding")
	must(t, h.Announce(vips[2:], always))
	want = []string{hex.EncodeToString(frame(mac, netip.MustParseAddr("2001:db8::100"), true))}
	if got := frames(t, fd, 1); got[0] != want[0] {
		t.Errorf("of a host that forwards: %v, want %v", got, want)
	}
	ip(t, "link set qa down")
	err := h.Announce(append(vips, on("nowhere", "192.0.2.103/32")), always)
	for _, named := range []string{vips[0].String(), vips[2].String(), "nowhere"} {
		if err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("Announce on an interface that is down: %v, want %s named", err, named)
		}
	}
}

// script runs a shell in the namespace of the test's thread.
func script(t testing.TB, text string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", text).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", text, err, out)
	}
	return string(out)
}

// client puts qb into a namespace of its own, with addresses, and returns the command that enters it.
func client(t *testing.T) string {
	t.Helper()
	sleep := exec.Command("sleep", "60")
	sleep.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	must(t, sleep.Start())
	t.Cleanup(func() { sleep.Process.Kill(); sleep.Wait() })
	enter := fmt.Sprintf("nsenter -t %d -n ", sleep.Process.Pid)
	ip(t, fmt.Sprintf("link set qb netns %d", sleep.Process.Pid))
	script(t, enter+"ip link set qb up; "+
		enter+"ip addr add 192.0.2.9/24 dev qb; "+
		enter+"ip addr add 2001:db8::9/64 dev qb nodad; "+
		enter+"ip addr add fe80::9/64 dev qb nodad")
	return enter
}

func TestANeighbourFollowsAnAnnouncement(t *testing.T) {
	h := newNamespace(t)
	inClient := client(t) + "ip "
	script(t, inClient+"neigh add 192.0.2.100 lladdr 02:00:00:00:00:77 nud reachable dev qb; "+
		inClient+"neigh add 2001:db8::100 lladdr 02:00:00:00:00:77 nud reachable dev qb")
	vips := []Address{on("qa", "192.0.2.100/24"), on("qa", "2001:db8::100/64")}
	must(t, h.Renew(vips, 0))
	must(t, h.Announce(vips, always))
	for _, vip := range vips {
		show := inClient + "neigh show " + vip.Prefix.Addr().String() + " dev qb"
		for start := time.Now(); !strings.Contains(script(t, show), "02:00:00:00:00:01"); time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > time.Second {
				t.Fatalf("a second after the announcement, the neighbour has %q", script(t, show))
			}
		}
	}
}
