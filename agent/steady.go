package agent

import (
	"sync"
	"time"

	"github.com/quorate/quorate/director/probe"
)

// steady is a ticker that ticks once in a period, together with this agent's beats, the first time soon: what is done
// at the same moment costs one waking.
type steady struct {
	*time.Ticker
	first *time.Timer

	mu   sync.Mutex
	over bool
}

func (s *session) ticker(every time.Duration) *steady {
	now := time.Now()
	first := probe.Next(now, s.cfg.Liveness).Sub(now)
	t := &steady{Ticker: time.NewTicker(first)}
	t.first = time.AfterFunc(first, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.over {
			t.Reset(every)
		}
	})
	return t
}

// Stop ends it.
func (t *steady) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.first.Stop()
	t.Ticker.Stop()
}
