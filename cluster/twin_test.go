package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// A copied data directory beside its original is refused, whichever of the two is there first, and nothing is told to the cluster.
func TestACopiedDataDirectoryBesideItsOriginalIsRefused(t *testing.T) {
	t.Parallel()
	ns := three(t)
	a, c := ns[0], ns[2]
	c.end()
	copied := config(t, "c")
	if err := os.CopyFS(copied.DataDir, os.DirFS(c.cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	c = start(t, c.cfg)
	eventually(t, "all have the same", same(a, c))
	_, err := Open(copied)
	if want := fmt.Sprintf("c runs at %s already", c.cfg.Bind); !errors.Is(err, errTwin) || !strings.Contains(err.Error(), want) {
		t.Fatalf("the copy opens: %v, want %q", err, want)
	}
	if why := c.Twin(); !strings.Contains(why, "another agent with the identity of c has called from ") {
		t.Errorf("the original says %q", why)
	}
	if a.Twin() != "" {
		t.Errorf("another member says %q", a.Twin())
	}
	if m := a.State().Members["c"]; m.Address != c.cfg.Bind {
		t.Errorf("the cluster knows c at %s", m.Address)
	}
	c.end()
	moved := start(t, copied) // no copy any more: it is the same member at another address
	eventually(t, "the cluster knows the new address", func() error {
		if m := a.State().Members["c"]; m.Address != copied.Bind {
			return fmt.Errorf("it knows %s", m.Address)
		}
		return same(a, moved)()
	})
	back := start(t, c.cfg)
	if err := <-back.done; !errors.Is(err, errTwin) || !strings.Contains(err.Error(), fmt.Sprintf("c runs at %s already", copied.Bind)) {
		t.Errorf("the original runs beside the copy that has taken its place: %v", err)
	}
	for _, n := range ns[:2] {
		if at := n.heard.of(n.State().Members["c"]); at != copied.Bind {
			t.Errorf("%s dials the one that was refused, at %s", n.cfg.Name, at)
		}
	}
	if m := a.State().Members["c"]; m.Address != copied.Bind {
		t.Errorf("the cluster knows c at %s", m.Address)
	}
}

// Two that have found each other too late do not tell in turn where they are.
func TestAnotherAddressIsToldAtABoundedPaceAndNotBesideATwin(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	m := a.State().Members["a"]
	if err := a.mayMove(t.Context()); err != nil {
		t.Errorf("at its own address: %v", err)
	}
	m.Address = freePort(t)
	if err := a.Propose(t.Context(), fsm.SetMember{Member: m}); err != nil {
		t.Fatal(err)
	}
	if err := a.mayMove(t.Context()); err != nil {
		t.Errorf("nobody is at the other address: %v", err)
	}
	a.moved()
	if err := a.mayMove(t.Context()); err == nil {
		t.Error("another address is told again at once")
	}
	if a.Twin() != "" {
		t.Errorf("it says %q", a.Twin())
	}
}

// An address that leads back to this node, as one that is translated or moves between hosts does, is not another one's.
func TestANodeThatAnswersItselfIsNoCopyOfItself(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	l, err := net.Listen("tcp", freePort(t).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	passed := make(chan error, 1)
	go func() { passed <- passOn(l, a.cfg.Bind.String()) }()
	at := netip.MustParseAddrPort(l.Addr().String())
	if err := a.twinAt(t.Context(), at); err != nil || a.Twin() != "" {
		t.Errorf("it takes itself for another: %v, %q", err, a.Twin())
	}
	if err := <-passed; err != nil {
		t.Errorf("it was not asked there: %v", err)
	}
}

// passOn passes one connection on to another address.
func passOn(l net.Listener, to string) error {
	in, err := l.Accept()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return err
	}
	defer out.Close()
	back := make(chan struct{})
	go func() {
		_, _ = io.Copy(in, out)
		_ = in.(*net.TCPConn).CloseWrite()
		close(back)
	}()
	_, _ = io.Copy(out, in)
	_ = out.(*net.TCPConn).CloseWrite()
	<-back
	return nil
}
