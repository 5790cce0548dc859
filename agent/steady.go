package agent

import (
	"sync"
	"time"

	"github.com/quorate/quorate/director/probe"
)

// steady ticks once in a period, together with this agent's beats, the first time soon: what is done at the same moment costs
// one waking. Each tick is set by the clock that sets the beats: one that was counted from the tick before would be late by
// what that was, for good, and so be a waking of its own. Like a [time.Ticker] it goes on by itself until it is stopped, and
// leaves out the ticks that nobody takes in time.
type steady struct {
	C <-chan time.Time

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func (s *session) ticker(every time.Duration) *steady {
	now, beat, c := time.Now(), s.cfg.Liveness, make(chan time.Time, 1)
	t := &steady{C: c}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(probe.Next(now, beat).Sub(now), func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.stopped {
			return
		}
		now := time.Now()
		t.timer.Reset(nextTick(now, every, beat).Sub(now))
		select {
		case c <- now:
		default: // the tick before was not taken yet
		}
	})
	return t
}

// Stop ends the ticks.
func (t *steady) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	t.timer.Stop()
}

// nextTick is the beat a period after the one at now. A period that is not of whole beats just passes.
func nextTick(now time.Time, every, beat time.Duration) time.Time {
	if every%beat != 0 {
		return now.Add(every)
	}
	return probe.Next(now.Add(every-beat), beat)
}
