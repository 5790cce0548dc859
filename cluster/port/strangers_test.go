package port

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/hush"
)

func tcp(addr string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 1234))
}

func TestStrangersTakeNoMoreThanTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStrangers(func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") })
		var leave []func()
		come := func(n int, addr func(i int) string) (in int) {
			for i := range n {
				if l, ok := s.Enter(tcp(addr(i))); ok {
					in++
					leave = append(leave, l)
				}
			}
			return in
		}
		one := func(addr string) func(int) string { return func(int) string { return addr } }
		if got := come(1000, one("198.51.100.7")); got != maxFromOne {
			t.Errorf("%d connections of one address", got)
		}
		if got := come(1000, func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }); got != maxFromOne {
			t.Errorf("%d connections of one IPv6 network", got)
		}
		if got := come(1000, func(i int) string { return fmt.Sprintf("203.0.113.%d", i%250) }); got != MaxStrangers-2*maxFromOne {
			t.Errorf("%d more of many addresses", got)
		}
		if got := come(MaxStrangers, one("::ffff:192.0.2.1")); got != MaxStrangers {
			t.Errorf("a member's address has %d places of its own", got)
		}
		if got := come(1, one("192.0.2.1")); got != 0 {
			t.Error("a member's address has no bound")
		}
		sent := 3000 - MaxStrangers + 1
		if got := s.Counts()[TooMany]; got != uint64(sent) {
			t.Errorf("%d are counted, of %d", got, sent)
		}
		why := s.Trouble(time.Now())
		if !strings.HasPrefix(why, "connections were sent away") {
			t.Errorf("it says %q", why)
		}
		time.Sleep(time.Second)
		come(1, one("192.0.2.2"))
		if again := s.Trouble(time.Now()); again != why {
			t.Errorf("it says %q, and after one more %q: each such word is told to all", why, again)
		}
		time.Sleep(2 * time.Minute)
		if why := s.Trouble(time.Now()); why != "" {
			t.Errorf("later it says %q", why)
		}
		for _, l := range leave {
			l()
			l() // a connection may be closed twice
		}
		if len(s.open) != 0 || s.all != 0 {
			t.Errorf("left are %v, %d", s.open, s.all)
		}
	})
}

func TestWhatIsRefusedIsLoggedOnceInAWhile(t *testing.T) {
	var log bytes.Buffer
	member := netip.MustParseAddr("192.0.2.8")
	s := NewStrangers(func(a netip.Addr) bool { return a == member })
	out := hush.Lines(hush.Logger(hclog.New(&hclog.LoggerOptions{Output: &log})), s.Garbled)
	for port := range 1000 { // as memberlist says it
		out.Printf("[ERR] memberlist: Decrypt packet failed: No installed keys could decrypt the message from=192.0.2.7:%d", port)
	}
	if n := strings.Count(log.String(), "Decrypt packet failed"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
	for port := range 1000 {
		out.Printf("[ERR] memberlist: failed to receive: read tcp: connection reset by peer from=%v:%d", member, port)
	}
	if n := strings.Count(log.String(), "connection reset"); n != 1 {
		t.Errorf("of a member it is said %d times", n)
	}
	if got := s.Counts()[NoGossip]; got != 1000 {
		t.Errorf("%d are counted, want the strangers' 1000", got)
	}
}

// Whoever sends packets from as many addresses as there are keeps back nothing that is said of who comes with a connection.
func TestOneReasonKeepsNoOtherBack(t *testing.T) {
	s := NewStrangers(func(netip.Addr) bool { return false })
	for i := range 2 * mostSaid {
		news := s.Garbled(fmt.Sprintf("192.0.2.%d:7", i))
		if news != (i < mostSaid) {
			t.Errorf("whether the %dth packet is said: %v", i, news)
		}
	}
	from := tcp("198.51.100.7")
	s.Count(NoJoin) // of what says nothing
	if !s.Refuse(NoJoin, from) || s.Refuse(NoJoin, from) || !s.Refuse(NoRaft, from) {
		t.Error("what comes with a connection is not said, once for each reason")
	}
	if got := s.Counts(); got[NoJoin] != 3 || got[NoRaft] != 1 || got[NoGossip] != 2*mostSaid {
		t.Errorf("counted is %v", got)
	}
}
