package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/fsm"
)

func tcp(addr string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 1234))
}

func TestStrangersTakeNoMoreThanTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStrangers(func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") })
		var leave []func()
		come := func(n int, addr func(i int) string) (in int) {
			for i := range n {
				if l, ok := s.enter(tcp(addr(i))); ok {
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
		if got := come(1000, func(i int) string { return fmt.Sprintf("203.0.113.%d", i%250) }); got != maxStrangers-2*maxFromOne {
			t.Errorf("%d more of many addresses", got)
		}
		if got := come(maxStrangers, one("::ffff:192.0.2.1")); got != maxStrangers {
			t.Errorf("a member's address has %d places of its own", got)
		}
		if got := come(1, one("192.0.2.1")); got != 0 {
			t.Error("a member's address has no bound")
		}
		sent := 3000 - maxStrangers + 1
		if got := s.counts()[tooMany]; got != uint64(sent) {
			t.Errorf("%d are counted, of %d", got, sent)
		}
		if why := s.trouble(time.Now()); !strings.HasPrefix(why, fmt.Sprint(sent)) || !strings.Contains(why, "from 192.0.2.1") {
			t.Errorf("it says %q", why)
		}
		time.Sleep(2 * time.Minute)
		if why := s.trouble(time.Now()); why != "" {
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
	s := newStrangers(func(a netip.Addr) bool { return a == member })
	out := lines(quieten(hclog.New(&hclog.LoggerOptions{Output: &log})), s)
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
	if got := s.counts()[noGossip]; got != 1000 {
		t.Errorf("%d are counted, want the strangers' 1000", got)
	}
}

// settles waits until a node counts so many refusals, by why.
func settles(t *testing.T, n *testnode, why string, want uint64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d times %s", want, why), func() error {
		if got := n.Refused()[why]; got < want {
			return fmt.Errorf("%d times", got)
		}
		return nil
	})
}

// TestStrangersAreCounted has each kind of refusal come about on the ports of a node.
func TestStrangersAreCounted(t *testing.T) {
	t.Parallel()
	a := first(t, "a", func(c *Config) {
		c.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	})
	other := first(t, "other")
	_, viewer := held(t, a, "ann", fsm.RoleViewer, time.Hour)
	eventually(t, "gossip is there", func() error {
		if a.gossip.Load() == nil {
			return errors.New("not yet")
		}
		return nil
	})
	nonsense := bytes.Repeat([]byte{22, 3, 1}, 1000)
	for _, tt := range []struct {
		why string
		do  func()
	}{
		{noHandshake, func() { send(t, a.cfg.Bind, nonsense) }},
		{noHandshake, func() { _, _ = dialAs(t, a, alpnRaft, other.creds.Pair()) }},
		{noRaft, func() { _, _ = dialAs(t, a, alpnRaft, nil) }},
		{noRequest, func() { _, _, _ = asked(t, a, nil, "POST", "/cluster/propose", "{}") }},
		{noRequest, func() { _, _, _ = asked(t, a, nil, "GET", "/v1/status", "") }},
		{noRequest, func() { _, _, _ = asked(t, a, viewer, "POST", "/cluster/propose", "{}") }},
		{noRole, func() { _, _, _ = asked(t, a, viewer, "POST", "/v1/apply", "{}") }},
		{noJoin, func() { _, _, _ = asked(t, a, nil, "POST", "/cluster/join", "[") }},
		{noJoin, func() { _, _, _ = asked(t, a, nil, "POST", "/cluster/join", "{}") }},
		{noGossip, func() { send(t, a.cfg.Gossip, nonsense) }},
	} {
		before := a.Refused()[tt.why]
		tt.do()
		settles(t, a, tt.why, before+1)
	}
	if len(a.State().Members) != 1 || !a.IsLeader() {
		t.Error("something was changed")
	}
}

// send sends bytes to a port, and returns when the connection is closed.
func send(t *testing.T, to netip.AddrPort, b []byte) {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = c.Write(b) // it may be closed before all is taken
	_, _ = io.Copy(io.Discard, c)
}

// TestARequestWithoutEndIsNotKept sends a header, and a body, that never end.
func TestARequestWithoutEndIsNotKept(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	for _, begin := range []string{"GET / HTTP/1.1\r\nHost: x\r\nX: ", "POST /cluster/propose HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"} {
		c, err := dialAs(t, a, alpnHTTP, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(begin)); err != nil {
			t.Fatal(err)
		}
		sent := 0
		for err == nil && sent < 64<<20 {
			var n int
			n, err = c.Write(bytes.Repeat([]byte("x"), 4096))
			sent += n
		}
		if err == nil {
			t.Errorf("%d bytes were taken after %q", sent, begin[:10])
		}
	}
}

// TestConnectionsOfStrangersKeepNoMemberOut opens more connections than there are places, that say nothing, and holds
// that who has a member's certificate is answered from elsewhere.
func TestConnectionsOfStrangersKeepNoMemberOut(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	from := func(ip string) *net.Dialer {
		return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: 5 * time.Second}
	}
	for i := range 2 * maxStrangers {
		c, err := from(fmt.Sprintf("127.0.1.%d", 1+i%100)).Dial("tcp", a.cfg.Bind.String())
		if err != nil {
			continue // it was sent away before it was here
		}
		defer c.Close()
	}
	settles(t, a, tooMany, maxStrangers)
	began := time.Now()
	d := tls.Dialer{NetDialer: from(a.cfg.Bind.Addr().String()), Config: a.creds.Client(a.id.ID, alpnHTTP, false)}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", a.cfg.Bind.String())
	if err != nil {
		t.Fatalf("after %v: %v", time.Since(began), err)
	}
	_ = c.Close()
	if why := a.Strangers(); !strings.Contains(why, "sent away") {
		t.Errorf("it says %q", why)
	}
}
