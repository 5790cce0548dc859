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
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/fsm"
)

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
	var said lab.Buffer
	a := first(t, "a", func(c *Config) {
		c.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
		c.Log = hclog.New(&hclog.LoggerOptions{Output: &said})
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
		{port.NoHandshake, func() { send(t, a.cfg.Bind, nonsense) }},
		{port.NoHandshake, func() { _, _ = dialAs(t, a, port.ALPNRaft, other.creds.Pair()) }},
		{port.NoRaft, func() { _, _ = dialAs(t, a, port.ALPNRaft, nil) }},
		{port.NoRequest, func() { _, _, _ = asked(t, a, nil, "POST", "/cluster/propose", "{}") }},
		{port.NoRequest, func() { _, _, _ = asked(t, a, nil, "GET", "/v1/status", "") }},
		{port.NoRequest, func() { _, _, _ = asked(t, a, viewer, "POST", "/cluster/propose", "{}") }},
		{port.NoRole, func() { _, _, _ = asked(t, a, viewer, "POST", "/v1/apply", "{}") }},
		{port.NoJoin, func() { _, _, _ = asked(t, a, nil, "POST", "/cluster/join", "[") }},
		{port.NoJoin, func() { _, _, _ = asked(t, a, nil, "POST", "/cluster/join", "{}") }},
		{port.NoGossip, func() { send(t, a.cfg.Gossip, nonsense) }},
	} {
		before := a.Refused()[tt.why]
		tt.do()
		settles(t, a, tt.why, before+1)
	}
	if len(a.State().Members) != 1 || !a.IsLeader() {
		t.Error("something was changed")
	}
	eventually(t, "the join is in the log, though the same address made no sense before", func() error {
		if !strings.Contains(said.String(), "join refused") {
			return errors.New("it is not")
		}
		return nil
	})
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
		c, err := dialAs(t, a, port.ALPNHTTP, nil)
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
	for i := range 2 * port.MaxStrangers {
		c, err := from(fmt.Sprintf("127.0.1.%d", 1+i%100)).Dial("tcp", a.cfg.Bind.String())
		if err != nil {
			continue // it was sent away before it was here
		}
		defer c.Close()
	}
	settles(t, a, port.TooMany, port.MaxStrangers)
	began := time.Now()
	d := tls.Dialer{NetDialer: from(a.cfg.Bind.Addr().String()), Config: a.creds.Client(a.id.ID, port.ALPNHTTP, false)}
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
