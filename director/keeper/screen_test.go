package keeper

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/director/accept"
	"github.com/quorate/quorate/director/address"
)

var _ Screen = (*accept.Host)(nil)

// sieve is a box's Screen. It notes each time that an address is on the box and not refused which was to be.
type sieve struct {
	b *box

	mu      sync.Mutex
	refused accept.Table
	calls   int
	foreign bool // somebody else has changed it
	fails   error
	changed func()
}

func (s *sieve) Refuse(want accept.Table) (bool, error) {
	time.Sleep(s.b.slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.fails != nil {
		return false, s.fails
	}
	again := s.foreign
	s.refused, s.foreign = want, false
	return again, nil
}

func (s *sieve) Watch(ctx context.Context, f func()) error {
	s.mu.Lock()
	s.changed = f
	s.mu.Unlock()
	<-ctx.Done()
	return nil
}

// has returns what is refused, and how often the kernel was asked.
func (s *sieve) has() (accept.Table, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused, s.calls
}

// flush is somebody else who removes it.
func (s *sieve) flush() {
	s.mu.Lock()
	s.refused, s.foreign = nil, true
	f := s.changed
	s.mu.Unlock()
	f()
}

func (s *sieve) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = err
}

// refusing is a group that refuses packets to the addresses of some routers.
func refusing(priority uint8, epoch uint64, ifaces ...string) Order {
	g := gateway(priority, epoch, time.Second, ifaces...)
	for i := range g.Routers {
		g.Routers[i].Refuse = true
	}
	return Order{Groups: []Group{g}}
}

// naked counts the milliseconds during f in which the box has one of the addresses without refusing it.
func (b *box) naked(all []address.Address, f func()) (many int) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		for _, a := range all {
			if got, _ := b.screen.has(); b.has(a) && !got.Has(accept.Address{Addr: a.Prefix.Addr()}) {
				many++
			}
		}
		select {
		case <-done:
			return many
		case <-tick.C:
		}
	}
}

func TestAnAddressIsNeverHereWithoutItsRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.screen, a.slow = &sieve{b: a}, 5*time.Millisecond // of each call to the kernel
		a.start()
		defer w.stop()
		more := address.Address{Interface: "wan", Prefix: netip.MustParsePrefix("192.0.2.101/24")}
		many := a.naked([]address.Address{vip("wan"), more}, func() {
			a.order(refusing(220, 1, "wan"))
			time.Sleep(10 * time.Second)
			o := refusing(220, 1, "wan")
			o.Groups[0].Routers[0].Addresses = append(o.Groups[0].Routers[0].Addresses, more.Prefix)
			a.order(o) // it owns, and has the new one at once
			time.Sleep(time.Second)
			if a.state() != "active" || !a.has(vip("wan")) || !a.has(more) {
				t.Errorf("%s, has the addresses %v %v", a.state(), a.has(vip("wan")), a.has(more))
			}
			a.order(Order{}) // the router is gone
			time.Sleep(10 * time.Second)
		})
		if many > 0 {
			t.Errorf("an address was here for %d ms without its refusal", many)
		}
		if got, _ := a.screen.has(); len(got) > 0 || a.has(vip("wan")) {
			t.Errorf("in the end %v is refused", got)
		}
	})
}

func TestWhatIsRefusedFollowsTheOrderAndNotTheOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.screen = &sieve{b: a}
		a.start()
		defer w.stop()
		for _, tt := range []struct {
			order Order
			want  string
		}{
			{refusing(100, 1, "wan"), "[192.0.2.100]"}, // a Backup still
			{refusing(100, 1, "wan", "lan"), "[192.0.2.100 192.0.3.100]"},
			{Order{Groups: []Group{gateway(100, 1, time.Second, "wan", "lan")}}, "[]"},
			{refusing(100, 1, "lan"), "[192.0.3.100]"},
		} {
			a.order(tt.order)
			synctest.Wait()
			if got, _ := a.screen.has(); fmt.Sprint(got) != tt.want {
				t.Errorf("refused is %v, want %s", got, tt.want)
			}
		}
		time.Sleep(10 * time.Second)
		if a.state() != "active" {
			t.Fatalf("it is %s", a.state())
		}
		_, before := a.screen.has()
		time.Sleep(time.Minute)
		if _, after := a.screen.has(); after != before {
			t.Errorf("the kernel was asked %d times while nothing happened", after-before)
		}
		a.order(Order{Groups: []Group{gateway(100, 1, time.Second, "lan")}}) // accepts, and goes on to own
		synctest.Wait()
		if got, _ := a.screen.has(); len(got) > 0 || !a.has(vip("lan")) {
			t.Errorf("%v is refused of an owner that accepts", got)
		}
	})
}

func TestARefusalThatSomebodyRemovesIsBackAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.screen = &sieve{b: a}
		a.start()
		defer w.stop()
		a.order(refusing(220, 1, "wan"))
		time.Sleep(10 * time.Second)
		a.screen.flush()
		synctest.Wait()
		if got, _ := a.screen.has(); len(got) != 1 {
			t.Errorf("refused is %v", got)
		}
		g, _ := a.status().Group("gateway")
		if g.Routers[0].Restored != 1 || !strings.Contains(a.last().Reason, "restored the nftables table") || g.State != "active" {
			t.Errorf("restored %d, %s, last event %q", g.Routers[0].Restored, g.State, a.last().Reason)
		}
	})
}

func TestAHostThatCannotRefuseServesAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.screen = &sieve{b: a}
		a.screen.fail(errors.New("no nf_tables"))
		a.start()
		defer w.stop()
		o := refusing(220, 1, "wan")
		o.Groups = append(o.Groups, Group{Name: "other", Priority: 220, Routers: gateway(220, 1, time.Second, "wan", "lan").Routers[1:]})
		a.order(o)
		time.Sleep(10 * time.Second)
		errs := func() (out []string) {
			for _, g := range a.status().Groups {
				out = append(out, g.Routers[0].Error)
			}
			return out
		}
		if got := errs(); !a.has(vip("wan")) || got[0] != "no nf_tables" || got[1] != "" {
			t.Errorf("has the address %v, errors %q", a.has(vip("wan")), got)
		}
		a.screen.fail(nil)
		time.Sleep(retryAfter)
		synctest.Wait()
		if got, _ := a.screen.has(); len(got) != 1 || errs()[0] != "" {
			t.Errorf("afterwards %v is refused, errors %q", got, errs())
		}
	})
}

func TestAGoodbyeRemovesTheRefusalsAndACrashDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.screen = &sieve{b: a}
		a.start()
		a.order(refusing(220, 1, "wan"))
		time.Sleep(10 * time.Second)
		a.kill()
		if got, _ := a.screen.has(); len(got) != 1 {
			t.Errorf("after a crash %v is refused", got)
		}
		a.start() // and takes it up, once it has listened for an interval
		time.Sleep(1200 * time.Millisecond)
		if got, _ := a.screen.has(); len(got) != 1 || a.state() != "active" {
			t.Errorf("after a restart %v is refused, and it is %s", got, a.state())
		}
		a.do(func(time.Time) { a.keeper.stop = &stopOrder{release: true} })
		<-a.ended
		if got, _ := a.screen.has(); len(got) > 0 || a.has(vip("wan")) {
			t.Errorf("after a goodbye %v is refused", got)
		}
	})
}

func TestAKeeperThatRefusesNothingAsksTheKernelOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.box(1)
		a.screen = &sieve{b: a, refused: accept.NewTable([]accept.Address{{Addr: vip("wan").Prefix.Addr()}})} // of an earlier run
		a.start()
		defer w.stop()
		a.set(220, 1, "wan")
		time.Sleep(time.Minute)
		if got, calls := a.screen.has(); len(got) > 0 || calls != 1 {
			t.Errorf("%v is refused after %d calls, want none after 1", got, calls)
		}
	})
}

func TestTheRefusedAreAllThatARouterKeepsWhereItKeepsThem(t *testing.T) {
	o := refusing(220, 1, "wan", "lan")
	o.Groups[0].Routers[0].Refuse = false
	r := &o.Groups[0].Routers[1]
	r.VirtualMAC = true
	r.Addresses = append(r.Addresses, vip("wan").Prefix)
	got := o.refused()
	if want := accept.NewTable([]accept.Address{{Addr: vip("lan").Prefix.Addr()}, {Addr: vip("wan").Prefix.Addr()}}); !slices.Equal(got, want) {
		t.Errorf("refused are %v, want %v", got, want)
	}
}
