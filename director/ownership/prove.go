package ownership

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// proveEvery is how often a standby asks whether the owner's kernel answers for the address, and provePace is
// how much rarer that is for each group that this director looks after: all of them together cost no more.
const (
	proveEvery = 5 * time.Second
	provePace  = 200 * time.Millisecond
)

// proof is what a standby that hears the owner knows of whether the address is answered for.
type proof struct {
	busy    bool
	next    time.Time
	mute    bool   // it is asked beside a member whose agent says nothing
	doubted string // the router whose address was not answered for the last time; "" for none
	lacking string // the one that was not answered for twice
	twice   string // who answered beside each other the last time; "" for nobody
	doubled string // who did so two times on end
}

// Doubled says which two directors answer for an address of the group, as long as it lasts; or is empty.
func (m *Machine) Doubled() string { return m.proof.doubled }

// Unproven names a router whose address nobody answers for, though its owner is heard here; "" if there is none.
func (m *Machine) Unproven() string { return m.proof.lacking }

// lookProof asks the segments for the address of an owner that is heard: adverts alone serve nobody.
func (s *step) lookProof() {
	p := &s.proof
	owner := s.Log.Owner
	if s.Keeper.Part == Owner {
		owner = s.Self
	}
	if !s.proves(owner) || s.Groups == 0 {
		*p = proof{busy: p.busy}
		return
	}
	every, first := max(proveEvery, time.Duration(s.Groups)*provePace), proveEvery
	mute := s.besideMute(owner)
	if mute {
		first = min(2*s.Keeper.Interval, first)
		every = max(first, time.Duration(s.Groups)*provePace)
	}
	if p.next.IsZero() || mute && !p.mute {
		p.next = s.now.Add(first + phase(s.Group, every)) // not all groups at once
		s.after(p.next.Sub(s.now), func(*step) {})
	}
	p.mute = mute
	if p.busy || s.now.Before(p.next) {
		return
	}
	p.busy, p.next = true, s.now.Add(every)
	s.after(every, func(*step) {})
	routers := s.routers()
	s.survey(nil, routers, surveyLimit, nil, func(s *step, _ map[string]Attestation, segments map[string]Segment) {
		s.proof.busy = false
		if !s.proves(owner) {
			return
		}
		s.seesDouble(segments)
		if owner != s.Self {
			s.prove(owner, segments)
		}
	})
}

// proves reports whether the segments are asked for an address of this owner: a standby does that which hears it, and an owner
// itself beside a member that it does not hear.
func (s *step) proves(owner string) bool {
	if s.Keeper.Part == Owner {
		return owner == s.Self && s.besideMute(owner)
	}
	return s.Keeper.Part == Standby && owner != "" && s.Log.Owner == owner && s.deaf(owner) == ""
}

// besideMute reports whether a member's machine answers on a segment of the group while its agent says nothing: it may own the
// group beside the owner, and no path leads there on which that could be settled.
func (s *step) besideMute(owner string) bool {
	return slices.ContainsFunc(s.Members, func(m Member) bool {
		return m.Name != owner && !m.Witness && m.Unheard >= unheardAfter && m.shares() && !m.gone()
	})
}

// seesDouble notes that several answer for an address: the second time, since in a takeover they may for a moment. An owner announces
// its addresses again when the other answers no more: that one may have announced last, and no path leads there that tells that it let go.
func (s *step) seesDouble(segments map[string]Segment) {
	p, now := &s.proof, ""
	for _, r := range s.Keeper.Routers {
		if now = segments[r.Name].Doubled; now != "" {
			break
		}
	}
	was := p.doubled
	p.doubled = ""
	if now == p.twice {
		p.doubled = now
	}
	if now == "" && p.twice != "" {
		s.renew()
	}
	p.twice = now
	if p.doubled != "" && was == "" {
		s.warn("guard", fmt.Sprintf("%s on %s: %s", s.Group, s.Self, p.doubled))
	}
}

// prove notes what the segments said. A director that reaches nobody on a segment can say nothing of it.
func (s *step) prove(owner string, segments map[string]Segment) {
	p, doubted := &s.proof, ""
	for _, r := range s.Keeper.Routers {
		seg, asked := segments[r.Name]
		answered := seg.Serves == owner || seg.Virtual && slices.Contains(seg.Reached, owner)
		if asked && !answered && (len(seg.Reached) > 0 || seg.Gateway) {
			doubted = r.Name
			break
		}
	}
	was := p.lacking
	if doubted == "" || doubted != p.doubted {
		p.doubted, p.lacking = doubted, ""
	} else {
		p.lacking = doubted
	}
	if p.lacking != "" && was == "" {
		s.warn("guard", fmt.Sprintf("%s on %s: %s is heard own it, and does not answer for the address of %s", s.Group, s.Self, owner, p.lacking))
	}
}

// phase spreads groups over a time, by their names.
func phase(group string, over time.Duration) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(group)) // it cannot fail
	return time.Duration(h.Sum32()) * over >> 32
}
