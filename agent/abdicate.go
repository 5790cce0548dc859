package agent

import (
	"context"
	"time"

	"github.com/quorate/quorate/director/placement"
)

// abdicateLimit is how long handing the lead over may take.
const abdicateLimit = 5 * time.Second

// abdicate has another lead where this leader writes to the others and hears no majority of them: its cluster port is
// blocked, and so it can neither know how they are nor be told anything.
func (s *session) abdicate(ctx context.Context, now time.Time) {
	unheard := func(name string) time.Duration { return s.alive.tracker.Unheard(name, now) }
	if !s.onTime(now) || !deafLeader(s.cfg.Name, s.node.Voters(), unheard) {
		return
	}
	s.log.Warn("this director leads and does not hear a majority of the voters: another is to lead")
	giving, cancel := context.WithTimeout(ctx, abdicateLimit)
	defer cancel()
	if err := s.node.LeadershipTransfer(giving); err != nil && ctx.Err() == nil {
		s.log.Warn("the lead was not handed over", "err", err)
	}
}

// deafLeader reports whether a leader does not hear a majority of the voters, itself among them, and another could
// lead: of two voters, none has a majority without the other.
func deafLeader(self string, voters []string, unheard func(name string) time.Duration) bool {
	heard := 0
	for _, name := range voters {
		if name == self || unheard(name) <= placement.Grace {
			heard++
		}
	}
	return len(voters) > 2 && 2*heard <= len(voters)
}
