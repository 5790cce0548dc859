package ownership

import (
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Times of a planned move. An owner that was asked to yield goes on as if nothing were when no claim is
// heard within YieldWait.
const (
	MoveLimit = 5 * time.Second
	YieldWait = 500 * time.Millisecond
	pushAfter = 60 * time.Millisecond // the owner has dropped the addresses by then: its table is final
	takeAgain = time.Second           // when the log did not take an outcome
	mute      = time.Second           // an owner whose agent says nothing for so long is not asked
)

// take is a planned move to this director under way.
type take struct {
	intent  fsm.Intent
	from    string
	deaf    string // the router on which the owner was not heard before the claim, or ""
	alone   bool   // the owner's control does not answer: the wire alone tells it
	claimed bool
}

// lookTake begins the move that the log wants to this director. It is make before break: the owner's
// connections are here before it is asked to yield; it stops its adverts when it hears the claim, and drops
// its addresses after ours are announced.
func (s *step) lookTake() {
	in := s.Log.Intent
	if s.taking != nil || in == nil || in.To != s.Self || !s.Current {
		return
	}
	t := &take{intent: *in, from: s.Log.Owner}
	s.taking = t
	s.after(MoveLimit, func(s *step) { s.endTake(t, errors.New("it took longer than "+MoveLimit.String())) })
	if s.Keeper.Part == Owner {
		s.endTake(t, nil)
		return
	}
	owner, _ := s.member(t.from)
	if t.alone = !owner.Alive || owner.Unheard >= mute; t.alone {
		if deaf := s.deaf(t.from); deaf != "" {
			s.endTake(t, fmt.Errorf("%s does not answer, and is not heard on %s", t.from, deaf))
			return
		}
		s.claimTake(t)
		return
	}
	s.pull(t, func(s *step, d Done) {
		if d.Err != nil {
			s.endTake(t, fmt.Errorf("connections of %s: %w", t.from, d.Err))
			return
		}
		s.ask(t.from, Question{Yield, in.Epoch}, YieldWait, func(s *step, d Done) {
			if d.Err != nil {
				s.endTake(t, d.Err)
				return
			}
			s.claimTake(t)
		})
	})
}

// pull is Pull for a move, as long as that goes on.
func (s *step) pull(t *take, then func(*step, Done)) {
	if s.taking != t {
		return
	}
	s.await(func(id uint64) Action { return Pull{id, t.from, MoveLimit} }, then)
}

// claimTake claims, and tells the owner by another way than the wire, where the claim may not have been
// heard.
func (s *step) claimTake(t *take) {
	if s.taking != t {
		return // too late: the owner goes on
	}
	t.deaf = s.deaf(t.from)
	s.claim(func(s *step, d Done) {
		switch {
		case d.Err != nil:
			s.endTake(t, fmt.Errorf("claim %s: %w", s.Group, d.Err))
		case t.alone:
			t.claimed = true
			s.endTake(t, nil)
		default:
			t.claimed = true
			s.ask(t.from, Question{Claimed, t.intent.Epoch}, YieldWait, func(s *step, d Done) { s.toldTake(t, d.Err) })
		}
	})
}

// toldTake goes on when the owner was told, or not. It is not told and is not heard: two would own the
// group, so the claim is withdrawn.
func (s *step) toldTake(t *take, err error) {
	if err != nil && t.deaf != "" {
		s.begin(Resign{})
		t.claimed = false
		s.endTake(t, fmt.Errorf("%s was not told of the claim, and is not heard on %s: withdrawn", t.from, t.deaf))
		return
	}
	// Connections that began while we moved: once at once, for they send already, and once when the old
	// owner can have no new ones.
	s.pull(t, func(s *step, d Done) {
		s.lacks(t, d.Err)
		s.after(pushAfter, func(s *step) {
			s.pull(t, func(s *step, d Done) {
				s.lacks(t, d.Err)
				s.endTake(t, nil)
			})
		})
	})
}

func (s *step) lacks(t *take, err error) {
	if err != nil {
		s.warn("move", fmt.Sprintf("the newest connections of %s were not received from %s: %v", s.Group, t.from, err))
	}
}

// outcome says in words how a move came out.
func (s *step) outcome(t *take, err error) string {
	switch {
	case err == nil:
		return fmt.Sprintf("%s took %s from %s: %s", s.Self, s.Group, orNobody(t.from), t.intent.Reason)
	case t.claimed:
		return fmt.Sprintf("%s took %s from %s, though %v", s.Self, s.Group, orNobody(t.from), err)
	}
	return fmt.Sprintf("%s does not take %s from %s: %v", s.Self, s.Group, orNobody(t.from), err)
}

// endTake tells the log how a move came out. One that failed has changed nothing.
func (s *step) endTake(t *take, err error) {
	if s.taking != t {
		return
	}
	var outcome fsm.Command = fsm.SetOwner{Group: s.Group, Owner: s.Self, Epoch: t.intent.Epoch, Reason: t.intent.Reason}
	if err != nil && !t.claimed {
		outcome = fsm.DropIntent{Group: s.Group, Epoch: t.intent.Epoch, Reason: err.Error()}
	}
	s.decided("move", s.outcome(t, err))
	ended := &take{} // nothing is begun before the log has answered
	s.taking = ended
	s.await(func(id uint64) Action { return Propose{id, outcome, MoveLimit} }, func(s *step, d Done) {
		if d.Err == nil {
			s.taking = nil
			return
		}
		s.after(takeAgain, func(s *step) { s.taking = nil })
	})
}
