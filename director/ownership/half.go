package ownership

import "slices"

// halved ends the wait for the kernel of an owner whose agent is silent, where that one is not on another segment of the
// group, on which nobody serves: a lifetime later its keeper lives, as it seems, and nothing but the timer ends it.
func (s *step) halved(g Guarding, silent []string, all []Guarding, segments map[string]Segment) Guarding {
	if g.Choice == CutOff && g.Owner == "" { // what that segment answers may be lost: it says nothing of the owner
		return g
	}
	if g.Choice != Linger || !dark(g.Owner, silent, all, segments) {
		s.quiet.half = spell{}
		return g
	}
	s.quiet.half.of(g.Owner, s.now)
	if s.now.Sub(s.quiet.half.since) <= s.Keeper.Lifetime {
		return g
	}
	return Guarding{Take, "", "the kernel of " + g.Owner + " answers on one segment for longer than its addresses last, and nobody on another"}
}

// dark reports whether nobody serves on the segment of some router that this director is on, and the owner is not.
func dark(owner string, silent []string, all []Guarding, segments map[string]Segment) bool {
	for i, router := range silent {
		seg := segments[router]
		joined := len(seg.Reached) > 0 || seg.Gateway
		if all[i].Choice == Take && joined && !slices.Contains(seg.Reached, owner) {
			return true
		}
	}
	return false
}
