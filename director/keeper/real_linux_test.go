package keeper

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/e2e/lab"
)

// childDir has a test binary run a keeper in that directory, instead of tests.
const childDir = "QUORATE_TEST_KEEPER"

func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(dir string) error {
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug})
	host, err := address.New(address.Config{Log: log})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return Run(ctx, Config{
		Socket: filepath.Join(dir, "socket"), Record: filepath.Join(dir, "record"), Log: log, Host: host, RealTime: true,
	})
}

// space is a network namespace with a keeper in it.
type space struct {
	t    *testing.T
	name string
	dir  string
	cmd  *exec.Cmd
	log  *lab.Buffer
	*Client
}

func ip(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// segment makes namespaces that share one bridge, which is in a namespace of its own.
func segment(t *testing.T, n int) []*space {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs the ip command")
	}
	name := func(s string) string { return fmt.Sprintf("qk%d%s", os.Getpid(), s) }
	add := func(ns string) {
		ip(t, "netns", "add", ns)
		t.Cleanup(func() { ip(t, "netns", "del", ns) })
		ip(t, "-n", ns, "link", "set", "lo", "up")
	}
	bridge := name("br")
	add(bridge)
	ip(t, "-n", bridge, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	ip(t, "-n", bridge, "link", "set", "br0", "up")
	var out []*space
	for i := range n {
		s := &space{t: t, name: name(string(rune('a' + i))), dir: t.TempDir()}
		add(s.name)
		port := fmt.Sprintf("p%d", i)
		ip(t, "-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", s.name)
		ip(t, "-n", bridge, "link", "set", port, "master", "br0", "up")
		ip(t, "-n", s.name, "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "eth0")
		ip(t, "-n", s.name, "link", "set", "eth0", "addrgenmode", "none")
		ip(t, "-n", s.name, "link", "set", "eth0", "up")
		ip(t, "-n", s.name, "addr", "add", fmt.Sprintf("fe80::%d/64", i+1), "dev", "eth0", "nodad")
		out = append(out, s)
	}
	return out
}

// run starts the keeper of the namespace and connects to it.
func (s *space) run() {
	s.t.Helper()
	s.log = &lab.Buffer{}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command("ip", "netns", "exec", s.name, self)
	s.cmd.Env = append(os.Environ(), childDir+"="+s.dir)
	s.cmd.Stderr, s.cmd.Stdout = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd := s.cmd
	s.t.Cleanup(func() { // Kill and Wait again do nothing
		cmd.Process.Kill()
		cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", s.name, s.log)
		}
	})
	s.wait("the keeper answers", func() bool {
		s.Client, err = Dial(filepath.Join(s.dir, "socket"))
		return err == nil
	})
	client := s.Client
	s.t.Cleanup(func() { client.Close() })
}

func (s *space) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Wait()
	<-s.Done()
}

func (s *space) wait(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	s.t.Fatalf("%s: never: %s", s.name, what)
}

func (s *space) has(addr string) bool {
	return strings.Contains(ip(s.t, "-n", s.name, "-o", "addr", "show", "dev", "eth0"), " "+addr+"/")
}

func (s *space) state() string {
	s.t.Helper()
	st, err := s.Status(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	g, _ := st.Group("gateway")
	return g.State
}

// calm is the time between adverts where nobody is to take over from an owner that is alive: on a busy machine
// one may be late by a second.
const calm = 400 * time.Millisecond

var realOrder = Order{
	Groups: []Group{{Name: "gateway", Epoch: 1, Priority: 220, Routers: []Router{
		{Name: "four", VRID: 51, Interface: "eth0", Interval: calm, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.100/24")}},
		{Name: "six", VRID: 51, Interface: "eth0", Interval: calm, Addresses: []netip.Prefix{netip.MustParsePrefix("fe80::100/64"), netip.MustParsePrefix("2001:db8::100/64")}},
	}}},
	Members: []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::2"),
	},
}

func (s *space) order(priority uint8) {
	s.t.Helper()
	o := realOrder
	o.Groups = slices.Clone(o.Groups)
	o.Groups[0].Priority = priority
	if err := s.Set(s.t.Context(), o); err != nil {
		s.t.Fatal(err)
	}
}

func TestTwoKeepersOnRealInterfaces(t *testing.T) {
	spaces := segment(t, 2)
	a, b := spaces[0], spaces[1]
	a.run()
	a.order(220)
	a.wait("it owns the addresses", func() bool { return a.state() == "active" && a.has("192.0.2.100") && a.has("2001:db8::100") })
	b.run()
	b.order(160)
	b.wait("it hears the owner on both families", func() bool {
		st, err := b.Status(t.Context())
		g, ok := st.Group("gateway")
		if err != nil || !ok {
			return false
		}
		for _, r := range g.Routers {
			if r.Heard == nil || !r.Heard.Member || r.Heard.Priority != 220 {
				return false
			}
		}
		return g.State == "backup"
	})

	// A planned move.
	if yields, err := a.Yield(t.Context(), "gateway", time.Second); err != nil || !yields {
		t.Fatalf("Yield = %v, %v", yields, err)
	}
	if err := b.Claim(t.Context(), "gateway", 248); err != nil {
		t.Fatal(err)
	}
	if !b.has("192.0.2.100") || !b.has("fe80::100") || !b.has("2001:db8::100") {
		t.Errorf("after the claim the new owner has not all addresses")
	}
	a.wait("it lets go", func() bool { return a.state() == "backup" && !a.has("192.0.2.100") && !a.has("2001:db8::100") })
	b.order(221) // the outcome

	// The owner's keeper dies: the other one takes over, and the addresses of the dead end.
	b.kill()
	a.wait("it takes over", func() bool { return a.state() == "active" && a.has("192.0.2.100") })
	b.wait("the addresses of the dead keeper end", func() bool { return !b.has("192.0.2.100") && !b.has("2001:db8::100") })

	// It comes back with its record alone, and takes nothing.
	b.run()
	b.wait("it is backup by its record", func() bool { return b.state() == "backup" })

	// The owner's keeper restarts so fast that nobody notices.
	a.kill()
	a.run()
	a.wait("it goes on", func() bool { return a.state() == "active" && a.has("192.0.2.100") })

	// Goodbye.
	if err := a.Stop(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if a.has("192.0.2.100") || a.has("2001:db8::100") {
		t.Errorf("after a stop with release the addresses are there")
	}
	b.wait("it takes over what was released", func() bool { return b.state() == "active" && b.has("192.0.2.100") })

	// An address that somebody removes comes back; a link that goes takes the group along.
	ip(t, "-n", b.name, "addr", "del", "192.0.2.100/24", "dev", "eth0")
	b.wait("the address is restored", func() bool { return b.has("192.0.2.100") })
	ip(t, "-n", b.name, "link", "set", "eth0", "down")
	b.wait("it has a fault", func() bool { return b.state() == "initialize" && !b.has("192.0.2.100") })
	ip(t, "-n", b.name, "link", "set", "eth0", "up")
	ip(t, "-n", b.name, "addr", "replace", "fe80::2/64", "dev", "eth0", "nodad")
	b.wait("it is active again", func() bool { return b.state() == "active" && b.has("192.0.2.100") })
}

func TestAFrozenOwnerThatThawsStaysBackup(t *testing.T) {
	spaces := segment(t, 2)
	a, b := spaces[0], spaces[1]
	a.run()
	a.order(220)
	a.wait("it owns the addresses", func() bool { return a.state() == "active" && a.has("192.0.2.100") })
	b.run()
	b.order(160)
	b.wait("it hears the owner", func() bool {
		st, err := b.Status(t.Context())
		g, ok := st.Group("gateway")
		return err == nil && ok && g.Routers[0].Heard != nil && g.Routers[1].Heard != nil
	})
	if err := a.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b.wait("it takes over", func() bool { return b.state() == "active" })
	if err := a.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	a.wait("it lets go", func() bool { return a.state() == "backup" && !a.has("192.0.2.100") })
	if st, err := b.Status(t.Context()); err != nil || len(st.Transitions) != 2 { // backup, active
		t.Errorf("the new owner was disturbed: %+v, %v", st.Transitions, err)
	}
}

// The carrier goes, and the interface is replaced by another one of its name, which is a matter of
// milliseconds for a program.
func TestV5V59V69AnInterfaceThatGoesAndComesBack(t *testing.T) {
	spaces := segment(t, 1)
	a := spaces[0]
	bridge := strings.TrimSuffix(a.name, "a") + "br"
	a.run()
	o := realOrder
	o.Groups = []Group{{Name: "gateway", Priority: 220, Routers: realOrder.Groups[0].Routers[:1]}}
	if err := a.Set(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	owns := func() bool { return a.state() == "active" && a.has("192.0.2.100") }
	a.wait("it owns the address", owns)
	if groups := ip(t, "-n", a.name, "maddr", "show", "dev", "eth0"); !strings.Contains(groups, "224.0.0.18") {
		t.Errorf("the multicast groups are %s", groups)
	}
	reason := func(want string) func() bool {
		return func() bool {
			st, err := a.Status(t.Context())
			g, _ := st.Group("gateway")
			return err == nil && g.State == "initialize" && strings.Contains(g.Reason, want) && !strings.Contains(ip(t, "-n", a.name, "-o", "addr"), "192.0.2.100")
		}
	}
	ip(t, "-n", bridge, "link", "set", "p0", "down")
	a.wait("it has no carrier", reason("link eth0 down"))
	ip(t, "-n", bridge, "link", "set", "p0", "up")
	a.wait("it owns the address again", owns)

	again := []string{"-n", bridge, "link", "add", "p0", "type", "veth", "peer", "name", "eth0", "netns", a.name}
	ip(t, "-n", bridge, "link", "del", "p0")
	a.wait("it has no interface", reason("no interface eth0"))
	ip(t, again...)
	ip(t, "-n", bridge, "link", "set", "p0", "master", "br0", "up")
	ip(t, "-n", a.name, "link", "set", "eth0", "up")
	a.wait("it has no source", reason("")) // whatever of the causes was the first is told
	ip(t, "-n", a.name, "addr", "add", "192.0.2.1/24", "dev", "eth0")
	a.wait("it owns the address on the new interface", owns)
	sent := func() uint64 {
		st, err := a.Status(t.Context())
		if err != nil || len(st.Groups) == 0 {
			return 0
		}
		return st.Groups[0].Routers[0].Sent
	}
	before := sent()
	a.wait("it sends there", func() bool { return sent() > before+3 })
	if st, err := a.Status(t.Context()); err != nil || st.Groups[0].Routers[0].Error != "" || st.Groups[0].Routers[0].Source != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("status %+v, %v", st.Groups, err)
	}
}

func TestTheClientOfAKeeper(t *testing.T) {
	spaces := segment(t, 1)
	a := spaces[0]
	a.run()
	if err := a.Set(t.Context(), Order{Groups: []Group{{Name: "gateway", Priority: 0}}}); err == nil || !strings.Contains(err.Error(), "priority 0") {
		t.Errorf("Set of a bad order: %v", err)
	}
	if err := a.Claim(t.Context(), "nothing", 248); err == nil || !strings.Contains(err.Error(), `no group "nothing"`) {
		t.Errorf("Claim of nothing: %v", err)
	}
	if err := Run(t.Context(), Config{Socket: filepath.Join(a.dir, "socket"), Log: hclog.NewNullLogger()}); err == nil || !strings.Contains(err.Error(), "another keeper runs") {
		t.Errorf("a second keeper: %v", err)
	}
	a.order(220)
	select {
	case <-a.Changed():
		if _, ok := a.Latest().Group("gateway"); !ok {
			t.Errorf("after Changed the latest status is %+v", a.Latest())
		}
	case <-time.After(10 * time.Second):
		t.Error("an order changed nothing")
	}
	if err := a.Client.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	again, err := Dial(filepath.Join(a.dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	a.Client = again
	a.wait("it went on without a client", func() bool { return a.state() == "active" && a.has("192.0.2.100") })
	if err := a.Stop(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if !a.has("192.0.2.100") {
		t.Error("after a stop without release the address is gone")
	}
	if err := a.Resign(t.Context(), "gateway", false); !errors.Is(err, ErrGone) {
		t.Errorf("Resign after the end: %v, want %v", err, ErrGone)
	}
}
