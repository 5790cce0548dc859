package keeper

import (
	"testing"
	"time"
)

func TestAMomentIsReadBackAsItWasStored(t *testing.T) {
	var m moment
	if !m.load().IsZero() {
		t.Error("none is stored")
	}
	now := time.Now()
	m.store(now)
	if d := m.load().Sub(now); d < 0 || d > 1 {
		t.Errorf("%v later", d)
	}
	m.store(time.Time{})
	if !m.load().IsZero() {
		t.Error("it was taken away")
	}
}

// What renewals are reckoned from must have a reading of the monotonic clock: without one, a clock that is set back by
// an hour puts the next renewal off by as long.
func TestRenewalsGoByTheMonotonicClock(t *testing.T) {
	now := time.Now()
	var spoke moment
	spoke.store(now)
	h := &holding{renewed: now, lifetime: 3 * time.Second}
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second} {
		at := h.renewAt(want{spoke: &spoke, interval: every})
		if at == at.Round(0) {
			t.Errorf("adverts each %v: %v has no reading of the monotonic clock", every, at)
		}
		if d := at.Sub(now); d < 0 || d > max(every, renewEvery)+renewGrid {
			t.Errorf("adverts each %v: renewed after %v", every, d)
		}
	}
	if g := onGrid(now, time.Second); g == g.Round(0) || now.Sub(g) < 0 || now.Sub(g) >= time.Second {
		t.Errorf("%v is put at %v", now, g)
	}
}

func TestRoutersThatSpeakTogetherAreRenewedTogetherWhateverWasBefore(t *testing.T) {
	for _, every := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond, time.Second, 10 * time.Second} {
		now := time.Now()
		var spoke moment
		spoke.store(now)
		later := func(renewed time.Time) time.Time {
			h := &holding{renewed: renewed, lifetime: 3 * every}
			for h.renewed.Before(now.Add(20 * time.Second)) {
				next := h.renewAt(want{spoke: &spoke, interval: every})
				if d := next.Sub(h.renewed); d <= 0 || d > max(every, renewEvery)+renewGrid {
					t.Fatalf("adverts each %v: renewed after %v", every, d)
				}
				h.renewed = next
			}
			return h.renewed
		}
		one, other := later(now.Add(-every/3)), later(now.Add(-every*4/5))
		if !one.Equal(other) {
			t.Errorf("adverts each %v: they are renewed %v apart", every, one.Sub(other))
		}
		if before := every - one.Sub(now)%every; before > renewLead+renewGrid {
			t.Errorf("adverts each %v: renewed %v before one", every, before)
		}
	}
}
