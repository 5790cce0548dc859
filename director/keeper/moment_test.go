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
	for _, every := range []time.Duration{500 * time.Millisecond, time.Second, 10 * time.Second} {
		now := time.Now()
		var spoke moment
		spoke.store(now)
		one := &holding{renewed: now.Add(-every / 3), lifetime: 3 * every}
		other := &holding{renewed: now.Add(-every * 4 / 5), lifetime: 3 * every}
		for range 2 { // each keeps to the same advert from its next renewal on
			one.renewed, other.renewed = one.renewAt(want{spoke: &spoke, interval: every}), other.renewAt(want{spoke: &spoke, interval: every})
		}
		if apart := one.renewed.Sub(other.renewed); apart%every != 0 {
			t.Errorf("adverts each %v: they are renewed %v apart", every, apart)
		}
		if before := now.Sub(one.renewed) % every; before > 0 && before > renewLead+renewGrid || before < 0 && before+every > renewLead+renewGrid {
			t.Errorf("adverts each %v: renewed %v before one", every, before)
		}
	}
}
