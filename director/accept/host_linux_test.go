package accept

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// newNamespace puts the test's goroutine into a network namespace of its own.
func newNamespace(t *testing.T) *Host {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	return newHost(t)
}

func newHost(t *testing.T) *Host {
	t.Helper()
	h := New()
	t.Cleanup(func() { h.Close() })
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func refuse(t *testing.T, h *Host, all ...Address) bool {
	t.Helper()
	again, err := h.Refuse(NewTable(all))
	must(t, err)
	return again
}

// shown is the table as nft(8) shows it, an oracle that has nothing of this package.
const shown = `table inet quorate {
	set ipv4 {
		type ipv4_addr
		elements = { 192.0.2.100 }
	}

	set ipv6 {
		type ipv6_addr
		elements = { 2001:db8::100 }
	}

	set link_local {
		type ipv6_addr . ifname
		elements = { fe80::100 . "wan" }
	}

	chain input {
		type filter hook input priority 150; policy accept;
		iif "lo" accept
		icmpv6 type 135-136 accept
		ip daddr @ipv4 counter packets 0 bytes 0 drop
		ip6 daddr @ipv6 counter packets 0 bytes 0 drop
		ip6 daddr . iifname @link_local counter packets 0 bytes 0 drop
	}
}
`

func TestTheTableIsWhatTheProgramNftShows(t *testing.T) {
	h := newNamespace(t)
	refuse(t, h, at("192.0.2.100", "wan"), at("2001:db8::100", "wan"), at("fe80::100", "wan"))
	if diff := cmp.Diff(shown, run(t, "nft", "list", "ruleset")); diff != "" {
		t.Errorf("nft list ruleset (-want +got):\n%s", diff)
	}
}

func TestNothingIsLeftWhereNothingIsRefusedAndOthersStay(t *testing.T) {
	h := newNamespace(t)
	run(t, "nft", "add table inet firewall")
	others := run(t, "nft", "list", "ruleset")
	for range 2 {
		refuse(t, h)
		if got := run(t, "nft", "list", "ruleset"); got != others {
			t.Errorf("with nothing to refuse there is\n%s\nwant\n%s", got, others)
		}
		refuse(t, h, at("192.0.2.100", ""))
		if got := run(t, "nft", "list", "tables"); got != "table inet firewall\ntable inet quorate\n" {
			t.Errorf("tables are\n%s", got)
		}
		must(t, h.Close())
		h = newHost(t) // one that has not made it
	}
	refuse(t, h)
	if got := run(t, "nft", "list", "ruleset"); got != others {
		t.Errorf("in the end there is\n%s\nwant\n%s", got, others)
	}
}

func TestATrialChangesNothing(t *testing.T) {
	h := newNamespace(t)
	for range 2 {
		must(t, h.Trial())
	}
	if got := run(t, "nft", "list", "ruleset"); got != "" {
		t.Errorf("after a trial there is\n%s", got)
	}
	refuse(t, h, at("192.0.2.100", ""))
	before := run(t, "nft", "list", "ruleset")
	must(t, h.Trial())
	if got := run(t, "nft", "list", "ruleset"); got != before {
		t.Errorf("a trial made it\n%s\nwant\n%s", got, before)
	}
}

func TestAProcessWithoutThePrivilegeIsTold(t *testing.T) {
	h := newNamespace(t)
	dropNetAdmin(t)
	for what, err := range map[string]error{"Trial": h.Trial(), "Refuse": second2(h.Refuse(NewTable([]Address{at("192.0.2.100", "")})))} {
		if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
			t.Errorf("%s: %v, want that it needs CAP_NET_ADMIN", what, err)
		}
	}
}

func second2(_ bool, err error) error { return err }

// dropNetAdmin takes CAP_NET_ADMIN from the test's thread, which ends with the test.
func dropNetAdmin(t *testing.T) {
	t.Helper()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	must(t, unix.Capget(&head, &data[0]))
	data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	must(t, unix.Capset(&head, &data[0]))
}

func TestWhatSomebodyElseChangesIsMadeAgain(t *testing.T) {
	for _, tt := range []struct{ name, nft string }{
		{"all is flushed", "flush ruleset"},
		{"the table is gone", "delete table inet quorate"},
		{"the rules are gone", "flush chain inet quorate input"},
		{"an element is gone", "delete element inet quorate ipv4 { 192.0.2.100 }"},
		{"an element has come", "add element inet quorate ipv4 { 192.0.2.1 }"},
		{"a rule has come", "insert rule inet quorate input accept"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newNamespace(t)
			ctx, cancel := context.WithCancel(t.Context())
			told, ended := make(chan struct{}, 1), make(chan error, 1)
			go func() {
				ended <- h.Watch(ctx, func() {
					select {
					case told <- struct{}{}:
					default:
					}
				})
			}()
			addresses := []Address{at("192.0.2.100", "wan"), at("2001:db8::100", "wan"), at("fe80::100", "wan")}
			refuse(t, h, addresses...)
			waitFor(t, told) // of its own change
			if refuse(t, h, addresses...) {
				t.Error("its own change is taken for somebody else's")
			}
			drain(told)
			run(t, "nft", tt.nft)
			waitFor(t, told)
			if !refuse(t, h, addresses...) {
				t.Error("nobody says that the table was changed")
			}
			if diff := cmp.Diff(shown, run(t, "nft", "list", "ruleset")); diff != "" {
				t.Errorf("nft list ruleset (-want +got):\n%s", diff)
			}
			if refuse(t, h, addresses...) {
				t.Error("it is said twice")
			}
			cancel()
			must(t, <-ended)
		})
	}
}

func waitFor(t *testing.T, c chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(5 * time.Second):
		t.Fatal("Watch has not said that something changed")
	}
}

// drain waits until nothing more is told.
func drain(c chan struct{}) {
	for {
		select {
		case <-c:
		case <-time.After(50 * time.Millisecond):
			return
		}
	}
}

func TestOtherTablesAreNobodysBusiness(t *testing.T) {
	h := newNamespace(t)
	refuse(t, h, at("192.0.2.100", ""))
	run(t, "nft", "add table inet other; add chain inet other input { type filter hook input priority 0; }")
	if refuse(t, h, at("192.0.2.100", "")) {
		t.Error("another table is taken for a change of this one")
	}
}

func TestThousandsOfAddressesAreRefusedAtOnce(t *testing.T) {
	h := newNamespace(t)
	var all []Address
	for i := range 4000 {
		all = append(all, at(fmt.Sprintf("10.1.%d.%d", i/250, i%250+1), ""), at(fmt.Sprintf("fe80::%x", i+1), fmt.Sprintf("eth%d", i%4)))
	}
	start := time.Now()
	refuse(t, h, all...)
	t.Logf("%d addresses took %v", len(all), time.Since(start))
	if refuse(t, h, all...) {
		t.Error("what was made is not what is there")
	}
}

// neighbour makes a namespace whose interface eth0 is joined to wan of this one, and runs f in it.
func neighbour(t *testing.T) (within func(f func() error) error) {
	t.Helper()
	calls, results := make(chan func() error), make(chan error)
	ready := make(chan int)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			panic(err)
		}
		ready <- unix.Gettid()
		for f := range calls {
			results <- f()
		}
	}()
	tid := <-ready
	t.Cleanup(func() { close(calls) })
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "ip", "link", "add", "wan", "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(tid))
	within = func(f func() error) error { calls <- f; return <-results }
	for _, args := range []string{
		"link set eth0 up", "addr add 192.0.2.9/24 dev eth0", "addr add 2001:db8::9/64 dev eth0 nodad", "addr add fe80::9/64 dev eth0 nodad",
	} {
		must(t, within(func() error { return exec.Command("ip", strings.Fields(args)...).Run() }))
	}
	for _, args := range []string{
		"link set wan up", "addr add 192.0.2.1/24 dev wan", "addr add 192.0.2.100/24 dev wan", "addr add 2001:db8::1/64 dev wan nodad",
		"addr add 2001:db8::100/64 dev wan nodad", "addr add fe80::100/64 dev wan nodad", "addr add fe80::1/64 dev wan nodad",
	} {
		run(t, "ip", strings.Fields(args)...)
	}
	return within
}

// try opens a TCP connection, and says what comes of it. What is to be silent is not waited for long.
func try(addr, want string) string {
	d := net.Dialer{Timeout: 10 * time.Second}
	if want == "silence" {
		d.Timeout = 300 * time.Millisecond
	}
	c, err := d.Dial("tcp", addr)
	var late net.Error
	switch {
	case err == nil:
		c.Close()
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "reset"
	case errors.As(err, &late) && late.Timeout():
		return "silence"
	}
	return err.Error()
}

func TestPacketsAreRefusedAndTheAddressIsKnownAllTheSame(t *testing.T) {
	h := newNamespace(t)
	within := neighbour(t)
	from := func(addr, want string) (said string) {
		must(t, within(func() error { said = try(addr, want); return nil }))
		return said
	}
	l, err := net.Listen("tcp", ":80")
	must(t, err)
	defer l.Close()
	virtual := []string{"192.0.2.100", "2001:db8::100", "fe80::100%eth0"}
	own := []string{"192.0.2.1", "2001:db8::1", "fe80::1%eth0"}
	all := func(of []string, port, want string) {
		t.Helper()
		for _, a := range of {
			if got := from(net.JoinHostPort(a, port), want); got != want {
				t.Errorf("port %s of %s: %s, want %s", port, a, got, want)
			}
		}
	}
	all(virtual, "80", "open")
	all(virtual, "81", "reset")
	forget := func() {
		must(t, within(func() error { return exec.Command("ip", "neigh", "flush", "dev", "eth0").Run() }))
	}
	forget()
	refuse(t, h, at("192.0.2.100", "wan"), at("2001:db8::100", "wan"), at("fe80::100", "wan"))
	all(virtual, "80", "silence")
	all(virtual, "81", "silence")
	all(own, "80", "open")
	must(t, within(func() error {
		out, err := exec.Command("ip", "neigh", "show", "dev", "eth0").Output()
		for _, a := range virtual {
			a, _, _ = strings.Cut(a, "%")
			if !strings.Contains(string(out), a+" lladdr") {
				t.Errorf("the neighbour does not know %s:\n%s", a, out)
			}
		}
		return err
	}))
	for _, a := range virtual { // the host's own programs
		addr := netip.MustParseAddr(a)
		if addr.Zone() != "" {
			addr = addr.WithZone("wan")
		}
		if got := try(netip.AddrPortFrom(addr, 80).String(), "open"); got != "open" {
			t.Errorf("from the host itself, %s: %s, want open", a, got)
		}
	}
	refuse(t, h, at("192.0.2.100", "wan"), at("2001:db8::100", ""), at("fe80::100", "lan")) // lan is elsewhere
	all(virtual[:2], "80", "silence")
	all(virtual[2:], "80", "open")
	refuse(t, h)
	all(virtual, "80", "open")
}
