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
