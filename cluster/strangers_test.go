package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/port"
)

// dialAs connects to a node's cluster port, with a certificate or with none.
func dialAs(t *testing.T, to *testnode, alpn string, cert *tls.Certificate) (*tls.Conn, error) {
	t.Helper()
	c := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{alpn}}
	if cert != nil {
		// It is shown whatever the other side says it takes; Go's own choice would show a foreign one to nobody.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: c}
	conn, err := d.DialContext(t.Context(), "tcp", to.cfg.Bind.String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*tls.Conn), nil
}

// asked is the answer to one request.
func asked(t *testing.T, to *testnode, cert *tls.Certificate, method, path, body string) (status int, text string, err error) {
	t.Helper()
	tr := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return dialAs(t, to, port.ALPNHTTP, cert) }}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://x"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// isClosed reports whether the other side of a connection closes it without a word.
func isClosed(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := c.Read(make([]byte, 1))
	var timeout net.Error
	return n == 0 && err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

func TestStrangersGetNothingButTheDoor(t *testing.T) {
	t.Parallel()
	cfg := config(t, "a")
	served := false
	cfg.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served = true })
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	a, other := start(t, cfg), first(t, "other")
	for _, who := range []struct {
		name string
		cert *tls.Certificate
	}{{"no certificate", nil}, {"a certificate of another cluster", other.creds.Pair()}} {
		t.Run(who.name, func(t *testing.T) {
			for _, path := range []string{"GET /cluster/progress", "POST /cluster/propose", "POST /cluster/lane", "POST /cluster/remove", "POST /cluster/renew", "GET /cluster/join", "GET /", "GET /v1/state"} {
				method, path, _ := strings.Cut(path, " ")
				status, text, err := asked(t, a, who.cert, method, path, `{"name":"a","force":true,"entry":{}}`)
				if err == nil && (status != http.StatusForbidden && status != http.StatusMethodNotAllowed || !strings.Contains(text, "certificate")) {
					t.Errorf("%s %s: %d %s", method, path, status, text)
				}
			}
			if c, err := dialAs(t, a, port.ALPNRaft, who.cert); err == nil && !isClosed(c) {
				t.Error("Raft is spoken with them")
			}
		})
	}
	if served {
		t.Error("the agent's handler was reached")
	}
	status, text, err := asked(t, a, nil, "POST", "/cluster/join", `{}`)
	if err != nil || status/100 == 2 || !strings.Contains(text, "name") {
		t.Errorf("the door for joiners: %d %s %v", status, text, err)
	}
	if status, _, err := asked(t, a, nil, "POST", "/cluster/join", `{"secret":"`+strings.Repeat("A", maxJoinRequest)); err == nil && status/100 == 2 {
		t.Error("a request without end was read")
	}
	if len(a.State().Members) != 1 {
		t.Error("something was changed")
	}
}

func TestAStrangerThatSaysNothingDelaysNoStop(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	silent, err := net.Dial("tcp", a.cfg.Bind.String())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	shaken, err := dialAs(t, a, port.ALPNHTTP, nil)
	if err != nil {
		t.Fatal(err)
	}
	pause(t.Context(), 50*time.Millisecond) // both are inside
	began := time.Now()
	a.end()
	if took := time.Since(began); took > port.HandshakeLimit/2 {
		t.Errorf("the stop took %v", took)
	}
	if !isClosed(shaken) {
		t.Error("its connection stays open")
	}
}

func TestWhoWasRemovedGetsNothing(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	c := ns[2]
	cert := c.creds.Pair()
	open, err := dialAs(t, ns[0], port.ALPNRaft, cert) // as Raft's own connections
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := asked(t, ns[0], cert, "GET", "/cluster/progress", ""); err != nil || status != http.StatusOK {
		t.Fatalf("a member is answered %d %v", status, err)
	}
	if err := ns[1].Remove(t.Context(), "c", false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it knows", c.knowsRemoval)
	if !isClosed(open) {
		t.Error("its Raft connection stays open")
	}
	for _, n := range ns[:2] {
		eventually(t, "all know of the removal", func() error {
			if len(n.State().Members) != 2 {
				return errors.New("not yet")
			}
			return nil
		})
		status, text, err := asked(t, n, cert, "POST", "/cluster/propose", `{"entry":{}}`)
		if err != nil || status != http.StatusGone {
			t.Errorf("%s answers it %d %s %v", n.cfg.Name, status, text, err)
		}
		if conn, err := dialAs(t, n, port.ALPNRaft, cert); err == nil && !isClosed(conn) {
			t.Errorf("%s speaks Raft with it", n.cfg.Name)
		}
	}
	if err := c.Propose(t.Context(), drain("a", true)); !errors.Is(err, ErrRemoved) {
		t.Errorf("its own proposal: %v", err)
	}
	calm := func() bool {
		term := ns[0].raft.Load().CurrentTerm()
		pause(t.Context(), 8*beat)
		return ns[0].raft.Load().CurrentTerm() == term
	}
	tries := 0
	for !calm() { // a busy machine loses its leader now and then
		if tries++; tries == 3 {
			t.Fatal("it disturbs those who stay")
		}
	}
	eventually(t, "it takes no part in Raft", func() error {
		if role := c.raft.Load().State(); role != raft.Shutdown {
			return fmt.Errorf("it does, as %v", role)
		}
		return nil
	})
	if err := c.Leave(t.Context(), false, func(string) {}); err != nil || Exists(c.cfg.DataDir) {
		t.Fatalf("it leaves: %v", err)
	}
	back := join(t, ns[1], "c")
	eventually(t, "three again", same(append(ns[:2:2], back)...))
}

// knowsRemoval is nil when the node knows that it was removed.
func (n *testnode) knowsRemoval() error {
	if errors.Is(n.Removed(), ErrRemoved) {
		return nil
	}
	return errors.New("it does not know that it was removed")
}
