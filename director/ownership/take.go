package ownership

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Times of a planned move. An owner that was asked to yield goes on as if nothing were when no claim is
// heard within YieldWait.
const (
	MoveLimit = 5 * time.Second
	YieldWait = 500 * time.Millisecond
	askLimit  = 2 * time.Second // for the owner's answer: a host that is late loses no move by it
	Mute      = time.Second     // an owner whose agent says nothing for so long when a move begins is not asked
	// forcedPull is how long the connections of the owner may take before a move that is forced goes on without them.
	forcedPull = MoveLimit / 2
	muteAgain  = GoneAfter / 3 // how long to wait before that is looked at once more, at least
	takeAgain  = time.Second   // when the log does not show an outcome
)

// RestartGrace is how long control of an owner may be away, since it is started again: its keeper serves meanwhile. An owner
// that falls silent in the middle of a move is waited for as long, since to go on without it loses connections.
const RestartGrace = 2 * time.Second

// PushAfter is how long after a claim, or after it gave a group up, an owner has dropped the addresses: its table is final then.
const PushAfter = 60 * time.Millisecond

// Coverage is the share of an owner's connections that its successor must have before it takes over, unless the move
// is forced: each that is missing is lost.
const Coverage = 0.95

// take is a planned move to this director under way.
type take struct {
	intent  fsm.Intent
	from    string
	until   time.Time
	deaf    string // the router on which the owner was not heard before the claim, or ""
	alone   bool   // the owner's control does not answer: the wire alone tells it
	claims  bool   // the keeper was told to claim, and it is open whether that holds
	claimed bool
	owned   bool     // the keeper has said since the claim that this director owns the group
	named   bool     // the log names this director for it: it is done, whatever comes after it
	lost    bool     // it was owned, and is not any more
	over    bool     // the log is told how it came out
	told    bool     // it has answered, and may not show it here yet
	price   []string // what an operator has to know who forced it
}

// goesOn reports whether a move has come to no end yet.
func (s *step) goesOn(t *take) bool { return s.taking == t && !t.over }

// Fetches reports whether this director has claimed the group, or does so now, in a move that fetches the newest connections.
func (m *Machine) Fetches() bool {
	t := m.taking
	return t != nil && !t.alone && (t.claims || t.claimed)
}

// forgetTake gives a move up that the log does not want any more: nothing has changed yet, or the log was told.
// What was claimed is finished, so that no connection is lost.
func (s *step) forgetTake() {
	t, in := s.taking, s.Log.Intent
	if t == nil || in != nil && *in == t.intent {
		return
	}
	if t.told || !t.over && !t.claims && !t.claimed {
		s.taking = nil
	}
}

// errLost is why a move has come to nothing whose claim held, until another owner won.
var errLost = errors.New("it was taken, and lost again to another owner")

// lookTaken ends a move that was lost again before the log was told how it came out.
func (s *step) lookTaken() {
	t := s.taking
	if t != nil && s.Log.Owner == s.Self && s.Log.Epoch == t.intent.Epoch {
		t.named = true
	}
	switch {
	case t == nil || t.over || !t.claimed:
	case s.Keeper.Part == Owner:
		t.owned = true
	case s.Keeper.Part == Standby && t.owned && (s.hearsOwner() || s.now.Sub(s.quiet.conceded) < justConceded):
		// Who hears nobody, and gave it up to nobody, goes on in a moment, as after a stall.
		if t.named && s.movesOn() { // somebody else has told the log, and the next move has begun
			s.endTake(t, nil)
			return
		}
		t.lost = true
		s.endTake(t, errLost)
	}
}

// movesOn reports whether the log wants the group to move to another, or names another already.
func (f Facts) movesOn() bool {
	return f.Log.Intent != nil && f.Log.Intent.To != f.Self || f.Log.Owner != f.Self && f.Log.Owner != ""
}

// hearsOwner reports whether the keeper hears somebody serve the group.
func (f Facts) hearsOwner() bool {
	return slices.ContainsFunc(f.Keeper.Routers, func(r Router) bool { return !r.Silent && (r.Heard != "" || r.Other) })
}

// lookTake begins the move that the log wants to this director. It is make before break: the owner's
// connections are here before it is asked to yield; it stops its adverts when it hears the claim, and drops
// its addresses after ours are announced.
func (s *step) lookTake() {
	s.lookTaken()
	s.forgetTake()
	s.lookMute()
	in := s.Log.Intent
	if s.taking != nil || in == nil || in.To != s.Self || !s.Current {
		return
	}
	t := &take{intent: *in, from: s.Log.Owner, until: s.now.Add(MoveLimit)}
	s.taking = t
	s.after(MoveLimit, func(s *step) { s.endTake(t, errors.New("it took longer than "+MoveLimit.String())) })
	if s.Keeper.Part == Owner {
		s.endTake(t, nil)
		return
	}
	owner, known := s.member(t.from) // of whose reports none may have come yet, if this director has just been started
	if t.alone = !known || owner.Unheard >= Mute; t.alone {
		if !s.hearsSome(t.from) {
			s.endTake(t, fmt.Errorf("%s does not answer, and is not heard", t.from))
			return
		}
		s.claimTake(t)
		return
	}
	s.lookMuteIn(t, RestartGrace-owner.Unheard)
	all := Pull{Whole: true, Share: Coverage}
	if in.Forced {
		all.Share, all.Within = 0, forcedPull // it is taken with those that came
	}
	s.pull(t, all, func(s *step, d Done) {
		switch {
		case !s.waitsFor(t):
			return
		case d.Err != nil && !in.Forced:
			s.endTake(t, fmt.Errorf("connections of %s: %w", t.from, d.Err))
			return
		case d.Err != nil:
			s.costs(t, fmt.Sprintf("the connections of %s had not all come when it was taken: %v", t.from, d.Err))
		}
		s.yieldsTo(t)
	})
}

// waitsFor reports whether a move has not claimed yet, and waits for what the owner says or sends.
func (s *step) waitsFor(t *take) bool { return s.goesOn(t) && !t.alone && !t.claims && !t.claimed }

// lookMuteIn looks once more whether the owner of a move is silent by then, as long as the move waits for it.
func (s *step) lookMuteIn(t *take, d time.Duration) {
	s.after(max(d, muteAgain), func(s *step) {
		if s.lookMute(); s.waitsFor(t) {
			s.lookMuteIn(t, RestartGrace-s.named(t.from).Unheard)
		}
	})
}

// lookMute goes on without an owner that has fallen silent since the move to this director began, and has not come back within
// [RestartGrace]: it cannot yield any more, and would be moved from for that. That is so where the silence is the owner's, and
// neither this director's, which was late or to which no majority speaks, nor the end of all paths: where the owner is heard, the
// claim reaches it, and it lets go.
func (s *step) lookMute() {
	t := s.taking
	if t == nil || !s.waitsFor(t) || !s.OnTime || !s.spokenTo() || s.named(t.from).Unheard < RestartGrace || !s.hearsSome(t.from) {
		return
	}
	t.alone = true
	s.claimTake(t)
}

// yieldTake asks the owner not to resist a claim, and claims.
func (s *step) yieldTake(t *take) {
	if !s.waitsFor(t) {
		return
	}
	s.ask(t.from, Question{Kind: Yield, Epoch: t.intent.Epoch}, askLimit, func(s *step, d Done) {
		if !s.waitsFor(t) {
			return
		}
		if d.Err != nil {
			s.endTake(t, d.Err)
			return
		}
		s.claimTake(t)
	})
}

// pull pulls the connections of the owner for a move, as long as that goes on.
func (s *step) pull(t *take, p Pull, then func(*step, Done)) {
	if !s.goesOn(t) {
		return
	}
	p.From = t.from
	if p.Within == 0 {
		p.Within = MoveLimit
	}
	s.await(func(id uint64) Action { p.ID = id; return p }, then)
}

// claimTake claims. The move has no end until it is known whether that holds.
func (s *step) claimTake(t *take) {
	if !s.goesOn(t) {
		return // too late: the owner goes on
	}
	t.deaf = s.deaf(t.from)
	switch s.Keeper.Part {
	case Standby, Owner: // it was elected meanwhile: where they hear each other, the other would win
	default:
		s.endTake(t, fmt.Errorf("%s is in state %s on %s", s.Group, s.Keeper.Part, s.Self))
		return
	}
	t.claims = true
	s.claim(func(s *step, d Done) {
		if d.Err == nil {
			s.claimedTake(t)
			return
		}
		s.begin(Resign{}) // it may have come half way
		t.claims = false
		s.endTake(t, fmt.Errorf("claim %s: %w", s.Group, d.Err))
	})
}

// claimedTake tells the owner by another way than the wire, where the claim may not have been heard. At the same time
// it asks for the connections that began since the last pull, whose clients send to this director already: they wait no
// longer than for some seconds, and an owner that is stopping may take as long to answer what it is told.
func (s *step) claimedTake(t *take) {
	t.claimed = true
	if t.alone {
		t.claims = false
		s.endTake(t, nil)
		return
	}
	t.claims = true
	s.ask(t.from, Question{Kind: Claimed, Epoch: t.intent.Epoch}, askLimit, func(s *step, d Done) { s.toldTake(t, d.Err) })
	s.pull(t, Pull{}, func(s *step, d Done) { s.lacks(t, d.Err) })
}

// toldTake goes on when the owner was told, or not. One that is not told and is not heard may own the group still. It may have
// heard the claim as well, let go and ended: its kernel is asked whether it serves.
func (s *step) toldTake(t *take, err error) {
	var refused Refusal
	switch {
	case err == nil || t.deaf == "":
		s.heldTake(t)
		return
	case errors.As(err, &refused): // it is there, and did not let go
		s.withdrawTake(t)
		return
	}
	routers := s.routers()
	s.survey(nil, routers, surveyLimit, nil, func(s *step, _ map[string]Attestation, segments map[string]Segment) {
		if s.Keeper.Part == Owner && hasLet(t.from, routers, segments) {
			s.heldTake(t)
			return
		}
		s.withdrawTake(t)
	})
}

// withdrawTake gives up what was claimed, since two would own the group.
func (s *step) withdrawTake(t *take) {
	s.begin(Resign{})
	t.claims, t.claimed = false, false
	s.endTake(t, fmt.Errorf("%s was not told of the claim, and is not heard on %s: withdrawn", t.from, t.deaf))
}

// hasLet reports whether the kernel of an owner is reached on each segment, and neither it nor another's answers for the address.
func hasLet(owner string, routers []string, segments map[string]Segment) bool {
	return !slices.ContainsFunc(routers, func(router string) bool {
		seg := segments[router]
		return seg.Serves != "" || seg.Virtual || !slices.Contains(seg.Reached, owner)
	})
}

// heldTake fetches what is new since a claim that holds.
func (s *step) heldTake(t *take) {
	t.claims = false
	if !s.now.Before(t.until) {
		s.endTake(t, nil)
		return
	}
	s.after(PushAfter, func(s *step) { // the old owner can have no new connections any more
		s.pull(t, Pull{}, func(s *step, d Done) {
			s.lacks(t, d.Err)
			s.endTake(t, nil)
		})
	})
}

// lacks warns of a pull that brought nothing, as long as the move goes on.
func (s *step) lacks(t *take, err error) {
	if err != nil && s.goesOn(t) {
		s.warn("move", fmt.Sprintf("the newest connections of %s were not received from %s: %v", s.Group, t.from, err))
	}
}

// endTake tells the log how a move came out. One that failed has changed nothing. It may be begun again once
// the log here shows the outcome, or soon if it does not: the log did not take it, or wants the same again.
func (s *step) endTake(t *take, err error) {
	if !s.goesOn(t) || t.claims {
		return
	}
	t.over = true
	if t.lost {
		err, t.claimed = errLost, false
	}
	s.decided("move", s.outcome(t, err))
	var outcome fsm.Command = fsm.SetOwner{Group: s.Group, Owner: s.Self, Epoch: t.intent.Epoch, Reason: t.reason()}
	if err != nil && !t.claimed {
		outcome = fsm.DropIntent{Group: s.Group, Epoch: t.intent.Epoch, Reason: err.Error()}
	}
	s.await(func(id uint64) Action { return Propose{id, outcome, MoveLimit} }, func(s *step, _ Done) {
		t.told = true
		s.after(takeAgain, func(s *step) {
			if s.taking == t {
				s.taking = nil
			}
		})
	})
}

// costs warns of what a move does that is forced.
func (s *step) costs(t *take, what string) {
	t.price = append(t.price, what)
	s.warn("move", fmt.Sprintf("%s is moved to %s by force: %s", s.Group, s.Self, what))
}

// reason is why the group has moved, and what it had to be forced for.
func (t *take) reason() string {
	return strings.Join(append([]string{t.intent.Reason}, t.price...), "; ")
}

// outcome says in words how a move came out.
func (s *step) outcome(t *take, err error) string {
	switch {
	case t.lost:
		return fmt.Sprintf("%s took %s from %s, and lost it again to another owner: %s", s.Self, s.Group, orNobody(t.from), t.intent.Reason)
	case err == nil:
		return fmt.Sprintf("%s took %s from %s: %s", s.Self, s.Group, orNobody(t.from), t.intent.Reason)
	case t.claimed:
		return fmt.Sprintf("%s took %s from %s, though %v", s.Self, s.Group, orNobody(t.from), err)
	}
	return fmt.Sprintf("%s does not take %s from %s: %v", s.Self, s.Group, orNobody(t.from), err)
}
