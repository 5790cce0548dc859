package agent

import (
	"time"

	"github.com/quorate/quorate/director/probe"
)

// steady ticks once in a period, together with this agent's beats, the first time soon: what is done at the same moment costs
// one waking. Each tick is set by the clock that sets the beats: one that was counted from the tick before would be late by
// what that was, for good, and so be a waking of its own.
type steady struct {
	*time.Timer
	every, beat time.Duration
}

func (s *session) ticker(every time.Duration) *steady {
	now, beat := time.Now(), s.cfg.Liveness
	return &steady{time.NewTimer(probe.Next(now, beat).Sub(now)), every, beat}
}

// again has it tick again. Whoever took a tick calls it.
func (t *steady) again() {
	now := time.Now()
	t.Reset(nextTick(now, t.every, t.beat).Sub(now))
}

// nextTick is the beat a period after the one at now. A period that is not of whole beats just passes.
func nextTick(now time.Time, every, beat time.Duration) time.Time {
	if every%beat != 0 {
		return now.Add(every)
	}
	return probe.Next(now.Add(every-beat), beat)
}
