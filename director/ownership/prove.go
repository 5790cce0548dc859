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
	doubted string // the router whose address was not answered for the last time; "" for none
	lacking string // the one that was not answered for twice
}

// Unproven names a router whose address nobody answers for, though its owner is heard here; "" if there is none.
func (m *Machine) Unproven() string { return m.proof.lacking }

// lookProof asks the segments for the address of an owner that is heard: adverts alone serve nobody.
func (s *step) lookProof() {
	p := &s.proof
	owner := s.Log.Owner
	if s.Keeper.Part != Standby || owner == "" || s.deaf(owner) != "" || s.Groups == 0 {
		*p = proof{busy: p.busy}
		return
	}
	every := max(proveEvery, time.Duration(s.Groups)*provePace)
	if p.next.IsZero() {
		p.next = s.now.Add(proveEvery + phase(s.Group, every)) // not all groups at once
		s.after(p.next.Sub(s.now), func(*step) {})
	}
	if p.busy || s.now.Before(p.next) {
		return
	}
	p.busy, p.next = true, s.now.Add(every)
	s.after(every, func(*step) {})
	var routers []string
	for _, r := range s.Keeper.Routers {
		routers = append(routers, r.Name)
	}
	s.survey(nil, routers, surveyLimit, nil, func(s *step, _ map[string]Attestation, segments map[string]Segment) {
		s.proof.busy = false
		if s.Keeper.Part == Standby && s.Log.Owner == owner && s.deaf(owner) == "" {
			s.prove(owner, segments)
		}
	})
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
