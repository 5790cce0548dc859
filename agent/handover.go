package agent

import (
	"context"
	"time"

	"github.com/quorate/quorate/fsm"
)

// relieve hands over what this host owns when its keeper has been told to stop: it waits for that.
func (s *session) relieve(ctx context.Context) {
	if !s.keeper.Status().Stopping {
		return
	}
	if s.relieving.Swap(true) {
		return
	}
	s.group.Go(func() error {
		defer s.relieving.Store(false)
		s.giveAway(ctx, "the keeper of "+s.cfg.Name+" stops")
		return nil
	})
}

// giveAway asks the log to move every group that this host owns to its best successor, waits, and
// returns what it still owns.
func (s *session) giveAway(ctx context.Context, reason string) []string {
	ctx, cancel := context.WithTimeout(ctx, handOverLimit)
	defer cancel()
	for {
		owned := s.keeper.Owned()
		if len(owned) == 0 {
			return nil
		}
		state, live := s.node.State(), s.reports.live(time.Now())
		waiting := false
		for _, name := range owned {
			g := state.Groups[name]
			to := successor(state, live, name, s.cfg.Name)
			if to == "" {
				continue
			}
			waiting = true
			if g.Intent != nil {
				continue
			}
			intent := fsm.Intent{To: to, Epoch: g.Epoch + 1, Reason: reason}
			if err := s.node.Propose(ctx, fsm.SetIntent{Group: name, Intent: intent}); err != nil {
				s.log.Warn("move not agreed", "group", name, "to", to, "err", err)
			}
		}
		if !waiting || !sleep(ctx, 20*time.Millisecond) {
			return s.keeper.Owned()
		}
	}
}

// successor returns the best director that could take a group now, or "".
func successor(state *fsm.State, live map[string]received, group, not string) string {
	for _, name := range state.Groups[group].Order {
		r, alive := live[name]
		m := state.Members[name]
		own := r.Groups[group]
		if name != not && alive && r.Ready && !own.Waiting && own.Unfit == "" && own.State != "initialize" && !m.Draining && !r.Leaving && m.Role == fsm.RoleDirector {
			return name
		}
	}
	return ""
}
