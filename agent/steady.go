package agent

import (
	"time"

	"github.com/quorate/quorate/director/probe"
)

// ticker ticks once in a period, together with this agent's beats, the first time soon: what is done at the same moment
// costs one waking.
func (s *session) ticker(every time.Duration) *time.Ticker {
	first := time.Until(probe.Next(time.Now(), s.cfg.Liveness))
	t := time.NewTicker(first)
	time.AfterFunc(first, func() { t.Reset(every) })
	return t
}
