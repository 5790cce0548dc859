package cluster

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/fsm"
)

// TestPacketsOfStrangersAreFewWhateverComes has packets of a member and of others come in virtual time, each by a clock of its
// own. The kernel keeps some that are not read yet, and drops the rest; what is read of the member is taken.
func TestPacketsOfStrangersAreFewWhateverComes(t *testing.T) {
	const kept, ofMember, toRead = 256, 10, 5 * time.Microsecond
	for _, tt := range []struct {
		others   int // a second
		taken    int // of those, at least
		read     int // at most, of all
		ofMember int // at least, that are read of the member's
	}{
		{10, 10, 20, ofMember},
		{10_000, inletOthers * 99, 10_010, ofMember},
		{1_000_000, inletOthers * 99, inletRead * 101, 0}, // its packets may all be among those that are dropped: it is asked over TCP
	} {
		var in inlet
		now := time.Unix(1, 0)
		end := now.Add(time.Second)
		stranger, member := now, now.Add(time.Second/ofMember/2+inletSpan/2) // when the next comes of each: the member's after others
		var waiting []bool                                                   // whether it is the member's
		read, taken := map[bool]int{}, map[bool]int{}
		for now.Before(end) {
			for !stranger.After(now) || !member.After(now) {
				next, every, mine := &stranger, time.Second/time.Duration(tt.others), member.Before(stranger)
				if mine {
					next, every = &member, time.Second/ofMember
				}
				*next = next.Add(every)
				if len(waiting) < kept {
					waiting = append(waiting, mine)
				}
			}
			if len(waiting) == 0 {
				now = now.Add(min(stranger.Sub(now), member.Sub(now)))
				continue
			}
			take, rest := in.take(now, waiting[0])
			read[waiting[0]]++
			if take {
				taken[waiting[0]]++
			}
			waiting, now = waiting[1:], now.Add(max(rest, toRead))
		}
		if taken[false] < tt.taken || taken[false] > inletOthers*101 {
			t.Errorf("%d a second: %d are taken, of at least %d and at most %d", tt.others, taken[false], tt.taken, inletOthers*101)
		}
		if all := read[true] + read[false]; all > tt.read {
			t.Errorf("%d a second: %d are read, of at most %d", tt.others, all, tt.read)
		}
		if read[true] < tt.ofMember || taken[true] < read[true] {
			t.Errorf("%d a second: %d are read of the member, of at least %d, and %d are taken", tt.others, read[true], tt.ofMember, taken[true])
		}
	}
}

// TestAMembersAddressIsNoWayAroundTheBound has packets come from it faster than any member sends.
func TestAMembersAddressIsNoWayAroundTheBound(t *testing.T) {
	var in inlet
	now, taken := time.Unix(1, 0), 0
	for range 10 * inletMembers {
		if take, _ := in.take(now, true); take {
			taken++
		}
	}
	if taken != inletMembers {
		t.Errorf("%d are taken", taken)
	}
	if take, _ := in.take(now.Add(inletSpan), true); !take {
		t.Error("none is taken later")
	}
}

// TestAnAddressIsAMembersHoweverItIsWritten has one come as sockets tell it: with the zone of the host that received it, and IPv4
// within IPv6.
func TestAnAddressIsAMembersHoweverItIsWritten(t *testing.T) {
	m := fsm.Member{
		Address: netip.MustParseAddrPort("192.0.2.1:7400"), Gossip: netip.MustParseAddrPort("[fe80::1%eth0]:7401"),
		Sources: []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.2"), netip.MustParseAddr("2001:db8::1")},
	}
	for text, want := range map[string]bool{
		"192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.2": true, "fe80::1": true, "fe80::1%wan": true, "2001:db8::1": true,
		"192.0.2.3": false, "fe80::2%eth0": false, "2001:db8::2": false,
	} {
		if got := isOf(m, netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if isOf(fsm.Member{}, netip.MustParseAddr("0.0.0.0")) {
		t.Error("who has no address has one")
	}
}

// TestAFloodOfPacketsIsCountedAndNotTaken sends packets to a gossip port from no member's address, and holds that each which
// was read is counted or taken, and few are taken.
func TestAFloodOfPacketsIsCountedAndNotTaken(t *testing.T) {
	t.Parallel()
	s := port.NewStrangers(func(netip.Addr) bool { return false })
	g, err := listenGossip(freePort(t), func(netip.Addr) bool { return false }, s, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Shutdown() }()
	c, err := net.Dial("udp", g.packets.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began := time.Now()
	stop := make(chan struct{})
	var flood sync.WaitGroup
	defer flood.Wait()
	defer close(stop)
	flood.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_, _ = c.Write([]byte("nonsense"))
			}
		}
	})
	taken, late := 0, time.After(30*time.Second)
	for s.Counts()[port.TooMuchGossip] < 100 {
		select {
		case p := <-g.PacketCh():
			if string(p.Buf) != "nonsense" {
				t.Fatalf("%q was received", p.Buf)
			}
			taken++
		case <-late:
			t.Fatalf("packets are not counted: %v", s.Counts())
		case <-time.After(time.Millisecond):
		}
	}
	spans := int(time.Since(began)/inletSpan) + 1
	if taken > inletOthers*spans {
		t.Errorf("%d packets are taken in %d spans", taken, spans)
	}
}

// TestASocketThatFailsIsSaidOnceInAWhileAndTriedOnceASecond has both of a gossip port fail for a minute of virtual time.
func TestASocketThatFailsIsSaidOnceInAWhileAndTriedOnceASecond(t *testing.T) {
	for _, tt := range []struct {
		level       hclog.Level
		least, most int // lines of each
	}{
		{hclog.Info, 5, 7},
		{hclog.Debug, 60, 70}, // of each try
	} {
		synctest.Test(t, func(t *testing.T) {
			var said lab.Buffer
			nobody := func(netip.Addr) bool { return false }
			g, err := listenGossip(netip.MustParseAddrPort("127.0.0.1:0"), nobody, port.NewStrangers(nobody), hclog.New(&hclog.LoggerOptions{Level: tt.level, Output: &said}))
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{g.packets.Close(), g.listener.Close()} {
				if err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Minute)
			for _, doing := range []string{"receive on the gossip port", "accept on the gossip port"} {
				if n := strings.Count(said.String(), doing); n < tt.least || n > tt.most {
					t.Errorf("%v: %q is said %d times", tt.level, doing, n)
				}
			}
			_ = g.Shutdown() // they are closed
		})
	}
}
