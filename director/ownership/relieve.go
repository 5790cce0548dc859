package ownership

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// succession is in which order directors come to own the group: whom the log names, then its successors.
func (f Facts) succession() []string { return append([]string{f.Log.Owner}, f.Log.Order...) }

// fit reports whether this director could take the group over.
func (f Facts) fit() bool { return f.Ready && !f.Drains && f.Keeper.Part == Standby }

// spell is since when something is so of an owner.
type spell struct {
	owner string
	since time.Time
}

// of goes on for an owner, and begins anew for another.
func (p *spell) of(owner string, now time.Time) {
	if p.owner != owner {
		*p = spell{owner, now}
	}
}

// overdue reports whether an owner is cut off for so long that the successors before this one have let their time pass, and
// this one could succeed it.
func (s *step) overdue(owner string) bool { return s.fit() && s.passed(owner) }

// passed reports whether the successors before this director have let their time pass: each has a survey and an interval. Who
// is before it may not be told of the owner, or be frozen.
func (s *step) passed(owner string) bool {
	if s.quiet.relief.owner != owner {
		return false
	}
	turn, dead := 0, s.missing()
	for _, name := range s.succession() {
		if name == s.Self {
			break
		}
		if m, ok := s.member(name); ok && name != owner && m.able() && !slices.Contains(dead, name) {
			turn++
		}
	}
	return s.now.Sub(s.quiet.relief.since) >= time.Duration(max(turn, 1))*(s.Keeper.Interval+surveyLimit/2)
}

// relieve has an owner that nobody on the segment reaches let go, and claims, if this director is its first
// successor. Router is one on whose segment that was found, and mute says that a majority hears nothing of that one's agent.
func (s *step) relieve(owner, router string, mute bool) {
	switch first, late := s.successor(owner), s.overdue(owner); {
	case first == s.Self, first != "" && late:
	case first == "" && s.served(owner) == "":
		s.serve(owner, owner+" is cut off, and no director is fit to succeed it")
		return
	case first != "" && s.passed(owner) && s.first(owner, s.speaks) == "": // their last reports are all that says that they could
		s.serve(owner, fmt.Sprintf("%s is cut off, and %s, which is to succeed it, does not answer", owner, first))
		return
	case first == "" && s.passed(owner) && s.unserved(owner):
		s.serve(owner, fmt.Sprintf("%s is cut off, and %s, which owns it too, serves nobody here", owner, s.served(owner)))
		return
	default:
		return
	}
	s.ask(owner, Question{Kind: Let, Side: s.side()}, releaseWait, func(s *step, d Done) {
		if !s.mayTakeFrom(owner) {
			return
		}
		var refused Refusal
		switch {
		case errors.As(d.Err, &refused): // it has just lost it
			s.stays(owner, refused.Error())
		case d.Err == nil && d.Word.Owns && s.joined(owner, d.Word): // something between the two is broken
			s.stays(owner, "reaches others on each segment")
		case d.Err == nil && d.Word.Owns && s.OneSide:
			s.stays(owner, "is on a side of the segment that has as many directors")
		case d.Err == nil && d.Word.Owns:
			s.serve(owner, owner+" owns it on another side, which no segment joins to this one")
		case d.Err != nil && s.quiet.taker == owner && !mute: // it found the same of this director, and would claim it again
			s.stays(owner, "does not answer, and has claimed it from this director")
		default:
			if d.Err != nil {
				s.warn("guard", fmt.Sprintf("%s is cut off and does not let %s go, so it is claimed from: %v", owner, s.Group, d.Err))
			}
			s.claimFor(owner + " is cut off on the segment of " + router)
		}
	})
}

// muteToMost reports whether a majority of the voters, this director included, hears nothing of an owner's agent, by what they
// said in a survey. Of two that each find the other cut off, it is so of one at most: the other does not claim back. So who
// hears nothing of this director's agent either counts for neither of the two: it answers, by connections that they open.
func (s *step) muteToMost(owner string, words map[string]Attestation) bool {
	by := 0
	if slices.Contains(s.silentAgents(), owner) {
		by++
	}
	for _, m := range s.Members {
		if mute := words[m.Name].Mute; !m.Joins && slices.Contains(mute, owner) && !slices.Contains(mute, s.Self) {
			by++
		}
	}
	return 2*by > s.Voters
}

// silentAgents are the members of whose agents nothing was heard over the cluster port for [Mute]; none if this director was late.
func (f Facts) silentAgents() []string {
	var names []string
	for _, m := range f.Members {
		if f.OnTime && m.Unheard >= Mute {
			names = append(names, m.Name)
		}
	}
	return names
}

// speaks reports whether a member that could serve here was heard over the cluster port lately: it would succeed by itself.
func (f Facts) speaks(m Member) bool { return f.near(m) && m.Unheard < Mute }

// lookTaker follows who took the group from this director by a claim. Two that hear each other on one segment, of whom
// neither reaches the other on another, each look cut off to the other, and would take turns without end. So who was claimed
// from does not claim back until it has heard the other on all of them. Before that it may only where a majority hears nothing
// of the other's agent. Who has lost it otherwise, as after it stood still, may.
func (s *step) lookTaker() {
	q := &s.quiet
	lost := q.owner && s.Keeper.Part == Standby
	q.owner = s.Keeper.Part == Owner
	claims := func(r Router) bool { return r.hears() != "" && r.Claims && s.recent(r) }
	if i := slices.IndexFunc(s.Keeper.Routers, claims); lost && i >= 0 {
		q.taker = s.Keeper.Routers[i].Heard
	}
	away := func(r Router) bool { return r.hears() != q.taker || !s.recent(r) }
	if s.Keeper.Part == Owner || s.Keeper.Part == Standby && !slices.ContainsFunc(s.Keeper.Routers, away) {
		q.taker = ""
	}
}

// Taker is who took the group from this director by a claim, and has not been heard on all routers since; or "".
func (m *Machine) Taker() string { return m.quiet.taker }

// recent reports whether a router has heard an advert since the last but one was due: what it heard before it was Active
// last may be longer ago, without being silent yet.
func (f Facts) recent(r Router) bool { return r.Age < f.Keeper.Interval*3/2 }

// unserved reports whether nobody but the owner that is cut off serves here: who else owns the group by its report is
// elsewhere, or its keeper does not answer and its kernel does not serve any more.
func (s *step) unserved(owner string) bool {
	all := append(s.owners(), s.served(owner))
	return !slices.ContainsFunc(all, func(name string) bool {
		denies := slices.Contains(s.quiet.denies, name) && !s.tookSince(s.named(name))
		here := slices.Contains(s.quiet.kernels, name) || !s.elsewhere(name) && !denies
		return name != "" && name != owner && here
	})
}

// denials are the members that answered a survey and do not own the group, nor serve it on a segment that is silent here.
func denials(words map[string]Attestation, segments map[string]Segment) []string {
	var names []string
	for name, word := range words {
		if !word.Owns && !serves(name, segments) {
			names = append(names, name)
		}
	}
	return names
}

// kernels are the members that serve on a segment that is silent here, whether they answered a survey or not.
func (f Facts) kernels(segments map[string]Segment) []string {
	var names []string
	for _, m := range f.Members {
		if serves(m.Name, segments) {
			names = append(names, m.Name)
		}
	}
	return names
}

// serves reports whether a member's kernel answers for the group on one of some segments, or may by a virtual MAC.
func serves(member string, segments map[string]Segment) bool {
	for _, seg := range segments {
		if seg.Serves == member || seg.Virtual && slices.Contains(seg.Reached, member) {
			return true
		}
	}
	return false
}

// elsewhere reports whether a member is not on the segment of a router that is silent here, or says nothing any more.
func (f Facts) elsewhere(member string) bool {
	m, ok := f.member(member)
	return ok && (!f.near(m) || m.Unheard >= GoneAfter)
}

// serve lets the timer have its way where the owner does not serve. It is no claim: that would win when the sides of
// the segment are joined again.
func (s *step) serve(owner, why string) {
	s.quiet.choice = &Guarding{Take, owner, why}
	s.warn("guard", fmt.Sprintf("%s on %s: %s", s.Group, s.Self, why))
	s.release()
	s.quiet.free = s.now.Add(s.Keeper.Interval) // which the timer needs no longer than
}

// rejoined ends that once an owner for which the timer was left its way says that it owns the group, and is reached on each
// segment that is silent here: the cut has ended before the timer fired.
func (s *step) rejoined(owner string) {
	m, _ := s.member(owner)
	for i, r := range s.Keeper.Routers {
		if r.Silent && !m.answers(i) {
			return
		}
	}
	if s.servesFor(owner) {
		s.quiet.free = time.Time{}
	}
}

// servesFor reports whether the timer was left its way since an owner does not serve here.
func (s *step) servesFor(owner string) bool {
	g := s.quiet.choice
	return owner != "" && g != nil && g.Choice == Take && g.Owner == owner
}

// stays holds the timer, since an owner that is not reached does not let go.
func (s *step) stays(owner, why string) {
	s.quiet.choice = &Guarding{Hold, owner, fmt.Sprintf("%s owns it, and %s", owner, why)}
	s.hold(s.holdFor())
}

// mayTakeFrom reports whether this director is still the first successor of an owner that it does not hear, or the
// ones before it have let their time pass. One that was late does not know that: somebody may have claimed while it
// stood still.
func (s *step) mayTakeFrom(owner string) bool {
	return s.OnTime && !s.claiming && len(s.silent()) > 0 && (s.successor(owner) == s.Self || s.overdue(owner))
}
