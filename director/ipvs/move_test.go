package ipvs

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/director/ipvs/quiet"
)

// network is a client, two directors and a real server. The test's namespace is the first
// director; a move takes the wires from it and gives them to the second.
type network struct {
	t              *testing.T
	client, server *host
	first, second  *Host
	spare          *host // of the second director
	table          Table
}

var (
	virtualTCP = tcp("192.0.2.1:80")
	virtualUDP = udp("192.0.2.1:53")
)

func newNetwork(t *testing.T) *network {
	t.Helper()
	needIPVS(t)
	n := &network{t: t, client: newHost(t), server: newHost(t), spare: newHost(t), first: open(t)}
	n.second = n.spare.open()
	n.client.wire("wan", "192.0.2.1/24", "192.0.2.9/24")
	n.server.wire("lan", "10.0.0.254/24", "10.0.0.1/24")
	n.table = Table{
		virtualTCP: {Service{Scheduler: "rr", Timeout: 300}, dests(one, "10.0.0.1:8080")},
		virtualUDP: {Service{Scheduler: "rr"}, dests(one, "10.0.0.1:53")},
	}.Normalize()
	forward := func() { run(t, "sysctl", "-qw", "net.ipv4.ip_forward=1") }
	forward()
	do(t, n.first, Diff(nil, n.table, nil))
	do(t, n.second, Diff(nil, n.table, nil))
	n.spare.do(func() {
		forward()
		run(t, "ip", "link", "add", "sync", "type", "veth", "peer", "name", "sync2")
		run(t, "ip", "addr", "add", "10.1.0.1/24", "dev", "sync")
		run(t, "ip", "link", "set", "sync", "up")
		run(t, "ip", "link", "set", "sync2", "up")
	})
	n.echo()
	return n
}

// echo serves TCP and UDP on the real server.
func (n *network) echo() {
	var listener net.Listener
	var packets net.PacketConn
	var err1, err2 error
	n.server.do(func() {
		listener, err1 = net.Listen("tcp", "10.0.0.1:8080")
		packets, err2 = net.ListenPacket("udp", "10.0.0.1:53")
	})
	if err := errors.Join(err1, err2); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { listener.Close(); packets.Close() })
	go func() {
		for c, err := listener.Accept(); err == nil; c, err = listener.Accept() {
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	go func() {
		b := make([]byte, 100)
		for m, from, err := packets.ReadFrom(b); err == nil; m, from, err = packets.ReadFrom(b) {
			_, _ = packets.WriteTo(b[:m], from)
		}
	}()
}

func (n *network) dial(protocol, addr string) net.Conn {
	n.t.Helper()
	var c net.Conn
	var err error
	n.client.do(func() { c, err = net.DialTimeout(protocol, addr, 3*time.Second) })
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return c
}

// ask sends a word and waits for its echo.
func ask(c net.Conn, word string) error {
	_ = c.SetDeadline(time.Now().Add(4 * time.Second))
	if _, err := c.Write([]byte(word)); err != nil {
		return err
	}
	b := make([]byte, len(word))
	_, err := io.ReadFull(c, b)
	return err
}

// move gives the wires, and the addresses on them, to the second director.
func (n *network) move() {
	for _, wire := range []struct{ name, addr string }{{"wan", "192.0.2.1/24"}, {"lan", "10.0.0.254/24"}} {
		run(n.t, "ip", "link", "set", wire.name, "netns", n.spare.path)
		n.spare.do(func() {
			run(n.t, "ip", "addr", "add", wire.addr, "dev", wire.name)
			run(n.t, "ip", "link", "set", wire.name, "up")
		})
	}
}

// push takes the first director's connections to the second.
func (n *network) push() {
	n.t.Helper()
	conns, err := n.first.Conns()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := n.second.StartDaemon(n.t.Context(), Daemon{Interface: "sync", SyncID: 5}); err != nil {
		n.t.Fatal(err)
	}
	conns = n.table.Resolve(conns)
	if err := n.second.Inject(n.t.Context(), conns); err != nil {
		n.t.Fatal(err)
	}
	got, err := n.second.Conns()
	if err != nil {
		n.t.Fatal(err)
	}
	// An entry that another has taken the place of is there until the kernel's timers run, at the next tick.
	got = slices.DeleteFunc(got, func(c Conn) bool { return c.Real == c.Virtual })
	plain := func(conns []Conn) []Conn {
		for i := range conns {
			conns[i].Expires = 0
		}
		slices.SortFunc(conns, func(a, b Conn) int { return a.Client.Compare(b.Client) })
		return conns
	}
	if diff := cmp.Diff(plain(conns), plain(n.table.Resolve(got)), compare); diff != "" || len(got) == 0 {
		n.t.Errorf("connections of the second director (-sent +there):\n%s", diff)
	}
}

func TestConnectionsGoOnThroughTheDirectorThatTheyWerePushedTo(t *testing.T) {
	n := newNetwork(t)
	c, u := n.dial("tcp", "192.0.2.1:80"), n.dial("udp", "192.0.2.1:53")
	if err := errors.Join(ask(c, "one"), ask(u, "one")); err != nil {
		t.Fatal(err)
	}
	n.push()
	n.push() // again renews
	n.move()
	if err := errors.Join(ask(c, "two"), ask(u, "two")); err != nil {
		t.Errorf("after the move: %v", err)
	}
	conns, err := n.second.Conns()
	if err != nil || len(conns) != 3 { // TCP, its template, UDP
		t.Errorf("connections of the second director: %v, %v", conns, err)
	}
}

func TestAConnectionThatIsNotPushedIsReset(t *testing.T) {
	n := newNetwork(t)
	c := n.dial("tcp", "192.0.2.1:80")
	if err := ask(c, "one"); err != nil {
		t.Fatal(err)
	}
	n.move()
	if err := ask(c, "two"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("without the entry and the guard: %v, want %v", err, syscall.ECONNRESET)
	}
}

func TestAQuietAddressWaitsForTheEntryOfAFlowThatItDoesNotKnow(t *testing.T) {
	n := newNetwork(t)
	c := n.dial("tcp", "192.0.2.1:80")
	if err := ask(c, "one"); err != nil {
		t.Fatal(err)
	}
	guard := quiet.New()
	defer guard.Close()
	n.spare.do(func() { // the address is not there yet
		if err := guard.Set(QuietAddresses(n.table, func(netip.Addr) bool { return false })); err != nil {
			t.Error(err)
		}
	})
	n.move()
	late := make(chan error, 1)
	go func() { late <- ask(c, "two") }()
	select {
	case err := <-late:
		t.Fatalf("the flow ended before its entry came: %v", err)
	case <-time.After(600 * time.Millisecond):
	}
	n.push()
	if err := <-late; err != nil {
		t.Errorf("after the entry came: %v", err)
	}
	if err := ask(n.dial("tcp", "192.0.2.1:80"), "new"); err != nil {
		t.Errorf("a new connection to a quiet address: %v", err)
	}
}

// The client had a connection from the same port before, to another real server, and it is over.
func TestAConnectionThatIsOverDoesNotResetTheNextFromItsPort(t *testing.T) {
	for name, forgets := range map[string]bool{"forgotten": true, "not": false} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			c := n.dial("tcp", "192.0.2.1:80")
			if err := ask(c, "one"); err != nil {
				t.Fatal(err)
			}
			guard := quiet.New()
			defer guard.Close()
			n.spare.do(func() {
				if err := guard.Set(QuietAddresses(n.table, func(netip.Addr) bool { return false })); err != nil {
					t.Error(err)
				}
			})
			if err := n.second.StartDaemon(t.Context(), Daemon{Interface: "sync", SyncID: 5}); err != nil {
				t.Fatal(err)
			}
			over := flow(TCP, c.LocalAddr().String(), "192.0.2.1:80", "10.0.0.1:9", timeWait, 100)
			if err := n.second.Inject(t.Context(), []Conn{over}); err != nil {
				t.Fatal(err)
			}
			own, err := n.second.Conns()
			if err != nil || len(own) != 1 || !own[0].Ended() {
				t.Fatalf("%+v, %v", own, err)
			}
			if forgets {
				if err := n.second.Inject(t.Context(), Forgotten(own, nil)); err != nil {
					t.Fatal(err)
				}
			}
			n.move()
			late := make(chan error, 1)
			go func() { late <- ask(c, "two") }()
			select {
			case err := <-late:
				if forgets || !errors.Is(err, syscall.ECONNRESET) {
					t.Fatalf("the flow ended before its entry came: %v", err)
				}
				return
			case <-time.After(600 * time.Millisecond):
			}
			n.push()
			if err := <-late; err != nil || !forgets {
				t.Errorf("after the entry came: %v", err)
			}
		})
	}
}

func TestAYoungConnectionTakesThePlaceOfOneThatIsOver(t *testing.T) {
	needIPVS(t)
	h, peer := open(t), newHost(t)
	peer.wire("lan", "10.0.0.1/24", "10.0.0.2/24")
	if err := h.StartDaemon(t.Context(), Daemon{Interface: "lan", SyncID: 5}); err != nil {
		t.Fatal(err)
	}
	const synReceived = 3
	over := flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", timeWait, 100)
	young := flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.3:8080", synReceived, 60)
	if err := errors.Join(h.Inject(t.Context(), []Conn{over}), h.Inject(t.Context(), []Conn{young})); err != nil {
		t.Fatal(err)
	}
	got, err := h.Conns()
	if err != nil || !slices.ContainsFunc(got, func(c Conn) bool { return c.Real == young.Real && c.State == synReceived }) {
		t.Errorf("Conns = %+v, %v", got, err)
	}
}

// The kernel schedules by what is active: with direct routing most of what is done is in FIN_WAIT.
func TestAConnectionThatEndsIsInactiveAndTakesThePlaceOfOneThatIsOver(t *testing.T) {
	for name, state := range map[string]uint16{"FIN_WAIT": finWait, "CLOSE_WAIT": closeWait, "LAST_ACK": lastAck} {
		t.Run(name, func(t *testing.T) {
			needIPVS(t)
			h, peer := open(t), newHost(t)
			peer.wire("lan", "10.0.0.1/24", "10.0.0.2/24")
			if err := h.StartDaemon(t.Context(), Daemon{Interface: "lan", SyncID: 5}); err != nil {
				t.Fatal(err)
			}
			table := Table{virtualTCP: {Service{Scheduler: "lc"}, dests(one, "10.0.0.1:8080", "10.0.0.3:8080")}}.Normalize()
			do(t, h, Diff(nil, table, nil))
			const established = 1
			over := flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", timeWait, 100)
			ends := flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.3:8080", state, 60)
			lives := flow(TCP, "192.0.2.9:52019", "192.0.2.1:80", "10.0.0.3:8080", established, 60)
			for _, conns := range [][]Conn{{over}, {ends, lives}, {ends, lives}} { // again renews
				if err := h.Inject(t.Context(), conns); err != nil {
					t.Fatal(err)
				}
			}
			got, err := h.Conns()
			if err != nil || !slices.ContainsFunc(got, func(c Conn) bool { return c.Real == ends.Real && c.State == state }) {
				t.Errorf("Conns = %+v, %v", got, err)
			}
			counters, err := h.Counters(t.Context())
			if c := counters[virtualTCP][ends.Real]; err != nil || c.Active != 1 || c.Inactive != 1 {
				t.Errorf("counters of the real server: %+v, %v; want one active, and one inactive", c, err)
			}
		})
	}
}

func TestWhatIsInjectedStaysOnTheHost(t *testing.T) {
	needIPVS(t)
	h, peer := open(t), newHost(t)
	peer.wire("lan", "10.0.0.1/24", "10.0.0.2/24")
	var ear *net.UDPConn
	peer.do(func() {
		eth0, err := net.InterfaceByName("eth0")
		if err == nil {
			ear, err = net.ListenMulticastUDP("udp4", eth0, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 81), Port: 8848})
		}
		if err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	defer ear.Close()
	conns := []Conn{flow(TCP, "192.0.2.9:52018", "192.0.2.1:80", "10.0.0.1:8080", 1, 100)}
	if err := h.Inject(t.Context(), conns); !errors.Is(err, ErrNoBackup) {
		t.Errorf("Inject without a daemon = %v, want %v", err, ErrNoBackup)
	}
	if err := h.StartDaemon(t.Context(), Daemon{Interface: "lan", SyncID: 5}); err != nil {
		t.Fatal(err)
	}
	if err := h.Inject(t.Context(), conns); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Conns(); err != nil || len(got) != 1 {
		t.Errorf("Conns = %v, %v", got, err)
	}
	b := make([]byte, 2000)
	_ = ear.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if m, err := ear.Read(b); err == nil {
		t.Errorf("the peer heard %x", b[:m])
	}
	out, err := net.Dial("udp4", "224.0.0.81:8848") // the same by a common socket: the peer has ears
	if err == nil {
		_, err = out.Write([]byte("x"))
	}
	if err != nil {
		run(t, "ip", "route", "add", "224.0.0.0/4", "dev", "lan")
		if out, err = net.Dial("udp4", "224.0.0.81:8848"); err == nil {
			_, err = out.Write([]byte("x"))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	_ = ear.SetReadDeadline(time.Now().Add(2 * time.Second))
	if _, err := ear.Read(b); err != nil {
		t.Errorf("the peer is deaf: %v", err)
	}
}

func TestManyConnectionsAreInjectedWithoutLoss(t *testing.T) {
	needIPVS(t)
	h, peer := open(t), newHost(t)
	peer.wire("lan", "10.0.0.1/24", "10.0.0.2/24")
	if err := h.StartDaemon(t.Context(), Daemon{Interface: "lan", SyncID: 5}); err != nil {
		t.Fatal(err)
	}
	conns := make([]Conn, 20_000)
	for i := range conns {
		conns[i] = flow(TCP, "192.0.2.9:1", "192.0.2.1:80", "10.0.0.1:8080", 1, 100)
		conns[i].Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 14), 1}), uint16(1+i&(1<<14-1)))
	}
	start := time.Now()
	if err := h.Inject(t.Context(), conns); err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	got, err := h.Conns()
	t.Logf("%d connections in %v", len(conns), took)
	if err != nil || len(got) != len(conns) {
		t.Errorf("%d connections are there, %v; want %d", len(got), err, len(conns))
	}
	if got, err := h.ConnsWithin(t.Context(), 10<<20); err != nil || len(got) != len(conns) {
		t.Errorf("%d connections are read in good time, %v; want %d", len(got), err, len(conns))
	}
	if _, err := h.ConnsWithin(t.Context(), 1<<20); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a table of more than 1 MiB: %v, want %v", err, ErrTooLarge)
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.ConnsWithin(late, 10<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("when its time has ended: %v, want %v", err, context.Canceled)
	}
}

func TestTheKernelSaysWhetherASYNBeginsAConnectionAnew(t *testing.T) {
	needIPVS(t)
	h := open(t)
	for mode, want := range map[string]bool{"0": false, "1": true} {
		run(t, "sysctl", "-qw", "net.ipv4.vs.conn_reuse_mode="+mode)
		if got := h.Reuses(); got != want {
			t.Errorf("Reuses = %v where conn_reuse_mode is %s", got, mode)
		}
	}
}

func TestEveryAddressFamilyIsInjected(t *testing.T) {
	needIPVS(t)
	h, peer := open(t), newHost(t)
	peer.wire("lan", "10.0.0.1/24", "10.0.0.2/24")
	if err := h.StartDaemon(t.Context(), Daemon{Interface: "lan", SyncID: 5}); err != nil {
		t.Fatal(err)
	}
	sent, err := ParseConns(strings.NewReader(connTable))
	if err == nil {
		err = h.Inject(t.Context(), sent)
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Conns()
	if err != nil || len(got) != len(sent) {
		b, _ := os.ReadFile(procNet + "ip_vs_conn")
		t.Errorf("%d of %d connections are there, %v\n%s", len(got), len(sent), err, b)
	}
}
