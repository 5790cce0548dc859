package keeper

import (
	"sync/atomic"
	"time"
)

// base is what moments are counted from.
var base = time.Now()

// moment is a time that goroutines share. It keeps to the monotonic clock: the wall clock may be set, and nothing here
// may happen sooner or later by that.
type moment struct{ after atomic.Int64 } // base, in nanoseconds; 0: none

// store sets the time; the zero time is none.
func (m *moment) store(t time.Time) {
	if t.IsZero() {
		m.after.Store(0)
		return
	}
	m.after.Store(int64(t.Sub(base)) | 1) // never 0
}

// load returns the time, zero if there is none.
func (m *moment) load() time.Time {
	d := m.after.Load()
	if d == 0 {
		return time.Time{}
	}
	return base.Add(time.Duration(d))
}

// onGrid is the last multiple of d, counted from base, that is not after t.
func onGrid(t time.Time, d time.Duration) time.Time {
	over := t.Sub(base) % d
	if over < 0 {
		over += d
	}
	return t.Add(-over)
}
