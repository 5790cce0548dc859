package keeper

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/ipvs/quiet"
)

var _ Quiet = (*quiet.Guard)(nil)

// mouth is a box's Quiet.
type mouth struct {
	mu    sync.Mutex
	quiet []netip.AddrPort
	calls int
	fails error
	slow  time.Duration
}

func (m *mouth) Set(addrs []netip.AddrPort) error {
	time.Sleep(m.slow)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fails != nil {
		return m.fails
	}
	m.quiet = addrs
	return nil
}

// is expects where the box is quiet, after so many calls.
func (m *mouth) is(t *testing.T, calls int, want ...netip.AddrPort) {
	t.Helper()
	synctest.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.quiet, want) || m.calls != calls {
		t.Errorf("quiet %v after %d calls, want %v after %d", m.quiet, m.calls, want, calls)
	}
}

func TestAKeeperIsQuietAsItsOrderSaysFromItsStartOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, m := w.box(1), &mouth{}
		a.quiet = m
		a.start()
		web := netip.MustParseAddrPort("192.0.2.100:80")
		m.is(t, 1)
		o := Order{Groups: []Group{gateway(220, 1, time.Second, "wan")}, Quiet: []netip.AddrPort{web}}
		a.order(o)
		m.is(t, 2, web)
		time.Sleep(time.Second) // the record is written
		a.kill()
		*m = mouth{} // what a process holds goes with it
		a.start()
		m.is(t, 1, web) // nobody has told it anything
		a.order(Order{})
		m.is(t, 2)
		w.stop()
	})
}

func TestWhatKeepsAHostQuietIsTriedAgainAndDelaysNoAdvert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, m := w.box(1), &mouth{fails: errors.New("too many open files"), slow: 5 * time.Second}
		a.quiet = m
		a.start()
		defer w.stop()
		web := netip.MustParseAddrPort("192.0.2.100:80")
		a.order(Order{Groups: []Group{gateway(220, 1, time.Second, "wan")}, Quiet: []netip.AddrPort{web}})
		time.Sleep(4 * time.Second)
		if a.state() != "active" {
			t.Errorf("state %s while the sockets are slow", a.state())
		}
		m.mu.Lock()
		m.fails = nil
		m.mu.Unlock()
		time.Sleep(20 * time.Second)
		m.mu.Lock()
		defer m.mu.Unlock()
		if !slices.Equal(m.quiet, []netip.AddrPort{web}) {
			t.Errorf("quiet %v after what failed works again", m.quiet)
		}
	})
}
