package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pair is two hosts on two segments, each with a listener for everything that is asked of it below.
func pair(t *testing.T) (n *Net, outer, inner *Segment, a, b *Host) {
	t.Helper()
	n = New(t)
	outer, inner = n.Segment("outer"), n.Segment("inner")
	a = n.Host("a", outer.At("192.0.2.1/24"), inner.At("198.51.100.1/24"))
	b = n.Host("b", outer.At("192.0.2.2/24"), inner.At("198.51.100.2/24"))
	return n, outer, inner, a, b
}

// pings tells whether a request from one address to the other is answered.
func pings(t *testing.T, from *Host, to string) bool {
	t.Helper()
	p := from.Probe(Probe{To: to, Interval: 20 * time.Millisecond})
	time.Sleep(100 * time.Millisecond)
	r := p.Close()
	return r.Answered > 0
}

// passes tells whether a packet of that IP protocol, or to that UDP port, arrives.
func passes(t *testing.T, from, to *Host, network, address string) bool {
	t.Helper()
	var in net.PacketConn
	var out net.Conn
	var err1, err2 error
	host, _, _ := strings.Cut(address, ":")
	if err := errors.Join(
		to.Do(func() { in, err1 = net.ListenPacket(network, address) }),
		from.Do(func() { out, err2 = net.Dial(network, address) }),
	); err != nil || err1 != nil || err2 != nil {
		t.Fatal(err, err1, err2, host)
	}
	defer in.Close()
	defer out.Close()
	out.Write([]byte("anybody there?"))
	in.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, _, err := in.ReadFrom(make([]byte, 100))
	return err == nil
}

func TestARewiredHostKeepsItsCarrierAndReachesNobody(t *testing.T) {
	n, outer, _, a, _ := pair(t)
	undo := n.Rewire(a, outer, n.Segment("elsewhere"))
	if pings(t, a, "192.0.2.2") || !pings(t, a, "198.51.100.2") {
		t.Error("it is not where it was put")
	}
	if text := strings.TrimSpace(a.MustRun("cat", "/sys/class/net/eth0/carrier")); text != "1" {
		t.Errorf("carrier: %q", text)
	}
	undo()
	undo() // again
	for end := time.Now().Add(5 * time.Second); !pings(t, a, "192.0.2.2"); {
		if time.Now().After(end) {
			t.Fatal("it does not come back")
		}
	}
}

func TestPartitionDropsThatTrafficInThatDirectionUntilUndone(t *testing.T) {
	n, outer, inner, a, b := pair(t)
	for _, tt := range []struct {
		name             string
		what             Traffic
		network, address string
	}{
		{"VRRP", VRRP(), "ip4:112", "192.0.2.2"},
		{"gossip", GossipTraffic(), "udp4", "192.0.2.2:7401"},
		{"everything", AllTraffic(), "ip4:112", "192.0.2.2"},
		{"IPVS sync", SyncTraffic(), "udp4", "192.0.2.2:8848"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !passes(t, a, b, tt.network, tt.address) {
				t.Error("dropped before the fault")
			}
			undo := n.DropFrom(a, b, tt.what, outer)
			if passes(t, a, b, tt.network, tt.address) {
				t.Error("passes in spite of the fault")
			}
			if tt.name != "everything" && !pings(t, a, "192.0.2.2") {
				t.Error("other traffic is dropped as well")
			}
			back := strings.Replace(tt.address, "192.0.2.2", "192.0.2.1", 1)
			if !passes(t, b, a, tt.network, back) {
				t.Error("the other direction is dropped as well")
			}
			if !pings(t, a, "198.51.100.2") {
				t.Error("the other segment is cut as well")
			}
			undo()
			undo()
			if !passes(t, a, b, tt.network, tt.address) {
				t.Error("dropped after the fault was undone")
			}
		})
	}
	undo := n.Partition([]*Host{a}, []*Host{b}, AllTraffic())
	if pings(t, a, "192.0.2.2") || pings(t, b, "198.51.100.1") {
		t.Error("a partition of everything lets something pass")
	}
	undo()
	if !pings(t, a, "192.0.2.2") || !pings(t, b, "198.51.100.1") {
		t.Error("a partition that was undone drops something")
	}
	_ = inner
}

func TestClusterTrafficIsDroppedInBothRolesOfAConnection(t *testing.T) {
	n, _, _, a, b := pair(t)
	dial := func(from, to *Host, address string) error {
		var ln net.Listener
		var err error
		to.Do(func() { ln, err = net.Listen("tcp4", address) })
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		from.Do(func() {
			var c net.Conn
			if c, err = net.DialTimeout("tcp4", address, 300*time.Millisecond); err == nil {
				c.Close()
			}
		})
		return err
	}
	undo := n.DropFrom(a, b, ClusterTraffic())
	if dial(a, b, "192.0.2.2:7400") == nil || dial(b, a, "192.0.2.1:7400") == nil {
		t.Error("a connection came to be")
	}
	if err := dial(a, b, "192.0.2.2:7402"); err != nil {
		t.Errorf("another port: %v", err)
	}
	undo()
	if err := errors.Join(dial(a, b, "192.0.2.2:7400"), dial(b, a, "192.0.2.1:7400")); err != nil {
		t.Error(err)
	}
}

func TestARPCanBeLostAlone(t *testing.T) {
	n, outer, _, a, b := pair(t)
	if got := a.AskARP(outer, "192.0.2.2", 100*time.Millisecond); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("before the fault: %v", got)
	}
	undo := n.Partition([]*Host{a}, []*Host{b}, ARP())
	if got := a.AskARP(outer, "192.0.2.2", 100*time.Millisecond); len(got) > 0 {
		t.Errorf("with the fault %v answers", got)
	}
	undo()
	if got := a.AskARP(outer, "192.0.2.2", 100*time.Millisecond); !slices.Equal(got, []string{"b"}) {
		t.Errorf("after the fault: %v", got)
	}
}

func TestUnplugTakesTheCarrierAway(t *testing.T) {
	n, outer, _, a, _ := pair(t)
	carrier := func() string { return strings.TrimSpace(a.MustRun("cat", "/sys/class/net/eth0/carrier")) }
	if got := carrier(); got != "1" {
		t.Fatalf("carrier before: %s", got)
	}
	undo := n.Unplug(a, outer)
	if got := carrier(); got != "0" {
		t.Errorf("carrier without cable: %s", got)
	}
	if pings(t, a, "192.0.2.2") || !pings(t, a, "198.51.100.2") {
		t.Error("the wrong cable was pulled")
	}
	undo()
	Eventually(t, 3*time.Second, "the cable works again", func() error {
		if !pings(t, a, "192.0.2.2") {
			return errors.New("no answer")
		}
		return nil
	})
}

func TestDeathEndsDetachedProcessesAndRevivalStartsFresh(t *testing.T) {
	n, _, _, a, b := pair(t)
	p := a.Start("sleep", "sleep", "1000")
	a.MustRun("sh", "-c", "setsid sleep 1001 >/dev/null 2>&1 & ip addr add 192.0.2.9/24 dev eth0")
	sp, err := a.on()
	if err != nil {
		t.Fatal(err)
	}
	before := processesIn(sp)
	if len(before) != 2 || !pings(t, b, "192.0.2.9") {
		t.Fatalf("processes before: %v", before)
	}
	a.Die()
	for _, pid := range before { // which left its network before it was gone itself
		Eventually(t, 2*time.Second, "a process has ended", func() error {
			if syscall.Kill(pid, 0) == nil && !zombie(pid) {
				return fmt.Errorf("process %d lives", pid)
			}
			return nil
		})
	}
	if p.Alive() || a.On() || a.Addresses("") != nil || len(n.Owners("192.0.2.9")) > 0 {
		t.Error("something lives on")
	}
	if _, err := a.Run(context.Background(), "true"); !errors.Is(err, errOff) {
		t.Errorf("a command on a dead machine: %v", err)
	}
	a.Revive()
	if !pings(t, b, "192.0.2.1") || pings(t, b, "192.0.2.9") {
		t.Error("after its revival the machine has the wrong addresses")
	}
	if _, err := os.Stat(a.LogFile("sleep")); err != nil {
		t.Errorf("its disk: %v", err)
	}
}

func TestAFullDiskHasNoRoomUntilUndone(t *testing.T) {
	n := New(t)
	d := n.Director("d", n.Segment("s").At("192.0.2.1/24"))
	write := func() error {
		_, err := d.Run(context.Background(), "sh", "-c", "head -c 10000 /dev/zero >> "+filepath.Join(d.DataDir(), "x"))
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	undo := d.FillDisk()
	if write() == nil {
		t.Error("a full disk takes more")
	}
	undo()
	if err := write(); err != nil {
		t.Error(err)
	}
}

func TestLossAndDelayAreMeasured(t *testing.T) {
	n, outer, _, a, b := pair(t)
	measure := func() ProbeReport {
		p := a.Probe(Probe{To: "192.0.2.2", Interval: 5 * time.Millisecond})
		time.Sleep(time.Second)
		r := p.Close()
		t.Log(r)
		return r
	}
	if r := measure(); r.Lost > 0 || r.Sent < 100 || r.Longest > r.Stall+20*time.Millisecond {
		t.Errorf("without a fault: %v", r)
	}
	undo := n.Lose(b, 0.3, outer)
	if r := measure(); r.Lost < r.Sent/3 || r.Lost > r.Sent*2/3 { // 0.3 each way: half
		t.Errorf("with a loss of 0.3 each way: %v", r)
	}
	undo()
	if r := measure(); r.Lost > 0 {
		t.Errorf("after the loss: %v", r)
	}
	undo, err := n.Delay(b, 100*time.Millisecond, 0, outer)
	if errors.Is(err, ErrNoDelay) {
		t.Log(err)
		return
	}
	roundTrip := func() time.Duration {
		start := time.Now()
		a.MustRun("ping", "-c1", "-W2", "192.0.2.2")
		return time.Since(start)
	}
	if got := roundTrip(); got < 200*time.Millisecond {
		t.Errorf("round trip with a delay of 100 ms each way: %v", got)
	}
	undo()
	if got := roundTrip(); got > 150*time.Millisecond {
		t.Errorf("round trip after the delay: %v", got)
	}
}

func TestAProberMeasuresAGapItWasGiven(t *testing.T) {
	n, _, _, a, b := pair(t)
	p := a.Probe(Probe{To: "192.0.2.2"})
	time.Sleep(300 * time.Millisecond)
	begin := time.Now()
	undo := n.DropFrom(a, b, AllTraffic())
	time.Sleep(400 * time.Millisecond)
	undo()
	gap := time.Since(begin)
	time.Sleep(300 * time.Millisecond)
	r := p.Close()
	t.Logf("%v; cut for at most %v", r, gap)
	if r.Longest < 400*time.Millisecond || r.Longest > gap+100*time.Millisecond {
		t.Errorf("longest gap %v, cut for %v", r.Longest, gap)
	}
	if r.At.Before(begin.Add(-100*time.Millisecond)) || r.At.After(begin.Add(gap)) {
		t.Errorf("gap at %v, cut at %v", r.At, begin)
	}
}

func TestAFrozenProcessThaws(t *testing.T) {
	n := New(t)
	h := n.Host("h")
	p := h.Start("ticks", "sh", "-c", "while sleep 0.02; do echo tick; done")
	size := func() int64 {
		st, err := os.Stat(h.LogFile("ticks"))
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	grows := func() bool {
		before := size()
		time.Sleep(400 * time.Millisecond)
		return size() > before
	}
	if !grows() {
		t.Fatal("does not run")
	}
	if err := p.Freeze(); err != nil || grows() {
		t.Errorf("a frozen process runs (%v)", err)
	}
	if err := p.Thaw(); err != nil || !grows() {
		t.Errorf("a thawed process does not run (%v)", err)
	}
	p.Kill()
	if p.Alive() || p.Wait(t.Context()) == nil {
		t.Error("a killed process lives")
	}
}

func TestADeadHostKeepsItsName(t *testing.T) {
	n := New(t)
	wire := n.Segment("wire")
	a := n.Host("a", wire.At("192.0.2.1/24"))
	a.Die()
	other := New(t)
	other.Host("a", other.Segment("wire").At("192.0.2.1/24"))
	a.Revive()
}
