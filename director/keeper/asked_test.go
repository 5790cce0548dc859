package keeper

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Two keepers have a group move by a claim that nobody has asked the owner about. While the owner's control cannot be
// asked, its addresses are there until the next one has had time to have them; else they go at once.
func TestWhoCannotBeAskedLetsGoAfterTheNextOneHasTheAddresses(t *testing.T) {
	for name, tt := range map[string]struct {
		before  func(a *box)
		lingers bool
	}{
		"no control has come":     {func(*box) {}, true},
		"control is gone":         {func(a *box) { a.came(); time.Sleep(2 * Askable); a.keeper.asked.left() }, true},
		"control has just come":   {func(a *box) { a.came(); time.Sleep(Askable - time.Millisecond) }, true},
		"it is there for a while": {func(a *box) { a.came(); time.Sleep(Askable) }, false},
		"not all have reached it": {func(a *box) { a.came(); time.Sleep(Askable); a.apart(true) }, true},
		"they have just again": {func(a *box) {
			a.came()
			time.Sleep(Askable)
			a.apart(true)
			a.apart(false)
			time.Sleep(Askable - time.Millisecond)
		}, true},
		"they have for a while":     {func(a *box) { a.came(); a.apart(true); a.apart(false); time.Sleep(Askable) }, false},
		"the second one for longer": {func(a *box) { a.came(); time.Sleep(Askable); a.came(); a.keeper.asked.left() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, _ := three(t, "wan")
				defer w.stop()
				tt.before(a)
				b.slow = 5 * time.Millisecond // of its kernel
				none, many := w.during(vip("wan"), func() {
					if err := b.claim(248); err != nil {
						t.Error(err)
					}
					time.Sleep(10 * time.Second)
				})
				if lingers := none == 0; lingers != tt.lingers {
					t.Errorf("nobody has it for %v", none)
				}
				if many > 25*time.Millisecond || a.state() != "backup" || b.state() != "active" {
					t.Errorf("two have it for %v; %s and %s", many, a.state(), b.state())
				}
			})
		})
	}
}

// A host that stood still may have been claimed from without having been asked, and its control, which stood still as well,
// knows that a moment later than its keeper reads the claim. The stall is shorter than what has the worker wait for the loop.
func TestWhoStoodStillLetsGoAfterTheNextOneHasTheAddresses(t *testing.T) {
	for stall, lingers := range map[time.Duration]bool{90 * time.Millisecond: false, 950 * time.Millisecond: true} {
		t.Run(stall.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, _ := three(t, "wan")
				defer w.stop()
				a.came()
				time.Sleep(2 * Askable)
				b.slow = 5 * time.Millisecond // of its kernel
				none, many := w.during(vip("wan"), func() {
					go func() {
						if err := a.keeper.call(t.Context(), func(time.Time) { time.Sleep(stall) }); err != nil {
							t.Error(err)
						}
					}()
					time.Sleep(stall - 10*time.Microsecond)
					if err := b.claim(248); err != nil {
						t.Error(err)
					}
					time.Sleep(10 * time.Second)
				})
				if (none == 0) != lingers {
					t.Errorf("nobody has it for %v", none)
				}
				if many > 25*time.Millisecond || a.state() != "backup" || b.state() != "active" {
					t.Errorf("two have it for %v; %s and %s", many, a.state(), b.state())
				}
			})
		})
	}
}

func (b *box) apart(is bool) { b.keeper.asked.told(time.Now(), is) }

func (b *box) came() { b.keeper.asked.came(time.Now()) }

// Control is a client that has given an order, until it goes.
func TestWhoGivesAnOrderCanBeAskedUntilItGoes(t *testing.T) {
	w := newWorld(t)
	b := w.box(1)
	b.start()
	defer w.stop()
	k, socket := b.keeper, filepath.Join(b.dir, "socket")
	l, err := listenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var server sync.WaitGroup
	server.Go(func() { serve(ctx, l, k, hclog.NewNullLogger()) })
	defer server.Wait()
	defer cancel()
	there := func() int {
		k.asked.mu.Lock()
		defer k.asked.mu.Unlock()
		return k.asked.there
	}
	c := dial(t, socket)
	if _, err := c.Status(t.Context()); err != nil || there() != 0 {
		t.Errorf("who only looks counts: %d, %v", there(), err)
	}
	for range 2 {
		if err := c.Set(t.Context(), Order{}); err != nil || there() != 1 {
			t.Errorf("who has given an order: %d, %v", there(), err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(10 * time.Second); there() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("who has gone counts: %d", there())
		}
	}
}
