package agent

import (
	"context"
	"time"
)

// relieve hands over what this host owns when its keeper has been told to stop: it waits for that. What did not move is
// given up on the wire, as where this agent stops. Where nobody can take over, the keeper waits on for somebody who can.
func (s *session) relieve(ctx context.Context) {
	if !s.keeper.Status().Stopping {
		return
	}
	if s.relieving.Swap(true) {
		return
	}
	s.group.Go(func() error {
		defer s.relieving.Store(false)
		if left := s.giver().giveAway(ctx, "the keeper of "+s.cfg.Name+" stops", nil); len(left) > 0 {
			if _, open := s.giver().letGo(ctx); len(open) > 0 {
				s.log.Warn(NotTaken, "groups", said(open))
			}
		}
		return nil
	})
}

func (s *session) giver() giver {
	return giver{
		self: s.cfg.Name, log: s.log, owned: s.keeper.Owned, state: s.node.State, leader: s.node.Leader, propose: s.node.Propose,
		kept: s.kept, fetched: s.given.since, lately: s.lately, given: map[string]parting{},
		resign: func(ctx context.Context, group string) { s.keeper.Resign(ctx, group, false) },
		live:   func() map[string]received { return s.reports.live(time.Now()) },
	}
}

// lately reports whether a member was there and ready not long ago, or may have been before this session.
func (s *session) lately(name string) bool {
	return s.reports.lately(name, s.opened, time.Now())
}
