package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// alone runs the rest of a test in a process that is in a network namespace of its own with all its threads,
// and reports whether this is that process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	if os.Getenv("QUORATE_TEST_ALONE") != "" {
		return true
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--net", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "QUORATE_TEST_ALONE=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("in a namespace: %v", err)
	}
	return false
}

// seen is what a watcher told.
type seen struct {
	mu       sync.Mutex
	answered map[Target][]time.Time
	failed   map[Target]error // of the last question
	ran      map[string]time.Time
	ended    map[string]bool
}

// watched runs a watcher until the test ends.
func watched(t *testing.T, targets ...Target) (*Watcher, *seen) {
	t.Helper()
	s := &seen{answered: map[Target][]time.Time{}, failed: map[Target]error{}, ran: map[string]time.Time{}, ended: map[string]bool{}}
	do := func(f func()) { s.mu.Lock(); defer s.mu.Unlock(); f() }
	w := NewWatcher(WatchConfig{
		Every:    100 * time.Millisecond,
		Asked:    func(t Target, _ time.Time, err error) { do(func() { s.failed[t] = err }) },
		Answered: func(t Target, at time.Time) { do(func() { s.answered[t] = append(s.answered[t], at) }) },
		Ran:      func(segment string, at time.Time) { do(func() { s.ran[segment] = at }) },
		Ended:    func(segment string) { do(func() { s.ended[segment] = true }) },
	})
	w.Set(targets)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return w, s
}

// last is when a target answered last.
func (s *seen) last(t Target) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.answered[t]; len(all) > 0 {
		return all[len(all)-1]
	}
	return time.Time{}
}

func (s *seen) err(t Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[t]
}

// answers waits until a target answers after a time.
func (s *seen) answers(t *testing.T, target Target, after time.Time, within time.Duration) {
	t.Helper()
	for !s.last(target).After(after) {
		if time.Since(after) > within {
			t.Fatalf("%v has not answered for %v, err %v", target, time.Since(after), s.err(target))
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("%s answers after %v", target.Address, s.last(target).Sub(after).Round(time.Millisecond))
}

var (
	there4  = Target{"qa", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	absent4 = Target{"qa", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")}
	there6  = Target{"qa", netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")}
	absent6 = Target{"qa", netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::9")}
)

// late is how much a machine that others use may be late.
const late = 150 * time.Millisecond

func TestWhoStopsAnsweringIsKnownToAPeriod(t *testing.T) {
	if !alone(t) {
		return
	}
	n := newNeighbour(t)
	_, s := watched(t, there4, absent4, there6, absent6)
	for _, target := range []Target{there4, there6} {
		s.answers(t, target, time.Now(), 2*time.Second)
	}
	time.Sleep(time.Second)
	before := time.Now()
	n.run("ip", "addr", "flush", "dev", "qb")
	after := time.Now()
	time.Sleep(500 * time.Millisecond)
	for _, target := range []Target{there4, there6} {
		if at := s.last(target); at.Before(before.Add(-100*time.Millisecond-late)) || at.After(after.Add(late)) {
			t.Errorf("%s ended to answer between %v and %v, and answered last at %v", target.Address, before, after, at)
		}
		s.mu.Lock()
		if got := len(s.answered[target]); got < 8 || got > 40 {
			t.Errorf("%s answered %d times in about a second", target.Address, got)
		}
		s.mu.Unlock()
	}
	for _, target := range []Target{absent4, absent6} {
		if at := s.last(target); !at.IsZero() || s.err(target) != nil {
			t.Errorf("%v, which nobody has: answered at %v, err %v", target, at, s.err(target))
		}
	}
	n.run("ip", "link", "set", "qb", "address", "02:00:00:00:00:03") // another machine has the address now
	n.run("ip", "addr", "add", "192.0.2.2/24", "dev", "qb")
	s.answers(t, there4, time.Now(), 100*time.Millisecond+late)
}

func TestAnAddressThatMovesToAnotherMACIsFoundAgain(t *testing.T) {
	if !alone(t) {
		return
	}
	n := newNeighbour(t)
	_, s := watched(t, there4, there6)
	for _, target := range []Target{there4, there6} {
		s.answers(t, target, time.Now(), 2*time.Second)
	}
	n.run("ip", "link", "set", "qb", "address", "02:00:00:00:00:03")
	changed := time.Now()
	s.answers(t, there4, changed.Add(time.Millisecond), forgetMAC+100*time.Millisecond+late)
	run(t, "ip", "link", "set", "qa", "address", "02:00:00:00:00:04") // and ours changes
	changed = time.Now()
	for _, target := range []Target{there4, there6} {
		s.answers(t, target, changed.Add(lookAgain/2), lookAgain+forgetMAC+200*time.Millisecond+late)
	}
}

func TestAnInterfaceThatGoesAwayIsNoSilenceAndIsUsedWhenItIsBack(t *testing.T) {
	if !alone(t) {
		return
	}
	n := newNeighbour(t)
	w, s := watched(t, there4, there6)
	fails := func() {
		t.Helper()
		for begin := time.Now(); s.err(there4) == nil || s.err(there6) == nil; time.Sleep(time.Millisecond) {
			if time.Since(begin) > 2*time.Second {
				t.Fatal("the questions do not fail")
			}
		}
		t.Logf("%v", s.err(there4))
	}
	both := func() {
		t.Helper()
		for _, target := range []Target{there4, there6} {
			s.answers(t, target, time.Now(), openAgain+100*time.Millisecond+2*late)
			if s.err(target) != nil {
				t.Errorf("%v", s.err(target))
			}
		}
	}
	both()
	run(t, "ip", "link", "set", "qa", "down")
	fails()
	run(t, "ip", "link", "set", "qa", "up")
	run(t, "ip", "addr", "replace", "2001:db8::1/64", "dev", "qa", "nodad")
	both()
	run(t, "ip", "link", "del", "qa")
	fails()
	n.link()
	both()
	w.Set([]Target{there6})
	time.Sleep(100*time.Millisecond + late)
	begin := time.Now()
	s.answers(t, there6, begin, 100*time.Millisecond+late)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended["qa IPv4"] || s.ended["qa IPv6"] || s.ran["qa IPv4"].After(begin) {
		t.Errorf("segments that ended: %v, that ran: %v", s.ended, s.ran)
	}
}

// send sends frames from the neighbour.
func (n neighbourHost) send(frames ...[]byte) {
	n.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never back
		ns, err := os.Open("/proc/" + strconv.Itoa(n.pid) + "/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		ifi, err := net.InterfaceByName("qb")
		if err != nil {
			done <- err
			return
		}
		conn, err := packet.Listen(ifi, packet.Raw, etherARP, nil)
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		for _, b := range frames {
			if _, err = conn.WriteTo(b, &packet.Addr{HardwareAddr: b[:6]}); err != nil {
				break
			}
		}
		done <- err
	}()
	if err := <-done; err != nil {
		n.t.Fatal(err)
	}
}

// reply is an ARP reply that says that sender has a MAC address.
func reply(to, mac net.HardwareAddr, sender, target netip.Addr) []byte {
	b := arpRequest(mac, sender, target, to)
	binary.BigEndian.PutUint16(b[20:], arpReply)
	return b
}

func TestWhatIsNoAnswerToThisHostDoesNotWakeTheProcess(t *testing.T) {
	if !alone(t) {
		return
	}
	n := newNeighbour(t)
	ifi, err := net.InterfaceByName("qa")
	if err != nil {
		t.Fatal(err)
	}
	filter, err := bpf.Assemble(answers([]Target{there4}, false))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := packet.Listen(ifi, packet.Raw, etherARP, &packet.Config{Filter: filter})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mac, other := net.HardwareAddr{2, 0, 0, 0, 0, 2}, net.HardwareAddr{2, 0, 0, 0, 0, 0x77}
	good := reply(ifi.HardwareAddr, mac, there4.Address, there4.Source)
	n.send(
		arpRequest(mac, there4.Address, there4.Source, ifi.HardwareAddr), // a question
		reply(nil, mac, there4.Address, there4.Address),                  // an announcement to all
		reply(other, mac, there4.Address, there4.Source),                 // to another host
		reply(ifi.HardwareAddr, mac, absent4.Address, there4.Source),     // for what was not asked for
		good,
	)
	conn.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 256)
	if size, _, err := conn.ReadFrom(buf); err != nil || !bytes.Equal(buf[:size], good) {
		t.Errorf("got %x, %v, want %x", buf[:size], err, good)
	}
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if size, _, err := conn.ReadFrom(buf); err == nil {
		t.Errorf("passed: %x", buf[:size])
	}
}

func TestTheFilterOfIPv6LetsAdvertisementsOfTargetsPass(t *testing.T) {
	advert := func(kind byte, of netip.Addr) []byte {
		b := solicitation(make([]byte, 6), there6.Source, of, make([]byte, 6))
		b[54] = kind
		return b
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"an advertisement of a target", advert(advertise, there6.Address), true},
		{"a solicitation for a target", advert(solicit, there6.Address), false},
		{"an advertisement of another address", advert(advertise, absent6.Address), false},
		{"a frame that is cut", advert(advertise, there6.Address)[:60], false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vm, err := bpf.NewVM(answers([]Target{there6, {Address: netip.MustParseAddr("2001:db8::3")}}, true)[3:]) // the kernel alone knows to whom it was sent
			if err != nil {
				t.Fatal(err)
			}
			if n, err := vm.Run(tt.frame); err != nil || (n > 0) != tt.want {
				t.Errorf("passes %d bytes, %v; want that it passes: %t", n, err, tt.want)
			}
		})
	}
	many := make([]Target, mostListed+1)
	for i := range many {
		many[i] = there6
	}
	if got := len(answers(many, true)); got > 4096 {
		t.Errorf("a filter of %d instructions for many targets", got)
	}
}
