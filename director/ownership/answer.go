package ownership

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// answer answers a question of another member.
func (s *step) answer(q Asked) {
	switch q.Kind {
	case Attest:
		s.answerAttest(q)
	case Yield:
		if s.Log.Epoch >= q.Epoch {
			s.refuse(q, fmt.Sprintf("%s is in epoch %d already", s.Group, s.Log.Epoch))
			return
		}
		s.await(func(id uint64) Action { return Grant{id, YieldWait} }, func(s *step, d Done) {
			switch {
			case d.Err != nil:
				s.refuse(q, "keeper: "+d.Err.Error())
			case !d.OK:
				s.refuse(q, "does not own "+s.Group)
			default:
				s.tell("yield", fmt.Sprintf("%s yields %s to %s", s.Self, s.Group, q.From))
				s.begin(Reply{ID: q.ID})
				s.after(YieldWait, (*step).renew) // it may have claimed and announced, and died before this director heard of it
			}
		})
	case Claimed:
		s.answerClaimed(q)
	case Let:
		s.answerLet(q)
	case Announce:
		s.renew()
		s.begin(Reply{ID: q.ID})
	default:
		s.refuse(q, fmt.Sprintf("knows no question %q", q.Kind))
	}
}

// verifyLimit is how long a keeper may take to show that it is not frozen.
const verifyLimit = 100 * time.Millisecond

// concedes is how long who owns the group as well takes to let it go on the answer that this director stays. Its
// neighbours may believe it, though this director had not heard of it: so it announces again.
const concedes = 100 * time.Millisecond

func (s *step) renew() {
	if s.Keeper.Part == Owner {
		s.begin(Renew{})
	}
}

// answerAttest says what this director knows. That it owns the group, or hears somebody, it says only if its keeper lives:
// one that is frozen hears nobody any more, and does not say so.
func (s *step) answerAttest(q Asked) {
	known := s.contests[q.From] != nil
	s.contends(q)
	s.contestedSince(q.From, q.Epoch)
	word := s.attest(q)
	if !word.Owns && !slices.ContainsFunc(word.Hears, func(name string) bool { return name != "" }) {
		s.begin(Reply{ID: q.ID, Word: word})
		return
	}
	s.await(func(id uint64) Action { return Verify{id, verifyLimit} }, func(s *step, d Done) {
		a := s.attest(q)
		a.Owns, a.Stays = a.Owns && d.OK, a.Stays && d.OK
		if !d.OK {
			a.Hears = nil
		}
		s.begin(Reply{ID: q.ID, Word: a})
		if q.Owns && a.Stays && !known {
			s.after(concedes, (*step).renew)
		}
	})
}

// refuse answers a question with the reason why it is not done.
func (s *step) refuse(q Asked, why string) { s.begin(Reply{ID: q.ID, Refuse: why}) }

// attest is what this director says of the group to another.
func (s *step) attest(q Asked) Attestation {
	epoch, named := s.known()
	a := Attestation{Owns: s.Keeper.Part == Owner, Epoch: epoch, Named: named, Place: s.place(), Gone: s.missing(), Mute: s.silentAgents(), Reaches: s.reaches()}
	a.Stays = a.Owns && s.contestedWith(q.From, q.Epoch, q.Named, q.Place) == s.Self
	for _, r := range s.Keeper.Routers {
		heard := r.hears()
		if s.Keeper.Part != Standby {
			heard = "" // it is of the time before
		}
		a.Hears = append(a.Hears, heard)
	}
	return a
}

// answerClaimed is told that the next owner has claimed: who has not heard it concedes now.
func (s *step) answerClaimed(q Asked) {
	if s.Log.Epoch >= q.Epoch {
		s.begin(Reply{ID: q.ID}) // it is over already
		return
	}
	s.await(func(id uint64) Action { return Concede{id} }, func(s *step, d Done) {
		if d.Err != nil {
			s.refuse(q, d.Err.Error())
			return
		}
		if d.OK {
			s.quiet.conceded = s.now
			s.quiet.lives, s.quiet.lived = q.From, s.now // whatever was heard or said before
			s.tell("guard", fmt.Sprintf("%s did not hear the claim of %s, and conceded %s to it", s.Self, q.From, s.Group))
		}
		s.begin(Reply{ID: q.ID})
	})
}

// answerLet lets a group go that this director owns and cannot serve on one of its segments. It looks for
// itself: who asks may be the one that is cut off. If it owns the group still, it says whom it reaches. Who asks claims at once, and
// serves a moment later; where the two are joined, on another segment or again, somebody answers all the while if the answer, the
// claim and its announcement take no longer than the addresses linger.
func (s *step) answerLet(q Asked) {
	const lost = "does not own it"
	if s.Keeper.Part != Owner {
		s.refuse(q, lost)
		return
	}
	if !s.OnTime { // what it does not hear may have been said
		s.begin(Reply{ID: q.ID, Word: s.attest(q)})
		return
	}
	routers := s.routers()
	s.survey(nil, routers, releaseWait*3/4, nil, func(s *step, _ map[string]Attestation, segments map[string]Segment) {
		if s.Keeper.Part != Owner {
			s.refuse(q, lost)
			return
		}
		if i := s.smaller(q, segments); i >= 0 {
			s.tell("guard", fmt.Sprintf("%s lets %s go: %s is cut in two, and %s has more directors on its side: %s",
				s.Self, s.Group, routers[i], q.From, strings.Join(q.Side[i], ", ")))
			s.begin(Resign{Linger: true})
			s.begin(Reply{ID: q.ID})
			return
		}
		for _, r := range routers {
			seg, asked := segments[r]
			if !asked || len(seg.Reached) > 0 || seg.Gateway || !s.OnTime {
				continue
			}
			s.tell("guard", fmt.Sprintf("%s reaches nobody on a segment of %s, and lets it go", s.Self, s.Group))
			s.begin(Resign{Linger: true})
			s.begin(Reply{ID: q.ID})
			return
		}
		s.begin(Reply{ID: q.ID, Word: s.attest(q)})
	})
}
