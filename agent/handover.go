package agent

import (
	"context"
	"strings"
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
		s.giveAway(ctx, "the keeper of "+s.cfg.Name+" stops", nil)
		return nil
	})
}

// An unmoved group is one that a director still owns, who could take it, and why each of the others cannot: empty where
// one could.
type unmoved struct {
	group string
	to    string
	why   []string
}

func (u unmoved) String() string {
	if len(u.why) == 0 {
		return u.group
	}
	return u.group + " (" + strings.Join(u.why, "; ") + ")"
}

// said is how groups that did not move are named to a person.
func said(left []unmoved) string {
	var all []string
	for _, k := range left {
		all = append(all, k.String())
	}
	return strings.Join(all, ", ")
}

// giveAway asks the log to move every group that this host owns to its best successor, waits, and
// returns what it still owns. Where nobody could take a group it gives up at once, unless patient: that
// hears what is waited for, and may be called often.
func (s *session) giveAway(ctx context.Context, reason string, patient func(left []unmoved)) []unmoved {
	left := s.moveAll(ctx, reason, patient)
	if len(left) == 0 {
		s.awaitReceipt(ctx)
	}
	return left
}

// awaitReceipt waits until those who took groups of this host have its newest connections, which they ask it for after
// they took over, and tell the log then. Those are lost with an agent that ends before.
func (s *session) awaitReceipt(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, receiptLimit)
	defer cancel()
	for movesFrom(s.node.State(), s.cfg.Name) && sleep(ctx, 20*time.Millisecond) {
	}
}

// movesFrom reports whether a group is moving away from a director, as the log has it.
func movesFrom(state *fsm.State, director string) bool {
	for _, g := range state.Groups {
		if g.Owner == director && g.Intent != nil && g.Intent.To != director {
			return true
		}
	}
	return false
}

// moveAll is giveAway until the addresses are elsewhere. Who is patient waits for a move as long as for a drain, since
// the cluster may have to elect a leader first; but for somebody to move to no longer than others wait for all of it.
func (s *session) moveAll(ctx context.Context, reason string, patient func(left []unmoved)) []unmoved {
	limit := GiveAwayLimit
	if patient != nil {
		limit = drainLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w := waiting{patient: patient != nil, possible: time.Now(), moving: time.Now()}
	for {
		owned := s.keeper.Owned()
		if len(owned) == 0 {
			return nil
		}
		state, live := s.node.State(), s.reports.live(time.Now())
		left := remaining(state, live, owned, s.cfg.Name)
		takers := s.askToTake(ctx, w, left, reason)
		switch {
		case w.enough(time.Now(), takers, movesFrom(state, s.cfg.Name)):
			return left
		case patient != nil && !takers:
			patient(left)
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return left
		}
	}
}

// remaining is what a director still owns, and who could take it.
func remaining(state *fsm.State, live map[string]received, owned []string, from string) (left []unmoved) {
	for _, group := range owned {
		to, why := successor(state, live, group, from)
		left = append(left, unmoved{group, to, why})
	}
	return left
}

// askToTake asks the log to move each group to its successor. It reports whether one could be moved.
func (s *session) askToTake(ctx context.Context, w waiting, left []unmoved, reason string) (takers bool) {
	if !w.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, w.moving.Add(handOverLimit))
		defer cancel()
	}
	for _, u := range left {
		if u.to != "" {
			takers = true
			s.intend(ctx, u.group, u.to, reason)
		}
	}
	return takers
}

// waiting is what who gives its groups away has waited for.
type waiting struct {
	patient  bool
	possible time.Time // when somebody could take a group last
	moving   time.Time // when a move was under way last: it is not given up half way, for what began since would be lost
}

// enough reports whether it has waited for long enough.
func (w *waiting) enough(now time.Time, takers, moves bool) bool {
	if takers {
		w.possible = now
	}
	if moves {
		w.moving = now
	}
	if w.patient {
		return now.Sub(w.possible) > handOverLimit
	}
	return !moves && (!takers || now.Sub(w.moving) > handOverLimit)
}

// intend asks the log to move a group, if no move is under way.
func (s *session) intend(ctx context.Context, group, to, reason string) {
	g := s.node.State().Groups[group]
	if g.Intent != nil {
		return
	}
	intent := fsm.Intent{To: to, Epoch: g.Epoch + 1, Reason: reason}
	if err := s.node.Propose(ctx, fsm.SetIntent{Group: group, Intent: intent}); err != nil {
		s.log.Warn("move not agreed", "group", group, "to", to, "err", err)
	}
}

// successor returns the best director that could take a group now. If there is none it says why of each.
func successor(state *fsm.State, live map[string]received, group, not string) (name string, why []string) {
	for _, name := range state.Groups[group].Order {
		if name == not {
			continue
		}
		r, alive := live[name]
		reason := cannotTake(state.Members[name], r, alive, group)
		if reason == "" {
			return name, nil
		}
		why = append(why, name+" "+reason)
	}
	return "", why
}

// cannotTake says why a member could not take a group now, or is empty.
func cannotTake(m fsm.Member, r received, alive bool, group string) string {
	own := r.Groups[group]
	switch {
	case m.Role != fsm.RoleDirector:
		return "is a witness"
	case !alive:
		return "is not heard of"
	case r.Stopped:
		return wasStopped
	case m.Draining:
		return "is drained"
	case r.Leaving:
		return "leaves"
	case !r.Ready:
		return "is not ready: " + strings.Join(r.Reasons, "; ")
	case own.Waiting:
		return "does not know yet whether it meets what the group requires"
	case own.cannot() != "":
		return "cannot own it: " + own.cannot()
	case own.State == "initialize":
		return "has not started its router yet"
	}
	return ""
}
