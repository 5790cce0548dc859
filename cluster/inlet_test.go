package cluster

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/e2e/lab"
)

// TestPacketsOfStrangersAreFewWhateverComes has packets come in virtual time: a member's few are taken beside ten thousand a
// second of others, and of any number no more are read than the bound.
func TestPacketsOfStrangersAreFewWhateverComes(t *testing.T) {
	for _, tt := range []struct {
		others   int // a second
		read     int // at most, in a second
		ofMember int // at least, of those that were read
	}{
		{10, 20, 10}, {10_000, 10_010, 10}, {1_000_000, inletRead*100 + 200, 0},
	} {
		var in inlet
		now := time.Unix(1, 0)
		end := now.Add(time.Second)
		taken := map[bool]int{}
		read := 0
		step := time.Second / time.Duration(tt.others)
		for next := now; now.Before(end); {
			member := !now.Before(next)
			if member {
				next = next.Add(100 * time.Millisecond)
			}
			take, rest := in.take(now, member)
			read++
			if take {
				taken[member]++
			}
			now = now.Add(max(rest, step))
		}
		if most := inletOthers * 101; taken[false] > most {
			t.Errorf("%d a second: %d are taken, at most %d are to be", tt.others, taken[false], most)
		}
		if read > tt.read || taken[true] < tt.ofMember {
			t.Errorf("%d a second: %d are read, at most %d are to be; %d of a member are taken, of at least %d", tt.others, read, tt.read, taken[true], tt.ofMember)
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
	if take, _ := in.take(now.Add(-time.Hour), true); !take {
		t.Error("none is taken after the clock was set")
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 5000 {
			_, _ = c.Write([]byte("nonsense"))
		}
	}()
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
	<-done
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
