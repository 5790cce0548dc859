package quiet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

func dialLocal(addr netip.AddrPort) error {
	c, err := net.DialTimeout("tcp", addr.String(), 150*time.Millisecond)
	if err == nil {
		c.Close()
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestAQuietAddressAnswersNothing(t *testing.T) {
	for _, addr := range []netip.AddrPort{netip.MustParseAddrPort("127.9.9.9:30081"), netip.MustParseAddrPort("[::1]:30081")} {
		if err := dialLocal(addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("needs %v, to be refused there: %v", addr, err)
		}
		q := New()
		for range 2 {
			if err := q.Set([]netip.AddrPort{addr}); err != nil {
				t.Fatal(err)
			}
			if err := dialLocal(addr); !isTimeout(err) {
				t.Errorf("dial %v, which is quiet: %v, want a timeout", addr, err)
			}
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := dialLocal(addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial %v, which is quiet no more: %v, want it refused", addr, err)
		}
	}
}

func TestAPortThatAProgramOfThisHostHasIsLeftAloneForGood(t *testing.T) {
	addr := netip.MustParseAddrPort("127.9.9.9:30082")
	program, err := net.Listen("tcp4", "0.0.0.0:30082")
	if err != nil {
		t.Fatal(err)
	}
	free := netip.MustParseAddrPort("127.9.9.9:30084")
	q := New()
	defer q.Close()
	if err := q.Set([]netip.AddrPort{free, addr}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Set = %v, want %v", err, syscall.EADDRINUSE)
	}
	if err := dialLocal(addr); err != nil {
		t.Errorf("dial the program: %v", err)
	}
	program.Close() // it is being restarted
	if err := q.Set([]netip.AddrPort{free, addr}); err != nil {
		t.Errorf("Set again = %v", err)
	}
	if held := q.Held(); len(held) != 1 || held[0] != free {
		t.Errorf("it holds %v, and not %v alone", held, free)
	}
	program, err = net.Listen("tcp4", "0.0.0.0:30082")
	if err != nil {
		t.Fatalf("the program does not start again: %v", err)
	}
	program.Close()
}

// TestTheSameErrorsHaveTheSameText has addresses that no socket can have without an interface: who is told anew is told of news.
func TestTheSameErrorsHaveTheSameText(t *testing.T) {
	var addrs []netip.AddrPort
	for i := range 8 {
		addrs = append(addrs, netip.MustParseAddrPort(fmt.Sprintf("[fe80::%d]:30085", 1+i)))
	}
	q := New()
	defer q.Close()
	first := q.Set(addrs)
	if first == nil {
		t.Fatal("they can be guarded")
	}
	for range 10 {
		if again := q.Set(addrs); again == nil || again.Error() != first.Error() {
			t.Fatalf("at first:\n%v\nthen:\n%v", first, again)
		}
	}
}

func TestTwoAgentsMayGuardTheSameAddressForAWhile(t *testing.T) {
	addr := netip.MustParseAddrPort("127.9.9.9:30083")
	if err := dialLocal(addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("needs %v, to be refused there: %v", addr, err)
	}
	first, second := New(), New()
	defer second.Close()
	if err := errors.Join(first.Set([]netip.AddrPort{addr}), second.Set([]netip.AddrPort{addr}), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := dialLocal(addr); !isTimeout(err) {
		t.Errorf("dial %v, which the second agent guards: %v, want a timeout", addr, err)
	}
}
