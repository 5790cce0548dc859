package ipvs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	moby "github.com/moby/ipvs"
	"golang.org/x/sys/unix"
)

var compare = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// schedulers are those that the field's best known article names.
var schedulers = strings.Fields("rr wrr lc wlc lblc lblcr dh sh sed nq")

func tcp(s string) Key { return Key{Protocol: TCP, Address: netip.MustParseAddrPort(s)} }
func udp(s string) Key { return Key{Protocol: UDP, Address: netip.MustParseAddrPort(s)} }

func dests(d Dest, addrs ...string) map[netip.AddrPort]Dest {
	m := make(map[netip.AddrPort]Dest)
	for _, a := range addrs {
		m[netip.MustParseAddrPort(a)] = d
	}
	return m
}

// everything is a table with every option that the package knows.
func everything() Table {
	t := Table{
		tcp("192.0.2.1:443"): {Service{Scheduler: "wrr", Timeout: 300, Netmask: 24}, dests(Dest{Weight: 65535, Upper: 10, Lower: 5}, "10.0.0.1:8443", "10.0.0.2:443")},
		udp("192.0.2.1:53"):  {Service{Scheduler: "rr", Flags: FlagOnePacket}, dests(Dest{Weight: 1}, "10.0.0.1:53")},
		tcp("192.0.2.2:0"):   {Service{Scheduler: "rr", Timeout: 360}, dests(Dest{Weight: 1, Forward: Direct}, "10.0.0.1:0")},
		tcp("192.0.2.3:80"): {Service{Scheduler: "sh", Flags: FlagSched1 | FlagSched2}, map[netip.AddrPort]Dest{
			netip.MustParseAddrPort("10.0.0.1:80"): {Weight: 0, Forward: Tunnel},
			netip.MustParseAddrPort("10.0.0.2:80"): {Weight: 2, Forward: Tunnel, Encap: Encapsulation{Type: 1, Port: 6080}},
			netip.MustParseAddrPort("10.0.0.3:80"): {Weight: 3, Forward: Tunnel, Encap: Encapsulation{Type: 2, Flags: 1}},
			netip.MustParseAddrPort("10.0.0.4:80"): {Weight: 4, Forward: Direct},
		}},
		{Mark: 7}:                         {Service{Scheduler: "wlc"}, dests(Dest{Weight: 1}, "10.0.0.1:0")},
		{Mark: 7, IPv6: true}:             {Service{Scheduler: "wlc", Timeout: 60}, dests(Dest{Weight: 1, Forward: Direct}, "[fd00::9]:0")},
		tcp("[2001:db8::1]:80"):           {Service{Scheduler: "lc", Timeout: 20, Netmask: 64}, dests(Dest{Weight: 1}, "[fd00::1]:8080", "[fd00::2]:80")},
		udp("[2001:db8::1]:53"):           {Service{Scheduler: "mh", Flags: FlagSched2}, dests(Dest{Weight: 1, Forward: Tunnel}, "[fd00::1]:53", "10.9.9.9:53")},
		udp("192.0.2.4:5060"):             {Service{Scheduler: "rr", Timeout: 60, Engine: "sip", Flags: FlagOnePacket}, nil},
		tcp("[::ffff:198.51.100.7]:8080"): {Service: Service{}, Dests: dests(Dest{Weight: 1 << 20}, "[::ffff:10.0.0.1]:80")},
	}
	for i, name := range schedulers {
		t[tcp(fmt.Sprintf("192.0.2.100:%d", 8000+i))] = Entry{Service{Scheduler: name}, dests(Dest{Weight: 1}, "10.0.0.1:80", "10.0.0.2:80")}
	}
	return t.Normalize()
}

func do(t *testing.T, h *Host, ops []Op) {
	t.Helper()
	for i, err := range h.Do(t.Context(), ops) {
		if err != nil {
			t.Errorf("%v: %v", ops[i], err)
		}
	}
}

func table(t *testing.T, h *Host) Table {
	t.Helper()
	got, err := h.Table(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhatWasWrittenReadsBackEqual(t *testing.T) {
	needIPVS(t)
	h, want := open(t), everything()
	do(t, h, Diff(nil, want, nil))
	got := table(t, h)
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(saved(run(t, "ipvsadm", "-Sn")), saved(want.Save())); diff != "" {
		t.Errorf("Save (-ipvsadm +ours):\n%s", diff)
	}
	if ops := Diff(got, want, nil); len(ops) != 0 {
		t.Errorf("Diff after apply = %v", ops)
	}
}

func TestATableThatIpvsadmWroteIsReadAsTheSame(t *testing.T) {
	needIPVS(t)
	want := everything()
	cmd := exec.CommandContext(t.Context(), "ipvsadm", "-R")
	// a destination of another family is not something that ipvsadm can be told
	mixed := netip.MustParseAddrPort("10.9.9.9:53")
	delete(want[udp("[2001:db8::1]:53")].Dests, mixed)
	cmd.Stdin = strings.NewReader(want.Save())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ipvsadm -R: %v\n%s", err, out)
	}
	if diff := cmp.Diff(want, table(t, open(t)), compare); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestAnotherLibraryReadsTheSameTable(t *testing.T) {
	needIPVS(t)
	h, err := moby.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for port := range uint16(20) {
		s := &moby.Service{Address: net.ParseIP("192.0.2.1"), Protocol: unix.IPPROTO_TCP, Port: port, SchedName: "wrr", Netmask: ^uint32(0), AddressFamily: unix.AF_INET, Flags: 1, Timeout: 60}
		d := &moby.Destination{Address: net.ParseIP("10.0.0.1"), Port: 80, Weight: int(port), ConnectionFlags: moby.ConnectionFlagDirectRoute, AddressFamily: unix.AF_INET}
		if err := errors.Join(h.NewService(s), h.NewDestination(s, d)); err != nil {
			t.Fatal(err)
		}
	}
	got := table(t, open(t))
	for port := range uint16(20) {
		key := Key{Protocol: TCP, Address: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)}
		want := Entry{Service{Scheduler: "wrr", Flags: FlagPersistent, Timeout: 60, Netmask: 32}, dests(Dest{Weight: uint32(port), Forward: Direct}, "10.0.0.1:80")}
		if diff := cmp.Diff(want, got[key], compare); diff != "" {
			t.Errorf("%v (-want +got):\n%s", key, diff)
		}
	}
}

func TestOperationsMayBeCarriedOutTwice(t *testing.T) {
	needIPVS(t)
	h, want := open(t), everything()
	ops := Diff(nil, want, nil)
	do(t, h, ops)
	do(t, h, ops)
	if diff := cmp.Diff(want, table(t, h), compare); diff != "" {
		t.Errorf("table after the second time (-want +got):\n%s", diff)
	}
	key, addr := tcp("192.0.2.200:1"), netip.MustParseAddrPort("10.0.0.1:80")
	service := Service{Scheduler: "rr"}.Normalize(key)
	do(t, h, []Op{
		{Verb: SetService, Key: key, Service: service}, // an edit of what is missing adds it
		{Verb: SetDest, Key: tcp("192.0.2.1:443"), Addr: netip.MustParseAddrPort("10.0.0.9:9"), Dest: Dest{Weight: 4}},
		{Verb: DelDest, Key: key, Addr: addr},
		{Verb: DelDest, Key: tcp("192.0.2.201:1"), Addr: addr},
		{Verb: DelService, Key: tcp("192.0.2.201:1")},
	})
	got := table(t, h)
	if _, ok := got[key]; !ok || got[tcp("192.0.2.1:443")].Dests[netip.MustParseAddrPort("10.0.0.9:9")].Weight != 4 {
		t.Errorf("after edits of what was missing: %s", got.Save())
	}
}

func TestWeightsAreEditedInPlace(t *testing.T) {
	needIPVS(t)
	h := open(t)
	key := tcp("192.0.2.1:80")
	have := Table{key: {Service{Scheduler: "wrr"}, dests(Dest{Weight: 1}, "10.0.0.1:80")}}.Normalize()
	do(t, h, Diff(nil, have, nil))
	client := newHost(t)
	client.wire("wan", "192.0.2.1/24", "192.0.2.9/24")
	client.do(func() {
		if c, err := net.DialTimeout("tcp", "192.0.2.1:80", 100*time.Millisecond); err == nil {
			c.Close()
		}
	})
	counted := func() bool { // the kernel sums its counters up every two seconds
		return strings.Contains(run(t, "ipvsadm", "-Ln", "--stats"), "192.0.2.1:80                        1 ")
	}
	for deadline := time.Now().Add(5 * time.Second); !counted(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no connection was counted:\n" + run(t, "ipvsadm", "-Ln", "--stats"))
		}
	}
	want := Table{key: {Service{Scheduler: "wlc"}, dests(Dest{Weight: 7}, "10.0.0.1:80")}}.Normalize()
	do(t, h, Diff(have, want, Ledger{key: true}))
	if !counted() {
		t.Error("the counters started anew, so it was not an edit:\n" + run(t, "ipvsadm", "-Ln", "--stats"))
	}
	if diff := cmp.Diff(want, table(t, h), compare); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestOneRefusedOperationDoesNotStopTheOthers(t *testing.T) {
	needIPVS(t)
	h := open(t)
	good, bad := tcp("192.0.2.1:80"), tcp("192.0.2.2:80")
	want := Table{
		good: {Service{Scheduler: "rr"}, dests(Dest{Weight: 1}, "10.0.0.1:80")},
		bad:  {Service{Scheduler: "nosuch"}, dests(Dest{Weight: 1}, "10.0.0.1:80")},
	}.Normalize()
	ops := Diff(nil, want, nil)
	ops = append(ops, Op{Verb: AddDest, Key: good}, Op{Verb: AddService, Key: Key{}})
	errs := h.Do(t.Context(), ops)
	for i, op := range ops {
		refused := op.Key != good || op.Verb == AddDest && !op.Addr.IsValid()
		if refused != (errs[i] != nil) {
			t.Errorf("%v: %v", op, errs[i])
		}
	}
	delete(want, bad)
	if diff := cmp.Diff(want, table(t, h), compare); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestALargeTableGoesThroughInBatches(t *testing.T) {
	needIPVS(t)
	h, want := open(t), make(Table)
	for s := range 300 {
		key := Key{Protocol: TCP, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(s)}), uint16(s))}
		entry := Entry{Service: Service{Scheduler: "wrr"}, Dests: make(map[netip.AddrPort]Dest)}
		for d := range 20 {
			entry.Dests[netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(s), byte(d)}), 80)] = Dest{Weight: uint32(d)}
		}
		want[key] = entry
	}
	want = want.Normalize()
	ours := make(Ledger)
	for key := range want {
		ours[key] = true
	}
	start := time.Now()
	do(t, h, Diff(nil, want, nil))
	wrote := time.Since(start)
	got := table(t, h)
	t.Logf("6,300 objects: written in %v, read in %v", wrote, time.Since(start)-wrote)
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	do(t, h, Diff(got, nil, ours))
	if got := table(t, h); len(got) != 0 {
		t.Errorf("%d services are left", len(got))
	}
}
