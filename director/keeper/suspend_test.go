package keeper

import (
	"testing"
	"testing/synctest"
	"time"
)

// The host of the owner is suspended: nobody hears it, another takes over, and when it goes on its timers and the lifetimes
// in its kernel are what they were. What a hypervisor hides from it is here to show what is bounded then: by the next advert.
func TestAnOwnerThatWasSuspendedIsQuietOnceItGoesOn(t *testing.T) {
	for name, tt := range map[string]struct {
		asleep time.Duration // as its clock says
		claim  bool          // the others have found it dead, else their timers have run out
		most   time.Duration // for which two may have the address
		back   bool          // it takes the address back, as the better one
	}{
		"for long":                           {asleep: 20 * time.Second, most: 5 * time.Millisecond},
		"for no longer than others wait":     {asleep: 900 * time.Millisecond, claim: true, most: time.Second},
		"and its clocks do not tell it that": {most: time.Second, back: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, a, b, _ := three(t, "wan")
				defer w.stop()
				a.came()
				time.Sleep(2 * Askable)
				w.sever("wan/1", true)
				if tt.claim {
					if err := b.claim(221); err != nil {
						t.Fatal(err)
					}
				} else {
					time.Sleep(20*time.Second + 700*time.Millisecond)
				}
				if a.state() != "active" || b.state() != "active" {
					t.Fatalf("%s and %s, and both are to be active", a.state(), b.state())
				}
				w.sever("wan/1", false)
				resumed := time.Now()
				w.mu.Lock()
				a.asleep = tt.asleep
				w.mu.Unlock()
				_, many := w.during(vip("wan"), func() {
					poke(a.keeper.ready) // as the watch of the clock does
					time.Sleep(10 * time.Second)
				})
				t.Logf("two have it for %v", many)
				if many > tt.most {
					t.Errorf("two have it for %v, want %v at most", many, tt.most)
				}
				if said := w.heard(1, "wan", resumed); (len(said) > 0) != tt.back {
					t.Errorf("it said %+v", said)
				}
				if (a.state() == "active") != tt.back || (b.state() == "active") == tt.back {
					t.Errorf("%s and %s", a.state(), b.state())
				}
			})
		})
	}
}

// It goes on, listens, and is suspended again just before it has listened for long enough: it was not there to hear who took over
// meanwhile.
func TestAnOwnerThatIsSuspendedWhileItListensListensAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, a, b, _ := three(t, "wan")
		defer w.stop()
		a.came()
		time.Sleep(2 * Askable)
		suspend := func(asleep time.Duration) {
			w.mu.Lock()
			a.asleep = asleep
			w.mu.Unlock()
			poke(a.keeper.ready)
			synctest.Wait()
		}
		suspend(900 * time.Millisecond)
		time.Sleep(time.Second*11/10 - 5*time.Millisecond)
		w.sever("wan/1", true)
		if err := b.claim(221); err != nil {
			t.Fatal(err)
		}
		w.sever("wan/1", false)
		resumed := time.Now()
		suspend(900 * time.Millisecond)
		time.Sleep(10 * time.Second)
		if said := w.heard(1, "wan", resumed); len(said) > 0 || a.state() != "backup" || b.state() != "active" || a.has(vip("wan")) {
			t.Errorf("it said %+v; %s and %s, and it has the address: %v", said, a.state(), b.state(), a.has(vip("wan")))
		}
	})
}

// sever has nothing pass between a host and a segment, until it does again.
func (w *world) sever(wire string, is bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[wire] = is
}

// Nobody has taken over: it goes on.
func TestAnOwnerThatWasSuspendedAloneGoesOn(t *testing.T) {
	for _, asleep := range []time.Duration{900 * time.Millisecond, 20 * time.Second} {
		t.Run(asleep.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				a := w.box(1)
				a.start()
				a.set(220, 1, "wan")
				defer w.stop()
				time.Sleep(10 * time.Second)
				w.mu.Lock()
				a.asleep = asleep
				w.mu.Unlock()
				poke(a.keeper.ready)
				synctest.Wait()
				if a.state() == "active" {
					t.Error("it does not listen first")
				}
				time.Sleep(5 * time.Second)
				if a.state() != "active" || !a.has(vip("wan")) {
					t.Errorf("it is %s", a.state())
				}
			})
		})
	}
}
