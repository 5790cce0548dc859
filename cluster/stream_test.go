package cluster

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/port"
)

// streams is what an agent serves: it says who came, and repeats what it gets.
func streams(w http.ResponseWriter, r *http.Request) {
	name, _ := Peer(r.Context())
	if r.URL.Path != "/peer/echo" {
		http.NotFound(w, r)
		return
	}
	conn, err := port.TakeStream(w, r)
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, name+" ")
	_, _ = io.Copy(conn, conn)
}

// ends holds that a stream ends.
func ends(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: the stream goes on", what)
	} else if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		t.Errorf("%s: the stream goes on", what)
	}
}

// isGivenUpAfter holds that the kernel ends a stream whose bytes are not acknowledged for so long.
func isGivenUpAfter(t *testing.T, conn net.Conn, want time.Duration) {
	t.Helper()
	raw, err := conn.(interface{ NetConn() net.Conn }).NetConn().(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	if err := errors.Join(raw.Control(func(fd uintptr) { got, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) }), err); err != nil {
		if !errors.Is(err, net.ErrClosed) { // it was given up already
			t.Error(err)
		}
		return
	}
	if d := time.Duration(got) * time.Millisecond; d != want {
		t.Errorf("it is given up after %v, not %v", d, want)
	}
}

func TestAStreamIsAMembersAndEndsWithItsMembership(t *testing.T) {
	t.Parallel()
	cfg := config(t, "a")
	cfg.Handler = http.HandlerFunc(streams)
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	a := start(t, cfg)
	eventually(t, "a leads", func() error { return leads(a) })
	b, c := join(t, a, "b"), join(t, a, "c")
	eventually(t, "all agree", same(a, b, c))

	said := func(n *testnode) net.Conn {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		conn, err := n.Stream(ctx, "a", "/peer/echo", time.Second)
		cancel() // ends with the opening
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		isGivenUpAfter(t, conn, time.Second)
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len("b hello"))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, []byte(n.cfg.Name+" hello")) {
			t.Fatalf("got %q, %v", got, err)
		}
		return conn
	}
	ofB, ofC := said(b), said(c)
	if _, err := b.Stream(t.Context(), "a", "/peer/none", time.Second); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a path that is not served: %v", err)
	}
	if _, err := b.Stream(t.Context(), "z", "/peer/echo", time.Second); err == nil || !strings.Contains(err.Error(), "no member") {
		t.Errorf("to nobody: %v", err)
	}
	if status, _, err := asked(t, a, b.creds.Pair(), "POST", "/peer/echo", ""); err != nil || status != http.StatusUpgradeRequired {
		t.Errorf("a request that is none for a stream: %d, %v", status, err)
	}
	if status, _, err := asked(t, a, nil, "POST", "/peer/echo", ""); err == nil && status != http.StatusForbidden {
		t.Errorf("a stranger: %d, %v", status, err)
	}
	if err := a.Remove(t.Context(), "b", false); err != nil {
		t.Fatal(err)
	}
	ends(t, "the member was removed", ofB)
	a.kill()
	ends(t, "the node has stopped", ofC)
}

// A stream to a member that takes the connection and says nothing is given up with its context.
func TestAStreamIsNotWaitedForLongerThanAsked(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	cfg := config(t, "a")
	cfg.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held })
	if err := Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	a := start(t, cfg)
	defer close(held)
	eventually(t, "a leads", func() error { return leads(a) })
	b := join(t, a, "b")
	eventually(t, "all agree", same(a, b))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	conn, err := b.Stream(ctx, "a", "/peer/echo", time.Second)
	if err == nil {
		conn.Close()
		t.Fatal("a stream that was not taken is open")
	}
	if d := time.Since(begin); d > 5*time.Second {
		t.Errorf("given up after %v: %v", d, err)
	}
}
