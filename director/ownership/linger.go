package ownership

import (
	"slices"
	"time"
)

// mute is how long ago an owner sent its last advert, of which the last that was heard is of a given age. One that has
// said since then that it owns the group has sent more, in the same rhythm.
func (s *step) mute(owner string, age time.Duration) time.Duration {
	if s.quiet.lives != owner || s.Keeper.Interval <= 0 {
		return age
	}
	if more := age - s.now.Sub(s.quiet.lived); more > 0 {
		age -= more.Truncate(s.Keeper.Interval)
	}
	return age
}

// unsigned is how long ago an owner gave the last sign of its keeper: an advert, or its own word where none was heard. One that
// has given neither counts from when nobody was found to hear its agent. Until then it is believed as long as its kernel
// answers: somebody may renew the addresses.
func (s *step) unsigned(owner string) time.Duration {
	ago, heard := time.Duration(0), false
	for _, r := range s.Keeper.Routers {
		if r.Heard != owner {
			continue
		}
		if age := s.mute(owner, r.Age); !heard || age < ago { // one keeper advertises on all of them
			ago, heard = age, true
		}
	}
	switch {
	case heard:
		return ago
	case s.quiet.lives == owner:
		return s.now.Sub(s.quiet.lived)
	case s.quiet.mute.owner == owner:
		return s.now.Sub(s.quiet.mute.since)
	}
	return 0
}

// lookSilence remembers since when nobody hears the agent of an owner whose kernel serves: neither this director nor anybody who
// answered a survey. Where nobody answers, it may be this director that is cut off.
func (s *step) lookSilence(g Guarding, words map[string]Attestation) {
	mute := g.Choice == Linger && len(words) > 0 && slices.Contains(s.silentAgents(), g.Owner)
	for name, word := range words {
		mute = mute && name != g.Owner && slices.Contains(word.Mute, g.Owner)
	}
	if !mute {
		s.quiet.mute = spell{}
		return
	}
	s.quiet.mute.of(g.Owner, s.now)
}

// outlive waits while the kernel of an owner whose keeper is dead or frozen serves by itself, and claims just
// before that may end: so somebody answers all the while, and no two do for longer than a renewal. Who does not
// come first waits for a renewal longer. An owner whose control was silent and is heard again is asked first, early enough
// that who claims after its answer is not late.
func (s *step) outlive(g *Guarding) {
	// The last one may have been due when it froze.
	left := s.Keeper.Lifetime - s.Keeper.Renewal - s.unsigned(g.Owner)
	if left <= -s.Keeper.Renewal { // the first successor had its chance
		s.release()
		return
	}
	// It is held anew as long as the kernel answers. The price is that a control which is late for longer than that loses the hold, and
	// two answer for longer than a renewal: at adverts ten times a second for up to a second.
	s.hold(min(left+s.Keeper.Renewal, s.holdFor()))
	m, _ := s.member(g.Owner)
	left = max(left-beforeEnd, 0)
	if early := left - attestLimit; m.Unheard >= GoneAfter && early > 0 {
		s.after(early, func(s *step) {
			if !s.speaksAgain(g) {
				s.after(attestLimit, func(s *step) { s.outlived(g, true) })
			}
		})
		return
	}
	s.after(left, func(s *step) { s.outlived(g, m.Unheard >= GoneAfter) })
}

// outlived claims from an owner whose kernel may soon serve no more, unless its control was silent and is heard again.
func (s *step) outlived(g *Guarding, silent bool) {
	if silent && s.speaksAgain(g) || s.quiet.choice != g || !s.mayTakeFrom(g.Owner) {
		return // a later look has decided
	}
	s.claimFrozen(g.Owner)
}

// speaksAgain reports whether the control of an owner that was silent is heard again, and asks it then whether the
// keeper lives. If so, nobody hears its adverts, and it owns the group.
func (s *step) speaksAgain(g *Guarding) bool {
	m, ok := s.member(g.Owner)
	if s.quiet.choice != g || !ok || m.Unheard >= GoneAfter || !s.mayTakeFrom(g.Owner) {
		return false
	}
	s.ask(g.Owner, s.attests(), attestLimit, func(s *step, d Done) {
		owns := d.Err == nil && d.Word.Owns
		switch {
		case !s.mayTakeFrom(g.Owner):
		case owns && s.quiet.choice == g:
			s.heard(g.Owner, d.Word, true)
			s.stays(g.Owner, "answers again, but its adverts do not arrive")
		case !owns:
			s.claimFrozen(g.Owner)
		}
	})
	return true
}

// claimFrozen claims from an owner whose keeper is dead or frozen. Its kernel may answer for a while: so the addresses are
// announced once more after that. Who could not serve on each segment leaves that to the timer, when the kernel answers no
// more: the claim ends the whole group elsewhere.
func (s *step) claimFrozen(owner string) {
	if s.quiet.cut {
		return
	}
	s.claimFor("the keeper of " + owner + " gives no sign: it is dead or hangs, or the path to it is cut; its kernel answers for the address")
	s.after(s.Keeper.Renewal+2*beforeEnd, (*step).renew)
}
